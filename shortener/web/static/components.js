// What the components of each page do with a script: notices that leave, menus that close, buttons that copy. Without
// it a notice stays at the top of the page, a menu closes by its button, and text can be selected.
"use strict";

const SHOWN_MS = 10000;
const COPIED_MS = 2000;

// The notice of an edit, with its Undo, is at the bottom of the window for ten seconds. Afterwards the edit can be
// undone from the page's history.
for (const toast of document.querySelectorAll(".toast")) {
  toast.classList.add("floating");
  let timer = 0;
  const wait = () => { clearTimeout(timer); timer = setTimeout(() => { toast.hidden = true; }, SHOWN_MS); };
  const stay = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, stay);
  for (const name of ["mouseleave", "focusout"]) toast.addEventListener(name, wait);
  wait();
}

const openMenus = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary").focus();
  }
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  const before = button.textContent;
  button.textContent = button.dataset.done || "Copied";
  setTimeout(() => { button.textContent = before; }, COPIED_MS);
});
