// Adds to the charts that the server drew a crosshair with the values at a place, for the mouse, touch and the keyboard.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, text = "") {
  const made = name === "line" || name === "circle" ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function addCrosshair(chart) {
  const data = chart.querySelector("script");
  if (!data || chart.dataset.ready) return;
  chart.dataset.ready = "yes";
  const rows = JSON.parse(data.textContent), names = JSON.parse(chart.dataset.names);
  const plot = chart.querySelector(".plot");
  const height = Number(plot.getAttribute("height"));
  const line = element("line", { class: "cross", y1: 20, y2: height - 26, visibility: "hidden" });
  const dots = names.map(() => element("circle", { class: "dot cross", r: 4, visibility: "hidden" }));
  plot.append(line, ...dots);
  const tip = element("div", { class: "tip", hidden: "" });
  const spoken = element("p", { class: "hidden", "aria-live": "polite" });
  chart.append(tip, spoken);
  plot.setAttribute("tabindex", "0");
  let at = -1;

  function show(index) {
    at = Math.max(0, Math.min(rows.length - 1, index));
    const [x, title, texts, heights] = rows[at];
    line.setAttribute("x1", `${x}%`);
    line.setAttribute("x2", `${x}%`);
    line.setAttribute("visibility", "visible");
    dots.forEach((dot, index) => {
      const y = heights[index];
      dot.setAttribute("visibility", y === undefined || y === null ? "hidden" : "visible");
      dot.setAttribute("cx", `${x}%`);
      dot.setAttribute("cy", y ?? 0);
    });
    const list = element("dl");
    texts.forEach((text, index) => {
      if (text) list.append(element("dt", {}, names[index]), element("dd", {}, text));
    });
    tip.replaceChildren(element("strong", {}, title), list);
    tip.hidden = false;
    const left = plot.getBoundingClientRect().left - chart.getBoundingClientRect().left + (x / 100) * plot.clientWidth;
    const beside = left + 14 + tip.offsetWidth > chart.clientWidth ? left - 14 - tip.offsetWidth : left + 14;
    tip.style.left = `${Math.max(0, Math.min(beside, chart.clientWidth - tip.offsetWidth))}px`;
  }

  function hide() {
    at = -1;
    tip.hidden = true;
    for (const part of [line, ...dots]) part.setAttribute("visibility", "hidden");
  }

  function follow(event) {
    const box = plot.getBoundingClientRect();
    const percent = (100 * (event.clientX - box.left)) / box.width;
    let nearest = 0;
    rows.forEach(([x], index) => {
      if (Math.abs(x - percent) < Math.abs(rows[nearest][0] - percent)) nearest = index;
    });
    show(nearest);
  }

  plot.addEventListener("pointermove", follow);
  plot.addEventListener("pointerdown", follow);
  plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - 12, PageDown: at + 12, Home: 0, End: rows.length - 1 };
    if (event.key === "Escape") hide();
    else if (event.key in steps) {
      event.preventDefault();
      show(at < 0 && event.key !== "End" ? 0 : steps[event.key]);
      spoken.textContent = tip.innerText;
    }
  });
}

const addCrosshairs = () => document.querySelectorAll(".chart").forEach(addCrosshair);
addCrosshairs();
document.addEventListener("swapped", addCrosshairs);
