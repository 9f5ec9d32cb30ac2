"use strict";
const TITLES = { account: "Account", markets: "Markets", decisions: "Decisions", strategies: "Strategies", runs: "Backtests", risk: "Risk", journal: "Journal", health: "Health" };
// An amount as it is stored, without the noughts behind it and without an exponent.
const exact = (text) => (/e/i.test(text) ? Number(text).toLocaleString("en-US", { maximumFractionDigits: 18, useGrouping: false }) : text.includes(".") ? text.replace(/\.?0+$/, "") : text);
const amountOf = (text) => (text === null || text === undefined ? "none" : money(Number(text)));
const signed = (value) => el("span", { className: value > 0 ? "up" : value < 0 ? "down" : "" }, value === null ? "none" : money(value));
const card = (name, value) => el("div", {}, el("span", {}, name), el("b", {}, value));
const nothing = (text) => el("p", { className: "empty" }, text);
const left = (text) => el("td", { className: "left" }, text);
const lefts = (...names) => names.map((name) => el("th", { scope: "col", className: "left" }, name));
const failed = (host, error) => host.replaceChildren(el("p", { className: "empty", role: "alert" }, `It cannot be shown: ${error.message}`));
const NEVER = "No loop has run on this account yet. It begins with: python scripts/run_live.py";

function accountView(host) {
  const [cards, standing, curve, held, charts, orders, books, closed] = Array.from({ length: 8 }, () => el("div"));
  curve.className = "curve";
  const drawn = heldCharts(charts);
  host.append(cards, standing, curve, el("h3", {}, "Positions"), held, charts, el("h3", {}, "Orders"), orders, el("h3", {}, "Newest closed trades"), closed, el("h3", {}, "Feeds and books"), books);
  let rows = {};
  const update = ({ run, status, rows: now, commands }) => {
    if (!run) return renew(cards, "never", () => nothing(NEVER));
    if (!status) return renew(cards, "silent", () => nothing("The loop has begun and has not said anything yet."));
    const open = status.positions.reduce((sum, one) => sum + (one.open_profit ?? 0), 0);
    renew(cards, [status.equity, status.cash, status.reserved, open, status.positions.length, status.currency], () =>
      el("div", { className: "cards" }, card(`equity ${status.currency}`, status.equity === null ? "none" : money(status.equity)), card("open profit", signed(open)), card("cash", amountOf(status.cash)), card("kept for orders", amountOf(status.reserved)), card("positions", String(status.positions.length))));
    renew(standing, [status.breakers, status.quarantined, status.paused, status.desk?.standing, commands], () => standingList(status, commands));
    renew(held, status.positions, () => positionsTable(status.positions));
    drawn.update(status);
    renew(orders, [status.open_orders, status.desk?.orders, status.desk?.foreign_orders], () => ordersTable(status));
    renew(books, [status.feeds, status.desk?.disagreements, status.desk?.agreed_at, status.desk?.outside], () => [feedsTable(status.feeds), booksText(status)]);
    if (now.equity !== rows.equity) drawEquity(curve);
    if (now.trade !== rows.trade) newestTrades(closed);
    rows = now;
  };
  return { update };
}
function standingList(status, commands) {
  const may = (name) => (commands ?? []).includes(name);
  const one = (text, name, argument) => el("li", {}, el("span", {}, text), may(name) ? el("button", { type: "button", onclick: () => confirmCommand(name, argument) }, `${name} ${argument}`.trim()) : null);
  const found = [
    ...(status.paused ? [one(`Entries are paused: ${status.paused}`, "resume", "")] : []),
    ...Object.entries(status.breakers).map(([name, why]) => one(`Breaker ${name}: ${why}`, "reset-breaker", name)),
    ...Object.entries(status.quarantined).map(([name, why]) => one(`${name} failed and is put aside: ${why}`, "release", name)),
    ...(status.desk?.standing ?? []).map((said) => {
      const [, name, argument] = said.ends.match(/^(?:--account \S+ )?--(\S+) ?(.*)$/) ?? [null, "", ""];
      return one(`${said.kind} ${said.ref}: ${said.why}`, name, argument);
    }),
  ];
  return found.length ? [el("h3", {}, "What keeps orders back"), el("ul", { className: "standing" }, found)] : null;
}
function positionsTable(positions) {
  if (!positions.length) return nothing("Nothing is held.");
  return table([...lefts("strategy", "symbol", "side"), ...["amount", "entry", "price", "stop", "take", "open profit"].map((one) => th(one))], positions.map((one) =>
    cells(one.strategy, left(one.symbol), left(one.side), exact(one.amount), quoted(one.entry_price), quoted(one.price), quoted(one.stop), quoted(one.take), el("td", {}, signed(one.open_profit)))));
}
function ordersTable(status) {
  const rows = [
    ...status.open_orders.map((one) => cells(one.key, left("approved"), left(one.side), exact(one.amount))),
    ...(status.desk?.orders ?? []).map((one) => cells(one.key, left(`journal: ${one.state}`), left(""), `${exact(one.filled)} filled`)),
    ...(status.desk?.foreign_orders ?? []).map((text) => cells(text, left("somebody else's"), left(""), "")),
  ];
  return rows.length ? table([...lefts("order", "state", "side"), th("amount")], rows) : nothing("No order waits.");
}
function feedsTable(feeds) {
  if (!feeds.length) return nothing("No series is followed.");
  return table([...lefts("series", "newest candle (UTC)"), th("behind"), ...lefts("state")], feeds.map((one) =>
    cells(one.series, left(one.last === null ? "none yet" : clock(one.last)), one.behind_ms ? lasting(one.behind_ms) : "not due", left(one.stale ? el("strong", { className: "down" }, "silent") : "fresh"))));
}
function booksText(status) {
  const desk = status.desk;
  if (!desk) return el("p", { className: "soft" }, "The books were not compared yet.");
  const outside = (desk.outside ?? []).map((one) => el("p", {}, `${Number(one.amount) < 0 ? "missing at the exchange" : "held outside the account"}: ${exact(one.amount)} ${one.asset}`));
  const when = desk.agreed_at ? `, last at ${clock(desk.agreed_at)} UTC` : "";
  const agreed = desk.disagreements.length ? desk.disagreements.map((line) => el("p", { className: "down" }, `Books and exchange differ: ${line}`)) : el("p", {}, `Account, journal and exchange agree${when}: ${desk.journal} entries, ${desk.fills} fills.`);
  return [agreed, outside].flat();
}
async function drawEquity(host) {
  const { times, equity } = await ask("/api/equity");
  if (times.length < 2) return host.replaceChildren(nothing("The equity curve begins with the second closed bar."));
  const view = new View(times[0], times.at(-1), 36e5);
  const box = el("div");
  lineChart(box, { label: "Equity", times, lines: [{ label: "equity", color: COLORS[0], values: equity }], view, format: money, height: 220 });
  host.replaceChildren(box);
  view.draw();
  redrawAll.push(() => view.draw());
}
async function newestTrades(host) {
  const { rows } = await ask("/api/trades?most=10");
  host.replaceChildren(rows.length ? table([...lefts("strategy", "symbol", "side"), ...["amount", "entry", "exit", "closed (UTC)", "profit", "ended by"].map((one) => th(one))], rows.map((one) =>
    cells(one.strategy, left(one.symbol), left(one.side), exact(one.amount), quoted(one.entry_price), quoted(one.exit_price), clock(one.exit_ts), el("td", {}, signed(Number(one.pnl))), one.reason))) : nothing("Nothing was closed yet."));
}
// A list that is leafed through from the newest on, and begins again when there is more and nobody has leafed.
function leafed(host, path, key, counter, row, headings, empty) {
  const body = el("div");
  const older = el("button", { type: "button", onclick: () => load(last) }, "older");
  const newest = el("button", { type: "button", onclick: () => load(null) }, "newest");
  host.append(body, el("div", { className: "tools" }, newest, older));
  let [last, atStart, seen] = [null, true, null];
  async function load(before) {
    try {
      const { rows, most } = await ask(`${path()}${before ? `&before=${before}` : ""}`);
      // What somebody has unfolded stays so when newer rows come.
      const unfolded = new Set([...body.querySelectorAll("details[open]")].map((one) => one.dataset.row));
      atStart = !before;
      last = rows.at(-1)?.[key] ?? null;
      older.disabled = rows.length < most;
      newest.disabled = atStart;
      body.replaceChildren(rows.length ? table(headings, rows.map(row), "stack") : nothing(empty));
      for (const one of body.querySelectorAll("details")) one.open = unfolded.has(one.dataset.row);
    } catch (error) {
      failed(body, error);
    }
  }
  return { load, update: (known) => {
    const now = counter(known) ?? 0;
    if (now !== seen && atStart) load(null);
    seen = now;
  } };
}
function decisionsView(host) {
  const only = el("input", { type: "checkbox" });
  host.append(el("label", {}, only, " only what was refused"));
  const why = (one) => (one.outcome === "approved" ? one.detail.wanted ? `cut by ${one.detail.bound}, from ${exact(one.detail.wanted)}` : `bound by ${one.detail.bound ?? "nothing"}` : one.detail.why ?? "");
  const list = leafed(host, () => `/api/decisions?refused=${only.checked ? "yes" : "no"}`, "id", (known) => known.rows.decision, (one) =>
    cells(clock(one.bar_ts), left(one.strategy), left(`${one.symbol} ${one.timeframe}`), left(one.action), left(el("span", { className: one.outcome === "approved" ? "up" : "warn" }, one.outcome)), exact(one.detail.amount ?? ""), exact(one.detail.price ?? ""), el("td", { className: "left wrap" }, [one.detail.reason, why(one)].filter(Boolean).join("; "))),
  [...lefts("bar (UTC)", "strategy", "series", "wanted", "outcome"), th("amount"), th("price"), ...lefts("why")], "No strategy has wanted anything yet.");
  only.addEventListener("change", () => list.load(null));
  return list;
}
function strategiesView(host) {
  const [list, results] = [el("div"), el("div")];
  host.append(list, el("h3", {}, "What each has earned"), results);
  let seen = null;
  const update = async ({ run, rows, status, commands }) => {
    const key = `${run?.id} ${rows.trade} ${JSON.stringify(status?.quarantined)}`;
    if (key === seen) return;
    seen = key;
    try {
      const found = await ask("/api/strategies");
      const state = (one) => (status?.quarantined[one.strategy] ? el("span", { className: "down" }, "put aside") : run?.ended_at ? "ended" : "runs");
      const weights = (commands ?? []).includes("set-weight") ? el("button", { type: "button", onclick: () => confirmCommand("set-weight", "", "NAME=VALUE, such as ENSEMBLE.turtle_weight=0.5") }, "set a weight") : null;
      list.replaceChildren(found.members.length ? table([...lefts("strategy", "symbol", "timeframe", "state", "parameters")], found.members.map((one) =>
        cells(one.strategy, left(one.symbol), left(one.timeframe), left(state(one)), el("td", { className: "left wrap" }, Object.entries(one.params).map(([name, value]) => `${name} ${value}`).join(", "))))) : nothing(NEVER), weights ?? "");
      results.replaceChildren(found.results.length ? table([...lefts("strategy"), ...["closed", "won", "profit", "fees"].map((one) => th(one))], found.results.map((one) =>
        cells(one.strategy, String(one.trades), percent((100 * one.won) / one.trades, 1), el("td", {}, signed(Number(one.pnl))), amountOf(one.fees)))) : nothing("Nothing was closed yet."), el("p", { className: "soft" }, "Closed is counted for each fill that closed some; show_trades.py counts orders."));
    } catch (error) {
      failed(list, error);
    }
  };
  return { update };
}
function runsView(host) {
  const body = el("div");
  host.append(body);
  const load = async () => {
    try {
      const { figures, runs } = await ask("/api/runs");
      if (!runs.length) return body.replaceChildren(nothing("No backtest is saved: run_backtest.py --all --use-sql --persist saves some."));
      const chosen = new Set();
      const side = el("div");
      const compare = () => {
        const some = runs.filter((one) => chosen.has(one.id));
        side.replaceChildren(some.length < 2 ? el("p", { className: "soft" }, "Choose two or more to see them side by side.") : table([...lefts("figure"), ...some.map((one) => th(`${one.id} ${one.strategy}`))], [
          cells("series", ...some.map((one) => one.series)),
          ...figures.map((figure, k) => cells(el("td", {}, el("span", { "data-tip": figure.meaning, tabIndex: 0 }, figure.heading)), ...some.map((one) => one.cells[k]))),
          cells("parameters", ...some.map((one) => el("td", { className: "wrap" }, Object.entries(one.params).map(([name, value]) => `${name} ${value}`).join(", "))))]),
        some.length ? el("p", {}, "A page of one: ", el("code", {}, `python scripts/show_runs.py ${some[0].id} --report run${some[0].id}.html`)) : "");
      };
      const rows = runs.map((one) => {
        const box = el("input", { type: "checkbox", "aria-label": `compare run ${one.id}`, onchange: () => { (box.checked ? chosen.add(one.id) : chosen.delete(one.id)); compare(); } });
        return cells(el("td", {}, box, ` ${one.id}`), left(clock(one.saved)), left(one.series), left(one.strategy), ...one.cells);
      });
      body.replaceChildren(side, table([th("run"), ...lefts("saved (UTC)", "series", "strategy"), ...figures.map((one) => th(one.heading, one.meaning))], rows));
      compare();
    } catch (error) {
      failed(body, error);
    }
  };
  load();
  return {};
}
const LIMITS = { max_daily_loss_pct: "loss since midnight UTC, or since a reset", max_weekly_loss_pct: "loss since Monday UTC, or since a reset", max_monthly_loss_pct: "loss since the month began, or since a reset", max_drawdown_pct: "fall from the peak, or from a reset's equity", max_exposure_pct: "exposure", max_symbol_exposure_pct: "exposure in one symbol", max_strategy_exposure_pct: "exposure of one strategy", max_positions: "positions", cash_reserve_pct: "cash in use", max_orders_per_minute: "orders in a minute", max_orders_per_day: "orders today" };
function riskView(host) {
  const [meters, words] = [el("div"), el("div")];
  host.append(el("p", { className: "soft" }, "How much of each limit is used, in percent of equity or in numbers."), meters, words);
  const meter = ({ limit, used, most, about }) => {
    const share = most > 0 ? used / most : used > 0 ? 1 : 0;
    const name = `${LIMITS[limit] ?? limit}${about ? ` (${about})` : ""}`;
    const unit = limit.endsWith("_pct") ? " %" : "";
    return el("div", { className: "meter" }, el("span", { "data-tip": limit, tabIndex: 0 }, name),
      el("div", { role: "meter", "aria-label": name, "aria-valuenow": used, "aria-valuemin": 0, "aria-valuemax": most }, el("i", { className: share >= 1 ? "full" : share > 0.8 ? "near" : "", style: `width:${Math.min(100, 100 * share)}%` })),
      el("span", {}, `${fixed(used, unit ? 2 : 0)} of ${fixed(most, unit ? 2 : 0)}${unit}`));
  };
  const update = ({ status }) => {
    if (!status) return renew(meters, "none", () => nothing(NEVER));
    renew(meters, status.uses, () => (status.uses.length ? status.uses.map(meter) : nothing("Equity is not known, so nothing can be said of the limits.")));
    renew(words, [status.breakers, status.limits, status.cuts], () => [
      el("h3", {}, "Breakers"), Object.keys(status.breakers).length ? el("ul", { className: "standing" }, Object.entries(status.breakers).map(([name, why]) => el("li", {}, `${name}: ${why}`))) : el("p", { className: "soft" }, "None is tripped."),
      el("h3", {}, "Entries that limits have made smaller"), el("p", { className: "soft" }, "Every entry's size is bound by one thing: what it may lose, cash, its strategy's share, what moves with it (correlation), or a limit. Decisions names it. Counted here are only those whose size was made smaller afterwards, by a limit above."), Object.keys(status.cuts).length ? el("dl", {}, Object.entries(status.cuts).flatMap(([name, count]) => [el("dt", {}, name), el("dd", {}, String(count))])) : el("p", { className: "soft" }, "None since the loop began."),
      ...(status.limits.length ? [el("h3", {}, "What the limits mean for the strategies"), ...status.limits.map((line) => el("p", {}, line))] : [])]);
  };
  return { update };
}
function journalView(host) {
  return leafed(host, () => "/api/journal?", "seq", (known) => known.status?.desk?.journal, (one) =>
    cells(String(one.seq), left(clock(one.ts)), left(one.kind), el("td", { className: "left key" }, one.ref), el("td", { className: "left wrap" }, el("details", { "data-row": String(one.seq) }, el("summary", {}, "show"), el("code", {}, one.body))), left(el("code", {}, one.hash.slice(0, 12)))),
  [th("entry"), ...lefts("time (UTC)", "what", "of", "content", "hash")], "The journal is empty.");
}
function healthView(host) {
  const [well, cards, list] = [el("div"), el("div"), el("div")];
  host.append(well, cards, el("h3", {}, "Newest commands"), list);
  let seen = null;
  const update = async ({ run, rows, status }) => {
    const key = `${run?.beat_at} ${rows.command}`;
    if (key === seen) return;
    seen = key;
    try {
      const found = await ask("/api/health");
      const { reasons, notes } = found.well;
      renew(well, [run?.id, found.well], () => !run ? null : [
        el("p", {}, el("strong", { className: reasons.length ? "down" : "up" }, reasons.length ? "Not well" : "All is well")),
        reasons.length || notes.length ? el("ul", {}, [...reasons, ...notes.map((one) => `Note: ${one}`)].map((one) => el("li", {}, one))) : null]);
      const late = status ? Math.max(0, ...status.feeds.map((one) => one.behind_ms)) : 0;
      renew(cards, [found.database, found.bytes, run, late, found.holder], () => el("div", { className: "cards" },
        card("loop", found.holder ? `runs, process ${run?.pid}` : "does not run"), card("last word (UTC)", run ? clock(run.beat_at) : "none"), card("mode", run?.mode ?? "none"), card("feeds behind", late ? lasting(late) : "none"),
        card("database", `${found.database}${found.bytes === null ? "" : `, ${fixed(found.bytes / 1e6, 1)} MB`}`), card("tables", `version ${found.schema}`), card("accounts", found.accounts.join(", ") || "none"), card("code", found.code ?? "none")));
      renew(list, found.commands, () => (found.commands.length ? table([...lefts("given (UTC)", "command", "by", "outcome")], found.commands.map((one) =>
        cells(clock(one.created_at), left(`${one.name} ${one.argument}`.trim()), left(one.origin), el("td", { className: "left wrap" }, one.outcome ?? "waits"))), "stack") : nothing("No command was given yet.")));
    } catch (error) {
      failed(list, error);
    }
  };
  return { update };
}
const VIEWS = { account: accountView, markets: marketsView, decisions: decisionsView, strategies: strategiesView, runs: runsView, risk: riskView, journal: journalView, health: healthView };
