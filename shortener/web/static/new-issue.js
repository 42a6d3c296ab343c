// Lets files be dropped anywhere on the field of a new issue, says that a file is too large before it is sent, and pastes
// files. Without this script the file field and the text box do the same.
"use strict";

const zone = document.querySelector("[data-drop]");
const input = zone.querySelector("input[type=file]");
const text = zone.querySelector("textarea");

function check() {
  const large = [...input.files].some((file) => file.size > Number(input.dataset.most));
  input.setCustomValidity(large ? input.dataset.tooLarge : "");
  input.reportValidity();
}

// A CSV file joins the document that was chosen before, and a document joins the CSV file.
function add(files) {
  const all = new DataTransfer();
  const isTable = (file) => /\.csv$/i.test(file.name);
  const added = [...files];
  const kept = [...input.files].filter((old) => !added.some((file) => isTable(file) === isTable(old)));
  for (const file of [...kept, ...added]) all.items.add(file);
  input.files = all.files;
  check();
}

input.addEventListener("change", check);
for (const name of ["dragenter", "dragover"]) {
  zone.addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
zone.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  add(event.dataTransfer.files);
});
text.addEventListener("paste", (event) => {
  if (!event.clipboardData.files.length) return;
  event.preventDefault();
  add(event.clipboardData.files);
});
