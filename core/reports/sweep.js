"use strict";
// A search over parameter sets: a heatmap of two parameters, and the best sets on both parts of the bars.
const MOST = 40; // Values of a parameter that have a row or column each; more are put together in ranges.
let sets = null;
async function readSweep() {
  const page = JSON.parse(document.getElementById("document").textContent);
  for (const part of ["params", "seen"])
    for (const [name, packed] of Object.entries(page[part])) page[part][name] = await unpackJson(packed);
  return page;
}
const short = (value) => (value === null ? "" : Math.abs(value) >= 100 || Number.isInteger(value) ? fixed(value, 0) : fixed(value, 2));
const plain = (value) => String(Number(value.toPrecision(8)));
// Rows or columns of a heatmap: each value, or ranges with as many sets in each.
function steps(values) {
  const all = [...new Set(values)].sort((a, b) => a - b);
  if (all.length <= MOST) return all.map((one) => ({ low: one, high: one, label: plain(one) }));
  const size = Math.ceil(all.length / MOST);
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => {
    const some = all.slice(i * size, (i + 1) * size);
    return { low: some[0], high: some.at(-1), label: some.length > 1 ? `${plain(some[0])} to ${plain(some.at(-1))}` : plain(some[0]) };
  });
}
const placeOf = (edges, value) => {
  let at = 0;
  while (at < edges.length - 1 && edges[at].high < value) at++;
  return at;
};
function together(values, how, risk) {
  const sorted = values.filter((one) => one !== null).sort((a, b) => a - b);
  if (!sorted.length) return null;
  if (how === "best") return risk ? sorted[0] : sorted.at(-1);
  if (how === "worst") return risk ? sorted.at(-1) : sorted[0];
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
// Colours go by rank where nothing is lost or won, else green above nothing and red below.
function shading(shown, figure) {
  const signed = shown.some((one) => one < 0) && !figure.risk;
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const most = Math.max(Math.abs(low), Math.abs(high), 1e-12);
  return (value) => {
    const share = signed ? Math.abs(value) / most : high > low ? (value - low) / (high - low) : 0.5;
    const color = signed ? (value >= 0 ? "up" : "down") : figure.risk ? "down" : "up";
    return `background:color-mix(in srgb, var(--${color}) ${Math.round(60 * share)}%, var(--ground))`;
  };
}
function heatTable(across, down, figure, how) {
  const [columns, rows] = [across, down].map((name) => (name === null ? [{ label: "" }] : steps(sets.params[name])));
  const cellsOf = rows.map(() => columns.map(() => []));
  const values = sets.seen[figure.name];
  values.forEach((value, i) => {
    const [x, y] = [[across, columns], [down, rows]].map(([name, edges]) => (name === null ? 0 : placeOf(edges, sets.params[name][i])));
    cellsOf[y][x].push(value);
  });
  const shown = cellsOf.map((row) => row.map((some) => (some.length ? together(some, how, figure.risk) : null)));
  const known = shown.flat().filter((one) => one !== null);
  const shade = shading(known, figure);
  const first = sets.ranked.length ? sets.ranked[0] : null;
  const best = [[across, columns], [down, rows]].map(([name, edges]) => (first === null || name === null ? 0 : placeOf(edges, sets.params[name][first])));
  const body = rows.map((edge, y) => el("tr", {}, el("th", { scope: "row" }, edge.label), columns.map((one, x) => {
    const value = shown[y][x];
    const what = [across && `${across} ${one.label}`, down && `${down} ${edge.label}`].filter(Boolean).join(", ");
    const count = cellsOf[y][x].length;
    return value === null ? el("td", { "data-tip": `${what}: ${count ? "no figure" : "not tried"}`, tabIndex: -1 }, count ? "none" : "")
      : el("td", { className: first !== null && x === best[0] && y === best[1] ? "best" : "", style: shade(value), "data-heat": JSON.stringify(value), "data-tip": `${what}: ${figure.heading} ${short(value)}${count > 1 ? `, ${how} of ${count}` : ""}`, tabIndex: -1 }, short(value));
  })));
  const corner = [down, across].filter(Boolean).join(" \\ ");
  return table([th(corner), ...columns.map((one) => th(one.label))], body, "heat");
}
function showHeat(main) {
  const names = Object.keys(sets.params);
  const host = el("section", { id: "heat", "aria-label": "heatmap" }, el("h2", {}, "Two parameters"));
  const pick = (label, all, chosen) => el("select", { "aria-label": label, onchange: () => draw() }, all.map((one) => el("option", { value: one, selected: one === chosen }, one)));
  const figure = el("select", { "aria-label": "figure", onchange: () => draw() }, sets.figures.map((one) => el("option", { value: one.name, selected: one.name === sets.figure }, one.heading)));
  const across = pick("columns", names, names[0]);
  const down = names.length > 1 ? pick("rows", names, names[1]) : null;
  const how = pick("of several sets", ["middle", "best", "worst"], "middle");
  const said = el("p", { className: "soft", role: "status" });
  const body = el("div");
  host.append(el("div", { className: "tools" }, el("label", {}, "figure ", figure), el("label", {}, "columns ", across), down && el("label", {}, "rows ", down), names.length > 2 || down ? el("label", {}, "of several sets ", how) : null), said, body);
  const draw = () => {
    const shown = sets.figures.find((one) => one.name === figure.value);
    const same = down !== null && down.value === across.value;
    said.textContent = same ? "Columns and rows are one parameter: choose another for one of them."
      : `${shown.heading} on the bars that sets were chosen on: ${shown.meaning}${sets.ranked.length ? " The frame is where the best set is." : ""}`;
    body.replaceChildren(same ? "" : heatTable(across.value, down === null ? null : down.value, shown, how.value));
  };
  draw();
  main.append(host);
}
function showBest(main) {
  const host = el("section", { id: "best", "aria-label": "best sets" }, el("h2", {}, "The best sets, on the bars that they were chosen on and on the others"));
  main.append(host);
  if (!sets.ranked.length) return host.append(el("p", { className: "empty" }, "No set is ranked: fewer trades than asked for, or no figure to rank by."));
  const names = Object.keys(sets.params);
  const figures = sets.figures.filter((one) => one.best);
  const head = [th("rank"), ...names.map((one) => th(one)), ...figures.flatMap((one) => [th(one.heading, one.meaning), ...(sets.unseen ? [th(`unseen ${one.heading}`, `${one.meaning} On the bars that were kept back.`)] : [])])];
  const rows = sets.ranked.map((place, rank) => el("tr", { "data-set": place }, el("td", {}, String(rank + 1)),
    names.map((name) => el("td", {}, plain(sets.params[name][place]))),
    figures.flatMap(({ name }) => {
      const both = [[sets.seen[name][place], "seen"], ...(sets.unseen ? [[sets.unseen[name][rank], "unseen"]] : [])];
      return both.map(([value, part]) => el("td", { "data-part": part, "data-figure": name, "data-value": JSON.stringify(value) }, value === null ? "none" : short(value)));
    })));
  host.append(el("p", { className: "soft" }, sets.unseen ? "What is gone on the unseen bars was luck." : "No bars were kept back: nothing here is out of sample."), table(head, rows, "pair"));
}
document.addEventListener("DOMContentLoaded", async () => {
  explain();
  sets = await readSweep();
  document.getElementById("note").textContent = sets.note;
  document.getElementById("note").hidden = !sets.note;
  const main = document.getElementById("main");
  main.replaceChildren(el("section", { "aria-label": "what was searched" }, ...sets.about.map((line) => el("p", {}, line)), ...sets.verdict.map((line) => el("p", { className: "soft" }, line))));
  showHeat(main);
  showBest(main);
  document.documentElement.dataset.ready = "yes";
});
