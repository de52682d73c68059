import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILURES_BEFORE_POLLING, Feed, POLL_MS, SILENCE_MS, judge, waitMs } from "../feed.js";

const START = { seq: 4, samplesAt: "1.10.20.30" };
const delta = (from, to, { samplesFrom = "1.10.20.30", samplesTo = samplesFrom } = {}) => ({
  type: "delta", from, to, events: range(from, to).map(event), samples: { from: samplesFrom, to: samplesTo, points: {}, markers: [] },
});
const event = (seq) => ({ seq, kind: "action_started", payload: {}, at: "", by: "", text: "" });
const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
const snapshot = (seq, samples = "1.10.20.30", epoch = "e1") => ({
  type: "snapshot", seq, epoch, state: { plan: { status: "active" }, phases: {}, run: null }, log: [], samples_at: samples, figures: {}, derived: {},
});

test("a delta is applied where it begins at the next number", () => {
  assert.equal(judge(START, delta(5, 6)), "apply");
});

test("a delta that is known already is dropped", () => {
  assert.equal(judge(START, delta(3, 4)), "drop");
});

test("a delta that leaves out an event is a gap", () => {
  assert.equal(judge(START, delta(6, 7)), "gap");
});

test("a delta that leaves out a sample is a gap", () => {
  assert.equal(judge(START, delta(5, 4, { samplesFrom: "1.11.20.30", samplesTo: "1.12.20.30" })), "gap");
});

test("a delta that begins with something known and ends with news is applied", () => {
  assert.equal(judge(START, delta(4, 5, { samplesFrom: "1.9.19.30", samplesTo: "1.11.20.31" })), "apply");
});

test("a delta without events is applied for what was derived anew", () => {
  assert.equal(judge(START, delta(5, 4)), "apply");
});

test("samples of another run are a gap, since their numbers begin anew", () => {
  assert.equal(judge(START, delta(5, 4, { samplesFrom: "2.10.20.30" })), "gap");
});

test("waits double up to fifteen seconds, with full jitter", () => {
  const longest = [1, 2, 3, 6, 20].map((failures) => waitMs(failures, () => 1));

  assert.deepEqual(longest, [500, 1000, 2000, 15000, 15000]);
  assert.equal(waitMs(20, () => 0), 0);
});

// A world whose clock only moves when told, and whose sockets and answers are in the test's hands.
function world({ answers = [] } = {}) {
  const made = { sockets: [], asked: [], timers: new Map(), now: 0, links: [], told: [], closed: null };
  let next = 1;
  const outside = {
    WebSocket: class {
      constructor(url) {
        this.url = url;
        made.sockets.push(this);
      }
      close() {
        this.isClosed = true;
      }
    },
    fetch: async (url) => {
      made.asked.push(url);
      const answer = answers.shift();
      if (answer instanceof Error || answer === undefined) throw answer ?? new Error("no answer");
      return { ok: true, status: 200, json: async () => answer, ...answer.response };
    },
    setTimeout: (act, ms) => {
      made.timers.set(next, { act, at: made.now + ms });
      return next++;
    },
    clearTimeout: (id) => made.timers.delete(id),
    random: () => 1,
    socketUrl: "ws://x/feed/",
    feedUrl: "/feed/",
  };
  const feed = new Feed(outside, {
    snapshot: (page) => made.told.push(`snapshot ${page.seq}`),
    delta: (page) => made.told.push(`delta to ${page.seq}`),
    heard: () => {},
    link: (state) => made.links.push(state),
    closed: (code) => (made.closed = code),
  });
  made.feed = feed;
  made.socket = () => made.sockets[made.sockets.length - 1];
  made.say = (frame) => made.socket().onmessage({ data: JSON.stringify(frame) });
  made.pass = async (ms) => {
    made.now += ms;
    for (const [id, timer] of [...made.timers]) {
      if (timer.at <= made.now) {
        made.timers.delete(id);
        timer.act();
      }
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  feed.start();
  return made;
}

test("a page starts with a snapshot and goes on with deltas", () => {
  const here = world();

  here.say(snapshot(4));
  here.say(delta(5, 6));

  assert.deepEqual(here.told, ["snapshot 4", "delta to 6"]);
});

test("a gap is mended by asking for what came since", async () => {
  const here = world({ answers: [delta(5, 8)] });
  here.say(snapshot(4));

  here.say(delta(7, 8));
  await here.pass(0);

  assert.deepEqual(here.told, ["snapshot 4", "delta to 8"]);
  assert.match(here.asked[0], /after=4&samples_after=1\.10\.20\.30&epoch=e1/);
});

test("several deltas behind a gap ask once", async () => {
  const here = world({ answers: [delta(5, 9)] });
  here.say(snapshot(4));

  here.say(delta(7, 8));
  here.say(delta(9, 9));
  await here.pass(0);

  assert.equal(here.asked.length, 1);
});

test("a beat that tells of a number we have not seen asks for it", async () => {
  const here = world({ answers: [delta(5, 5)] });
  here.say(snapshot(4));

  here.say({ type: "beat", last_seq: 5, producer_age_ms: 0 });
  await here.pass(0);

  assert.deepEqual(here.told, ["snapshot 4", "delta to 5"]);
});

test("a dropped socket comes back where it was", async () => {
  const here = world();
  here.say(snapshot(4));

  here.socket().onclose({ code: 1006 });
  await here.pass(500);

  assert.equal(here.sockets.length, 2);
  assert.match(here.socket().url, /after=4/);
});

test("another event log means that everything is told anew", () => {
  const here = world();
  here.say(snapshot(4));

  here.say({ type: "hello", epoch: "e2" });

  assert.equal(here.feed.place(), "");
});

test("a socket that goes silent counts as lost", async () => {
  const here = world();
  here.say(snapshot(4));

  await here.pass(SILENCE_MS);

  assert.deepEqual([here.sockets[0].isClosed, here.links.at(-1)], [true, "down"]);
});

test("after three failures the page asks every three seconds, and says so", async () => {
  const here = world({ answers: [snapshot(4), delta(5, 5)] });
  for (let failure = 0; failure < FAILURES_BEFORE_POLLING; failure += 1) {
    here.socket().onclose({ code: 1006 });
    await here.pass(failure < FAILURES_BEFORE_POLLING - 1 ? 1000 : 0);
  }

  await here.pass(POLL_MS);

  assert.equal(here.links.at(-1), "polling");
  assert.deepEqual(here.told, ["snapshot 4", "delta to 5"]);
});

test("polling ends when a socket speaks again", async () => {
  const here = world({ answers: [snapshot(4)] });
  for (let failure = 0; failure < FAILURES_BEFORE_POLLING; failure += 1) {
    here.socket().onclose({ code: 1006 });
    await here.pass(1000);
  }

  await here.pass(15000);
  here.say({ type: "beat", last_seq: 4, producer_age_ms: 0 });
  const asked = here.asked.length;
  await here.pass(POLL_MS);

  assert.deepEqual([here.links.at(-1), here.asked.length], ["up", asked]);
});

test("a session that ended is not tried again", async () => {
  const here = world();
  here.say(snapshot(4));

  here.socket().onclose({ code: 4401 });
  await here.pass(60000);

  assert.deepEqual([here.closed, here.sockets.length], [4401, 1]);
});

test("an answer that leads to the sign-in page ends the feed", async () => {
  const here = world({ answers: [{ response: { type: "opaqueredirect", ok: false, status: 0 } }] });
  here.say(snapshot(4));

  here.say(delta(7, 8));
  await here.pass(0);

  assert.equal(here.closed, 4401);
});
