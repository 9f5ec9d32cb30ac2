"use strict";
// A search over parameter sets: days of the best one, scores of all, heatmaps, the best ones on both parts, drift.
const MOST = 40; // Values of a parameter that have a row or column each; more are put together in ranges.
let sets = null;
async function readSweep() {
  const page = JSON.parse(document.getElementById("document").textContent);
  for (const part of ["params", "seen"])
    for (const [name, packed] of Object.entries(page[part])) page[part][name] = await unpackJson(packed);
  page.curves = await unpackJson(page.curves);
  for (const [name, packed] of Object.entries(page.scores)) page.scores[name] = await unpackJson(packed);
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
// The verdict stands first: what to think of the best set, then everything else.
function showJudged(main) {
  for (const one of sets.judged)
    main.append(el("section", { className: "judged", "aria-label": `verdict on ${one.of}` }, el("h2", {}, `Verdict: ${one.of}`), el("p", { className: "sentence" }, one.sentence),
      one.rows.length ? table(one.headings.map((text) => th(text)), one.rows.map((row) => el("tr", { className: row[1] === "passed" ? "" : "failed" }, row.map((text) => el("td", {}, text))))) : "",
      one.not_asked ? el("p", { className: "soft" }, one.not_asked) : ""));
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
// A line in two: the days that were chosen on, and from the last of them on the others.
function halves(line, column) {
  const cut = line.chosen_on;
  return [column.map((one, i) => (i < cut ? one : null)), column.map((one, i) => (i >= cut - 1 ? one : null))];
}
function showDays(main) {
  for (const [name, line] of Object.entries(sets.curves)) {
    const host = el("section", { className: "days", "aria-label": `days of ${name}` }, el("h2", {}, `Equity and drawdown: ${name}`));
    main.append(host);
    const [seen, open] = [line.chosen_on > 0, line.chosen_on < line.days.length];
    const about = !seen ? "No day of it was chosen on." : open ? `Blue: the days that it was chosen on. Orange: from ${day(line.days[line.chosen_on - 1])} on, days that it was not chosen on.` : "All of these days were chosen on: nothing here is out of sample.";
    host.append(el("p", { className: "soft" }, `What 1 became, at the end of each day, costs paid. ${about}`));
    const view = new View(line.days[0], line.days.at(-1), 864e5);
    const lines = (column) => {
      const [before, after] = halves(line, column);
      return [seen && { label: "chosen on", color: COLORS[0], values: before }, open && { label: "unseen", color: COLORS[1], values: after }].filter(Boolean);
    };
    tools(host, view);
    lineChart(host, { label: `Equity of ${name}`, times: line.days, lines: lines(line.equity), view, format: (one) => fixed(one, 3), height: 280 });
    lineChart(host, { label: `Drawdown of ${name}`, times: line.days, lines: lines(line.drawdown), view, upside: true, format: (one) => percent(100 * one, 1), height: 180 });
    view.draw();
    redrawAll.push(() => view.charts.forEach((one) => one.redraw()));
  }
}
const BINS = 40;
function showScores(main) {
  const own = Object.entries(sets.scores);
  const given = own.length ? own : [[sets.figures.find((one) => one.name === sets.figure).heading, sets.seen[sets.figure]]];
  const host = el("section", { id: "scores", "aria-label": "scores" }, el("h2", {}, "What all sets reached"));
  main.append(host);
  const inside = el("div", { className: "columns" });
  for (const [name, values] of given) {
    const known = values.filter((one) => one !== null);
    const none = values.length - known.length;
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const width = (high - low) / BINS || 1;
    const placeIn = (value) => Math.min(BINS - 1, Math.floor((value - low) / width));
    const counts = new Array(BINS).fill(0);
    for (const one of known) counts[placeIn(one)]++;
    const first = sets.ranked.length ? values[sets.ranked[0]] : null;
    const most = Math.max(...counts);
    const bars = counts.map((count, i) => {
      const [from, to] = [low + i * width, low + (i + 1) * width];
      const mine = first !== null && placeIn(first) === i;
      return el("div", { className: mine ? "chosen" : "", style: `height:${(100 * count) / most}%`, "data-count": count, "data-tip": `${short(from)} to ${short(to)}: ${fixed(count, 0)} sets${mine ? ", the chosen one among them" : ""}`, tabIndex: -1 });
    });
    const said = `${fixed(known.length, 0)} different sets${none ? `, and ${fixed(none, 0)} that have no such figure` : ""}; the chosen one${first === null ? ": none is ranked" : ` has ${short(first)} and is marked`}.`;
    inside.append(el("div", { "data-scores": name }, el("h3", {}, name), el("p", { className: "soft" }, said),
      known.length ? el("div", { className: "bins", role: "img", "aria-label": `${name}: ${said}` }, bars) : "",
      known.length ? el("div", { className: "scale" }, el("span", {}, short(low)), el("span", {}, short((low + high) / 2)), el("span", {}, short(high))) : ""));
  }
  host.append(el("p", { className: "soft" }, "On the bars that sets were chosen on. One that stands far from all others was lucky more often than good."), inside);
}
function showDrift(main) {
  if (sets.drift === null || !Object.keys(sets.drift.values).length) return;
  const host = el("section", { id: "drift", "aria-label": "drift" }, el("h2", {}, "What each window of the walk forward chose"));
  main.append(host);
  host.append(el("p", { className: "soft" }, "A rule that wants other values each time has found nothing."));
  const { times, values } = sets.drift;
  const view = new View(times[0], times.at(-1), 864e5);
  for (const [i, [name, chosen]] of Object.entries(values).entries())
    lineChart(host, { label: name, times, lines: [{ label: name, color: COLORS[i % COLORS.length], values: chosen }], view, format: plain, height: 130 });
  view.draw();
  redrawAll.push(() => view.charts.forEach((one) => one.redraw()));
}
document.addEventListener("DOMContentLoaded", async () => {
  explain();
  sets = await readSweep();
  document.getElementById("note").textContent = sets.note;
  document.getElementById("note").hidden = !sets.note;
  const main = document.getElementById("main");
  main.replaceChildren();
  showJudged(main);
  main.append(el("section", { "aria-label": "what was searched" }, ...sets.about.map((line) => el("p", {}, line)), ...sets.verdict.map((line) => el("p", { className: "soft" }, line))));
  showDays(main);
  showScores(main);
  showHeat(main);
  showBest(main);
  showDrift(main);
  document.documentElement.dataset.ready = "yes";
});
