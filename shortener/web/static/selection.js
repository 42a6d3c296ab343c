// Rows of a table that are selected by checkboxes: all of a page at once, and the actions only while one is selected.
// Without this script the checkboxes and the actions work too.
"use strict";

function show(form) {
  const boxes = [...form.querySelectorAll("tbody input[type=checkbox]")];
  const count = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-select-all]");
  all.hidden = false;
  all.checked = count > 0 && count === boxes.length;
  all.indeterminate = count > 0 && count < boxes.length;
  for (const button of form.querySelectorAll("[data-needs-selection]")) button.hidden = !count;
  const text = form.querySelector("[data-selected-count]");
  text.textContent = count ? text.dataset.selectedCount.replace("#", count) : "";
}

const showAll = () => document.querySelectorAll("form[data-selection]").forEach(show);

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-selection]");
  if (!form) return;
  if (event.target.matches("[data-select-all]")) {
    for (const box of form.querySelectorAll("tbody input[type=checkbox]")) box.checked = event.target.checked;
  }
  show(form);
});
document.addEventListener("swapped", showAll);
addEventListener("pageshow", showAll);
