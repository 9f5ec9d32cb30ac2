"""The specification's paper loop in small: stored candles, one symbol, two strategies on one account.

    python docs/examples/paper_loop.py BTC/USDT 4h binanceus

Every candle goes to the executor first: it fills at the open what the last candle asked for, watches stops
and takes, books the trades and tells the risk manager. Then each strategy looks at the candle. With one
strategy, and as long as no limit of the risk manager holds an entry up, the trades are those of the backtest.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core import cli
from core.account.lots import Trade
from core.execution import Executor
from core.portfolio import Portfolio
from core.risk_manager import RiskManager
from core.sql_data_source import SQLDataSource
from strategies.base import BaseStrategy
from strategies.mean_reversion_bb import MeanReversionBBLive
from strategies.trend_ema import TrendEmaLive

if TYPE_CHECKING:
    import pandas as pd


def run(
    df: pd.DataFrame, symbol: str, strategies: Mapping[str, BaseStrategy], executor: Executor
) -> list[Trade]:
    """Let strategies trade a symbol on candles (open … volume on a UTC index); return the closed trades."""
    trades: list[Trade] = []
    names = ["time", "open", "high", "low", "close", "volume"]
    for row in df[names[1:]].itertuples():
        candle = dict(zip(names, row, strict=True))
        trades += executor.on_candle(symbol, candle).trades
        for name, strategy in strategies.items():
            strategy.set_position(symbol, executor.position(name, symbol))
            signal = strategy.on_bar(symbol, candle)
            # A HOLD too: it may move the stop of what is held.
            executor.execute_signal(symbol, signal, candle, name)
    return trades


def main(symbol: str = "BTC/USDT", timeframe: str = "4h", exchange: str = "binanceus") -> None:
    """Trade the newest 1,000 stored candles of an exchange and print what came of it."""
    df = SQLDataSource(exchange=exchange).get_ohlcv(symbol, timeframe, limit=1000)
    portfolio = Portfolio(cash=10_000)
    risk_manager = RiskManager(default_risk_per_trade=0.01, max_daily_loss_pct=3.0)
    executor = Executor(portfolio, risk_manager, live=False)
    strategies = {"TREND_EMA": TrendEmaLive({}), "MR_BB": MeanReversionBBLive({"params": {"bb_std": 2.0}})}
    for closed in run(df, symbol, strategies, executor):
        line = f"{closed.strategy:10} {closed.amount:.6f} {closed.reason:5} {closed.pnl:10.2f}"
        sys.stdout.write(f"{line}\n")
    equity = portfolio.get_equity({symbol: float(df["close"].iloc[-1])})
    sys.stdout.write(f"equity {equity:,.2f}\n")


if __name__ == "__main__":
    cli.run(lambda: main(*sys.argv[1:]))
