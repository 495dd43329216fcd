// The health strip, the alerts, and the dead letters.

import { count, element, number, span, time } from "./words.js";

const MOST_ALERTS = 200; // that are sent, as session.py has it
const $ = (id) => document.getElementById(id);

export function showHealth(health) {
  const { worker, members } = health;
  const workers = members?.workers ?? [];
  const oldest = workers.reduce((most, one) => Math.max(most, one.saved ? one.saved_seconds_ago : Infinity), 0);
  const letters = health.dead_letters.reduce((sum, one) => sum + one.count, health.older_letters);
  const facts = [
    ["readings/s", number(health.readings_per_second), false],
    ["series", count(health.series), false],
    ["open alerts", count(health.open_alerts), health.open_alerts > 0],
    ["dead letters", count(letters), false],
    ["lag", health.lag === null ? "–" : count(health.lag), health.lag > 100000],
    ...(workers.length ? [
      ["workers", count(workers.length), false],
      ["oldest checkpoint", Number.isFinite(oldest) ? `${span(oldest)} ago` : "none yet", false],
      ["unsaved", count(workers.reduce((sum, one) => sum + one.unsaved, 0)), false],
      ["partitions", `${members.partitions - members.untold.length} of ${members.partitions}`, members.untold.length > 0],
    ] : []),
  ];
  $("health").replaceChildren(...facts.map(([term, text, bad]) =>
    element("div", { className: bad ? "bad" : "", title: "of the whole group" }, element("dt", { textContent: term }), element("dd", { textContent: text }))));
  showWorkers(members);
  const sentences = [];
  if (worker.not_ready) sentences.push(`The worker that serves this page: ${worker.not_ready}.`);
  if (health.trouble) sentences.push(`Nothing new is read: ${health.trouble}.`);
  if (health.untold) sentences.push(`What the checkpoints tell cannot be read: ${health.untold}.`);
  if (health.beyond) sentences.push(`There are more series than this page holds; ${count(health.beyond)} records of others were let go.`);
  if (health.passing) sentences.push(`More comes than this page reads: ${count(health.passed_over)} records were passed over, the newest are shown.`);
  say("health", sentences.join(" "));
  showLetters(health.dead_letters, letters);
}

/** A line for each worker, as it told a few seconds ago, and what is known where none tells. */
function showWorkers(members) {
  $("workers").hidden = !members;
  if (!members) return;
  const cell = (text, className = "") => element("td", { textContent: text, className });
  const lines = members.workers.map((one) => element("tr", {},
    element("th", { scope: "row", textContent: one.here ? `${one.worker} (serves this page)` : one.worker }),
    cell(one.partitions.join(" ")),
    cell(one.readings_per_second === null ? "–" : number(one.readings_per_second)),
    cell(one.lag === null ? "–" : count(one.lag)),
    cell(one.saved ? `${span(one.saved_seconds_ago)} ago` : "none yet"),
    cell(count(one.unsaved)),
    cell(one.not_ready ?? "ready", one.not_ready ? "worse" : "")));
  $("worker-lines").replaceChildren(...lines);
  const untold = members.untold.map((one) => `${one.partition} (${one.generation === null
    ? "never saved" : `checkpoint ${count(one.generation)}, the same for at least ${span(one.seconds)}`}, ${count(one.since)} messages since)`);
  $("untold").textContent = untold.length
    ? `No worker tells of ${untold.length === 1 ? "partition" : "partitions"} ${untold.join(", ")}: none holds it, or its worker runs without http.console. Its readings/s and whether it is ready cannot be known here.` : "";
}

const said = {};

/** Say what is wrong; of each source the newest sentence stands until it is empty. */
export function say(source, sentence) {
  said[source] = sentence;
  const text = Object.values(said).filter(Boolean).join(" ");
  const box = $("trouble");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}

function showLetters(reasons, all) {
  const shape = JSON.stringify([reasons, all]);
  const box = $("letters");
  if (box.dataset.shape === shape) return;
  box.dataset.shape = shape;
  const total = reasons.reduce((sum, one) => sum + one.count, 0);
  $("letters-count").textContent = all ? (all > total ? `${count(all)} on the topic; by reason the last ${count(total)}` : count(all)) : "";
  box.replaceChildren(...(reasons.length ? reasons.map((one) => element("li", {},
    element("b", { textContent: `${one.reason} × ${count(one.count)}` }),
    element("div", { textContent: one.error }),
    element("code", { textContent: `${one.place}  ${one.example}` })))
    : [element("li", { className: "none", textContent: "None in the records that were read." })]));
}

/** What carried the forecast that an alert is about, in a sentence. */
function carriedBy(carried) {
  if (!carried) return "";
  const { words, exact, stored } = carried;
  if (exact) return `That forecast${stored ? ", as the last checkpoint has it," : ""} rested on ${words}.`;
  const when = `with the reading of ${time(carried.at)}`;
  return stored ? `At the last checkpoint, ${when}, the forecast rested on ${words}.` : `The forecast made ${when} rested on ${words}.`;
}

export function alertItem(alert, choose, titleOf) {
  const head = element("div", { className: "head" },
    element("span", { className: alert.open ? "open" : "", textContent: alert.open ? "● open" : "○ resolved" }),
    element("span", { textContent: `${alert.severity} ${alert.kind}` }),
    element("time", { textContent: alert.open ? `since ${time(alert.opened_at)}` : `${time(alert.opened_at)} to ${time(alert.at)}`, dateTime: new Date(alert.opened_at).toISOString() }));
  const item = element("li", {}, head);
  item.dataset.episode = alert.episode;
  item.dataset.state = alert.open ? "open" : "resolved";
  if (choose) {
    const button = element("button", { type: "button", textContent: titleOf(alert.series), title: alert.series });
    button.addEventListener("click", () => choose(alert.series));
    item.append(button);
  }
  const carried = carriedBy(alert.carried);
  if (alert.opening) item.append(element("div", { textContent: `${alert.opening}.` }));
  item.append(element("div", { className: alert.opening ? "after" : "", textContent: `${alert.opening ? "Then: " : ""}${alert.message}.` }));
  if (carried) item.append(element("div", { className: "carried", textContent: carried }));
  return item;
}

/** Say how many alerts there are, and how many of them are listed. */
export function countAlerts(alerts, all) {
  const open = alerts.filter((alert) => alert.open).length;
  const text = !alerts.length ? ""
    : open < all ? `${count(all)} open, the newest ${count(open)} are listed`
      : `${count(open)} open, ${alerts.length < MOST_ALERTS ? count(alerts.length - open) : `the last ${count(alerts.length - open)}`} resolved`;
  if ($("open").textContent !== text) $("open").textContent = text;
}

export function showAlerts(alerts, all, choose, titleOf) {
  countAlerts(alerts, all);
  $("all-alerts").replaceChildren(...(alerts.length ? alerts.map((alert) => alertItem(alert, choose, titleOf)) : [element("li", { className: "none", textContent: "None in the records that were read." })]));
}
