// What goes on now, folded from the event stream: statuses, open parts with their text, requests.
//
// REST shows a part that is being written without its text, so a view that opens in the middle of
// a turn takes the text from here. Everything is bounded: the oldest is forgotten.
import { sessionOf } from "./events.js";

const MOST_PARTS = 2000;
const MOST_CHARACTERS = 16 * 1024 * 1024;
const MOST_SESSIONS = 5000;

export class Live {
  statuses = new Map();
  parts = new Map();
  permissions = new Map();
  questions = new Map();
  directories = new Map();
  #characters = 0;

  /** Apply one event; `directory` is that of its frame. */
  apply(directory, event) {
    const { type, properties: p } = event;
    const session = sessionOf(event);
    if (session && directory) remember(this.directories, session, directory, MOST_SESSIONS);
    switch (type) {
      case "message.part.updated":
        return this.#part(p.part);
      case "message.part.delta":
        return this.#delta(p);
      case "message.part.removed":
        return this.#forget(p.partID);
      case "session.status":
        return this.#status(session, p.status);
      case "session.idle":
        return this.#status(session, { type: "idle" });
      case "session.deleted":
        return this.#gone(session);
      case "permission.asked":
      case "permission.updated":
        return remember(this.permissions, p.id, { ...p, directory }, MOST_SESSIONS);
      case "permission.replied":
        return this.permissions.delete(p.requestID ?? p.permissionID);
      case "question.asked":
        return remember(this.questions, p.id, { ...p, directory }, MOST_SESSIONS);
      case "question.replied":
      case "question.rejected":
        return this.questions.delete(p.requestID);
    }
  }

  /** Return the open parts of a session, with their text so far. */
  of(session) {
    return [...this.parts.values()].filter((part) => part.sessionID === session);
  }

  /** Return what another tab needs to go on from here. */
  share() {
    const { statuses, parts, permissions, questions, directories } = this;
    return { live: { statuses, parts, permissions, questions, directories } };
  }

  /** Take what `share` returned in another tab. */
  take({ live }) {
    Object.assign(this, live);
    this.#characters = [...this.parts.values()].reduce((sum, part) => sum + sizeOf(part), 0);
  }

  #part(part) {
    if (!part?.id) return;
    this.#forget(part.id);
    if (isWhole(part)) return;
    this.parts.set(part.id, { ...part });
    this.#characters += sizeOf(part);
    this.#bound();
  }

  #delta({ partID, field, delta }) {
    const part = this.parts.get(partID);
    if (!part || typeof delta !== "string") return;
    part[field] = (part[field] ?? "") + delta;
    this.#characters += delta.length;
    this.#bound();
  }

  #status(session, status) {
    this.statuses.delete(session);
    if (status?.type !== "idle") remember(this.statuses, session, status, MOST_SESSIONS);
    else this.#end(session);
  }

  /** A turn that is over has no open parts; its last words may still come, and are whole. */
  #end(session) {
    for (const part of this.of(session)) this.#forget(part.id);
  }

  #gone(session) {
    this.statuses.delete(session);
    this.directories.delete(session);
    this.#end(session);
    for (const asked of [this.permissions, this.questions]) {
      for (const [id, one] of asked) if (one.sessionID === session) asked.delete(id);
    }
  }

  #forget(id) {
    const part = this.parts.get(id);
    if (part) this.#characters -= sizeOf(part);
    this.parts.delete(id);
  }

  #bound() {
    while (this.parts.size > MOST_PARTS || this.#characters > MOST_CHARACTERS) {
      this.#forget(this.parts.keys().next().value);
      if (!this.parts.size) return;
    }
  }
}

function isWhole(part) {
  if (part.type === "text" || part.type === "reasoning") return Boolean(part.time?.end);
  return part.type !== "tool" || ["completed", "error"].includes(part.state?.status);
}

function sizeOf(part) {
  return (part.text ?? "").length;
}

function remember(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value);
}
