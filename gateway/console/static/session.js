// One session: what was said, as it grows, and what a person can do with it.
import { html, nothing } from "./vendor/lit-html.js";
import { get, look, persist, send } from "./api.js";
import { ago, short } from "./format.js";
import { icon } from "./icons.js";
import { Message } from "./message.js";
import { sessionRoute } from "./places.js";
import { timeline } from "./timeline.js";
import { Transcript, turnsOf } from "./transcript.js";
import { aside } from "./usage.js";

const PAGE = 40;
const MOST_SHOWN = 120;
const NEAR_END = 120;
const MOST_QUEUED = 20_000;

export class Session {
  constructor(app, id) {
    this.app = app;
    this.id = id;
    this.transcript = null;
    this.views = new Map();
    this.error = "";
    this.draft = "";
    this.renaming = false;
    this.older = "";
    this.queued = null;
    this.atEnd = true;
    this.onScroll = () => (this.atEnd = Math.abs(scrollY - endOf()) < NEAR_END);
    this.onResize = () => this.drawn();
  }

  enter() {
    addEventListener("scroll", this.onScroll, { passive: true });
    addEventListener("resize", this.onResize);
    this.load();
  }

  leave() {
    removeEventListener("scroll", this.onScroll);
    removeEventListener("resize", this.onResize);
    this.left = true;
  }

  get directory() {
    return this.transcript?.session.directory ?? this.app.live.directories.get(this.id);
  }

  /** Fetch it; events that come meanwhile wait, and what is being written comes from the stream. */
  async load() {
    const queued = (this.queued = []);
    const isOver = () => this.left || this.queued !== queued; // another load began after this one
    try {
      const transcript = await persist(
        () => this.#fetch(queued),
        (error) => !isOver() && this.#set({ error: error.message }),
      );
      if (isOver()) return;
      for (const event of queued) if (event.type !== "message.part.delta") transcript.apply(event);
      transcript.overlay(this.app.live.of(this.id));
      this.transcript = transcript;
      this.error = "";
      this.#loadTodos(transcript);
    } catch (error) {
      if (isOver()) return;
      this.error = error.message;
    }
    this.queued = null;
    this.app.redraw();
  }

  async #fetch(queued) {
    queued.length = 0;
    const known = this.app.views.sessions.sessions.get(this.id);
    const directory = known?.directory ?? this.app.live.directories.get(this.id);
    const session = await get(sessionRoute(this.id), { directory });
    const transcript = new Transcript(session);
    transcript.watched = this.transcript?.watched ?? transcript.watched;
    transcript.load(await this.#page(session.directory));
    return transcript;
  }

  /** Fetch the list of things to do; an event that comes meanwhile is newer. */
  async #loadTodos(transcript) {
    const { todos, session } = transcript;
    const ask = () => get(sessionRoute(this.id, "/todo"), { directory: session.directory });
    const found = await persist(ask, () => !this.left && this.transcript === transcript).catch(() => []);
    if (transcript.todos === todos) transcript.todos = found;
    this.app.redraw();
  }

  async #page(directory, before) {
    const query = { directory, limit: PAGE, before };
    const { headers, body } = await look(sessionRoute(this.id, "/message"), query);
    this.older = headers.get("X-Next-Cursor") ?? "";
    return body;
  }

  apply(event) {
    if (this.queued) {
      if (this.queued.length < MOST_QUEUED) this.queued.push(event);
      return;
    }
    this.transcript?.apply(event);
  }

  render() {
    if (!this.transcript) {
      const words = this.error || "Loading…";
      return html`<section class="session"><p class="empty">${words}</p></section>`;
    }
    const { transcript } = this;
    return html`
      <section class="session">
        ${this.#head()}
        ${transcript.removed ? html`<p class="notice bad">This session was deleted.</p>` : nothing}
        <div class="messages">${this.#messages()}</div>
        ${this.error ? html`<p class="notice bad" role="alert">${this.error}</p>` : nothing}
        ${transcript.removed || !this.app.me.mayWrite ? nothing : this.#composer()}
      </section>
      <aside class="about" aria-label="About this session">
        ${aside(transcript)} ${timeline(turnsOf(transcript.messages), transcript.watched)}
      </aside>
    `;
  }

  /** Follow the end of the text while the person does. */
  drawn() {
    if (this.atEnd && this.transcript) scrollTo(0, Math.max(0, endOf()));
  }

  get #status() {
    return this.app.live.statuses.get(this.id)?.type ?? "idle";
  }

  #head() {
    const { session } = this.transcript;
    const status = this.#status;
    return html`<header class="title-row">
      ${this.app.me.sessions.length === 1 ? nothing : html`<a class="back" href="sessions">‹ All</a>`}
      ${this.renaming ? this.#rename(session) : html`<h1 title="${session.title} (${session.id})">${session.title || "Untitled"}</h1>`}
      <p class="facts">
        <span class="pill ${status === "idle" ? "" : "busy"}">${status}</span>
        <code title=${session.directory}>${short(session.directory, 44)}</code>
        <span>${ago(session.time?.updated ?? 0)}</span>
      </p>
      ${this.app.me.mayWrite ? this.#actions(status) : nothing}
    </header>`;
  }

  #actions(status) {
    return html`<div class="row">
        <button class="danger" ?disabled=${status === "idle"} @click=${() => this.#do("POST", "/abort")}>
          ${icon("stop")}Abort
        </button>
        <button @click=${() => this.#startRename()}>Rename</button>
        ${this.#deleteButton()}
      </div>`;
  }

  #deleteButton() {
    if (!this.deleting) {
      return html`<button @click=${() => this.#set({ deleting: true })}>Delete</button>`;
    }
    return html`<button class="danger" @click=${() => this.#delete()}>Delete for good</button>
      <button @click=${() => this.#set({ deleting: false })}>Keep</button>`;
  }

  #rename(session) {
    return html`<form class="row" @submit=${(event) => this.#saveTitle(event)}>
      <input name="title" aria-label="Title" maxlength="200" .value=${session.title ?? ""} />
      <button class="primary">Save</button>
      <button type="button" @click=${() => this.#set({ renaming: false })}>Cancel</button>
    </form>`;
  }

  #messages() {
    const all = [...this.transcript.messages.values()];
    const shown = all.slice(-MOST_SHOWN);
    const ids = new Set(shown.map((one) => one.info.id));
    for (const id of this.views.keys()) if (!ids.has(id)) this.views.delete(id);
    const more = this.older || all.length > shown.length || this.transcript.forgotten;
    return html`
      ${more ? this.#earlier(shown.length) : nothing}
      ${shown.map((message) => this.#view(message))}
      ${all.length ? nothing : html`<p class="empty">Nothing was said yet.${this.app.me.mayWrite ? " Type a prompt below." : ""}</p>`}
    `;
  }

  #earlier(shown) {
    if (shown >= MOST_SHOWN || !this.older) {
      return html`<p class="note">Earlier messages are at <code>GET /session/${short(this.id, 12)}/message</code>.</p>`;
    }
    return html`<button class="earlier" @click=${() => this.#loadOlder()}>Show earlier messages</button>`;
  }

  #view(message) {
    const { id } = message.info;
    let view = this.views.get(id);
    if (!view) this.views.set(id, (view = new Message(() => this.app.redraw())));
    return view.render(message, this.#status !== "idle");
  }

  async #loadOlder() {
    try {
      const before = this.older;
      this.transcript.load(await this.#page(this.directory, before), true);
    } catch (error) {
      this.error = error.message;
    }
    this.app.redraw();
  }

  #composer() {
    return html`<form class="composer" @submit=${(event) => this.#prompt(event)}>
      <textarea
        name="text"
        rows="2"
        data-prompt
        aria-label="Prompt"
        placeholder="Type a prompt (Enter sends, Shift+Enter makes a line)"
        @keydown=${(event) => enter(event)}
      ></textarea>
      <button class="primary">${icon("send")}<span>Send</span></button>
    </form>`;
  }

  async #prompt(event) {
    event.preventDefault();
    const form = event.target;
    const text = form.text.value;
    if (!text.trim()) return;
    this.atEnd = true;
    form.reset();
    const sent = await this.#do("POST", "/prompt_async", { parts: [{ type: "text", text }] });
    if (!sent && !form.text.value) form.text.value = text;
  }

  #startRename() {
    this.#set({ renaming: true });
    setTimeout(() => document.querySelector(".title-row input")?.select(), 150);
  }

  async #saveTitle(event) {
    event.preventDefault();
    const title = event.target.title.value.trim();
    if (title && (await this.#do("PATCH", "", { title }))) this.#set({ renaming: false });
  }

  async #delete() {
    if (await this.#do("DELETE", "")) this.app.go("sessions");
  }

  /** Send a request about this session; returns whether the server took it. */
  async #do(method, below, body) {
    this.error = "";
    try {
      await send(method, sessionRoute(this.id, below), { directory: this.directory }, body);
      return true;
    } catch (error) {
      this.error = error.message;
      return false;
    } finally {
      this.app.redraw();
    }
  }

  #set(fields) {
    Object.assign(this, fields);
    this.app.redraw();
  }
}

function enter(event) {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.target.form.requestSubmit();
}

/** Return how far the window is scrolled when the end of the conversation is at its bottom. */
function endOf() {
  const box = document.querySelector(".session")?.getBoundingClientRect();
  return box ? box.bottom + scrollY - innerHeight : 0;
}
