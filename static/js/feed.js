// Follows the feed of one plan: over a socket, by asking where there is none, and without a gap either way.
//
// A delta is applied only where it begins at the next number. One that comes too late is dropped; where one is missing,
// the page asks by HTTP for what came since, and gets a delta or, if that would be too much, a new snapshot.

import { fold } from "./fold.js";

export const FIRST_WAIT_MS = 500;
export const LONGEST_WAIT_MS = 15000;
export const POLL_MS = 3000;
export const FAILURES_BEFORE_POLLING = 3;
export const SILENCE_MS = 6000; // three beats missed: the socket is dead whatever it says of itself
const FOR_GOOD = [4401, 4403];

// Full jitter, so that a restarted server is not met by all pages at once.
export function waitMs(failures, random) {
  return random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
}

// A cursor of the samples is four numbers: run, its sample, the target's sample, the probe's second.
export const cursor = (text) => text.split(".").map(Number);
const later = (one, other) => one.map((n, index) => Math.max(n, other[index])).join(".");

// What a delta does to a page that stands at `place`: "apply", "drop" or "gap". One that begins with what the page has
// already and ends behind it is applied: known events fold to nothing, known points are left out.
export function judge(place, delta) {
  const [from, to, at] = [delta.samples.from, delta.samples.to, place.samplesAt].map(cursor);
  if (delta.from > place.seq + 1 || from[0] !== at[0] || from.some((n, index) => n > at[index])) return "gap";
  const hasEvents = delta.to >= delta.from;
  const isKnown = to.every((n, index) => n <= at[index]);
  if (delta.to < place.seq || (hasEvents && delta.to === place.seq && isKnown)) return "drop";
  return "apply";
}

export class Feed {
  // `world` is everything outside: {WebSocket, fetch, setTimeout, clearTimeout, random, now, socketUrl, feedUrl}.
  // `on` is who is told: {snapshot(page), delta(page, frame), heard(frame), link(state), closed(code)}.
  constructor(world, on) {
    this.world = world;
    this.on = on;
    this.page = null; // {seq, state, log, samplesAt, epoch}
    this.failures = 0;
    this.stopped = false;
    this.link = "connecting";
    this.asking = null;
    this.timers = {};
  }

  start() {
    this.connect();
  }

  stop() {
    this.stopped = true;
    for (const name of Object.keys(this.timers)) this.clear(name);
    this.socket?.close();
  }

  place() {
    if (!this.page) return "";
    const { seq, samplesAt, epoch } = this.page;
    return `?${new URLSearchParams({ after: seq, samples_after: samplesAt, epoch })}`;
  }

  connect() {
    if (this.stopped) return;
    let socket;
    try {
      socket = new this.world.WebSocket(this.world.socketUrl + this.place());
    } catch {
      this.lost(null);
      return;
    }
    this.socket = socket;
    const mine = (handle) => (event) => this.socket === socket && handle(event);
    socket.onmessage = mine((event) => this.receive(JSON.parse(event.data)));
    socket.onclose = mine((event) => this.lost(event.code));
    socket.onerror = () => {};
    this.watch(socket);
  }

  // Close a socket that has gone silent: some never notice that their line is cut.
  watch(socket) {
    this.set("silence", SILENCE_MS, () => {
      if (this.socket !== socket) return;
      this.socket = null;
      socket.close();
      this.lost(null);
    });
  }

  receive(frame) {
    this.watch(this.socket);
    if (frame.type !== "bye") {
      this.failures = 0;
      this.clear("poll");
      this.setLink("up");
    }
    this.take(frame);
  }

  take(frame) {
    this.on.heard(frame);
    if (frame.type === "hello" && this.page && frame.epoch !== this.page.epoch) this.page = null;
    if (frame.type === "snapshot") this.renew(frame);
    if (frame.type === "delta") this.apply(frame);
    if (frame.type === "beat" && this.page && frame.last_seq > this.page.seq) this.ask();
  }

  renew(frame) {
    const { seq, state, log, epoch } = frame;
    this.page = { seq, state, log, epoch, samplesAt: frame.samples_at };
    this.on.snapshot(this.page, frame);
  }

  apply(frame) {
    if (!this.page) return this.ask();
    const verdict = judge(this.page, frame);
    if (verdict === "gap") return this.ask();
    if (verdict === "drop") return undefined;
    const samplesAt = later(cursor(this.page.samplesAt), cursor(frame.samples.to));
    this.page = { ...fold(this.page, frame.events), samplesAt };
    return this.on.delta(this.page, frame);
  }

  // Ask by HTTP for what is missing. One question at a time; its answer is judged like any other frame.
  ask() {
    if (this.asking) return this.asking;
    const url = this.world.feedUrl + this.place();
    this.asking = this.world
      .fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "manual" })
      .then((response) => {
        if (response.type === "opaqueredirect") this.end(4401); // to the sign-in page
        if (response.status === 403 || response.status === 404) this.end(4403);
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      })
      .then((frame) => this.take(frame))
      .finally(() => {
        this.asking = null;
      });
    return this.asking.catch(() => {});
  }

  lost(code) {
    this.clear("silence");
    if (this.stopped) return;
    if (FOR_GOOD.includes(code)) {
      this.end(code);
      return;
    }
    this.failures += 1;
    if (this.failures >= FAILURES_BEFORE_POLLING) this.poll();
    else this.setLink("down");
    this.set("connect", waitMs(this.failures, this.world.random), () => this.connect());
  }

  poll() {
    if (this.timers.poll !== undefined || this.stopped) return;
    const turn = async () => {
      const asked = this.asking === null;
      const answered = await (asked ? this.askOnce() : this.asking.then(() => true, () => false));
      if (this.link !== "up") this.setLink(answered ? "polling" : "down");
      if (this.timers.poll !== undefined) this.set("poll", POLL_MS, turn);
    };
    this.set("poll", 0, turn);
  }

  askOnce() {
    this.ask();
    return this.asking.then(() => true, () => false);
  }

  end(code) {
    this.stop();
    this.setLink("closed");
    this.on.closed(code);
  }

  setLink(state) {
    if (this.link === state) return;
    this.link = state;
    this.on.link(state);
  }

  set(name, ms, act) {
    this.clear(name);
    this.timers[name] = this.world.setTimeout(act, ms);
  }

  clear(name) {
    if (this.timers[name] !== undefined) this.world.clearTimeout(this.timers[name]);
    delete this.timers[name];
  }
}
