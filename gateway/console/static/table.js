// A table that sorts by the column that is clicked.
import { html, nothing } from "./vendor/lit-html.js";

export class Table {
  /**
   * @param columns `[title, value, show, kind]`: `value` sorts (null: cannot), `show` is a cell.
   *   Without a choice the rows stay as the server has them.
   */
  constructor(name, redraw, columns) {
    Object.assign(this, { name, redraw, columns });
    this.by = null;
    this.down = true;
  }

  render(rows, empty) {
    if (!rows.length) return html`<p class="empty">${empty}</p>`;
    return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            ${this.columns.map((column, index) => this.#title(column, index))}
          </tr>
        </thead>
        <tbody>
          ${this.#sorted(rows).map(
            (row) => html`<tr>
              ${this.columns.map(
                ([, value, show, kind]) => html`<td class=${kind ?? ""}>${(show ?? value)(row)}</td>`,
              )}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }

  #title([title, value, , kind], index) {
    if (!value) return html`<th>${title}</th>`;
    const here = this.by === index;
    const order = here ? (this.down ? "descending" : "ascending") : nothing;
    return html`<th class=${kind ?? ""} aria-sort=${order}>
      <button class="sort" @click=${() => this.#sortBy(index)}>
        ${here ? html`<i>${this.down ? "↓" : "↑"}</i>` : nothing}${title}
      </button>
    </th>`;
  }

  #sortBy(index) {
    if (this.by !== index) [this.by, this.down] = [index, true];
    else if (this.down) this.down = false;
    else this.by = null;
    this.redraw();
  }

  #sorted(rows) {
    if (this.by === null) return rows;
    const value = this.columns[this.by][1];
    const sign = this.down ? -1 : 1;
    return [...rows].sort((a, b) => sign * compare(value(a), value(b)));
  }
}

function compare(a, b) {
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b));
}
