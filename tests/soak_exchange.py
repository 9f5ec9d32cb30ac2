"""A week at the local exchange: `python -m tests.soak_exchange --days 7`.

Minutes of two symbols at each venue, two strategies with stops that rest there, real ccxt, and one request to
trade of ten failing; 240 times as fast as life. What must stay bounded is watched, and at the end books,
exchange and plain ccxt agree to the last digit, with every bar decided on once.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.faults import TRADING_PATHS, FaultSchedule
from core.exchange_sim.server import BINANCEUS, KRAKEN, SimConfig, serve
from core.utils import now_ms
from tests.exchange_loop import CASH, MARKET, SPEED, Where, child, clock_from
from tests.loop_kills import compare_with, compare_with_ccxt, counted, fresh_database
from tests.order_kills import KINDS, last_life
from tests.order_process import DONE, ENDLESS, TIRED
from tests.soak import Sample, grown, sample, told

FAILING = 0.1
"""Part of the requests to trade that fail, each in one of many ways."""
DAY_SECONDS = 86_400 / SPEED
LAST_SECONDS = 4.0
"""How long the last life trades, with nothing failing any more, before it ends."""


def main(argv: list[str] | None = None) -> int:
    """Run both venues beside each other and return 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--venue", choices=(BINANCEUS, KRAKEN), action="append", help="(default: both)")
    args = parser.parse_args(argv)
    venues = args.venue or [BINANCEUS, KRAKEN]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, ThreadPoolExecutor(len(venues)) as pool:
        found = list(pool.map(partial(soak, Path(folder), args.days, args.seed), venues))
    for venue, wrong in zip(venues, found, strict=True):
        print(
            *(wrong or [f"{venue}: nothing lost, nothing twice, nothing unexplained, nothing grew"]), sep="\n"
        )
    return 1 if any(found) else 0


def soak(folder: Path, days: float, seed: int, venue: str) -> list[str]:
    """Trade at a venue for some days and return what is wrong."""
    began, database = now_ms(), fresh_database(folder, venue)
    clock = clock_from(began)
    account = AccountConfig(balances={"USDT": CASH, "USD": CASH})
    faults = FaultSchedule(seed, FAILING, KINDS, 0.5, TRADING_PATHS)
    with serve(SimConfig(clock=clock, account=account, trading_faults=faults, tier=ENDLESS)) as sim:
        where = Where(sim.url, database, venue, MARKET)
        code, samples = watched(where, began, days * DAY_SECONDS, folder / f"{venue}.db")
        failed = len(sim.faults_met)
        sim.set_faults(())
        last = last_life(lambda: watched(where, began, LAST_SECONDS, folder / f"{venue}.db")[0])
        wrong = [f"{venue}: the week ended with {code}"] * (code not in (DONE, TIRED))
        wrong += [f"{venue}: the last life ended with {last}"] * (last != DONE)
        wrong += [f"{venue}: {line}" for line in grown(samples)] if samples else []
        for line in (
            *compare_with(sim, database, venue),
            *compare_with_ccxt(sim.url, database, venue, clock),
        ):
            wrong.append(f"{venue}: {line}")
    orders, fills = counted(database)
    print(f"{venue}: {orders:,} orders, {fills:,} fills, {failed:,} requests failed", flush=True)
    return wrong


def watched(where: Where, began: int, seconds: float, file: Path) -> tuple[int, list[Sample]]:
    """Let the loop live for so long; return how it ended, and what each day left behind."""
    process = get_context("spawn").Process(target=_live, args=(where, began, seconds))
    process.start()
    samples: list[Sample] = []
    while process.is_alive():
        process.join(DAY_SECONDS)
        if process.is_alive() and process.pid is not None:
            samples.append(sample(len(samples) + 1, file, counted(where.database)[1], str(process.pid)))
            print(f"{where.venue}: {told(samples[-1])}", flush=True)
    return process.exitcode or DONE, samples


def _live(where: Where, began: int, seconds: float) -> None:
    sys.exit(child(where, clock_from(began), 0, seconds))


if __name__ == "__main__":
    sys.exit(main())
