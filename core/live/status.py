"""How an account stands: one frozen value for every reader, and its way to JSON and back.

The loop makes one (core.live.status_of), shows it and stores it as the document that `to_document` returns;
`run_live.py --status` reads it back by `from_document`. A document has the fields' own names, and amounts of
money as plain digits. A field that is new needs a default, so that older documents stay readable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from core.risk.use import LimitUse

VERSION = 1
"""Of what is written as JSON (docs/status.schema.json): raised when a field goes or changes its meaning."""
_NONE: Mapping[str, Any] = {}
_PLAIN = frozenset({str, int, float, bool, NoneType})
"""What JSON holds as it is: most of a status."""


class PositionStatus(NamedTuple):
    """What a strategy holds of a symbol; prices are None where they are not known, or not set."""

    strategy: str
    symbol: str
    side: str
    """long or short."""
    amount: Decimal
    """Base units, positive."""
    entry_price: float | None
    price: float | None
    """The last one known."""
    stop: float | None
    take: float | None
    open_profit: float | None
    """Quote units, at that price."""


class WaitingStatus(NamedTuple):
    """What was approved and is not done."""

    key: str
    side: str
    amount: Decimal


class FeedStatus(NamedTuple):
    """How old the newest bar of a series is."""

    series: str
    last: int | None
    """Its open time, ms UTC; None before the first."""
    behind_ms: int
    """Time since a newer bar should have been there; 0 when it is not due yet."""
    stale: bool
    """Whether nobody may enter because of it."""


class Standing(NamedTuple):
    """Something that keeps orders back."""

    kind: str
    """halt: nothing is entered; hold: nothing in a symbol; exits: refused again and again; flatten: what
    a person wants closed; difference."""
    ref: str
    """The symbol, if it is about one."""
    why: str
    ends: str
    """The command that ends it, options of run_live.py; blank where it ends by itself."""

    def told(self, start: str) -> str:
        """Return it as a line for a person; `start`: how a command begins that reaches its database."""
        about = f"{self.kind} {self.ref}".rstrip()
        return f"{about}: {self.why}" + (f": {start} {self.ends}" if self.ends else "")


class JournalOrder(NamedTuple):
    """An order that can still change, as the journal has it."""

    key: str
    """Of its intent."""
    state: str
    filled: Decimal


class Outside(NamedTuple):
    """Some of an asset that is on the exchange's account and not in this one."""

    asset: str
    amount: Decimal
    """Negative when the exchange has less than the account counts on."""
    value: float | None
    """In the account's currency; None when the asset's price is not known."""


class StopStatus(NamedTuple):
    """Where the stop of a position is."""

    strategy: str
    symbol: str
    where: str
    """exchange: it rests there and holds without this program; program: it does not."""
    why: str
    """Why it does not rest, or what is to be known of the one that does; blank for nothing."""
    order: str
    """The exchange's id of the order that rests; blank for none."""
    trigger: Decimal | None
    """The price that it waits for."""
    limit: Decimal | None
    """The lowest price that it sells at; None: at the market."""
    amount: Decimal
    """Base units that it sells."""


class WorkStatus(NamedTuple):
    """An order that an algorithm executes."""

    key: str
    """Of what is wanted."""
    algorithm: str
    """limit_chase, split or twap; market where it was begun by another and goes on at the market."""
    filled: Decimal
    """Base units executed …"""
    amount: Decimal
    """… of this many."""
    orders: int
    """So many were placed for it."""
    resting: str
    """What rests now, blank for nothing."""


class DeskStatus(NamedTuple):
    """How the orders stand: the journal, and the books against the exchange."""

    journal: int
    """Entries in it …"""
    fills: int
    """… and so many of its fills told to the account."""
    disagreements: tuple[str, ...]
    """Where account, journal and exchange differ, a line each."""
    head: str = ""
    """Hash of the journal's newest entry."""
    standing: tuple[Standing, ...] = ()
    """All that keeps orders back until a person says otherwise."""
    orders: tuple[JournalOrder, ...] = ()
    foreign_orders: tuple[str, ...] | None = None
    """Open orders of somebody else, a line each; None on paper, where there is nobody else."""
    outside: tuple[Outside, ...] | None = None
    """None on paper."""
    stops: tuple[StopStatus, ...] | None = None
    """Of each position that has one; None on paper, where none rests."""
    agreed_at: int | None = None
    """When books and exchange were last compared and found to agree, ms UTC; None on paper."""
    algorithms: Mapping[str, str] = _NONE
    """By strategy: how its orders are executed, where that is not at the market."""
    works: tuple[WorkStatus, ...] | None = None
    """Orders that algorithms execute now; None in documents of before they were told."""


class StreamChannelStatus(NamedTuple):
    """How one stream stands."""

    name: str
    """A symbol and its timeframe, or `orders`."""
    last: int | None
    """When its newest data came, ms UTC, the exchange's; None before the first. Heartbeats do not count."""
    refused: str = ""
    """Why the venue does not offer it, blank while it may."""


class StreamStatus(NamedTuple):
    """How the streams stand, which only say when to ask by REST."""

    mode: str
    """connecting, on, REST (they fail, and questions alone bring news) or off."""
    why: str
    """Why it is REST or off."""
    dials: int
    """Connections begun since the loop began."""
    gaps: int
    """Times that something may have been missed, and REST was asked for it."""
    differences: int
    """Candles and executions of which stream and REST said different things; REST counts."""
    dropped: int
    """Candles of the stream that came faster than the loop took them."""
    channels: tuple[StreamChannelStatus, ...] = ()


class AccountStatus(NamedTuple):
    """How an account stands at one time."""

    time: int
    """ms UTC, the exchange's."""
    equity: float | None
    """Open profit included; None while a price is missing."""
    cash: Decimal
    positions: tuple[PositionStatus, ...]
    open_orders: tuple[WaitingStatus, ...]
    breakers: Mapping[str, str]
    """Those that are tripped, by name, and why."""
    paused: str
    """Why nobody may enter, blank: they may."""
    quarantined: Mapping[str, str]
    """Strategies that failed and may not enter, and why."""
    feeds: tuple[FeedStatus, ...]
    currency: str = ""
    """What the account counts in."""
    reserved: Decimal = Decimal(0)
    """Cash kept for orders."""
    limits: tuple[str, ...] = ()
    """What the limits mean for the strategies, a line each."""
    cuts: Mapping[str, int] = _NONE
    """Entries that limits have cut since the loop began, by strategy and limit."""
    uses: tuple[LimitUse, ...] = ()
    """What is used of each limit that is set; nothing while equity is not known."""
    desk: DeskStatus | None = None
    """None in documents of before it was stored."""
    streams: StreamStatus | None = None
    """None where there are none."""


def to_document(status: AccountStatus) -> dict[str, Any]:
    """Return a status as values that JSON holds."""
    return _plain(status)  # type: ignore[no-any-return]


def from_document(document: Mapping[str, Any]) -> AccountStatus:
    """Return the status that a document was made of. Raises ValueError, in a line, for what is none.

    What it says beside is of a newer program and is left out.
    """
    return _read(AccountStatus, document, "the status")  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, tuple):
        defaults = getattr(value, "_field_defaults", None)
        if defaults is None:
            return [_plain(one) for one in value]
        # None by default says that there is no such thing on this account.
        return {
            name: _plain(one)
            for name, one in zip(value._fields, value, strict=True)  # type: ignore[attr-defined]
            if one is not None or defaults.get(name, 0) is not None
        }
    return dict(value) if isinstance(value, Mapping) else value


def _read(kind: Any, plain: Any, where: str) -> Any:
    if get_origin(kind) in (Union, UnionType):
        if plain is None:
            return None
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], one, f"{where}, {n + 1}") for n, one in _list(plain, where))
    if get_origin(kind) is Mapping:
        return {name: _read(get_args(kind)[1], one, f"{where}, {name}") for name, one in _named(plain, where)}
    if hasattr(kind, "_fields"):
        return _record(kind, dict(_named(plain, where)), where)
    return _single(kind, plain, where)


def _record(kind: Any, given: Mapping[str, Any], where: str) -> Any:
    missing = [name for name in kind._fields if name not in given and name not in kind._field_defaults]
    if missing:
        raise ValueError(f"{where} says nothing of {missing[0]}")
    hints = _hints(kind)
    known = {name: given[name] for name in kind._fields if name in given}
    return kind(**{name: _read(hints[name], one, f"{where}, {name}") for name, one in known.items()})


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _single(kind: Any, plain: Any, where: str) -> Any:
    if kind is Decimal:
        found: Any = _amount(plain)
    elif kind is float:
        found = float(plain) if type(plain) in (int, float) and math.isfinite(plain) else None
    else:
        found = plain if type(plain) is kind else None
    if found is not None:
        return found
    wanted = {
        Decimal: "an amount as text",
        float: "a number",
        int: "a whole number",
        str: "text",
        bool: "yes or no",
    }
    raise ValueError(f"{where} is {str(plain)[:40]!r}, which is not {wanted[kind]}")


def _amount(plain: Any) -> Decimal | None:
    try:
        found = Decimal(plain) if isinstance(plain, str) else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _list(plain: Any, where: str) -> enumerate[Any]:
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        raise ValueError(f"{where} is {str(plain)[:40]!r}, which is not a list")
    return enumerate(plain)


def _named(plain: Any, where: str) -> Any:
    if not isinstance(plain, Mapping):
        raise ValueError(f"{where} is {str(plain)[:40]!r}, which has no names")
    return plain.items()
