// Beside a session: what it used, and its list of things to do.
import { html, nothing } from "./vendor/lit-html.js";
import { count } from "./format.js";

const MARKS = { completed: "✓", in_progress: "•", cancelled: "×" };

/** Return what is shown beside a session. */
export function aside({ messages, todos, session }) {
  return [usage([...messages.values()]), list(todos), changes(session.summary)];
}

function usage(messages) {
  const sum = { input: 0, output: 0, reasoning: 0, cost: 0 };
  for (const { info } of messages) {
    sum.cost += info.cost ?? 0;
    for (const name of ["input", "output", "reasoning"]) sum[name] += info.tokens?.[name] ?? 0;
  }
  const rows = [
    ["Messages", messages.length],
    ["Tokens in", count(sum.input)],
    ["Tokens out", count(sum.output)],
    ["Reasoning", count(sum.reasoning)],
    ["Cost", sum.cost ? `$${sum.cost.toFixed(4)}` : "–"],
  ];
  return html`<section>
    <h2>Usage</h2>
    <dl class="figures">
      ${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
    </dl>
  </section>`;
}

function list(todos) {
  if (!todos?.length) return nothing;
  return html`<section>
    <h2>To do</h2>
    <ul class="todos">
      ${todos.map((todo) => html`<li class=${todo.status}><i>${MARKS[todo.status] ?? ""}</i><span>${todo.content}</span></li>`)}
    </ul>
  </section>`;
}

function changes(summary) {
  if (!summary?.files) return nothing;
  return html`<section>
    <h2>Changes</h2>
    <p>${summary.files} files, <span class="added">+${summary.additions}</span>
    <span class="removed">−${summary.deletions}</span></p>
  </section>`;
}
