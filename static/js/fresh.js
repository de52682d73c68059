// Keeps a page of lists up to date while somebody looks at it.

import { refresh } from "./regions.js";

const EVERY_MS = 15000;

setInterval(() => {
  if (!document.hidden) refresh(location.href).catch(() => {});
}, EVERY_MS);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh(location.href).catch(() => {});
});
