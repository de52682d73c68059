// The page of a plan, live: follows the feed, shows what was folded and what was derived, and keeps the charts going.

import { Charts } from "./charts.js";
import { Feed } from "./feed.js";
import { freshness, pillWords, titlePrefix } from "./freshness.js";
import { left, leftWords } from "./pace.js";
import { glyph, lookOf, setChip, setText, setTone } from "./page.js";
import { refresh } from "./regions.js";
import { ago, grouped, utc } from "./times.js";

const SPEAK_EVERY_MS = 15000; // a screen reader is told of numbers at most so often
const TABLE_ROWS = 12;
const REFRESH_EVERY_MS = 15000; // for what only time changes, such as what is left of a soak
const PILL = { opening: ["link", "rest"], live: ["link", "ok"], quiet: ["link", "rest"], delayed: ["link-late", "wait"], stale: ["link-off", "bad"] };

const root = document.querySelector("[data-live]");
const title = document.title;
const chartsNode = document.querySelector("[data-charts]");
const charts = chartsNode ? new Charts(chartsNode, window.Plotly) : null;
const shownRun = Number(document.querySelector("[data-run]")?.dataset.run ?? 0);
let derived = null;
let heard = null;
let spokenAt = 0;

function show(page) {
  const { state } = page;
  for (const chip of document.querySelectorAll("[data-chip]")) {
    const [kind, name] = chip.dataset.chip.split(":");
    const status = kind === "phase" ? state.phases[name] : state[kind]?.status;
    if (status) setChip(chip, lookOf(kind, status));
  }
  if (derived) showDerived(state);
  showLog(page);
}

function showDerived(state) {
  const values = derived;
  const valueOf = (path) => path.split(".").reduce((value, key) => value?.[key], values);
  for (const node of document.querySelectorAll("[data-text]")) {
    const text = valueOf(node.dataset.text);
    if (text === undefined) continue;
    setText(node, text);
    node.hidden = !text;
  }
  for (const node of document.querySelectorAll("[data-moment]")) {
    const at = valueOf(node.dataset.moment);
    node.parentElement.hidden = !at;
    if (at) showMoment(node, at);
  }
  for (const node of document.querySelectorAll("[data-show]")) {
    const isOther = node.dataset.phase && node.dataset.phase !== derived.next_phase; // a button of an earlier phase
    node.hidden = isOther || !valueOf(node.dataset.show);
  }
  for (const node of document.querySelectorAll("[data-hide]")) node.hidden = Boolean(valueOf(node.dataset.hide));
  const now = document.querySelector("[data-now]");
  setTone(now, derived.look.tone);
  now.querySelector(".now-words > .glyph").replaceWith(glyph(derived.look.glyph));
  if (derived.run && derived.run.id === shownRun) showNumbers(state);
}

function showMoment(node, at) {
  const known = node.querySelector("time") ?? node.appendChild(document.createElement("time"));
  known.dateTime = at;
  known.title = utc(Date.parse(at));
  known.dataset.relative = "";
  setText(known, ago(Date.parse(at), Date.now()));
}

function showNumbers(state) {
  const [rows] = charts?.last("progress:rows") ?? [];
  const done = Math.max(rows ?? 0, derived.run.rows);
  const expected = derived.run.rows_expected;
  const isGoing = state.run?.status === "running" && !["hold", "retry"].includes(state.run.verdict);
  const lags = charts?.last("lag:") ?? [];
  const band = isGoing && charts ? left(charts.values("pace:rows_per_s"), done, expected) : null;
  number("rows", grouped(done));
  number("rows_per_s", isGoing ? grouped(charts?.last("pace:rows_per_s")[0]) : "–");
  number("batch_rows", grouped(charts?.last("pace:batch_rows")[0]));
  number("lag_s", lags.length ? Math.max(...lags).toFixed(2) : "–");
  number("left", isGoing ? leftWords(band) : "–");
  const bar = document.querySelector("[data-progress]");
  if (bar && expected) {
    bar.max = Math.max(expected, done);
    bar.value = done;
  }
  speak(done, expected);
}

// The newest events at once; the server's own list follows a moment later.
function showLog(page) {
  const list = document.querySelector(".log");
  for (const event of [...page.log].reverse()) {
    if (!list || document.getElementById(`e${event.seq}`)) continue;
    const row = document.createElement("li");
    row.id = `e${event.seq}`;
    const [seq, when, said] = ["span", "span", "span"].map((name) => row.appendChild(document.createElement(name)));
    seq.className = "seq";
    seq.textContent = event.seq;
    when.className = "muted";
    showMoment(when, event.at);
    said.textContent = `${event.text} – ${event.by}`;
    list.prepend(row);
  }
}

function number(name, text) {
  const node = document.querySelector(`[data-number="${name}"]`);
  if (node) setText(node, text);
}

function speak(done, expected) {
  const now = performance.now();
  const node = document.querySelector("[data-spoken]");
  if (!node || !expected || (spokenAt && now - spokenAt < SPEAK_EVERY_MS)) return;
  spokenAt = now;
  setText(node, `${Math.round((100 * done) / Math.max(expected, done))} percent, ${grouped(done)} of about ${grouped(expected)} rows.`);
}

function showTables() {
  for (const figure of document.querySelectorAll("[data-chart]")) {
    if (!figure.querySelector("details[open]") || !charts.charts.has(figure.dataset.chart)) continue;
    const body = figure.querySelector("[data-table]");
    body.replaceChildren(...charts.rows(figure.dataset.chart, TABLE_ROWS).map(([at, values]) => {
      const row = document.createElement("tr");
      const when = row.appendChild(document.createElement("td"));
      when.textContent = ago(at, Date.now());
      when.title = utc(at);
      for (const value of values) {
        const cell = row.appendChild(document.createElement("td"));
        cell.className = "figure";
        cell.textContent = grouped(value);
      }
      return row;
    }));
  }
}

function showFreshness() {
  const now = freshness(heard, performance.now(), feed.link);
  const pill = document.querySelector("[data-pill]");
  const [name, tone] = PILL[now.level];
  const words = feed.link === "closed" ? "Not live" : pillWords(now, feed.link);
  if (pill.dataset.said !== `${now.level} ${words}`) {
    pill.dataset.said = `${now.level} ${words}`;
    setTone(pill, tone);
    const said = document.createElement("span");
    said.textContent = words;
    pill.replaceChildren(glyph(name), said);
  }
  const isStale = now.level === "stale";
  chartsNode?.classList.toggle("is-stale", isStale && charts.isLive); // an old run's charts do not age
  if (isStale) number("left", "–");
  document.title = titlePrefix(now) + title;
}

// What the server draws as a whole is asked for after events, a moment later, so that a burst of them asks once.
let due = null;
function refreshRegions() {
  clearTimeout(due);
  due = setTimeout(async () => {
    const done = await refresh(location.href).catch(() => false);
    if (!done) due = setTimeout(refreshRegions, 2000);
  }, 150);
}

// Whether something changed that the server's own parts show, and not only figures, which change all the time.
let lasting = "";
function turned() {
  const { may, next_phase, back_phase, supervisor, blockers, run } = derived;
  const codes = blockers.map(({ code }) => code);
  const before = lasting;
  lasting = JSON.stringify([may, next_phase, back_phase, supervisor.alive, codes, run && [run.is_active, run.commands]]);
  return before !== "" && before !== lasting;
}

// A run that this page does not show, or buttons that it does not have: only the whole page can show those.
let reloading = false;
function needsWholePage(frame) {
  const run = frame.derived?.run?.id ?? derived?.run?.id ?? 0;
  const isBusy = document.querySelector("dialog[open]") || document.activeElement?.matches("input, textarea, select");
  return run !== shownRun && !isBusy;
}

function reload() {
  if (reloading) return;
  reloading = true;
  sessionStorage.setItem("scroll", String(window.scrollY));
  location.reload();
}

const feed = new Feed(
  {
    WebSocket: window.WebSocket,
    fetch: window.fetch.bind(window),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
    random: Math.random,
    socketUrl: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${root.dataset.socket}`,
    feedUrl: root.dataset.feed,
  },
  {
    snapshot(page, frame) {
      derived = frame.derived;
      if (needsWholePage(frame)) return reload();
      charts?.draw(frame.figures, frame.is_live);
      show(page);
      showTables();
      if (turned()) refreshRegions();
      return undefined;
    },
    delta(page, frame) {
      derived = frame.derived ?? derived;
      if (needsWholePage(frame)) return reload();
      if (charts) {
        if (Object.keys(frame.samples.points).some((key) => !charts.knows(key))) return reload();
        charts.extend(frame.samples.points, frame.samples.markers);
      }
      show(page);
      if (frame.events.length || turned()) refreshRegions();
      return undefined;
    },
    heard(frame) {
      if ("producer_age_ms" in frame) heard = { producerAgeMs: frame.producer_age_ms, atMs: performance.now() };
      showFreshness();
    },
    link: () => showFreshness(),
    closed(code) {
      showFreshness();
      if (code === 4401) location.assign(`/sign-in/?next=${encodeURIComponent(location.pathname)}`);
      else location.assign("/");
    },
  },
);

const scroll = sessionStorage.getItem("scroll");
if (scroll) {
  sessionStorage.removeItem("scroll");
  window.scrollTo(0, Number(scroll));
}
setInterval(showFreshness, 1000);
setInterval(() => charts && showTables(), 5000);
setInterval(() => !document.hidden && refreshRegions(), REFRESH_EVERY_MS);
document.addEventListener("visibilitychange", () => !document.hidden && charts?.schedule());
document.addEventListener("close", () => charts?.schedule(), true); // a question was answered: close does not bubble
document.addEventListener("lockstep:theme", () => charts?.repaint());
document.addEventListener("lockstep:sent", () => feed.ask());
window.addEventListener("pagehide", () => feed.stop());
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
feed.start();
