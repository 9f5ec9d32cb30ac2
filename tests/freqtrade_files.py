"""Classes as people write them for freqtrade, each of another kind; written here, none is anybody's."""

from __future__ import annotations

HEAD = """\
from functools import reduce

import numpy as np
import talib.abstract as ta
import freqtrade.vendor.qtpylib.indicators as qtpylib
from freqtrade.strategy import (
    BooleanParameter, CategoricalParameter, DecimalParameter, IntParameter, IStrategy, informative,
    merge_informative_pair,
)
from pandas import DataFrame


class {name}(IStrategy):
    timeframe = "1h"
    stoploss = -0.08
    minimal_roi = {{"0": 0.06, "120": 0.03, "600": 0.0}}
"""
PLAIN = {
    "RsiBand": """
    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        bands = qtpylib.bollinger_bands(qtpylib.typical_price(dataframe), window=20, stds=2)
        dataframe["bb_low"] = bands["lower"]
        dataframe["bb_mid"] = bands["mid"]
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[
            (dataframe["rsi"] < 38) & (dataframe["close"] < dataframe["bb_low"] * 1.005),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        dataframe.loc[(dataframe["close"] > dataframe["bb_mid"]), "exit_long"] = 1
        return dataframe
""",
    "OldNames": """
    ticker_interval = "1h"
    sell_profit_only = True
    trailing_stop = True

    def populate_indicators(self, dataframe, metadata):
        macd = ta.MACD(dataframe, fastperiod=8, slowperiod=21, signalperiod=5)
        dataframe["macd"] = macd["macd"]
        dataframe["macdsignal"] = macd["macdsignal"]
        dataframe["cci"] = ta.CCI(dataframe)
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        conditions = []
        conditions.append(qtpylib.crossed_above(dataframe["macd"], dataframe["macdsignal"]))
        conditions.append(dataframe["cci"] <= 100.0)
        if conditions:
            dataframe.loc[reduce(lambda x, y: x & y, conditions), "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[(qtpylib.crossed_below(dataframe["macd"], dataframe["macdsignal"])), "sell"] = 1
        return dataframe
""",
    "Averages": """
    short_period = IntParameter(3, 20, default=7, space="buy")
    long_period = IntParameter(15, 60, default=25, space="buy")
    factor = DecimalParameter(0.95, 1.05, default=1.0, decimals=3, space="buy")
    buy_params = {"short_period": 9}

    def populate_indicators(self, dataframe, metadata):
        for val in self.short_period.range:
            dataframe[f"ema_short_{val}"] = ta.EMA(dataframe, timeperiod=val)
        for val in self.long_period.range:
            dataframe[f"ema_long_{val}"] = ta.EMA(dataframe, timeperiod=val)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        conditions = [dataframe["volume"] > 0]
        conditions.append(
            qtpylib.crossed_above(
                dataframe[f"ema_short_{self.short_period.value}"],
                dataframe[f"ema_long_{self.long_period.value}"] * self.factor.value,
            )
        )
        dataframe.loc[reduce(lambda a, b: a & b, conditions), ["enter_long", "enter_tag"]] = (1, "cross")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[
            qtpylib.crossed_below(
                dataframe[f"ema_short_{self.short_period.value}"],
                dataframe[f"ema_long_{self.long_period.value}"],
            ),
            "exit_long",
        ] = 1
        return dataframe
""",
    "Channel": """
    minimal_roi = {"0": 100}

    def populate_indicators(self, dataframe, metadata):
        dataframe["top"] = dataframe["high"].rolling(20).max().shift(1)
        dataframe["bottom"] = dataframe["low"].rolling(window=10).min().shift(1)
        dataframe["busy"] = dataframe["volume"].rolling(24).mean()
        dataframe["wild"] = dataframe["close"].pct_change(3).abs()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[
            (dataframe["close"] > dataframe["top"])
            & ((dataframe["volume"] > 0.8 * dataframe["busy"]) | (dataframe["wild"] > 0.02)),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"].lt(np.nan_to_num(dataframe["bottom"])), "exit_long"] = 1
        return dataframe
""",
    "BothSides": """
    can_short = True
    trailing_stop = True
    trailing_stop_positive = 0.02
    trailing_stop_positive_offset = 0.03

    def populate_indicators(self, dataframe, metadata):
        dataframe["adx"] = ta.ADX(dataframe)
        dataframe["plus"] = ta.PLUS_DI(dataframe, timeperiod=25)
        dataframe["minus"] = ta.MINUS_DI(dataframe, timeperiod=25)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["adx"] > 20) & (dataframe["plus"] > dataframe["minus"]), "enter_long"] = 1
        dataframe.loc[(dataframe["adx"] > 20) & (dataframe["plus"] < dataframe["minus"]), "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["plus"] < dataframe["minus"], "exit_long"] = 1
        dataframe.loc[dataframe["plus"] > dataframe["minus"], "exit_short"] = 1
        return dataframe
""",
    "Chosen": """
    use_guard = BooleanParameter(default=True, space="buy")
    use_other = BooleanParameter(default=False, space="buy")
    level = CategoricalParameter([25, 30, 40], default=40, space="buy")
    trailing_stop = True
    trailing_stop_positive = 0.01
    trailing_stop_positive_offset = 0.02
    trailing_only_offset_is_reached = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["mfi"] = ta.MFI(dataframe)
        dataframe["mean"] = ta.SMA(dataframe["close"], timeperiod=50)
        dataframe["low_mean"] = ta.SMA(dataframe, timeperiod=30, price="low")
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        conditions = []
        if self.use_guard.value:
            conditions.append(dataframe["close"] > dataframe["low_mean"] * 0.97)
        if self.use_other.value:
            conditions.append(dataframe["close"] > dataframe["mean"])
        conditions.append(dataframe["mfi"] < self.level.value)
        if conditions:
            dataframe.loc[reduce(lambda x, y: x & y, conditions), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[:, "exit_long"] = 0
        return dataframe
""",
    "Where": """
    use_exit_signal = False

    def populate_indicators(self, dataframe, metadata):
        df = dataframe
        df["range"] = (df["high"] - df["low"]) / df["close"]
        df["calm"] = np.where(df["range"] < df["range"].rolling(30).mean(), 1, 0)
        df["hour"] = df["date"].dt.hour
        df["mom"] = ta.MOM(df, timeperiod=12)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = np.where(
            (dataframe["calm"] == 1)
            & (dataframe["hour"] >= 8)
            & (dataframe["mom"] > 0)
            & (dataframe["mom"].diff() > 0),
            1,
            0,
        )
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["mom"] < 0, "exit_long"] = 1
        return dataframe
""",
    "Smooth": """
    minimal_roi = {"0": 0.1, "1200": -1}

    def populate_indicators(self, dataframe, metadata):
        smooth = qtpylib.heikinashi(dataframe)
        dataframe["ha_open"] = smooth["open"]
        dataframe["ha_close"] = smooth["close"]
        dataframe["slow"] = ta.EMA(dataframe["ha_close"], timeperiod=30)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[
            (dataframe["ha_close"] > dataframe["ha_open"])
            & (dataframe["ha_close"].shift(1) < dataframe["ha_open"].shift(1))
            & (dataframe["close"] > dataframe["slow"]),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["ha_close"] < dataframe["slow"], "exit_long"] = 1
        return dataframe
""",
    "Candles": """
    stoploss = -0.99

    def populate_indicators(self, dataframe, metadata):
        dataframe["hammer"] = ta.CDLHAMMER(dataframe)
        dataframe["engulfing"] = ta.CDLENGULFING(dataframe)
        stoch = ta.STOCH(dataframe)
        dataframe["slowk"] = stoch["slowk"]
        dataframe["sar"] = ta.SAR(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[
            ((dataframe["hammer"] == 100) | (dataframe["engulfing"] > 0)) & (dataframe["slowk"] < 60),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[~(dataframe["close"] > dataframe["sar"]), "exit_long"] = 1
        return dataframe
""",
    "StochRsi": """
    def populate_indicators(self, dataframe, metadata):
        rsi = ta.RSI(dataframe, timeperiod=14)
        dataframe["rsi"] = rsi
        smallest = dataframe["rsi"].rolling(14).min()
        largest = dataframe["rsi"].rolling(14).max()
        dataframe["srsi"] = (dataframe["rsi"] - smallest) / (largest - smallest)
        dataframe["k"] = dataframe["srsi"].rolling(3).mean() * 100
        dataframe["spread"] = dataframe["close"].rolling(20).std()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[
            qtpylib.crossed_above(dataframe["k"], 20) & (dataframe["spread"] / dataframe["close"] < 0.2),
            "enter_long",
        ] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[qtpylib.crossed_below(dataframe["k"], 80), "exit_long"] = 1
        return dataframe
""",
    "Channels": """
    way = CategoricalParameter(["keltner", "awesome"], default="keltner", space="buy")

    def informative_pairs(self):
        \"\"\"None are needed.\"\"\"
        return []

    def populate_indicators(self, dataframe, metadata):
        channel = qtpylib.keltner_channel(dataframe, window=12, atrs=1)
        dataframe["above"] = channel["upper"]
        dataframe["ao"] = qtpylib.awesome_oscillator(dataframe)
        dataframe["mean"] = dataframe["close"].ewm(span=30, adjust=False).mean()
        rsi = 0.1 * (ta.RSI(dataframe) - 50)
        dataframe["fisher"] = (np.exp(2 * rsi) - 1) / (np.exp(2 * rsi) + 1)
        middle, lowest = band(dataframe["close"], 20)
        dataframe["wide"] = np.nan_to_num(middle) - np.nan_to_num(lowest)
        dataframe["fall"] = fallen(dataframe, bars=3)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        conditions = [dataframe["fall"] < 0.1]
        if self.way.value == "keltner":
            conditions.append(dataframe["close"] > dataframe["above"])
        if self.way.value != "keltner":
            conditions.append(dataframe["ao"] > 0)
        dataframe.loc[reduce(lambda x, y: x & y, conditions), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[
            (dataframe["close"] < dataframe["mean"])
            & ((dataframe["fisher"] < 0.2) | (dataframe["ao"] < 0) | (dataframe["wide"] < 0.01)),
            "exit_long",
        ] = 1
        return dataframe


def band(prices, window, wide=2):
    \"\"\"Say where a band is.\"\"\"
    mean = prices.rolling(window).mean()
    return mean, mean - wide * prices.rolling(window).std()


def fallen(frame, bars):
    return 1 - frame["close"] / frame["close"].shift(bars)
""",
}
"""Kinds of which all that trades is translated; what is not is told."""

PARTLY = {
    "Informed": (
        """
    def informative_pairs(self):
        return [(pair, "1d") for pair in self.dp.current_whitelist()]

    def populate_indicators(self, dataframe, metadata):
        informative = self.dp.get_pair_dataframe(pair=metadata["pair"], timeframe="1d")
        informative["sma"] = ta.SMA(informative, timeperiod=20)
        dataframe = merge_informative_pair(dataframe, informative, self.timeframe, "1d", ffill=True)
        dataframe["rsi"] = ta.RSI(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] < 30) & (dataframe["close"] > dataframe["sma_1d"]), "enter_long"] = 1
        return dataframe
""",
        ("informative_pairs(): longer(bars, …)", "merge_informative_pair", "sma_1d"),
    ),
    "Decorated": (
        """
    @informative("4h")
    def populate_indicators_4h(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[(dataframe["rsi"] < 30) & (dataframe["rsi_4h"] < 40), "enter_long"] = 1
        return dataframe
""",
        ("populate_indicators_4h(): longer(bars", "'rsi_4h'"),
    ),
    "Handmade": (
        """
    leverage_num = 3
    stoploss = -LOSS
    position_adjustment_enable = True
    ignore_roi_if_entry_signal = True

    def own_trend(self, dataframe):
        return dataframe["close"]

    def populate_indicators(self, dataframe, metadata):
        dataframe["trend"] = own_trend(dataframe, 10)
        dataframe["obv"] = ta.OBV(dataframe)
        dataframe["soft"] = pta.hma(dataframe["close"])
        dataframe["mean"] = dataframe["close"].mean()
        dataframe["next"] = dataframe["close"].shift(-1)
        dataframe["rsi"] = ta.RSI(dataframe)
        dataframe["ewm"] = dataframe["close"].ewm(alpha=0.2).mean()
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[
            (dataframe["trend"] > 0) & (dataframe["obv"] > 0)
            & (dataframe["rsi"] < 35) & (dataframe["next"] > 1),
            "enter_long",
        ] = 1
        return dataframe

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return -0.02

    def adjust_trade_position(self, trade, **kwargs):
        return None

    def leverage(self, **kwargs):
        return 3.0
""",
        (
            "calls a function that is not known",
            "adds up since the first candle",
            "looks ahead",
            "whole series",
            "a library that is not known",
            "custom_stoploss()",
            "adjust_trade_position()",
            "stoploss: it is no plain value",
            "leverage()",
            "own_trend()",
            "ignore_roi_if_entry_signal",
            "position_adjustment_enable",
            "wanted a span",
        ),
    ),
    "TakenBack": (
        """
    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe)
        while True:
            break
        for x in range(3):
            dataframe["y"] = x
        if metadata["pair"] == "BTC/USDT":
            dataframe["z"] = 1
        del dataframe["rsi_old"]
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 30, "enter_long"] = 1
        dataframe.loc[dataframe["volume"] == 0, "enter_long"] = 0
        return dataframe
""",
        ("such a statement", "a loop is not understood", "only a parameter", "taken back"),
    ),
}
"""Kinds of which a part is not translated, with what is told of it."""


def source(name: str, text: str) -> str:
    """Return the text of such a file."""
    return HEAD.format(name=name) + text
