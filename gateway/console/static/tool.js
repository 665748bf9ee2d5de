// One call of a tool: its input, its output, and what it changed.
import { html, nothing } from "./vendor/lit-html.js";
import { count, duration, short } from "./format.js";

const SHOWN = 12_000;
const MOST_DIFF_LINES = 400;

export class Tool {
  open = false;

  constructor(redraw) {
    this.redraw = redraw;
  }

  render({ tool, state = {} }) {
    const { status = "pending", time } = state;
    const took = time?.end ? duration((time.end - time.start) / 1000) : "";
    return html`<details
      class="tool ${status}"
      ?open=${this.open}
      @toggle=${(event) => {
        this.open = event.target.open;
        this.redraw();
      }}
    >
      <summary>
        <i class="dot ${{ completed: "good", error: "bad", running: "busy" }[status] ?? ""}"></i>
        <b>${tool}</b>
        <span>${short(state.title && state.title !== tool ? state.title : gist(state.input), 70)}</span>
        <small>${took || status}</small>
      </summary>
      ${this.open ? this.#inside(state) : nothing}
    </details>`;
  }

  #inside(state) {
    const output = state.output ?? state.metadata?.output ?? "";
    const diff = state.metadata?.diff ?? "";
    return html`
      ${state.input && Object.keys(state.input).length ? block("Input", inputOf(state.input)) : nothing}
      ${diff ? html`<h4>Diff</h4>${diffOf(diff)}` : nothing}
      ${output ? block("Output", output) : nothing}
      ${state.error ? block("Error", state.error) : nothing}
    `;
  }
}

/** Show lines of a unified diff, each by what it does. */
export function diffOf(text) {
  const lines = text.split("\n", MOST_DIFF_LINES + 1);
  const more = lines.length > MOST_DIFF_LINES;
  return html`<pre class="diff">${lines.slice(0, MOST_DIFF_LINES).map(
    (line) => html`<span class=${kindOf(line)}>${line.slice(0, 2000)}\n</span>`,
  )}${more ? "… the diff goes on" : ""}</pre>`;
}

function kindOf(line) {
  if (line.startsWith("+") && !line.startsWith("+++")) return "added";
  if (line.startsWith("-") && !line.startsWith("---")) return "removed";
  return line.startsWith("@@") ? "hunk" : "";
}

function block(title, text) {
  const all = String(text);
  const more = all.length - SHOWN;
  return html`<h4>${title}</h4>
    <pre>${all.slice(0, SHOWN)}${more > 0 ? `\n… ${count(more)} characters more` : ""}</pre>`;
}

function gist(input) {
  const { command, filePath, path, pattern, url, query, description } = input ?? {};
  return command ?? filePath ?? path ?? pattern ?? url ?? query ?? description ?? "";
}

function inputOf(input) {
  const simple = Object.entries(input).every(([, value]) => typeof value !== "object");
  if (!simple) return JSON.stringify(input, null, 2);
  return Object.entries(input)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
}
