// The health strip, the alerts, and the dead letters.

import { count, element, number, span, time } from "./words.js";

const $ = (id) => document.getElementById(id);

export function showHealth(health) {
  const { worker } = health;
  const facts = [
    ["readings/s", number(health.readings_per_second), false],
    ["series", count(health.series), false],
    ["open alerts", count(health.open_alerts), health.open_alerts > 0],
    ["dead letters", count(health.dead_letters.reduce((sum, one) => sum + one.count, 0)), false],
    ["lag", health.lag === null ? "–" : count(health.lag), health.lag > 100000],
    ["lag, here", worker.lag === null ? "–" : count(worker.lag), worker.lag > 100000],
    ["checkpoint, here", worker.saved_seconds_ago === null ? "none yet" : `${span(worker.saved_seconds_ago)} ago`, false],
    ["unsaved, here", count(worker.unsaved), false],
    ["partitions, here", worker.partitions.join(" ") || "none", worker.partitions.length === 0],
  ];
  $("health").replaceChildren(...facts.map(([term, text, bad]) =>
    element("div", { className: bad ? "bad" : "", title: term.endsWith("here") ? "of the worker that serves this page" : "of the whole group" }, element("dt", { textContent: term }), element("dd", { textContent: text }))));
  const sentences = [];
  if (worker.not_ready) sentences.push(`The worker that serves this page: ${worker.not_ready}.`);
  if (health.trouble) sentences.push(`Nothing new is read: ${health.trouble}.`);
  if (health.untold) sentences.push(`What the checkpoints tell cannot be read: ${health.untold}.`);
  if (health.beyond) sentences.push(`There are more series than this page holds; ${count(health.beyond)} records of others were let go.`);
  if (health.passing) sentences.push(`More comes than this page reads: ${count(health.passed_over)} records were passed over, the newest are shown.`);
  say("health", sentences.join(" "));
  showLetters(health.dead_letters);
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

function showLetters(reasons) {
  const shape = JSON.stringify(reasons);
  const box = $("letters");
  if (box.dataset.shape === shape) return;
  box.dataset.shape = shape;
  const total = reasons.reduce((sum, one) => sum + one.count, 0);
  $("letters-count").textContent = total ? `${count(total)} of the last records` : "";
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

export function showAlerts(alerts, choose, titleOf) {
  const open = alerts.filter((alert) => alert.open).length;
  $("open").textContent = alerts.length ? `${open} open, ${alerts.length - open} resolved` : "";
  $("all-alerts").replaceChildren(...(alerts.length ? alerts.map((alert) => alertItem(alert, choose, titleOf)) : [element("li", { className: "none", textContent: "None in the records that were read." })]));
}
