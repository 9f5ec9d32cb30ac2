"""Whole commands on many candles, each in a process of its own: a compiled run, and what is stored.

A year of minutes is stored, and read by the first run; twelve years of minutes are stored and counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from bench.harness import Case
from bench.kernel import one_year
from core.domain import Series
from db.base import writing
from db.candle_revisions import TRIGGERS, create_triggers
from db.candles import upsert_bars
from db.init_db import init_db
from db.status import database_status

ROOT = Path(__file__).resolve().parents[1]
SERIES = Series("bench", "BTC/USDT", "1m")
COPIES = 12
"""Series of a year of minutes: 6.3 million rows."""
RUN, STATUS, LOOK = 0.8, 0.3, 0.005
"""Seconds; most of a whole command is what Python takes to import what reads settings and a database."""
COPY = """INSERT INTO ohlcv (exchange, symbol, timeframe, ts, open, high, low, close, volume)
 SELECT exchange, 'S' || ? || '/USDT', timeframe, ts, open, high, low, close, volume FROM ohlcv
 WHERE symbol = 'BTC/USDT'"""


def cases(folder: Path) -> list[Case]:
    """Return a compiled backtest as a command, and the status of a database of millions of rows."""
    year, years = folder / "year.db", folder / "years.db"
    run = "--strategy TREND_EMA --symbol BTC/USDT --timeframe 1m --exchange bench --use-sql --engine fast"
    return [
        Case(
            "run_backtest.py --engine fast, a year of 1m, warm",
            partial(command, folder, "run_backtest.py", *run.split(), "--db-url", f"sqlite:///{year}"),
            None,
            RUN,
            5,
            partial(warm, folder, year, run.split()),
        ),
        Case(
            "db_status.py on 6.3 million rows, the whole command",
            partial(command, folder, "db_status.py", "--db-url", f"sqlite:///{years}"),
            None,
            STATUS,
            5,
            partial(fill, years),
        ),
        Case(
            "what db_status.py asks of 6.3 million rows",
            partial(look, years),
            None,
            LOOK,
            5,
            partial(fill, years),
        ),
    ]


def command(folder: Path, script: str, *words: str) -> None:
    """Run a script as a person does, except that its compiled code is kept here."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    words = (sys.executable, str(ROOT / "scripts" / script), *words)
    subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=environment)


def warm(folder: Path, path: Path, words: list[str]) -> None:
    """Store the candles and run once, so that what is kept of a run is there."""
    if not path.exists():
        engine = init_db(f"sqlite:///{path}")
        upsert_bars(engine, SERIES, one_year())
        engine.dispose()
        command(folder, "run_backtest.py", *words, "--db-url", f"sqlite:///{path}")


def fill(path: Path) -> None:
    """Store millions of rows, and look at them once: another program may have written them."""
    if not path.exists():
        engine = init_db(f"sqlite:///{path}")
        upsert_bars(engine, SERIES, one_year())
        with writing(engine) as connection:
            # Millions of rows one by one through triggers, which find nothing to do, take minutes.
            for name in TRIGGERS:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            for k in range(1, COPIES):
                connection.exec_driver_sql(COPY, (k,))
            create_triggers(connection)
        engine.dispose()
        look(path)


def look(path: Path) -> None:
    """Ask what is stored."""
    engine = init_db(f"sqlite:///{path}")
    database_status(engine)
    engine.dispose()
