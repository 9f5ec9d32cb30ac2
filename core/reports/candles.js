"use strict";
// Candles with trades, for any number of bars: what is drawn is never more than there are pixels.
const SHORTEST = 12; // Bars that are shown at least.
// `levels`: prices that `ground` draws lines at, for which there is to be room.
function candleChart(host, { bars, trades, label, view, lines = [], height = 420, ground, levels: held = [] }) {
  const chart = frame(host, label);
  const readout = el("div", { className: "readout" });
  chart.append(readout);
  let levels = pyramid(bars);
  let level = levels[0];
  let from = 0;
  let window = [view.min, view.max];
  const hidden = { paths: () => null, points: { show: false } };
  const plot = makePlot(chart, {
    scales: { x: { time: true }, y: { range: (u, low, high) => pricesShown(low, high, [...held, ...stopsShown(trades, window, u.bbox.width)]) } },
    axes: [timeAxis(), axis({ size: 74, values: (_, ticks) => ticks.map(quoted) })],
    series: [{}, hidden, hidden, hidden, hidden, ...lines.map((one) => ({ stroke: one.color, width: 1.5, points: { show: false } }))],
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    hooks: {
      drawClear: ground ? [(u) => ground(u)] : [],
      draw: [(u) => drawCandles(u, level, from), (u) => drawTrades(u, trades)],
      setCursor: [(u) => tell(u)],
    },
  }, [[], [], [], [], [], ...lines.map(() => [])], height);
  function move(min, max) {
    window = [min, max];
    const room = Math.max(100, plot.bbox.width / 2);
    level = levels.find((one) => (max - min) / one.step <= room) ?? levels.at(-1);
    from = Math.max(0, place(level.ts, min) - 1);
    const to = Math.min(level.ts.length, place(level.ts, max) + 1);
    const part = (values) => values.subarray(from, to);
    const stride = Math.round(level.step / levels[0].step);
    const known = (value) => (Number.isNaN(value) ? null : value);
    const drawn = lines.map((one) => Array.from({ length: to - from }, (_, i) => known(one.values[Math.min((from + i + 1) * stride, one.values.length) - 1])));
    plot.batch(() => {
      plot.setData([part(level.ts), part(level.open), part(level.high), part(level.low), part(level.close), ...drawn], false);
      plot.setScale("x", { min, max });
    });
  }
  function tell(u) {
    const i = u.cursor.idx;
    const [ts, open, high, low, close] = u.data;
    if (i === null || i === undefined || ts[i] === undefined) return;
    const many = level === levels[0] ? "" : ` · ${Math.round(level.step / levels[0].step)} bars in one`;
    const text = `${clock(ts[i])}  O ${quoted(open[i])}  H ${quoted(high[i])}  L ${quoted(low[i])}  C ${quoted(close[i])}${many}`;
    const near = trades && nearest(u, trades);
    readout.replaceChildren(el("span", {}, text), near === null || near === undefined ? "" : el("strong", {}, tradeText(trades, near)));
  }
  view.charts.push({ move, redraw: () => plot.redraw() });
  steer(plot, chart, view);
  readout.textContent = "Wheel or pinch to zoom, drag to move, double click for all.";
  const renew = (changed) => {
    bars = changed;
    levels = pyramid(bars);
    move(view.min, view.max);
  };
  return { plot, renew };
}
function drawCandles(u, level, from) {
  const { ctx } = u;
  const [ts, open, high, low, close] = u.data;
  const wide = Math.max(1, Math.floor((u.valToPos(level.step, "x", true) - u.valToPos(0, "x", true)) * 0.7));
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  for (const rises of [true, false]) {
    ctx.fillStyle = ink(rises ? "up" : "down");
    for (let i = 0; i < ts.length; i++) {
      if (close[i] >= open[i] !== rises) continue;
      const x = Math.round(u.valToPos(ts[i], "x", true));
      const [top, bottom] = [u.valToPos(high[i], "y", true), u.valToPos(low[i], "y", true)];
      const [a, b] = [u.valToPos(open[i], "y", true), u.valToPos(close[i], "y", true)];
      ctx.fillRect(x, top, 1, Math.max(1, bottom - top));
      if (wide > 1) ctx.fillRect(x - Math.floor(wide / 2), Math.min(a, b), wide, Math.max(1, Math.abs(a - b)));
    }
  }
  ctx.restore();
}
// Trades are sorted by entry; `longest` is the longest of them, so that an early one that lasts is found.
function shownTrades(trades, min, max) {
  const found = [];
  for (let i = place(trades.entry_ts, min - trades.longest); i < trades.entry_ts.length && trades.entry_ts[i] <= max; i++)
    if (trades.exit_ts[i] >= min) found.push(i);
  return found;
}
// More trades than this are drawn as dots: their stops and takes would hide the candles.
const tooMany = (count, width) => count > width / 12;
function stopsShown(trades, [min, max], width) {
  const shown = trades?.entry_ts.length ? shownTrades(trades, min, max) : [];
  return tooMany(shown.length, width) ? [] : shown.flatMap((i) => [trades.stop[i], trades.take[i]]);
}
// From the lowest price to the highest: candles, and of other prices those no further away than the candles are high.
function pricesShown(low, high, others) {
  if (low === null || high === null) return [0, 1];
  const near = others.filter((price) => typeof price === "number" && price > 2 * low - high && price < 2 * high - low);
  return uPlot.rangeNum(Math.min(low, ...near), Math.max(high, ...near), 0.1, true);
}
function drawTrades(u, trades) {
  if (!trades || !trades.entry_ts.length) return;
  const { ctx } = u;
  const at = (ms) => u.valToPos(ms, "x", true);
  const high = (price) => u.valToPos(price, "y", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  const [up, down, soft] = [ink("up"), ink("down"), ink("ink")];
  const drawn = new Set();
  const shown = shownTrades(trades, u.scales.x.min, u.scales.x.max);
  const small = tooMany(shown.length, u.bbox.width);
  for (const i of shown) {
    const [x, end] = [Math.round(at(trades.entry_ts[i])), Math.round(at(trades.exit_ts[i]))];
    const won = trades.pnl[i] > 0;
    // Where trades are closer than marks are wide, one mark stands for them.
    const spot = `${Math.floor(x / 3)} ${won}`;
    if (end - x < 3 && drawn.has(spot)) continue;
    drawn.add(spot);
    const [y, out] = [high(trades.entry_price[i]), high(trades.exit_price[i])];
    ctx.strokeStyle = ctx.fillStyle = won ? up : down;
    ctx.lineWidth = 2;
    ctx.setLineDash([]);
    line(ctx, x, y, end, out);
    if (small) {
      ctx.fillRect(x - 1, y - 2, 3, 3);
      continue;
    }
    if (end - x > 8) {
      ctx.setLineDash([4, 3]);
      ctx.lineWidth = 1;
      for (const [price, color] of [[trades.stop[i], down], [trades.take[i], up]]) {
        ctx.strokeStyle = color;
        if (price !== null) line(ctx, x, high(price), end, high(price));
      }
      ctx.setLineDash([]);
    }
    ctx.strokeStyle = soft;
    mark(ctx, x, y, trades.side[i] === "LONG" ? 1 : -1);
    ctx.beginPath();
    ctx.arc(end, out, 4, 0, 2 * Math.PI);
    ctx.stroke();
  }
  ctx.restore();
}
function line(ctx, x, y, end, out) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(end, out);
  ctx.stroke();
}
function mark(ctx, x, y, way) {
  ctx.beginPath();
  ctx.moveTo(x, y - 6 * way);
  ctx.lineTo(x - 5, y + 4 * way);
  ctx.lineTo(x + 5, y + 4 * way);
  ctx.closePath();
  ctx.fill();
  ctx.stroke();
}
function nearest(u, trades) {
  const time = u.posToVal(u.cursor.left, "x");
  const reach = (u.scales.x.max - u.scales.x.min) / 60;
  let [best, least] = [null, Infinity];
  for (const i of shownTrades(trades, time - reach, time + reach)) {
    const away = Math.abs(u.valToPos(trades.entry_price[i], "y") - u.cursor.top);
    if (away < least) [best, least] = [i, away];
  }
  return best;
}
const tradeText = (t, i) =>
  `${t.strategy[i]} ${t.side[i]} ${quoted(t.size[i])} from ${quoted(t.entry_price[i])} to ${quoted(t.exit_price[i])}: ${money(t.pnl[i])} (${percent(t.pnl_pct[i])}), ${t.reason[i]}`;
// Coloured ground under candles: `spans` are [first, end, label], colours go by label.
function paintSpans(u, spans, colors) {
  for (const [first, end, label] of spans) {
    const [x, out] = [first, end].map((time) => u.valToPos(Math.min(Math.max(time, u.scales.x.min), u.scales.x.max), "x", true));
    u.ctx.fillStyle = `${colors[label]}3c`;
    if (out > x) u.ctx.fillRect(x, u.bbox.top, out - x, u.bbox.height);
  }
}
