// Brings parts of the page up to date from the server's own HTML: nodes marked data-region, by their name.
//
// A part in which somebody types, or in which a question is open, is left alone until they are done. Somebody who stands
// on a button with the keyboard stands on the same button afterwards.

export async function refresh(url, names) {
  const answer = await fetch(url, { credentials: "same-origin", redirect: "manual", headers: { Accept: "text/html" } });
  if (!answer.ok) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const regions = [...document.querySelectorAll("[data-region]")].filter((node) => !names || names.includes(node.dataset.region));
  return regions.map((node) => swap(node, fresh.querySelector(`[data-region="${node.dataset.region}"]`))).every(Boolean);
}

// True where the node is up to date afterwards.
export function swap(node, fresh) {
  if (!fresh || same(node, fresh)) return true;
  const active = node.contains(document.activeElement) ? document.activeElement : null;
  if (node.querySelector("dialog[open]") || active?.matches("input, textarea, select")) return false;
  const open = [...node.querySelectorAll("details[open][id]")].map(({ id }) => id);
  node.replaceChildren(...document.importNode(fresh, true).childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (active) standing(node, active)?.focus();
  return true;
}

// The button or link that does what the one did on which somebody stood.
function standing(node, active) {
  const deed = (each) => each.getAttribute("href") ?? each.closest("form")?.getAttribute("action");
  return [...node.querySelectorAll("a, button")].find((each) => deed(each) === deed(active) && !each.closest("[hidden]"));
}

// Times and one-time keys differ each time and mean nothing.
function same(node, fresh) {
  const stripped = [node, fresh].map((each) => {
    const copy = each.cloneNode(true);
    for (const time of copy.querySelectorAll("time")) time.textContent = "";
    for (const input of copy.querySelectorAll('input[name="csrfmiddlewaretoken"], input[name="key"]')) input.removeAttribute("value");
    return copy.innerHTML;
  });
  return stripped[0] === stripped[1];
}
