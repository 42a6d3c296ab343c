// A link or form with data-swap="id" replaces that part of the page by the same part of the page that it leads to, so that the
// reader keeps the place. Without this script it leads there.
"use strict";

async function swap(id, url) {
  const part = document.getElementById(id);
  part.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(answer.statusText);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (!found) throw new Error("the page has no such part");
    const focused = document.activeElement?.dataset.key;
    part.replaceWith(found);
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    history.replaceState(null, "", url);
    document.dispatchEvent(new Event("swapped"));
  } catch {
    location.assign(url);
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  swap(link.dataset.swap, link.href);
});

function swapForm(form) {
  const url = new URL(form.action);
  url.search = new URLSearchParams(new FormData(form));
  swap(form.dataset.swap, url.href);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-swap]");
  if (form) swapForm(form);
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-swap]");
  if (!form) return;
  event.preventDefault();
  swapForm(form);
});
