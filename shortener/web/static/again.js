// Fetches the parts of the page that wait for something to be computed (data-again="id …"), until they are there.
"use strict";

const AGAIN_MS = 2000;

async function fetchAgain() {
  const waiting = document.querySelector("[data-again]");
  if (!waiting) return;
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok && !page.querySelector("[data-again]")) {
        for (const id of waiting.dataset.again.split(" ")) {
          const part = page.getElementById(id);
          if (part) document.getElementById(id)?.replaceWith(part);
        }
        return;
      }
    } catch {
      // The next attempt may reach the server.
    }
  }
  setTimeout(fetchAgain, AGAIN_MS);
}
setTimeout(fetchAgain, AGAIN_MS);
