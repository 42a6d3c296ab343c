// Countries and languages are stored as codes; where a browser knows their names, it writes them.
"use strict";

const KINDS = { country: "region", language: "language" };

for (const place of document.querySelectorAll("[data-code]")) {
  const code = place.textContent;
  try {
    const name = new Intl.DisplayNames(document.documentElement.lang, { type: KINDS[place.dataset.code], fallback: "none" }).of(code);
    if (name) {
      place.textContent = name;
      place.title = code;
    }
  } catch {
    // No such code: it stays as it is.
  }
}
