"""What has to be in order before real money is traded: each check a line, green, amber or red; red refuses.

The facts are asked for elsewhere (core.live.facts) and are None where nobody tells; what nobody tells is
never green.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from core.exchange.account_facts import UNTOLD, KeyRights
from core.figures import amount, how_many
from core.live.modes import REAL_MONEY

CLOCK_MS = 500
"""The most that this machine's clock may be off."""
DISK = 1_000_000_000
"""Bytes that should be free where the database is."""
BACKUP_AGE = 7 * 86_400_000
"""The oldest that the newest backup should be, ms."""
DAY = 86_400_000


class Colour(StrEnum):
    """How a check came out."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class CheckLine(NamedTuple):
    """One check."""

    name: str
    colour: Colour
    said: str
    """What was seen."""
    remedy: str = ""
    """What to do, blank when there is nothing to."""


class Tradable(NamedTuple):
    """A symbol as the exchange lists it."""

    is_listed: bool
    least: Decimal
    """The smallest entry, quote units."""
    has_stops: bool = False
    """Whether stops can rest there."""


class ChannelSeen(NamedTuple):
    """A way of alerts to a person, as it answered."""

    name: str
    is_critical: bool
    """Whether it is told what is critical."""
    trouble: str = ""
    """Why it was not reached, beginning with its name and host; blank: it was."""


class PaperRecord(NamedTuple):
    """What was done on paper on this configuration."""

    ms: int
    """For so long a loop ran."""
    differences: tuple[str, ...] = ()
    """Where its books differed at the last look of a run."""


class Facts(NamedTuple):
    """All that the checks look at; None where it is not known."""

    exchange: str
    network: str
    """Where signed requests may go: `real money`, `test network`, `loopback`, `none`."""
    has_key: bool
    quote: str
    capital: float
    """The most that is to be used, quote units."""
    order_cap: float | None
    """The largest entry today, quote units; None without one."""
    daily_loss_pct: float | None
    commission: float
    """The rate that backtests count with."""
    is_meant: bool = True
    """Whether a person wrote that real money is meant."""
    confirmed: frozenset[str] = frozenset()
    """What a person has looked at and confirmed: keys of live.yaml."""
    rights: KeyRights = UNTOLD
    status: str | None = None
    ahead_ms: int | None = None
    """How far this machine's clock is ahead of the exchange's."""
    markets: Mapping[str, Tradable] = {}
    taker_fee: Decimal | None = None
    resting_stops: bool = True
    """Whether stops are to rest at the exchange."""
    free: Decimal | None = None
    """Of the quote currency on the account."""
    key_refused: str = ""
    """Why the exchange does not take the key; blank where it does, or was not asked."""
    foreign_orders: int | None = None
    """Open orders that are not this account's own."""
    disk_free: int | None = None
    backup_age_ms: int | None = None
    channels: tuple[ChannelSeen, ...] = ()
    """Where alerts go, whatever their level."""
    record: PaperRecord | None = None
    """None when there is no such paper account."""
    record_days: int = 14
    without_record: str = ""
    """Why a person begins without it."""
    untold: Mapping[str, str] = {}
    """By question: why it was not answered."""

    @property
    def is_real(self) -> bool:
        """Whether money is real here."""
        return self.network == REAL_MONEY


def preflight(facts: Facts) -> list[CheckLine]:
    """Return every check."""
    return [line for check in CHECKS for line in check(facts)]


def refusals(lines: list[CheckLine]) -> list[CheckLine]:
    """Return what forbids to begin."""
    return [line for line in lines if line.colour is Colour.RED]


def _network(f: Facts) -> Iterator[CheckLine]:
    if f.network == "none":
        yield CheckLine(
            "network", Colour.RED, f"{f.exchange}: no permission to sign requests", "see docs/live.md"
        )
    else:
        yield CheckLine("network", Colour.GREEN, f"{f.exchange}: {f.network}")
    if f.is_real and not f.is_meant:
        yield CheckLine(
            "mode", Colour.RED, "config/live.yaml says mode: paper", "write mode: live once you mean it"
        )


def _key(f: Facts) -> Iterator[CheckLine]:
    if not f.has_key:
        yield CheckLine(
            "key", Colour.RED, "there is no key", "put EXCHANGE_API_KEY and EXCHANGE_API_SECRET into .env"
        )
        return
    if f.key_refused:
        yield CheckLine(
            "key", Colour.RED, f.key_refused, "see that key and secret in .env are this exchange's"
        )
        return
    # A balance that was told is what shows it; an exchange that did not answer has accepted nothing yet.
    accepted = "" if f.free is None else ", and it is accepted"
    yield CheckLine("key", Colour.GREEN, f"there is one{accepted}")
    yield from _withdrawal(f)
    yield from _bound(f)
    if f.rights.may_trade is False:
        yield CheckLine(
            "trading", Colour.RED, "the key may not trade", "allow it orders, or make another key"
        )
    elif f.rights.may_trade:
        yield CheckLine("trading", Colour.GREEN, "the key may trade")


def _withdrawal(f: Facts) -> Iterator[CheckLine]:
    may, name = f.rights.may_withdraw, "withdrawals"
    if may:
        yield CheckLine(name, Colour.RED, "the key may withdraw", "take that right from it at the exchange")
    elif may is False:
        yield CheckLine(name, Colour.GREEN, "the key cannot withdraw")
    elif "key_cannot_withdraw" in f.confirmed:
        yield CheckLine(name, Colour.GREEN, "the key cannot withdraw: confirmed by you")
    else:
        confirm = ", then set confirmed.key_cannot_withdraw in live.yaml" if f.is_real else ""
        yield _untold(f, name, "rights", f"look at the exchange{confirm}")


def _bound(f: Facts) -> Iterator[CheckLine]:
    bound, name = f.rights.is_bound, "addresses"
    remedy = "bind it to this machine's address at the exchange"
    if bound:
        yield CheckLine(name, Colour.GREEN, "the key works from named addresses alone")
    elif bound is False:
        yield CheckLine(name, Colour.AMBER, "the key works from anywhere", remedy)
    elif "key_is_bound_to_address" in f.confirmed:
        yield CheckLine(name, Colour.GREEN, "the key works from named addresses alone: confirmed by you")
    else:
        yield CheckLine(
            name,
            Colour.AMBER,
            f"nobody tells whether the key works from anywhere: {f.untold.get('rights', 'not asked')}",
            remedy + (", then set confirmed.key_is_bound_to_address in live.yaml" if f.is_real else ""),
        )


def _status(f: Facts) -> Iterator[CheckLine]:
    if f.status is None:
        why = f.untold.get("status", "not asked")
        yield CheckLine("status", Colour.AMBER, f"the exchange does not say how it stands: {why}")
    elif f.status == "ok":
        yield CheckLine("status", Colour.GREEN, "the exchange says that it works")
    else:
        yield CheckLine("status", Colour.RED, f"the exchange says: {f.status}", "wait until it is over")


def _clock(f: Facts) -> Iterator[CheckLine]:
    if f.ahead_ms is None:
        why = f.untold.get("clock", "not asked")
        yield CheckLine("clock", Colour.RED, f"the exchange's time is not known: {why}", "try again")
        return
    if f.network == "loopback":
        yield CheckLine("clock", Colour.GREEN, "a local exchange has a time of its own")
        return
    said = f"this machine's clock is {f.ahead_ms:+,} ms against the exchange's"
    if abs(f.ahead_ms) > CLOCK_MS:
        yield CheckLine("clock", Colour.AMBER, f"{said}; corrected for", "set it by a time server (NTP)")
    else:
        yield CheckLine("clock", Colour.GREEN, said)


def _markets(f: Facts) -> Iterator[CheckLine]:
    for symbol, market in sorted(f.markets.items()):
        cap = f.capital if f.order_cap is None else min(f.capital, f.order_cap)
        if not market.is_listed:
            yield CheckLine(symbol, Colour.RED, "not open for trading there", "trade another symbol")
        elif float(market.least) > cap:
            said = (
                f"the smallest order is {amount(float(market.least), f.quote)}, "
                f"the largest allowed today {amount(cap, f.quote)}"
            )
            yield CheckLine(
                symbol, Colour.RED, said, "raise caps.max_order or caps.ramp_start_pct in live.yaml"
            )
        else:
            yield CheckLine(
                symbol, Colour.GREEN, f"open; smallest order {amount(float(market.least), f.quote)}"
            )


def _fee(f: Facts) -> Iterator[CheckLine]:
    if f.taker_fee is None:
        yield CheckLine("fees", Colour.AMBER, f"the fee is not told: {f.untold.get('fee', 'not asked')}")
        return
    mine, theirs = 100 * f.commission, 100 * float(f.taker_fee)
    said = f"taking costs {theirs:.4g} %, backtests count {mine:.4g} %"
    if theirs > mine:
        yield CheckLine(
            "fees", Colour.AMBER, said, f"set backtest.commission_pct to {theirs:.4g} and test again"
        )
    else:
        yield CheckLine("fees", Colour.GREEN, said)


def _money(f: Facts) -> Iterator[CheckLine]:
    if f.free is None:
        yield _untold(f, "balance", "balance", "see that the key may read balances")
    elif float(f.free) < f.capital:
        said = f"{amount(float(f.free), f.quote)} are free, {amount(f.capital, f.quote)} are to be used"
        less = "lower caps.capital in live.yaml" if f.is_real else "begin with less by --cash"
        yield CheckLine("balance", Colour.AMBER, said, f"deposit, or {less}")
    else:
        yield CheckLine("balance", Colour.GREEN, f"{amount(float(f.free), f.quote)} are free")
    if f.foreign_orders is None:
        yield _untold(f, "foreign orders", "orders", "see that the key may read orders")
    elif f.foreign_orders:
        said = f"{how_many(f.foreign_orders, 'open order')} on the account are not this program's"
        yield CheckLine("foreign orders", Colour.RED, said, "cancel them, or use an account of its own")
    else:
        yield CheckLine("foreign orders", Colour.GREEN, "none")


def _limits(f: Facts) -> Iterator[CheckLine]:
    if f.daily_loss_pct is None:
        yield CheckLine("breakers", Colour.RED, "no daily loss ends trading", "set risk.max_daily_loss_pct")
    else:
        yield CheckLine("breakers", Colour.GREEN, f"entries end at a loss of {f.daily_loss_pct:g} % in a day")
    if f.order_cap is not None:
        largest = f"no entry today is larger than {amount(f.order_cap, f.quote)}"
        yield CheckLine("order size", Colour.GREEN, largest)
    elif f.is_real:
        yield CheckLine(
            "order size", Colour.RED, "no entry has a largest size", "set caps.max_order in live.yaml"
        )


def _stops(f: Facts) -> Iterator[CheckLine]:
    lacking = [symbol for symbol, market in f.markets.items() if not market.has_stops]
    if f.resting_stops and not lacking:
        said = (
            "they rest at the exchange; what is too small for an order, and takes, hold only while this runs"
        )
        yield CheckLine("stops", Colour.GREEN, said)
        return
    where = f" for {', '.join(lacking)}" if f.resting_stops else ": live.resting_stops is false"
    said = f"stops do not rest at the exchange{where}: they hold only while this program runs and reaches it"
    if not f.is_real or "stops_need_this_program" in f.confirmed:
        yield CheckLine("stops", Colour.AMBER, said)
    else:
        yield CheckLine("stops", Colour.RED, said, "set confirmed.stops_need_this_program if you accept that")


def _machine(f: Facts) -> Iterator[CheckLine]:
    if f.disk_free is not None:
        said = f"{f.disk_free / 1e9:,.1f} GB are free"
        low = f.disk_free < DISK
        yield CheckLine("disk", Colour.RED if low else Colour.GREEN, said, "make room" if low else "")
    old = f.backup_age_ms is None or f.backup_age_ms > BACKUP_AGE
    said = "none" if f.backup_age_ms is None else f"the newest is {f.backup_age_ms / DAY:.1f} days old"
    remedy = "python scripts/backup_database.py" if old else ""
    yield CheckLine("backup", Colour.AMBER if old else Colour.GREEN, said, remedy)


def _alerts(f: Facts) -> Iterator[CheckLine]:
    name, away = "alerts", [one for one in f.channels if one.trouble]
    if away:
        # What only says less than it should can wait; that nobody hears of a halt cannot.
        colour = Colour.RED if any(one.is_critical for one in away) else Colour.AMBER
        remedy = "see to it, or let other channels have its messages (docs/alerts.md)"
        yield CheckLine(name, colour, "; ".join(one.trouble for one in away), remedy)
    elif any(one.is_critical for one in f.channels):
        names = dict.fromkeys(one.name for one in f.channels)
        yield CheckLine(name, Colour.GREEN, f"{', '.join(names)}: reached")
    else:
        yield CheckLine(name, Colour.AMBER, "nobody is told what is critical", "see docs/alerts.md")


def _record(f: Facts) -> Iterator[CheckLine]:
    name, wanted = "paper record", how_many(f.record_days, "day")
    has = 0.0 if f.record is None else f.record.ms / DAY
    said = f"{has:.1f} of {wanted} with these rules, parameters, symbols and limits"
    if f.record is not None and f.record.differences:
        yield CheckLine(
            name, Colour.RED, f"its books differ: {f.record.differences[0]}", "find out why first"
        )
    elif has >= f.record_days:
        yield CheckLine(name, Colour.GREEN, said)
    elif f.without_record:
        yield CheckLine(name, Colour.AMBER, f"{said}; begun without: {f.without_record}")
    else:
        colour = Colour.RED if f.is_real else Colour.AMBER
        without = ", or say why not in paper.without_it in live.yaml" if f.is_real else ""
        yield CheckLine(name, colour, said, f"run on paper first{without}")


def _more(f: Facts) -> str:
    return f"raise {'caps.max_order or caps.ramp_start_pct in live.yaml' if f.is_real else 'risk.max_order'}"


def _untold(f: Facts, name: str, question: str, remedy: str) -> CheckLine:
    """Return the line of what nobody tells: where money is real that forbids to begin."""
    why = f.untold.get(question, "not asked")
    return CheckLine(name, Colour.RED if f.is_real else Colour.AMBER, f"not known: {why}", remedy)


CHECKS: tuple[Callable[[Facts], Iterator[CheckLine]], ...] = (
    *(_network, _key, _status, _clock, _markets, _fee, _money, _limits, _stops, _machine, _alerts, _record),
)
"""All of them, in the order in which a person would look."""
