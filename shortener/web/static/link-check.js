// Shows how far a link check is, and loads the page again when it has ended. Without this script a link does that.
"use strict";

const PAUSE = 1000;

for (const place of document.querySelectorAll("[data-progress-from]")) {
  const bar = place.querySelector("progress");
  const text = place.querySelector("[data-progress-text]");

  const ask = async () => {
    try {
      const check = await (await fetch(place.dataset.progressFrom, { headers: { Accept: "application/json" } })).json();
      if (check === null || check.finished_at !== null) {
        location.hash = "link-check";
        location.reload();
        return;
      }
      bar.value = check.done;
      text.textContent = text.dataset.progressText.replace("{done}", check.done).replace("{total}", check.total);
    } catch {
      // The server is away for a moment.
    }
    setTimeout(ask, PAUSE);
  };
  setTimeout(ask, PAUSE);
}
