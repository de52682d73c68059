// Says what is wrong with a plan's form while it is filled in: the server checks, this puts the words at the field.

const WAIT_MS = 400;
const form = document.querySelector("[data-plan-form]");
const touched = new Set();
let due = null;
let asked = 0;

function problemNodes(problem) {
  const text = document.createElement("p");
  text.textContent = `${problem.fact} ${problem.remedy}`.trim();
  if (!problem.pointed) return [text];
  const [before, at, after] = problem.pointed;
  const pointed = document.createElement("pre");
  const mark = document.createElement("b");
  mark.textContent = at;
  pointed.append(before, mark, after);
  return [text, pointed];
}

function show(problems) {
  for (const field of form.querySelectorAll("[data-field]")) {
    const place = field.querySelector("[data-error]");
    const input = field.querySelector("input, select");
    if (!place || !input || !touched.has(input.name)) continue;
    const problem = problems[field.dataset.field];
    place.hidden = !problem;
    place.replaceChildren(...(problem ? problemNodes(problem) : []));
    if (problem) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

async function check() {
  const mine = (asked += 1);
  const response = await fetch(form.dataset.check, {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, credentials: "same-origin", redirect: "error",
  });
  if (response.ok && mine === asked) show((await response.json()).problems);
}

// An expression depends on the names beside it, so each change checks the whole form; only touched fields are told.
form.addEventListener("input", (event) => {
  touched.add(event.target.name);
  clearTimeout(due);
  due = setTimeout(() => check().catch(() => {}), WAIT_MS);
});
form.addEventListener("focusout", (event) => {
  if (!event.target.name || event.target.type === "hidden" || !event.target.value) return;
  touched.add(event.target.name);
  clearTimeout(due);
  due = setTimeout(() => check().catch(() => {}), WAIT_MS);
});
