"""The trades table, and how deep each trade was under water."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest

from core.domain import Bars, Costs, FloatArray, Reason, Series
from core.fills import ENTRY_BAR, ENTRY_PRICE, EXIT_BAR, EXIT_PRICE, REASON, RUNG, SIZE, TRADE_COLUMNS
from core.results.measures import summary_from_json
from core.results.runs import BacktestResult, DataRange, RunSpec
from core.results.trades import trades_table
from tests.markets import make_bars, random_bars

ROWS = [(100.0, 110.0, 95.0, 105.0), (105.0, 106.0, 80.0, 90.0), (90.0, 130.0, 89.0, 120.0)]


def trade(
    size: float, entry: tuple[int, float], exit_: tuple[int, float], reason: Reason, rung: int = 0
) -> FloatArray:
    made = np.zeros((1, TRADE_COLUMNS))
    made[0, [SIZE, ENTRY_BAR, ENTRY_PRICE, EXIT_BAR, EXIT_PRICE]] = size, *entry, *exit_
    made[0, [REASON, RUNG]] = reason, rung
    return made


def drawdown(size: float, entry: tuple[int, float], exit_: tuple[int, float], reason: Reason) -> float:
    table = trades_table(trade(size, entry, exit_, reason), make_bars(*ROWS))
    return float(table["MaxDrawdownPct"].iloc[0])


def by_hand(trades: FloatArray, bars: Bars) -> list[float]:
    """Return each trade's drawdown, one by one."""
    found = []
    for row in trades:
        entry, exit_, first, last = row[ENTRY_PRICE], row[EXIT_PRICE], int(row[ENTRY_BAR]), int(row[EXIT_BAR])
        at_the_open = row[REASON] == Reason.TAKE and exit_ == bars.open[last]
        if row[REASON] in (Reason.TAKE, Reason.END, Reason.RUIN) and not at_the_open:
            last += 1
        if row[SIZE] > 0:
            loss = entry - min([exit_, *bars.low[first:last]])
        else:
            loss = max([exit_, *bars.high[first:last]]) - entry
        found.append(max(0.0, loss) / entry * 100)
    return found


@pytest.mark.parametrize(
    ("size", "exit_", "reason", "expected"),
    [
        (1.0, (1, 95.0), Reason.STOP, 5.0),  # only its own fill on the exit bar; the entry bar's low is 95
        (1.0, (1, 105.0), Reason.RULE, 5.0),  # out at the open
        (1.0, (1, 104.0), Reason.TAKE, 20.0),  # somewhere in the bar: all of it
        (1.0, (1, 105.0), Reason.TAKE, 5.0),  # at the open
        (1.0, (2, 120.0), Reason.END, 20.0),
        (1.0, (0, 97.0), Reason.TRAIL, 3.0),  # opened and closed within one bar
        (1.0, (0, 103.0), Reason.STOP, 0.0),
        (-1.0, (1, 111.0), Reason.TRAIL, 11.0),
        (-1.0, (2, 120.0), Reason.RUIN, 30.0),
        (-1.0, (2, 90.0), Reason.REDUCE, 10.0),
    ],
)
def test_a_trade_was_as_deep_under_water_as_the_bars_it_saw(
    size: float, exit_: tuple[int, float], reason: Reason, expected: float
) -> None:
    assert drawdown(size, (0, 100.0), exit_, reason) == expected


def test_drawdowns_of_overlapping_trades_are_those_of_each_alone_to_the_last_bit() -> None:
    bars = random_bars(4, 300)
    rng = np.random.default_rng(4)
    trades = np.zeros((400, TRADE_COLUMNS))
    exits = np.sort(rng.integers(0, bars.close.size, 400))
    entries = np.maximum(0, exits - rng.integers(0, 9, 400))
    trades[:, EXIT_BAR], trades[:, ENTRY_BAR] = exits, entries
    trades[:, SIZE] = rng.choice([1.0, -1.0], 400)
    trades[:, ENTRY_PRICE] = bars.open[entries]
    trades[:, EXIT_PRICE] = np.where(rng.random(400) < 0.5, bars.open[exits], bars.close[exits])
    trades[:, REASON] = rng.choice([int(reason) for reason in Reason], 400)
    assert trades_table(trades, bars)["MaxDrawdownPct"].tolist() == by_hand(trades, bars)


def test_the_table_names_times_tags_and_reasons() -> None:
    bars = make_bars(*ROWS)
    trades = np.concatenate([trade(2.0, (1, 105.0), (2, 90.0), reason, rung=3) for reason in Reason])
    table = trades_table(trades, bars)
    assert table["Reason"].tolist() == [reason.name.lower() for reason in Reason]
    assert set(table["Tag"]) == {(0, 3)}
    assert set(table["EntryTime"]) == {pd.Timestamp(int(bars.ts[1]), unit="ms")}
    assert set(table["Duration"]) == {pd.Timedelta(hours=1)}


def test_without_trades_the_table_has_its_columns_and_no_row() -> None:
    table = trades_table(np.empty((0, TRADE_COLUMNS)), make_bars(*ROWS))
    assert len(table) == 0
    assert {"Size", "EntryTime", "Duration", "Tag", "MaxDrawdownPct", "Reason"} <= set(table.columns)


def test_a_result_makes_its_table_once_and_when_asked_and_takes_it_along_to_another_process() -> None:
    made: list[int] = []
    bars = make_bars(*ROWS)

    def make() -> pd.DataFrame:
        made.append(1)
        return trades_table(trade(1.0, (0, 100.0), (2, 120.0), Reason.END), bars)

    spec = RunSpec(Series("binanceus", "BTC/USDT", "1h"), "TREND_EMA", {}, Costs(), 1000.0)
    data = DataRange(0, 2, 3, 0, "")
    summary = summary_from_json({})
    result = BacktestResult(spec, data, "fast", {}, summary, make, bars.close)
    assert made == []
    assert result.trades is result.trades
    assert made == [1]
    sent = pickle.loads(pickle.dumps(result))
    assert sent.records == result.records
    assert sent.make_trades().equals(result.trades)
    lazy = BacktestResult(spec, data, "fast", {}, summary, partial(_never), bars.close)
    with pytest.raises(ZeroDivisionError):
        pickle.dumps(lazy)


def _never() -> pd.DataFrame:
    raise ZeroDivisionError
