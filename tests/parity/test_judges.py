"""P6: an independent judge, which shares nothing with the program, makes the program's trades."""

from __future__ import annotations

import ast
import inspect
import warnings
from typing import Any

import pandas as pd
import pytest
from backtesting.test import GOOG

from core import fills, sizing
from core.candles.frames import bars_from_frame
from core.domain import LOT, Costs, Series
from core.results.runs import RunSpec
from strategies import base
from strategies.registry import load_strategy
from tests import judge, judge_memory, judge_rules, judge_trends, judge_waiting
from tests.judge import Trade, differences
from tests.judge_backtesting import run_plain
from tests.judging import NAMES, SERIES, fill_model, main, on_backtesting_py, verdict
from tests.tiers import some, statistics

pytestmark = pytest.mark.unmeasured


@pytest.mark.parametrize("name", NAMES)
def test_the_judge_and_the_program_make_the_same_trades_and_the_same_money(name: str) -> None:
    verdicts = [verdict(name, series) for series in SERIES]
    assert [(one.differences, one.agrees) for one in verdicts] == [(0, True)] * len(SERIES)
    assert min(one.trades for one in verdicts) > 10


STAKES: tuple[dict[str, float], ...] = (
    {"stake": 0.3},
    {"stake_money": 700.0},
    {"stake": 0.2, "stake_money": 1_900.0},
)


@statistics
@pytest.mark.parametrize("drive", [fill_model, on_backtesting_py])
@pytest.mark.parametrize("choices", some(STAKES, 2))
@pytest.mark.parametrize("name", some(["SCRIPTED", "TREND_EMA", "GRID_LR", "PATIENT"], 2))
def test_the_judge_agrees_on_entries_that_cost_a_stake(
    name: str, choices: dict[str, float], drive: Any
) -> None:
    several = SERIES if drive is fill_model else SERIES[1:3]
    verdicts = [verdict(name, series, drive, choices) for series in several]
    assert all(one.agrees for one in verdicts)
    by_stop = [verdict(name, series) for series in several]
    assert all(one.money != other.money for one, other in zip(verdicts, by_stop, strict=True))


def test_every_way_to_end_a_trade_is_judged() -> None:
    reasons = {reason for name in NAMES for reason in verdict(name, "GOOG").reasons}
    assert reasons == {"stop", "trail", "take", "rule", "time", "reduce", "reverse", "end"}


@pytest.mark.parametrize("module", [judge, judge_memory, judge_rules, judge_trends, judge_waiting])
def test_the_judge_shares_nothing_with_the_program(module: Any) -> None:
    tree = ast.parse(inspect.getsource(module))
    roots = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
        )
    }
    assert roots <= {"__future__", "collections", "dataclasses", "itertools", "math", "tests", "typing"}


FAULTS: list[tuple[Any, str, str, str]] = [
    (fills, "after_exits", "free += notional - notional * costs.commission", "pass"),
    (fills, "after_exits", "worth -= notional * costs.commission", "pass"),
    (fills, "fill", "exit_asked(book, trades, i, bar, costs)", "pass"),
    (fills, "open_lot", "max(0.0, free_cash(book, bar.close))", "1e18"),
    (fills, "close_lot", "gross - exit_fee", "gross"),
    (fills, "protect", "min(bar.open, stop)", "stop"),
    (sizing, "size_entry", "share * risk_of(account, sizing)", "risk_of(account, sizing)"),
    (sizing, "size_entry", "fill + close * costs.commission", "fill"),
]
"""One line of the program's one fill model each, so that all its drivers are wrong alike."""


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_mistake_that_all_drivers_share_is_noticed(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, right, wrong = FAULTS[number]
    source = inspect.getsource(getattr(module, name))
    assert source.count(right) == 1
    scope: dict[str, Any] = {}
    exec("from __future__ import annotations\n" + source.replace(right, wrong), vars(module), scope)
    for holder in (module, fills):
        monkeypatch.setattr(holder, name, scope[name], raising=False)
    assert not all(verdict("SCRIPTED", series).agrees for series in SERIES)


def test_a_class_for_plain_backtesting_py_makes_the_same_money() -> None:
    with warnings.catch_warnings():
        # Entries that cash cannot pay at the open, and what is open at the end: both are counted here.
        warnings.simplefilter("ignore", UserWarning)
        count, money = run_plain(10_000.0)
    frame = GOOG.rename(columns=str.lower)
    bars = bars_from_frame(frame.set_axis(pd.DatetimeIndex(frame.index).tz_localize("UTC")))
    params = {
        "sma_fast": 10,
        "sma_slow": 30,
        "atr_stop_mult": 10.0,
        "risk_per_trade": 0.2,
        "max_exposure": 0.99,
    }
    strategy = load_strategy("SMA_CROSS")
    spec = RunSpec(Series("judged", "BTC/USDT", "1d"), "SMA_CROSS", params, Costs(0.0), 10_000.0)
    trades, worth = fill_model(bars, spec, strategy)
    assert (len(trades), count) == (63, 63)
    assert worth == pytest.approx(money, rel=1e-9)
    # With the cash left beside the old position it was 27,936.
    assert round(money) == 42_798


def test_reversals_sized_with_what_is_left_beside_them_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def before(self: Any, i: int, closing: int) -> tuple[float, float]:
        return float(self.equity), self._free_cash(i)

    assert verdict("SMA_CROSS", "GOOG", on_backtesting_py).agrees
    monkeypatch.setattr(base.BacktestStrategy, "_after_exits", before)
    assert verdict("SMA_CROSS", "GOOG", on_backtesting_py).differences > 5


def test_trades_are_counted_as_different_by_any_of_their_parts() -> None:
    trade = Trade(1, 5, "LONG", 2.0, 100.0, 110.0, "stop")
    near = trade._replace(entry_price=100.0 + 1e-9, size=2.0 + LOT)
    assert differences([trade], [near], LOT) == 0
    for other in (
        trade._replace(entry_bar=2),
        trade._replace(exit_bar=6),
        trade._replace(side="SHORT"),
        trade._replace(size=2.001),
        trade._replace(exit_price=110.001),
        trade._replace(reason="take"),
    ):
        assert differences([trade], [other], LOT) == 1
    assert differences([trade, trade], [trade], LOT) == 1
    assert differences([], [trade], LOT) == 1


def test_the_table_names_every_rule_and_shows_no_difference(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.judging.NAMES", ("SMA_CROSS", "GRID_LR"))
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["trades,", "SMA_CROSS", "GRID_LR"]
    assert lines[1].count(", 0") == len(SERIES)
    monkeypatch.setattr("tests.judging.differences", lambda *_: 1)
    assert main() == 1
    assert "1 !" in capsys.readouterr().out
