// The map: every sensor of the registry that has a position, on plain coordinates. Coloured by how
// good its forecasts are, with an alert above all else. A canvas, since there may be ten thousand.

import { Gestures } from "./gestures.js";
import { placed } from "./labels.js";
import { View } from "./view.js";
import { beside, element, number } from "./words.js";

const PADDING = 18; // pixels
const REACH = 14; // of a finger or a pointer
const CELL = 24; // of the index that finds what is near
const EVERY = 200; // milliseconds between two drawings, while readings come
const STATES = [ // the later are drawn above; words for the legend
  ["none", "no reading seen"], ["unknown", "not judged yet"], ["worse", "worse than persistence"],
  ["equal", "about the same"], ["better", "better than persistence"], ["best", "half the error or less"], ["alert", "open alert"],
];
const RANK = Object.fromEntries(STATES.map(([name], i) => [name, i]));
const $ = (id) => document.getElementById(id);

function stateOf(series) {
  if (!series.length) return "none";
  if (series.some((one) => one.alerts)) return "alert";
  const judged = series.map((one) => one.skill).filter((one) => one !== null);
  if (!judged.length) return "unknown";
  const mean = judged.reduce((sum, one) => sum + one, 0) / judged.length;
  return mean >= 0.5 ? "best" : mean >= 0.1 ? "better" : mean > -0.1 ? "equal" : "worse";
}

export class SensorMap {
  constructor(choose) {
    this.choose = choose;
    this.box = $("map");
    this.canvas = $("map-canvas");
    this.points = []; // {sensor, across, up, wholeX, wholeY, x, y, series, state, shown}
    this.view = new View();
    this.gestures = new Gestures(this.canvas, this.view, () => this.schedule(true, true));
    this.labels = []; // elements, used again
    this.widths = new Map(); // of names, in pixels
    this.byId = new Map();
    this.at = null; // the point under the pointer, or where the keys have come to
    this.drawn = 0;
    $("map-legend").replaceChildren(...STATES.toReversed().map(([name, text]) =>
      element("span", { className: `dot map-${name}`, textContent: text })));
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("click", (event) => {
      if (this.gestures.dragged) return;
      this.hover(event);
      this.open();
    });
    const middle = () => (this.at ? [this.at.x, this.at.y] : []);
    for (const [id, ask] of [["map-in", "closer"], ["map-out", "further"], ["map-all", "all"]]) {
      $(id).addEventListener("click", () => this.gestures[ask](middle()));
    }
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("focus", () => this.point(this.at ?? this.chosenPoint() ?? this.points[0] ?? null));
    new ResizeObserver(() => this.layOut()).observe(this.box);
    for (const query of ["(prefers-color-scheme: dark)", `(resolution: ${devicePixelRatio}dppx)`]) {
      matchMedia(query).addEventListener("change", () => {
        this.colours = null;
        this.layOut();
      });
    }
  }

  /** Take the registry: who is where. */
  place(sensors) {
    const placed = [...sensors.values()].filter((one) => one.place);
    // One kind of coordinates at a time: degrees and metres make no picture together.
    const degrees = placed.filter((one) => one.degrees).length * 2 >= placed.length;
    const used = placed.filter((one) => one.degrees === degrees);
    const middle = used.reduce((sum, one) => sum + one.place[1], 0) / (used.length || 1);
    const narrow = degrees ? Math.cos((middle * Math.PI) / 180) : 1;
    const before = this.byId;
    this.points = used.map((sensor) => ({
      ...(before.get(sensor.id) ?? { series: [], state: "none", shown: true }),
      sensor, across: sensor.place[0] * narrow, up: sensor.place[1],
    }));
    this.byId = new Map(this.points.map((point) => [point.sensor.id, point]));
    this.box.hidden = !this.points.length;
    this.at = null;
    this.layOut();
  }

  /** Take the lines of the list, by sensor, and which of them pass the filter. */
  update(bySensor, shown) {
    for (const point of this.points) {
      point.series = bySensor.get(point.sensor.id) ?? [];
      point.state = stateOf(point.series);
      point.shown = !shown || point.series.some((one) => shown.has(one));
    }
    this.schedule();
  }

  select(key) {
    this.chosen = key;
    const point = this.chosenPoint();
    this.schedule(true, Boolean(point && this.view.show(point.wholeX, point.wholeY)));
  }

  chosenPoint() {
    return this.points.find((point) => point.series.some((one) => one.key === this.chosen));
  }

  layOut() {
    if (this.box.hidden) return;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    const sizes = [this.points.map((one) => one.across), this.points.map((one) => one.up)]
      .map((all) => [all.reduce((a, b) => Math.min(a, b), Infinity), all.reduce((a, b) => Math.max(a, b), -Infinity)]);
    const [[left, right], [low, high]] = sizes;
    const room = [width - 2 * PADDING, height - 2 * PADDING];
    const scale = Math.min(room[0] / (right - left || 1e-9), room[1] / (high - low || 1e-9), 1e9);
    const spare = [(room[0] - (right - left) * scale) / 2, (room[1] - (high - low) * scale) / 2];
    for (const point of this.points) {
      point.wholeX = PADDING + spare[0] + (point.across - left) * scale;
      point.wholeY = PADDING + spare[1] + (high - point.up) * scale;
    }
    this.view.size(width, height);
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    this.project();
    this.schedule(true);
  }

  /** Put every sensor where it is in the part that is looked at. */
  project() {
    this.moved = false;
    const { zoom, width, height } = this.view;
    this.index = new Map();
    for (const point of this.points) {
      [point.x, point.y] = this.view.onto(point.wholeX, point.wholeY);
      if (point.x < -REACH || point.y < -REACH || point.x > width + REACH || point.y > height + REACH) continue;
      const cell = `${Math.floor(point.x / CELL)} ${Math.floor(point.y / CELL)}`;
      if (!this.index.has(cell)) this.index.set(cell, []);
      this.index.get(cell).push(point);
    }
    this.radius = Math.max(2.5, Math.min(6, (40 * zoom) / Math.sqrt(this.points.length)));
    this.canvas.classList.toggle("closer", zoom > 1);
    const closer = zoom > 1 ? `, ${zoom < 10 ? zoom.toFixed(1) : Math.round(zoom)} times larger` : "";
    $("map-count").textContent = `${this.points.length.toLocaleString("en")} sensors${closer}`;
    $("map-out").disabled = $("map-all").disabled = zoom === 1;
  }

  schedule(now = false, moved = false) {
    this.moved ||= moved;
    if (this.box.hidden || this.frame) return;
    const wait = now ? 0 : Math.max(0, this.drawn + EVERY - performance.now());
    this.frame = setTimeout(() => requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    }), wait);
  }

  draw() {
    this.drawn = performance.now();
    if (this.moved) this.project();
    this.colours ??= Object.fromEntries(STATES.map(([name]) => [name, getComputedStyle(this.box).getPropertyValue(`--map-${name}`)]));
    const pen = this.canvas.getContext("2d");
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    for (const shown of [false, true]) {
      pen.globalAlpha = shown ? 1 : 0.15;
      for (const [state] of STATES) this.drawAll(pen, state, shown);
    }
    pen.globalAlpha = 1;
    const ring = (point, width) => {
      if (!point) return;
      pen.lineWidth = width;
      pen.strokeStyle = getComputedStyle(this.box).color;
      pen.beginPath();
      pen.arc(point.x, point.y, this.radius + 5, 0, 2 * Math.PI);
      pen.stroke();
    };
    ring(this.chosenPoint(), 3);
    ring(this.at, 1.5);
    this.name(pen);
    this.say();
  }

  /** Write names beside the sensors, once somebody looks closer: what matters most comes first. */
  name(pen) {
    const { zoom, width, height } = this.view;
    let seen = [];
    if (zoom > 1) {
      const first = this.chosenPoint();
      const rank = (point) => (point === this.at ? 0 : point === first ? 1 : point.state === "alert" ? 2 : 3);
      seen = [...this.index.values()].flat()
        .filter(({ x, y, shown }) => shown && x >= 0 && y >= 0 && x <= width && y <= height)
        .map((point) => ({ x: point.x, y: point.y, radius: this.radius + 4, text: point.sensor.name || point.sensor.id, rank: rank(point), id: point.sensor.id }))
        .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1));
    }
    if (zoom > 1) pen.font = getComputedStyle($("map-labels")).font;
    const widthOf = (text) => {
      if (!this.widths.has(text)) this.widths.set(text, pen.measureText(text).width + 2);
      return this.widths.get(text);
    };
    const names = placed(seen, widthOf, width, height);
    while (this.labels.length < names.length) {
      this.labels.push(element("span"));
      $("map-labels").append(this.labels.at(-1));
    }
    this.labels.forEach((label, i) => {
      label.hidden = i >= names.length;
      if (label.hidden) return;
      label.textContent = names[i].point.text;
      label.style.transform = `translate(${names[i].x}px, ${names[i].y}px)`;
    });
  }

  /** Draw all points of a state at once: an alert is a diamond, what was not seen is hollow. */
  drawAll(pen, state, shown) {
    pen.beginPath();
    const { width, height } = this.view;
    for (const { x, y, state: its, shown: passes } of this.points) {
      if (its !== state || passes !== shown || x < -REACH || y < -REACH || x > width + REACH || y > height + REACH) continue;
      const r = state === "alert" ? this.radius * 1.7 : this.radius;
      pen.moveTo(x + r, y);
      if (state === "alert") {
        pen.lineTo(x, y + r);
        pen.lineTo(x - r, y);
        pen.lineTo(x, y - r);
        pen.closePath();
      } else pen.arc(x, y, r, 0, 2 * Math.PI);
    }
    pen.fillStyle = pen.strokeStyle = this.colours[state];
    pen.lineWidth = 1.5;
    if (state === "none") pen.stroke();
    else pen.fill();
  }

  near(x, y) {
    let found = null;
    let least = REACH ** 2;
    for (let column = -1; column <= 1; column++) {
      for (let line = -1; line <= 1; line++) {
        const cell = `${Math.floor(x / CELL) + column} ${Math.floor(y / CELL) + line}`;
        for (const point of this.index?.get(cell) ?? []) {
          const off = (point.x - x) ** 2 + (point.y - y) ** 2;
          if (off < least || (off === least && RANK[point.state] > RANK[found?.state])) [found, least] = [point, off];
        }
      }
    }
    return found;
  }

  hover(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    this.point(this.near(event.clientX - left, event.clientY - top));
  }

  point(at) {
    if (at === this.at) return;
    this.at = at;
    this.canvas.style.cursor = at ? "pointer" : "";
    this.schedule(true);
  }

  /** Choose the sensor's series: one with an alert first, then each in turn. */
  open() {
    if (!this.at) return;
    const { series, sensor } = this.at;
    const now = series.findIndex((one) => one.key === this.chosen);
    const first = Math.max(0, series.findIndex((one) => one.alerts));
    const next = series[now < 0 ? first : (now + 1) % series.length];
    this.choose(next?.key ?? sensor.id);
  }

  onKey(event) {
    if (this.gestures.key(event, this.at ? [this.at.x, this.at.y] : [])) {
      event.preventDefault();
      return;
    }
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      this.point(this.towards(way) ?? this.at);
      if (this.at && this.view.show(this.at.wholeX, this.at.wholeY)) this.schedule(true, true);
    }
    else if (event.key === "Enter" || event.key === " ") this.open();
    else return;
    event.preventDefault();
  }

  /** The nearest sensor that lies more in this direction than beside it. */
  towards([dx, dy]) {
    const from = this.at ?? this.points[0];
    let found = null;
    let least = Infinity;
    for (const point of this.points) {
      const [x, y] = [point.x - from.x, point.y - from.y];
      const along = x * dx + y * dy;
      const beside = Math.abs(x * dy) + Math.abs(y * dx);
      if (along > 0.5 && beside <= along && along + beside < least) [found, least] = [point, along + beside];
    }
    return found;
  }

  say() {
    const point = this.at ?? this.chosenPoint();
    if (!point) {
      $("map-words").textContent = "Point at a sensor, or go from one to the next by the arrow keys; click or Enter chooses. The wheel, two fingers, + and − look closer or from further, 0 at all; dragging, or Shift with an arrow key, moves the picture.";
      return;
    }
    const { sensor, series } = point;
    const what = [sensor.name && sensor.id, sensor.kind, sensor.zone].filter(Boolean).join(", ");
    const read = series.map((one) => {
      const quantity = one.key.slice(sensor.id.length + 1);
      const parts = [`${quantity ? `${quantity} ` : ""}${number(one.observed)}${sensor.unit ? ` ${sensor.unit}` : ""}`];
      if (one.alerts) parts.push(`${one.alerts} open alert${one.alerts > 1 ? "s" : ""}`);
      if (one.skill !== null) parts.push(beside(one.skill, "persistence"));
      return parts.join(", ");
    });
    const text = `${what ? ` (${what})` : ""}: ${read.join("; ") || "no reading was seen"}.`;
    $("map-words").replaceChildren(element("b", { textContent: sensor.name || sensor.id }), text);
  }
}
