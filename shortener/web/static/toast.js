// Shows the notice of an edit, with its Undo, at the bottom of the window for ten seconds. Afterwards the edit can be
// undone from the page's history. Without this script the notice stays at the top of the page.
"use strict";

const SHOWN_MS = 10000;

for (const toast of document.querySelectorAll(".toast")) {
  toast.classList.add("floating");
  let timer = 0;
  const wait = () => { clearTimeout(timer); timer = setTimeout(() => { toast.hidden = true; }, SHOWN_MS); };
  const stay = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, stay);
  for (const name of ["mouseleave", "focusout"]) toast.addEventListener(name, wait);
  wait();
}
