// Requests to the server's public routes. A failure carries the server's own words.
import { route } from "./places.js";

const WAIT_MS = 20_000;
const PAUSES_MS = [300, 1000];

/** Dispatched on `window` when a request was refused for want of a login. */
export const LOGIN_WANTED = "weir-login-wanted";

export class Failed extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** GET a route; returns its JSON. `quiet`: the page asks for no login if the server wants one. */
export const get = (path, query, how) => ask("GET", path, query, undefined, how);

/** Send a body to a route; returns its JSON, or null where the answer has none. */
export const send = (method, path, query, body) => ask(method, path, query, body);

/** GET a route with the headers of its answer; any status that has JSON is fine. */
export async function look(path, query) {
  const answer = checked(await reach("GET", path, query));
  return { status: answer.status, headers: answer.headers, body: await jsonOf(answer) };
}

async function ask(method, path, query, body, { quiet = false } = {}) {
  const answer = await reach(method, path, query, body);
  if (!quiet) checked(answer);
  if (!answer.ok) throw new Failed(await wordsOf(answer), answer.status);
  return jsonOf(answer);
}

async function reach(method, path, query, body) {
  const options = { method, signal: AbortSignal.timeout(WAIT_MS), cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  // A browser gives up what is under way when the machine changes its network: what changes
  // nothing is asked again.
  for (const pauseMs of [...(method === "GET" ? PAUSES_MS : []), 0]) {
    try {
      return await fetch(route(path, query), options);
    } catch (error) {
      if (error.name === "TimeoutError") throw new Failed(`no answer within ${WAIT_MS / 1000} s`);
      if (!pauseMs) throw new Failed("the server cannot be reached");
      await new Promise((done) => setTimeout(done, pauseMs));
    }
  }
}

/** Return an answer; one that asks for a login makes the page ask for it, too. */
export function checked(answer) {
  if (answer.status === 401) dispatchEvent(new Event(LOGIN_WANTED));
  return answer;
}

async function jsonOf(answer) {
  const text = await answer.text();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Failed("the answer is no JSON", answer.status);
  }
}

async function wordsOf(answer) {
  const fallback = `the server answered ${answer.status}`;
  try {
    const body = await answer.json();
    return body?.data?.message ?? body?.message ?? fallback;
  } catch {
    return fallback;
  }
}
