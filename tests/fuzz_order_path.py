"""Many lives of the order path: `python -m tests.fuzz_order_path --schedules 10000 --kills 200`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from core.account.orders import RESTING_STOPS
from core.exchange_sim.server import BINANCEUS, KRAKEN
from tests.algo_mutants import ALGO_MUTANTS
from tests.algo_schedules import AlgoSchedule
from tests.exchange_loop import ALGORITHMS
from tests.loop_kills import Kills, kill_at_exchange, kill_on_paper
from tests.order_kills import KILLED, kill_often
from tests.order_mutants import MUTANTS, weakened
from tests.order_schedules import Schedule
from tests.stop_mutants import STOP_MUTANTS, weakened_stops
from tests.stop_schedules import StopSchedule

VENUES = (BINANCEUS, KRAKEN)


class Tally(NamedTuple):
    """What some schedules came to."""

    counts: Counter[str]
    wrong: list[str]


def run_schedules(first: int, count: int, venue: str = BINANCEUS) -> Tally:
    """Run some schedules of the full design."""
    counts: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        schedule = Schedule(seed, venue=venue)
        found = schedule.run()
        if found:
            wrong.append(f"seed {seed}: {found[0]}")
        ours = (one for one in schedule.market.orders if not one.request.client_order_id.startswith("web_"))
        counts.update(
            schedules=1,
            crashes=schedule.crashed,
            clock_steps=schedule.disturbed,
            foreign_actions=schedule.meddled,
            takings=sum(event.kind == "taken" for event in schedule.events),
            hand_cancels=sum(event.kind == "canceled" for event in schedule.events),
            transfers=len(schedule.market.transfers),
            orders=sum(1 for _ in ours),
            fills=len(schedule.market.trades),
            faults=sum(schedule.line.faults.values()),
        )
    return Tally(counts, wrong)


def first_caught(name: str, most: int, venue: str = BINANCEUS, first: int = 0) -> int | None:
    """Return the schedule by which a weakened path is caught, counted from one, None if it is not.

    The search goes round from `first` on.
    """
    make = weakened(name)
    for seed in chain(range(first, most), range(first)):
        try:
            found = Schedule(seed, make, venue=venue).run()
        except Exception:  # a weakened path may fall over its own feet: noticed, too
            return seed + 1
        if found:
            return seed + 1
    return None


def run_stop_schedules(first: int, count: int, venue: str = BINANCEUS) -> Tally:
    """Run some schedules with stops that rest."""
    counts: Counter[str] = Counter()
    wrong, longest = [], 0
    for seed in range(first, first + count):
        schedule = StopSchedule(seed, venue=venue)
        found = schedule.run()
        if found:
            wrong.append(f"seed {seed}: {found[0]}")
        longest = max(longest, schedule.longest)
        orders = schedule.market.orders
        counts.update(
            schedules=1,
            crashes=schedule.crashed,
            faults=sum(schedule.line.faults.values()),
            orders=len(orders),
            stops=sum(one.request.terms.kind in RESTING_STOPS for one in orders),
            reached=len(schedule.stops.reached),
            changes=schedule.stops.changes,
            fills=len(schedule.market.trades),
        )
    counts["ms unprotected at most"] = longest
    return Tally(counts, wrong)


def stop_caught(name: str, most: int, venue: str = BINANCEUS, first: int = 0) -> int | None:
    """Return the schedule by which weakened stops are caught, counted from one, None if they are not."""
    make, protect = weakened_stops(name)
    for seed in chain(range(first, most), range(first)):
        if StopSchedule(seed, make, venue=venue, protect=protect).run():
            return seed + 1
    return None


def run_algo_schedules(first: int, count: int, venue: str = BINANCEUS) -> Tally:
    """Run some schedules of orders that algorithms execute."""
    counts: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        schedule = AlgoSchedule(seed, venue=venue)
        found = schedule.run()
        if found:
            wrong.append(f"seed {seed}: {found[0]}")
        orders = [one.request.terms.kind for one in schedule.market.orders]
        counts.update(
            schedules=1,
            crashes=schedule.crashed,
            faults=sum(schedule.line.faults.values()),
            works=len(schedule.handed_over),
            taken_back=len(schedule.taken_back),
            orders=len(orders),
            makers=orders.count("maker"),
            slices=orders.count("limit"),
            fills=len(schedule.market.trades),
        )
    return Tally(counts, wrong)


def algo_caught(name: str, most: int, venue: str = BINANCEUS, first: int = 0) -> int | None:
    """Return the schedule by which weakened executing is caught, counted from one, None if it is not."""
    for seed in chain(range(first, most), range(first)):
        if AlgoSchedule(seed, venue=venue, work_with=ALGO_MUTANTS[name]).run():
            return seed + 1
    return None


def main(argv: list[str] | None = None) -> int:
    """Run and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--stops", type=int, default=1000, help="schedules with stops that rest")
    parser.add_argument("--algos", type=int, default=1000, help="schedules of execution by algorithms")
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--mutants", type=int, default=2000, help="most schedules per weakened variant")
    parser.add_argument("--kills", type=int, default=0, help="of real processes on the local exchange")
    args = parser.parse_args(argv)
    ok = True
    for venue in VENUES:
        ok = fuzz(args, venue) and ok
        ok = fuzz_stops(args, venue) and ok
        ok = fuzz_algos(args, venue) and ok
    if args.kills:
        for venue in VENUES:
            ok = kill(args.kills, args.first, venue) and ok
        ok = kill_loops(args.kills, args.first) and ok
    return 0 if ok else 1


def fuzz(args: argparse.Namespace, venue: str) -> bool:
    """Run the schedules and the weakened variants of a venue, and return whether nothing is wrong."""
    began = time.monotonic()
    starts = range(args.first, args.first + args.schedules, 100)
    count = len(starts)
    with ProcessPoolExecutor() as pool:
        total, wrong = Counter[str](), list[str]()
        for tally in pool.map(run_schedules, starts, [100] * count, [venue] * count):
            total += tally.counts
            wrong += tally.wrong
        told = ", ".join(f"{count} {what}" for what, count in total.items())
        spent = f"{time.monotonic() - began:.0f} s"
        print(f"{venue}: {told}: {len(wrong)} wrong, {spent}", *wrong, sep="\n", flush=True)
        ok, names = not wrong, list(MUTANTS)
        for name, after in zip(
            names,
            pool.map(first_caught, names, [args.mutants] * len(names), [venue] * len(names)),
            strict=True,
        ):
            print(f"{venue}: {name}: {'NOT CAUGHT' if after is None else f'caught by schedule {after}'}")
            ok = ok and after is not None
    return ok


def fuzz_stops(args: argparse.Namespace, venue: str) -> bool:
    """Run the schedules with stops and their weakened variants, and return whether nothing is wrong."""
    began = time.monotonic()
    starts = range(args.first, args.first + args.stops, 20)
    count, names = len(starts), [name for name, one in STOP_MUTANTS.items() if venue in one.venues]
    with ProcessPoolExecutor() as pool:
        tallies = list(pool.map(run_stop_schedules, starts, [20] * count, [venue] * count))
        wrong = [line for one in tallies for line in one.wrong]
        longest = max((one.counts.pop("ms unprotected at most") for one in tallies), default=0)
        total = sum((one.counts for one in tallies), Counter[str]())
        told = ", ".join(f"{number} {what}" for what, number in total.items())
        print(
            f"{venue}, stops: {told}: {len(wrong)} wrong, unprotected for {longest} ms at most, "
            f"{time.monotonic() - began:.0f} s",
            *wrong,
            sep="\n",
            flush=True,
        )
        ok = not wrong
        for name, after in zip(
            names,
            pool.map(stop_caught, names, [args.mutants] * len(names), [venue] * len(names)),
            strict=True,
        ):
            print(f"{venue}: {name}: {'NOT CAUGHT' if after is None else f'caught by schedule {after}'}")
            ok = ok and after is not None
    return ok


def fuzz_algos(args: argparse.Namespace, venue: str) -> bool:
    """Run the schedules of algorithms and their weakened variants, and return whether nothing is wrong."""
    began = time.monotonic()
    starts = range(args.first, args.first + args.algos, 20)
    count, names = len(starts), list(ALGO_MUTANTS)
    with ProcessPoolExecutor() as pool:
        tallies = list(pool.map(run_algo_schedules, starts, [20] * count, [venue] * count))
        wrong = [line for one in tallies for line in one.wrong]
        total = sum((one.counts for one in tallies), Counter[str]())
        told = ", ".join(f"{number} {what}" for what, number in total.items())
        spent = f"{time.monotonic() - began:.0f} s"
        print(f"{venue}, algorithms: {told}: {len(wrong)} wrong, {spent}", *wrong, sep="\n", flush=True)
        ok = not wrong
        for name, after in zip(
            names,
            pool.map(algo_caught, names, [args.mutants] * len(names), [venue] * len(names)),
            strict=True,
        ):
            print(f"{venue}: {name}: {'NOT CAUGHT' if after is None else f'caught by schedule {after}'}")
            ok = ok and after is not None
    return ok


def kill_loops(kills: int, seed: int) -> bool:
    """Kill the whole loop, on paper and at the local exchange, and return whether nothing is wrong."""
    killers: dict[str, Callable[[Path], Kills]] = {
        "loop on paper": lambda folder: kill_on_paper(folder, kills, seed, 3 * kills),
        "loop at Binance.US": lambda folder: kill_at_exchange(folder, kills, seed),
        "loop at Kraken": lambda folder: kill_at_exchange(folder, kills, seed, venue=KRAKEN),
    } | {
        f"loop with algorithms at {venue}": partial(
            kill_at_exchange, kills=kills, seed=seed, venue=venue, execution=ALGORITHMS
        )
        for venue in VENUES
    }
    ok = True
    for words, killer in killers.items():
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = killer(Path(folder))
        told = f"{words}: {found.ends[KILLED]} kills, {found.orders} orders, {found.fills} fills"
        print(f"{told}: {len(found.wrong)} wrong, {time.monotonic() - began:.0f} s", *found.wrong, sep="\n")
        ok = ok and not found.wrong
    return ok


def kill(kills: int, seed: int, venue: str) -> bool:
    """Kill real processes, print what came of it and return whether nothing is wrong."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = kill_often(Path(folder), kills, seed, venue=venue)
    told = f"{venue}: {found.ends[KILLED]} kills, {found.orders} orders, {found.fills} fills"
    told = f"{told}, {found.faults} faults"
    print(f"{told}: {len(found.wrong)} wrong, {time.monotonic() - began:.0f} s", *found.wrong, sep="\n")
    return not found.wrong


if __name__ == "__main__":
    sys.exit(main())
