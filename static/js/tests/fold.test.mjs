import assert from "node:assert/strict";
import { test } from "node:test";
import { LOG_EVENTS, fold } from "../fold.js";

const PENDING = { expand: "pending", dual_write: "pending", backfill: "pending", verify: "pending" };

function page(status, { phases = {}, run = null, seq = 0 } = {}) {
  return { seq, state: { plan: { status, revision: 1, digest: "d1" }, phases: { ...PENDING, ...phases }, run }, log: [] };
}

function events(...told) {
  return told.map(([kind, payload = {}], index) => ({ seq: index + 1, kind, payload, at: "2026-01-01T00:00:00Z", by: "x", text: kind }));
}

const RUN = { id: 7, phase: "backfill", direction: "forward", status: "running", verdict: "" };
const about = (more = {}) => ({ run: 7, phase: "backfill", direction: "forward", ...more });

test("the first start makes the plan active and its phase running", () => {
  const { state } = fold(page("approved"), events(["run_enqueued", { run: 1, phase: "expand", direction: "forward" }]));

  assert.equal(state.plan.status, "active");
  assert.equal(state.phases.expand, "running");
  assert.deepEqual(state.run, { id: 1, phase: "expand", direction: "forward", status: "enqueued", verdict: "" });
});

test("a step back makes the plan reverting and its phase too", () => {
  const before = page("active", { phases: { backfill: "failed" } });

  const { state } = fold(before, events(["run_enqueued", about({ run: 8, direction: "back" })]));

  assert.deepEqual([state.plan.status, state.phases.backfill], ["reverting", "reverting"]);
});

test("a run that is held says so until it goes on", () => {
  const held = fold(page("active", { run: RUN }), events(["run_waited", about({ verdict: "hold" })]));
  const gone = fold(held, [{ ...events(["run_wait_ended", about()])[0], seq: 2 }]);

  assert.deepEqual([held.state.run.verdict, gone.state.run.verdict], ["hold", ""]);
});

test("an abort is only asked for until the target was seen to have stopped", () => {
  const asked = fold(page("active", { run: RUN, phases: { backfill: "running" } }), events(["abort_requested", about()]));
  const proven = fold(asked, [{ ...events(["run_aborted", about({ phase_status: "failed" })])[0], seq: 2 }]);

  assert.deepEqual([asked.state.run.status, asked.state.phases.backfill], ["aborting", "running"]);
  assert.deepEqual([proven.state.run.status, proven.state.phases.backfill], ["aborted", "failed"]);
});

test("an event of an earlier run changes nothing of the present one", () => {
  const { state } = fold(page("active", { run: RUN }), events(["run_paused", about({ run: 6 })]));

  assert.equal(state.run.status, "running");
});

test("an event that is known already folds to nothing", () => {
  const before = page("active", { run: RUN, seq: 5 });

  assert.equal(fold(before, events(["run_paused", about()])), before);
});

test("an unknown event is told in the log and changes no status", () => {
  const after = fold(page("active", { run: RUN }), events(["weather_changed"]));

  assert.deepEqual(after.state, page("active", { run: RUN }).state);
  assert.deepEqual([after.seq, after.log[0].kind], [1, "weather_changed"]);
});

test("the log keeps what fits on a screen, newest first", () => {
  const after = fold(page("active"), events(...Array(LOG_EVENTS + 5).fill(["action_started"])));

  assert.deepEqual([after.log.length, after.log[0].seq], [LOG_EVENTS, LOG_EVENTS + 5]);
});

test("folding leaves the snapshot that it began with as it was", () => {
  const before = page("active", { run: RUN });
  const copy = structuredClone(before);

  fold(before, events(["run_paused", about()]));

  assert.deepEqual(before, copy);
});
