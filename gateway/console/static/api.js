// Requests to the server's public routes. A failure carries the server's own words.
import { route } from "./places.js";

const WAIT_MS = 20_000;
const PAUSES_MS = [300, 1000];
const PASSING = [0, 408, 429, 500, 502, 503, 504];
const RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

/** Dispatched on `window` when a request was refused for want of a login. */
export const LOGIN_WANTED = "weir-login-wanted";

export class Failed extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return PASSING.includes(this.status);
  }
}

/**
 * Ask until the server answers, or refuses for good.
 * `failed(error)` is called before each pause; false from there ends it.
 */
export async function persist(ask, failed) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!error.passes || failed(error) === false) throw error;
    }
    await sleep(pauseMs(failures));
  }
}

/** Return how long to wait after so many failures in a row. */
export const pauseMs = (failures, firstMs = RETRY_MS) =>
  Math.min(firstMs * 2 ** (failures - 1), LONGEST_RETRY_MS);

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** GET a route; returns its JSON. `quiet`: the page asks for no login if the server wants one. */
export const get = (path, query, how) => ask("GET", path, query, undefined, how);

/** Send a body to a route; returns its JSON, or null where the answer has none. */
export const send = (method, path, query, body) => ask(method, path, query, body);

/** GET a route with the headers of its answer. */
export async function look(path, query) {
  const answer = taken(checked(await reach("GET", path, query)));
  return { headers: answer.headers, body: jsonOf(answer) };
}

async function ask(method, path, query, body, { quiet = false } = {}) {
  const answer = await reach(method, path, query, body);
  return jsonOf(taken(quiet ? answer : checked(answer)));
}

function taken(answer) {
  if (!answer.ok) throw new Failed(wordsOf(answer), answer.status);
  return answer;
}

async function reach(method, path, query, body) {
  const options = { method, signal: AbortSignal.timeout(WAIT_MS), cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  // A browser gives up what is under way when the machine changes its network: what changes
  // nothing is asked again.
  for (const waitMs of [...(method === "GET" ? PAUSES_MS : []), 0]) {
    try {
      const answer = await fetch(route(path, query), options);
      const { ok, status, headers } = answer;
      return { ok, status, headers, text: await answer.text() };
    } catch (error) {
      if (error.name === "TimeoutError") throw new Failed(`no answer within ${WAIT_MS / 1000} s`);
      if (!waitMs) throw new Failed("the server cannot be reached");
      await sleep(waitMs);
    }
  }
}

/** Return an answer; one that asks for a login makes the page ask for it, too. */
export function checked(answer) {
  if (answer.status === 401) dispatchEvent(new Event(LOGIN_WANTED));
  return answer;
}

function jsonOf({ text, status }) {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Failed("the answer is no JSON", status);
  }
}

function wordsOf({ text, status }) {
  const fallback = `the server answered ${status}`;
  try {
    const body = JSON.parse(text);
    return body?.data?.message ?? body?.message ?? fallback;
  } catch {
    return fallback;
  }
}
