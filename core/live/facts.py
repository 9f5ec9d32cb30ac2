"""Asking for what core.live.preflight looks at: the exchange, the database, this machine."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import Engine

from core.account.messages import OrderNews, OrderRequest, Terms
from core.account.money import NOTHING, affordable, decimal_of, plus, times, to_step
from core.errors import AuthenticationError, ExchangeError, OrderUnknownError, UnsupportedError
from core.exchange.account_facts import UNTOLD
from core.exchange.order_rules import MarketRules
from core.exchange_client import ExchangeClient
from core.live.day_book import HOUR
from core.live.modes import ON_PAPER
from core.live.preflight import ChannelSeen, CheckLine, Colour, Facts, PaperRecord, Tradable
from core.utils import now_ms
from db.base import database_file
from db.live_history import RunSpan, order_names, run_spans, snapshot_times

T = TypeVar("T")
FAR = Decimal("0.9")
"""A test order rests at this part of the price: far enough to stay, near enough to be accepted."""
LATE = 60_000
"""A snapshot bears the exchange's time, and a run this machine's: they may differ by so much, ms."""
MORE = Decimal("1.2")
"""And is so much larger than the smallest: at its own price it must not be too small."""


class Meant(NamedTuple):
    """What is to be traded, and what a person said of it."""

    account: str
    symbols: tuple[str, ...]
    quote: str
    capital: float
    order_cap: float | None
    daily_loss_pct: float | None
    commission: float
    configuration: str
    resting_stops: bool = True
    """Whether stops are to rest at the exchange."""
    is_meant: bool = True
    """Whether real money is meant to be traded: `mode` of live.yaml."""
    confirmed: frozenset[str] = frozenset()
    record_account: str = "paper"
    record_days: int = 14
    without_record: str = ""
    channels: tuple[ChannelSeen, ...] = ()


def facts_of(client: ExchangeClient, engine: Engine | None, wanted: Meant) -> Facts:
    """Return all facts; what cannot be asked for is None, with the reason in `untold`.

    Raises ExchangeError where not even markets can be read.
    """
    about, network, untold = client.facts, client.permission.network, dict[str, str]()
    ahead = _told("clock", lambda: now_ms() - client.exchange_now(ask=True), untold)
    may_ask = client.has_key and bool(client.permission.addresses)
    refused = _refused(client) if may_ask else ""
    may_ask = may_ask and not refused
    facts = Facts(
        exchange=client.name,
        network=network,
        has_key=client.has_key,
        key_refused=refused,
        quote=wanted.quote,
        capital=wanted.capital,
        order_cap=wanted.order_cap,
        daily_loss_pct=wanted.daily_loss_pct,
        commission=wanted.commission,
        is_meant=wanted.is_meant,
        confirmed=wanted.confirmed,
        rights=about.rights() if may_ask else UNTOLD,
        status=about.status(),
        # A local exchange lives in a time of its own.
        ahead_ms=0 if network == "loopback" and ahead is not None else ahead,
        markets={symbol: _market(client, symbol) for symbol in wanted.symbols},
        taker_fee=about.taker_fee(wanted.symbols[0]) if may_ask else None,
        resting_stops=wanted.resting_stops,
        free=_told("balance", lambda: _free(client, wanted.quote), untold) if may_ask else None,
        foreign_orders=_told("orders", lambda: _foreign(client, engine, wanted), untold) if may_ask else None,
        channels=wanted.channels,
        record_days=wanted.record_days,
        without_record=wanted.without_record,
    )
    facts = facts._replace(untold={**about.untold, **untold})
    return facts if engine is None else _here(facts, engine, wanted)


def test_order(client: ExchangeClient, symbol: str) -> CheckLine:
    """Place the smallest resting order far below the price, see it, cancel it, and return how that went."""
    name = uuid.uuid4().hex
    try:
        order = _smallest(client.rules(symbol), client.last_price(symbol), symbol, name)
        client.orders.place(order)
    except OrderUnknownError:
        # It may exist: what follows finds it, or says that it could not.
        pass
    except ExchangeError as error:
        return CheckLine("test order", Colour.RED, str(error), "see what the exchange wants")
    try:
        seen = client.orders.find(symbol, name)
        if seen is None:
            return CheckLine("test order", Colour.RED, f"order {name} was not seen", "look at the exchange")
        client.orders.cancel(symbol, name)
        gone = client.orders.find(symbol, name)
    except ExchangeError as error:
        return CheckLine(
            "test order", Colour.RED, str(error), f"order {name} of {symbol} may be open: cancel it"
        )
    if seen.standing is not OrderNews.OPEN:
        return CheckLine(
            "test order", Colour.RED, f"order {name} did not rest: {seen.standing}", "look at the exchange"
        )
    if gone is None or gone.standing is not OrderNews.CANCELED:
        return CheckLine("test order", Colour.RED, f"order {name} was not cancelled", "cancel it by hand")
    return CheckLine(
        "test order", Colour.GREEN, f"{order.amount:f} {symbol} at {order.terms.price:f}: seen, cancelled"
    )


def _smallest(rules: MarketRules, last: float, symbol: str, name: str) -> OrderRequest:
    price = to_step(times(decimal_of(last), FAR), rules.tick)
    least = to_step(affordable(times(rules.cost.least or NOTHING, MORE), price), rules.lot)
    amount = max(rules.amount.least or NOTHING, plus(least, rules.lot or NOTHING))
    return OrderRequest(name, symbol, "buy", amount, Terms("maker", price))


def _market(client: ExchangeClient, symbol: str) -> Tradable:
    try:
        rules = client.rules(symbol)
        last = decimal_of(client.last_price(symbol))
    except UnsupportedError:
        return Tradable(is_listed=False, least=NOTHING)
    least = max(rules.amount.least or NOTHING, rules.market_amount.least or NOTHING)
    smallest = max(rules.cost.least or NOTHING, times(least, last))
    return Tradable(client.is_open(symbol), smallest, client.orders.stop_rules(symbol) is not None)


def _free(client: ExchangeClient, quote: str) -> Decimal:
    found = client.orders.balances().get(quote)
    return NOTHING if found is None else found.free


def _refused(client: ExchangeClient) -> str:
    """Return why the key is not accepted; blank when it is, or when that cannot be told now."""
    try:
        client.orders.balances()
    except AuthenticationError as error:
        return str(error)
    except ExchangeError:
        return ""
    return ""


def _foreign(client: ExchangeClient, engine: Engine | None, wanted: Meant) -> int:
    own = set() if engine is None else order_names(engine, wanted.account)
    return sum(one.client_order_id not in own for one in client.orders.open())


def _here(facts: Facts, engine: Engine, wanted: Meant) -> Facts:
    """Return the facts with those of this machine and of the paper record."""
    file = database_file(engine)
    spans = [one for one in run_spans(engine, wanted.record_account) if one.mode == ON_PAPER]
    mine = [one for one in spans if one.configuration == wanted.configuration]
    taken = snapshot_times(engine, wanted.record_account)
    record = PaperRecord(watched(taken, mine), tuple(line for one in mine for line in one.differences))
    return facts._replace(
        record=record if spans else None,
        disk_free=None if file is None else shutil.disk_usage(file.parent).free,
        backup_age_ms=None if file is None else _age(file),
    )


def watched(snapshots: Sequence[int], runs: Sequence[RunSpan]) -> int:
    """Return for how long an account was looked at by these runs, ms: an hour for each hour with a snapshot.

    A machine that slept through a day took none, and single looks (`--once`) each hour took them all.
    """
    hours = {
        taken // HOUR
        for taken in snapshots
        if any(run.since - LATE <= taken <= run.until + LATE for run in runs)
    }
    return HOUR * len(hours)


def _age(database: Path) -> int | None:
    """Return how old the newest backup in the usual folder is, ms; None without one."""
    times_made = [one.stat().st_mtime for one in (database.parent / "backups").glob(f"{database.stem}-*.db")]
    return now_ms() - int(1000 * max(times_made)) if times_made else None


def _told(question: str, ask: Callable[[], T], untold: dict[str, str]) -> T | None:
    try:
        return ask()
    except ExchangeError as error:
        untold[question] = str(error)
        return None
