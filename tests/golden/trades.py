"""Golden trades: what every strategy does on one made-up market, kept as JSON and compared to the last bit.

    .venv/bin/python -m tests.golden.trades            # all strategies
    .venv/bin/python -m tests.golden.trades TURTLE     # one

writes the files anew. Do so only when a change of trades is meant, and look at the difference.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.backtester import simulate
from core.domain import Bars, Costs, Series
from core.results.runs import RunSpec
from strategies.registry import REGISTRY
from tests.lively import LIVELY, strategy_for
from tests.markets import HOUR

HERE = Path(__file__).parent
START = 1_699_920_000_000
"""A midnight, UTC."""


def drawn(seed: int) -> Iterator[int]:
    """Yield numbers from 0 to 65535 that are the same with every library and machine (Park and Miller)."""
    while True:
        seed = 48271 * seed % 0x7FFFFFFF
        yield seed >> 15


def golden_bars(length: int = 600) -> Bars:
    """Return bars of 1h whose prices are multiples of 1/8, with trends, quiet spells and jumps."""
    draw = drawn(20_240_229)
    rows, price, drift, spell = [], 8_000, 0, 1
    for i in range(length):
        if i % 40 == 0:
            drift, spell = next(draw) % 21 - 10, 1 + next(draw) % 4
        opens = price + (next(draw) % 41 - 20 if next(draw) % 8 == 0 else 0)
        price = opens + spell * (next(draw) % 41 - 20 + drift)
        high = max(opens, price) + next(draw) % 20 * spell
        low = min(opens, price) - next(draw) % 20 * spell
        rows.append((opens / 8, high / 8, low / 8, price / 8, float(next(draw) % 90 + 10)))
    opened, highs, lows, closes, volume = (np.array(column) for column in zip(*rows, strict=True))
    return Bars(START + HOUR * np.arange(length, dtype=np.int64), opened, highs, lows, closes, volume)


def golden_run(name: str) -> dict[str, Any]:
    """Return a strategy's trades on these bars, as they stand in its file."""
    spec = RunSpec(
        Series("golden", "BTC/USDT", "1h"), name, LIVELY.get(name, {}), Costs(0.001, 0.0005), 10_000.0
    )
    result = simulate(golden_bars(), spec, strategy_for(name, golden_bars()))
    trades = [trade._asdict() for trade in result.records]
    return {"params": dict(spec.params), "trades": trades, "equity": float(result.equity[-1])}


def path_of(name: str) -> Path:
    """Return where a strategy's golden trades are."""
    return HERE / f"{REGISTRY[name]}.json"


def main(names: list[str]) -> None:
    """Write the files of these strategies, or of all."""
    for name in names or REGISTRY:
        path_of(name).write_text(json.dumps(golden_run(name), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
