"""What run_live.py trades with: the account as it was left, or a new one, and where its candles come from."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Engine

from core.backtest_plan import PlannedRun
from core.bars import empty_bars, frame_from_bars
from core.domain import FLAT, Bars, Series
from core.errors import NoDataError, UsageError
from core.exchange.calls import Notice
from core.exchange.pages import concat
from core.exchange_client import ExchangeClient
from core.execution import Executor, Plan
from core.live.desk import Event, Policy
from core.live.feed import Feed, Read
from core.live.loop import Loop
from core.live.opening import trading
from core.live.order_path import OrderPath
from core.live.paper_desk import PaperDesk, paper_desk
from core.live.paper_exchange import PaperExchange
from core.live.run_book import RunBook
from core.live.snapshot import Restored, restore, snapshot
from core.paper_gateway import PaperGateway
from core.portfolio import Portfolio
from core.session import LiveDecider, Session
from core.settings import Settings
from core.utils import format_time, now_ms, timeframe_ms
from core.version import code_version
from db import live
from db.candles import last_ts, read_bars, upsert_bars
from db.init_db import get_db_url
from scripts.replay_command import risk_of
from strategies.registry import load_strategy

PAPER_POLICY = Policy(settle_ms=0)
"""Nothing is ever on its way to the paper exchange, so nothing is waited for."""


class World(NamedTuple):
    """Where the loop's candles and its time come from."""

    label: str
    read: Read
    now: Callable[[], int]


def open_account(
    args: argparse.Namespace,
    settings: Settings,
    engine: Engine,
    world: World,
    wanted: Sequence[PlannedRun],
    opened: ExitStack,
) -> tuple[Loop, RunBook]:
    """Return the loop of an account as it was left, or of a new one, and its records."""
    costs, quote = settings.backtest.costs, quote_of(wanted)
    risk = risk_of(settings, costs)
    model = PaperGateway(settings.backtest.default_cash, costs, risk.markets, keep_trades=False)

    def make_path(exchange: PaperExchange) -> OrderPath:
        instance = f"{args.account}-{now_ms():x}"
        given = settings.db.url or get_db_url(), args.account, instance, exchange, now_ms
        return opened.enter_context(trading(*given, notify=_told, policy=PAPER_POLICY))

    desk = paper_desk(make_path, model)
    stored = live.read_state(engine, args.account).get("session")
    if stored is not None and args.cash is not None:
        raise UsageError(f"--cash is of a new account, {args.account} has begun: name another --account")
    # Of an account that ended before its first step the journal alone knows what it began with.
    cash = desk.path.balances().get(quote, Decimal(str(settings.backtest.default_cash)))
    session = Session(Executor(Portfolio(cash, commission=costs.commission), risk, desk, costs))
    # Candles that it has not decided on yet come through the feed, not with the warm-up.
    decided = {
        (symbol, timeframe): newest for symbol, timeframe, newest, _ in (stored or {"bars": []})["bars"]
    }
    since = warmed_up(session, wanted, world, decided)
    kept = None if stored is None else restore(session, stored)
    if kept is None:
        say(f"account {args.account} begins with {cash:,.2f}")
    take_up(desk, session, world, {quote: cash}, kept)
    book = begin_run(args, engine, wanted, session, desk)
    feed = Feed(world.read, [Series(world.label, one.symbol, one.timeframe) for one in wanted], since)
    return Loop(world.label, session, feed, book, say, desk), book


def take_up(
    desk: PaperDesk, session: Session, world: World, opening: Mapping[str, Decimal], kept: Restored | None
) -> None:
    """Bring journal, paper exchange and session to one state."""
    desk.at(world.now())
    desk.open(session, dict.fromkeys(slot.symbol for slot in session.slots), opening, kept)


def begin_run(
    args: argparse.Namespace, engine: Engine, wanted: Sequence[PlannedRun], session: Session, desk: PaperDesk
) -> RunBook:
    """Store that a run begins; return its records."""
    run_id = live.start_run(
        engine,
        args.account,
        "paper",
        pid=os.getpid(),
        code_version=code_version(),
        settings={"members": [member._asdict() for member in wanted], "cash": session.portfolio.deposits},
        now=now_ms(),
    )
    return RunBook(engine, args.account, run_id, lambda: snapshot(session, desk.applied))


def quote_of(wanted: Sequence[PlannedRun]) -> str:
    """Return the currency that an account counts in. Raises UsageError for several."""
    quotes = sorted({member.symbol.partition("/")[2] for member in wanted})
    if len(quotes) != 1:
        raise UsageError(
            f"one account counts in one currency, these symbols are priced in {', '.join(quotes) or 'none'}: "
            "trade each currency on its own --account"
        )
    return quotes[0]


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
        plan = Plan(
            member.timeframe, strategy.rule.sizing(deciding.params, deciding.choices), strategy.rule.is_ladder
        )
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


def say(line: str) -> None:
    """Write a line to the log."""
    print(f"{format_time(now_ms())} {line}", file=sys.stderr, flush=True)


def _heard(notice: Notice) -> None:
    say(notice.text)


def _told(event: Event) -> None:
    say(event.text)
