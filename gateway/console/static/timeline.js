// A timeline of each turn: the wait for the first word, the writing, tools and retries.
import { html, nothing, svg } from "./vendor/lit-html.js";
import { count, duration, short } from "./format.js";

const MOST_TURNS = 8;
const MOST_SPANS = 60;
const WIDTH = 240;
const ROW = 10;
const RETRY_MS = 200;

/** Return the timelines of the latest turns, the last one first. */
export function timeline(turns, watched) {
  const shown = turns.filter((turn) => turn.answers.length).slice(-MOST_TURNS).reverse();
  if (!shown.length) return nothing;
  return html`<section class="timeline">
    <h2>Turns</h2>
    ${shown.map((turn) => oneTurn(turn, watched))}
    <p class="legend">
      <span class="key wait">wait</span><span class="key think">thoughts</span>
      <span class="key write">text</span><span class="key run">tools</span>
      <span class="key fail">retries</span>
    </p>
  </section>`;
}

function oneTurn({ user, answers }, watched) {
  const begin = user?.info.time?.created ?? answers[0].info.time.created;
  const said = answers.flatMap(spansOf).slice(0, MOST_SPANS);
  const spans = [...said, ...retriesOf([user, ...answers], watched).slice(-MOST_SPANS)];
  const over = answers.every((answer) => answer.info.time?.completed || answer.info.error);
  const last = Math.max(...answers.map(({ info }) => info.time?.completed ?? 0), ...spans.map((span) => span.end), begin + 1);
  const end = over ? last : Math.max(last, Date.now());
  const first = Math.min(...said.map((span) => span.begin), end);
  const all = [{ kind: "wait", begin, end: first, label: "wait for the first word" }, ...spans];
  return html`<figure>
    <figcaption>
      <b>${short(promptOf(user), 120) || "A turn"}</b><span>${duration((end - begin) / 1000)}</span>
    </figcaption>
    ${drawing(all, begin, end)}
    <p class="facts">${facts(begin, first, end, answers, watched)}</p>
  </figure>`;
}

function drawing(spans, begin, end) {
  const x = (ms) => (WIDTH * (Math.min(Math.max(ms, begin), end) - begin)) / (end - begin);
  const height = ROW + 2;
  return html`<svg class="spans" viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="none" role="img" aria-label="Timeline">
    ${svg`<rect class="track" x="0" y="0" width=${WIDTH} height=${height} rx="3" />`}
    ${spans.map(
      (span) => svg`<rect class=${span.kind} x=${x(span.begin)} y="1" height=${ROW}
        width=${Math.max(1.5, x(span.end) - x(span.begin))} rx="1.5"><title>${span.label}: ${duration((span.end - span.begin) / 1000)}</title></rect>`,
    )}
  </svg>`;
}

function spansOf({ parts }) {
  const found = [];
  for (const part of parts.values()) {
    const time = part.state?.time ?? part.time;
    if (!time?.start) continue;
    const end = time.end ?? Date.now();
    if (part.type === "text") found.push({ kind: "write", begin: time.start, end, label: "text" });
    if (part.type === "reasoning") found.push({ kind: "think", begin: time.start, end, label: "thoughts" });
    if (part.type === "tool") found.push({ kind: "run", begin: time.start, end, label: part.tool });
  }
  return found;
}

/** A model that is asked again before it has said anything has no answer yet. */
function retriesOf(messages, watched) {
  return messages
    .flatMap((message) => watched.get(message?.info.id)?.retries ?? [])
    .map(({ ms, attempt }) => ({ kind: "fail", begin: ms, end: ms + RETRY_MS, label: `retry ${attempt}` }));
}

function facts(begin, first, end, answers, watched) {
  const seen = answers.map(({ info }) => watched.get(info.id)).filter(Boolean);
  const deltas = seen.reduce((sum, one) => sum + one.deltas, 0);
  const writing = seen.reduce((sum, one) => sum + one.writingMs, 0) / 1000;
  const tokens = answers.reduce((sum, { info }) => sum + (info.tokens?.output ?? 0), 0);
  const seconds = Math.max(0.001, (end - first) / 1000);
  return [
    `first word after ${duration((first - begin) / 1000)}`,
    tokens > 1 && `${count(tokens / seconds)} tokens/s`,
    writing > 0 && `${count(deltas / writing)} deltas/s here`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function promptOf(user) {
  const part = [...(user?.parts.values() ?? [])].find((one) => one.type === "text" && !one.synthetic);
  return part?.text.split("\n")[0] ?? "";
}
