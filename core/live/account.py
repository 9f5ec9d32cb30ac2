"""An account as it was left, or a new one: its desk, its session, its records and the loop that runs them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Engine

from core.account.money import NOTHING, percent_of
from core.backtest.partners import looked_at
from core.backtest.plan import PlannedRun
from core.domain import Series
from core.engine import Session
from core.errors import ExchangeUnreachableError, UsageError
from core.exchange_client import ExchangeClient
from core.execution import Executor
from core.execution_algos.values import OrderGrid
from core.figures import amount, exact, how_many
from core.live.configuration import configuration_of
from core.live.day_book import DayBook
from core.live.exchange_desk import ExchangeDesk
from core.live.feed import Feed
from core.live.loop import Loop
from core.live.losses import LossWatch
from core.live.modes import AT_EXCHANGE, mode_of
from core.live.paper_desk import PaperDesk, paper_desk
from core.live.real_money import refuse_real_money
from core.live.records import OnKept, RunBook, untold
from core.live.snapshot import Restored, check_venue, restore, snapshot
from core.live.standing import USUAL, command, database_of
from core.live.terms import AccountTerms
from core.live.warming import warmed_up
from core.live.world import World
from core.order_path.alerts import Alert, OnAlert, nobody
from core.order_path.exchange_venue import ExchangeVenue
from core.order_path.opening import trading
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.order_path.protecting import StopTerms
from core.order_path.venue import Venue
from core.order_path.working import MACHINE, WorkTerms
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import ANY_MARKET, MarketDemands
from core.risk_manager import RiskManager
from core.utils import now_ms
from core.version import code_version
from db import live
from db.patience import patience_of
from strategies.registry import load_strategy

EXCHANGE = "exchange"
"""Under this name the state of an account says whose candles it trades on."""
AGREE = 60.0
"""Seconds in which books and exchange should agree when one look was asked for."""
LATE = 20.0
"""Seconds after which a person is told that they do not agree yet."""
EXCHANGE_POLICY = Policy()
PAPER_POLICY = Policy(settle_ms=0)
"""Nothing is ever on its way to the paper exchange, so nothing is waited for."""


NOT_YET = "nothing is traded yet"
ON_PAPER_BY_BOOK = "{} on paper fills by what the exchange's public book offers, not as a backtest does"
ON_PAPER_AT_OPEN = "without an exchange that shows a book, {} is not run: orders fill at the bar's open"
TAKING_OVER = "a new account: what the exchange holds is being taken over into its books, which are empty"


class Opening(NamedTuple):
    """What an account is opened with: its terms, and what is open already."""

    terms: AccountTerms
    engine: Engine
    world: World
    opened: ExitStack
    """Closes what the account opens."""
    asked: threading.Event
    """Set when the process is to end."""
    say: Callable[[str], object]
    """Takes lines that a person should read."""
    alert: OnAlert = nobody
    """Takes what a person who does not look should know."""
    on_kept: OnKept = untold
    """Takes each step once it is kept."""


class DeskOpening(NamedTuple):
    """A desk, what its account began with, and what lets it take a session up."""

    desk: PaperDesk | ExchangeDesk
    cash: Decimal
    take_up: Callable[[Session, Restored | None], object]


def open_account(given: Opening) -> tuple[Loop, RunBook]:
    """Return the loop of an account as it was left, or of a new one, and its records."""
    terms, world = given.terms, given.world
    check_exchange(given)
    stored = live.read_state(given.engine, terms.name).get("session")
    if stored is not None:
        # Before anything is asked of an exchange, or taken over from one.
        check_venue(stored, terms.orders)
    risk = terms.risk.manager(terms.costs)
    desk, cash, take_up = (_at_exchange if terms.orders == AT_EXCHANGE else _on_paper)(given, risk)
    desk.start = command(USUAL, db_url=terms.typed_url, once=terms.once, orders=terms.typed_orders)
    if stored is not None and terms.is_cash_named:
        raise UsageError(f"--cash is of a new account, {terms.name} has begun: name another --account")
    steps = {symbol: market.step for symbol, market in risk.markets.items() if market.step}
    session = Session(Executor(Portfolio(cash, steps, terms.costs.commission), risk, desk, terms.costs))
    # Candles that it has not decided on yet come through the feed, not with the warm-up.
    decided = {(symbol, frame): newest for symbol, frame, newest, _ in (stored or {"bars": []})["bars"]}
    been = 0 if stored is None else stored["risk"]["time"]
    since = warmed_up(session, terms.members, world, decided, given.say, been)
    look = command(terms.name, db_url=terms.typed_url, once=True, orders=terms.typed_orders)
    kept = None if stored is None else restore(session, stored, terms.orders, look)
    if kept is None:
        given.say(f"account {terms.name} begins with {amount(cash, terms.quote)}")
    take_up(session, kept)
    book = _begin_run(given, session, desk)
    live.keep_state(given.engine, terms.name, EXCHANGE, world.label, now_ms())
    feed = _feed(given, since)
    price = None if world.client is None else world.price
    loop = Loop(world.label, session, feed, book, given.say, desk, price)
    loop.losses = LossWatch(session, round(1000 * terms.losses_every_seconds))
    return loop, book


def _feed(given: Opening, since: dict[Series, int]) -> Feed:
    """Return what brings the members' candles; one that looks at other series waits for their bars."""
    feed = Feed(given.world.read, since, since, given.terms.partner_wait_ms)
    feed.wait_for(waits_of(given.terms.members, given.world.label))
    return feed


def waits_of(members: Iterable[PlannedRun], label: str) -> dict[Series, set[Series]]:
    """Return the series whose bars each member's own wait for."""
    found: dict[Series, set[Series]] = {}
    for member in members:
        series = Series(label, member.symbol, member.timeframe)
        others = looked_at(load_strategy(member.strategy).rule, series, member.universe)
        if others.each:
            found.setdefault(series, set()).update(others.each)
    return found


def check_exchange(given: Opening) -> None:
    """Raise UsageError for an account that began on the candles of another exchange.

    Its positions were entered at that one's prices, which another's candles do not continue.
    """
    account, label = given.terms.name, given.world.label
    before = live.read_state(given.engine, account).get(EXCHANGE, label)
    if before != label:
        # The local exchange's candles have the exchange's name and an ending of their own.
        local = {before, label} == {one := min(before, label), f"{one}-synthetic"}
        is_lost = before.startswith(f"{label}-")
        what = "is not set" if is_lost else "is set"
        likely = (
            f"most likely the local exchange's address, EXCHANGE_BASE_URL, {what} in this terminal; else "
            if local
            else ""
        )
        named = database_of(given.terms.typed_url)
        archive = f"scripts/archive_account.py --account {account} {named}".rstrip()
        raise UsageError(
            f"account {account} trades on {before}, not on {label}: {likely}name another --account, or begin "
            f"this one anew ({archive})"
        )


def _on_paper(given: Opening, risk: RiskManager) -> DeskOpening:
    """Return the desk of a paper account, and what it began with if it did no more than begin."""
    terms, quote = given.terms, given.terms.quote
    if given.world.client is not None:
        take_rules(given.world.client, terms.symbols, risk)
    for name, algorithm in terms.algorithms.items():
        given.say(f"{name}: {ON_PAPER_BY_BOOK if given.world.client else ON_PAPER_AT_OPEN}".format(algorithm))
    model = PaperFills(terms.cash, terms.costs, risk.markets, terms.volume_share, keep_trades=False)
    works = None if given.world.client is None else _works(given, risk)
    desk = paper_desk(lambda exchange: _path(given, exchange, PAPER_POLICY), model, works)
    desk.at(given.world.now())
    cash = desk.path.balances().get(quote, Decimal(str(terms.cash)))

    def take_up(session: Session, kept: Restored | None) -> None:
        desk.open(session, terms.symbols, {quote: cash}, kept)

    return DeskOpening(desk, cash, take_up)


def _at_exchange(given: Opening, risk: RiskManager) -> DeskOpening:
    """Return the desk of an account at an exchange once its books agree, and the cash to begin with."""
    terms, quote, client = given.terms, given.terms.quote, given.world.client
    if client is None:
        raise UsageError("--orders exchange trades at the exchange: leave --use-sql out or refresh from it")
    refuse_real_money(terms.orders, client, is_meant=terms.is_real)
    take_rules(client, terms.symbols, risk, is_traded=True)
    # A key that is not accepted will not be later either; what else is wrong may be.
    with suppress(ExchangeUnreachableError):
        client.get_balance(quote)
    path = _path(given, ExchangeVenue(client), _policy(risk))
    desk = ExchangeDesk(path, given.world.price, _stops(terms, risk), _works(given, risk))
    agree(desk.path, given, is_new="session" not in live.read_state(given.engine, terms.name))
    desk.at(given.world.now())
    there = desk.path.balances().get(quote, NOTHING)
    cash = Decimal(str(terms.cash)) if terms.is_cash_named else there
    if cash > there:
        raise UsageError(
            f"--cash {exact(cash)} is more than the {exact(there)} {quote} at the exchange: give less"
        )
    return DeskOpening(desk, cash, desk.open)


def _policy(risk: RiskManager) -> Policy:
    """Return how often stops that rest are looked at, by what their venue demands of all symbols alike."""
    stops = next((market.stops for market in risk.markets.values() if market.stops is not None), None)
    if stops is None:
        return EXCHANGE_POLICY
    return replace(EXCHANGE_POLICY, resting_ms=stops.look_ms, list_from=stops.list_from)


def _stops(terms: AccountTerms, risk: RiskManager) -> StopTerms | None:
    """Return how stops rest at the exchange, None where they are not to."""
    if not terms.resting_stops:
        return None
    patience = round(terms.stop_patience_seconds * 1000)
    gap = percent_of(terms.stop_limit_gap_pct, 1.0)
    return StopTerms(lambda symbol: risk.markets.get(symbol, ANY_MARKET).stops, gap, patience)


def _works(given: Opening, risk: RiskManager) -> WorkTerms:
    """Return how the orders of each strategy are executed."""
    machines = given.terms.machines

    def grid(symbol: str) -> OrderGrid:
        market = risk.markets.get(symbol, ANY_MARKET)
        return OrderGrid(market.tick, market.step, market.min_amount, market.min_notional)

    return WorkTerms(
        lambda strategy: machines.get(strategy, MACHINE), grid, given.world.book, given.terms.algorithms
    )


def take_rules(
    client: ExchangeClient, symbols: Sequence[str], risk: RiskManager, *, is_traded: bool = False
) -> None:
    """Let the exchange's steps and smallest orders hold for these symbols.

    `is_traded`: orders go there, so that only what is owned can be sold, and stops can rest.
    """
    for symbol in symbols:
        rules = client.rules(symbol)
        least = max(rules.amount.least or NOTHING, rules.market_amount.least or NOTHING)
        stops = client.orders.stop_rules(symbol) if is_traded else None
        risk.markets[symbol] = MarketDemands(
            rules.lot, least or None, rules.cost.least, is_traded, stops, rules.tick
        )


def _path(given: Opening, venue: Venue, policy: Policy) -> OrderPath:
    terms = given.terms
    opening = trading(
        terms.db_url,
        terms.name,
        f"{terms.name}-{now_ms():x}",
        venue,
        now_ms,
        notify=new_lines(given.say, given.alert),
        policy=policy,
        accept_restore=terms.accept_restore,
        start=command(terms.name, db_url=terms.typed_url, once=terms.once, orders=terms.typed_orders),
    )
    path = given.opened.enter_context(opening)
    path.journal.patience = patience_of(given.engine.get_execution_options())
    entries, head = path.journal.head()
    newest = f", head {head}" if entries else ""
    many = how_many(entries, "entry", "entries")
    given.say(f"all entries, orders, fills and postings were checked: {many}{newest}")
    return path


def agree(path: OrderPath, given: Opening, *, is_new: bool = False) -> None:
    """Look until journal and exchange agree, for nothing is sent before.

    The books of an account that `is_new` begin empty, and differ until they have taken over what is there.
    Raises KeyboardInterrupt when the process is to end, ExchangeUnreachableError when one look was asked for
    and it lasts.
    """
    said, began, is_told = "", time.monotonic(), False
    while not (found := path.reconcile(given.terms.symbols)).done:
        if found.waiting[0] != said:
            said = found.waiting[0]
            given.say(f"{TAKING_OVER if is_new else NOT_YET}: {said}")
        # A new account's books take a moment to follow the exchange.
        if not is_told and time.monotonic() - began > LATE:
            is_told = True
            given.alert(Alert("exchange", "", f"{NOT_YET}: {said}"))
        if given.asked.wait(1.0):
            raise KeyboardInterrupt
        if given.terms.once and time.monotonic() - began > AGREE:
            raise ExchangeUnreachableError(f"books and exchange did not agree in {AGREE:.0f} s: {said}")
    for text in found.adjusted:
        given.say(f"the books follow the exchange: {text}")


def _modules(terms: AccountTerms) -> tuple[str, ...]:
    """Return the modules that an account's numbers are made in."""
    rules = {name for member in terms.members for name in load_strategy(member.strategy).modules}
    return "core.live.loop", "core.live.paper_desk", "core.live.exchange_desk", *sorted(rules)


def _begin_run(given: Opening, session: Session, desk: PaperDesk | ExchangeDesk) -> RunBook:
    terms, cash = given.terms, session.portfolio.deposits
    run_id = live.start_run(
        given.engine,
        terms.name,
        mode_of(terms.orders, client.permission.network if (client := given.world.client) else ""),
        pid=os.getpid(),
        code_version=code_version(_modules(terms)),
        settings=_settings(terms, cash),
        now=now_ms(),
    )

    def kept() -> dict[str, object]:
        return snapshot(session, desk.applied, terms.orders, desk.claims)

    days = DayBook(given.engine, terms.name, given.world.label)
    return RunBook(given.engine, terms.name, run_id, kept, now_ms, days, given.on_kept)


def _settings(terms: AccountTerms, cash: Decimal) -> dict[str, object]:
    """Return what a run began with, without secrets, as it is stored."""
    members = [member._asdict() for member in terms.members]
    return {"members": members, "cash": cash, "configuration": configuration_of(terms)} | (
        {"confirmed": terms.confirmed} if terms.confirmed else {}
    )


def new_lines(say: Callable[[str], object], alert: OnAlert = nobody) -> OnAlert:
    """Return what says events of the order path and hands them on, but none twice in a row."""
    before = [""]

    def told(event: Alert) -> None:
        if event.text != before[0]:
            before[0] = event.text
            say(event.text)
            alert(event)

    return told
