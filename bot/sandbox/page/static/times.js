// Times as Discord shows them, in the viewer's own time zone and language.

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
};
const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const LATEST_S = 8_640_000_000_000;

const format = (seconds, options) => new Intl.DateTimeFormat(undefined, options).format(seconds * 1000);

/** Say how far a time is from now: "in 5 minutes", "2 days ago". */
export function relative(seconds, now = Date.now() / 1000) {
  const distance = seconds - now;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(distance) >= size) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.round(distance / size), unit);
}

/** Make the element of a <t:...> mark; `refreshRelative` keeps the relative ones right. */
export function stamp(seconds, style = "f") {
  if (Math.abs(seconds) > LATEST_S) return null;
  const element = document.createElement("time");
  element.className = "stamp";
  element.dateTime = new Date(seconds * 1000).toISOString();
  element.title = format(seconds, STYLES.F);
  if (style === "R") element.dataset.relative = String(seconds);
  element.textContent = style === "R" ? relative(seconds) : format(seconds, STYLES[style] ?? STYLES.f);
  return element;
}

/** Make the time of a message: the hour for today, the day as well for others. */
export function sent(seconds) {
  const element = document.createElement("time");
  element.className = "sent";
  element.dateTime = new Date(seconds * 1000).toISOString();
  element.title = format(seconds, { dateStyle: "full", timeStyle: "medium" });
  const today = dayName(seconds) === dayName(Date.now() / 1000);
  element.textContent = today ? clock(seconds) : format(seconds, { dateStyle: "short", timeStyle: "short" });
  return element;
}

/** The hour and minute. */
export const clock = (seconds) => format(seconds, STYLES.t);

/** The day by name, for the line between two days. */
export const dayName = (seconds) => format(seconds, STYLES.D);

/** Bring every relative time up to date. */
export function refreshRelative(root = document) {
  for (const element of root.querySelectorAll("time[data-relative]")) {
    element.textContent = relative(Number(element.dataset.relative));
  }
}
