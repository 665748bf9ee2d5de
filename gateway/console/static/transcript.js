// One session as it is now: REST's answer, then every event that followed it. No I/O, no DOM.
const MOST_MESSAGES = 400;
const MOST_WATCHED = 1000;
const LONGEST_PAUSE_MS = 1000;

export class Transcript {
  /** Messages by id in the order of their creation: `{info, parts: Map}`. */
  messages = new Map();
  todos = [];
  /** How many messages were left out at the begin to stay within bounds. */
  forgotten = 0;
  /** Grows with every change, so that a view knows whether to look. */
  version = 0;
  /** What was seen of each message while it was written: deltas, for how long, retries. */
  watched = new Map();
  removed = false;

  constructor(session) {
    this.session = session;
  }

  /** Take what REST says; `older` messages go before the ones that are there. */
  load(messages, older = false) {
    const entries = messages.map(({ info, parts }) => [info.id, entryOf(info, parts)]);
    this.messages = new Map(older ? [...entries, ...this.messages] : entries);
    if (!older) this.#bound();
    this.version += 1;
  }

  /**
   * Lay open parts over what REST says of them. REST may be ahead of the stream, and the deltas
   * that follow belong to the text that the stream has brought.
   */
  overlay(parts) {
    for (const part of parts) {
      this.messages.get(part.messageID)?.parts.set(part.id, { ...part });
    }
    this.version += 1;
  }

  /** Apply an event of this session, as a client of the stream has to. */
  apply({ type, properties: p }, now = Date.now()) {
    this.version += 1;
    switch (type) {
      case "session.updated":
        this.session = p.info;
        return;
      case "session.deleted":
        this.removed = true;
        return;
      case "message.updated":
        return this.#message(p.info);
      case "message.removed":
        this.messages.delete(p.messageID);
        return;
      case "message.part.updated":
        return this.#part(p.part);
      case "message.part.removed":
        this.messages.get(p.messageID)?.parts.delete(p.partID);
        return;
      case "message.part.delta":
        return this.#delta(p, now);
      case "todo.updated":
        this.todos = p.todos ?? [];
        return;
      case "session.status":
        return this.#retry(p.status, now);
    }
  }

  #message(info) {
    const there = this.messages.get(info.id);
    if (there) there.info = info;
    else {
      this.messages.set(info.id, entryOf(info, []));
      this.#bound();
    }
  }

  #part(part) {
    const there = this.messages.get(part.messageID);
    if (!there) return;
    there.parts.set(part.id, { ...part });
  }

  #delta({ messageID, partID, field, delta }, now) {
    const part = this.messages.get(messageID)?.parts.get(partID);
    if (!part) return;
    part[field] = (part[field] ?? "") + delta;
    const seen = this.#watch(messageID);
    // A tool that runs between two deltas is no time of writing.
    if (seen.deltas) seen.writingMs += Math.min(now - seen.lastMs, LONGEST_PAUSE_MS);
    seen.deltas += 1;
    seen.lastMs = now;
  }

  #retry(status, now) {
    if (status?.type !== "retry") return;
    const last = [...this.messages.values()].at(-1);
    if (last) this.#watch(last.info.id).retries.push({ ms: now, ...status });
  }

  #watch(id) {
    let seen = this.watched.get(id);
    if (!seen) {
      seen = { deltas: 0, writingMs: 0, lastMs: 0, retries: [] };
      this.watched.set(id, seen);
      if (this.watched.size > MOST_WATCHED) this.watched.delete(this.watched.keys().next().value);
    }
    return seen;
  }

  #bound() {
    const over = this.messages.size - MOST_MESSAGES;
    for (const id of [...this.messages.keys()].slice(0, Math.max(0, over))) {
      this.messages.delete(id);
      this.forgotten += 1;
    }
  }
}

/** Return all text of a message, as a person reads it. */
export function textOf({ parts }) {
  return [...parts.values()]
    .filter((part) => part.type === "text" && !part.ignored)
    .map((part) => part.text ?? "")
    .join("");
}

/** Return the turns: a user's message with the answers to it. */
export function turnsOf(messages) {
  const turns = [];
  for (const message of messages.values()) {
    if (message.info.role === "user" || !turns.length) turns.push({ user: null, answers: [] });
    const turn = turns.at(-1);
    if (message.info.role === "user") turn.user = message;
    else turn.answers.push(message);
  }
  return turns;
}

function entryOf(info, parts) {
  return { info, parts: new Map((parts ?? []).map((part) => [part.id, part])) };
}
