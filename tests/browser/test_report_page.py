"""The report in a browser: what it shows, that it moves fast, and that it asks no other computer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.backtest.fast_backtester import run_fast
from core.domain import Bars, Costs, Series
from core.reports.report import Reported, report_html
from core.reports.run_report import reported
from core.results.measures import Summary
from core.results.runs import RunSpec
from tests.browser.conftest import Visit
from tests.browser.looks import faults
from tests.markets import random_bars

BTC = Series("binanceus", "BTC/USDT", "1h")
ETH = BTC._replace(symbol="ETH/USDT")
CANDLES = {BTC: random_bars(5, 3000), ETH: random_bars(6, 3000, price=3000.0)}
HOSTILE = "</script><b data-hostile onload=x>"


def a_run(series: Series, strategy: str) -> Reported:
    spec = RunSpec(series, strategy, {}, Costs(0.001), 10_000.0)
    return reported(run_fast(CANDLES[series], spec), CANDLES[series], CANDLES)


@pytest.fixture(scope="module")
def runs() -> list[Reported]:
    return [a_run(BTC, "MR_BB"), a_run(ETH, "TREND_EMA"), a_run(BTC, "GRID_LR")]


def write(folder: Path, runs: list[Reported], candles: dict[Series, Bars], **texts: str) -> str:
    page = folder / "report.html"
    page.write_text(report_html(runs, candles, **{"title": "a report", **texts}))
    return page.as_uri()


def test_the_report_shows_every_figure_and_asks_nobody(
    visit: Visit, runs: list[Reported], tmp_path: Path
) -> None:
    url = write(tmp_path, runs, CANDLES, note="SYNTHETIC")
    visit.go(url)
    tab = visit.tab
    assert visit.asked == [url]
    assert tab.inner_text("#note") == "SYNTHETIC"
    for i, run in enumerate(runs):
        for name in Summary._fields:
            text = tab.get_attribute(f"#figures tr[data-run='{i}'] td[data-figure={name}]", "data-value")
            assert json.loads(text) == run.entry[name]
    for part in ("drawdowns", "shares", "months", "rolling", "spread", "durations", "trades", "candles"):
        assert tab.locator(f"#{part}").is_visible(), part
    wide = tab.eval_on_selector_all(
        ".columns .scroll", "all => all.map(one => one.scrollWidth > one.clientWidth)"
    )
    assert not any(wide) or tab.viewport_size["width"] < 600
    assert faults(tab) == []
    tab.click("#theme")
    assert faults(tab) == []


TAKES_PLOTS = """() => {
  const [make, plots] = [uPlot, (window.plots = [])];
  uPlot = Object.assign(function (...given) { return (plots.push(new make(...given)), plots.at(-1)); }, make);
}"""
"""Keeps each plot that is drawn from then on."""


@pytest.mark.parametrize(
    ("end", "is_log", "low", "high"),
    [(9_500.0, False, 0.9, 1.1), (30_000.0, False, 0.8, 3.4), (90_000.0, True, 0.7, 12)],
)
def test_the_equity_axis_is_as_wide_as_the_curves(
    visit: Visit, runs: list[Reported], tmp_path: Path, end: float, *, is_log: bool, low: float, high: float
) -> None:
    equity = np.geomspace(10_000.0, end, runs[0].times.size)
    visit.go(write(tmp_path, [replace(runs[0], equity=equity, held=(), holding="without costs")], CANDLES))
    tab = visit.tab
    assert "holding to the end, without costs." in tab.inner_text("#curves")
    tab.evaluate(TAKES_PLOTS)
    shown = []
    for _ in range(2):
        tab.click("#curves button:text-is('logarithmic or linear')")
        tab.wait_for_timeout(100)
        shown.append(
            tab.evaluate("(({ distr, min, max }) => [distr === 3, min, max])(plots.at(-2).scales.y)")
        )
    # The second click is back at how the page began.
    assert [one[0] for one in shown] == [not is_log, is_log]
    # A linear axis of what is many times the cash may begin at nothing.
    for _, bottom, top in shown[is_log:]:
        assert low <= bottom <= min(1.0, end / 10_000) <= max(1.0, end / 10_000) <= top <= high


def test_round_numbers_stand_on_a_logarithmic_axis(
    visit: Visit, runs: list[Reported], tmp_path: Path
) -> None:
    visit.go(write(tmp_path, runs[:1], CANDLES))
    ticks = "([low, high]) => niceTicks(null, null, low, high).map((one) => Number(one.toFixed(6)))"
    assert visit.tab.evaluate(ticks, [0.94, 1.03]) == [0.94, 0.96, 0.98, 1.0, 1.02]
    assert visit.tab.evaluate(ticks, [0.9, 3.1]) == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert visit.tab.evaluate(ticks, [0.6, 40.0]) == [1, 2, 5, 10, 20]


def test_choosing_another_run_shows_its_numbers(visit: Visit, runs: list[Reported], tmp_path: Path) -> None:
    visit.go(write(tmp_path, runs, CANDLES))
    tab = visit.tab
    tab.click("#figures tr[data-run='1'] button")
    assert "TREND_EMA" in tab.inner_text("#chosen")
    assert f"of {len(runs[1].trades):,}" in tab.inner_text("#trades [role=status]")
    counts = "elements => elements.map(one => Number(one.dataset.count))"
    assert sum(tab.eval_on_selector_all("#spread [data-count]", counts)) == len(runs[1].trades)
    assert sum(tab.eval_on_selector_all("#durations [data-count]", counts)) == len(runs[1].trades)
    months = tab.eval_on_selector_all(
        "#months [data-month]", "all => all.map(one => Number(one.dataset.month))"
    )
    assert np.prod([1 + one for one in months]) - 1 == pytest.approx(runs[1].summary.return_pct / 100)


def test_the_ends_of_a_scale_say_how_many_trades_lie_beyond(
    visit: Visit, runs: list[Reported], tmp_path: Path
) -> None:
    visit.go(write(tmp_path, runs[:1], CANDLES))
    low, _, high = visit.tab.locator("#spread .scale span").all_inner_texts()
    reach = float(high.split()[0])
    values = [trade["pnl_pct"] for trade in runs[0].trades]
    above, below = sum(one > reach + 0.05 for one in values), sum(one < -reach - 0.05 for one in values)
    assert above + below > 0
    assert high.endswith(f"and more: {above} beyond" if above else " %")
    assert low.endswith(f"and less: {below} beyond" if below else " %")
    last = visit.tab.get_attribute("#spread [data-count] >> nth=29", "data-tip")
    assert "and more" in last


def test_a_heading_says_what_it_means_by_mouse_and_by_key(
    visit: Visit, runs: list[Reported], tmp_path: Path
) -> None:
    visit.go(write(tmp_path, runs, CANDLES))
    tab = visit.tab
    tab.focus("#figures th span[data-tip*='1994; the annual']")
    assert "Sharpe" in tab.inner_text("#tip")
    tab.keyboard.press("Escape")
    assert not tab.locator("#tip").is_visible()
    tab.hover("#figures th span[data-tip*='money won over money lost']")
    assert "money won over money lost" in tab.inner_text("#tip")


def test_a_trade_is_found_on_the_candles_and_keys_move_them(
    visit: Visit, runs: list[Reported], tmp_path: Path
) -> None:
    visit.go(write(tmp_path, runs, CANDLES))
    tab = visit.tab
    tab.click("#trades button[aria-label='show trade 3 on the candles']")
    tab.wait_for_function("candlesShown.view.max - candlesShown.view.min < 1e9")
    third = sorted(runs[0].trades, key=lambda trade: trade["entry_ts"])[2]
    low, high = tab.evaluate("[candlesShown.view.min, candlesShown.view.max]")
    assert low < third["entry_ts"] < high
    cheap, dear = tab.evaluate("[candlesShown.chart.plot.scales.y.min, candlesShown.chart.plot.scales.y.max]")
    assert cheap < min(third["stop"], third["take"]) < max(third["stop"], third["take"]) < dear
    tab.focus("#candles .chart")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("+")
    after = tab.evaluate("[candlesShown.view.min, candlesShown.view.max]")
    assert after[1] - after[0] == pytest.approx((high - low) * 0.6)
    tab.keyboard.press("0")
    assert tab.evaluate("candlesShown.view.max - candlesShown.view.min") > 2900 * 3_600_000


def test_a_page_with_faults_has_them_found(browser: Any) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    tab.set_content(
        "<html><body><p style='color:#aaa;background:#fff'>pale</p><button></button><i id=a></i><i id=a></i>"
        "<div style='width:900px'>wide</div><h3>deep</h3><section>x</section><p aria-labelledby=nobody>y</p>"
        "<b tabindex=3>z</b><table><tr><th>q</th></tr></table><img src='data:,'><i role=meter>m</i>"
        "<button style='outline:none' aria-label=dull>d</button><p>[object Object]</p></body></html>"
    )
    found = " ".join(faults(tab))
    for fault in (
        *("contrast P pale", "no label <button>", "two of #a", "no language", "not one h1", "wider"),
        *("heading deep is of level 3 after 0", "no name <section>", "aria-labelledby of nothing: nobody"),
        *("focus out of order <b", "heading of a table without scope: q", "an image without words"),
        *("a meter without its values", "too small to hit <button>", "not one main", "no title"),
        *("focus is not seen <button style", "no text for people: [object"),
    ):
        assert fault in found
    tab.close()


def test_text_from_elsewhere_is_never_markup(visit: Visit, tmp_path: Path) -> None:
    odd = Series(HOSTILE, f"A{HOSTILE}/USDT", "1h")
    bars = CANDLES[BTC]
    found = run_fast(bars, RunSpec(BTC, "MR_BB", {}, Costs(0.001), 10_000.0))
    plain = reported(found, bars, {})
    trades = [
        {**trade, "strategy": HOSTILE, "symbol": odd.symbol, "reason": HOSTILE} for trade in plain.trades
    ]
    run = Reported(
        name=HOSTILE,
        entry=plain.entry,
        summary=plain.summary,
        times=plain.times,
        equity=plain.equity,
        cash=plain.cash,
        trades=trades,
        series=[odd],
        held=plain.held,
        notes=[HOSTILE],
        facts={HOSTILE: HOSTILE},
    )
    visit.go(write(tmp_path, [run], {odd: bars}, title=HOSTILE, note=HOSTILE))
    assert faults(visit.tab) == []
    assert HOSTILE in visit.tab.inner_text("#chosen")
    assert visit.tab.locator("[data-hostile]").count() == 0


def test_trades_of_several_strategies_say_whose_they_are_those_of_one_do_not(
    visit: Visit, tmp_path: Path
) -> None:
    bars = CANDLES[BTC]
    plain = reported(run_fast(bars, RunSpec(BTC, "MR_BB", {}, Costs(0.001), 10_000.0)), bars, {})
    whose = [("FIRST", "BTC/USDT"), ("OTHER", "ETH/USDT")]
    mixed = [
        {**trade, "strategy": whose[i % 2][0], "symbol": whose[i % 2][1]}
        for i, trade in enumerate(plain.trades)
    ]
    read = "rows => rows.map(row => [...row.cells].slice(0, 4).map(one => one.textContent))"
    for run, heads in (
        (plain, ["", "side", "entry (UTC)", "exit (UTC)"]),
        (replace(plain, trades=mixed), ["", "strategy", "symbol", "side"]),
    ):
        visit.go(write(tmp_path, [run], {BTC: bars}))
        head, first, second = visit.tab.eval_on_selector_all("#trades tr", read)[:3]
        assert head == heads
    assert first[1:3] == ["FIRST", "BTC/USDT"]
    assert second[1:3] == ["OTHER", "ETH/USDT"]


FRAMES = """async (shown) => {
  const view = candlesShown.view;
  const whole = view.last - view.first;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  view.set(view.first + (whole * (1 - shown)) / 2, view.last - (whole * (1 - shown)) / 2);
  await frame();
  await frame();
  const costs = [];
  for (let i = 0; i < 30; i++) {
    view.pan(i % 2 ? 0.03 : -0.03);
    const began = performance.now();
    view.draw();
    await null;
    costs.push(performance.now() - began);
    await frame();
  }
  return costs.sort((a, b) => a - b)[15];
}"""
"""Returns the ms that a frame takes while the candles are dragged, in the middle of thirty."""


def year_of_minutes() -> Bars:
    rng = np.random.default_rng(1)
    count = 525_600
    close = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 0.0005, count))), 2)
    opens = np.concatenate([[60_000.0], close[:-1]])
    reach = np.round(rng.exponential(15.0, (2, count)), 2)
    high, low = np.maximum(opens, close) + reach[0], np.minimum(opens, close) - reach[1]
    ts = 1_700_000_040_000 + 60_000 * np.arange(count, dtype=np.int64)
    return Bars(ts, opens, np.round(high, 2), np.round(low, 2), close, np.ones(count))


def test_a_year_of_minutes_with_24_000_trades_moves_at_twenty_frames_a_second(
    browser: Any, tmp_path: Path
) -> None:
    bars, minutes = year_of_minutes(), Series("binance", "BTC/USDT", "1m")
    result = run_fast(bars, RunSpec(minutes, "MR_BB", {}, Costs(0.0), 10_000.0))
    assert len(result.trades) > 24_000
    url = write(tmp_path, [reported(result, bars, {})], {minutes: bars})
    assert (tmp_path / "report.html").stat().st_size < 25_000_000
    visit = Visit(browser.new_page(viewport={"width": 1280, "height": 900}))
    visit.go(url)
    for shown in (1.0, 0.3, 0.01, 0.0005):
        assert visit.tab.evaluate(FRAMES, shown) < 50, shown
    visit.tab.close()
    assert visit.errors == []
