// Keeps the figures of an open report up to date: one small request every few seconds while the tab is seen.
"use strict";

const PAUSE = 5000, LONGEST = 60000;
const source = document.querySelector("[data-live-from]");
let pause = PAUSE;
let timer = 0;
let asked = Date.now();

async function refresh() {
  asked = Date.now();
  try {
    const answer = await fetch(source.dataset.liveFrom, { headers: { Accept: "application/json" } });
    if (answer.status === 401 || answer.status === 403 || answer.status === 404) return;
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    pause = PAUSE;
  } catch {
    pause = Math.min(2 * pause, LONGEST);
  }
  wait();
}

function show(figures) {
  for (const place of document.querySelectorAll("[data-live]")) {
    const text = figures[place.dataset.live];
    if (text === undefined || text === place.textContent) continue;
    place.textContent = text;
    place.classList.remove("changed");
    void place.offsetWidth;
    place.classList.add("changed");
  }
}

// Counted from the last request, so that looking away and back again asks no sooner.
function wait() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(refresh, Math.max(0, asked + pause - Date.now()));
}

document.addEventListener("visibilitychange", wait);
wait();
