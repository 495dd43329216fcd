// The list of series: only the lines on the screen exist, however many there are.

import { element, number, plain, shortTime } from "./words.js";

const ROW = 52; // pixels, as --row
const BEYOND = 6; // lines kept above and below the window
const EMPTY_AFTER = 2000; // milliseconds, in which what is on the topics is read
const order = new Intl.Collator("en", { numeric: true });

export class SeriesList {
  constructor(choose, sensors, seen) {
    this.choose = choose;
    this.sensors = sensors;
    this.seen = seen;
    this.bySensor = new Map(); // the lines of each sensor, in the order of their keys
    this.box = document.getElementById("list");
    this.rows = document.getElementById("rows");
    this.filter = document.getElementById("filter");
    this.alerting = document.getElementById("alerting");
    this.found = document.getElementById("found");
    this.nothing = document.getElementById("nothing");
    this.all = []; // by number: {key, small, observed, at, expected, inside, alerts}
    this.sorted = []; // numbers in the order of their keys
    this.shown = []; // those that pass the filter
    this.pool = [];
    this.active = 0;
    this.chosen = null;
    this.box.addEventListener("scroll", () => this.schedule(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.rows.addEventListener("click", (event) => this.onClick(event));
    this.filter.addEventListener("input", () => this.refilter());
    this.filter.addEventListener("keydown", (event) => this.onFilterKey(event));
    this.alerting.addEventListener("change", () => this.refilter());
    new ResizeObserver(() => this.schedule()).observe(this.box);
  }

  /** Another session tells from now on, which may number the series otherwise. */
  begin() {
    this.renumbered = true;
  }

  update(rows) {
    let added = false;
    if (this.renumbered && rows.length) {
      this.renumbered = false;
      [this.all, this.sorted, this.shown, this.active] = [[], [], [], 0];
      this.unseen = this.chosen !== null;
    }
    for (const [at, key, observed, time, expected, inside, alerts, skill] of rows) {
      const news = { observed, at: time, expected, inside, alerts, skill };
      const known = this.all[at];
      if (known) Object.assign(known, news);
      else {
        this.all[at] = this.named({ key, ...news });
        this.sorted.push(at);
        added = true;
      }
    }
    if (added) this.sort();
    if (added || this.alerting.checked) this.refilter(true);
    else {
      this.schedule();
      this.tell();
    }
    if (added && this.unseen) this.unseen = !this.reveal();
  }

  sort() {
    this.sorted.sort((a, b) => order.compare(this.all[a].key, this.all[b].key));
    this.bySensor.clear();
    for (const at of this.sorted) {
      const row = this.all[at];
      if (this.bySensor.has(row.sensor)) this.bySensor.get(row.sensor).push(row);
      else this.bySensor.set(row.sensor, [row]);
    }
  }

  /** The sensor of a key: what is registered, else what stands before the first slash. */
  sensorOf(key) {
    if (this.sensors.has(key)) return key;
    for (let slash = key.lastIndexOf("/"); slash > 0; slash = key.lastIndexOf("/", slash - 1)) {
      if (this.sensors.has(key.slice(0, slash))) return key.slice(0, slash);
    }
    return key.split("/", 1)[0] || key;
  }

  /** What people call a series: its sensor's name, and the quantity where there are several. */
  titleOf(key) {
    const sensor = this.sensorOf(key);
    const name = this.sensors.get(sensor)?.name;
    return name ? name + key.slice(sensor.length) : key;
  }

  /** Note what the registry says of a line's sensor. */
  named(row) {
    const sensor = this.sensorOf(row.key);
    const known = this.sensors.get(sensor);
    const title = plain(this.titleOf(row.key));
    const about = known ? plain([known.name && row.key, known.kind, known.zone].filter(Boolean).join(" · ")) : "";
    return Object.assign(row, { sensor, title, about, unit: known?.unit ?? "", small: `${row.key} ${title} ${about}`.toLowerCase() });
  }

  /** Take the registry anew. */
  name() {
    for (const row of this.all) if (row) this.named(row);
    this.sort();
    this.refilter(true);
  }

  tell() {
    const all = this.shown.length === this.sorted.length;
    this.seen(this.bySensor, all ? null : new Set(this.shown.map((at) => this.all[at])));
  }

  refilter(keep = false) {
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = this.shown[this.active];
    this.shown = this.sorted.filter((at) => {
      const row = this.all[at];
      return (!this.alerting.checked || row.alerts) && words.every((word) => row.small.includes(word));
    });
    this.rows.style.height = `${this.shown.length * ROW}px`;
    this.active = keep ? Math.max(0, this.shown.indexOf(wanted)) : 0;
    if (!keep) this.box.scrollTop = 0;
    const { length } = this.shown;
    this.found.textContent = length === this.sorted.length ? `${length.toLocaleString("en")}` : `${length.toLocaleString("en")} of ${this.sorted.length.toLocaleString("en")}`;
    this.explain();
    this.schedule();
    this.tell();
  }

  /** Say why the list is empty. */
  explain() {
    const text = this.shown.length ? ""
      : this.sorted.length ? `No series matches${this.alerting.checked ? ", of those with an open alert" : ""}.`
        : this.empty ? "No reading has been learned yet. Send some, for instance by “hedgerow replay FILE”." : "";
    if (this.nothing.textContent !== text) this.nothing.textContent = text;
    this.nothing.hidden = !text;
  }

  /** Note how many series the worker knows, since a page that was just opened knows none either. */
  heard(series) {
    this.heardAt ??= performance.now();
    this.empty = series === 0 && performance.now() - this.heardAt > EMPTY_AFTER;
    this.explain();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.shown.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + BEYOND);
    while (this.pool.length < last - first) this.pool.push(this.line());
    this.pool.forEach((line, i) => {
      const position = first + i;
      line.root.hidden = position >= last;
      if (position < last) this.fill(line, position);
    });
    const active = this.shown.length ? `series-${this.shown[this.active]}` : "";
    if (active && document.getElementById(active)) this.box.setAttribute("aria-activedescendant", active);
    else this.box.removeAttribute("aria-activedescendant");
  }

  line() {
    const [name, value, left, right] = ["span", "span", "small", "small"].map((tag) => element(tag));
    name.className = "name";
    value.className = "value";
    const lines = [element("div", {}, name, value), element("div", {}, left, right)];
    const root = element("div", { className: "row", role: "option" }, ...lines);
    this.rows.append(root);
    return { root, name, value, left, right };
  }

  fill(line, position) {
    const at = this.shown[position];
    const row = this.all[at];
    line.root.style.transform = `translateY(${position * ROW}px)`;
    line.root.id = `series-${at}`;
    line.root.dataset.position = position;
    line.root.setAttribute("aria-selected", String(row.key === this.chosen));
    line.root.setAttribute("aria-setsize", this.shown.length);
    line.root.setAttribute("aria-posinset", position + 1);
    line.root.classList.toggle("active", position === this.active);
    line.name.textContent = row.title;
    line.name.title = row.key;
    line.value.replaceChildren(number(row.observed), ...(row.unit ? [element("span", { className: "unit", textContent: ` ${row.unit}` })] : []));
    if (row.alerts) line.value.append(element("span", { className: "badge", title: "open alerts", textContent: row.alerts }));
    const forecast = row.expected === null ? "" : `${row.inside === false ? "outside its interval, " : ""}forecast ${number(row.expected)}`;
    line.left.textContent = [forecast, row.about].filter(Boolean).join(" · ");
    line.left.classList.toggle("outside", row.inside === false);
    line.right.textContent = shortTime(row.at);
  }

  select(key) {
    this.chosen = key;
    this.unseen = !this.reveal();
    this.schedule();
  }

  /** Bring the chosen series into the window; false while it is not in the list. */
  reveal() {
    const position = this.shown.findIndex((at) => this.all[at].key === this.chosen);
    if (position >= 0) {
      this.active = position;
      const { scrollTop, clientHeight } = this.box;
      const top = position * ROW;
      if (top < scrollTop || top + ROW > scrollTop + clientHeight) this.box.scrollTop = top - (clientHeight - ROW) / 2;
    }
    return position >= 0;
  }

  onClick(event) {
    const root = event.target.closest(".row");
    if (!root) return;
    this.active = Number(root.dataset.position);
    this.choose(this.all[this.shown[this.active]].key);
  }

  move(to) {
    if (!this.shown.length) return;
    this.active = Math.max(0, Math.min(this.shown.length - 1, to));
    const top = this.active * ROW;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.box.scrollTop = top + ROW - clientHeight;
    this.schedule();
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1);
    const moves = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: Infinity };
    if (event.key in moves) this.move(moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") {
      if (this.shown.length) this.choose(this.all[this.shown[this.active]].key);
    } else return;
    event.preventDefault();
  }

  onFilterKey(event) {
    if (event.key === "ArrowDown") {
      this.box.focus();
      event.preventDefault();
    } else if (event.key === "Enter" && this.shown.length) this.choose(this.all[this.shown[this.active]].key);
    else if (event.key === "Escape") {
      this.filter.value = "";
      this.refilter();
    }
  }
}
