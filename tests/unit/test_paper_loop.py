"""The example of the specification's paper loop trades, and as the backtest does."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.account.lots import Trade
from core.backtester import simulate
from core.candles.frames import frame_from_bars
from core.domain import Costs, Series
from core.execution import Executor
from core.portfolio import Portfolio
from core.results.runs import RunSpec, TradeRecord
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from db.candles import upsert_bars
from db.init_db import init_db
from docs.examples import paper_loop
from strategies.registry import load_strategy
from tests.lively import LIVELY
from tests.markets import HOUR, random_bars
from tests.tiers import some, statistics

SYMBOL = "BTC/USDT"
BARS = random_bars(3, 300)


def as_records(trades: list[Trade]) -> list[tuple[object, ...]]:
    """Return what a backtest's record says too: side, size, times, prices, reason."""
    return [
        (
            "LONG" if trade.side > 0 else "SHORT",
            float(trade.amount),
            trade.entry_time,
            trade.exit_time // HOUR * HOUR,
            trade.entry_price,
            trade.exit_price,
            trade.reason,
        )
        for trade in trades
    ]


def of_backtest(records: tuple[TradeRecord, ...]) -> list[tuple[object, ...]]:
    return [(*record[:6], record.reason) for record in records if record.reason != "end"]


TRADED: dict[str, dict[str, float]] = {
    # Both sides, a ladder, reversals, a trailed stop, an exit by time, another risk, another way of sizing.
    "TREND_EMA": {"vol_target": 0.3, "vol_period": 10},
    "MR_BB": {},
    "SQZ_BO": {},
    "GRID_LR": {},
    "MACD_CROSS": {},
    "SUPERTREND": {},
    "ADAPTIVE": {},
    "HIGH_RISK": {},
}


@statistics
@pytest.mark.parametrize("name", some(TRADED, 3, "GRID_LR"))
def test_the_trades_are_the_backtest_s(name: str) -> None:
    strategy = load_strategy(name)
    params = {**strategy.rule.params()._asdict(), **LIVELY.get(name, {}), **TRADED[name]}
    spec = RunSpec(Series("binanceus", SYMBOL, "1h"), name, params, Costs(), 10_000.0)
    result = simulate(BARS, spec, strategy)
    risk = RiskManager(0.05, None, Limits(allow_short=True))
    executor = Executor(Portfolio(10_000, commission=Costs().commission), risk, live=False)
    live = strategy.live({"params": params})
    found = as_records(paper_loop.run(frame_from_bars(BARS), SYMBOL, {name: live}, executor))
    assert found == of_backtest(result.records)
    assert len(found) > 3


@pytest.mark.unmeasured
def test_the_script_trades_stored_candles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", f"sqlite:///{tmp_path / 'test.db'}")
    engine = init_db()
    upsert_bars(engine, Series("binanceus", SYMBOL, "1h"), BARS)
    engine.dispose()
    paper_loop.main(SYMBOL, "1h")
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == {"TREND_EMA", "MR_BB"}
    assert lines[-1].startswith("equity ")
