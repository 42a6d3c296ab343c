// Links each badge in the frame of the click map with its row of the table, and back. Without this script a placement's
// link in the table shows its badge, and the badges have tooltips.
"use strict";

const frame = document.querySelector("iframe[name=issue]");
const rows = new Map();
for (const row of document.querySelectorAll("[data-badges]")) {
  for (const anchor of row.dataset.badges.split(" ")) rows.set(anchor, row);
}

function mark(anchors, chosen) {
  for (const anchor of anchors) {
    const badge = frame.contentDocument?.getElementById(anchor);
    if (badge) badge.toggleAttribute("data-chosen", chosen);
    rows.get(anchor)?.classList.toggle("chosen", chosen);
  }
}

function openRow(badge) {
  const row = rows.get(badge.id);
  const link = row?.querySelector(`a[href$="#${CSS.escape(badge.id)}"]`);
  if (!link) return;
  row.scrollIntoView({ block: "nearest" });
  link.focus();
}

function connect() {
  for (const badge of frame.contentDocument.querySelectorAll("shortener-badge[id]")) {
    if (!rows.has(badge.id) || badge.hasAttribute("role")) continue;
    badge.setAttribute("role", "link");
    badge.tabIndex = 0;
    badge.addEventListener("click", () => openRow(badge));
    badge.addEventListener("keydown", (event) => { if (event.key === "Enter") openRow(badge); });
    for (const [name, chosen] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      badge.addEventListener(name, () => mark([badge.id], chosen));
    }
  }
}

for (const row of new Set(rows.values())) {
  const anchors = row.dataset.badges.split(" ");
  for (const [name, chosen] of [["mouseenter", true], ["focusin", true], ["mouseleave", false], ["focusout", false]]) {
    row.addEventListener(name, () => mark(anchors, chosen));
  }
}
frame.addEventListener("load", connect);
if (frame.contentDocument?.readyState === "complete") connect();
