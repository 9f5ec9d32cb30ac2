"use strict";
// What every page draws with: elements, numbers as text, packed columns, charts that move together.
const el = (tag, given = {}, ...inside) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list" && name !== "role") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...inside.flat().filter((one) => one !== null && one !== undefined));
  return made;
};
const clock = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const day = (ms) => new Date(ms).toISOString().slice(0, 10);
const fixed = (value, digits) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const digitsOf = (value, most) => Math.min(12, Math.max(2, most - 1 - Math.floor(Math.log10(Math.abs(value) || 1))));
const money = (value) =>
  value === null ? "none" : value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: Math.abs(value) >= 10 || !value ? 2 : digitsOf(value, 4) });
const quoted = (value) => (value === null ? "" : value.toLocaleString("en-US", { maximumSignificantDigits: 8 }));
const percent = (value, digits = 2) => (value === null ? "none" : `${fixed(value, digits)} %`);
const lasting = (ms) => {
  const [days, hours, minutes] = [Math.floor(ms / 864e5), Math.floor(ms / 36e5) % 24, Math.floor(ms / 6e4) % 60];
  return days ? `${days} d ${hours} h` : hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(ms / 1e3)} s`;
};
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const COLORS = ["#2f7de1", "#e08600", "#0f9d67", "#d6403f", "#8a5cf0", "#0797ad", "#d94691", "#6f9a12", "#c2620c", "#5b64e6"];
const HOLDS = ["#7d8590", "#a0772c", "#5f7f9f", "#8c6d9c"];

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
const unpackJson = async (text) => JSON.parse(new TextDecoder().decode(await inflated(text)));
async function wholes(text) {
  const bytes = await inflated(text);
  const count = bytes.length / 4;
  const found = new Int32Array(count);
  for (let i = 0; i < count; i++)
    found[i] = bytes[i] | (bytes[count + i] << 8) | (bytes[2 * count + i] << 16) | (bytes[3 * count + i] << 24);
  return found;
}
async function unpack({ digits, data }) {
  const steps = await wholes(data);
  const scale = 10 ** digits;
  const found = new Float64Array(steps.length);
  let sum = 0;
  for (let i = 0; i < steps.length; i++) found[i] = (sum += steps[i]) / scale;
  return found;
}
function unpackTimes(stretches) {
  const found = new Float64Array(stretches.reduce((sum, one) => sum + one[2], 0));
  let at = 0;
  for (const [first, step, count] of stretches) for (let i = 0; i < count; i++) found[at++] = first + i * step;
  return found;
}
async function unpackBars(packs) {
  const [jump, body, above, below] = await Promise.all(["jump", "body", "above", "below"].map((name) => wholes(packs[name])));
  const [scale, count] = [10 ** packs.digits, jump.length];
  const [open, high, low, close] = [0, 1, 2, 3].map(() => new Float64Array(count));
  for (let i = 0, last = 0; i < count; i++) {
    const first = last + jump[i];
    last = first + body[i];
    open[i] = first / scale;
    close[i] = last / scale;
    high[i] = (Math.max(first, last) + above[i]) / scale;
    low[i] = (Math.min(first, last) - below[i]) / scale;
  }
  return { name: packs.name, symbol: packs.symbol, step: packs.step, ts: unpackTimes(packs.times), open, high, low, close };
}
// The first place in ascending values that is not below the wanted one.
function place(values, wanted) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
// Candles in groups of 4, 16, 64 …, so that no more are drawn than there are pixels.
function pyramid(bars) {
  const levels = [bars];
  while (levels.at(-1).ts.length > 500) {
    const under = levels.at(-1);
    const count = Math.ceil(under.ts.length / 4);
    const [ts, open, high, low, close] = [0, 1, 2, 3, 4].map(() => new Float64Array(count));
    for (let i = 0; i < count; i++) {
      const [first, end] = [4 * i, Math.min(4 * i + 4, under.ts.length)];
      [ts[i], open[i], close[i], high[i], low[i]] = [under.ts[first], under.open[first], under.close[end - 1], under.high[first], under.low[first]];
      for (let k = first + 1; k < end; k++) {
        if (under.high[k] > high[i]) high[i] = under.high[k];
        if (under.low[k] < low[i]) low[i] = under.low[k];
      }
    }
    levels.push({ step: under.step * 4, ts, open, high, low, close });
  }
  return levels;
}
// A stretch of time that several charts show together.
class View {
  constructor(first, last, least) {
    Object.assign(this, { first, last, least, min: first, max: last, charts: [], waits: false });
  }
  set(min, max) {
    const whole = this.last - this.first || this.least;
    const width = Math.min(Math.max(max - min, this.least), whole * 1.1);
    const middle = Math.min(Math.max((min + max) / 2, this.first), this.last);
    this.min = middle - width / 2;
    this.max = middle + width / 2;
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }
  draw() {
    for (const chart of this.charts) chart.move(this.min, this.max);
  }
  pan(share) {
    const by = (this.max - this.min) * share;
    this.set(this.min + by, this.max + by);
  }
  zoom(factor, at = (this.min + this.max) / 2) {
    this.set(at - (at - this.min) * factor, at + (this.max - at) * factor);
  }
  all() {
    this.set(this.first, this.last);
  }
}
const KEYS = { ArrowLeft: (v) => v.pan(-0.2), ArrowRight: (v) => v.pan(0.2), "+": (v) => v.zoom(0.6), "=": (v) => v.zoom(0.6), "-": (v) => v.zoom(1.7), 0: (v) => v.all() };
// Wheel and pinch zoom, dragging moves, a double click shows all; keys do the same.
function steer(plot, host, view) {
  const fingers = new Map();
  const share = (x) => plot.posToVal(x - plot.over.getBoundingClientRect().left, "x");
  plot.over.addEventListener("wheel", (event) => {
    if (!event.deltaY) return;
    event.preventDefault();
    view.zoom(event.deltaY > 0 ? 1.25 : 0.8, share(event.clientX));
  }, { passive: false });
  plot.over.addEventListener("dblclick", () => view.all());
  plot.over.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event.clientX);
    plot.over.setPointerCapture(event.pointerId);
  });
  const gone = (event) => fingers.delete(event.pointerId);
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) plot.over.addEventListener(name, gone);
  plot.over.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = [...fingers.values()];
    fingers.set(event.pointerId, event.clientX);
    const after = [...fingers.values()];
    if (after.length === 1) return view.pan((before[0] - after[0]) / plot.over.clientWidth);
    const [was, is] = [before, after].map((one) => Math.abs(one[0] - one[1]) || 1);
    view.zoom(was / is, share((after[0] + after[1]) / 2));
  });
  host.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.target !== host) return;
    event.preventDefault();
    KEYS[event.key](view);
  });
}
// Times on an axis, UTC: months, days or hours by how far apart they are, with the year or day where it changes.
function timeTicks(_, ticks, __, ___, step) {
  const [head, from] = step >= 864e5 ? [4, 5] : [10, 11];
  return ticks.map((ms, i) => {
    const text = new Date(ms).toISOString();
    if (step >= 24192e5) return step >= 3e10 ? text.slice(0, 4) : text.slice(0, 7);
    const short = step >= 864e5 ? text.slice(from, 10) : text.slice(from, 16);
    const isNew = !i || new Date(ticks[i - 1]).toISOString().slice(0, head) !== text.slice(0, head);
    return isNew ? `${short}\n${text.slice(0, head)}` : short;
  });
}
const timeAxis = () => axis({ values: timeTicks, space: 80 });
const axis = (more) => ({ stroke: () => ink("soft"), grid: { stroke: () => ink("grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui", ...more });
function makePlot(host, options, data, height) {
  const box = el("div");
  host.append(box);
  const width = () => Math.max(200, box.clientWidth);
  const plot = new uPlot({
    width: width(), height, ms: 1, tzDate: (ms) => uPlot.tzDate(new Date(ms), "UTC"), legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } }, ...options,
  }, data, box);
  new ResizeObserver(() => plot.width !== width() && plot.setSize({ width: width(), height })).observe(box);
  return plot;
}
const frame = (host, label) => {
  const chart = el("div", { className: "chart", tabIndex: 0, role: "group" });
  chart.setAttribute("aria-label", `${label}. Arrow keys move, plus and minus zoom, 0 shows all.`);
  host.append(chart);
  return chart;
};
// The range of a logarithmic axis, as near as its values: not whole powers of ten, which leave most of it empty.
const nearRange = (_, low, high) => (low > 0 && high > 0 ? [low / (high / low) ** 0.04 / 1.002, high * (high / low) ** 0.04 * 1.002] : [0.1, 10]);
// Round numbers between two positive ones: in even steps where they are near, else 1, 2 and 5 of each power of ten.
function niceTicks(_, __, low, high) {
  const base = 10 ** Math.floor(Math.log10(high / low < 10 ? (high - low) / 5 : low));
  if (high / low < 10) {
    const step = [1, 2, 5, 10].find((one) => 5 * one * base >= high - low) * base;
    return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, i) => (Math.ceil(low / step) + i) * step);
  }
  const found = [];
  for (let power = base; power <= high; power *= 10) found.push(...[1, 2, 5].map((one) => one * power).filter((one) => one >= low && one <= high));
  return found;
}
// Lines over one column of times; each of `lines` has label, color, values, and dash where it is dashed.
function lineChart(host, { label, times, lines, view, format, height = 260, log = false, upside = false }) {
  const chart = frame(host, label);
  const readout = el("div", { className: "readout" });
  chart.append(readout);
  const shown = lines.map(() => el("span"));
  const when = el("span", { className: "soft" });
  readout.append(when);
  const plot = makePlot(chart, {
    scales: { x: { time: true }, y: { distr: log ? 3 : 1, dir: upside ? -1 : 1, ...(log ? { range: nearRange } : {}) } },
    axes: [timeAxis(), axis({ size: 64, ...(log ? { splits: niceTicks, filter: (_, ticks) => ticks } : {}), values: (_, ticks) => ticks.map((one) => (one === null ? "" : format(one))) })],
    series: [{}, ...lines.map((one) => ({ stroke: one.color, width: one.width ?? 1.5, dash: one.dash, points: { show: false }, spanGaps: false, show: one.show !== false, fill: one.fill }))],
    hooks: { setCursor: [(u) => tell(u.cursor.idx ?? times.length - 1)] },
  }, [times, ...lines.map((one) => one.values)], height);
  lines.forEach((one, i) => {
    const button = el("button", { type: "button", onclick: () => {
      plot.setSeries(i + 1, { show: !plot.series[i + 1].show });
      button.setAttribute("aria-pressed", plot.series[i + 1].show);
    } }, el("i", { style: `background:${one.color}` }), one.label, shown[i]);
    button.setAttribute("aria-pressed", one.show !== false);
    readout.append(button);
  });
  const tell = (i) => {
    when.textContent = times.length ? clock(times[i]) : "";
    lines.forEach((one, k) => (shown[k].textContent = one.values[i] === null || one.values[i] === undefined ? "" : format(one.values[i])));
  };
  tell(times.length - 1);
  const move = (min, max) => plot.setScale("x", { min, max });
  view.charts.push({ move, redraw: () => plot.redraw() });
  steer(plot, chart, view);
  return plot;
}
function tools(host, view, ...more) {
  const button = (text, label, act) => el("button", { type: "button", onclick: act, "aria-label": label }, text);
  host.append(el("div", { className: "tools" },
    button("−", "zoom out", () => view.zoom(1.7)), button("+", "zoom in", () => view.zoom(0.6)),
    button("◀", "earlier", () => view.pan(-0.5)), button("▶", "later", () => view.pan(0.5)), button("all", "show all", () => view.all()), ...more));
}
// `stack`: on a narrow screen each row is a block that names its cells, since its texts would scroll out of sight.
const table = (headings, rows, className = "") => {
  if (className === "stack") for (const row of rows) [...row.cells].forEach((cell, i) => (cell.dataset.head = headings[i].textContent));
  return el("div", { className: "scroll", tabIndex: 0 }, el("table", { className }, el("thead", {}, el("tr", {}, headings)), el("tbody", {}, rows)));
};
const th = (text, tip) => el("th", { scope: "col" }, tip ? el("span", { "data-tip": tip, tabIndex: 0 }, text) : text);
const cells = (...texts) => el("tr", {}, texts.map((one) => (one instanceof Node ? one : el("td", {}, one))));
const redrawAll = [];
document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("theme")?.addEventListener("click", () => {
    const root = document.documentElement;
    root.dataset.theme = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
    for (const redraw of redrawAll) redraw();
  });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redrawAll.forEach((redraw) => redraw()));

// One box for all explanations: on hover, on focus and on touch; Escape closes it.
function explain() {
  const tip = el("div", { id: "tip", role: "tooltip", hidden: true });
  document.body.append(tip);
  const close = () => (tip.hidden = true);
  const open = (event) => {
    const about = event.target.closest?.("[data-tip]");
    if (!about) return close();
    tip.textContent = about.dataset.tip;
    tip.hidden = false;
    const box = about.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(box.left, innerWidth - tip.offsetWidth - 8)) + scrollX}px`;
    tip.style.top = `${box.bottom + 6 + scrollY}px`;
  };
  for (const name of ["mouseover", "focusin", "click"]) document.addEventListener(name, open);
  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
}
