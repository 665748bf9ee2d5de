// Who reads, who lags, who has ended and why.
import { html, nothing } from "../vendor/lit-html.js";
import { get, send } from "../api.js";
import { ago, bytes, count, duration, short } from "../format.js";
import { Poll } from "../poll.js";
import { Table } from "../table.js";

const EVERY_MS = 1000;
const BEHIND_MS = 1000;

const CAUSES = {
  gone: "its client left",
  stalled: "took no byte for too long",
  black_holed: "its client was not heard of any more",
  flooding: "its client went on sending",
  fell_off: "missed more than is known",
  lost: "events for it were lost",
  drained: "its worker stopped",
  killed: "its worker was killed",
  disposed: "its instance was disposed",
  reset: "reset by a person",
  revoked: "token not valid any more",
};

const client = ["Client", (r) => clientName(r.client), (r) => html`<b title=${r.client}>${clientName(r.client)}</b>`];
const address = ["Address", (r) => r.address];
const endpoint = ["Endpoint", (r) => r.endpoint];
const filter = ["Filter", (r) => filterOf(r.filter), (r) => shownFilter(r.filter)];
const age = ["Age", (r) => r.age_s, (r) => duration(r.age_s), "number"];
const frames = ["Sent", (r) => r.sent.frames + r.sent.upserts, (r) => html`<span title=${sentTitle(r.sent)}>${count(r.sent.frames + r.sent.upserts)}</span>`, "number"];
const size = ["Bytes", (r) => r.sent.bytes, (r) => bytes(r.sent.bytes), "number"];
const merged = ["Merged", (r) => r.sent.merged, (r) => count(r.sent.merged), "number"];

export class Readers {
  constructor(app) {
    this.app = app;
    this.error = "";
    this.poll = new Poll(() => this.#ask(), EVERY_MS, () => app.redraw());
    const redraw = () => app.redraw();
    this.open = new Table("readers", redraw, [
      client,
      address,
      endpoint,
      filter,
      age,
      frames,
      size,
      merged,
      ["Lag", (r) => r.lag.events, (r) => lagEvents(r.lag), "number"],
      ["Lag bytes", (r) => r.lag.bytes, (r) => (r.lag.bytes ? bytes(r.lag.bytes) : "0"), "number"],
      ["Lag time", (r) => r.lag.ms, (r) => (r.lag.ms ? duration(r.lag.ms / 1000) : "0"), "number"],
      ["Stalled", (r) => r.stalled_s, (r) => (r.stalled_s ? duration(r.stalled_s) : "–"), "number"],
      ["", null, (r) => this.#reset(r), "number"],
    ]);
    this.ended = new Table("ended", redraw, [
      ["Ended", (r) => -r.ended_ms, (r) => ago(r.ended_ms)],
      ["Why", (r) => r.cause, (r) => html`<span class="tag ${r.cause}" title=${CAUSES[r.cause] ?? ""}>${r.cause.replace("_", " ")}</span>`],
      ...[client, address, endpoint, filter, age, frames, size, merged].map(ofReader),
      ["Lag", (r) => r.reader.lag.events, (r) => lagEvents(r.reader.lag), "number"],
    ]);
  }

  enter() {
    this.poll.start();
  }

  leave() {
    this.poll.stop();
  }

  async #ask() {
    this.data = await get("/weir/readers");
  }

  render() {
    const { data } = this;
    const error = this.error || this.poll.error;
    return html`
      <section class="head">
        <h1>Readers</h1>
        ${data ? html`<p class="facts">${summary(data)}</p>` : nothing}
      </section>
      ${error ? html`<p class="notice bad" role="alert">${error}</p>` : nothing}
      <section class="panel">
        <h2>Open</h2>
        ${data ? this.open.render(data.readers, "No stream is open.") : nothing}
        ${data?.more_readers
          ? html`<p class="note">${count(data.more_readers)} more lag less than these.</p>`
          : nothing}
      </section>
      <section class="panel">
        <h2>Ended <small>the last 200</small></h2>
        ${data ? this.ended.render(data.ended, "No stream has ended yet.") : nothing}
      </section>
    `;
  }

  #reset(reader) {
    return html`<button
      class="small"
      title="Reset this stream: its client comes again, and goes on after its last event"
      @click=${() => this.#askReset(reader)}
    >
      Reset
    </button>`;
  }

  async #askReset(reader) {
    this.error = "";
    try {
      await send("DELETE", `/weir/readers/${reader.id}`);
    } catch (error) {
      this.error = error.message;
    }
    this.poll.now();
  }
}

function ofReader([title, value, show, kind]) {
  return [title, (r) => value(r.reader), (r) => (show ?? value)(r.reader), kind];
}

function summary({ readers, more_readers: more }) {
  const behind = readers.filter(({ lag }) => isBehind(lag)).length;
  const stalled = readers.filter((reader) => reader.stalled_s > 1).length;
  const total = readers.length + more;
  return `${count(total)} open · ${behind} behind · ${stalled} stalled`;
}

/** Name a program as people do: by its browser, or by the first word of its User-Agent. */
function clientName(agent) {
  if (!agent) return "unnamed";
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)\/(\d+)/.exec(agent);
  const mobile = /Mobile/.test(agent) ? " mobile" : "";
  if (agent.startsWith("Mozilla/") && browser) {
    return `${{ Edg: "Edge", OPR: "Opera" }[browser[1]] ?? browser[1]} ${browser[2]}${mobile}`;
  }
  return short(agent.split(" ")[0], 32);
}

function filterOf({ directory, workspace, sessions, more_sessions: more, keep_superseded: keep }) {
  return [
    directory,
    workspace && `workspace ${workspace}`,
    ...sessions,
    more && `and ${more} sessions more`,
    keep && "superseded kept",
  ]
    .filter(Boolean)
    .join(", ");
}

function shownFilter(filter) {
  const all = filterOf(filter);
  return all ? html`<code title=${all}>${short(all, 40)}</code>` : html`<span class="faint">everything</span>`;
}

function lagEvents(lag) {
  const { events, fell_off: fell } = lag;
  return html`<span class=${isBehind(lag) ? "warn" : ""}>${count(events)}${fell ? " (fell off)" : ""}</span>`;
}

/** Every reader waits for some events while many come: only one that waits for long is behind. */
function isBehind({ ms, fell_off: fell }) {
  return fell || ms > BEHIND_MS;
}

function sentTitle(sent) {
  return `${sent.frames} events, ${sent.upserts} upserts, ${sent.own_frames} of weir's own`;
}
