// What the components of each page do with a script: notices that leave, menus that close, buttons that copy, forms
// that work in place. Without it a notice stays at the top of the page, a menu closes by its button, text can be
// selected, and a form loads the page again.
"use strict";

const SHOWN_MS = 10000;
const COPIED_MS = 2000;
const CHECK_MS = 300;
const MAX_FRAME_PX = 6000;

// The notice of an edit, with its Undo, is at the bottom of the window for ten seconds. Afterwards the edit can be
// undone from the page's history.
function float(toast) {
  toast.classList.add("floating");
  let timer = 0;
  const wait = () => { clearTimeout(timer); timer = setTimeout(() => { toast.hidden = true; }, SHOWN_MS); };
  const stay = () => clearTimeout(timer);
  for (const name of ["mouseenter", "focusin"]) toast.addEventListener(name, stay);
  for (const name of ["mouseleave", "focusout"]) toast.addEventListener(name, wait);
  wait();
}

// What is done with new content: when the page was loaded, and when a part of it was replaced.
function prepare() {
  for (const toast of document.querySelectorAll(".toast:not(.floating)")) float(toast);
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  for (const frame of document.querySelectorAll("iframe[data-fit]")) {
    fit(frame);
  }
}
document.addEventListener("load", ({ target }) => { if (target.matches?.("iframe[data-fit]")) fit(target); }, true);

// A button copies the text of an element; with data-copy-as="html", the text is HTML and is copied as formatted text.
function copy(text, kind) {
  if (kind !== "html" || !window.ClipboardItem) return navigator.clipboard.writeText(text);
  const plain = new DOMParser().parseFromString(text, "text/html").body.textContent;
  const blobs = { "text/html": text, "text/plain": plain };
  for (const type of Object.keys(blobs)) blobs[type] = new Blob([blobs[type]], { type });
  return navigator.clipboard.write([new ClipboardItem(blobs)]);
}

// A frame with a document of ours is as high as its content.
function fit(frame) {
  const content = frame.contentDocument && frame.contentDocument.documentElement;
  if (content) frame.style.height = `${Math.min(MAX_FRAME_PX, content.scrollHeight + 2)}px`;
}

prepare();

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

document.addEventListener("swapped", prepare);
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = "value" in source ? source.value : source.textContent;
  try {
    await copy(text, button.dataset.copyAs);
  } catch {
    if (source.select) source.select();
    else getSelection().selectAllChildren(source);
    if (!document.execCommand("copy")) return;
  }
  button.dataset.label ??= button.textContent; // not the text of now, which a second press finds changed
  button.textContent = button.dataset.done;
  setTimeout(() => { button.textContent = button.dataset.label; }, COPIED_MS);
});

// A form or link with data-in-place changes the page without loading it again, and keeps its place. So do the Undo
// buttons of such a page. What cannot be shown in place is loaded as usual.
const isInPlace = (element) => element.matches("[data-in-place]") ||
  (element.matches(".toast form, #history form") && document.querySelector("main [data-in-place]") !== null);

document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if (event.defaultPrevented || form.method !== "post" || form.dataset.usual || !isInPlace(form)) return;
  event.preventDefault();
  const fields = new FormData(form);
  if (button && button.name) fields.append(button.name, button.value);
  const answer = await send(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(fields), redirect: "manual" });
  const isSaved = answer && answer.type === "opaqueredirect";
  if (!await replace(isSaved ? await send(location.href) : answer, form)) {
    if (isSaved) return location.reload();
    form.dataset.usual = "yes";
    return form.requestSubmit(button); // so that what was entered can be sent again, or is there after going back
  }
  if (form.dataset.then === "copy") for (const copies of document.querySelectorAll("[data-copy]")) copies.click();
});

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-in-place]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.replaceState(null, "", link.href);
  if (!await replace(await send(link.href), link)) location.reload();
});

// A field with data-check-from has its error beside it while it is filled in; without a script when the form is sent.
let checking = 0;
document.addEventListener("input", ({ target }) => {
  if (!target.dataset.checkFrom) return;
  clearTimeout(checking);
  checking = setTimeout(checkField, CHECK_MS, target);
});

async function checkField(field) {
  const value = field.value;
  const answer = await send(`${field.dataset.checkFrom}?${new URLSearchParams({ [field.name]: value })}`);
  if (answer?.ok && !answer.redirected && field.value === value) showFieldError(field, (await answer.json()).error);
}

function showFieldError(field, text) {
  const id = `${field.id}-error`;
  document.getElementById(id)?.remove();
  for (const name of ["aria-invalid", "aria-describedby"]) field.removeAttribute(name);
  if (!text) return;
  const note = document.createElement("p");
  Object.assign(note, { id, className: "error", role: "alert", textContent: text });
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  field.after(note);
}

// A choice with the mouse submits the form; with the keyboard, whose arrows pass all choices, its button does.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("form[data-auto] select") && !field.matches(":focus-visible")) field.form.requestSubmit();
});

async function send(address, options) {
  try {
    return await fetch(address, options);
  } catch {
    return null;
  }
}

// Whether a text or choice is not the one that the page came with.
const isChanged = (field) => field.localName === "select" ? !field.selectedOptions[0]?.defaultSelected :
  "defaultValue" in field && !/^(checkbox|radio|hidden|file)$/.test(field.type) && field.value !== field.defaultValue;

// Whether two forms are about the same: a row may have another place on the new page.
const isSameForm = (one, other) => ["url", "format"].every((name) => one?.elements[name]?.value === other.elements[name]?.value);

async function replace(answer, source) {
  const isPage = answer && (answer.headers.get("Content-Type") || "").startsWith("text/html");
  const fresh = isPage && new DOMParser().parseFromString(await answer.text(), "text/html");
  const content = fresh && fresh.querySelector("main");
  // An error page has nothing that works in place. A page that waits for its content loads itself again, which it cannot
  // do in place.
  if (!content || !content.querySelector("[data-in-place]") || fresh.querySelector("script[src*='reload.js']")) return false;
  const main = document.querySelector("main");
  const own = source.closest("details[id]");
  const open = [...main.querySelectorAll("details[id][open]")].filter((each) => each !== own).map((each) => each.id);
  const place = source.closest("[id]"), id = place && place.id;
  const focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : "";
  const before = place ? place.getBoundingClientRect().top : 0;
  const unsaved = [...main.querySelectorAll("form [id][name]")].filter((field) => field.form !== source && isChanged(field));
  document.title = fresh.title;
  main.replaceChildren(...content.childNodes);
  for (const each of open) if (document.getElementById(each)) document.getElementById(each).open = true;
  for (const field of unsaved) {
    const same = document.getElementById(field.id);
    if (same && isSameForm(same.form, field.form)) same.value = field.value;
  }
  // The top of the page may be out of sight.
  for (const notice of main.querySelectorAll("[aria-live] > .note.good")) notice.classList.add("toast");
  document.dispatchEvent(new Event("swapped"));
  const now = id && id !== "main" && document.getElementById(id);
  if (now) window.scrollBy(0, now.getBoundingClientRect().top - before);
  const target = main.querySelector("[aria-invalid=true]") || (focused && document.getElementById(focused)) ||
    (now && now.querySelector("a[href], button, input:not([type=hidden]), select, textarea, summary")) || main;
  // What was pressed in a menu is closed now.
  (target.closest("details:not([open])")?.querySelector("summary") ?? target).focus({ preventScroll: true });
  return true;
}
// What an address with # names is shown, also in closed details, which older browsers would leave closed.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (!target?.closest("details:not([open])")) return;
  for (let part = target; part; part = part.parentElement) if (part.localName === "details") part.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();

// Of tabs in one row that is wider than the screen, the open one is in view.
for (const tab of document.querySelectorAll(".tabs [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 48;
