// The server's history of the last quarter of an hour, as series for plots.
import { get } from "./api.js";

const LONGEST_GAP_S = 4;

export class History {
  rows = [];
  #columns = {};

  /** Fetch the rows that are new. */
  async refresh() {
    const since = this.rows.at(-1)?.[0];
    const answer = await get("/weir/history", { since });
    this.#columns = Object.fromEntries(answer.columns.map((name, index) => [name, index]));
    this.rows = [...this.rows, ...answer.rows].slice(-answer.rows_kept);
  }

  /** Return the times of all rows, in s. */
  get times() {
    return this.rows.map((row) => row[0] / 1000);
  }

  /** Return a gauge over time. */
  gauge(name, scale = 1) {
    const column = this.#columns[name];
    return this.rows.map((row) => row[column] * scale);
  }

  /** Return by how much a counter grew each second; null where rows are missing. */
  rate(name) {
    const column = this.#columns[name];
    return this.#steps((row, before, seconds) => grown(row, before, column) / seconds);
  }

  /** Return the growth of one counter as a part of the growth of another. */
  share(name, ofName) {
    const [part, whole] = [this.#columns[name], this.#columns[ofName]];
    return this.#steps((row, before) => {
      const all = grown(row, before, whole);
      return all ? grown(row, before, part) / all : 0;
    });
  }

  #steps(step) {
    return this.rows.map((row, index) => {
      const before = this.rows[index - 1];
      const seconds = before && (row[0] - before[0]) / 1000;
      return before && seconds > 0 && seconds < LONGEST_GAP_S ? step(row, before, seconds) : null;
    });
  }
}

function grown(row, before, column) {
  return Math.max(0, row[column] - before[column]);
}
