"""What the browsing page computes: the commands' own runs, tables with units, lines without lost peaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine

from core import cli
from core.backtest.fast_backtester import run_fast
from core.backtest_persistence import list_runs, load_run
from core.cli import browse_page, browse_work, trial_journal
from core.cli.browse_work import POINTS, Curve, Picked, Ranking
from core.domain import Costs, Series
from core.errors import NoDataError, SettingsError, UsageError
from core.optimise.search import summary_at
from core.optimise.sweep import sweep
from core.results.runs import RunSpec, TradeRecord
from core.settings import Settings
from core.sql_data_source import SQLDataSource
from core.utils import parse_time
from db import trials
from db.trial_rows import HELD_OUT, Trials, TrialWindow
from strategies.registry import load_strategy
from tests.page_help import BTC, seeded
from tests.stored import url_of

PICKED = Picked(BTC, "MR_BB", "", "", 5_000.0, 0.002, 0.0005)
RANKING = Ranking("return_pct", 1, 30.0)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Engine]]:
    folder = tmp_path_factory.mktemp("browse")
    engine = seeded(folder)
    yield cli.load_settings({"db.url": url_of(folder / "page.db")}), engine
    engine.dispose()


@pytest.fixture(scope="module")
def settings(stored: tuple[Settings, Engine]) -> Settings:
    return stored[0]


@pytest.mark.unmeasured
def test_a_backtest_is_the_one_that_was_asked_for(settings: Settings) -> None:
    picked = PICKED._replace(start="2023-12-01", end="2024-02-01")
    bars, result, _ = browse_work.backtest(picked, "bb_period=25 atr_period=10", "fast", settings)
    low, high = (parse_time(text) for text in (picked.start, picked.end))
    assert low <= bars.ts[0] < bars.ts[-1] < high
    assert (result.spec.params["bb_period"], result.spec.params["atr_period"]) == (25, 10)
    spec = RunSpec(BTC, "MR_BB", result.spec.params, Costs(0.002, 0.0005), 5_000.0)
    again = run_fast(SQLDataSource(settings.db.url).get_bars(*BTC[1:], start=low, end=high), spec)
    assert len(result.records) > 10
    assert result.records == again.records
    assert result.summary == again.summary


@pytest.mark.unmeasured
def test_both_engines_make_the_same_trades(settings: Settings) -> None:
    one, other = (browse_work.backtest(PICKED, "", name, settings)[1] for name in browse_page.ENGINES)
    assert one.records == other.records
    assert one.engine != other.engine


@pytest.mark.parametrize(
    ("changed", "typed", "error", "says"),
    [
        ({"start": "2099-01-01"}, "", NoDataError, "no stored candles"),
        ({"start": "soon"}, "", UsageError, "cannot read the time 'soon'"),
        ({"start": "2024-02-01", "end": "2024-01-01"}, "", UsageError, "--start must come before --end"),
        ({"series": Series("binanceus", "ETH/USDT", "1h")}, "", NoDataError, "ETH/USDT"),
        ({"cash": -5.0}, "", SettingsError, "--cash"),
        ({}, "bb_period", UsageError, "wanted NAME=NUMBER"),
        ({}, "bb_period=-3", UsageError, "bb_period: wanted a whole number"),
        ({}, "nonsense=3", UsageError, "unknown parameter 'nonsense'"),
    ],
)
def test_what_cannot_be_run_is_said(
    settings: Settings, changed: dict[str, object], typed: str, error: type[Exception], says: str
) -> None:
    picked = PICKED._replace(**changed)  # type: ignore[arg-type]
    with pytest.raises(error, match=says):
        browse_work.backtest(picked, typed, "fast", settings)


def test_every_set_that_is_run_on_the_page_counts_once_saved_or_not(stored: tuple[Settings, Engine]) -> None:
    settings, engine = stored

    def counted() -> tuple[int, int, dict[str, int]]:
        windows = [window for row in trials.entries(engine) for window in row.windows]
        found = trials.count_trials(engine, "SMA_CROSS", windows)
        return len(list_runs(settings.db.url)), found.different, found.by_command

    picked, before = PICKED._replace(strategy="SMA_CROSS"), len(list_runs(settings.db.url))
    _, result, notes = browse_work.backtest(picked, "", "fast", settings)
    assert (counted(), notes) == ((before, 1, {"backtest": 1}), [])
    period = next(name for name, value in load_strategy("SMA_CROSS").rule.defaults.items() if value > 5)
    own = load_strategy("SMA_CROSS").rule.defaults[period]
    swept = browse_work.sweep(picked, f"{period}={own:g},{own + 1:g}", RANKING, settings)
    # One of the two is the set that was run alone.
    assert counted() == (before, 2, {"backtest": 1, "sweep": 2})
    assert swept.notes == []
    kept = load_run(browse_work.save(result, settings), settings.db.url)
    assert kept.trades == result.records
    assert counted() == (before + 1, 2, {"backtest": 1, "sweep": 2})


@pytest.mark.unmeasured
def test_the_page_says_that_bars_held_out_were_looked_at(tmp_path: Path) -> None:
    engine = seeded(tmp_path)
    settings = cli.load_settings({"db.url": url_of(tmp_path / "page.db")})
    held = TrialWindow(*BTC, parse_time("2024-01-15"), trial_journal.OPEN_END, 0, "")
    trials.append(engine, Trials(HELD_OUT, "optimize", "MR_BB", "", [held]))
    early = browse_work.backtest(PICKED._replace(end="2024-01-10"), "", "fast", settings)
    assert early.notes == []
    for said in ("look 1 with MR_BB", "look 1 with MR_BB (the same again)"):
        notes = browse_work.backtest(PICKED, "", "fast", settings).notes
        assert notes == [
            f"this looks at bars that were held out, BTC/USDT from 2024-01-15 00:00 UTC on: {said}"
        ]
    engine.dispose()


def test_the_best_sets_have_the_figures_of_runs_on_older_and_unseen_bars(settings: Settings) -> None:
    plan, found, _ = browse_work.sweep(PICKED, "bb_period=10:30:10", RANKING, settings)
    table = browse_work.best_sets(plan, found)
    parts, rows = found.splits[BTC], table.to_dict("records")
    assert sorted(row["bb_period"] for row in rows) == [10, 20, 30]
    assert rows == sorted(rows, key=lambda row: -row["return %"])
    for row in rows:
        params = {**plan.asked.sets[0], "bb_period": row["bb_period"]}
        spec = RunSpec(BTC, "MR_BB", params, Costs(0.002, 0.0005), 5_000.0)
        starts = {BTC: parts.chosen_on.ts.size}
        warm = sweep({BTC: parts.whole}, "MR_BB", [params], spec.costs, spec.cash, starts=starts)
        alone = run_fast(parts.chosen_on, spec).summary
        for heading, summary in (("", alone), ("unseen ", summary_at(warm, 0))):
            assert row[f"{heading}return %"] == round(summary.return_pct, 2)
            assert row[f"{heading}trades"] == summary.trades_count


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (" ", "wanted values to try"),
        ("bb_period=10:2000:1 atr_period=10,20", "3,982 sets, this page tries 2,000 at most"),
        ("bb_period=9:2", "from:to:step"),
    ],
)
def test_a_search_that_is_wrong_or_too_long_is_refused(settings: Settings, typed: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        browse_work.sweep(PICKED, typed, RANKING, settings)


def test_parameters_are_shown_as_they_are_set_with_their_bounds(settings: Settings) -> None:
    table = browse_work.parameters("MR_BB", settings).set_index("parameter")
    assert list(table.loc["bb_period"]) == [20, 2, 2000]


def test_a_saved_run_stands_with_its_figures_inputs_and_closed_profit(settings: Settings) -> None:
    runs = [load_run(run_id, settings.db.url) for run_id in (1, 2)]
    first, second = map(browse_work.title, runs)
    figures = browse_work.figures({browse_work.title(run): run.summary for run in runs})
    assert figures.columns.tolist() == ["figure", first, second, "meaning"]
    assert figures.set_index("figure").loc["trades", first] == f"{len(runs[0].trades)}"
    inputs = browse_work.inputs_table(runs).set_index("input")
    assert list(inputs.loc["cash at the start"]) == ["10,000.00 USDT", "500.00 USDT"]
    assert list(inputs.loc["levels"]) == ["", "5"]
    for run in runs:
        line = browse_work.closed_line(run)
        assert line is not None
        assert line.values[0] == 0
        assert np.all(np.diff(line.times) >= 0)
        # All is closed at the end, so that what the trades made is the run's return.
        assert line.values[-1] == pytest.approx(run.summary.return_pct)
    assert browse_work.saved_table(runs)["run"].tolist() == [1, 2]


def test_equity_ends_at_the_final_equity_and_holding_starts_with_the_same_cash(settings: Settings) -> None:
    bars, result, _ = browse_work.backtest(PICKED, "", "fast", settings)
    own, held = browse_work.equity_lines(bars, result)
    assert own.values[-1] == pytest.approx(result.summary.final_equity)
    assert held.values[0] == pytest.approx(5_000 * bars.close[0] / bars.open[0] / 1.0005 / 1.002)
    assert own.times[0] == bars.ts[0] + 3_600_000


def test_a_long_line_is_drawn_with_few_points_and_every_peak() -> None:
    values = np.sin(np.arange(525_600) / 50.0)
    values[[123_456, 400_001]] = 9.0, -9.0
    table = browse_work.drawn([Curve("a", np.arange(525_600, dtype=np.int64) * 60_000, values)])
    assert len(table) <= POINTS + 2
    assert (table["value"].max(), table["value"].min()) == (9.0, -9.0)
    assert table["time"].is_monotonic_increasing
    assert table["time"].iloc[-1].isoformat() == "1970-12-31T23:59:00+00:00"


def test_trades_of_a_cheap_coin_keep_their_digits_and_name_their_units() -> None:
    trade = TradeRecord("LONG", 1e6, 0, 60_000, 0.0000123456, 0.0000133456, 1.0, 8.1, 0.02, 0.5, "take")
    (row,) = browse_work.trade_table([trade], "PEPE/USDT").to_dict("records")
    assert row["entry price, USDT"] == 0.0000123456
    assert (row["size, PEPE"], row["exit (UTC)"]) == (1e6, "1970-01-01 00:01")


def test_a_message_names_fields_and_leaves_commands_alone() -> None:
    text = "--start must come before --end; `fetch.py --exchange x` or symbol='BTC/USD'"
    shown = browse_page.as_labelled(text)
    assert shown == "start must come before end; `fetch.py --exchange x` or symbol BTC/USD"
    assert browse_page.plain("a_b <b> [x](y) :red[z] $1$") == r"a\_b \<b\> \[x\]\(y\) \:red\[z\] \$1\$"


def test_wrong_arguments_are_an_error_of_the_page_and_no_exit() -> None:
    assert browse_page.parsed(["--db-url", "sqlite:///x.db"]).db_url == "sqlite:///x.db"
    with pytest.raises(UsageError, match="after `--`: `unrecognized arguments: --database x`; wanted"):
        browse_page.parsed(["--database", "x"])
