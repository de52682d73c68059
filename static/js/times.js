// Says durations and moments as migrations_app/words.py and templatetags/lockstep.py do. Pure.

export function span(seconds) {
  const left = Math.max(0, Math.round(seconds));
  const days = Math.floor(left / 86400);
  if (days >= 2) return `${days} days`;
  if (left >= 3600) {
    const hours = Math.floor(left / 3600);
    const minutes = Math.floor((left % 3600) / 60);
    return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  }
  return left >= 120 ? `${Math.floor(left / 60)} min` : `${left} s`;
}

export function ago(atMs, nowMs) {
  const seconds = (nowMs - atMs) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

export function utc(atMs) {
  return new Date(atMs).toISOString().slice(0, 19).replace("T", " ") + " UTC";
}

// "12,345"; one digit behind the point for small numbers that have one.
export function grouped(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : 1;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
