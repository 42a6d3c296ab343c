// Loads a page again that waits for something to be computed, while its tab is visible.
"use strict";

const PAUSE = 2000;
setTimeout(function reload() {
  if (document.hidden) document.addEventListener("visibilitychange", () => location.reload(), { once: true });
  else location.reload();
}, PAUSE);
