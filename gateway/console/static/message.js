// One message: its parts as elements that stay in the page while they grow.
import { html, nothing } from "./vendor/lit-html.js";
import { clock, count, duration } from "./format.js";
import { Markdown } from "./markdown.js";
import { textOf } from "./transcript.js";
import { Tool } from "./tool.js";

const MOST_PARTS = 60;

export class Message {
  constructor(redraw) {
    this.redraw = redraw;
    this.texts = new Map();
    this.tools = new Map();
    this.opened = new Set();
    this.copied = false;
  }

  render({ info, parts }, busy) {
    const all = [...parts.values()];
    const shown = all.slice(-MOST_PARTS);
    const mine = info.role === "user";
    const writing = busy && !mine && !info.time?.completed;
    return html`<article class="message ${mine ? "user" : "assistant"}" data-message=${info.id}>
      <header>
        <b>${mine ? "You" : (info.modelID ?? "Assistant")}</b>
        <time>${clock(info.time?.created ?? 0)}</time>
        ${writing ? html`<span class="writing">writing</span>` : nothing}
        <button class="quiet small" @click=${() => this.#copy({ parts })}>${this.copied ? "Copied" : "Copy"}</button>
      </header>
      ${all.length > shown.length ? html`<p class="note">${count(all.length - shown.length)} earlier parts are not shown.</p>` : nothing}
      ${shown.map((part) => this.#part(part, writing))}
      ${info.error ? failure(info.error) : nothing}
    </article>`;
  }

  #part(part, writing) {
    switch (part.type) {
      case "text":
        return part.synthetic || part.ignored ? nothing : this.#text(part, writing);
      case "reasoning":
        return this.#reasoning(part, writing);
      case "tool":
        return this.#tool(part);
      case "file":
        return html`<p class="file">${part.filename ?? part.mime} <small>${part.mime}</small></p>`;
      case "patch":
        return html`<p class="file">Changed ${(part.files ?? []).map((file) => html`<code>${file}</code> `)}</p>`;
      case "retry":
        return html`<p class="notice">Attempt ${part.attempt} failed: ${part.error?.data?.message ?? part.error?.name}</p>`;
      case "compaction":
        return html`<p class="note">The conversation was compacted here.</p>`;
      case "subtask":
        return html`<p class="note">Subtask for ${part.agent}: ${part.description}</p>`;
      default:
        return nothing;
    }
  }

  #text(part, writing) {
    const text = part.text ?? "";
    if (!text) return nothing;
    const open = writing && !part.time?.end;
    const fresh = !this.texts.has(part.id);
    const shown = this.#markdown(part.id);
    if (fresh && open) shown.goTo(null);
    if (!shown.show(text, !open)) this.redraw();
    return html`<div class="text ${open ? "open" : ""}" data-part=${part.id}>
      ${shown.element} ${shown.pages > 1 ? this.#pages(shown, text) : nothing}
    </div>`;
  }

  #pages(shown, text) {
    const turn = (page) => () => {
      shown.goTo(page);
      this.redraw();
    };
    const at = shown.shownPage;
    return html`<p class="pages">
      <button class="small" aria-label="Page before" ?disabled=${at === 0} @click=${turn(at - 1)}>‹</button>
      <button class="small" aria-label="Next page" ?disabled=${at >= shown.pages - 1} @click=${turn(at + 1)}>›</button>
      <button class="small" ?disabled=${shown.page === null} @click=${turn(null)}>Follow the end</button>
      <span>${`Page ${at + 1} of ${shown.pages} · ${count(text.length)} characters`}</span>
    </p>`;
  }

  #reasoning(part, writing) {
    const text = part.text ?? "";
    if (!text) return nothing;
    const open = writing && !part.time?.end;
    const time = part.time?.end ? `for ${duration((part.time.end - part.time.start) / 1000)}` : "…";
    return html`<details
      class="reasoning"
      ?open=${this.opened.has(part.id)}
      @toggle=${(event) => this.#toggled(part.id, event.target.open)}
    >
      <summary>${open ? "Thinking" : "Thought"} ${time}</summary>
      ${this.opened.has(part.id) ? this.#folded(part, text, !open) : nothing}
    </details>`;
  }

  #folded(part, text, whole) {
    const shown = this.#markdown(part.id);
    if (!shown.show(text, whole)) this.redraw();
    return shown.element;
  }

  #toggled(id, open) {
    if (open) this.opened.add(id);
    else this.opened.delete(id);
    this.redraw();
  }

  #tool(part) {
    let tool = this.tools.get(part.id);
    if (!tool) this.tools.set(part.id, (tool = new Tool(this.redraw)));
    return tool.render(part);
  }

  #markdown(id) {
    let shown = this.texts.get(id);
    if (!shown) this.texts.set(id, (shown = new Markdown()));
    return shown;
  }

  async #copy(message) {
    try {
      await navigator.clipboard.writeText(textOf(message));
      this.copied = true;
      setTimeout(() => {
        this.copied = false;
        this.redraw();
      }, 1500);
    } catch {
      this.copied = false;
    }
    this.redraw();
  }
}

function failure(error) {
  const aborted = error.name === "MessageAbortedError";
  return html`<p class="notice ${aborted ? "" : "bad"}">
    <b>${aborted ? "Aborted" : error.name}</b> ${error.data?.message ?? ""}
  </p>`;
}
