// Where events come from: each source as each worker sees it, and the upstream behind it.
import { html, nothing } from "../vendor/lit-html.js";
import { get } from "../api.js";
import { count, duration, short } from "../format.js";
import { Poll } from "../poll.js";
import { Table } from "../table.js";

const EVERY_MS = 1000;
const LABELS = { url: "URL", silence_s: "Longest silence", connected_s: "Connected for" };

export class Sources {
  constructor(app) {
    this.app = app;
    this.poll = new Poll(() => this.#ask(), EVERY_MS, () => app.redraw());
    this.table = new Table("sources", () => app.redraw(), [
      ["Source", (s) => s.source, (s) => html`<b title=${s.source}>${short(s.source, 32)}</b>`],
      ["Worker", (s) => s.worker, null, "number"],
      ["Epoch", (s) => s.epoch, (s) => html`<code title=${s.epoch}>${short(s.epoch, 18)}</code>`],
      ["Seq", (s) => s.seq, (s) => s.seq.toLocaleString("en"), "number"],
      ["Heard", (s) => s.heartbeat_age_s, (s) => html`<span class=${s.heartbeat_age_s > 2.5 ? "warn" : ""}>${duration(s.heartbeat_age_s)} ago</span>`, "number"],
      ["Gaps", (s) => s.gaps, (s) => count(s.gaps), "number"],
      ["Repaired", (s) => s.repaired, (s) => count(s.repaired), "number"],
      ["Lost", (s) => s.lost, (s) => html`<span class=${s.lost ? "warn" : ""}>${count(s.lost)}</span>`, "number"],
      ["Snapshots", (s) => s.snapshots, (s) => count(s.snapshots), "number"],
      ["Restarts", (s) => s.restarts, (s) => count(s.restarts), "number"],
    ]);
  }

  enter() {
    this.poll.start();
  }

  leave() {
    this.poll.stop();
  }

  async #ask() {
    this.status = await get("/weir/status", { readers: 0 });
  }

  render() {
    const { status } = this;
    return html`
      <section class="head">
        <h1>Sources</h1>
        <p class="facts">What each worker has heard on the bus, and how gaps were repaired.</p>
      </section>
      ${this.poll.error ? html`<p class="notice bad" role="alert">${this.poll.error}</p>` : nothing}
      <section class="panel">
        <h2>On the bus</h2>
        ${status ? this.table.render(status.sources, "No source was heard yet.") : nothing}
      </section>
      ${status ? status.processors.map(processor) : nothing}
    `;
  }
}

function processor({ bus, answering, age_s: age, upstream }) {
  return html`<section class="panel">
    <h2>Processor <small title=${bus}>${short(bus, 64)}</small></h2>
    <dl class="pairs">
      <div>
        <dt>Answers commands</dt>
        <dd>
          <i class="dot ${answering ? "good" : "bad"}"></i>${answering ? "yes" : "no"}${age === null
            ? nothing
            : html`, ${duration(age)} ago`}
        </dd>
      </div>
      ${upstream ? Object.entries(upstream).map(([name, value]) => pair(name, value)) : nothing}
    </dl>
    ${upstream ? nothing : html`<p class="note">It runs the turns itself: there is no upstream.</p>`}
  </section>`;
}

function pair(name, value) {
  const words = name.replace(/_s$/, "").replaceAll("_", " ");
  return html`<div>
    <dt>${LABELS[name] ?? words[0].toUpperCase() + words.slice(1)}</dt>
    <dd>${shownValue(name, value)}</dd>
  </div>`;
}

function shownValue(name, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") {
    return html`<i class="dot ${value ? "good" : ""}"></i>${value ? "yes" : "no"}`;
  }
  if (typeof value === "number") return name.endsWith("_s") ? duration(value) : value.toLocaleString("en");
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return html`<code title=${text}>${short(text, 80)}</code>`;
}
