import assert from "node:assert/strict";
import { test } from "node:test";
import { freshness, pillWords, titlePrefix } from "../freshness.js";

const heard = (producerAgeMs, atMs = 0) => ({ producerAgeMs, atMs });

test("up to three seconds old is live", () => {
  const now = freshness(heard(2000), 1000, "up");

  assert.equal(now.level, "live");
  assert.equal(pillWords(now, "up"), "Live");
});

test("a delay is told with its length", () => {
  const now = freshness(heard(5000), 0, "up");

  assert.equal(now.level, "delayed");
  assert.equal(pillWords(now, "up"), "Delayed 5 s");
});

test("a server that speaks but measures nothing is another fault than a line that is cut", () => {
  const silentProducer = freshness(heard(14000, 1000), 1500, "up");
  const silentLine = freshness(heard(0, 0), 14000, "down");

  assert.equal(pillWords(silentProducer, "up"), "Stale 15 s: no measurements");
  assert.equal(pillWords(silentLine, "down"), "Stale 14 s: no connection");
});

test("a stale page says so in its title", () => {
  assert.equal(titlePrefix(freshness(heard(14000), 0, "up")), "⚠ stale 14 s · ");
  assert.equal(titlePrefix(freshness(heard(1000), 0, "up")), "");
});

test("the reader's own clock does not matter, only how long ago the server spoke", () => {
  const a = freshness(heard(1000, 5_000_000), 5_001_000, "up");
  const b = freshness(heard(1000, 0), 1000, "up");

  assert.deepEqual(a, b);
});

test("a target that was never measured is quiet while the line is up", () => {
  assert.equal(freshness(heard(null), 1000, "up").level, "quiet");
});

test("polling is told apart from a socket", () => {
  assert.equal(pillWords(freshness(heard(1000), 0, "polling"), "polling"), "Polling");
});
