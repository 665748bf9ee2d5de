// What waits for a person: permissions and questions, in a panel that can be minimised.
import { html, nothing } from "./vendor/lit-html.js";
import { get, pauseMs, persist, send, sleep } from "./api.js";
import { short } from "./format.js";
import { icon } from "./icons.js";
import { Markdown } from "./markdown.js";
import { address } from "./places.js";

const MOST_DIRECTORIES = 16;
const SHOWN = 20;

export class Asks {
  constructor(app) {
    this.app = app;
    this.minimised = false;
    this.answers = new Map();
    this.texts = new Map();
    this.errors = new Map();
    this.busy = new Set();
  }

  /** Fetch what waits already; the stream brings what comes later. */
  async start() {
    let wanted = (await this.#directories()).flatMap((directory) => [
      ["/permission", directory, "permissions"],
      ["/question", directory, "questions"],
    ]);
    for (let failures = 1; wanted.length; failures += 1) {
      const failed = [];
      for (const one of wanted) if (await this.#fails(...one)) failed.push(one);
      this.app.redraw();
      wanted = failed;
      if (failed.length) await sleep(pauseMs(failures));
    }
  }

  async #directories() {
    if (this.app.me.scope) return this.app.me.folders.slice(0, MOST_DIRECTORIES);
    try {
      const projects = await persist(() => get("/project"), () => true);
      return ["", ...projects.map((project) => project.worktree)].slice(0, MOST_DIRECTORIES);
    } catch {
      return [""];
    }
  }

  /** Fetch what waits; returns whether it has to be fetched again. */
  async #fails(path, directory, kind) {
    try {
      const found = await get(path, { directory });
      const known = this.app.live[kind];
      for (const one of found) {
        if (!known.has(one.id)) known.set(one.id, { ...one, directory });
      }
      return false;
    } catch (error) {
      return error.passes; // a server without this route asks nothing
    }
  }

  render() {
    const { permissions, questions } = this.app.live;
    const all = [...permissions.values(), ...questions.values()];
    this.#forgetOthers(new Set(all.map((one) => one.id)));
    if (!all.length) return nothing;
    return html`<aside class="asks ${this.minimised ? "minimised" : ""}" aria-label="Waiting for you">
      <header>
        ${icon("question")}
        <h2>${all.length === 1 ? "A request waits for you" : `${all.length} requests wait for you`}</h2>
        <button
          class="quiet"
          aria-expanded=${!this.minimised}
          title=${this.minimised ? "Show" : "Minimise"}
          @click=${() => {
            this.minimised = !this.minimised;
            this.app.redraw();
          }}
        >
          ${icon("down")}<span class="unseen">${this.minimised ? "Show" : "Minimise"}</span>
        </button>
      </header>
      ${this.minimised ? nothing : html`<div class="waiting">${all.slice(0, SHOWN).map((one) => this.#ask(one))}</div>`}
    </aside>`;
  }

  #mayAnswer(buttons) {
    return this.app.me.mayWrite ? html`<div class="row">${buttons}</div>` : nothing;
  }

  #ask(one) {
    const error = this.errors.get(one.id);
    const busy = this.busy.has(one.id);
    return html`<article class="asked">
      <p class="where">
        <a href=${address("sessions", one.sessionID)} title=${one.sessionID}>${this.#titleOf(one)}</a>
        ${one.directory ? html`<span title=${one.directory}>${short(one.directory, 36)}</span>` : nothing}
      </p>
      ${one.questions ? this.#questions(one, busy) : this.#permission(one, busy)}
      ${error ? html`<p class="notice bad" role="alert">${error}</p>` : nothing}
    </article>`;
  }

  #titleOf({ sessionID }) {
    return this.app.views.sessions.sessions.get(sessionID)?.title || short(sessionID, 24);
  }

  #permission(one, busy) {
    const what = one.metadata?.command ?? one.metadata?.filepath ?? one.title ?? "";
    const patterns = (one.patterns ?? []).filter((pattern) => pattern !== what);
    const reply = (word) => () => this.#send(one, asked("permission", one, "reply"), { reply: word });
    return html`
      <h3>${icon("shield")} May it use <code>${one.permission ?? one.type ?? "a tool"}</code>?</h3>
      ${what ? html`<pre>${what}</pre>` : nothing}
      ${patterns.length ? html`<p class="faint">${patterns.map((one) => html`<code>${one}</code> `)}</p>` : nothing}
      ${one.metadata?.diff ? html`<details><summary>Diff</summary><pre>${one.metadata.diff.slice(0, 20_000)}</pre></details>` : nothing}
      ${this.#mayAnswer(html`
        <button class="primary" ?disabled=${busy} @click=${reply("once")}>Allow once</button>
        <button ?disabled=${busy} title=${(one.always ?? []).join(", ")} @click=${reply("always")}>Always</button>
        <button class="danger" ?disabled=${busy} @click=${reply("reject")}>Reject</button>
      `)}
    `;
  }

  #questions(one, busy) {
    const answers = this.#answersOf(one);
    const ready = answers.every((picked) => picked.size);
    const submit = () => this.#send(one, asked("question", one, "reply"), { answers: answers.map(labelsOf) });
    return html`
      ${one.questions.map((question, index) => this.#question(one, question, index, answers[index]))}
      ${this.#mayAnswer(html`
        <button class="primary" ?disabled=${busy || !ready} @click=${submit}>Answer</button>
        <button ?disabled=${busy} @click=${() => this.#send(one, asked("question", one, "reject"))}>Dismiss</button>
      `)}
    `;
  }

  #question(one, question, index, picked) {
    const kind = question.multiple ? "checkbox" : "radio";
    const name = `${one.id}-${index}`;
    return html`<fieldset>
      <legend>${question.header}</legend>
      ${this.#markdown(one, index, question.question)}
      ${(question.options ?? []).map(
        (option, at) => html`<label class="option">
          <input
            type=${kind}
            name=${name}
            .checked=${picked.get(at) !== undefined}
            @change=${(event) => this.#pick(picked, at, option.label, event.target.checked, question.multiple)}
          />
          <span><b>${option.label}</b> ${option.description ? html`<small>${option.description}</small>` : nothing}</span>
        </label>`,
      )}
      ${question.custom === false
        ? nothing
        : html`<input
            class="own"
            aria-label="An answer of your own"
            placeholder="An answer of your own"
            .value=${picked.get("own") ?? ""}
            @input=${(event) => this.#pick(picked, "own", event.target.value, event.target.value.trim() !== "", question.multiple)}
          />`}
    </fieldset>`;
  }

  #pick(picked, at, label, on, multiple) {
    if (!multiple && on) picked.clear();
    if (on) picked.set(at, label);
    else picked.delete(at);
    this.app.redraw();
  }

  #answersOf(one) {
    if (!this.answers.has(one.id)) this.answers.set(one.id, one.questions.map(() => new Map()));
    return this.answers.get(one.id);
  }

  #markdown(one, index, text) {
    if (!this.texts.has(one.id)) this.texts.set(one.id, []);
    const shown = (this.texts.get(one.id)[index] ??= new Markdown());
    if (!shown.show(String(text ?? ""), true)) this.app.redraw();
    return shown.element;
  }

  async #send(one, path, body) {
    this.busy.add(one.id);
    this.errors.delete(one.id);
    this.app.redraw();
    try {
      const directory = this.app.live.directories.get(one.sessionID) ?? one.directory;
      await send("POST", path, { directory }, body);
      this.#isOver(one);
    } catch (error) {
      // Somebody else has answered, or the turn has ended.
      if (error.status === 404) this.#isOver(one);
      else this.errors.set(one.id, error.message);
    }
    this.busy.delete(one.id);
    this.app.redraw();
  }

  #isOver({ id }) {
    this.app.live.permissions.delete(id);
    this.app.live.questions.delete(id);
  }

  #forgetOthers(ids) {
    for (const map of [this.answers, this.errors, this.texts]) {
      for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
    }
  }
}

function labelsOf(picked) {
  return [...picked].map(([at, label]) => (at === "own" ? label.trim() : label));
}

function asked(kind, { id }, word) {
  return `/${kind}/${encodeURIComponent(id)}/${word}`;
}
