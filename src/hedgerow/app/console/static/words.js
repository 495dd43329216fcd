// Numbers, times and skills as people read them. Times are the city's, in its own zone.

let zone = "UTC";
let clock, day, moment, dayMonth;

export function setZone(name) {
  if (clock && name === zone) return;
  zone = name;
  clock = new Intl.DateTimeFormat(undefined, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  day = new Intl.DateTimeFormat(undefined, { timeZone: zone, year: "numeric", month: "short", day: "numeric" });
  dayMonth = new Intl.DateTimeFormat(undefined, { timeZone: zone, month: "short", day: "numeric" });
  moment = new Intl.DateTimeFormat(undefined, { timeZone: zone, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
setZone("UTC");

export const timeZone = () => zone;
export const time = (ms) => `${day.format(ms)} ${clock.format(ms)}`;
export const clockTime = (ms) => clock.format(ms);
export const dayOf = (ms) => dayMonth.format(ms);
export const shortTime = (ms) => moment.format(ms);

export function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e7 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

export const count = (value) => Math.round(value).toLocaleString("en");
export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(share * 100)} %`);

export function skill(share) {
  if (share === null || share === undefined) return "–";
  const rounded = Math.round(share * 100);
  return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded)} %`;
}

/** How large our error is beside another forecast's, in words. */
export function beside(share, other) {
  const rounded = Math.round(share * 100);
  if (!rounded) return `error as large as ${other}'s`;
  return `error ${Math.abs(rounded)} % ${rounded > 0 ? "smaller" : "larger"} than ${other}'s`;
}

/** A foreign text without the marks that turn what stands after it around. */
export const plain = (text) => text.replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");

export function span(seconds) {
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= length && (seconds % length === 0 || seconds >= 10 * length)) return `${+(seconds / length).toFixed(1)} ${unit}`;
    if (seconds >= length) return `${+(seconds / length).toFixed(1)} ${unit}`;
  }
  return `${Math.round(seconds)} s`;
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
