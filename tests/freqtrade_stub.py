"""As much of freqtrade as its users' classes import, in pandas, to hold translations against."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pandas as pd

from core.domain import Bars
from strategies.indicators_talib import about
from strategies.ta_lib import talib


class Parameter:
    """A parameter at its default, whose range is that alone."""

    def __init__(self, *given: Any, default: Any = None, **_: Any) -> None:
        self.value = given[0] if default is None else default

    @property
    def range(self) -> list[Any]:
        return [self.value]


class IStrategy:
    """Parameters as `buy_params` sets them."""

    buy_params: dict[str, Any] = {}

    def __init__(self) -> None:
        for name, value in self.buy_params.items():
            getattr(self, name).value = value


def crossed_above(one: Any, other: Any) -> Any:
    before = other.shift(1) if isinstance(other, pd.Series) else other
    return (one > other) & (one.shift(1) <= before)


def crossed_below(one: Any, other: Any) -> Any:
    before = other.shift(1) if isinstance(other, pd.Series) else other
    return (one < other) & (one.shift(1) >= before)


def typical_price(frame: pd.DataFrame) -> Any:
    return (frame["high"] + frame["low"] + frame["close"]) / 3


def bollinger_bands(prices: Any, window: int = 20, stds: float = 2) -> Any:
    mid, wide = prices.rolling(window).mean(), stds * prices.rolling(window).std()
    return {"lower": mid - wide, "mid": mid, "upper": mid + wide}


def heikinashi(frame: pd.DataFrame) -> Any:
    close = (frame["open"] + frame["high"] + frame["low"] + frame["close"]) / 4
    opened = [(frame["open"].iloc[0] + frame["close"].iloc[0]) / 2]
    for value in close.iloc[:-1]:
        opened.append((opened[-1] + value) / 2)
    return {"open": pd.Series(opened, frame.index), "close": close}


def keltner_channel(frame: pd.DataFrame, window: int = 14, atrs: float = 2) -> Any:
    before = frame["close"].shift(1)
    reach = pd.concat([frame["high"], before], axis=1).max(axis=1, skipna=False)
    reach -= pd.concat([frame["low"], before], axis=1).min(axis=1, skipna=False)
    mid, wide = typical_price(frame).rolling(window).mean(), atrs * reach.rolling(window).mean()
    return {"lower": mid - wide, "mid": mid, "upper": mid + wide}


def awesome_oscillator(frame: pd.DataFrame) -> Any:
    middle = (frame["high"] + frame["low"]) / 2
    return middle.rolling(5).mean() - middle.rolling(34).mean()


class Library(ModuleType):
    """TA-Lib on data frames, whole series at once."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        told = about(name)

        def indicator(given: Any, *, price: str = "close", **params: float) -> Any:
            names: list[str] = []
            for kind in told.info["input_names"].values():
                names += [kind] if isinstance(kind, str) else kind
            names = [price] if names == ["close"] else names
            inputs = [given[one] for one in names] if isinstance(given, pd.DataFrame) else [given]
            found = getattr(talib, name)(*(one.to_numpy(dtype=float) for one in inputs), **params)
            if not isinstance(found, tuple):
                return pd.Series(found, given.index)
            return {
                key: pd.Series(one, given.index) for key, one in zip(told.output_names, found, strict=True)
            }

        return indicator


def modules() -> dict[str, ModuleType]:
    """Return the modules that a class imports, by name."""
    names = ("freqtrade", "freqtrade.strategy", "freqtrade.vendor", "freqtrade.vendor.qtpylib")
    found = {name: ModuleType(name) for name in (*names, "freqtrade.vendor.qtpylib.indicators", "talib")}
    found["talib.abstract"] = Library("talib.abstract")
    kinds = ("IntParameter", "DecimalParameter", "CategoricalParameter", "BooleanParameter")
    nothing = {"informative": None, "merge_informative_pair": None, "IStrategy": IStrategy}
    vars(found["freqtrade.strategy"]).update(nothing, **dict.fromkeys(kinds, Parameter))
    indicators = [crossed_above, crossed_below, typical_price, bollinger_bands, heikinashi]
    indicators += [keltner_channel, awesome_oscillator]
    vars(found["freqtrade.vendor.qtpylib.indicators"]).update({one.__name__: one for one in indicators})
    # `import a.b.c as d` reads attributes.
    for name in list(found):
        home, _, last = name.rpartition(".")
        if home:
            setattr(found[home], last, found[name])
    return found


def signals(name: str, text: str, bars: Bars) -> pd.DataFrame:
    """Return the data frame that a class makes of bars; its modules must be in sys.modules."""
    assert "freqtrade" in sys.modules
    scope: dict[str, Any] = {}
    exec(compile(text, name, "exec"), scope)
    strategy = scope[name]()
    frame = pd.DataFrame({column: getattr(bars, column) for column in bars._fields[1:]})
    frame["date"] = pd.to_datetime(bars.ts, unit="ms", utc=True)
    for step in ("indicators", "entry_trend", "buy_trend", "exit_trend", "sell_trend"):
        if method := getattr(strategy, f"populate_{step}", None):
            frame = method(frame, {"pair": "BTC/USDT"})
    return frame.rename(columns={"buy": "enter_long", "sell": "exit_long"})
