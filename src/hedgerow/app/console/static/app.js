// The page: one stream for the list, the health strip and the alerts, one for the chosen series.

import { Detail } from "./detail.js";
import { SeriesList } from "./list.js";
import { SensorMap } from "./map.js";
import { countAlerts, say, showAlerts, showHealth } from "./panels.js";
import { keepToken, Stream } from "./stream.js";
import { setZone } from "./words.js";

const $ = (id) => document.getElementById(id);
const narrow = matchMedia("(max-width: 720px)");
let chosen = null;
let city = null;
let alerts = [];
let openAlerts = 0; // of the whole group, also those that the list has no room for

const sensors = new Map(); // of the registry, by id
const map = new SensorMap(choose);
const list = new SeriesList(choose, sensors, (bySensor, shown) => map.update(bySensor, shown));
const detail = new Detail(() => chosen && follow(chosen), sensors);

function register({ first, sensors: some }) {
  if (first) sensors.clear();
  for (const [id, name, kind, zone, unit, place, degrees] of some) sensors.set(id, { id, name, kind, zone, unit, place, degrees });
  map.place(sensors);
  list.name();
  detail.name();
  if (detail.view) detail.now(detail.view);
  tellAlerts();
}

function tellAlerts() {
  showAlerts(alerts, openAlerts, choose, (key) => list.titleOf(key));
}

const mood = (source, begin = () => {}) => ({
  refused(shown) {
    $("login").hidden = false;
    $("main").hidden = true;
    $("refused").textContent = shown ? "That is not the token." : "";
    $("token").focus();
  },
  broken: () => say(source, "The worker does not answer; trying again."),
  whole() {
    begin();
    say(source, "");
    $("login").hidden = true;
    $("main").hidden = false;
  },
});

function look() {
  city?.close();
  city = new Stream("live", {
    sensors: register,
    rows: (rows) => list.update(rows),
    health(health) {
      setZone(health.timezone);
      showHealth(health);
      list.heard(health.series);
      openAlerts = health.open_alerts;
      countAlerts(alerts, openAlerts);
    },
    alerts(news) {
      alerts = news;
      tellAlerts();
    },
  }, mood("live", () => list.begin()));
}

let series = null;
function follow(key) {
  series?.close();
  series = new Stream(`series?key=${encodeURIComponent(key)}&shown=${detail.span}`, {
    series: (view) => detail.show(view),
    unknown: () => detail.unknown(),
  }, mood("series"));
}

function choose(key) {
  if (key !== chosen) {
    chosen = key;
    list.select(key);
    map.select(key);
    detail.begin(key);
    follow(key);
    history.replaceState(null, "", `#${encodeURIComponent(key)}`);
  }
  if (narrow.matches) $("chosen").scrollIntoView();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken($("token").value);
  $("token").value = "";
  look();
  if (chosen) follow(chosen);
});
$("back").addEventListener("click", () => {
  $("series").scrollIntoView();
  $("list").focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  const typing = /^(input|textarea|select)$/i.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    $("filter").focus();
    $("filter").select();
    event.preventDefault();
  }
});

/** The key in an address; as it stands there where somebody typed it, such as “#100%”. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

look();
if (location.hash.length > 1) choose(decoded(location.hash.slice(1)));
