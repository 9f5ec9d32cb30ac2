"""What run_live.py trades with: the account as it was left, or a new one, and where its candles come from."""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Engine

from core import cli
from core.account.money import NOTHING
from core.backtest.plan import PlannedRun
from core.bookkeeper import KEPT
from core.candles.frames import empty_bars, frame_from_bars
from core.cli.live_output import say
from core.cli.replay_command import risk_of
from core.domain import FLAT, Bars, Series
from core.engine import LiveDecider, Session
from core.errors import ExchangeError, ExchangeUnreachableError, NoDataError, UsageError
from core.exchange.calls import Notice, RetryPolicy
from core.exchange.pages import concat
from core.exchange_client import ExchangeClient
from core.execution import Executor, Plan
from core.figures import amount
from core.live.exchange_desk import ExchangeDesk
from core.live.feed import Feed, Read
from core.live.loop import Loop, limits_of
from core.live.paper_desk import PaperDesk, paper_desk
from core.live.records import RunBook
from core.live.snapshot import restore, snapshot
from core.order_path.alerts import Alert, OnAlert
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.opening import trading
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.order_path.venue import Venue
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.reports.screen import outside_lines
from core.risk.limits import MarketDemands
from core.risk_manager import RiskManager
from core.settings import Settings, environment
from core.utils import as_ms, now_ms, on_grid, timeframe_ms
from core.version import code_version
from db import live
from db.candles import last_ts, read_bars, upsert_bars
from db.init_db import get_db_url
from db.patience import patience_of
from strategies.pairing import Growing, bind
from strategies.registry import load_strategy
from strategies.rule_check import checked_columns

EXCHANGE = "exchange"
"""Under this name the state of an account says whose candles it trades on."""
AGREE = 60.0
"""Seconds in which books and exchange should agree when one look was asked for."""
TIMEOUT = 5.0
"""Seconds that a complete answer of the exchange may take."""
SILENCE = 20.0
"""Seconds of silence that are waited for inside one look: stops and commands wait as long."""
EXCHANGE_POLICY = Policy()
PAPER_POLICY = Policy(settle_ms=0)
"""Nothing is ever on its way to the paper exchange, so nothing is waited for."""


class World(NamedTuple):
    """Where the loop's candles, its time and its prices come from."""

    label: str
    read: Read
    now: Callable[[], int]
    client: ExchangeClient | None = None
    """None where stored candles are all there is."""

    def about(self) -> int:
        """Return about what time it is, ms UTC, while the exchange does not tell."""
        return self.now() if self.client is None else as_ms(self.client.now())

    def price(self, symbol: str) -> float | None:
        """Return the last price of a symbol, None when nobody says."""
        if self.client is None:
            return None
        with suppress(ExchangeError):
            return self.client.last_price(symbol)
        return None


class Opening(NamedTuple):
    """What an account is opened with."""

    args: argparse.Namespace
    settings: Settings
    engine: Engine
    world: World
    wanted: Sequence[PlannedRun]
    opened: ExitStack
    asked: threading.Event
    """Set when the process is to end."""

    @property
    def symbols(self) -> list[str]:
        """Return the symbols that are traded."""
        return sorted({member.symbol for member in self.wanted})


def open_account(given: Opening) -> tuple[Loop, RunBook]:
    """Return the loop of an account as it was left, or of a new one, and its records."""
    args, world = given.args, given.world
    check_exchange(given)
    risk = risk_of(given.settings, given.settings.backtest.costs)
    desk, cash = (_at_exchange if args.orders == "exchange" else _on_paper)(given, risk)
    stored = live.read_state(given.engine, args.account).get("session")
    if stored is not None and args.cash is not None:
        raise UsageError(f"--cash is of a new account, {args.account} has begun: name another --account")
    steps = {symbol: market.step for symbol, market in risk.markets.items() if market.step}
    costs = given.settings.backtest.costs
    session = Session(Executor(Portfolio(cash, steps, costs.commission), risk, desk, costs))
    # Candles that it has not decided on yet come through the feed, not with the warm-up.
    decided = {(symbol, frame): newest for symbol, frame, newest, _ in (stored or {"bars": []})["bars"]}
    since = warmed_up(session, given.wanted, world, decided)
    kept = None if stored is None else restore(session, stored, args.orders)
    if kept is None:
        currency = quote_of(given.wanted)
        say(f"account {args.account} begins with {amount(cash, currency)}")
    if isinstance(desk, PaperDesk):
        desk.open(session, given.symbols, {quote_of(given.wanted): cash}, kept)
    else:
        desk.open(session, kept)
        for line in outside_lines(desk.status()):
            say(line)
    for line in limits_of(session):
        say(line)
    book = _begin_run(given, session, desk)
    live.keep_state(given.engine, args.account, EXCHANGE, world.label, now_ms())
    feed = Feed(world.read, since, since)
    for member in given.wanted:
        series = Series(world.label, member.symbol, member.timeframe)
        if partner := load_strategy(member.strategy).rule.partner:
            feed.wait_for(series, series._replace(symbol=partner(member.symbol)))
    price = None if world.client is None else world.price
    return Loop(world.label, session, feed, book, say, desk, price), book


def check_exchange(given: Opening) -> None:
    """Raise UsageError for an account that began on the candles of another exchange.

    Its positions were entered at that one's prices, which another's candles do not continue.
    """
    account, label = given.args.account, given.world.label
    before = live.read_state(given.engine, account).get(EXCHANGE, label)
    if before != label:
        raise UsageError(
            f"account {account} trades on {before}, not on {label}: name another --account, or begin this "
            f"one anew (scripts/archive_account.py --account {account})"
        )


def _on_paper(given: Opening, risk: RiskManager) -> tuple[PaperDesk, Decimal]:
    """Return the desk of a paper account, and what it began with if it did no more than begin."""
    cash, share = given.settings.backtest.default_cash, given.settings.paper.volume_share
    quote = quote_of(given.wanted)
    if given.world.client is not None:
        take_rules(given.world.client, given.symbols, risk)
    model = PaperFills(cash, given.settings.backtest.costs, risk.markets, share, keep_trades=False)
    desk = paper_desk(lambda exchange: _path(given, exchange, PAPER_POLICY), model)
    desk.at(given.world.now())
    return desk, desk.path.balances().get(quote, Decimal(str(cash)))


def _at_exchange(given: Opening, risk: RiskManager) -> tuple[ExchangeDesk, Decimal]:
    """Return the desk of an account at an exchange once its books agree, and the cash to begin with."""
    client, quote = given.world.client, quote_of(given.wanted)
    if client is None:
        raise UsageError("--orders exchange trades at the exchange: leave --use-sql out or refresh from it")
    take_rules(client, given.symbols, risk)
    risk.markets.update({name: market._replace(is_spot=True) for name, market in risk.markets.items()})
    # A key that is not accepted will not be later either; what else is wrong may be.
    with suppress(ExchangeUnreachableError):
        client.get_balance(quote)
    desk = ExchangeDesk(_path(given, ExchangeVenue(client), EXCHANGE_POLICY), given.world.price)
    agree(desk.path, given)
    desk.at(given.world.now())
    there = desk.path.balances().get(quote, NOTHING)
    cash = there if given.args.cash is None else Decimal(str(given.args.cash))
    if cash > there:
        raise UsageError(f"--cash {cash:f} is more than the {there:f} {quote} at the exchange: give less")
    return desk, cash


def take_rules(client: ExchangeClient, symbols: Sequence[str], risk: RiskManager) -> None:
    """Let the exchange's steps and smallest orders hold for these symbols."""
    for symbol in symbols:
        rules = client.rules(symbol)
        least = max(rules.amount.least or NOTHING, rules.market_amount.least or NOTHING)
        risk.markets[symbol] = MarketDemands(rules.lot, least or None, rules.cost.least)


def _path(given: Opening, gateway: Venue, policy: Policy) -> OrderPath:
    url, account = given.settings.db.url or get_db_url(), given.args.account
    instance = f"{account}-{now_ms():x}"
    opening = trading(
        url,
        account,
        instance,
        gateway,
        now_ms,
        notify=new_lines(),
        policy=policy,
        accept_restore=given.args.accept_restore,
    )
    path = given.opened.enter_context(opening)
    path.journal.patience = patience_of(given.engine.get_execution_options())
    entries, head = path.journal.head()
    say(f"all entries, orders, fills and postings were checked: {entries:,} entries, head {head}")
    return path


def agree(path: OrderPath, given: Opening) -> None:
    """Look until journal and exchange agree, for nothing is sent before.

    Raises KeyboardInterrupt when the process is to end, ExchangeUnreachableError when one look was asked for
    and it lasts.
    """
    said, ends = "", time.monotonic() + AGREE
    while not (found := path.reconcile(given.symbols)).done:
        if found.waiting[0] != said:
            said = found.waiting[0]
            say(f"nothing is traded yet: {said}")
        if given.asked.wait(1.0):
            raise KeyboardInterrupt
        if given.args.once and time.monotonic() > ends:
            raise ExchangeUnreachableError(f"books and exchange did not agree in {AGREE:.0f} s: {said}")
    for text in found.adjusted:
        say(f"the books follow the exchange: {text}")


def client_of(args: argparse.Namespace, settings: Settings, opened: ExitStack) -> ExchangeClient | None:
    """Return the client of the exchange that is traded at; None where stored candles are all that is wanted.

    It has a key only if orders go to the exchange.
    """
    if args.use_sql and not args.refresh_from_ccxt:
        return None
    name = args.exchange or settings.exchange.name
    sandbox = settings.exchange.sandbox and name == settings.exchange.name
    known = environment(cli.ROOT) if args.orders == "exchange" else {}
    keys = known.get("EXCHANGE_API_KEY", ""), known.get("EXCHANGE_API_SECRET", "")
    base = settings.exchange.base_url or ""
    client = ExchangeClient(
        *(name, *keys, sandbox),
        base_url=base,
        notify=_heard,
        timeout=TIMEOUT,
        retries=RetryPolicy(patience=SILENCE),
    )
    return opened.enter_context(client)


def _modules(wanted: Sequence[PlannedRun]) -> tuple[str, ...]:
    """Return the modules that an account's numbers are made in."""
    rules = {name for member in wanted for name in load_strategy(member.strategy).modules}
    return "core.live.loop", "core.live.paper_desk", "core.live.exchange_desk", *sorted(rules)


def _begin_run(given: Opening, session: Session, desk: PaperDesk | ExchangeDesk) -> RunBook:
    args, cash = given.args, session.portfolio.deposits
    run_id = live.start_run(
        given.engine,
        args.account,
        "paper" if args.orders == "paper" else "live",
        pid=os.getpid(),
        code_version=code_version(_modules(given.wanted)),
        settings={"members": [member._asdict() for member in given.wanted], "cash": cash},
        now=now_ms(),
    )

    def kept() -> dict[str, object]:
        return snapshot(session, desk.applied, args.orders, desk.claims)

    return RunBook(given.engine, args.account, run_id, kept, now_ms)


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
        partner = Growing(KEPT)
        strategy = bind(load_strategy(member.strategy), partner)
        deciding = strategy.live({"params": dict(member.params)})
        # Of a new account the newest closed bar is left for the loop, to be decided on if it closed just now.
        known = decided.get((member.symbol, member.timeframe))
        end = on_grid(now, step) - step if known is None else known + step
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
        session.risk.remember(member.symbol, member.timeframe, bars)
        since[series] = int(bars.ts[-1])
        if strategy.rule.partner is not None:
            other = series._replace(symbol=strategy.rule.partner(member.symbol))
            newest = max(end, decided.get((other.symbol, other.timeframe), 0) + step)
            seen = world.read(other, end - deciding.window * step, newest)
            since.setdefault(other, _follow(session, partner, other, seen))
        checked_columns(strategy.rule, bars, deciding.params)
        say(f"{member.strategy} on {series}: warmed up with {bars.close.size:,} candles")
    return since


def _follow(session: Session, partner: Growing, series: Series, seen: Bars) -> int:
    """Let a partner grow from the candles seen of it; return the newest. Raises NoDataError without any."""
    if not seen.ts.size:
        raise NoDataError(f"a strategy looks at {series} too, which has no candles: load them first")
    for ts, close in zip(seen.ts.tolist(), seen.close.tolist(), strict=True):
        partner.take(ts, close)
    session.follow(series.symbol, series.timeframe, partner.take)
    return int(seen.ts[-1])


def world_of(
    args: argparse.Namespace, settings: Settings, engine: Engine, client: ExchangeClient | None
) -> World:
    """Return where candles come from: the database, the database kept up to date, or the exchange."""
    if client is None:
        name = args.exchange or settings.exchange.name
        return World(name, lambda series, start, end: read_bars(engine, series, start=start, end=end), now_ms)

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
    return World(client.label, read, client.exchange_now, client)


def _heard(notice: Notice) -> None:
    say(notice.text)


def new_lines() -> OnAlert:
    """Return what says events of the order path, but none twice in a row."""
    before = [""]

    def told(event: Alert) -> None:
        if event.text != before[0]:
            before[0] = event.text
            say(event.text)

    return told
