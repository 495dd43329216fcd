// The two charts, by uPlot: readings with their forecasts, and the weights of the experts.

import { clockTime, dayOf, timeZone } from "./words.js";

const HEIGHT = 300;
const WEIGHTS_HEIGHT = 170;
const PALETTE = ["#3b7dd8", "#d9822b", "#2e9e6b", "#b0529e", "#8a7d2b", "#5b6cc7"];

export const canDraw = () => typeof window.uPlot === "function";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A label of the time axis: the day where one begins, the hour elsewhere, both at the start. */
function moment(ms, before) {
  const newDay = !Number.isFinite(before) || dayOf(ms) !== dayOf(before);
  const hour = clockTime(ms);
  if (hour === "00:00") return dayOf(ms);
  return newDay ? `${hour}\n${dayOf(ms)}` : hour;
}

class Chart {
  constructor(box, height) {
    Object.assign(this, { box, height, plot: null, shape: "" });
    new ResizeObserver(() => this.plot?.setSize({ width: this.width(), height: this.height })).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.shape = "";
      if (this.last) this.show(...this.last);
    });
  }

  width() {
    return Math.max(200, this.box.clientWidth);
  }

  /** Draw anew only when the shape changed; else hand over the data. */
  draw(shape, series, bands, data) {
    if (!canDraw()) return;
    if (this.plot && shape === this.shape) {
      this.plot.setData(data);
      return;
    }
    this.shape = shape;
    this.plot?.destroy();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const moments = (_, splits) => splits.map((at, i) => moment(at * 1000, splits[i - 1] * 1000));
    this.plot = new window.uPlot({
      width: this.width(),
      height: this.height,
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), timeZone()),
      series: [{}, ...series],
      bands,
      axes: [{ ...axis, values: moments, space: 70 }, { ...axis, size: 62 }],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: false } },
    }, data, this.box);
  }

  clear() {
    this.plot?.destroy();
    Object.assign(this, { plot: null, shape: "", last: null });
  }
}

export class ReadingsChart extends Chart {
  constructor(box) {
    super(box, HEIGHT);
  }

  show(view, made) {
    this.last = [view, made];
    const ahead = view.ahead.map((forecast) => forecast.at / 1000);
    const pad = Array(ahead.length).fill(null);
    const [times, observed, predicted, lower, upper] = broken(view, made);
    const before = Array(Math.max(0, times.length - 1)).fill(null);
    const newest = view.observed.at(-1);
    const tail = (name) => [...before, newest, ...view.ahead.map((forecast) => forecast[name])];
    const ink = colour("--ink"), blue = colour("--forecast"), orange = colour("--ahead");
    const edge = { stroke: "transparent", points: { show: false }, spanGaps: false };
    this.draw(
      "readings",
      [
        { ...edge }, { ...edge },
        { ...edge }, { ...edge },
        { stroke: blue, width: 1.5, points: { show: false } },
        { stroke: orange, width: 2, dash: [6, 4], points: { show: true, size: 6, fill: orange } },
        { stroke: ink, width: 1.5, points: { show: false } },
      ],
      [
        { series: [1, 2], fill: colour("--band") },
        { series: [3, 4], fill: colour("--ahead-band") },
      ],
      [
        [...times, ...ahead],
        [...upper, ...pad], [...lower, ...pad],
        tail("upper"), tail("lower"),
        [...predicted, ...pad],
        tail("predicted"),
        [...observed, ...pad],
      ],
    );
  }
}

/** The columns with a hole wherever readings are missing, so that no line is drawn across. */
function broken(view, made) {
  const slot = (made.lead_seconds / made.horizon) * 1000;
  const columns = [[], [], [], [], []];
  view.times.forEach((ms, i) => {
    if (i > 0 && ms - view.times[i - 1] > 2.2 * slot) {
      columns[0].push((view.times[i - 1] + slot) / 1000);
      for (const column of columns.slice(1)) column.push(null);
    }
    [ms / 1000, view.observed[i], made.predicted[i], made.lower[i], made.upper[i]].forEach((value, c) => columns[c].push(value));
  });
  return columns;
}

export class WeightsChart extends Chart {
  constructor(box) {
    super(box, WEIGHTS_HEIGHT);
  }

  /** weights: rows of the strongest experts, drawn as lines. */
  show(times, experts, weights) {
    this.last = [times, experts, weights];
    this.draw(
      experts.join(),
      experts.map((label, i) => ({ label, stroke: PALETTE[i % PALETTE.length], width: 2, points: { show: false } })),
      [],
      [times.map((ms) => ms / 1000), ...weights],
    );
  }

  static colour = (i) => PALETTE[i % PALETTE.length];
}
