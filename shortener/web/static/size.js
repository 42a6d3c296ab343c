// Says that a file is too large before it is sent; the server says so, too.
"use strict";

for (const input of document.querySelectorAll("input[data-most]")) {
  input.addEventListener("change", () => {
    const large = [...input.files].some((file) => file.size > Number(input.dataset.most));
    input.setCustomValidity(large ? "This file is larger than 5 MB, which is the most. Keep images on a web server, or split the issue." : "");
    input.reportValidity();
  });
}
