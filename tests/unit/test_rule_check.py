"""What is wrong with a rule is said before it runs, in a line that names the rule, the place and the remedy.

Each rule here is one right rule with one line changed.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from core.backtest.fast_backtester import simulate_fast
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.backtester import simulate
from core.domain import Costs, Series
from core.ensemble.members import wanted
from core.errors import UsageError
from core.optimise import sweep as sweeps
from core.proof.verify import verify
from core.results.runs import RunSpec
from strategies.registry import REGISTRY, Strategy, load_strategy, strategy_of
from strategies.rule_check import check_columns, check_module, check_rule, made_up, require
from tests.lively import LIVELY
from tests.markets import random_bars
from tests.tiers import some, statistics

RIGHT = '''"""Mine (MINE): a rule for tests.

Entry   close above the mean: long. Exit  below it. Source  none.
"""
from __future__ import annotations
from typing import Annotated, Generic, NamedTuple
from datetime import datetime; import os, random, numpy as np
import pandas as pd
from core.domain import Bars, Decision, FloatArray, PositionView, Reason, enter, flat, hold, move
from strategies.base import BacktestStrategy, BaseStrategy
from strategies.indicators import sma
from strategies.rule import NO_STOP, Span, StrategyRule, T

LIMIT = 2.0
SEEN: list[float] = []

class Params(NamedTuple):
    mean_period: int = 30
    away_ratio: float = 0.1
    risk_per_trade: float = 0.01

class Columns(NamedTuple, Generic[T]):
    close: T
    mean: T

def helper(x):
    return x + 1

def columns(bars: Bars, p: Params) -> Columns[FloatArray]:
    mean = sma(bars.close, p.mean_period)
    return Columns(bars.close, mean)

def decide(now, prev, held: PositionView, p: Params) -> Decision:
    away = p.away_ratio * now.close
    if now.close > now.mean and held.side == 0:
        return enter(1.0, now.close - away)
    if now.close < now.mean:
        return flat(Reason.RULE)
    return hold(held)

RULE = StrategyRule(
    name="MINE", params=Params, columns=columns, decide=decide, longest=lambda p: p.mean_period
)

class MineBacktest(BacktestStrategy):
    rule = RULE

class MineLive(BaseStrategy):
    rule = RULE

def worse(x):
    return np.log(x)

def again(x):
    return again(x - 1)

TABLE = ((0, 0.5), (10, 1))
LADDER = (0.1, 0.2, 0.3)

def lucky(x):
    return random.random() + x

from collections import deque; from functools import lru_cache; from types import SimpleNamespace
from numpy import fromfile

class Box:
    kept: list[float] = []

QUEUE, SPACE, OBJECT, KEEP = deque(), SimpleNamespace(x=1), Box(), SEEN.append

@lru_cache
def cached(x):
    return x

def kept(x):
    SEEN.append(x)

def helped(x):
    found = 0.0
    for least, part in TABLE:
        found = part if x >= least else found
    return helper(found)
'''
STATIC = {
    "a parameter without bounds": (
        "mean_period: int = 30",
        "mean_period: int = 30\n    pace: float = 1.0",
        "MINE: parameter pace: has no bounds: say the smallest and largest value",
    ),
    "a default outside its bounds": (
        "int = 30",
        "int = 1",
        "parameter mean_period: its default 1 is outside",
    ),
    "values to try that are not allowed": (
        "mean_period: int = 30",
        "mean_period: Annotated[int, Span(1, 50)] = 30",
        "MINE: parameter mean_period: is searched over (1, 50, 1), allowed is 2 to 2000: let Span",
    ),
    "values to try that fall": (
        "mean_period: int = 30",
        "mean_period: Annotated[int, Span(50, 5)] = 30",
        "parameter mean_period: is searched over (50, 5, 1), allowed is 2 to 2000",
    ),
    "parts to try of a whole number": (
        "mean_period: int = 30",
        "mean_period: Annotated[int, Span(5, 50, 0.5)] = 30",
        "parameter mean_period: is a whole number, searched over (5, 50, 0.5): give Span whole numbers",
    ),
    "values to try that are no numbers": (
        "mean_period: int = 30",
        'mean_period: Annotated[int, Span("a", 50)] = 30',
        "parameter mean_period: is searched over ('a', 50, 1): write Span(5, 50)",
    ),
    "a type that nobody knows": (
        "mean_period: int = 30",
        "mean_period: Number = 30",
        "MINE: Params: has a type that cannot be read (name 'Number' is not defined): write int, float or",
    ),
    "a default that is no number": ("int = 30", 'int = "30"', "parameter mean_period: its default is '30'"),
    "no default": ("mean_period: int = 30", "mean_period: int", "parameter mean_period: its default is None"),
    "a parameter called as Backtesting.py's own": (
        "    risk_per_trade",
        "    orders: float = 1.0\n    risk_per_trade",
        "parameter orders: is a name of the class that runs the rule",
    ),
    "bounds of nothing": ("longest=", 'bounds={"pace": (1, 2)}, longest=', "parameter pace: is bounded or"),
    "a class that is not called …Backtest": (
        "class MineBacktest",
        "class MineTest",
        "MINE: classes: no class of RULE has a name that ends in Backtest: add class MyBacktest",
    ),
    "no live class": ("class MineLive", "class Alive", "no class of RULE has a name that ends in Live"),
    "another name": ('name="MINE"', 'name="YOURS"', "MINE: RULE: is named 'YOURS': give it name='MINE'"),
    "a helper that does mathematics": (
        "p.away_ratio * now.close",
        "worse(now.close)",
        "MINE: worse, line 52: calls np.log: write it out, or compute it in a column",
    ),
    "a helper that calls itself": (
        "p.away_ratio * now.close",
        "again(now.close)",
        "MINE: again, line 55: calls itself: write it as a loop",
    ),
    "a helper of another module": (
        "p.away_ratio * now.close",
        "sma(now.close, 3)",
        "decide, line 34: calls sma: write it out",
    ),
    "mathematics": ("p.away_ratio * now.close", "np.sqrt(now.close)", "decide, line 34: calls np.sqrt"),
    "a power": ("p.away_ratio * now.close", "now.close ** 0.5", "decide, line 34: uses **: compute it in"),
    "a division by what may be 0": (
        "p.away_ratio * now.close",
        "now.close / (now.close - now.mean)",
        "decide, line 34: divides by now.close - now.mean, which may be 0: divide in a column",
    ),
    "a list": (
        "p.away_ratio * now.close",
        "[x for x in (1, 2)][0]",
        "decide, line 34: uses [x for x in (1, 2)]",
    ),
    "another statement": ("    away =", "    import math\n    away =", "decide, line 34: has a import"),
    "three arguments": ("prev, held: PositionView", "held: PositionView", "decide: is no function of four"),
    "a global list": (
        "    mean =",
        "    SEEN.append(1.0)\n    mean =",
        "columns: uses the global SEEN, which may",
    ),
    "a global that is written": (
        "    mean =",
        "    global LIMIT\n    LIMIT = 3.0\n    mean =",
        "columns: uses the global LIMIT, which may change: make it a parameter",
    ),
    "a default list": (
        "p: Params) -> Columns",
        "p: Params, kept=[]) -> Columns",
        "columns: reads its default",
    ),
    "a place in a table that may be past its end": (
        "p.away_ratio * now.close",
        "LADDER[held.bars_held]",
        "decide, line 34: reads LADDER[held.bars_held], which may be past the end: go through it with for",
    ),
    "a loop past the end of a table": (
        "    away = p.away_ratio * now.close",
        "    away = 0.0\n    for k in range(4):\n        away = away + LADDER[k]",
        "decide, line 36: reads LADDER[k], which may be past the end",
    ),
    "a place that is counted on": (
        "    away = p.away_ratio * now.close",
        "    away = 0.0\n    for k in range(2):\n        k += 1\n        away = away + LADDER[k]",
        "decide, line 37: reads LADDER[k], which may be past the end",
    ),
    "the clock": (
        "    mean =",
        "    import time\n    late = time.time() > 0\n    mean =",
        "columns: uses time: let bars and parameters alone decide",
    ),
    "today": (
        "    mean =",
        "    late = datetime.now()\n    mean =",
        "columns: uses datetime's now: let bars",
    ),
    "a file": ("    mean =", "    open('/dev/null').close()\n    mean =", "columns: uses open: let bars and"),
    "another process's wish": (
        "    mean =",
        "    os.getenv('X')\n    mean =",
        "columns: uses os: let bars and",
    ),
    "an attribute of a function": (
        "    mean =",
        "    columns.__dict__.setdefault('kept', {})\n    mean =",
        "columns: reads columns.__dict__: make it a parameter",
    ),
    "an attribute that is set": (
        "    mean =",
        "    f = columns\n    f.kept = bars\n    mean =",
        "columns: sets .kept: keep nothing between calls",
    ),
    "an attribute of a class": (
        "    mean =",
        "    Box.kept.append(1.0)\n    mean =",
        "columns: reads Box.kept: make it a parameter",
    ),
    "a queue": (
        "    mean =",
        "    QUEUE.append(1.0)\n    mean =",
        "columns: uses the global QUEUE, which may",
    ),
    "a space of names": (
        "    mean =",
        "    SPACE.x\n    mean =",
        "columns: uses the global SPACE, which may",
    ),
    "a class's object": (
        "    mean =",
        "    OBJECT.x\n    mean =",
        "columns: uses the global OBJECT, which may",
    ),
    "a list's own function": (
        "    mean =",
        "    KEEP(1)\n    mean =",
        "columns: uses the global KEEP, which may",
    ),
    "a cache": (
        "    mean =",
        "    cached(1)\n    mean =",
        "columns: uses cached, which keeps what it returned",
    ),
    "a list that a helper of columns writes": (
        "    mean =",
        "    kept(1.0)\n    mean =",
        "kept: uses the global SEEN, which may change",
    ),
    "a default list by name": (
        "p: Params) -> Columns",
        "p: Params, *, kept=[]) -> Columns",
        "reads its default",
    ),
    "NumPy's today": (
        "    mean =",
        "    np.datetime64('today')\n    mean =",
        "columns: uses 'today': let bars and parameters alone decide",
    ),
    "pandas' now": ("    mean =", "    pd.Timestamp.now()\n    mean =", "columns: uses pd's now"),
    "NumPy's files": ("    mean =", "    np.loadtxt('x')\n    mean =", "columns: uses np.loadtxt: let bars"),
    "a function of NumPy's files": (
        "    mean =",
        "    fromfile('x')\n    mean =",
        "columns: uses fromfile: let",
    ),
    "pandas' files": (
        "    mean =",
        "    pd.read_csv('x')\n    mean =",
        "columns: uses pd.read_csv: let bars",
    ),
    "NumPy's chance": ("    mean =", "    np.random.rand()\n    mean =", "columns: uses np.random: let bars"),
    "NumPy by another name": (
        "    mean =",
        "    import numpy\n    numpy.fromfile('x')\n    mean =",
        "columns: uses fromfile: let bars",
    ),
    "the lock of the candles": (
        "    mean =",
        "    bars.open.setflags(write=True)\n    mean =",
        "columns: uses .setflags: let bars",
    ),
    "what a helper of columns looks at": (
        "    mean =",
        "    lucky(1)\n    mean =",
        "lucky: uses random: let bars and parameters alone decide",
    ),
    "a longest period that fails": (
        "lambda p: p.mean_period",
        "lambda p: 1 // 0",
        "longest: raises ZeroDivisionError: integer division or modulo by zero: mend it",
    ),
    "a history below nothing": (
        "lambda p: p.mean_period",
        "lambda p: p.mean_period, history=lambda p: -5",
        "history: is -5: return a whole number of bars from 0 to 10,000,000",
    ),
    "a history that is no number": (
        "lambda p: p.mean_period",
        'lambda p: p.mean_period, history=lambda p: "100"',
        "history: is '100': return a whole number of bars",
    ),
    "a partner that fails": (
        "lambda p: p.mean_period",
        "lambda p: p.mean_period, partner=lambda symbol: 1 // 0",
        "partner: raises ZeroDivisionError for BTC/USDT",
    ),
    "parameters that are no tuple": ("class Params(NamedTuple)", "class Params", "Params: is no NamedTuple"),
}
RUNNING = {
    "a column that is one short": (
        "mean = sma(bars.close, p.mean_period)",
        "mean = sma(bars.close, p.mean_period)[1:]",
        "MINE: column mean: has the shape (2499,), there are 2500 bars: return one value for each bar",
    ),
    "a pandas Series": (
        "mean = sma(bars.close, p.mean_period)",
        "mean = pd.Series(bars.close).rolling(p.mean_period).mean()",
        "MINE: column mean: is a pandas Series: add .to_numpy()",
    ),
    "whole numbers": ("(bars.close, mean)", "(bars.close, mean > 0)", "column mean: holds bool: add .astype"),
    "a list": ("(bars.close, mean)", "(bars.close, mean.tolist())", "column mean: is a list: return a numpy"),
    "NaN for ever": (
        "mean = sma(bars.close, p.mean_period)",
        "mean = sma(bars.close * np.nan, p.mean_period)",
        "MINE: column mean: has no value on any of 2,500 bars: look for a NaN that is carried on",
    ),
    "NaN after the warm-up": (
        "(bars.close, mean)",
        "(bars.close, np.where(np.arange(mean.size) == 1000, np.nan, mean))",
        "MINE: column mean: has no value at bar 1000 (",
    ),
    "the next bar's value": (
        "(bars.close, mean)",
        "(bars.close, np.append(mean[2:], [np.nan, np.nan]))",
        "MINE: column mean: has no value on the last 2 bars: it looks ahead: take no later bar's value",
    ),
    "an end of the program": (
        "    mean =",
        "    raise SystemExit(0)\n    mean =",
        "columns: raises SystemExit on",
    ),
    "an endless take": (
        "enter(1.0, now.close - away)",
        "enter(1.0, now.close - away, take=1e999)",
        "wants the take inf: a price above 0, or none",
    ),
    "a take that is always reached": (
        "        return enter(1.0, now.close - away)\n",
        "        return enter(1.0, now.close - away)\n    if held.side > 0:\n"
        "        return move(held, take=-1.0)\n",
        "wants the take -1: a price above 0, or none",
    ),
    "an endless stop": (
        "        return enter(1.0, now.close - away)\n",
        "        return enter(1.0, now.close - away)\n    if held.side > 0:\n"
        "        return move(held, stop=1e999)\n",
        "wants the stop inf: give it a price",
    ),
    "twice the risk": ("enter(1.0,", "enter(2.0,", "wants the target 2: from -1 to 1"),
    "no number": ("enter(1.0,", "enter((now.close - now.close) * 1e999,", "wants the target nan"),
    "a stop that is NaN": (
        "enter(1.0, now.close - away)",
        "enter(1.0, now.close * (now.mean - now.mean) * 1e999)",
        "enters with the stop nan: give enter() a price, or the rule stop=NO_STOP",
    ),
    "no stop": (
        "enter(1.0, now.close - away)",
        "enter(1.0)",
        "enters with the stop nan: give enter() a price",
    ),
    "what is no decision": ("return hold(held)", "return 0", "returns 0: return enter"),
    "no such column": ("now.close > now.mean", "now.close > now.men", "decide: raises AttributeError at bar"),
    "a mistake in columns": (
        "    mean =",
        "    bars.close[1e9]\n    mean =",
        "columns: raises IndexError on 2,500",
    ),
    "another open": (
        "    mean =",
        "    bars.open[:] = bars.low\n    mean =",
        "MINE: columns, line 30: writes to the candles (bars.open[:] = bars.low): write to a copy",
    ),
    "a low that is lowered in its place": (
        "    mean =",
        "    low = bars.low\n    low *= 0.99\n    mean =",
        "MINE: columns, line 31: writes to the candles (low *= 0.99): write to a copy: bars.close.copy()",
    ),
    "no columns": (
        "return Columns(bars.close, mean)",
        "return mean",
        "columns: returns a ndarray: return Col",
    ),
}
BARS = random_bars(3, 2600)
BARS = BARS.until(2500)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[list[ModuleType]]:
    loaded: list[ModuleType] = []
    yield loaded
    for module in loaded:
        sys.modules.pop(module.__name__, None)


def load(tmp_path: Path, text: str, loaded: list[ModuleType]) -> ModuleType:
    path = tmp_path / f"mine_{len(loaded)}.py"
    path.write_text(text, encoding="utf-8")
    spec = util.spec_from_file_location(f"{tmp_path.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    loaded.append(module)
    spec.loader.exec_module(module)
    return module


def changed(old: str, new: str) -> str:
    assert RIGHT.count(old) == 1, old
    return RIGHT.replace(old, new)


def spec_of() -> RunSpec:
    return RunSpec(Series("binanceus", "BTC/USDT", "1h"), "MINE", {}, Costs(0.001), 10_000.0)


@pytest.mark.unmeasured
def test_nothing_is_wrong_with_a_right_rule(tmp_path: Path, mine: list[ModuleType]) -> None:
    module = load(tmp_path, RIGHT, mine)
    assert check_module(module, "MINE") == ()
    assert check_rule(strategy_of(module)) == ()
    assert check_rule(strategy_of(module), BARS) == ()
    assert verify(BARS.until(400), spec_of(), strategy_of(module), sampled=10).differences == ()


@pytest.mark.parametrize("what", STATIC)
def test_what_is_wrong_in_the_file_is_said_when_it_is_loaded(
    what: str, tmp_path: Path, mine: list[ModuleType]
) -> None:
    old, new, says = STATIC[what]
    module = load(tmp_path, changed(old, new), mine)
    with pytest.raises(UsageError) as error:
        strategy_of(module, "MINE")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_number_that_another_function_changes_is_no_constant(
    tmp_path: Path, mine: list[ModuleType]
) -> None:
    text = changed("p.away_ratio * now.close", "LIMIT * 0.01 * now.close")
    assert check_rule(strategy_of(load(tmp_path, text, mine)), BARS) == ()
    text = text.replace("def helper(x):", "def bump():\n    global LIMIT\n    LIMIT += 1\n\ndef helper(x):")
    with pytest.raises(UsageError, match="MINE: decide: uses the global LIMIT, which may change"):
        strategy_of(load(tmp_path, text, mine))


@pytest.mark.unmeasured
def test_helpers_and_tables_of_the_file_are_compiled_with_the_rule(
    tmp_path: Path, mine: list[ModuleType]
) -> None:
    # The table has whole numbers and others, which compiled code takes for floats.
    text = changed("p.away_ratio * now.close", "0.01 * now.close * helped(held.bars_held)")
    strategy = strategy_of(load(tmp_path, text, mine), "MINE")
    assert check_rule(strategy, BARS) == ()
    verdict = verify(BARS.until(400), spec_of(), strategy, sampled=10)
    assert verdict.differences == ()
    assert len(verdict.runs[0].trades) > 5


def test_a_file_without_a_rule_is_no_strategy() -> None:
    with pytest.raises(UsageError, match="MINE: file: has no RULE: end it with RULE = StrategyRule"):
        strategy_of(ModuleType("mine"), "MINE")


@pytest.mark.parametrize("what", RUNNING)
def test_what_is_wrong_in_running_is_said_alike_by_every_engine(
    what: str, tmp_path: Path, mine: list[ModuleType]
) -> None:
    old, new, says = RUNNING[what]
    strategy = strategy_of(load(tmp_path, changed(old, new), mine), "MINE")
    told = {str(finding) for finding in check_columns(strategy.rule, strategy.rule.params(), BARS)}
    assert len(told) == 1
    for run in (simulate, simulate_fast, replayed, verify):
        with pytest.raises(UsageError) as error:
            run(BARS, spec_of(), strategy)
        assert str(error.value) in told
        assert says in str(error.value)


RARE = {
    2: "wants the target 2: from -1 to 1: the size is risk_per_trade's",
    3: "wants the target nan: from -1 to 1",
    4: "enters with the stop nan: give enter() a price",
    5: "enters with the stop inf: give enter() a price",
    6: "wants the take inf: a price above 0, or none",
}
"""What is decided on one bar in 2,500, which the check before the run does not look at."""
RARELY = 1604
RARE_DECISIONS = f"""    away = p.away_ratio * now.close
    if now.close == {float(BARS.close[RARELY])!r}:
        if p.wrong_period == 2:
            return enter(2.0, 1.0)
        if p.wrong_period == 3:
            return enter((now.close - now.close) * 1e999)
        if p.wrong_period == 6:
            return enter(-1.0, now.close + away, take=1e999)
        return enter(-1.0) if p.wrong_period == 4 else enter(-1.0, 1e999)
    away ="""


@pytest.mark.unmeasured
def test_what_is_wrong_on_one_bar_alone_ends_the_run_there_in_every_way_to_run_it(
    tmp_path: Path, mine: list[ModuleType]
) -> None:
    # One rule for all four: each would be compiled.
    text = changed("    away =", RARE_DECISIONS)
    text = text.replace("    away_ratio", "    wrong_period: int = 2\n    away_ratio")
    strategy = strategy_of(load(tmp_path, text, mine), "MINE")
    assert check_columns(strategy.rule, strategy.rule.params(), BARS) == ()
    time = datetime.fromtimestamp(BARS.ts[RARELY] / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    for wrong, says in RARE.items():
        told, params = set(), {"wrong_period": wrong}
        for run in (simulate, simulate_fast, verify):
            with pytest.raises(UsageError) as error:
                run(BARS, replace(spec_of(), params=params), strategy)
            told.add(str(error.value))
        feed = ReplayFeed("MINE", strategy, params, "BTC/USDT", "1h", BARS.until(RARELY + 3))
        for as_live in (False, True):
            # An account of several strategies goes on without this one.
            found = replay([feed], ReplayAccount(10_000.0, Costs(0.001)), as_live=as_live)
            told.add(found.session.risk.state.quarantined["MINE"].removeprefix("UsageError: "))
        (line,) = told
        assert line.startswith(f"MINE: decide at {time} UTC: {says}")


@pytest.mark.unmeasured
def test_a_member_of_an_ensemble_is_looked_at_too(tmp_path: Path, mine: list[ModuleType]) -> None:
    wrong = f"    if now.close == {float(BARS.close[RARELY])!r}:\n        return enter(2.0, 1.0)\n    away ="
    rule = load(tmp_path, changed("    away =", wrong), mine).RULE
    with pytest.raises(UsageError, match=r"MINE: decide at .* UTC: wants the target 2"):
        wanted(BARS, rule, rule.params(), 500)


def replayed(bars: object, spec: RunSpec, strategy: Strategy) -> None:
    feed = ReplayFeed("MINE", strategy, {}, "BTC/USDT", "1h", BARS)
    replay([feed], ReplayAccount(10_000.0, Costs(0.001)))


def test_a_sweep_says_it_too(tmp_path: Path, mine: list[ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = strategy_of(load(tmp_path, changed("enter(1.0,", "enter(2.0,"), mine), "MINE")
    monkeypatch.setattr(sweeps, "load_strategy", lambda name: strategy)
    with pytest.raises(UsageError, match=r"MINE: decide at .* UTC: wants the target 2"):
        sweeps.sweep({spec_of().series: BARS}, "MINE", [{}, {"mean_period": 20}])


def test_candles_are_written_by_no_sweep_and_by_no_live_decision(
    tmp_path: Path, mine: list[ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = changed("    mean =", "    np.multiply(bars.open, 2, out=bars.open)\n    mean =")
    strategy = strategy_of(load(tmp_path, text, mine), "MINE")
    says = r"^MINE: columns, line 30: writes to the candles \(np.multiply"
    monkeypatch.setattr(sweeps, "load_strategy", lambda name: strategy)
    with pytest.raises(UsageError, match=says):
        sweeps.sweep({spec_of().series: random_bars(3, 400)}, "MINE", [{}, {"mean_period": 20}])
    with pytest.raises(UsageError, match=says) as refused:
        strategy.rule.newest_columns(random_bars(3, 400), strategy.rule.params())
    # It may come from another process.
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_nor_are_those_of_other_symbols(tmp_path: Path, mine: list[ModuleType]) -> None:
    text = changed("def columns(bars: Bars, p: Params)", "def columns(bars: Bars, p: Params, other)")
    text = text.replace("    mean =", "    other.bars.low[0] = 1.0\n    mean =")
    text = text.replace("longest=", 'partner=lambda symbol: "ETH/USDT", longest=')
    (finding,) = check_rule(strategy_of(load(tmp_path, text, mine)), random_bars(3, 400))
    assert "writes to the candles (other.bars.low[0] = 1.0)" in str(finding)


def test_entries_without_a_stop_are_said_to_be_meant(tmp_path: Path, mine: list[ModuleType]) -> None:
    text = changed("enter(1.0, now.close - away)", "enter(1.0)").replace("longest=", "stop=NO_STOP, longest=")
    assert check_rule(strategy_of(load(tmp_path, text, mine)), BARS) == ()


def test_state_that_no_source_shows_is_found_by_asking_twice(
    tmp_path: Path, mine: list[ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "onceregistry", {})
    text = changed(
        "mean = sma(bars.close, p.mean_period)", "mean = sma(bars.close, p.mean_period) * helper(1)"
    )
    kept = "    import warnings\n    kept = warnings.onceregistry\n    kept[len(kept)] = x\n"
    kept += "    return float(len(kept))"
    text = text.replace("    return x + 1", kept)
    strategy = strategy_of(load(tmp_path, text, mine))
    (finding,) = check_rule(strategy, BARS)
    assert (finding.place, finding.problem) == ("column mean", "is another one when computed again")


def test_what_the_compiler_alone_sees_is_one_line(tmp_path: Path, mine: list[ModuleType]) -> None:
    # A name that is a number on one way and a text on the other.
    text = changed("    away =", '    away = "x" if now.close < 0 else 1.0\n    away =')
    (finding,) = check_rule(strategy_of(load(tmp_path, text, mine)), BARS.until(400))
    assert (finding.place, finding.problem.partition(":")[0]) == (
        "decide",
        "raises TypingError when compiled",
    )
    assert "\n" not in str(finding)


def test_a_rule_made_by_a_program_is_looked_at_by_what_it_decides(
    tmp_path: Path, mine: list[ModuleType]
) -> None:
    scope: dict[str, object] = {}
    module = load(tmp_path, RIGHT, mine)
    exec("def decide(now, prev, held, p):\n    return enter(3.0, 1.0)", vars(module), scope)
    rule = module.RULE
    made = type(rule)("MINE", rule.params, rule.columns, scope["decide"], rule.longest)
    assert "wants the target 3" in str(check_columns(made, made.params(), BARS)[0])


def test_findings_are_told_together(tmp_path: Path, mine: list[ModuleType]) -> None:
    text = changed("int = 30", "int = 1").replace("p.away_ratio * now.close", "now.close ** 2")
    found = check_module(load(tmp_path, text, mine), "MINE")
    assert [finding.place for finding in found] == ["parameter mean_period", "decide, line 34"]
    with pytest.raises(UsageError, match=r"parameter mean_period.*; MINE: decide, line 34"):
        require(found)
    require(())


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some(REGISTRY, 5))
def test_nothing_is_wrong_with_any_strategy(name: str) -> None:
    strategy = load_strategy(name)
    params = strategy.rule.make_params(LIVELY.get(name, {}))
    bars = made_up(1200) if name == "ENSEMBLE" else None
    assert check_rule(strategy, bars, params) == ()
