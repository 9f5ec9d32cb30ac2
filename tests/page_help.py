"""An account with everything on its page: candles, saved runs, decisions, trades and a full status."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, String, select, update

from core.backtest.fast_backtester import run_fast
from core.backtest_persistence import save_result
from core.domain import Costs, Series
from core.live.status import to_document
from core.results.runs import RunSpec
from db import live
from db.base import open_engine, writing
from db.candles import upsert_bars
from db.declared import Base
from db.init_db import init_db
from tests.markets import START, random_bars
from tests.status_help import STATUS
from tests.stored import url_of

HOUR = 3_600_000
KEPT_AS_THEY_ARE = ("account", "timeframe", "status_json")
BTC, FOUR = Series("binanceus", "BTC/USDT", "1h"), Series("binanceus", "BTC/USDT", "4h")
SAVED = (("MR_BB", 10_000.0), ("GRID_LR", 500.0))


def seeded(folder: Path, *, hostile: str = "") -> Engine:
    """Return a database with two series, saved runs, and an account with decisions, trades and a status."""
    engine = init_db(url_of(folder / "page.db"))
    bars = random_bars(5, 3000)
    upsert_bars(engine, BTC, bars)
    rows = bars.ts % (4 * HOUR) == 0
    upsert_bars(engine, FOUR, type(bars)(*(column[rows] for column in bars)))
    for strategy, cash in SAVED:
        save_result(
            run_fast(bars, RunSpec(BTC, strategy, {}, Costs(0.001), cash)), url_of(folder / "page.db")
        )
    run_id = begin(engine)
    told(engine, run_id, hostile)
    return engine


def begin(engine: Engine, account: str = "paper") -> int:
    """Begin a run."""
    member = {"symbol": "BTC/USDT", "timeframe": "1h", "strategy": "MR_BB", "params": {"bb_period": 20}}
    settings = {"members": [member], "cash": "10000"}
    kept: dict[str, Any] = {"pid": 7, "code_version": "c0de" * 10, "settings": settings, "now": START}
    return live.start_run(engine, account, "paper", **kept)


def told(engine: Engine, run_id: int, hostile: str = "", *, count: int = 120) -> None:
    """Store decisions, equity, trades, commands and a status that says everything."""
    decisions = [
        live.DecisionRow(
            *(BTC, START + i * HOUR, "MR_BB", "entry buy", "cash" if i % 3 == 0 else "approved"),
            {"amount": "0.01", "price": "50000", "reason": f"entry{hostile}", "bound": "risk"}
            | {"stop": "49000.5", "take": None if i % 2 else "52000"},
        )
        for i in range(count)
    ]
    equity = [live.EquityRow(START + i * HOUR, 10_000.0 + 10 * (i % 17) + i, 9_000.0) for i in range(count)]
    status = STATUS._replace(
        positions=(STATUS.positions[0]._replace(price=47_000.0, stop=40_000.0),),
        breakers={"daily_loss": f"3 % lost{hostile}"},
        quarantined={f"MR_BB{hostile}": "ValueError"},
        currency="USDT",
    )
    live.record(
        engine,
        run_id,
        decisions=decisions,
        equity=equity,
        trades=[trade(i, hostile) for i in range(count // 2)],
        status=to_document(status),
        now=START + count * HOUR,
    )


def trade(number: int, hostile: str = "") -> dict[str, Any]:
    """Return a closed trade of the first bars, winning and losing in turns."""
    begin = START + 20 * number * HOUR
    return {
        "account": "paper",
        "strategy": "MR_BB",
        "symbol": "BTC/USDT",
        "side": "LONG",
        "amount": "0.1",
        "entry_ts": begin,
        "exit_ts": begin + 8 * HOUR,
        "entry_price": 50_000.0,
        "exit_price": 50_100.0 if number % 2 else 49_900.0,
        "gross": "10" if number % 2 else "-10",
        "fees": "1.5",
        "reason": f"take{hostile}",
    }


def reopened(folder: Path) -> Engine:
    """Open it once more, as another program does."""
    return open_engine(url_of(folder / "page.db"))


def planted(engine: Engine, text: str) -> int:
    """Append a text to every value that a database keeps as one, and return how many columns had some.

    Accounts, timeframes and the run's sealed status stay: without them the page would have nothing to show.
    """
    count = 0
    with writing(engine) as connection:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String) and column.name not in KEPT_AS_THEY_ARE:
                    rows = connection.execute(select(column).where(column.is_not(None), column != "")).all()
                    for (old,) in {row for row in rows if not is_number(row[0])}:
                        new = _planted(old, text) if column.name.endswith("_json") else old + text
                        connection.execute(update(table).where(column == old).values({column.name: new}))
                    count += bool(rows)
    return count


def is_number(text: str) -> bool:
    """Tell whether a text is an exact amount."""
    try:
        Decimal(text)
    except InvalidOperation:
        return False
    return True


def _planted(document: str, text: str) -> str:
    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: one if name in KEPT_AS_THEY_ARE else walk(one) for name, one in value.items()}
        if isinstance(value, list):
            return [walk(one) for one in value]
        return value + text if isinstance(value, str) else value

    return json.dumps(walk(json.loads(document)))
