"use strict";
// The trades of one run: on the candles, how they are spread, and each of them.
const PAGE = 25;
const DURATIONS = [["under 1 h", 36e5], ["1 to 4 h", 144e5], ["4 to 12 h", 432e5], ["12 to 24 h", 864e5], ["1 to 3 d", 2592e5], ["3 to 7 d", 6048e5], ["1 to 4 w", 24192e5], ["over 4 w", Infinity]];
const LASTS = "From the entry to the exit. When in a bar a price was reached is not known, so a trade whose stop or take was reached inside a bar counts to that bar's close, on pages of backtests and of accounts alike; one that ended at an open counts to that open.";
function tradesOf(run, symbol) {
  const keep = run.trades.entry_ts.map((_, i) => i).filter((i) => symbol === null || run.trades.symbol[i] === symbol);
  const found = Object.fromEntries(Object.entries(run.trades).map(([name, values]) => [name, keep.map((i) => values[i])]));
  found.longest = found.entry_ts.reduce((most, time, i) => Math.max(most, found.exit_ts[i] - time), 0);
  return found;
}
// Returns what shows a trade on the candles.
function showCandles(host, run) {
  const part = el("div", { id: "candles" }, el("h3", {}, "Candles and trades"),
    el("p", { className: "soft" }, `A triangle is an entry, up for long and down for short, a ring the exit; green won, red lost. Dashed: ${run.stops}.`));
  host.append(part);
  const box = el("div");
  const pick = el("select", { "aria-label": "candles", onchange: () => draw(Number(pick.value)) }, run.candles.map((k) => el("option", { value: k }, model.candles[k].name)));
  let jump = () => null;
  const draw = (k) => {
    const bars = model.candles[k];
    const trades = tradesOf(run, bars.symbol);
    const last = bars.ts.at(-1) + bars.step;
    const view = new View(bars.ts[0], last, SHORTEST * bars.step);
    box.replaceChildren();
    tools(box, view);
    const chart = candleChart(box, { bars, trades, label: `Candles of ${bars.name}`, view });
    redrawAll.push(() => view.charts.forEach((one) => one.redraw()));
    view.draw();
    jump = (from, to) => {
      const room = Math.max(to - from, 30 * bars.step);
      view.set(from - room, to + room);
      chart.plot.root.scrollIntoView({ block: "center" });
    };
    globalThis.candlesShown = { view, chart };
  };
  if (run.candles.length > 1) part.append(pick);
  part.append(box);
  draw(run.candles[0]);
  return (i) => {
    const k = run.candles.find((one) => model.candles[one].symbol === run.trades.symbol[i]) ?? run.candles[0];
    if (run.candles.length > 1 && Number(pick.value) !== k) {
      pick.value = k;
      draw(k);
    }
    jump(run.trades.entry_ts[i], run.trades.exit_ts[i]);
  };
}
function spread(run) {
  const values = [...run.trades.pnl_pct].sort((a, b) => a - b);
  // The outermost hundredth would make all other bins thin: the first and the last bin hold the rest.
  const reach = Math.max(Math.abs(values[Math.floor(values.length / 100)]), Math.abs(values[Math.ceil(values.length * 0.99) - 1]), 0.1);
  const count = 30;
  const bins = Array(count).fill(0);
  for (const one of values) bins[Math.min(count - 1, Math.max(0, Math.floor(((one + reach) / (2 * reach)) * count)))]++;
  const most = Math.max(...bins);
  const edge = (i) => percent((2 * reach * i) / count - reach);
  const bars = bins.map((one, i) => el("div", { className: i < count / 2 ? "lost" : "won", style: `height:${(100 * one) / most}%`, "data-count": one, "data-tip": `${i ? (i < count - 1 ? `${edge(i)} to ${edge(i + 1)}` : `${edge(i)} and more`) : `${edge(1)} and less`}: ${one} trades` }));
  const [worst, best] = [values[0], values.at(-1)];
  // The outermost bars hold those beyond the scale too, which its ends say.
  const end = (at, word, beyond) => (beyond.length ? `${percent(at, 1)} and ${word}: ${beyond.length} beyond` : percent(at, 1));
  return el("div", { id: "spread" }, el("h3", {}, "Returns of trades"), el("div", { className: "bins", role: "img", "aria-label": `From ${percent(worst)} to ${percent(best)}` }, bars),
    el("div", { className: "scale" }, el("span", {}, end(-reach, "less", values.filter((one) => one < -reach))), el("span", {}, "0"), el("span", {}, end(reach, "more", values.filter((one) => one > reach)))),
    el("p", { className: "soft" }, `Worst ${percent(worst)}, middle ${percent(values[Math.floor(values.length / 2)])}, best ${percent(best)}.`));
}
function durations(run) {
  const counts = DURATIONS.map(() => 0);
  const lengths = [...run.trades.held_ms].sort((a, b) => a - b);
  for (const one of lengths) counts[DURATIONS.findIndex(([, end]) => one < end)]++;
  const most = Math.max(...counts);
  const rows = DURATIONS.map(([name], i) => el("div", {}, el("span", {}, name), el("b", { style: `width:${(100 * counts[i]) / most}%` }), el("span", { "data-count": counts[i] }, counts[i].toLocaleString("en-US"))));
  return el("div", { id: "durations" }, el("h3", {}, el("span", { "data-tip": LASTS, tabIndex: 0 }, "How long trades last")), el("div", { className: "named" }, rows),
    el("p", { className: "soft" }, `Shortest ${lasting(lengths[0])}, middle ${lasting(lengths[Math.floor(lengths.length / 2)])}, longest ${lasting(lengths.at(-1))}.`));
}
function list(run, show) {
  const part = el("div", { id: "trades" }, el("h3", {}, "Every trade"));
  const t = run.trades;
  // Where all trades have the same one it says nothing.
  const whose = ["strategy", "symbol"].filter((name) => new Set(t[name]).size > 1);
  const headings = ["", ...whose, "side", "entry (UTC)", "exit (UTC)", "ended by", "size", "entry price", "exit price", "stop", "take", "profit", "profit %", "fees"].map((one) => th(one));
  const body = el("div");
  const where = el("span", { role: "status" });
  const last = Math.ceil(t.entry_ts.length / PAGE) - 1;
  let at = 0;
  const go = (page) => {
    at = Math.min(last, Math.max(0, page));
    const rows = [];
    for (let i = at * PAGE; i < Math.min(t.entry_ts.length, at * PAGE + PAGE); i++) {
      const won = t.pnl[i] > 0 ? "up" : "down";
      rows.push(cells(el("td", {}, el("button", { type: "button", onclick: () => show(i), "aria-label": `show trade ${i + 1} on the candles` }, String(i + 1))),
        ...whose.map((name) => t[name][i]), t.side[i], clock(t.entry_ts[i]), clock(t.exit_ts[i]), t.reason[i], quoted(t.size[i]), quoted(t.entry_price[i]), quoted(t.exit_price[i]), quoted(t.stop[i]), quoted(t.take[i]),
        el("td", { className: won }, money(t.pnl[i])), el("td", { className: won }, fixed(t.pnl_pct[i], 2)), money(t.fees[i])));
    }
    body.replaceChildren(table(headings, rows));
    where.textContent = `${at * PAGE + 1} to ${Math.min(t.entry_ts.length, at * PAGE + PAGE)} of ${t.entry_ts.length.toLocaleString("en-US")}`;
  };
  const button = (text, to) => el("button", { type: "button", onclick: () => go(to()) }, text);
  part.append(el("div", { className: "tools" }, button("first", () => 0), button("earlier", () => at - 1), button("later", () => at + 1), button("last", () => last), where), body);
  go(0);
  return part;
}
