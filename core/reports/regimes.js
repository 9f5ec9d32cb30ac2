"use strict";
document.addEventListener("DOMContentLoaded", async () => {
  const page = JSON.parse(document.getElementById("document").textContent);
  const bars = await unpackBars(page.candles);
  const main = document.getElementById("main");
  document.getElementById("note").textContent = page.note;
  document.getElementById("note").hidden = !page.note;
  const swatch = (color) => el("i", { style: `color:${color}` }, "\u25a0 ");
  const legend = Object.entries(page.colors).flatMap(([name, color]) => [swatch(color), `${name}  `]);
  main.replaceChildren(el("p", {}, page.about), el("p", {}, legend));
  const view = new View(bars.ts[0], bars.ts.at(-1) + bars.step, SHORTEST * bars.step);
  const ground = (u) => paintSpans(u, page.spans, page.colors);
  tools(main, view);
  candleChart(main, { bars, label: `Candles of ${bars.name}`, view, ground });
  Object.entries(page.measures).forEach(([name, values], i) =>
    lineChart(main, { label: name, times: bars.ts, lines: [{ label: name, color: COLORS[i], values }], view, format: (one) => fixed(one, 2), height: 160 }));
  view.draw();
  redrawAll.push(() => view.charts.forEach((one) => one.redraw()));
  document.documentElement.dataset.ready = "yes";
});
