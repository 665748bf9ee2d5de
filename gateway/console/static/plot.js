// One moving plot of the last quarter of an hour.
/* global uPlot */
const SPAN_S = 900;
const HEIGHT = 104;
const AXIS_WIDTH = 54;

/** A plot of some series over time, in an element that is to be put into the page. */
export class Plot {
  element = document.createElement("div");

  /**
   * @param colours names of CSS variables, one for each series.
   * @param show how a value is written at the axis.
   * @param onHover called with the index of the sample under the pointer, or null.
   */
  constructor(colours, show, onHover) {
    this.element.className = "plot";
    this.colours = colours;
    this.show = show;
    this.onHover = onHover;
    this.data = [[], ...colours.map(() => [])];
    this.theme = matchMedia("(prefers-color-scheme: dark)");
    this.rebuild = () => this.#build();
  }

  enter() {
    this.theme.addEventListener("change", this.rebuild);
    this.sizes = new ResizeObserver(() => this.#fit());
    this.sizes.observe(this.element);
  }

  leave() {
    this.theme.removeEventListener("change", this.rebuild);
    this.sizes?.disconnect();
    this.chart?.destroy();
    this.chart = null;
  }

  /** Show these series: `[times in s, values, …]`. */
  set(data) {
    this.data = data;
    this.chart?.setData(data);
  }

  #fit() {
    const width = Math.floor(this.element.clientWidth);
    if (!width) return;
    if (this.chart) this.chart.setSize({ width, height: HEIGHT });
    else this.#build();
  }

  #build() {
    this.chart?.destroy();
    const width = Math.floor(this.element.clientWidth);
    this.chart = new uPlot(this.#options(width), this.data, this.element);
  }

  #options(width) {
    const css = getComputedStyle(this.element);
    // A canvas needs the colour that the variable stands for in this theme.
    const colour = (name) => {
      this.element.style.color = `var(${name})`;
      return css.color;
    };
    const axis = {
      stroke: colour("--faint"),
      font: `11px ${css.fontFamily}`,
      ticks: { show: false },
      gap: 6,
    };
    const grid = { stroke: colour("--line"), width: 1 };
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 16, 0, 0],
      cursor: { y: false, drag: { x: false }, points: { size: 7 } },
      scales: { x: { range: () => rangeOf(Date.now()) }, y: { range: upTo } },
      axes: [
        { ...axis, grid: { show: false }, size: 22, space: 70, values: (_, all) => all.map(minute) },
        { ...axis, grid, size: AXIS_WIDTH, space: 34, values: (_, all) => all.map(this.show) },
      ],
      series: [{}, ...this.colours.map((name) => seriesOf(colour(name)))],
      hooks: { setCursor: [(chart) => this.onHover?.(chart.cursor.idx ?? null)] },
    };
  }
}

function seriesOf(stroke) {
  return { stroke, fill: `color-mix(in srgb, ${stroke} 14%, transparent)`, width: 1.5, points: { show: false } };
}

function rangeOf(nowMs) {
  return [nowMs / 1000 - SPAN_S, nowMs / 1000];
}

function minute(s) {
  return new Date(s * 1000).toTimeString().slice(0, 5);
}

function upTo(_chart, _low, high) {
  return [0, high > 0 ? high * 1.15 : 1];
}
