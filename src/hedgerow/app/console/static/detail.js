// The chosen series: its readings and forecasts, how good they were, its alerts, its experts.

import { canDraw, ReadingsChart, WeightsChart } from "./charts.js";
import { alertItem } from "./panels.js";
import { element, number, percent, skill, span, time } from "./words.js";

const SPANS = [[48, "48 readings"], [168, "168"], [400, "400"]];
const MOST_BARS = 6;
const NO_CHARTS = "The chart library is missing on the worker that serves this page. Run “make charts” in the source tree (or “python scripts/vendor_charts.py”), or install a wheel built after that, and start the worker again.";
const $ = (id) => document.getElementById(id);

export class Detail {
  constructor(respan, sensors) {
    this.respan = respan;
    this.sensors = sensors;
    this.span = 168;
    this.horizon = null;
    this.readings = new ReadingsChart($("readings"));
    this.weights = new WeightsChart($("weights"));
    $("no-charts").textContent = NO_CHARTS;
    $("no-charts").hidden = canDraw();
    this.choices($("spans"), SPANS, () => this.span, (value) => {
      this.span = value;
      this.respan();
    });
  }

  /** Show what is being waited for. */
  begin(key) {
    $("hint").hidden = true;
    $("detail").hidden = false;
    this.view = null;
    this.chosen = key;
    $("profile").textContent = "";
    this.name();
    $("now").textContent = "waiting for its records …";
    for (const id of ["errors-about", "errors", "own-alerts", "bars"]) $(id).replaceChildren();
    this.readings.clear();
    this.weights.clear();
    this.horizon = null;
  }

  /** Say whose readings these are, as the registry has it. */
  name() {
    const known = this.sensors.get(this.view?.sensor_id ?? this.chosen);
    const key = this.view?.key ?? this.chosen;
    if (!key) return;
    this.unit = known?.unit ? ` ${known.unit}` : "";
    $("chosen-title").textContent = known?.name ? known.name + key.slice(known.id.length) : key;
    $("profile").textContent = [known?.name && key, known?.kind, known?.zone, this.view && `profile ${this.view.model}`].filter(Boolean).join(" · ");
  }

  unknown() {
    $("now").textContent = "No record of this series has been seen yet.";
  }

  show(view) {
    this.view = view;
    const horizons = view.made.map((made) => made.horizon);
    if (!horizons.includes(this.horizon)) this.horizon = horizons[0] ?? null;
    this.name();
    this.now(view);
    this.choices($("horizons"), view.made.map((made) => [made.horizon, `${span(made.lead_seconds)} ahead`]), () => this.horizon, (value) => {
      this.horizon = value;
      this.show(this.view);
    });
    const made = view.made.find((one) => one.horizon === this.horizon);
    if (made) this.readings.show(view, made);
    this.describe(view, made);
    this.errors(view);
    $("own-alerts").replaceChildren(...(view.alerts.length ? view.alerts.map((alert) => alertItem(alert)) : [element("li", { className: "none", textContent: "None in the records that were read." })]));
    this.experts(view);
  }

  /** Say for those who do not see the chart what is on it. */
  describe(view, made) {
    const { times, observed } = view;
    $("readings").setAttribute("aria-label", times.length ? `${observed.length} readings of ${$("chosen-title").textContent} from ${time(times[0])} to ${time(times.at(-1))}, the lowest ${number(Math.min(...observed))}, the highest ${number(Math.max(...observed))}, the last ${number(observed.at(-1))}${this.unit}${made ? `, beside what was forecast ${span(made.lead_seconds)} ahead` : ""}; errors are in the table below` : "Readings and forecasts");
  }

  now(view) {
    const last = view.observed.length - 1;
    const made = view.made[0];
    const expected = made?.predicted[last];
    const interval = made && made.lower[last] !== null ? ` (${number(made.lower[last])} to ${number(made.upper[last])})` : "";
    const next = view.ahead[0];
    $("now").replaceChildren(
      element("b", { textContent: number(view.observed[last]) + this.unit }),
      ` on ${time(view.times[last])}`,
      expected === null || expected === undefined ? "" : `; forecast was ${number(expected)}${interval}`,
      next ? `; next ${number(next.predicted)}${next.lower === null ? "" : ` (${number(next.lower)} to ${number(next.upper)})`}` : "",
      ".",
    );
  }

  errors(view) {
    const cell = (text, className = "") => element("td", { textContent: text, className });
    const judged = (share) => cell(skill(share), share > 0.005 ? "better" : share < -0.005 ? "worse" : "");
    const references = ["persistence", "day", "week"];
    const head = element("tr", {}, ...["ahead", "labels", "error", "persistence", "day ago", "week ago", "inside"].map((text) => element("th", { scope: "col", textContent: text })));
    const lines = view.made.map((made) => {
      const by = Object.fromEntries(made.against.map((one) => [one.reference, one.theirs ? 1 - one.ours / one.theirs : null]));
      return element("tr", {}, cell(span(made.lead_seconds)), cell(made.labels), cell(number(made.error)), ...references.map((name) => judged(by[name])), cell(percent(made.inside)));
    });
    const since = (view.held?.lifetime ?? []).map((one) => {
      const made = view.made.find((other) => other.horizon === one.horizon);
      return element("tr", {}, cell(`${made ? span(made.lead_seconds) : one.horizon} ever`), cell(one.labels.toLocaleString("en")), cell(number(one.error)), ...references.map((name) => judged(one.skill[name])), cell(percent(one.inside)));
    });
    $("errors-about").textContent = `Mean absolute error over the ${view.times.length} readings shown (ever: since the series began), how much less than a naive forecast's on the same labels, and the share of labels inside their interval.`;
    $("errors").replaceChildren(
      element("thead", {}, head),
      element("tbody", {}, ...lines, ...since),
    );
  }

  experts(view) {
    const of = view.held?.weights.find((one) => one.horizon === this.horizon) ?? view.held?.weights[0];
    $("weights").hidden = !of || of.times.length < 2 || !canDraw();
    if (!of) {
      $("weights-words").textContent = "How its experts are weighed is not known yet: the worker that serves this page does not learn this series, and no checkpoint that can be read holds it.";
      $("bars").replaceChildren();
      return;
    }
    const ranked = of.experts.map((name, i) => ({ name, row: of.weights[i], now: of.weights[i].at(-1) })).sort((a, b) => b.now - a.now);
    const strongest = ranked.slice(0, MOST_BARS).filter((one) => one.now >= 0.005);
    const rest = ranked.slice(strongest.length).reduce((sum, one) => sum + one.now, 0);
    const { generation, at } = view.held;
    const known = of.times.length > 1 ? `; known since ${time(of.times[0])}` : "";
    $("weights-words").textContent = generation === null
      ? `How the forecast ${this.lead(view)} is weighed now${known}.`
      : `How the forecast ${this.lead(view)} was weighed at the last checkpoint, with the reading of ${time(at)}${known}. Another worker learns this series.`;
    if (of.times.length > 1) {
      const names = [...strongest].map((one) => one.name).sort();
      this.weights.show(of.times, names, names.map((name) => of.weights[of.experts.indexOf(name)]));
      strongest.forEach((one) => { one.colour = WeightsChart.colour(names.indexOf(one.name)); });
    }
    if (rest > 0.005) strongest.push({ name: "all others", now: rest });
    $("bars").replaceChildren(...strongest.map((one) => {
      const fill = element("span", { className: "fill" });
      fill.style.width = `${one.now * 100}%`;
      if (one.colour) fill.style.background = one.colour;
      return element("li", {}, element("span", { textContent: one.name }), element("span", { className: "track" }, fill), element("b", { textContent: percent(one.now) }));
    }));
  }

  lead(view) {
    const made = view.made.find((one) => one.horizon === this.horizon);
    return made ? `${span(made.lead_seconds)} ahead` : "";
  }

  choices(box, pairs, current, choose) {
    const shape = JSON.stringify([pairs, current()]);
    if (box.dataset.shape === shape) return;
    const focused = box.contains(document.activeElement);
    box.dataset.shape = shape;
    box.replaceChildren(...pairs.map(([value, text]) => {
      const checked = value === current();
      const button = element("button", { type: "button", textContent: text, tabIndex: checked ? 0 : -1 });
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", String(checked));
      button.addEventListener("click", () => {
        choose(value);
        this.choices(box, pairs, current, choose);
      });
      return button;
    }));
    box.onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const at = pairs.findIndex(([value]) => value === current());
      box.children[(at + step + pairs.length) % pairs.length].click();
    };
    if (focused) box.querySelector("[aria-checked=true]")?.focus();
  }
}
