import assert from "node:assert/strict";
import { test } from "node:test";
import { left, leftWords } from "../pace.js";

test("what is left is a band from the recent rates", () => {
  const band = left([100, 200, 200, 200, 400], 0, 20000);

  assert.equal(leftWords(band), "about 100 s");
});

test("slow and fast spells widen the band", () => {
  const band = left([100, 100, 200, 400, 400], 0, 40000);

  assert.equal(leftWords(band), "100 s to 6 min");
});

test("nothing is promised from two samples, without an estimate, or behind it", () => {
  assert.deepEqual([left([5, 5], 0, 100), left([5, 5, 5], 0, null), left([5, 5, 5], 100, 100)], [null, null, null]);
});

test("gaps and standstills count for nothing", () => {
  assert.equal(leftWords(left([null, 0, 10, 10, 10], 0, 100)), "about 10 s");
});
