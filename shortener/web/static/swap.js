// A link or form with data-swap="id" replaces that part of the page by the same part of the page that it leads to, so that the
// reader keeps the place. Without this script it leads there.
"use strict";

const TYPING_MS = 250;
let request = new AbortController();
let typing = 0;

async function swap(id, url) {
  request.abort();
  request = new AbortController();
  const part = document.getElementById(id);
  part.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { signal: request.signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
    if (!found) throw new Error("the page has no such part");
    const focused = document.activeElement?.dataset.key;
    part.replaceWith(found);
    if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    history.replaceState(null, "", url);
    document.dispatchEvent(new Event("swapped"));
  } catch (error) {
    if (error.name !== "AbortError") location.assign(url);
  }
}

// A form that acts when a choice is made needs no button.
const hideButtons = () => document.querySelectorAll("form[data-swap] [data-unscripted]").forEach((button) => { button.hidden = true; });
hideButtons();
document.addEventListener("swapped", hideButtons);

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  swap(link.dataset.swap, link.href);
});

function swapForm(form) {
  const url = new URL(form.action);
  url.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  clearTimeout(typing);
  if (url.href !== location.href) swap(form.dataset.swap, url.href);
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-swap]");
  if (form) swapForm(form);
});
document.addEventListener("input", (event) => {
  const form = event.target.matches("[type=search]") && event.target.closest("form[data-swap]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(swapForm, TYPING_MS, form);
});
document.addEventListener("submit", (event) => {
  clearTimeout(typing);
  const form = event.target.closest("form[data-swap]:not([role=search])");  // Enter in a search loads the whole page
  if (!form) return;
  event.preventDefault();
  swapForm(form);
});
