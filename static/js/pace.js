// What is left, from how fast it went lately: a band, since one number would promise too much. Pure.

import { span } from "./times.js";

export const LATELY = 60; // samples: a minute smooths single batches and still follows the pace

function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(share * (sorted.length - 1))))];
}

// Seconds from the 80th and the 20th percentile of the recent rates; null where nothing can be said.
export function left(rates, rows, expected) {
  const known = rates.filter((rate) => rate !== null && rate > 0).slice(-LATELY).sort((a, b) => a - b);
  if (!expected || rows >= expected || known.length < 3) return null;
  const missing = expected - rows;
  return { fromS: missing / quantile(known, 0.8), toS: missing / quantile(known, 0.2) };
}

export function leftWords(band) {
  if (!band) return "–";
  const [from, to] = [span(band.fromS), span(band.toS)];
  return from === to ? `about ${to}` : `${from} to ${to}`;
}
