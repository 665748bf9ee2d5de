// Figures and times, as short as they can be read; units are decimal.
const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** 1234567 -> "1.2 MB". */
export function bytes(count) {
  let value = Math.max(0, count || 0);
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 100 ? trim(value.toFixed(1)) : Math.round(value)} ${UNITS[unit]}`;
}

/** 12345 -> "12.3k". */
export function count(value) {
  const number = value || 0;
  if (number < 10) return trim(number.toFixed(1));
  if (number < 10_000) return String(Math.round(number));
  if (number < 1_000_000) return `${trim((number / 1000).toFixed(number < 100_000 ? 1 : 0))}k`;
  return `${trim((number / 1_000_000).toFixed(1))}M`;
}

/** 0.1234 -> "12%". */
export function percent(part) {
  const value = 100 * (part || 0);
  return `${value > 0 && value < 9.95 ? trim(value.toFixed(1)) : Math.round(value)}%`;
}

/** Seconds -> "3 h 12 min". */
export function duration(seconds) {
  const s = Math.max(0, seconds || 0);
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${trim(s.toFixed(1))} s`;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129_600) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  return `${Math.round(s / 86_400)} days`;
}

/** A moment in ms -> "3 min ago". */
export function ago(ms, now = Date.now()) {
  const s = (now - ms) / 1000;
  return s < 10 ? "now" : `${duration(s)} ago`;
}

/** A moment in ms -> "14:03:07". */
export function clock(ms) {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** Cut a long text in its middle. */
export function short(text, most = 60) {
  const all = String(text ?? "");
  const half = Math.floor((most - 1) / 2);
  return all.length <= most ? all : `${all.slice(0, half)}…${all.slice(-half)}`;
}

function trim(text) {
  return text.replace(/\.0$/, "");
}
