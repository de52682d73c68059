import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, grouped, span } from "../times.js";

test("durations are said in the unit that people would choose", () => {
  const said = [0, 14, 119, 120, 3599, 3600, 7500, 172799, 172800].map(span);
  assert.deepEqual(said, ["0 s", "14 s", "119 s", "2 min", "59 min", "1 h", "2 h 5 min", "47 h 59 min", "2 days"]);
});

test("a moment lies behind, ahead, or is now", () => {
  assert.deepEqual([ago(0, 14000), ago(180000, 0), ago(500, 0)], ["14 s ago", "in 3 min", "now"]);
});

test("numbers have their thousands apart, and a missing one is a dash", () => {
  assert.deepEqual([grouped(12345), grouped(3.25), grouped(250.6), grouped(null)], ["12,345", "3.3", "251", "–"]);
});
