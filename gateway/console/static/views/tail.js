// The event stream as it comes: filtered, paused, kept in a bounded ring, downloaded.
import { html, nothing } from "../vendor/lit-html.js";
import { sessionOf } from "../events.js";
import { bytes, clock, count, short } from "../format.js";
import { Ring } from "../ring.js";

const MOST_EVENTS = 5000;
const MOST_CHARACTERS = 24 * 1024 * 1024;
const SHOWN = 200;
const SHOWN_DATA = 400;
const OPEN_DATA = 20_000;

export class Tail {
  constructor(app) {
    this.app = app;
    this.ring = new Ring(MOST_EVENTS, MOST_CHARACTERS, (entry) => entry.data.length);
    this.number = 0;
    this.filter = { session: "", directory: "", type: "" };
    this.paused = null;
    this.opened = null;
  }

  enter() {}

  /** Keep an event; what the view shows of it is made when it is drawn. */
  take(id, data, directory, event) {
    const session = sessionOf(event);
    this.number += 1;
    this.ring.push({ number: this.number, ms: Date.now(), id, data, directory, type: event.type, session });
  }

  togglePause() {
    this.paused = this.paused === null ? this.number : null;
    this.app.redraw();
  }

  render() {
    const found = this.ring.entries.filter((entry) => this.#passes(entry));
    const upto = this.paused ?? Infinity;
    const shown = found.filter((entry) => entry.number <= upto).slice(-SHOWN);
    return html`
      <section class="head">
        <h1>Live tail</h1>
        <p class="facts">${this.#summary(found.length)}</p>
      </section>
      ${this.#tools(found)}
      <section class="panel tail">
        ${shown.length ? this.#list(shown) : this.#empty()}
      </section>
    `;
  }

  #passes({ type, session, directory }) {
    const { filter } = this;
    return has(type, filter.type) && has(session, filter.session) && has(directory, filter.directory);
  }

  #summary(found) {
    const { forgotten, size, length } = this.ring;
    const kept = `${count(length)} events kept (${bytes(size)})`;
    const older = forgotten ? `, ${count(forgotten)} older ones forgotten` : "";
    return `${kept}${older}${found < length ? ` · ${count(found)} match` : ""}`;
  }

  #tools(found) {
    const waiting = this.paused === null ? 0 : this.number - this.paused;
    const lost = this.paused !== null && this.ring.entries[0]?.number > this.paused + 1;
    return html`<form class="tools" @submit=${(event) => event.preventDefault()}>
      ${this.#field("type", "Type", true)} ${this.#field("session", "Session")}
      ${this.#field("directory", "Directory")}
      <div class="row">
        <button type="button" class=${waiting ? "primary" : ""} title="key p" @click=${() => this.togglePause()}>
          ${this.paused === null ? "Pause" : "Go on"}${waiting ? ` (${count(waiting)} new)` : ""}
        </button>
        <button type="button" ?disabled=${!found.length} @click=${() => this.#download(found)}>
          Download .sse
        </button>
        <button type="button" ?disabled=${!this.ring.length} @click=${() => this.#clear()}>Clear</button>
      </div>
      ${lost ? html`<p class="note">More came than the page keeps; the oldest are gone.</p>` : nothing}
    </form>`;
  }

  #field(name, label, search = false) {
    return html`<label class="field"
      ><span>${label}</span
      ><input
        .value=${this.filter[name]}
        ?data-search=${search}
        autocomplete="off"
        spellcheck="false"
        placeholder="any"
        @input=${(event) => {
          this.filter[name] = event.target.value.trim();
          this.app.redraw();
        }}
    /></label>`;
  }

  #empty() {
    const words = this.ring.length ? "No event matches." : "No event has come yet.";
    return html`<p class="empty">${words}</p>`;
  }

  #list(shown) {
    return html`<ol class="events">
      ${shown.reverse().map((entry) => this.#entry(entry))}
    </ol>`;
  }

  #entry(entry) {
    const open = this.opened === entry.number;
    return html`<li class=${open ? "open" : ""}>
      <button
        aria-expanded=${open}
        @click=${() => {
          this.opened = open ? null : entry.number;
          this.app.redraw();
        }}
      >
        <time>${clock(entry.ms)}</time>
        <b class="type is-${kindOf(entry.type)}">${entry.type}</b>
        <span class="id">${entry.session ? short(entry.session, 17) : ""}</span>
        <code>${open ? "" : gist(entry.data)}</code>
      </button>
      ${open ? html`<pre>${pretty(entry.data)}</pre>` : nothing}
    </li>`;
  }

  #clear() {
    this.ring.clear();
    this.paused = null;
    this.app.redraw();
  }

  /** Save what matches as a server would send it. */
  #download(found) {
    const blocks = found.map(({ id, data }) => `${id ? `id: ${id}\n` : ""}data: ${data}\n\n`);
    const url = URL.createObjectURL(new Blob(blocks, { type: "text/event-stream" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: "weir-tail.sse" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

function has(text, part) {
  return !part || (text ?? "").toLowerCase().includes(part.toLowerCase());
}

function kindOf(type) {
  if (type.includes("error") || type.endsWith("removed") || type.endsWith("deleted")) return "bad";
  if (type.startsWith("permission") || type.startsWith("question")) return "warn";
  if (type.startsWith("message.part")) return "part";
  return type.startsWith("session") ? "session" : "other";
}

/** Return the part of a frame that says most: its delta, or else its properties. */
function gist(data) {
  const delta = data.indexOf('"delta":"');
  const begin = delta < 0 ? data.indexOf('"properties":') + 13 : delta + 9;
  const end = data.length - (delta < 0 ? "}}" : '"}}}').length;
  return data.slice(begin, Math.min(end, begin + SHOWN_DATA));
}

function pretty(data) {
  let text = data;
  try {
    text = data.length < OPEN_DATA ? JSON.stringify(JSON.parse(data), null, 2) : data;
  } catch {
    text = data;
  }
  const more = text.length - OPEN_DATA;
  return more > 0 ? `${text.slice(0, OPEN_DATA)}\n… ${count(more)} characters more` : text;
}
