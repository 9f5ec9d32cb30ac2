"""Files of a folder of one's own: a rule and a class with an on_bar, as a person would write them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from core import cli

RULE = '''"""My cross: long while a fast average is above a slow one."""
from typing import NamedTuple
from core.domain import enter, flat, hold
from strategies.indicators import atr, ema
from strategies.rule import StrategyRule


class Params(NamedTuple):
    ema_fast: int = 5
    ema_slow: int = 15
    atr_period: int = 5
    atr_stop_mult: float = 2.0
    risk_per_trade: float = 0.01


class Columns(NamedTuple):
    close: object
    fast: object
    slow: object
    atr: object


def columns(bars, p):
    fast, slow = ema(bars.close, p.ema_fast), ema(bars.close, p.ema_slow)
    return Columns(bars.close, fast, slow, atr(bars.high, bars.low, bars.close, p.atr_period))


def decide(now, prev, held, p):
    if held.side == 0 and now.fast > now.slow:
        return enter(1.0, now.close - p.atr_stop_mult * now.atr)
    return flat() if now.fast < now.slow else hold(held)


RULE = StrategyRule(
    name="MY_CROSS", params=Params, columns=columns, decide=decide, longest=lambda p: p.ema_slow
)
'''

ON_BAR = '''"""Long above the mean of the last closes, out below it."""
from typing import NamedTuple
from strategies.base import BaseStrategy, StrategySignal


class Params(NamedTuple):
    length: int = 10


class Mine(BaseStrategy):
    def on_bar(self, symbol, candle):
        closes = self.state[symbol]["df"]["close"].tail(int(self.params["length"]))
        if candle["close"] > closes.mean():
            extra = {"stop": 0.97 * candle["close"], "rr_ratio": 2.0}
            return StrategySignal(symbol, "OPEN_LONG", 1.0, extra)
        return StrategySignal(symbol, "CLOSE_LONG")
'''


def project_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of its own in a folder, with the shipped settings, which commands take for theirs."""
    root = folder / "project"
    shutil.copytree(cli.ROOT / "config", root / "config")
    monkeypatch.setattr(cli, "ROOT", root)
    return root


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files into a folder, made if need be, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
