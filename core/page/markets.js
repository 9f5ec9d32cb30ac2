"use strict";
// Candles of any stored series, two at once, with averages, regimes and the account's trades.
const GROUNDS = { RANGE: "#8a8f98", TREND_UP: "#26a269", TREND_DOWN: "#c01c28", HIGH_VOL: "#e5a50a" };
function average(values, length) {
  const found = new Float64Array(values.length).fill(NaN);
  for (let i = 0, sum = 0; i < values.length; i++) {
    sum += values[i] - (i >= length ? values[i - length] : 0);
    if (i >= length - 1) found[i] = sum / length;
  }
  return found;
}
function bands(values, length, wide) {
  const middle = average(values, length);
  return [-wide, wide].map((by) => middle.map((mean, i) => {
    if (Number.isNaN(mean)) return NaN;
    let sum = 0;
    for (let k = i - length + 1; k <= i; k++) sum += (values[k] - mean) ** 2;
    return mean + by * Math.sqrt(sum / length);
  }));
}
const INDICATORS = {
  none: () => [],
  "averages 20, 50": (bars) => [[20, COLORS[0]], [50, COLORS[1]]].map(([length, color]) => ({ color, values: average(bars.close, length) })),
  "Bollinger 20, 2": (bars) => bands(bars.close, 20, 2).map((values) => ({ color: COLORS[4], values })),
};
function marketsView(host) {
  const panels = el("div", { className: "two" });
  host.append(panels);
  const shown = [];
  ask("/api/series").then(({ series }) => {
    if (!series.length) return host.replaceChildren(el("p", { className: "empty" }, "No candles are stored: fetch_ohlcv_to_db.py or import_ohlcv_to_db.py loads some."));
    const name = (one) => `${one.exchange} ${one.symbol} ${one.timeframe}`;
    const other = series.findIndex((one) => one.symbol === series[0].symbol && one.timeframe !== series[0].timeframe);
    for (const first of [0, other < 0 ? Math.min(1, series.length - 1) : other]) shown.push(panel(panels, series, name, first));
  }).catch((error) => host.replaceChildren(el("p", { className: "empty", role: "alert" }, `It cannot be shown: ${error.message}`)));
  let feeds = "";
  return { update: ({ status }) => {
    const now = JSON.stringify(status?.feeds.map((one) => one.last) ?? []);
    if (feeds && now !== feeds) for (const one of shown) one.load();
    feeds = now;
  } };
}
function panel(host, series, name, first) {
  const pick = el("select", { "aria-label": "series", onchange: () => load() }, series.map((one, i) => el("option", { value: i, selected: i === first }, name(one))));
  const lines = el("select", { "aria-label": "indicators", onchange: () => draw() }, Object.keys(INDICATORS).map((one) => el("option", {}, one)));
  const count = el("select", { "aria-label": "candles", onchange: () => load() }, [500, 1500, 5000, 20000].map((one) => el("option", { value: one, selected: one === 1500 }, `${one.toLocaleString("en-US")} candles`)));
  const regimes = el("input", { type: "checkbox", onchange: () => load() });
  const body = el("div");
  const box = el("section", { "aria-label": "candles" }, el("div", { className: "tools" }, pick, lines, count, el("label", {}, regimes, " regimes")), body);
  host.append(box);
  let [bars, spans, trades, positions, view] = [null, [], null, [], null];
  async function load() {
    const one = series[Number(pick.value)];
    const which = new URLSearchParams({ ...one, count: count.value, regimes: regimes.checked ? "yes" : "no" });
    try {
      const [found, closed] = await Promise.all([ask(`/api/candles?${which}`), ask("/api/trades?most=1000")]);
      spans = found.spans;
      bars = await unpackBars(found);
      positions = (state.known?.status?.positions ?? []).filter((held) => held.symbol === one.symbol);
      trades = columnsOf(closed.rows.filter((row) => row.symbol === one.symbol));
      draw();
    } catch (error) {
      body.replaceChildren(el("p", { className: "empty", role: "alert" }, `It cannot be shown: ${error.message}`));
    }
  }
  function draw() {
    body.replaceChildren();
    const before = view?.name === bars.name ? view : null;
    view = new View(bars.ts[0], bars.ts.at(-1) + bars.step, SHORTEST * bars.step);
    view.name = bars.name;
    tools(body, view);
    const ground = (u) => {
      paintSpans(u, spans, GROUNDS);
      paintHeld(u, positions);
    };
    candleChart(body, { bars, trades, label: `Candles of ${bars.name}`, view, lines: INDICATORS[lines.value](bars), height: 380, ground, levels: levelsOf(positions) });
    view.set(...stretch(before, view, bars.ts[Math.max(0, bars.ts.length - 300)]));
    view.draw();
    redrawAll.push(() => view.draw());
    box.dataset.bars = bars.ts.length;
    box.dataset.trades = trades.entry_ts.length;
    box.shown = view;
  }
  load();
  return { load };
}
// Whoever looks at an earlier stretch goes on looking at it; whoever saw the newest candle sees the newest one.
function stretch(before, view, first) {
  if (!before) return [first, view.last];
  const on = before.max < before.last ? 0 : view.last - before.last;
  return [before.min + on, before.max + on];
}
const levelsOf = (positions) => positions.flatMap((held) => [held.entry_price, held.stop, held.take]).filter((price) => price !== null);
function columnsOf(rows) {
  const sorted = [...rows].sort((a, b) => a.entry_ts - b.entry_ts);
  const pick = (name) => sorted.map((row) => row[name]);
  const found = { strategy: pick("strategy"), side: pick("side"), entry_ts: pick("entry_ts"), exit_ts: pick("exit_ts"), entry_price: pick("entry_price"), exit_price: pick("exit_price"), reason: pick("reason") };
  found.size = sorted.map((row) => Number(row.amount));
  found.pnl = sorted.map((row) => Number(row.pnl));
  found.pnl_pct = sorted.map((row) => (100 * Number(row.pnl)) / (Number(row.amount) * row.entry_price));
  [found.stop, found.take] = [pick("stop"), pick("take")];
  found.longest = sorted.reduce((most, row) => Math.max(most, row.exit_ts - row.entry_ts), 0);
  return found;
}
const HELD = 4; // Charts of what is held, at most.
// A chart for each symbol that is held, with its trades, entry, stop and take; candles come anew when one closed.
function heldCharts(host) {
  const shown = new Map();
  async function load(one) {
    const [exchange, symbol, timeframe] = one.series.split(" ");
    const which = new URLSearchParams({ exchange, symbol, timeframe, count: 300 });
    try {
      const [found, closed] = await Promise.all([ask(`/api/candles?${which}`), ask("/api/trades?most=200")]);
      one.bars = await unpackBars(found);
      one.trades = columnsOf(closed.rows.filter((row) => row.symbol === symbol));
      draw(one);
    } catch (error) {
      one.box.replaceChildren(el("p", { className: "soft" }, `${symbol}: ${error.message}`));
    }
  }
  function draw(one) {
    const { bars } = one;
    const last = bars.ts.at(-1) + bars.step;
    const before = one.view ?? null;
    one.view = new View(bars.ts[0], last + 3 * bars.step, SHORTEST * bars.step);
    one.box.replaceChildren(el("h4", {}, one.series));
    candleChart(one.box, { bars, trades: one.trades, label: `Candles of ${one.series} with entry, stop and take`, view: one.view, height: 260, ground: (u) => paintHeld(u, one.positions), levels: levelsOf(one.positions) });
    one.view.set(...stretch(before, one.view, bars.ts[Math.max(0, bars.ts.length - 120)]));
    one.view.draw();
    one.box.dataset.lines = levelsOf(one.positions).length;
    one.box.dataset.trades = one.trades.entry_ts.length;
  }
  redrawAll.push(() => shown.forEach((one) => one.view?.draw()));
  return { update: (status) => {
    const symbols = [...new Set(status.positions.map((held) => held.symbol))].slice(0, HELD);
    const wanted = symbols.flatMap((symbol) => status.feeds.find((feed) => feed.series.split(" ")[1] === symbol) ?? []);
    for (const [series, one] of shown) if (!wanted.some((feed) => feed.series === series)) (one.box.remove(), shown.delete(series));
    for (const { series, last } of wanted) {
      const one = shown.get(series) ?? { series, box: el("section", { "aria-label": `candles of ${series}`, className: "held" }), newest: NaN };
      const symbol = series.split(" ")[1];
      const positions = status.positions.filter((held) => held.symbol === symbol);
      const levels = JSON.stringify(levelsOf(positions));
      const [moved, closed] = [levels !== one.levels, last !== one.newest];
      Object.assign(one, { positions, levels, newest: last });
      if (!shown.has(series)) host.append(one.box);
      shown.set(series, one);
      if (closed) load(one);
      else if (moved && one.bars) draw(one);
    }
  } };
}
// What is held now: a line at its entry, dashed ones at its stop and take.
function paintHeld(u, positions) {
  u.ctx.save();
  for (const one of positions)
    for (const [price, color, dash] of [[one.entry_price, "ink", []], [one.stop, "down", [6, 4]], [one.take, "up", [6, 4]]]) {
      if (price === null) continue;
      const y = u.valToPos(price, "y", true);
      if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) continue;
      u.ctx.strokeStyle = ink(color);
      u.ctx.setLineDash(dash);
      line(u.ctx, u.bbox.left, y, u.bbox.left + u.bbox.width, y);
    }
  u.ctx.restore();
}
