// One event stream for all tabs of a browser.
//
// The tab that holds a lock is the leader. It alone has a connection, and hands what it reads to all
// tabs ten times a second. When the leader goes, the browser gives the lock to another tab, which
// goes on after the last event that it has seen. A page that may not use locks (plain HTTP on another machine) has a connection of
// its own for as long as it is visible.
import { checked, get, pauseMs, sleep } from "./api.js";
import { SHARED_NAME, route } from "./places.js";
import { Frames } from "./sse.js";

const EVERY_MS = 100;
const RETRY_MS = 1000;
const SILENT_MS = 70_000;
const MOST_GATHERED = 4 * 1024 * 1024;

export class Stream {
  /** Whether the stream stands, as far as this tab knows; and whether this tab is the leader. */
  connected = false;
  leads = false;
  error = "";

  /**
   * @param handlers `frames(frames)` for what was read; `join()` returns what a new tab needs,
   *   `joined(state)` takes that; `changed()` when the state of the connection is another.
   */
  constructor(handlers) {
    this.handlers = handlers;
    this.lastId = "";
    this.tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.channel = new BroadcastChannel(SHARED_NAME);
    this.channel.onmessage = (message) => this.#hear(message.data);
  }

  start() {
    if (navigator.locks) {
      this.channel.postMessage({ kind: "join", from: this.tab });
      navigator.locks.request(SHARED_NAME, () => this.#lead());
      return;
    }
    this.#leadWhileVisible();
  }

  async #lead() {
    this.leads = true;
    for (;;) await this.#connect();
  }

  async #leadWhileVisible() {
    this.leads = true;
    for (;;) {
      if (document.hidden) await once(document, "visibilitychange");
      else await this.#connect(() => document.hidden);
    }
  }

  /** Read one connection to its end, and wait for as long as the server asks for. */
  async #connect(isOver = () => false) {
    const abort = new AbortController();
    let lastHeard = Date.now();
    const watch = setInterval(() => {
      if (isOver() || Date.now() - lastHeard > SILENT_MS) abort.abort();
    }, 1000);
    try {
      const answer = await this.#open(abort.signal);
      this.#failures = 0;
      this.#tell(true, "");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      const frames = new Frames();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        lastHeard = Date.now();
        this.#gather(frames.push(value), value.length);
      }
      this.#tell(false, "");
    } catch (error) {
      this.#tell(false, isOver() ? "" : error.message);
    } finally {
      clearInterval(watch);
      abort.abort();
      this.#flush();
    }
    if (!isOver()) await sleep(this.#pauseMs());
  }

  async #open(signal) {
    const headers = this.lastId ? { "Last-Event-ID": this.lastId } : {};
    const url = route("/global/event", { frame_hz: 1000 / EVERY_MS });
    const answer = checked(await fetch(url, { headers, signal, cache: "no-store" }));
    if (answer.ok) return answer;
    await answer.body?.cancel();
    throw new Error(`the server answered ${answer.status} to /global/event`);
  }

  #failures = 0;
  #retryMs = RETRY_MS;

  #pauseMs() {
    this.#failures += 1;
    return pauseMs(this.#failures, this.#retryMs);
  }

  #gathered = [];
  #size = 0;
  #timer = 0;

  /** Hand frames on ten times a second; at once where the tab is hidden, since its timers are slow. */
  #gather(frames, size) {
    this.#gathered.push(...frames);
    this.#size += size;
    if (document.hidden || this.#size > MOST_GATHERED) this.#flush();
    else this.#timer ||= setTimeout(() => this.#flush(), EVERY_MS);
  }

  #flush() {
    clearTimeout(this.#timer);
    const frames = this.#gathered;
    this.#gathered = [];
    this.#size = this.#timer = 0;
    this.#post(frames);
  }

  #post(frames) {
    for (const frame of frames) {
      if (frame.id) this.lastId = frame.id;
      if (frame.retry) this.#retryMs = frame.retry;
    }
    const said = frames.filter((frame) => frame.data);
    if (!said.length) return;
    this.channel.postMessage({ kind: "frames", frames: said });
    this.#hand(said);
  }

  /** A fault in the page is reported, and costs no connection. */
  #hand(frames) {
    try {
      this.handlers.frames(frames);
    } catch (error) {
      reportError(error);
    }
  }

  #tell(connected, error) {
    Object.assign(this, { connected, error });
    this.channel.postMessage({ kind: "state", connected, error });
    this.handlers.changed();
  }

  #hear(said) {
    if (said.kind === "frames") {
      if (this.leads) return;
      for (const frame of said.frames) if (frame.id) this.lastId = frame.id;
      this.#hand(said.frames);
    } else if (said.kind === "state" && !this.leads) {
      Object.assign(this, { connected: said.connected, error: said.error });
      this.handlers.changed();
    } else if (said.kind === "join" && this.leads) {
      const { connected, error, lastId } = this;
      const state = { connected, error, lastId, ...this.handlers.join() };
      this.channel.postMessage({ kind: "joined", to: said.from, state });
    } else if (said.kind === "joined" && said.to === this.tab) {
      const { connected, error, lastId } = said.state;
      Object.assign(this, { connected, error, lastId });
      this.handlers.joined(said.state);
      this.handlers.changed();
    }
  }
}

/** Measure how long the server takes to answer its health, in ms. */
export async function healthMs() {
  const began = performance.now();
  await get("/global/health");
  return performance.now() - began;
}

function once(target, name) {
  return new Promise((done) => target.addEventListener(name, done, { once: true }));
}
