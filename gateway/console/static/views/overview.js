// What the plane does now, and did in the last quarter of an hour.
import { html, nothing } from "../vendor/lit-html.js";
import { get } from "../api.js";
import { History } from "../history.js";
import { bytes, clock, count, duration, percent } from "../format.js";
import { Plot } from "../plot.js";
import { Poll } from "../poll.js";
import { Trial } from "../trial.js";

const EVERY_MS = 1000;
const ms = (value) => `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ms`;
const perS = (show) => (value) => `${show(value)}/s`;

// Each card: a title, how values are written, and its series: [label, colour, data].
const CARDS = [
  ["Events in", perS(count), [["from the bus", "--blue", (h) => h.rate("events_in")]]],
  ["Frames out", perS(count), [["to all readers", "--teal", (h) => h.rate("frames")]]],
  [
    "Left out by coalescing",
    percent,
    [
      ["merged", "--violet", (h) => h.share("merged", "events_due")],
      ["superseded", "--amber", (h) => h.share("superseded", "events_due")],
    ],
  ],
  [
    "Bytes",
    perS(bytes),
    [
      ["sent", "--teal", (h) => h.rate("bytes")],
      ["saved", "--violet", (h) => h.rate("saved_bytes")],
    ],
  ],
  ["Readers", count, [["open streams", "--blue", (h) => h.gauge("readers")]]],
  ["Loop lag", ms, [["slowest worker", "--amber", (h) => h.gauge("loop_lag_ms")]]],
  ["Memory", bytes, [["all workers", "--teal", (h) => h.gauge("memory_bytes")]]],
  [
    "Store fill",
    percent,
    [
      ["log", "--blue", (h) => h.gauge("log_fill")],
      ["ledger", "--violet", (h) => h.gauge("ledger_fill")],
    ],
  ],
];

export class Overview {
  constructor(app) {
    this.app = app;
    this.history = new History();
    this.trial = new Trial(app);
    this.poll = new Poll(() => this.#ask(), EVERY_MS, () => app.redraw());
    this.cards = CARDS.map(([title, show, series]) => {
      const card = { title, show, series, data: series.map(() => []), at: null };
      const colours = series.map(([, colour]) => colour);
      card.plot = new Plot(colours, show === ms ? ms : axisOf(show), (index) => {
        card.at = index;
        app.redraw();
      });
      return card;
    });
  }

  enter() {
    for (const card of this.cards) card.plot.enter();
    this.poll.start();
    this.trial.enter();
  }

  leave() {
    this.poll.stop();
    for (const card of this.cards) card.plot.leave();
  }

  async #ask() {
    const [status] = await Promise.all([get("/weir/status", { readers: 0 }), this.history.refresh()]);
    this.status = status;
    this.times = this.history.times;
    for (const card of this.cards) {
      card.data = card.series.map(([, , data]) => data(this.history));
      card.plot.set([this.times, ...card.data]);
    }
  }

  render() {
    const { status } = this;
    return html`
      <section class="head">
        <h1>Overview</h1>
        ${this.#pill()}
        ${status ? html`<p class="facts">${facts(status)}</p>` : nothing}
      </section>
      ${this.poll.error ? html`<p class="notice bad" role="alert">${this.poll.error}</p>` : nothing}
      ${status && !status.ready ? reasons(status.reasons) : nothing}
      ${this.trial.render()}
      <section class="cards" aria-label="The last 15 minutes">
        ${this.cards.map((card) => this.#card(card))}
      </section>
      ${status ? [checks(status.checks), workers(status.workers)] : nothing}
    `;
  }

  #pill() {
    if (!this.status) return html`<span class="pill">…</span>`;
    const { ready } = this.status;
    return html`<span class="pill ${ready ? "good" : "bad"}">${ready ? "Ready" : "Not ready"}</span>`;
  }

  #card(card) {
    const last = (this.times?.length ?? 0) - 1;
    const at = card.at !== null && card.at <= last ? card.at : last;
    const hovered = card.at !== null && card.at <= last;
    return html`
      <article class="card">
        <header>
          <h2>${card.title}</h2>
          <span class="when">${hovered ? clock(this.times[at] * 1000) : "now"}</span>
        </header>
        <p class="values">
          ${card.series.map(
            ([label, colour], index) => html`<span class="value">
              <b>${shown(card.show, card.data[index][at])}</b>
              <small class="key ${colour.slice(2)}">${label}</small>
            </span>`,
          )}
        </p>
        ${card.plot.element}
      </article>
    `;
  }
}

function axisOf(show) {
  return (value) => show(value).replace("/s", "");
}

function shown(show, value) {
  return value === null || value === undefined ? "–" : show(value);
}

function facts({ version, workers, upstream }) {
  const mode = upstream
    ? `in front of opencode ${upstream.version ?? ""}`.trim()
    : "the server itself";
  const age = Math.max(0, ...workers.map((worker) => worker.uptime_s));
  const many = `${workers.length} worker${workers.length === 1 ? "" : "s"}`;
  return `weir ${version} · ${mode} · ${many} · up ${duration(age)}`;
}

function reasons(all) {
  return html`<div class="notice bad" role="alert">
    <b>Not ready</b>
    <ul>
      ${all.map((reason) => html`<li>${reason}</li>`)}
    </ul>
  </div>`;
}

function checks(all) {
  return html`<section class="panel">
    <h2>Readiness</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Check</th>
            <th class="number">Value</th>
            <th class="number">Allowed</th>
            <th>Reason</th>
          </tr>
        </thead>
        <tbody>
          ${all.map(
            (check) => html`<tr>
              <td class="nowrap"><i class="dot ${check.ok ? "good" : "bad"}"></i>${named(check.name)}</td>
              <td class="number">${measured(check.name, check.value)}</td>
              <td class="number">${measured(check.name, check.threshold)}</td>
              <td class="words">${check.reason}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}

function named(name) {
  const words = name.replace(/_s$/, "").replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

function measured(name, value) {
  if (value === null || value === undefined) return "–";
  return name.endsWith("_s") ? duration(value) : percent(value);
}

function workers(all) {
  return html`<section class="panel">
    <h2>Workers</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>Worker</th>
            <th class="number">Process</th>
            <th class="number">Up</th>
            <th class="number">Loop lag</th>
            <th class="number">Memory</th>
            <th class="number">Log</th>
            <th class="number">Ledger</th>
            <th class="number">Readers</th>
          </tr>
        </thead>
        <tbody>
          ${all.map(
            (worker) => html`<tr>
              <td><i class="dot ${worker.answering ? "good" : "bad"}"></i>${worker.worker}</td>
              <td class="number">${worker.pid}</td>
              <td class="number">${duration(worker.uptime_s)}</td>
              <td class="number">${ms(worker.loop_lag_s * 1000)}</td>
              <td class="number">${bytes(worker.memory_bytes)}</td>
              <td class="number">${percent(worker.log.fill)}</td>
              <td class="number">${percent(worker.ledger.fill)}</td>
              <td class="number">${worker.readers}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
