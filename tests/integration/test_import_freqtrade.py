"""import_freqtrade.py: what it writes says what the class said, and passes every check."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core import cli
from core.cli import check_command
from core.errors import HotCryptoError, UsageError
from core.foreign.facts import facts_of
from core.foreign.protections import settings_of
from scripts import check_strategy, import_freqtrade, run_backtest
from strategies.registry import load_strategy, use_folder
from strategies.rule_check import check_rule
from tests.freqtrade_files import PARTLY, PLAIN, source
from tests.freqtrade_stub import modules, signals
from tests.markets import random_bars
from tests.tiers import some, statistics

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "RsiBand": "RSI_BAND",
    "OldNames": "OLD_NAMES",
    "BothSides": "BOTH_SIDES",
    "StochRsi": "STOCH_RSI",
    "TakenBack": "TAKEN_BACK",
}


BLIND = """
    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["secret"] > 0, "enter_long"] = 1
        dataframe["enter_short"] = dataframe["secret"] < 0
        return dataframe
"""
"""Nothing of its entries is understood."""
MEAN = """
    def populate_entry_trend(self, dataframe, metadata):
        dataframe["mean"] = MEAN
        dataframe.loc[dataframe["close"] > dataframe["mean"], "enter_long"] = 1
        return dataframe
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the shipped settings and no strategies of one's own; checks that take less long."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.delenv("HOT_CRYPTO_STRATEGIES", raising=False)
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", f"sqlite:///{tmp_path / 'candles.db'}")
    monkeypatch.chdir(tmp_path)
    for name, value in (("LENGTH", 300), ("MARKETS", 1), ("CUTS", 8)):
        monkeypatch.setattr(check_command, name, value)
    yield tmp_path
    use_folder(None)


def imported(name: str, text: str, *more: str) -> tuple[int, str]:
    """Import such a class; return the exit code and what it is called."""
    Path(f"{name}.py").write_text(source(name, text))
    code = import_freqtrade.main([f"{name}.py", *more])
    use_folder("user_strategies")
    return code, NAMES.get(name, name.upper())


@pytest.mark.parametrize("name", PLAIN)
def test_every_signal_is_the_one_that_pandas_computes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, ours = imported(name, PLAIN[name])
    assert code == 0
    for full, module in modules().items():
        monkeypatch.setitem(sys.modules, full, module)
    bars = random_bars(3, 2_500, volatility=0.01)
    frame, rule = signals(name, source(name, PLAIN[name]), bars), load_strategy(ours).rule
    columns = rule.columns(bars, rule.params())
    seen = 0
    for key in columns._fields:
        if key.startswith(("enter", "exit")):
            theirs = frame[key].fillna(0).to_numpy() if key in frame else np.zeros(bars.ts.size)
            # Long after all that an average remembers.
            assert np.array_equal(getattr(columns, key)[1_500:], theirs[1_500:])
            seen += int(theirs[1_500:].sum()) if key.startswith("enter") else 0
    assert seen > 0


def test_a_file_that_is_none_or_nested_too_deeply_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(UsageError, match=r"pipe.py: wanted a Python file .*: it is no regular file"):
        import_freqtrade.main([str(tmp_path / "pipe.py")])
    for many in (700, 9_000):
        text = PLAIN["RsiBand"].replace("< 38)", f"< 38{' + 1' * many})", 1)
        (tmp_path / "deep.py").write_text(source("Deep", text))
        with pytest.raises(UsageError, match=r"deep.py: .*(nested too deeply|cannot be read)"):
            import_freqtrade.main([str(tmp_path / "deep.py"), "--strategies-dir", str(tmp_path / "to")])


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("x[0] = 1\n    return x", "odd() does more than name things and return them"),
        ("return odd(x)", "odd() calls itself"),
        ("return x * 9 ** (9 ** 9)", "9 ** 9 ** 9: write the number that it is"),
        ("pass", "odd() does more than name things and return them"),
        ('"""It ends here."""', "odd() returns nothing"),
    ],
)
def test_a_function_of_the_file_that_does_more_than_compute_is_told(
    function: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = PLAIN["RsiBand"].replace("< 38)", '< 38) & (odd(dataframe["rsi"]) > 0)', 1)
    code, _ = imported("Odd", f"{entry}\n\ndef odd(x):\n    {function}\n")
    assert code == 1
    assert why in " ".join(capsys.readouterr().out.split())


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some([*PLAIN, *PARTLY], 4))
def test_what_is_written_is_a_sound_rule(name: str) -> None:
    text = PLAIN[name] if name in PLAIN else PARTLY[name][0]
    _, ours = imported(name, text)
    strategy = load_strategy(ours)
    assert list(check_rule(strategy, params=strategy.rule.params())) == []
    # The check takes some seconds for each.


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", some(PLAIN, 1))
def test_what_is_written_passes_the_check(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, ours = imported(name, PLAIN[name])
    assert check_strategy.main([f"user_strategies/{ours.lower()}.py"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out


@pytest.mark.parametrize("name", PARTLY)
def test_what_is_not_translated_is_told_and_marked(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, wanted = PARTLY[name]
    code, ours = imported(name, text)
    assert code == 1
    out = " ".join(capsys.readouterr().out.split())
    marked = Path("user_strategies", f"{ours.lower()}.py").read_text()
    marked = " ".join(line.removeprefix("#").strip() for line in marked.splitlines())
    for words in wanted:
        assert words in out
        assert words in marked
    assert "NOT TRANSLATED, line " in marked


CLOSE = 'dataframe["close"]'


@pytest.mark.parametrize(
    ("mean", "why"),
    [
        (".rolling(5, center=True).mean()", "center=True looks ahead"),
        (".rolling(5, 1, True).mean()", "center=True looks ahead"),
        (".rolling(5, closed='left').mean()", "closed='left' is not understood"),
        (".rolling(5, win_type='triang').mean()", "win_type='triang' is not understood"),
        (".rolling(5, step=2).mean()", "step=2 is not understood"),
        (".rolling(5, min_periods=6).mean()", "min_periods=6 is not understood"),
        (".rolling(5).mean(engine='numba')", "engine='numba' is not understood"),
        (".rolling(5).std(ddof=2)", "ddof=2 is not understood"),
        (".rolling(5).std(3, 4, 5)", "its argument 5 is not understood"),
        (".rolling(5).apply(len)", "apply() is not understood"),
        (".rolling(*[5]).mean()", "its argument *[5] is not understood"),
        (".rolling(5, **more).mean()", "its argument **more is not understood"),
        (".ewm(span=5, ignore_na=True).mean()", "ignore_na=True is not understood"),
        (".ewm(5).mean()", "wanted a span"),
        (".shift(1, fill_value=0)", "fill_value=0 is not understood"),
        (".shift(1, 'D')", "freq='D' is not understood"),
        (".diff(1, 1)", "its argument 1 is not understood"),
        (".pct_change(1, fill_method='pad')", "fill_method='pad' is not understood"),
        (".fillna(method='bfill')", "wanted a value"),
        (".fillna(0, limit=3)", "limit=3 is not understood"),
        (".astype(int)", "int cuts what is behind the point"),
        (".gt(1, fill_value=0)", "fill_value=0 is not understood"),
        (".abs(1)", "its argument 1 is not understood"),
    ],
)
def test_an_argument_that_is_not_understood_is_told(
    mean: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in told_of(f"{CLOSE}{mean}", capsys)


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (f"ta.SMA({CLOSE}, 5, 6)", "is not understood: ta.SMA takes timeperiod"),
        (f"np.maximum({CLOSE})", "is not understood"),
        (f"np.where({CLOSE} > 1, 2)", "is not understood"),
        (f"qtpylib.rolling_mean({CLOSE}, 5, 9)", "min_periods=9 is not understood"),
        (f"qtpylib.bollinger_bands({CLOSE}, 20, 2, 1)['mid']", "its argument 1 is not understood"),
        (f"qtpylib.typical_price({CLOSE})", "is not the data frame"),
        ("qtpylib.keltner_channel(dataframe, ema=True)['mid']", "ema=True is not understood"),
    ],
)
def test_nor_is_one_of_a_library_dropped(call: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in told_of(call, capsys)


def told_of(mean: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Import a class with such a mean beside an entry that is understood; return what is told of it."""
    entry = "    dataframe.loc[dataframe['close'] > dataframe['open'], 'enter_long'] = 1\n        return"
    text = MEAN.replace("MEAN", mean).replace("    return", entry)
    code, ours = imported("Told", text)
    assert code == 1
    assert load_strategy(ours).rule.untranslated >= 1
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.unmeasured
def test_arguments_that_are_understood_are_taken_as_pandas_means_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = random_bars(4, 400)
    close = pd.Series(bars.close)
    wanted = {
        ".rolling(7).std(ddof=0)": close.rolling(7).std(ddof=0),
        ".rolling(window=7, center=False).std(1)": close.rolling(7).std(),
        ".rolling(7, min_periods=3).mean()": close.rolling(7, min_periods=3).mean(),
        ".round(1)": close.round(1),
        ".shift(periods=3)": close.shift(3),
        ".pct_change(2)": close.pct_change(2),
    }
    for number, (call, series) in enumerate(wanted.items()):
        text = MEAN.replace("MEAN", f"{CLOSE}{call}")
        code, ours = imported(f"Taken{number}", text)
        assert code == 0
        rule = load_strategy(ours).rule
        above = (close > series).to_numpy().astype(float)
        assert np.array_equal(rule.columns(bars, rule.params()).enter_long[10:], above[10:]), call
        assert 0 < above[10:].sum() < 390 or "pct" in call
    assert "min_periods=3): a value only once all of its window is there" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.unmeasured
def test_what_is_missing_is_said_by_the_check_by_a_backtest_and_by_the_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PLAIN["RsiBand"].replace("def populate_exit_trend", "def populate_exit_trend_of_old")
    code, ours = imported("Without", text)
    assert code == 1
    written = Path("user_strategies/without.py").read_text()
    assert "\nExit    TABLE of profits by age, the stop.\n" in written
    assert "translated, but for 1 part.\n" in written
    line = "1 part of WITHOUT was not translated: it is another strategy than the one it was written from"
    capsys.readouterr()
    assert check_strategy.main(["user_strategies/without.py"]) == 1
    assert line in " ".join(capsys.readouterr().out.split())
    csv = project / "candles.csv"
    with suppress(HotCryptoError):
        run_backtest.main(
            ["--strategy", ours, "--use-sql", "--timeframe", "1h", "--db-url", f"sqlite:///{csv}"]
        )
    assert f"note: {line}\n" in capsys.readouterr().err


@pytest.mark.unmeasured
def test_nothing_of_the_file_is_run_and_nothing_is_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trap = (
        source("RsiBand", PLAIN["RsiBand"])
        + f"\n\nopen({str(tmp_path / 'run')!r}, 'w')\nraise SystemExit(9)\n"
    )
    Path("trap.py").write_text(trap)
    assert import_freqtrade.main(["trap.py"]) == 0
    assert not (tmp_path / "run").exists()
    before = Path("user_strategies/rsi_band.py").read_text()
    with pytest.raises(UsageError, match="is there already, and is not overwritten"):
        import_freqtrade.main(["trap.py"])
    assert Path("user_strategies/rsi_band.py").read_text() == before
    assert import_freqtrade.main(["trap.py", "--name", "OTHER"]) == 0
    assert "--strategy OTHER --timeframe 1h" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_exits_are_those_of_the_class() -> None:
    text = {}
    for name in ("RsiBand", "OldNames", "BothSides", "Chosen", "Channel", "Smooth", "Where"):
        _, ours = imported(name, PLAIN[name])
        text[name] = Path("user_strategies", f"{ours.lower()}.py").read_text()
    assert "TABLE = ((0.0, 0.06), (2.0, 0.03), (10.0, 0.0))" in text["RsiBand"]
    assert "enter(1.0, now.close * (1 - p.stop_ratio), now.close * (1 + roi(0, TABLE)))" in text["RsiBand"]
    assert "stop = trail(held, top, p.stop_ratio * top)" in text["OldNames"]
    assert "now.enter_long <= 0 and profit(held, now.close) > 0.0" in text["OldNames"]
    assert "enter(-1.0, now.close * (1 + p.stop_ratio)" in text["BothSides"]
    assert "away = p.trail_ratio if" in text["BothSides"]
    assert ">= p.offset_ratio * held.entry_price:" in text["Chosen"]
    # No profit is enough there.
    assert "TABLE" not in text["Channel"]
    # A profit of -1 is any: all is closed then.
    assert "held.bars_held + 1 >= 20" in text["Smooth"]
    assert "exit_long" not in text["Where"]


def test_a_parameter_of_the_class_is_one_of_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    _, ours = imported("Averages", PLAIN["Averages"])
    rule = load_strategy(ours).rule
    assert rule.params()._asdict() == {
        "short_period": 9,
        "long_period": 25,
        "factor": 1.0,
        "stop_ratio": 0.08,
        "stake": 0.3,
    }
    assert rule.bounds["short_period"] == (3.0, 20.0)
    assert rule.history is not None
    assert rule.history(rule.params(long_period=60)) > rule.history(rule.params())
    assert run_backtest.main(["--list", "--strategy", ours]) == 0
    assert "factor" in capsys.readouterr().out


def test_protections_become_settings() -> None:
    found = settings_of(
        [
            {"method": "CooldownPeriod", "stop_duration_candles": 5},
            {
                "method": "StoplossGuard",
                "lookback_period_candles": 24,
                "trade_limit": 4,
                "stop_duration": 120,
                "only_per_pair": True,
                "required_profit": 0.1,
            },
            {"method": "LowProfitPairs", "lookback_period": 360, "trade_limit": 2, "required_profit": 0.02},
            {"method": "MaxDrawdown", "lookback_period": 60, "trade_limit": 20, "max_allowed_drawdown": 0.2},
            {"method": "MaxDrawdown"},
            {"method": "Moon"},
        ],
        60,
    )
    assert found.settings == (
        *("exit_pause_minutes: 300", "stop_guard_stops: 4", "stop_guard_minutes: 1440"),
        *("stop_guard_pause_minutes: 120", "stop_guard_each_symbol: true"),
        *("low_profit_pct: 2", "low_profit_trades: 2", "low_profit_minutes: 360"),
        *("low_profit_pause_minutes: 60", "recent_drawdown_pct: 20", "recent_drawdown_trades: 20"),
        *("recent_drawdown_minutes: 60", "recent_drawdown_pause_minutes: 60"),
        "recent_drawdown_each_symbol: false",
    )
    assert [gap.split(":")[0] for gap in found.gaps] == [
        "required_profit of StoplossGuard",
        "a second MaxDrawdown",
        "Moon",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("class A:\n    pass\n", "found none"),
        ("class A(IStrategy)", "cannot be read"),
        ("class A(IStrategy): pass\nclass B(IStrategy): pass\n", "found A, B"),
        ("class A(IStrategy):\n    x = 1\n", "no entry that could be translated: it sets none"),
        ("class A(IStrategy):\n    timeframe = '7m'\n", r"A.timeframe"),
        (source("Bad", BLIND), "no entry that could be translated: line"),
        *(
            (source("Bad", MEAN.replace("MEAN", mean)), rf"{words}: wanted 1 or more")
            for mean, words in (
                ("ta.SMA(dataframe, timeperiod=-5)", "ta.SMA of -5 bars"),
                ('dataframe["close"].rolling(0).mean()', r"\.rolling\(\)\.mean\(\) of 0 bars"),
                ('dataframe["close"].ewm(span=0.5).mean()', r"\.ewm\(\) of 0\.5 bars"),
            )
        ),
        (source("Bad", PLAIN["RsiBand"]) + "    stoploss = 'much'\n", r"Bad.stoploss"),
        (source("Bad", PLAIN["RsiBand"]) + "    minimal_roi = {'x': 1}\n", "minimal_roi"),
        (source("TrendEma", PLAIN["RsiBand"]), "is one of the project's strategies"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(text: str, words: str) -> None:
    Path("a.py").write_text(text)
    with pytest.raises(UsageError, match=words) as error:
        import_freqtrade.main(["a.py"])
    assert "\n" not in str(error.value)
    assert not Path("user_strategies").exists()


def test_a_file_that_cannot_be_read_is_told() -> None:
    Path("b.py").write_bytes(b"\xff\xfe\x00")
    for name in ("nowhere.py", "b.py"):
        with pytest.raises(UsageError, match="wanted a Python file with a freqtrade class"):
            import_freqtrade.main([name])


def test_one_of_several_classes_is_chosen_by_name() -> None:
    text = source("First", PLAIN["RsiBand"]) + "\n\nclass Second(First):\n    stoploss = -0.03\n"
    facts = facts_of(
        text + "\n    def populate_entry_trend(self, d, m):\n        return d\n", "x.py", "Second"
    )
    assert (facts.name, facts.value("stoploss"), facts.value("timeframe")) == ("Second", -0.03, "1h")
