"use strict";
const shortcut = (name) => document.getElementById(name);
const WIDE = 4; // Highest over lowest worth, from which on equity is drawn on a logarithmic axis at first.
let model = null;
let chosen = 0;

async function readDocument() {
  const page = JSON.parse(shortcut("document").textContent);
  page.candles = await Promise.all(page.candles.map(unpackBars));
  for (const run of page.runs) {
    for (const curve of [run.curve, ...run.held]) {
      curve.times = unpackTimes(curve.times);
      [curve.worth, curve.depth] = await Promise.all([unpack(curve.worth), unpack(curve.depth)]);
    }
    run.rolling.times = unpackTimes(run.rolling.times);
    run.trades = await unpackJson(run.trades.columns);
  }
  return page;
}
function section(name, title, ...about) {
  const made = el("section", { id: name });
  made.setAttribute("aria-label", title);
  made.append(el("h2", {}, title), ...about);
  shortcut("main").append(made);
  return made;
}
function showFigures() {
  const host = section("figures", "Runs", el("p", { className: "soft" }, "Choose a run for what is below. Point at a heading for what it means."));
  const because = (run, name) => run.entry.none_because?.[name];
  const rows = model.runs.map((run, i) => {
    const pick = el("button", { type: "button", onclick: () => choose(i) }, el("i", { style: `color:${COLORS[i % COLORS.length]}` }, "■ "), run.name);
    const about = run.candles.length === 1 ? model.candles[run.candles[0]].name : `${run.candles.length} series`;
    const figures = model.figures.map(({ name }, k) => {
      const why = because(run, name);
      const text = run.cells[k];
      const cell = el("td", { "data-figure": name, "data-value": JSON.stringify(run.entry[name] ?? null) });
      cell.append(why ? el("span", { "data-tip": why, tabIndex: 0 }, text) : text);
      return cell;
    });
    return el("tr", { "data-run": i }, el("td", {}, pick), el("td", { className: "left" }, about), figures);
  });
  host.append(table([th("run"), el("th", { scope: "col", className: "left" }, "candles"), ...model.figures.map((one) => th(one.heading, one.meaning))], rows));
}
function choose(i) {
  chosen = i;
  for (const row of document.querySelectorAll("#figures tr[data-run]")) row.setAttribute("aria-selected", Number(row.dataset.run) === i);
  shortcut("run").replaceChildren();
  showRun(model.runs[i]);
}
// Curves of several runs over one column of times: each keeps its last value until it has a new one.
function joined(curves, pick) {
  const times = Float64Array.from([...new Set(curves.flatMap((one) => [...one.times]))].sort((a, b) => a - b));
  const same = curves.every((one) => one.times.length === times.length);
  const columns = curves.map((one) => {
    if (same) return pick(one);
    const values = pick(one);
    return Array.from(times, (time) => {
      const k = place(one.times, time + 1) - 1;
      return k < 0 || time > one.times.at(-1) ? null : values[k];
    });
  });
  return { times, columns };
}
function showCurves() {
  const host = section("curves", "Equity and drawdown");
  const several = new Set(model.runs.map((run) => run.candles.join())).size > 1;
  const span = (one) => `${day(one.times[0])} to ${day(one.times.at(-1))}`;
  const alone = [...new Map(model.runs.flatMap((run) => run.held).map((one) => [`${one.name} ${span(one)}`, one])).values()];
  const names = alone.map((one) => one.name);
  const isOne = (name) => names.indexOf(name) === names.lastIndexOf(name);
  const label = (run) => (several && run.candles.length === 1 ? `${run.name} ${model.candles[run.candles[0]].symbol}` : run.name);
  const curves = [...model.runs.map((run) => run.curve), ...alone];
  const styles = [
    ...model.runs.map((run, i) => ({ label: label(run), color: COLORS[i % COLORS.length] })),
    ...alone.map((one, i) => ({ label: isOne(one.name) ? one.name : `${one.name} ${span(one)}`, color: HOLDS[i % HOLDS.length], dash: [5, 4] })),
  ];
  const equity = joined(curves, (one) => one.worth);
  const view = new View(equity.times[0], equity.times.at(-1), 36e5);
  host.append(el("p", { className: "soft" }, `Equity as a multiple of the cash it began with. Dashed: buying at the first open and holding to the end, ${[...new Set(model.runs.map((run) => run.holding))].join("; ")}.`));
  const boxes = el("div");
  const risen = curves.every((one) => one.worth.every((worth) => worth > 0));
  // Where the highest is not many times the lowest, a logarithmic axis shows no more and reads worse.
  const [lowest, highest] = curves.reduce(([low, high], one) => one.worth.reduce(([a, b], worth) => [Math.min(a, worth), Math.max(b, worth)], [low, high]), [Infinity, -Infinity]);
  let log = risen && highest / lowest > WIDE;
  const draw = () => {
    boxes.replaceChildren();
    view.charts.length = 0;
    const lines = (columns) => styles.map((one, i) => ({ ...one, values: columns[i] }));
    lineChart(boxes, { label: "Equity", times: equity.times, lines: lines(equity.columns), view, log, format: (one) => fixed(one, 3), height: 320 });
    const depth = joined(curves, (one) => one.depth);
    lineChart(boxes, { label: "Drawdown", times: depth.times, lines: lines(depth.columns), view, upside: true, format: (one) => percent(100 * one, 1), height: 200 });
    view.draw();
  };
  tools(host, view, el("button", { type: "button", disabled: !risen, onclick: () => { log = !log; draw(); } }, "logarithmic or linear"));
  host.append(boxes);
  draw();
  redrawAll.push(() => view.charts.forEach((one) => one.redraw()));
  const group = Math.max(...curves.map((one) => one.group));
  if (group > 1) host.append(el("p", { className: "soft" }, `Drawn in groups of ${group} bars: equity at the end of each, the deepest drawdown in it.`));
}
function showRun(run) {
  const host = shortcut("run");
  host.append(el("h2", { id: "chosen" }, `${run.name}: ${run.candles.map((k) => model.candles[k].name).join(", ")}`));
  const facts = el("dl", {}, Object.entries(run.facts).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
  host.append(facts, ...run.notes.map((text) => el("p", {}, el("span", { className: "note" }, text))));
  const traded = run.trades.entry_ts.length > 0;
  const show = showCandles(host, run);
  if (!traded) host.append(el("p", { className: "empty" }, run.open.length ? "No trade is closed yet: what is open stands below." : "This run made no trades."));
  if (run.open.length) host.append(openNow(run));
  const columns = el("div", { className: "columns" });
  host.append(columns);
  columns.append(worstDrawdowns(run), costs(run));
  if (traded) host.append(el("div", { className: "columns" }, spread(run), durations(run)));
  host.append(heatmap(run));
  showRolling(host, run);
  if (traded) host.append(list(run, show));
}
function worstDrawdowns(run) {
  const rows = run.drawdowns.map((one, i) =>
    cells(`${i + 1}. ${day(one.peak)}`, day(one.lowest), one.back === null ? "not yet" : day(one.back), percent(100 * one.depth), lasting(one.lowest - one.peak), one.back === null ? "" : lasting(one.back - one.lowest)));
  return el("div", { id: "drawdowns" }, el("h3", {}, "Worst drawdowns"), rows.length ? table(["from", "lowest", "back at", "depth", "down", "up again"].map((one) => th(one)), rows) : el("p", { className: "soft" }, "Equity never fell."));
}
function costs(run) {
  // Of an account there is no share of bars: its strategies have several series.
  const bars = run.entry.exposure_pct;
  const exposure = typeof bars === "number" ? `In the market ${fixed(bars, 2)} % of the time.` : `A trade was open ${fixed(run.held_pct, 2)} % of the time.`;
  const holds = run.open.length > 0;
  const rows = run.shares.map((one) => cells(one.strategy, el("td", { className: "left" }, one.symbol), String(one.trades), one.trades ? percent((100 * one.won) / one.trades, 1) : "none", money(one.pnl), ...(holds ? [money(one.open)] : []), money(one.fees)));
  const head = [th("strategy"), el("th", { className: "left", scope: "col" }, "symbol"), th("trades"), th("won"), th(`profit ${run.quote}`, "Of closed trades, after fees."), ...(holds ? [th("open", "Of what is open: profit at the last price less the fees paid so far.")] : []), th(`fees ${run.quote}`, "All that were paid, for what is open too.")];
  return el("div", { id: "shares" }, el("h3", {}, "Exposure, costs and who earned what"), el("p", {}, exposure), parts(run), rows.length ? table(head, rows) : "");
}
function parts(run) {
  const rows = run.parts.map(({ name, amount }, i) => (i < run.parts.length - 1 ? cells(name, money(amount)) : cells(el("td", {}, el("strong", {}, name)), el("td", {}, el("strong", {}, `${money(amount)} (${percent((100 * amount) / run.cash)})`)))));
  return el("div", { id: "parts" }, table([th("what the return is made of"), th(run.quote)], rows));
}
function openNow(run) {
  const left = (text) => el("td", { className: "left" }, text);
  const rows = run.open.map((one) => cells(one.strategy, left(one.symbol), left(one.side), one.entry_ts === null ? "not known" : clock(one.entry_ts), quoted(one.size), quoted(one.entry_price), quoted(one.price), quoted(one.stop), quoted(one.take), money(one.profit), money(one.fees)));
  const heads = [th("strategy"), ...["symbol", "side"].map((one) => el("th", { scope: "col", className: "left" }, one)), th("since (UTC)"), th("size"), th("entry price"), th("last price"), th("stop"), th("take"), th(`open profit ${run.quote}`, "At the last price, before fees."), th("fees so far", "Paid for it until now; closing it costs fees again.")];
  return el("div", { id: "open" }, el("h3", {}, "Open now"), table(heads, rows, "stack"));
}
function heatmap(run) {
  const years = new Map();
  for (const [name, value] of Object.entries(run.months)) {
    const [year, month] = name.split("-");
    if (!years.has(year)) years.set(year, Array(12).fill(null));
    years.get(year)[Number(month) - 1] = value;
  }
  const most = Math.max(0.001, ...Object.values(run.months).map(Math.abs));
  const shade = (value) => `background:color-mix(in srgb, var(--${value >= 0 ? "up" : "down"}) ${Math.round((60 * Math.abs(value)) / most)}%, var(--ground))`;
  const rows = [...years].map(([year, months]) => {
    const whole = months.reduce((total, one) => total * (1 + (one ?? 0)), 1) - 1;
    return el("tr", {}, el("th", { scope: "row" }, year), months.map((one) => (one === null ? el("td", {}) : el("td", { style: shade(one), "data-month": JSON.stringify(one) }, fixed(100 * one, 1)))), el("td", {}, el("strong", {}, fixed(100 * whole, 1))));
  });
  const names = ["", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "year"];
  return el("div", { id: "months" }, el("h3", {}, "Months, return in percent"), table(names.map((one) => th(one)), rows, "months"));
}
function showRolling(host, run) {
  const part = el("div", { id: "rolling" }, el("h3", {}, `Last ${model.window} days: Sharpe ratio and volatility`));
  host.append(part);
  const { times, sharpe, volatility } = run.rolling;
  if (!times.length) return part.append(el("p", { className: "empty" }, `It takes more than ${model.window} days to draw this.`));
  const view = new View(times[0], times.at(-1), 864e5 * 7);
  lineChart(part, { label: "Sharpe ratio", times, lines: [{ label: "Sharpe ratio", color: COLORS[0], values: sharpe }], view, format: (one) => fixed(one, 2), height: 180 });
  lineChart(part, { label: "Volatility", times, lines: [{ label: "volatility", color: COLORS[1], values: volatility }], view, format: (one) => percent(100 * one, 0), height: 180 });
  view.draw();
  redrawAll.push(() => view.charts.forEach((one) => one.redraw()));
}
document.addEventListener("DOMContentLoaded", async () => {
  explain();
  try {
    model = await readDocument();
    document.title = shortcut("title").textContent = model.title;
    shortcut("note").textContent = model.note;
    shortcut("note").hidden = !model.note;
    shortcut("state").remove();
    showFigures();
    showCurves();
    shortcut("main").append(el("section", { id: "run", "aria-labelledby": "chosen" }));
    choose(0);
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    const text = `This page cannot be drawn here (${error.message}): open it in a newer browser.`;
    shortcut("main").prepend(el("p", { className: "empty", role: "alert" }, text));
    throw error;
  }
});
