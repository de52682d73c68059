// How old what the page shows is, by the server's clocks: the reader's own clock may be wrong by hours. Pure.

import { span } from "./times.js";

export const LIVE_S = 3;
export const DELAYED_S = 10;

// `heard` is {producerAgeMs, atMs}: how old the newest measurement was when the server last spoke, and when that was by
// the reader's monotonic clock. Null ages mean that nothing was ever measured.
export function freshness(heard, nowMs, link) {
  // Nothing was said yet: a page that opens is no alarm, a line that is down is one.
  if (!heard) {
    const opens = link === "connecting" || link === "up";
    return { level: opens ? "opening" : "stale", ageS: null, cause: opens ? "" : "no connection" };
  }
  const silentS = Math.max(0, (nowMs - heard.atMs) / 1000);
  const measuredS = heard.producerAgeMs === null ? null : heard.producerAgeMs / 1000 + silentS;
  const ageS = measuredS === null ? silentS : measuredS;
  const connected = link === "up" || link === "polling";
  if (measuredS === null) {
    return { level: silentS > DELAYED_S ? "stale" : "quiet", ageS, cause: connected ? "nothing measured" : "no connection" };
  }
  const level = ageS <= LIVE_S ? "live" : ageS <= DELAYED_S ? "delayed" : "stale";
  // A server that still speaks but has nothing new to tell is another fault than a line that is cut.
  const cause = silentS > LIVE_S || !connected ? "no connection" : "no measurements";
  return { level, ageS, cause };
}

export function pillWords({ level, ageS, cause }, link) {
  const via = link === "polling" ? "Polling" : "Live";
  if (level === "opening") return "Connecting";
  if (level === "live") return via;
  if (level === "quiet") return `${via}, nothing measured`;
  const age = ageS === null ? "" : ` ${span(ageS)}`;
  return level === "delayed" ? `Delayed${age}` : `Stale${age}: ${cause}`;
}

export function titlePrefix({ level, ageS }) {
  return level === "stale" ? `⚠ stale ${ageS === null ? "" : `${span(ageS)} `}· ` : "";
}
