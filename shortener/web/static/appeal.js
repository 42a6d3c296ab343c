// Draws the chart of a ranking with Observable Plot from the JSON island beside it. Every figure that is drawn here
// is also in a table below the chart.
"use strict";

const narrow = (width) => width < 560;
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function clip(text, most) {
  const letters = [...text];
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : text;
}

const drawings = {
  // Appeal with its 90 % interval, an article a line; 1 is the average article.
  appeal(data, width) {
    const small = narrow(width);
    const letters = small ? 18 : 42;
    const left = small ? 165 : 350;
    const rows = data.map((row) => ({ ...row, key: `${row.rank}`, low: Math.max(row.low, 0.05), high: Math.min(row.high, 20) }));
    const domain = [Math.min(0.5, d3.min(rows, (row) => row.low) / 1.05), Math.max(2, d3.max(rows, (row) => row.high) * 1.05)];
    const ticks = (small ? [0.1, 0.5, 1, 2, 10] : [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]).filter((tick) => tick >= domain[0] && tick <= domain[1]);
    const names = new Map(rows.map((row) => [row.key, `${row.rank}. ${clip(row.title, letters)}`]));
    return Plot.plot({
      width, height: rows.length * 26 + 56, marginLeft: left, marginRight: 20, marginTop: 36,
      x: { type: "log", domain, ticks, label: "compared with typical", labelAnchor: "left", axis: "top", tickFormat: (value) => `${value}×` },
      y: { domain: rows.map((row) => row.key), label: null, tickSize: 0, tickFormat: (key) => names.get(key) },
      marks: [
        Plot.gridX({ stroke: ink("--line"), strokeOpacity: 1, ticks }),
        Plot.ruleX([1], { stroke: ink("--quiet"), strokeDasharray: "3,3" }),
        Plot.ruleY(rows, { y: "key", x1: "low", x2: "high", stroke: (row) => row.top ? ink("--link") : ink("--quiet"), strokeWidth: 2.4, strokeLinecap: "round", strokeOpacity: 0.75 }),
        Plot.dot(rows, { y: "key", x: "appeal", r: 5, fill: (row) => row.gem ? ink("--warn") : row.top ? ink("--link") : ink("--quiet"), stroke: ink("--card"), strokeWidth: 1.5 }),
      ],
    });
  },
};

function draw() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(document.getElementById(`${place.dataset.chart}-data`).textContent);
    const chart = drawings[place.dataset.chart](data, Math.max(300, Math.round(place.clientWidth)));
    // The policy of these pages allows no style element; site.css has these rules.
    for (const style of chart.querySelectorAll("style")) style.remove();
    // To a screen reader the chart is one picture with one name; its parts have none.
    for (const part of chart.querySelectorAll("[aria-label], [aria-description]")) {
      part.removeAttribute("aria-label");
      part.removeAttribute("aria-description");
    }
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", place.dataset.label);
    place.replaceChildren(chart);
  }
}

let width = 0;
let later = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  cancelAnimationFrame(later);
  later = requestAnimationFrame(draw);
}).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
