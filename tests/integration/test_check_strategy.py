"""new_strategy.py and check_strategy.py: a file that runs, every mistake named with its place and remedy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import cli
from core.cli import check_command
from core.domain import Series
from core.errors import UsageError
from core.utils import format_time
from db.candles import upsert_bars
from db.init_db import init_db
from scripts import check_strategy, new_strategy, run_backtest
from strategies.registry import use_folder
from tests.markets import random_bars
from tests.own_files import ON_BAR, RULE, written
from tests.tiers import measured, some, statistics, whole

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "cross: {enabled: true, symbols: [BTC/USDT], timeframe: 1h}\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the shipped settings and no strategies of one's own; checks that take less long."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.delenv("HOT_CRYPTO_STRATEGIES")
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", f"sqlite:///{tmp_path / 'candles.db'}")
    monkeypatch.chdir(tmp_path)
    for name, value in (("LENGTH", 120), ("MARKETS", 2), ("CUTS", 12), ("STORED", 300)):
        monkeypatch.setattr(check_command, name, value)
    yield tmp_path
    use_folder(None)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed, in one line."""
    return " ".join(capsys.readouterr().out.split())


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", some(new_strategy.KINDS, 2))
def test_a_new_file_runs_and_nothing_is_wrong_with_it(
    kind: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_strategy.main(["my_rule", "--like", kind]) == 0
    assert "python scripts/check_strategy.py user_strategies/my_rule.py" in capsys.readouterr().out
    text = (project / "user_strategies" / "my_rule.py").read_text()
    assert 'name="MY_RULE"' in text
    assert kind.upper() not in text
    assert check_strategy.main(["user_strategies/my_rule.py"]) == 0
    printed = said(capsys)
    assert "5 of 5 mistakes put into it are noticed" in printed
    assert "nothing is wrong" in printed
    assert not re.search(r" 0 trades on", printed)


@pytest.mark.parametrize(
    ("labels", "words"),
    [(["x-synthetic"], " --exchange x-synthetic"), (["x-synthetic", "binanceus"], ""), ([], "")],
)
def test_what_to_type_next_names_the_exchange_whose_candles_are_stored(
    labels: list[str], words: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = init_db(f"sqlite:///{project / 'candles.db'}")
    for label in labels:
        upsert_bars(engine, Series(label, "BTC/USDT", "4h"), random_bars(1, 5))
    engine.dispose()
    assert new_strategy.main(["my_rule"]) == 0
    out = capsys.readouterr().out
    assert f"check_strategy.py user_strategies/my_rule.py{words}\n" in out
    assert f"run_backtest.py --strategy MY_RULE --use-sql{words}\n" in out


def test_nothing_is_overwritten_and_no_name_is_taken_twice(project: Path) -> None:
    new_strategy.main(["MINE"])
    (project / "user_strategies" / "mine.py").write_text("# hours of work\n")
    with pytest.raises(UsageError, match=r"user_strategies/mine.py is there already, and is not overwritten"):
        new_strategy.main(["MINE"])
    assert (project / "user_strategies" / "mine.py").read_text() == "# hours of work\n"
    with pytest.raises(UsageError, match="TREND_EMA is one of the project's strategies"):
        new_strategy.main(["trend_ema"])
    with pytest.raises(UsageError, match="'2nd' is no name for a strategy: wanted capital letters"):
        new_strategy.main(["2nd"])


CHANGES = {
    "twice the size": ("enter(1.0,", "enter(2.0,", r"decide at .* UTC: wants the target 2: from -1 to 1"),
    "no stop": (
        "enter(1.0, now.close - p.atr_stop_mult * now.atr)",
        "enter(1.0)",
        r"decide at .* UTC: enters with the stop nan: give enter\(\) a price, or the rule stop=NO_STOP",
    ),
    "a division by nothing": (
        "now.fast > now.slow:",
        "1 / (now.fast - now.slow) > 0:",
        r"decide, line 29: divides by now.fast - now.slow, which may be 0: divide in a column, or multiply",
    ),
    "a power": (
        "now.fast > now.slow:",
        "now.fast ** 2 > now.slow:",
        r"decide, line 29: uses \*\*: compute it in",
    ),
    "a short column": (
        "Columns(bars.close,",
        "Columns(bars.close[1:],",
        "column close: has the shape .* return one",
    ),
    "no value ever": (
        "Columns(bars.close,",
        "Columns(bars.close * float('nan'),",
        "column close: has no value on any",
    ),
    "whole numbers": (
        "Columns(bars.close,",
        "Columns(bars.close.astype(int),",
        r"holds int64: add .astype\(float\)",
    ),
    "a pandas series": (
        "    return Columns(bars.close,",
        "    from pandas import Series\n\n    return Columns(Series(bars.close),",
        r"column close: is a pandas Series: add .to_numpy\(\)",
    ),
    "a parameter without bounds": (
        "atr_stop_mult",
        "away",
        "parameter away: has no bounds: say the smallest and",
    ),
    "a default that is not allowed": (
        "ema_fast: int = 5",
        "ema_fast: int = 1",
        "parameter ema_fast: its default 1 is",
    ),
    "something it remembers": (
        "    if held.side == 0 and",
        "    SEEN.append(now.close)\n    if held.side == 0 and",
        "decide, line 32: calls SEEN.append: write it out, or compute it in a column",
    ),
    "a look at the next bar": (
        "Columns(bars.close,",
        "Columns(bars.close[[*range(1, bars.close.size), -1]],",
        "looks ahead",
    ),
    "an if on how many bars there are": (
        "Columns(bars.close,",
        "Columns(bars.close if bars.close.size > 1000 else 2 * bars.close,",
        r"column close looks ahead: with later bars cut off at bar .* another one compiled ok",
    ),
    "a sum since the first candle": (
        "Columns(bars.close,",
        "Columns(bars.close + bars.volume.cumsum(),",
        r"needs more history .* differ \(close\): without the very first candle it is another one, so "
        r"its past has no bounds: compute it from a window of its own \(sma, std",
    ),
    "too short a memory": (
        "longest=lambda p: p.ema_slow",
        "longest=lambda p: p.ema_slow, history=lambda p: 40",
        r"live window of 40 bars.*: give the rule history=lambda p: (160|320|640), or fewer",
    ),
    "a name that is taken": (
        'name="MY_CROSS"',
        'name="TREND_EMA"',
        "is the project's strategies/trend_ema.py",
    ),
    "a word too few": (
        "def decide(now, prev, held, p):",
        "def decide(now, prev, held, p)",
        "cross.py:28: expected ':'",
    ),
    "a library that is not there": (
        "from typing",
        "import pandas_ta\nfrom typing",
        "cross.py:2: ModuleNotFoundError",
    ),
}
"""One line of a right rule changed: what is printed, or raised where the file cannot be used at all."""


MEASURED = ("since the first", "the next bar", "twice the size", "too short", "by nothing")
"""Mistakes of which each runs lines of its own."""


@pytest.mark.parametrize("mistake", measured(CHANGES, *MEASURED))
def test_each_mistake_is_told_with_its_place_and_what_to_do(
    mistake: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, says = CHANGES[mistake]
    assert old in RULE
    text = RULE.replace("class Params", "SEEN = []\n\n\nclass Params" if "SEEN" in new else "class Params")
    written(project / "user_strategies", {"cross.py": text.replace(old, new), "strategies.yaml": ENTRY})
    try:
        code = check_strategy.main(["user_strategies/cross.py"])
        printed = said(capsys)
    except UsageError as error:
        code, printed = 1, str(error)
        assert "\n" not in printed
    assert code == 1
    assert re.search(says, printed), printed


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("TREND_EMA", "TREND_EMA is the project's strategies/trend_ema.py: give it another name"),
        ("MY_TREND", "strategies/trend_ema.py is the project's: rename the file"),
    ],
)
def test_a_file_called_as_one_of_the_project_is_not_taken_for_that_one(
    project: Path, name: str, says: str
) -> None:
    written(project / "user_strategies", {"trend_ema.py": RULE.replace("MY_CROSS", name)})
    with pytest.raises(UsageError) as refused:
        check_strategy.main(["user_strategies/trend_ema.py"])
    assert str(refused.value) == f"user_strategies/trend_ema.py: {says}"


def test_functions_alone_in_a_file_called_as_one_of_the_project_are_no_strategy(project: Path) -> None:
    written(project / "user_strategies", {"trend_ema.py": "def twice(x):\n    return 2 * x\n"})
    with pytest.raises(UsageError, match=r"trend_ema.py:1: has no RULE and no class with an on_bar"):
        check_strategy.main(["user_strategies/trend_ema.py"])


@pytest.mark.parametrize("second", ["RULE2", "RULE"])
def test_a_second_rule_in_a_file_is_told(project: Path, second: str) -> None:
    made = RULE[RULE.index("RULE = ") :].replace("RULE =", f"{second} =").replace("MY_CROSS", "SECOND")
    written(project / "user_strategies", {"cross.py": f"{RULE}\n{made}", "strategies.yaml": ENTRY})
    says = f":\\d+: {second} is a second rule: one file holds one, its RULE: give each a file of its own"
    with pytest.raises(UsageError, match=f"cross.py{says}"):
        check_strategy.main(["user_strategies/cross.py"])


@pytest.mark.unmeasured
def test_a_right_rule_is_compared_on_stored_candles_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(project / "user_strategies", {"cross.py": RULE, "strategies.yaml": ENTRY, "mine.py": ON_BAR})
    assert check_strategy.main(["user_strategies/cross.py"]) == 0
    printed = said(capsys)
    assert "stored left out there is no database" in printed
    assert "nothing is wrong in what was checked; left out: stored (" in printed
    engine = init_db(f"sqlite:///{project / 'candles.db'}")
    upsert_bars(engine, Series("x-synthetic", "BTC/USDT", "1h"), random_bars(1, 400))
    assert check_strategy.main(["user_strategies/cross.py"]) == 0
    only = "stored left out no stored candles of binanceus BTC/USDT 1h; x-synthetic has them: --exchange x-"
    assert only in said(capsys)
    upsert_bars(engine, Series("y-synthetic", "BTC/USDT", "1h"), random_bars(1, 400))
    assert check_strategy.main(["user_strategies/cross.py"]) == 0
    assert "take x-synthetic's with --exchange x-synthetic, or load them with" in said(capsys)
    upsert_bars(engine, Series("binanceus", "BTC/USDT", "1h"), random_bars(1, 400))
    engine.dispose()
    assert check_strategy.main(["user_strategies/cross.py"]) == 0
    assert re.search(r"stored ok \d+ trades on binanceus BTC/USDT 1h, 300 bars to 20", said(capsys))
    assert check_strategy.main(["user_strategies/cross.py", "--symbol", "ETH/USDT", "--timeframe", "2h"]) == 0
    assert "left out no stored candles of binanceus ETH/USDT 2h" in said(capsys)
    assert check_strategy.main(["user_strategies/mine.py"]) == 0
    assert "It has an on_bar of its own: that it does not look ahead" in said(capsys)
    text = ON_BAR.replace("class Mine", "CALLS = []\n\n\nclass Mine").replace(
        "if candle", "CALLS.append(1)\n        if len(CALLS) > 150 and candle"
    )
    written(project / "user_strategies", {"other.py": text})
    assert check_strategy.main(["user_strategies/other.py"]) == 1
    assert "the same candles gave other trades" in said(capsys)
    with pytest.raises(UsageError, match=r"wanted a strategy's file, such as user_strategies/my_rule.py"):
        check_strategy.main(["user_strategies"])


@whole
@pytest.mark.unmeasured
def test_a_rule_that_ranks_is_compared_among_all_that_is_stored_in_its_currency(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_strategy.main(["top", "--like", "rotation"]) == 0
    settings = "top: {enabled: true, symbols: [BTC/USDT, ETH/USDT], timeframe: 1h, params: {hold_count: 2}}\n"
    written(project / "user_strategies", {"strategies.yaml": settings})
    engine = init_db(f"sqlite:///{project / 'candles.db'}")
    for seed, symbol in enumerate(["BTC/USDT", "ETH/USDT", "SOL/EUR"]):
        upsert_bars(engine, Series("binanceus", symbol, "1h"), random_bars(seed, 400))
    capsys.readouterr()
    assert check_strategy.main(["user_strategies/top.py"]) == 0
    assert re.search(r"stored ok 0 trades on binanceus BTC/USDT 1h, 300 bars .*; it never tr", said(capsys))
    # It ends fifty bars before the others: so long are all of them there.
    upsert_bars(engine, Series("binanceus", "SOL/USDT", "1h"), random_bars(3, 350))
    engine.dispose()
    assert check_strategy.main(["user_strategies/top.py"]) == 0
    end = format_time(int(random_bars(1, 350).ts[-1]))
    assert re.search(rf"stored ok [1-9]\d* trades on binanceus BTC/USDT 1h, 300 bars to {end}", said(capsys))


@pytest.mark.unmeasured
def test_a_look_ahead_on_many_bars_alone_is_found_on_all_that_is_stored(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead = "    if bars.close.size > 9000:\n        fast = fast + bars.close[-1]\n    return Columns("
    text = RULE.replace("    return Columns(", ahead)
    written(project / "user_strategies", {"cross.py": text, "strategies.yaml": ENTRY})
    engine = init_db(f"sqlite:///{project / 'candles.db'}")
    upsert_bars(engine, Series("binanceus", "BTC/USDT", "1h"), random_bars(1, 12_000))
    engine.dispose()
    assert check_strategy.main(["user_strategies/cross.py"]) == 1
    printed = said(capsys)
    assert re.search(r"stored WRONG .*; later bars cut off 3 times in [\d,]+", printed)
    assert re.search(r"column fast looks ahead: cut at bar [\d,]+ of [\d,]+ it is another one", printed)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "now.close - p.atr_stop_mult * now.atr)",
            "now.close + p.atr_stop_mult * now.atr)",
            "entries were refused, its stop and take do not enclose the price, or are not above 0",
        ),
        ("bars.close, fast, slow,", "bars.close, fast, slow * 1e999,", "column slow is endless on every bar"),
    ],
)
def test_why_a_rule_never_traded_is_told(
    old: str, new: str, says: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(project / "user_strategies", {"cross.py": RULE.replace(old, new), "strategies.yaml": ENTRY})
    assert check_strategy.main(["user_strategies/cross.py"]) == 0
    printed = said(capsys)
    assert re.search(rf"it never traded there, so nothing was compared; ([\d,]+ )?{says}", printed)


@pytest.mark.unmeasured
def test_a_strategy_of_the_project_is_checked_by_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "strategies", cli.ROOT / "strategies")
    assert check_strategy.main(["strategies/sma_cross.py"]) == 0
    assert "SMA_CROSS (strategies/sma_cross.py)" in said(capsys)
    assert run_backtest.main(["--list", "--strategy", "SMA_CROSS"]) == 0
