// Draws the charts of a page with Observable Plot from the JSON islands beside them. Every figure that is drawn here
// is also in a table below the chart.
"use strict";

const HOUR = 1, DAY = 24;
const narrow = (width) => width < 560;
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Clicks are whole: between one click and none there is no tick.
function whole(value) {
  return Number.isInteger(value) ? d3.format(",")(value) : "";
}

function age(span) {
  return (hours) => (span > 4 * DAY ? `${Math.round(hours / DAY)} d` : `${Math.round(hours / HOUR)} h`);
}

// Hours of a day as on a 24-hour clock, and the day itself at midnight. The dates are local times written as UTC.
function clock(step) {
  return (date) => d3.utcFormat(step === "day" || (!date.getUTCHours() && !date.getUTCMinutes()) ? "%-d %b" : "%H:%M")(date);
}

// The points of a curve within the chart; the last one is on its edge, between two points.
function within(points, span) {
  const beyond = points.findIndex((point) => point.hours > span);
  if (beyond < 1) return points;
  const [from, to] = [points[beyond - 1], points[beyond]];
  const clicks = from.clicks + (to.clicks - from.clicks) * (span - from.hours) / (to.hours - from.hours);
  return [...points.slice(0, beyond), { ...to, hours: span, clicks }];
}

function clip(text, most) {
  const letters = [...text];
  return letters.length > most ? letters.slice(0, most - 1).join("") + "…" : text;
}

const drawings = {
  // The clicks of an issue since it was sent, others at the same age behind it.
  course(data, width) {
    const own = data.courses.find((course) => course.own);
    const flat = (course) => course.points.map(([hours, clicks]) => ({ hours, clicks, title: course.title }));
    const mine = own ? flat(own) : [];
    const reached = mine.length ? mine[mine.length - 1].hours : 0;
    const span = Math.min(Math.max(reached * 1.15, 72), 336);
    const drawn = within(mine, span);
    const others = data.courses.filter((course) => !course.own).flatMap((course) => within(flat(course), span));
    const inform = (row) => `${clip(row.title, 40)}\n${d3.format(",.0f")(row.clicks)} clicks after ${d3.format(".3~g")(row.hours)} h`;
    return Plot.plot({
      width, height: narrow(width) ? 250 : 330, marginTop: 30, marginLeft: 58, marginBottom: 38, marginRight: 16,
      x: { domain: [0, span], label: "time since sending", tickFormat: age(span), ticks: d3.range(0, span + 1, span > 200 ? 48 : span > 100 || narrow(width) ? 24 : 12) },
      y: { label: "clicks", grid: true, nice: true, zero: true, tickFormat: whole },
      marks: [
        Plot.line(others, { x: "hours", y: "clicks", z: "title", stroke: ink("--quiet"), strokeOpacity: 0.55, strokeWidth: 1.3 }),
        Plot.ruleX(data.marks.filter((hours) => hours <= span), { stroke: ink("--warn"), strokeDasharray: "4,3", strokeWidth: 1.5 }),
        Plot.areaY(drawn, { x: "hours", y: "clicks", fill: ink("--link"), fillOpacity: 0.12 }),
        Plot.line(drawn, { x: "hours", y: "clicks", stroke: ink("--link"), strokeWidth: 2.6 }),
        Plot.dot(drawn.slice(-1), { x: "hours", y: "clicks", fill: ink("--link"), r: 4 }),
        Plot.ruleY([0], { stroke: ink("--line") }),
        Plot.tip([...others, ...drawn], Plot.pointer({ x: "hours", y: "clicks", title: inform, fill: ink("--card"), stroke: ink("--line") })),
      ],
    });
  },

  // Clicks of a link by hour or day.
  bars(data, width) {
    const rows = data.rows.map((row) => ({ ...row, local: new Date(row.local) }));
    const step = rows.some((row) => row.step === "day") ? "day" : "hour";
    return Plot.plot({
      width, height: 230, marginTop: 30, marginLeft: 52, marginBottom: 36,
      x: { type: "utc", label: `${step}, ${data.zone}`, tickFormat: clock(step) },
      y: { label: "clicks", grid: true, zero: true, tickFormat: whole },
      marks: [
        Plot.rectY(rows, { x: "local", interval: step, y: "human", fill: ink("--link"), inset: 0 }),
        Plot.ruleY([0], { stroke: ink("--line") }),
      ],
    });
  },

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
