import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_POINTS, append, labelsOf, newer, resolve, shapesOf } from "../charts.js";

test("tokens are put in wherever a figure names one", () => {
  const figure = { line: { color: "var(--ok)" }, x: [1, 2], list: [{ bg: "var(--bad)" }], width: 2 };

  assert.deepEqual(resolve(figure, (name) => `<${name}>`), { line: { color: "<var(--ok)>" }, x: [1, 2], list: [{ bg: "<var(--bad)>" }], width: 2 });
});

test("points that a trace has already are left out", () => {
  assert.deepEqual(newer({ x: [1, 2, 3], y: [5, null, 7] }, 2), { x: [3], y: [7] });
  assert.equal(newer({ x: [1, 2], y: [5, 6] }, 2), null);
});

test("events of one second draw one line", () => {
  const shapes = shapesOf([{ x: 1000, tone: "run" }, { x: 1100, tone: "ok" }, { x: 5000, tone: "bad" }], [{ y: 2, tone: "bad" }]);

  assert.deepEqual(shapes.map(({ xref, y0 }) => [xref, y0]), [["x", 0], ["x", 0], ["paper", 2]]);
});

test("a label that would lie on its neighbour is left out", () => {
  const markers = [{ x: 10, label: "a", tone: "run" }, { x: 12, label: "b", tone: "run" }, { x: 80, label: "c", tone: "run" }];

  assert.deepEqual(labelsOf(markers, [], [0, 100]).map(({ text }) => text), ["b", "c"]);
});

test("points wait in their order, and no more of them than a chart shows", () => {
  const many = Array.from({ length: MOST_POINTS }, (_, index) => index);

  assert.deepEqual(append(undefined, { x: [1], y: [2] }), { x: [1], y: [2] });
  assert.deepEqual(append({ x: [1], y: [2] }, { x: [3], y: [null] }), { x: [1, 3], y: [2, null] });
  assert.equal(append({ x: many, y: many }, { x: [9999], y: [1] }).x.length, MOST_POINTS);
});
