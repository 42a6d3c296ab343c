// Counts the selected rows of a list of articles, and selects a range with shift. Without this script each row is selected
// by itself.
"use strict";

for (const form of document.querySelectorAll("form:has(.rows)")) {
  const boxes = [...form.querySelectorAll("input[name=selected]")];
  const count = form.querySelector("[data-selected]");
  const unselected = count.textContent;
  let last = null;

  const show = () => {
    const selected = boxes.filter((box) => box.checked).length;
    count.textContent = selected ? count.dataset.selected.replace("{count}", selected) : unselected;
  };

  for (const box of boxes) {
    box.addEventListener("click", (event) => {
      if (event.shiftKey && last !== null) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const between of boxes.slice(from, to + 1)) {
          if (between.offsetParent !== null) between.checked = box.checked;
        }
      }
      last = box;
      show();
    });
  }
  show();
}
