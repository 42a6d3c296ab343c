// Shows the section of the picks as it would be with what the forms on the page contain, while they are filled in; only
// their buttons save. Without this script the preview changes when a form is saved.
"use strict";

const TYPING_MS = 300;
let typing = 0;
let isAsking = false;
let isOutdated = false;

const changedForms = () => [...document.querySelectorAll("form[data-preview]")].filter((form) => [...form.elements].some(isChanged));

async function preview() {
  isOutdated = true;
  if (isAsking) return;
  isAsking = true;
  while (isOutdated) {
    isOutdated = false;
    await ask();
  }
  isAsking = false;
}

async function ask() {
  const section = document.getElementById("section"), forms = changedForms();
  for (const part of section.querySelectorAll("[data-if-saved]")) part.hidden = forms.length > 0;
  for (const part of section.querySelectorAll("[data-if-unsaved]")) part.hidden = forms.length === 0;
  const fields = new URLSearchParams({ month: section.dataset.month, form: section.dataset.form });
  for (const [number, form] of forms.entries()) {
    fields.append(`kind-${number}`, form.dataset.preview);
    for (const [name, value] of new FormData(form)) fields.append(`${name}-${number}`, value);
  }
  const answer = await send(section.dataset.previewFrom, { method: "POST", body: fields });
  if (!answer?.ok || answer.redirected) return; // the preview stays as it was
  showSection(section, await answer.json());
}

function showSection(section, { text, error }) {
  const note = section.querySelector("[data-section-error]"), frame = section.querySelector("iframe");
  note.textContent = error;
  note.hidden = !error;
  if (error) return;
  if (!frame) {
    section.querySelector("#section-text").value = text;
  } else if (frame.contentDocument?.body) { // its policy lets no script run
    frame.contentDocument.body.innerHTML = text;
    fit(frame);
  }
}

const previewUnsaved = () => { if (changedForms().length) preview(); };

document.addEventListener("input", (event) => {
  if (!event.target.closest("form[data-preview]")) return;
  clearTimeout(typing);
  typing = setTimeout(preview, TYPING_MS);
});
// What is typed already when the page, its frame or a part of it is loaded.
document.addEventListener("load", (event) => { if (event.target.localName === "iframe") previewUnsaved(); }, true);
document.addEventListener("swapped", previewUnsaved);
addEventListener("pageshow", previewUnsaved);
