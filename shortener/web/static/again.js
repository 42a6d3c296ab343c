// Fetches the parts of the page that wait for something to be computed (data-again="id …"), until they are there.
"use strict";

const AGAIN_MS = 2000;

async function fetchAgain() {
  const waiting = document.querySelector("[data-again]");
  if (!waiting) return;
  if (!document.hidden) {
    try {
      const address = location.href;
      const answer = await fetch(address);
      if (answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      // After a choice on the page, the answer is for the address before it.
      if (answer.ok && location.href === address && !page.querySelector("[data-again]")) {
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
