// All sessions, and one of them as a person reads it.
import { html, nothing } from "../vendor/lit-html.js";
import { get, pauseMs, send } from "../api.js";
import { sessionOf } from "../events.js";
import { ago, count, short } from "../format.js";
import { address, sessionRoute } from "../places.js";
import { Session } from "../session.js";

const MOST = 500;
const RELOAD_MS = 400;
const MOST_PROJECTS = 16;

export class Sessions {
  /** Called with the type and the session of every event, by what watches one. */
  watching = null;
  sessions = new Map();
  error = "";
  search = "";
  #reload = 0;
  #gap = 0;
  #failures = 0;

  constructor(app) {
    this.app = app;
    this.shown = null;
  }

  enter(id) {
    if (this.shown?.id === id) return;
    this.shown?.leave();
    this.shown = id ? new Session(this.app, id) : null;
    this.shown?.enter();
    this.#load();
  }

  leave() {
    this.shown?.leave();
    this.shown = null;
  }

  drawn() {
    this.shown?.drawn();
  }

  /** Take an event: of any session into the list, of the shown one into its text. */
  apply(event, directory) {
    const { type, properties: p } = event;
    const session = sessionOf(event);
    this.watching?.(type, session);
    if (type === "server.connected" && p?.resumed === false) this.#again();
    else if (type === "session.created" || type === "session.updated") this.#note(p.info, directory);
    else if (type === "session.deleted") this.sessions.delete(session);
    if (session && this.shown?.id === session) this.shown.apply(event);
  }

  /** What is being written is known now, from the tab that reads the stream. */
  joined() {
    this.shown?.load();
  }

  #note(info, directory) {
    if (!info?.id) return;
    this.sessions.set(info.id, { directory, ...info });
    if (this.sessions.size > MOST) {
      const oldest = [...this.sessions.values()].sort(byAge).at(-1);
      this.sessions.delete(oldest.id);
    }
  }

  /** The stream has a gap: fetch the list and the shown session again. */
  #again() {
    this.#loadIn(RELOAD_MS);
    clearTimeout(this.#gap);
    this.#gap = setTimeout(() => this.shown?.load(), RELOAD_MS);
  }

  async #load() {
    const failed = [];
    const orNone = (error) => {
      failed.push(error);
      return [];
    };
    try {
      const found = await this.#fetch(orNone);
      this.sessions = new Map(found.sort(byAge).slice(0, MOST).map((one) => [one.id, one]));
      this.error = "";
    } catch (error) {
      this.error = error.message;
      failed.push(error);
    }
    this.loaded = true;
    this.app.redraw();
    this.#failures = failed.some((error) => error.passes) ? this.#failures + 1 : 0;
    if (this.#failures) this.#loadIn(pauseMs(this.#failures));
  }

  #loadIn(ms) {
    clearTimeout(this.#reload);
    this.#reload = setTimeout(() => this.app.view === this && this.#load(), ms);
  }

  async #fetch(orNone) {
    const { scope, folders, sessions } = this.app.me;
    if (!scope) return this.#all(orNone);
    const found = await Promise.all([
      ...folders.map((directory) => get("/session", { directory, limit: MOST })),
      ...sessions.map(async (id) => [await get(sessionRoute(id))]),
    ].map((list) => list.catch(orNone)));
    return found.flat();
  }

  async #all(orNone) {
    // The page searches what it has; where that is not all, the server searches too.
    const search = this.sessions.size < MOST ? "" : this.search;
    const query = { scope: "project", limit: MOST, search };
    const [own, projects] = await Promise.all([get("/session", query), get("/project").catch(orNone)]);
    // An opencode lists the sessions of one project at a time.
    const others = await Promise.all(
      projects
        .slice(0, MOST_PROJECTS)
        .map(({ worktree }) => get("/session", { ...query, directory: worktree }).catch(orNone)),
    );
    return [...new Map([own, ...others].flat().map((one) => [one.id, one])).values()];
  }

  render() {
    return html`<div class="sessions ${this.shown ? "one" : "all"}">
      ${this.#list()} ${this.shown ? this.shown.render() : this.#welcome()}
    </div>`;
  }

  #welcome() {
    return html`<section class="welcome">
      <p class="empty">Choose a session, or begin a new one.</p>
    </section>`;
  }

  #list() {
    const found = [...this.sessions.values()].filter((one) => this.#passes(one)).sort(byAge);
    return html`<section class="list" aria-label="Sessions">
      <div class="head">
        <h1>Sessions</h1>
        ${this.#mayCreate ? html`<button @click=${() => this.#create()}>New</button>` : nothing}
      </div>
      <input
        type="search"
        data-search
        aria-label="Search sessions"
        placeholder="Search by title or folder"
        autocomplete="off"
        .value=${this.search}
        @input=${(event) => this.#searchFor(event.target.value)}
      />
      ${this.error ? html`<p class="notice bad" role="alert">${this.error}</p>` : nothing}
      <ul>
        ${found.slice(0, MOST).map((one) => this.#item(one))}
      </ul>
      ${found.length || !this.loaded
        ? nothing
        : html`<p class="empty">${this.search ? "No session matches." : "There is no session yet."}</p>`}
      ${found.length > 20 ? html`<p class="note">${count(found.length)} sessions</p>` : nothing}
    </section>`;
  }

  #item(one) {
    const status = this.app.live.statuses.get(one.id)?.type ?? "idle";
    const here = this.shown?.id === one.id;
    return html`<li>
      <a href=${address("sessions", one.id)} aria-current=${here ? "true" : nothing}>
        <span class="title">
          <i class="dot ${status === "idle" ? "" : status === "retry" ? "warning" : "busy"}" title=${status}></i>
          <b>${one.title || "Untitled"}</b>
        </span>
        <span class="under">
          <span title=${one.directory}>${short(one.directory, 34)}</span>
          <time>${ago(one.time?.updated ?? one.time?.created ?? 0)}</time>
        </span>
      </a>
    </li>`;
  }

  #passes(one) {
    const words = this.search.toLowerCase();
    return !words || `${one.title} ${one.directory} ${one.id}`.toLowerCase().includes(words);
  }

  #searchFor(text) {
    this.search = text.trim();
    this.app.redraw();
    if (this.sessions.size < MOST && text) return;
    this.#loadIn(RELOAD_MS);
  }

  get #mayCreate() {
    const { scope, folders, mayWrite } = this.app.me;
    return mayWrite && (!scope || folders.length > 0);
  }

  async #create() {
    try {
      const [directory] = this.app.me.folders;
      const session = await send("POST", "/session", { directory }, {});
      this.#note(session, session.directory);
      this.app.go("sessions", session.id);
    } catch (error) {
      this.error = error.message;
      this.app.redraw();
    }
  }
}

function byAge(a, b) {
  return (b.time?.updated ?? 0) - (a.time?.updated ?? 0);
}
