"""What is wanted of an account, what risk says to it, and what came of it: values that paper and live share.

    Intent ──RiskManager──> Approved ──Executor──> order at a venue ──> Fill ──> Portfolio
                       └──> Refused (stored and counted, never raised)

All amounts are exact: base units and quote units as Decimal; times are ms UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, get_args

Kind = Literal["market", "limit", "maker", "stop", "stop_limit", "take_limit"]
"""`maker` rests or is refused; `stop`, `stop_limit` and `take_limit` wait for their stop price."""
Side = Literal["buy", "sell"]
KINDS: Mapping[str, Kind] = MappingProxyType({kind: kind for kind in get_args(Kind)})
"""Each by its stored word."""
RESTING_STOPS: frozenset[str] = frozenset({"stop", "stop_limit"})
"""Kinds that protect a position while they rest."""
RESTING_KINDS: frozenset[str] = RESTING_STOPS | {"maker"}
"""Kinds that rest, or never are."""
SIDES: Mapping[str, Side] = MappingProxyType({side: side for side in get_args(Side)})


PART: Final = "~"
"""Behind it in a leg stands the number of one of the orders that an intent is executed by."""


def whole_leg(leg: str) -> str:
    """Return the leg of the intent that an order belongs to."""
    return leg.partition(PART)[0]


def whole_key(key: str) -> str:
    """Return the key of the intent that an order with this key belongs to: its own where it is no part."""
    decision, leg, purpose = key.rsplit("|", 2)
    return f"{decision}|{whole_leg(leg)}|{purpose}"


class Purpose(StrEnum):
    """What an order is for. All but ENTRY make a position smaller, and no breaker holds them up."""

    ENTRY = "entry"
    EXIT = "exit"
    """The rule's own exit, in whole or in part."""
    STOP = "stop"
    TAKE = "take"
    FLATTEN = "flatten"
    """A person's command."""


class RefusalReason(StrEnum):
    """Why a wanted order was not sent."""

    BRACKET = "bracket"
    """Stop and take do not enclose the price, or are not positive."""
    LOT = "lot"
    """The size rounds down to nothing."""
    CASH = "cash"
    LOTS = "lots"
    """As many lots as an account keeps are held or asked for already."""
    MIN_NOTIONAL = "min_notional"
    PRICE_BAND = "price_band"
    SHORT = "short"
    """The market is spot: what is not owned cannot be sold."""
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    EXPOSURE = "exposure"
    SYMBOL_EXPOSURE = "symbol_exposure"
    STRATEGY_EXPOSURE = "strategy_exposure"
    POSITIONS = "positions"
    """As many positions as allowed are open or asked for."""
    RESERVE = "reserve"
    """The cash reserve would be touched."""
    COOL_DOWN = "cool_down"
    ORDER_RATE = "order_rate"
    PAUSED = "paused"
    STALE = "stale"
    """The candles or prices are too old to enter on."""
    EXPIRED = "expired"
    """The decision is older than its validity."""
    WITHDRAWN = "withdrawn"
    """A newer signal takes back what waits for the next open, or for its price."""
    QUARANTINED = "quarantined"
    """The strategy failed and is not trusted to enter."""
    EXCHANGE = "exchange"
    """The exchange refused it."""
    RISK_UNKNOWN = "risk_unknown"
    """Equity is not a number."""
    ORDER_SIZE = "order_size"
    EXIT_PAUSE = "exit_pause"
    """The strategy left the symbol a short while ago; this and what follows are core.risk.pauses."""
    STOP_GUARD = "stop_guard"
    LOW_PROFIT = "low_profit"
    RECENT_DRAWDOWN = "recent_drawdown"
    TRADES_A_DAY = "trades_a_day"
    LOSS_STREAK = "loss_streak"
    SYMBOL_LOSS = "symbol_loss"
    WEEKLY_LOSS = "weekly_loss"
    MONTHLY_LOSS = "monthly_loss"
    RECOVERY = "recovery"
    """No reason to refuse: entries are smaller for a while."""
    POSITION_SIZE = "position_size"
    FLASH_CRASH = "flash_crash"
    CORRELATED_EXPOSURE = "correlated_exposure"
    """What moves alike is limited together."""
    REGIME = "regime"
    """What the market's regime allows of its size rounds down to nothing."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing that a strategy wants done; at most one executed order ever comes of it."""

    strategy: str
    symbol: str
    timeframe: str
    bar: int
    """Open time of the bar that was decided on."""
    purpose: Purpose
    leg: str
    """Which of several on one bar: `main`, `rung-3`, `lot-1700000000000-0`."""
    side: Side
    amount: Decimal
    """Base units, positive."""
    price: Decimal
    """The close that was decided on, quote units; of an entry at a price that."""
    reason: str
    created_at: int
    valid_until: int
    """After this an order that was not sent is not sent any more."""
    stop: Decimal | None = None
    take: Decimal | None = None
    share: float = 1.0
    """Unsigned part of the strategy's allocation that its lot stands for once this is done."""
    bound: str = ""
    """Of an entry: what kept its size from being larger, such as risk or exposure."""
    note: float | None = None
    """Of an entry: the number that its lot is to remember."""
    limit: Decimal | None = None
    """Of an entry: the price it waits for, at it or better; None at the open."""
    trigger: Decimal | None = None
    """Of an entry: the price it waits for, at it or worse; None at the open."""

    @property
    def key(self) -> str:
        """What makes it this intent: the same decision seen twice has the same key."""
        decision = f"{self.strategy}|{self.symbol}|{self.timeframe}|{self.bar}"
        return f"{decision}|{self.leg}|{self.purpose.value}"

    @property
    def is_priced(self) -> bool:
        """Whether it waits for a price."""
        return self.limit is not None or self.trigger is not None

    @property
    def is_part(self) -> bool:
        """Whether it is one of the orders that another intent is executed by."""
        return PART in self.leg

    def part(self, number: int) -> Intent:
        """Return the intent of one of the orders that it is executed by; numbers sort as text."""
        return replace(self, leg=f"{self.leg}{PART}{number:03}")

    def whole(self) -> Intent:
        """Return what it is a part of, with the part's own amount; itself where it is none."""
        return replace(self, leg=whole_leg(self.leg)) if self.is_part else self

    def timed(self, created_at: int, valid_until: int) -> Intent:
        """Return it with other times."""
        # Not `replace`, which takes four times as long.
        return Intent(
            *(self.strategy, self.symbol, self.timeframe, self.bar, self.purpose, self.leg, self.side),
            *(self.amount, self.price, self.reason, created_at, valid_until),
            *(self.stop, self.take, self.share, self.bound, self.note),
            *(self.limit, self.trigger),
        )


class Cut(NamedTuple):
    """What a limit of the account did to an entry that it did not allow whole."""

    limit: RefusalReason
    wanted: Decimal
    """Base units, before; the intent has what is left."""


@dataclass(frozen=True, slots=True)
class Approved:
    """An intent that may be sent. Only core.risk_manager makes one for an entry."""

    intent: Intent
    reserve: Decimal = Decimal(0)
    """Quote units kept for it from now until it is filled or dead; 0 for what makes a position smaller."""
    cut: Cut | None = None
    """None: it is allowed as it was wanted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An intent that may not be sent, and why."""

    intent: Intent
    reason: RefusalReason
    detail: str
    """One line: what was wanted, what is allowed."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution, a fact: booked once, by (exchange, symbol, id)."""

    exchange: str
    symbol: str
    id: str
    client_order_id: str
    side: Side
    amount: Decimal
    """Base units, positive."""
    price: Decimal
    fee: Decimal
    """In units of `fee_asset`."""
    fee_asset: str
    time: int
    reason: str = ""
    """Why, where the venue knows: stop, take, trail, end; else the intent's."""

    def of(self, client_order_id: str) -> Fill:
        """Return it as the fill of this order."""
        # Not `replace`, which takes four times as long.
        return Fill(
            *(self.exchange, self.symbol, self.id, client_order_id, self.side, self.amount, self.price),
            *(self.fee, self.fee_asset, self.time, self.reason),
        )


@dataclass(frozen=True, slots=True)
class Executed:
    """A fill and what it was wanted for."""

    intent: Intent
    fill: Fill
    is_done: bool = True
    """Whether nothing more can come of the order, so that what is reserved for it is free again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What others on the account took of what it counts on: no profit and no loss of any strategy."""

    strategy: str
    """Whose claim it was; blank for the account's own cash."""
    symbol: str
    amount: Decimal
    """Base units of the position that are gone; of cash, quote units."""
    proceeds: Decimal
    """Quote units that came to cash for them."""
    cause: str
    """foreign: sold by others; withdrawal, convert, dust, or adjust: nobody knows."""
    seq: int = 0
    """Number of the journal's entry that says so, 0 where it follows from the others."""


News = Executed | Refused | Taken
"""What comes back of an account's orders, and of what others do on it."""


@dataclass(frozen=True, slots=True)
class Protection:
    """New stop, take and note of every lot that a strategy holds of a symbol; None for none."""

    strategy: str
    symbol: str
    stop: Decimal | None
    take: Decimal | None
    note: float | None = None
    """What each remembers from now on."""
