"""The page of runs: one file that asks nobody, whose numbers are the JSON document's."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.backtest.fast_backtester import run_fast
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.backtester import run_backtest
from core.domain import Costs, Series
from core.reports.document import as_json, run_document
from core.reports.html import asset
from core.reports.report import POINTS, TRADE_COLUMNS, report_html, return_parts
from core.reports.run_report import held, reported, reported_replay
from core.results.curves import drawdowns
from core.results.measures import Summary, buy_and_hold, definitions, max_drawdown
from core.results.runs import BacktestResult, RunSpec
from strategies.registry import load_strategy
from tests.markets import HOUR, random_bars
from tests.unit.test_packing import times_of, unpack

ROOT = Path(__file__).resolve().parents[2]
BTC = Series("binanceus", "BTC/USDT", "1h")
ETH = BTC._replace(symbol="ETH/USDT")
COSTS = Costs(0.001, 0.0002)
BARS, OTHER = random_bars(5, 3000), random_bars(6, 3000, price=3000.0)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return run_backtest(BARS, RunSpec(BTC, "MR_BB", {}, COSTS, 10_000.0))


@pytest.fixture(scope="module")
def html(result: BacktestResult) -> str:
    return report_html([reported(result, BARS, {})], {BTC: BARS}, title="a run", note="SYNTHETIC")


def document_of(html: str) -> dict[str, Any]:
    text = re.search(r'id="document">(.*?)</script>', html, re.DOTALL)
    assert text
    found: dict[str, Any] = json.loads(text[1])
    return found


def unpacked_json(text: str) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(text)))


def trades_of(run: dict[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = unpacked_json(run["trades"]["columns"])
    return found


@pytest.mark.unmeasured
def test_the_page_is_one_file_that_names_no_other(html: str) -> None:
    tags = re.sub(r"(<(script|style)\b[^>]*>).*?</\2>", r"\1", html, flags=re.DOTALL)
    assert re.findall(r"<[^>]*\b(?:src|href|action|srcset)\s*=", tags) == []
    assert "default-src 'none'" in tags
    assert "url(" not in html
    assert "@import" not in html


def test_the_chart_library_is_what_the_registry_has_with_its_licence(html: str) -> None:
    recorded = (ROOT / "docs" / "decisions" / "0037-pages.md").read_text()
    for name in ("uplot.min.js", "uplot.min.css"):
        assert hashlib.sha256(asset(name).encode()).hexdigest() in recorded
    assert "uPlot (v1.6.32)" in asset("uplot.min.js").splitlines()[0]
    assert "The MIT License" in html
    assert "Copyright (c) 2022 Leon Sorokin" in html


def test_figures_are_those_of_the_document(html: str, result: BacktestResult) -> None:
    (run,) = document_of(html)["runs"]
    (entry,) = json.loads(as_json(run_document([result])))["runs"]
    trades = entry.pop("trades")
    assert {name: run["entry"][name] for name in entry} == entry
    columns = trades_of(run)
    assert set(columns) == set(TRADE_COLUMNS)
    assert len(trades) == run["trades"]["count"] > 50
    by_entry = sorted(trades, key=lambda trade: trade["entry_ts"])
    for name in by_entry[0]:
        assert columns[name] == [trade[name] for trade in by_entry], name


def test_every_trade_has_the_stop_and_take_it_stood_at(html: str, result: BacktestResult) -> None:
    columns = trades_of(document_of(html)["runs"][0])
    hit = [i for i, reason in enumerate(columns["reason"]) if reason == "stop"]
    assert hit
    for i in hit:
        side = 1 if columns["side"][i] == "LONG" else -1
        assert side * columns["exit_price"][i] <= side * columns["stop"][i]
    assert len(columns["take"]) - columns["take"].count(None) == int((result.trades["TP"] > 0).sum())


def test_every_figure_is_shown_as_a_terminal_shows_it_and_has_its_meaning(html: str) -> None:
    document = document_of(html)
    assert {one["name"]: one["meaning"] for one in document["figures"]} == definitions()
    assert {one["name"] for one in document["figures"]} == set(Summary._fields)
    assert len(document["runs"][0]["cells"]) == len(document["figures"])


def test_curves_are_the_equity_and_the_deepest_drawdown_is_the_figure(
    html: str, result: BacktestResult
) -> None:
    (run,) = document_of(html)["runs"]
    assert times_of(run["curve"]["times"]).tolist() == (BARS.ts + HOUR).tolist()
    assert unpack(run["curve"]["worth"]) == pytest.approx(result.equity / 10_000, abs=1e-6)
    worst = run["drawdowns"][0]
    assert 100 * worst["depth"] == pytest.approx(result.summary.max_drawdown_pct, abs=1e-12)
    months = math.prod(1 + one for one in run["months"].values())
    assert 100 * (months - 1) == pytest.approx(result.summary.return_pct)


@pytest.mark.unmeasured
def test_long_curves_are_drawn_in_groups_that_lose_no_drawdown() -> None:
    bars = random_bars(9, POINTS + 2000)
    found = reported(run_fast(bars, RunSpec(BTC, "SMA_CROSS", {}, COSTS, 10_000.0)), bars, {})
    (run,) = document_of(report_html([found], {BTC: bars}, title=""))["runs"]
    assert run["curve"]["group"] == 2
    assert unpack(run["curve"]["depth"]).max() == pytest.approx(max_drawdown(found.equity), abs=1e-5)
    assert unpack(run["curve"]["worth"])[-1] == pytest.approx(found.equity[-1] / 10_000, abs=1e-6)
    assert drawdowns(found.times, found.equity, 1)[0].depth == run["drawdowns"][0]["depth"]


def test_holding_the_symbol_btc_eth_and_half_of_each_is_compared_with_costs() -> None:
    found = held(ETH, OTHER, COSTS, {BTC: BARS})
    shared = np.isin(OTHER.ts, BARS.ts)
    assert [one.name for one in found] == ["hold ETH/USDT", "hold BTC/USDT", "hold half BTC, half ETH"]
    eth, btc, both = found
    assert eth.worth[-1] == 1 + buy_and_hold(OTHER, COSTS)
    assert btc.worth[-1] == pytest.approx(1 + buy_and_hold(BARS, COSTS))
    assert both.worth == pytest.approx((eth.worth + btc.worth) / 2)
    paid = BARS.open[0] * 1.0002 * 1.001
    assert btc.worth[shared][5] == BARS.close[np.flatnonzero(np.isin(BARS.ts, OTHER.ts))[5]] / paid


def test_a_coin_without_the_first_or_the_last_candle_could_not_be_held() -> None:
    for some in (BARS.since(5), BARS.until(-5)):
        found = held(ETH, OTHER, COSTS, {BTC: some, ETH._replace(timeframe="4h"): BARS})
        assert [one.name for one in found] == ["hold ETH/USDT"]
    assert [one.name for one in held(BTC, BARS, COSTS, {})] == ["hold BTC/USDT"]


def test_a_run_without_trades_and_with_few_days_has_a_page() -> None:
    bars = BARS.until(60)
    found = reported(run_fast(bars, RunSpec(BTC, "SMA_CROSS", {}, COSTS, 10_000.0)), bars, {})
    document = document_of(report_html([found], {BTC: bars}, title="short"))
    assert document["runs"][0]["rolling"]["times"] == []
    assert document["runs"][0]["shares"] == []


@pytest.mark.parametrize("engine", [run_backtest, run_fast])
def test_the_parts_of_a_return_are_those_of_its_trades_and_add_up(engine: Any) -> None:
    result = engine(BARS, RunSpec(BTC, "GRID_LR", {}, COSTS, 10_000.0))
    parts = return_parts(reported(result, BARS, {}))
    assert [part["name"] for part in parts] == [
        "closed trades, before fees",
        "fees of closed trades",
        "return",
    ]
    assert parts[0]["amount"] + parts[1]["amount"] == pytest.approx(parts[2]["amount"])
    assert parts[2]["amount"] == pytest.approx(10_000 * result.summary.return_pct / 100)


def test_what_no_trade_explains_of_a_return_has_a_name_of_its_own(result: BacktestResult) -> None:
    run = reported(result, BARS, {})
    ruined = replace(run, equity=np.append(run.equity[:-1], 0.0))
    assert [part["name"] for part in return_parts(ruined)][2:] == ["not of any trade", "return"]


def test_the_same_run_has_the_same_page_and_runs_stand_side_by_side(
    result: BacktestResult, html: str
) -> None:
    one = reported(result, BARS, {})
    assert report_html([one], {BTC: BARS}, title="a run", note="SYNTHETIC") == html
    other = reported(run_fast(OTHER, RunSpec(ETH, "GRID_LR", {}, COSTS, 500.0)), OTHER, {BTC: BARS})
    document = document_of(report_html([one, other], {BTC: BARS, ETH: OTHER}, title="two"))
    assert [run["candles"] for run in document["runs"]] == [[0], [1]]
    assert [run["name"] for run in document["runs"]] == ["MR_BB", "GRID_LR"]


@pytest.mark.parametrize("name", ["MR_BB", "GRID_LR", "SMA_CROSS"])
def test_trades_last_alike_on_the_page_of_a_backtest_and_of_an_account(name: str) -> None:
    account = ReplayAccount(10_000.0, COSTS)
    feed = ReplayFeed(name, load_strategy(name), {}, BTC.symbol, "1h", BARS)
    own = reported(run_fast(BARS, RunSpec(BTC, name, {}, COSTS, 10_000.0)), BARS, {})
    other = reported_replay(replay([feed], account), {BTC: BARS}, {}, account)
    lasted, again = (
        trades_of(document_of(report_html([run], {BTC: BARS}, title="a"))["runs"][0])["held_ms"]
        for run in (own, other)
    )
    assert lasted == again
    assert all(one % HOUR == 0 for one in lasted)


@pytest.mark.unmeasured
def test_an_account_of_several_strategies_says_what_each_earned() -> None:
    candles = {BTC: BARS, ETH: OTHER}
    feeds = [
        ReplayFeed(name, load_strategy(name), {}, series.symbol, "1h", candles[series])
        for name, series in (("MR_BB", BTC), ("SMA_CROSS", ETH))
    ]
    account = ReplayAccount(10_000.0, COSTS)
    found = replay(feeds, account)
    run = reported_replay(found, candles, candles, account)
    (shown,) = document_of(report_html([run], candles, title="account"))["runs"]
    for share in shown["shares"]:
        trades = found.trades[share["strategy"]]
        assert share["trades"] == len(trades)
        assert share["pnl"] == pytest.approx(float(sum(trade.pnl for trade in trades)))
        assert share["fees"] == pytest.approx(float(sum(trade.fees for trade in trades)))
    assert {share["strategy"] for share in shown["shares"]} == {"MR_BB", "SMA_CROSS"}
    hours = np.arange(int(found.times[0]), int(found.times[-1]), 3_600_000)
    spans = [(one.entry_time, one.exit_time) for trades in found.trades.values() for one in trades]
    held = [any(first <= hour < last for first, last in spans) for hour in hours.tolist()]
    assert 0 < shown["held_pct"] < 100
    assert shown["held_pct"] == pytest.approx(100 * np.mean(held), abs=0.05)
    assert all(trade["stop"] is not None for trade in run.trades if trade["strategy"] == "MR_BB")
    assert [one["name"] for one in shown["held"]] == [
        "hold BTC/USDT",
        "hold ETH/USDT",
        "hold half BTC, half ETH",
    ]
    assert shown["candles"] == [0, 1]
