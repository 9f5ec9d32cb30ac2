"""What run_live.py does on paper: the loop itself, what it is told, and how it stands."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from sqlalchemy import Engine

from core.backtest_plan import PlannedRun, check_params
from core.bars import empty_bars, frame_from_bars
from core.domain import FLAT, Bars, Series
from core.errors import DatabaseError, ExchangeError, NoDataError, UsageError
from core.exchange.calls import Notice
from core.exchange.pages import concat
from core.exchange_client import ExchangeClient
from core.execution import Executor, Plan
from core.live.feed import Feed, Read
from core.live.lock import AccountLock
from core.live.loop import Loop
from core.live.run_book import RunBook
from core.live.snapshot import restore, snapshot
from core.live.watchdog import Watchdog
from core.paper_gateway import PaperGateway
from core.portfolio import Portfolio
from core.reports.table import number
from core.session import LiveDecider, Session
from core.settings import Settings
from core.utils import format_time, now_ms, timeframe_ms
from core.version import code_version
from db import live
from db.base import database_file, open_engine
from db.candles import last_ts, read_bars, upsert_bars
from db.init_db import get_db_url, init_db
from scripts import cli
from scripts.replay_command import members, overrides, risk_of
from strategies.registry import load_strategy

POLL = 1.0
"""Seconds between two looks: a command is carried out within two."""
HANGS = 120.0
"""Seconds after which a loop that says nothing is ended."""
ANSWER = 5.0
"""Seconds that a command's outcome is waited for."""
HUNG = 70
"""Exit code of a process that its watchdog ended."""


class World(NamedTuple):
    """Where the loop's candles and its time come from."""

    label: str
    read: Read
    now: Callable[[], int]


def trade(args: argparse.Namespace) -> int:
    """Follow the market on paper until told to stop; return the exit code."""
    settings = cli.load_settings(overrides(args), check_params)
    wanted = members(args, settings)
    with ExitStack() as opened:
        engine = init_db(settings.db.url)
        opened.callback(engine.dispose)
        path = database_file(engine)
        if path is None:
            raise UsageError("a paper account is kept in a file: name a database other than memory")
        opened.enter_context(AccountLock(path, args.account)).sign(args.account, now_ms())
        world = world_of(args, settings, engine, opened)
        loop, book = open_account(args, settings, engine, world, wanted)
        ending = "failed"
        try:
            ending = follow(loop, world, once=args.once)
        finally:
            live.end_run(engine, book.run_id, ending, now_ms())
        say(f"ended: {ending}")
        show(loop.status(loop.looked_at))
    return 0


def open_account(
    args: argparse.Namespace, settings: Settings, engine: Engine, world: World, wanted: Sequence[PlannedRun]
) -> tuple[Loop, RunBook]:
    """Return the loop of an account as it was left, or of a new one, and its records."""
    stored = live.read_state(engine, args.account).get("session")
    if stored is not None and args.cash is not None:
        raise UsageError(f"--cash is of a new account, {args.account} has begun: name another --account")
    costs = settings.backtest.costs
    risk, portfolio = risk_of(settings, costs), Portfolio(settings.backtest.default_cash)
    gateway = PaperGateway(portfolio.settled, costs, risk.markets)
    session = Session(Executor(portfolio, risk, gateway, costs))
    # Candles that it has not decided on yet come through the feed, not with the warm-up.
    decided = {
        (symbol, timeframe): newest for symbol, timeframe, newest, _ in (stored or {"bars": []})["bars"]
    }
    since = warmed_up(session, wanted, world, decided)
    if stored is not None:
        restore(session, gateway, stored)
    else:
        say(f"account {args.account} begins with {settings.backtest.default_cash:,.2f}")
    run_id = live.start_run(
        engine,
        args.account,
        "paper",
        pid=os.getpid(),
        code_version=code_version(),
        settings={"members": [member._asdict() for member in wanted], "cash": portfolio.deposits},
        now=now_ms(),
    )
    book = RunBook(engine, args.account, run_id, lambda: snapshot(session, gateway))
    feed = Feed(world.read, [Series(world.label, one.symbol, one.timeframe) for one in wanted], since)
    return Loop(world.label, session, feed, book, say), book


def warmed_up(
    session: Session,
    wanted: Sequence[PlannedRun],
    world: World,
    decided: Mapping[tuple[str, str], int],
) -> dict[Series, int]:
    """Add every strategy, with the candles that it decides the next one on; return the newest of each.

    `decided`: the newest bar that the account has seen, by symbol and timeframe. Raises NoDataError when a
    series has too few.
    """
    since: dict[Series, int] = {}
    now = world.now()
    for member in wanted:
        series, step = Series(world.label, member.symbol, member.timeframe), timeframe_ms(member.timeframe)
        strategy = load_strategy(member.strategy)
        deciding = strategy.live({"params": dict(member.params)})
        # Of a new account the newest closed bar is left for the loop, to be decided on if it closed just now.
        known = decided.get((member.symbol, member.timeframe))
        end = now // step * step - step if known is None else known + step
        bars = world.read(series, end - deciding.window * step, end)
        if bars.close.size <= strategy.rule.longest(deciding.params):
            need = strategy.rule.longest(deciding.params) + 1
            raise NoDataError(
                f"{member.strategy} needs {need} closed {series} candles to begin, there are "
                f"{bars.close.size}: load them with scripts/fetch_ohlcv_to_db.py or --refresh-from-ccxt"
            )
        deciding.set_position(member.symbol, FLAT)
        deciding.state[member.symbol]["df"] = frame_from_bars(bars)
        plan = Plan(member.timeframe, strategy.rule.sizing(deciding.params), strategy.rule.is_ladder)
        session.add(member.strategy, member.symbol, plan, LiveDecider(member.symbol, deciding))
        session.portfolio.mark(member.symbol, float(bars.close[-1]))
        since[series] = int(bars.ts[-1])
        say(f"{member.strategy} on {series}: warmed up with {bars.close.size:,} candles")
    return since


def world_of(args: argparse.Namespace, settings: Settings, engine: Engine, opened: ExitStack) -> World:
    """Return where candles come from: the database, the database kept up to date, or the exchange."""
    name = args.exchange or settings.exchange.name
    if args.use_sql and not args.refresh_from_ccxt:
        return World(name, lambda series, start, end: read_bars(engine, series, start=start, end=end), now_ms)
    sandbox = settings.exchange.sandbox and name == settings.exchange.name
    client = opened.enter_context(
        ExchangeClient(name, "", "", sandbox, base_url=settings.exchange.base_url or "", notify=_heard)
    )

    def fetched(series: Series, start: int, end: int) -> Bars:
        pages = list(client.ohlcv_pages(series.symbol, series.timeframe, start, end))
        return concat(pages) if pages else empty_bars()

    def kept(series: Series, start: int, end: int) -> Bars:
        last = last_ts(engine, series)
        since = start if last is None else max(start, last)
        for bars in client.ohlcv_pages(series.symbol, series.timeframe, since, end):
            upsert_bars(engine, series, bars, source=repr(client))
        return read_bars(engine, series, start=start, end=end)

    read = kept if args.refresh_from_ccxt else fetched
    return World(client.label, read, client.exchange_now)


def follow(loop: Loop, world: World, *, once: bool) -> str:
    """Step until a command, a signal or `once` ends it; return why it ended."""
    asked = threading.Event()
    for asking in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asking, lambda *_: asked.set())
    dog = Watchdog(HANGS, lambda: os._exit(HUNG), time.monotonic)
    dog.watch(HANGS / 10)
    try:
        while True:
            _look(loop, world, once=once)
            dog.alive()
            if loop.is_stopped:
                return "told to stop"
            if once:
                return "one look was asked for"
            if asked.wait(POLL):
                return "interrupted"
    finally:
        dog.end()


def _look(loop: Loop, world: World, *, once: bool) -> None:
    """Take one step; an exchange out of reach now may be back later, and its feed is stale until then.

    Raises ExchangeError when there is no later.
    """
    try:
        for step in loop.step(world.now()):
            for event in step.fills:
                fill = event.fill
                say(f"{event.intent.strategy} {fill.side} {fill.amount} {fill.symbol} at {fill.price}")
            say(f"{format_time(step.time)} UTC: equity {step.equity:,.2f}")
    except ExchangeError as error:
        if once:
            raise
        say(f"{error}; going on")


def tell(args: argparse.Namespace, told: str) -> int:
    """Store a command for the loop and wait a little for its answer."""
    engine = _existing(args)
    argument = args.reset_breaker or ""
    origin = f"{getpass.getuser()}@{platform.node()}"[:64]
    command = live.give_command(engine, args.account, told.replace("_", "-"), argument, origin, now_ms())
    until = time.monotonic() + ANSWER
    while (outcome := live.outcome_of(engine, command)) is None and time.monotonic() < until:
        time.sleep(0.05)
    if outcome is None:
        print(f"stored; no loop runs on account {args.account} now: the next one carries it out first")
        return 0
    print(outcome)
    return 1 if outcome.startswith("refused") else 0


def show_status(args: argparse.Namespace) -> int:
    """Print how the newest run of the account stands."""
    run = live.newest_run(_existing(args), args.account)
    if run is None:
        raise NoDataError(f"nothing has run on account {args.account}: start it with run_live.py")
    if args.json:
        document = run._asdict() | {"status": dict(run.status)}
        print(json.dumps(document, indent=2, sort_keys=True))
        return 0
    how = f"ended {format_time(run.ended_at)} UTC: {run.ending}" if run.ended_at else _alive(run.beat_at)
    print(
        f"account {run.account}, run {run.id} ({run.mode}), started {format_time(run.started_at)} UTC, {how}"
    )
    show(run.status)
    return 0


def show(status: Any) -> None:
    """Print how an account stands."""
    if not status:
        print("it has not said anything yet")
        return
    print(f"equity {number(status['equity'])}, cash {number(float(status['cash']))}")
    for held in status["positions"]:
        prices = f"at {number(held['entry_price'])}, now {number(held['price'])}"
        print(
            f"  {held['strategy']} {held['side']} {held['amount']} {held['symbol']} {prices}, "
            f"open profit {number(held['open_profit'])}"
        )
    for order in status["open_orders"]:
        print(f"  waiting: {order['side']} {order['amount']} ({order['key']})")
    for name, why in {**status["breakers"], **status["quarantined"]}.items():
        print(f"  {name}: {why}")
    if status["paused"]:
        print(f"  entries are paused: {status['paused']}")
    for one in status["feeds"]:
        last = "no candle yet" if one["last"] is None else f"newest candle {format_time(one['last'])} UTC"
        print(f"  {one['series']}: {last}{', SILENT' if one['stale'] else ''}")


def say(line: str) -> None:
    """Write a line to the log."""
    print(f"{format_time(now_ms())} {line}", file=sys.stderr, flush=True)


def _heard(notice: Notice) -> None:
    say(notice.text)


def _alive(beat_at: int) -> str:
    age = (now_ms() - beat_at) / 1000
    return f"last sign of life {age:,.0f} s ago"


def _existing(args: argparse.Namespace) -> Engine:
    settings = cli.load_settings(overrides(args))
    try:
        return open_engine(settings.db.url or get_db_url())
    except DatabaseError as error:
        raise DatabaseError(f"{error}; no account has run there") from error
