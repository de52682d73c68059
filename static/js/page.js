// What every page has: the theme, times that go on, dialogs, forms that answer in place, and toasts.

import { ago } from "./times.js";

const looks = JSON.parse(document.getElementById("looks")?.textContent ?? "{}");

// A glyph of the sprite; words stand beside it.
export function glyph(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `glyph glyph-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#g-${name}`);
  svg.append(use);
  return svg;
}

export function lookOf(kind, status) {
  return looks[kind]?.[status] ?? { glyph: "pending", tone: "rest", words: "unknown" };
}

export function setTone(node, tone) {
  for (const name of [...node.classList]) if (name.startsWith("tone-")) node.classList.remove(name);
  node.classList.add(`tone-${tone}`);
}

export function setChip(node, look) {
  setTone(node, look.tone);
  const words = document.createElement("span");
  words.textContent = look.words;
  node.replaceChildren(glyph(look.glyph), words);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function toast(text, tone) {
  const notice = document.createElement("div");
  notice.className = `notice tone-${tone}`;
  const said = document.createElement("p");
  said.textContent = text;
  notice.append(glyph(tone === "bad" ? "failed" : "done"), said);
  document.querySelector("[data-toasts]").append(notice);
  setTimeout(() => notice.remove(), tone === "bad" ? 15000 : 6000);
}

function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-relative]")) setText(time, ago(Date.parse(time.dateTime), now));
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Send a form without leaving the page. The server answers in JSON what it would have said on the next page.
async function send(form) {
  const button = form.querySelector("button:not([type=button])");
  const problem = form.querySelector("[data-form-error]");
  form.setAttribute("aria-busy", "true");
  button.disabled = true;
  if (problem) problem.hidden = true;
  try {
    const response = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "manual",
    });
    if (response.type === "opaqueredirect") return form.submit(); // signed out meanwhile: let the browser follow
    const said = await response.json();
    if (said.ok) {
      form.closest("dialog")?.close();
      form.reset();
      for (const key of form.querySelectorAll('input[name="key"]')) key.value = newKey();
      toast(said.text, "ok");
    } else if (problem) {
      problem.textContent = said.text;
      problem.hidden = false;
      form.querySelector(`[name="${CSS.escape(said.field || "none")}"]`)?.focus();
    } else {
      toast(said.text, "bad");
    }
    document.dispatchEvent(new CustomEvent("lockstep:sent", { detail: said }));
  } catch {
    const words = "No answer came. It may or may not have been done: press it again, which is safe.";
    if (problem) {
      problem.textContent = words;
      problem.hidden = false;
    } else {
      toast(words, "bad");
    }
  } finally {
    form.removeAttribute("aria-busy");
    button.disabled = false;
  }
  return undefined;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-live-form]") && document.querySelector("[data-live]")) {
    event.preventDefault();
    send(form);
  } else if (form.dataset.busy) {
    const button = event.submitter ?? form.querySelector("button");
    setTimeout(() => {
      button.disabled = true;
      button.textContent = form.dataset.busy;
    });
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const dialog = opener && document.getElementById(opener.dataset.opens);
  if (dialog?.showModal) {
    event.preventDefault();
    dialog.showModal();
  }
  if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  const menu = document.querySelector(".person[open]");
  if (menu && !menu.contains(event.target)) menu.removeAttribute("open");
});

// Esc closes the menu as it closes dialogs; it never submits anything.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelector(".person[open]")?.removeAttribute("open");
});

const toggle = document.querySelector("[data-theme-toggle]");
if (toggle) {
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = getComputedStyle(root).colorScheme === "dark" || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = isDark ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch {
      // It holds for this page then.
    }
    document.dispatchEvent(new CustomEvent("lockstep:theme"));
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("lockstep:theme")));

tick();
setInterval(tick, 1000);
document.querySelector("[data-summary]")?.focus();
