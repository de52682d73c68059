// fold(snapshot, events) is what a fresh snapshot would say: the law of the feed. Pure.
//
// A snapshot here is {seq, state, log}. State holds statuses alone: of the plan, of its phases, of the present run.
// What depends on clocks, rights or other plans (words, blockers) is never folded; it comes as `derived`.
// A new kind of event that changes a status needs a case here; one that changes none needs nothing.

export const LOG_EVENTS = 15;

const AT_REST = { verdict: "" };

const withPlan = (state, changes) => ({ ...state, plan: { ...state.plan, ...changes } });
const withPhase = (state, phase, status) =>
  phase in state.phases ? { ...state, phases: { ...state.phases, [phase]: status } } : state;

// An event of an earlier run changes nothing of the present one.
const withRun = (state, event, changes) =>
  state.run && state.run.id === event.payload.run ? { ...state, run: { ...state.run, ...changes } } : state;

const ended = (status) => (state, event) =>
  withPhase(withRun(state, event, { status, ...AT_REST }), event.payload.phase, event.payload.phase_status);

function enqueued(state, { payload }) {
  const back = payload.direction === "back";
  const run = { id: payload.run, phase: payload.phase, direction: payload.direction, status: "enqueued", verdict: "" };
  const from = state.plan.status;
  let status = from;
  if (!back && (from === "approved" || from === "reverting")) status = "active";
  if (back && from === "active") status = "reverting";
  return withPhase(withPlan({ ...state, run }, { status }), payload.phase, back ? "reverting" : "running");
}

const CASES = {
  plan_edited: (state, { payload }) =>
    // the phases start anew with the new content
    ({ ...withPlan(state, { status: "draft", revision: payload.revision, digest: payload.digest }) }),
  plan_submitted: (state) => withPlan(state, { status: "submitted" }),
  plan_approved: (state) => withPlan(state, { status: "approved" }),
  changes_requested: (state) => withPlan(state, { status: "draft" }),
  plan_abandoned: (state) => withPlan(state, { status: "abandoned" }),
  plan_completed: (state) => withPlan(state, { status: "completed" }),
  plan_reverted: (state) => withPlan(state, { status: "reverted" }),
  rollback_ended: (state) => withPlan(state, { status: "active" }),

  run_enqueued: enqueued,
  run_started: (state, event) => withRun(state, event, { status: "running" }),
  run_continued: (state, event) => withRun(state, event, { status: "running" }),
  run_waited: (state, event) => withRun(state, event, { verdict: event.payload.verdict }),
  run_wait_ended: (state, event) => withRun(state, event, AT_REST),
  pause_requested: (state, event) => withRun(state, event, { status: "pausing" }),
  run_paused: (state, event) => withRun(state, event, { status: "paused", ...AT_REST }),
  run_resumed: (state, event) => withRun(state, event, { status: "enqueued", ...AT_REST }),
  abort_requested: (state, event) => withRun(state, event, { status: "aborting", ...AT_REST }),
  run_errored: (state, event) => withRun(state, event, { status: "errored", ...AT_REST }),
  run_aborted: ended("aborted"),
  run_failed: ended("failed"),
  run_succeeded: ended("succeeded"),
};

export function foldOne(snapshot, event) {
  if (event.seq <= snapshot.seq) return snapshot;
  const change = CASES[event.kind];
  return {
    ...snapshot,
    seq: event.seq,
    state: change ? change(snapshot.state, event) : snapshot.state,
    log: [event, ...snapshot.log].slice(0, LOG_EVENTS),
  };
}

export function fold(snapshot, events) {
  return events.reduce(foldOne, snapshot);
}
