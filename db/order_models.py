"""The tables of the order path. Times are ms UTC; money is exact decimal text, never a float."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.declared import Base
from db.models import STRICT, Int64, Name

ORDER_STATES = (
    *("new", "sending", "unknown", "open", "partial", "canceling", "cancel_unknown", "needs_operator"),
    *("denied", "rejected", "not_placed", "canceled", "expired", "filled"),
)
NEVER_WAS = "('denied', 'rejected', 'not_placed')"
"""States of an attempt that no order at the exchange came of."""
_LIVE = "state <> 'denied' AND state <> 'rejected' AND state <> 'not_placed'"
KEYED = STRICT | {"sqlite_with_rowid": False}


def _amounts(*names: str, signed: bool = False, zero: bool = False) -> CheckConstraint:
    """Return a check that columns hold plain decimals: SQLite alone takes any text for TEXT."""
    tests = []
    for name in names:
        plain = f"{name} NOT GLOB '*[^0-9.]*'"
        if signed:
            plain = f"{name} NOT GLOB '*[^-0-9.]*' AND {name} NOT GLOB '?*-*'"
        digit = "[0-9]" if zero else "[1-9]"
        tests.append(f"({plain} AND {name} NOT GLOB '*.*.*' AND {name} GLOB '*{digit}*')")
    # PostgreSQL knows neither GLOB nor a need for it: there such a column can be NUMERIC.
    return CheckConstraint(" AND ".join(tests), name="_".join(names)).ddl_if(dialect="sqlite")


def _among(name: str, allowed: tuple[str, ...]) -> CheckConstraint:
    # Not IN, for which SQLite makes a table at each row that it checks.
    return CheckConstraint(" OR ".join(f"{name} = '{value}'" for value in allowed), name=name)


class TradingAccount(Base):
    """An account that orders were sent for, and who may write its books."""

    __tablename__ = "trading_accounts"
    __table_args__ = KEYED

    account: Mapped[str] = mapped_column(Name, primary_key=True)
    instance: Mapped[str] = mapped_column(Name)
    """Part of every client order id: another one would not know the orders of this one."""
    epoch: Mapped[int] = mapped_column(Int64)
    """Raised by every process that takes over; one with an older number writes no more."""
    created_at: Mapped[int] = mapped_column(Int64)


class OrderIntent(Base):
    """What was wanted and approved; at most one executed order comes of it."""

    __tablename__ = "order_intents"
    __table_args__ = (
        _among("side", ("buy", "sell")),
        _amounts("amount", "price"),
        _amounts("share", "reserve", zero=True),
        KEYED,
    )

    account: Mapped[str] = mapped_column(ForeignKey("trading_accounts.account"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    strategy: Mapped[str] = mapped_column(Name)
    symbol: Mapped[str] = mapped_column(Name)
    timeframe: Mapped[str] = mapped_column(Name)
    bar: Mapped[int] = mapped_column(Int64)
    purpose: Mapped[str] = mapped_column(Name)
    leg: Mapped[str] = mapped_column(Name)
    side: Mapped[str] = mapped_column(Name)
    amount: Mapped[str] = mapped_column(Text)
    """Base units."""
    price: Mapped[str] = mapped_column(Text)
    stop: Mapped[str | None] = mapped_column(Text)
    take: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Int64)
    valid_until: Mapped[int] = mapped_column(Int64)
    share: Mapped[str] = mapped_column(Text)
    """Unsigned part of the strategy's allocation that its lot stands for once this is done."""
    reserve: Mapped[str] = mapped_column(Text)
    """Quote units kept until the order is filled or dead."""
    note: Mapped[str | None] = mapped_column(Text)
    """Of an entry: the float that its lot is to remember, in digits that are exactly it."""
    entry_limit: Mapped[str | None] = mapped_column(Text)
    """Of an entry: the price it waits for, at it or better."""
    entry_trigger: Mapped[str | None] = mapped_column(Text)
    """The same, at it or worse."""


class StoredOrder(Base):
    """One attempt to get an intent done: committed before it is sent."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account", "intent_key", "attempt"),
        ForeignKeyConstraint(["account", "intent_key"], ["order_intents.account", "order_intents.key"]),
        _among("state", ORDER_STATES),
        _among("side", ("buy", "sell")),
        _amounts("amount"),
        _amounts("filled", zero=True),
        # The database itself forbids a second order of one intent.
        Index(
            "one_live_attempt",
            "account",
            "intent_key",
            unique=True,
            sqlite_where=text(_LIVE),
            postgresql_where=text(_LIVE),
        ),
        Index(
            None,
            "account",
            "symbol",
            "exchange_id",
            sqlite_where=text("exchange_id IS NOT NULL"),
            postgresql_where=text("exchange_id IS NOT NULL"),
        ),
        KEYED,
    )

    account: Mapped[str] = mapped_column(Name, primary_key=True)
    client_order_id: Mapped[str] = mapped_column(Name, primary_key=True)
    intent_key: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Int64)
    symbol: Mapped[str] = mapped_column(Name)
    side: Mapped[str] = mapped_column(Name)
    kind: Mapped[str] = mapped_column(Name)
    amount: Mapped[str] = mapped_column(Text)
    """Base units; as the exchange rounded it once that is known."""
    price: Mapped[str | None] = mapped_column(Text)
    stop: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Name)
    exchange_id: Mapped[str | None] = mapped_column(Name)
    filled: Mapped[str] = mapped_column(Text)
    """Base units: the sum of its booked fills."""
    due_at: Mapped[int] = mapped_column(Int64)
    """Not sent before this."""
    sent_at: Mapped[int | None] = mapped_column(Int64)
    """Exchange time of the last moment at which it may have left."""
    absences: Mapped[int] = mapped_column(Int64)
    """How often the exchange knew nothing of it although it should by then."""
    cancel_at: Mapped[int | None] = mapped_column(Int64)
    """When somebody wanted it cancelled."""
    reason: Mapped[str] = mapped_column(Text)
    """Why it is what it is, where that needs a word."""
    epoch: Mapped[int] = mapped_column(Int64)


class OrderFill(Base):
    """One execution, booked once."""

    __tablename__ = "fills"
    __table_args__ = (
        _among("side", ("buy", "sell")),
        _amounts("amount", "price"),
        _amounts("fee", signed=True, zero=True),
        KEYED,
    )

    account: Mapped[str] = mapped_column(ForeignKey("trading_accounts.account"), primary_key=True)
    exchange: Mapped[str] = mapped_column(Name, primary_key=True)
    symbol: Mapped[str] = mapped_column(Name, primary_key=True)
    id: Mapped[str] = mapped_column(Name, primary_key=True)
    client_order_id: Mapped[str | None] = mapped_column(Name)
    """None for a trade that no order of this program made."""
    order_id: Mapped[str] = mapped_column(Name)
    side: Mapped[str] = mapped_column(Name)
    amount: Mapped[str] = mapped_column(Text)
    price: Mapped[str] = mapped_column(Text)
    fee: Mapped[str] = mapped_column(Text)
    fee_asset: Mapped[str] = mapped_column(Name)
    time: Mapped[int] = mapped_column(Int64)
    reason: Mapped[str] = mapped_column(Text)
    seq: Mapped[int] = mapped_column(Int64)
    """The journal's entry of it: the order of booking."""


class StoredPosting(Base):
    """One line of the double-entry books; per transaction and asset the amounts add up to zero."""

    __tablename__ = "postings"
    __table_args__ = (_amounts("amount", signed=True), KEYED)

    account: Mapped[str] = mapped_column(ForeignKey("trading_accounts.account"), primary_key=True)
    txn: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    """cash:USDT, pos:BTC/USDT, fee:BTC, market:USDT or adjust:USDT."""
    asset: Mapped[str] = mapped_column(Name, primary_key=True)
    amount: Mapped[str] = mapped_column(Text)


class JournalEntry(Base):
    """What happened to an account's books, in order; each entry's hash covers the one before."""

    __tablename__ = "journal"
    __table_args__ = KEYED

    account: Mapped[str] = mapped_column(ForeignKey("trading_accounts.account"), primary_key=True)
    seq: Mapped[int] = mapped_column(Int64, primary_key=True)
    ts: Mapped[int] = mapped_column(Int64)
    kind: Mapped[str] = mapped_column(Name)
    ref: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Name)


class OrderCursor(Base):
    """How far something was read, and what holds until somebody says otherwise."""

    __tablename__ = "order_cursors"
    __table_args__ = KEYED

    account: Mapped[str] = mapped_column(ForeignKey("trading_accounts.account"), primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[str] = mapped_column(Text)


ORDER_TABLES = (TradingAccount, OrderIntent, StoredOrder, OrderFill, StoredPosting, JournalEntry, OrderCursor)
