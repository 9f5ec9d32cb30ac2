"""The limits of an account, and the check of an entry against each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from core.account_values import Snapshot
from core.money import decimal_of, minus, percent_of, plus
from core.orders import Intent, RefusalReason


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may risk, besides the risk per trade and the daily loss; None for no limit.

    Names and units are those of the settings' section `risk`.
    """

    max_drawdown_pct: float | None = None
    max_exposure_pct: float | None = None
    max_symbol_exposure_pct: float | None = None
    max_strategy_exposure_pct: float | None = None
    max_positions: int | None = None
    cash_reserve_pct: float | None = None
    cool_down_minutes: float | None = None
    max_orders_per_minute: int | None = None
    max_orders_per_day: int | None = None
    min_notional: float | None = None
    price_band_pct: float | None = None
    allow_short: bool = False
    correlation_cut: float | None = None
    correlation_bars: int = 100


class Market(NamedTuple):
    """What an exchange demands of orders in one symbol; None where it demands nothing."""

    step: Decimal | None = None
    """Amounts are whole multiples of it, base units."""
    min_amount: Decimal | None = None
    min_notional: Decimal | None = None
    """Quote units."""


ANY_MARKET = Market()


class Entry(NamedTuple):
    """An entry to be checked, its amount rounded down to the market's step."""

    intent: Intent
    notional: Decimal
    reserve: Decimal
    """What it binds, costs included, quote units."""
    account: Snapshot
    mark: float
    """Last known price of the symbol."""
    market: Market = ANY_MARKET


Check = Callable[[Entry, Limits], str | None]
"""Returns what is wrong, in one line, or None."""


def short(entry: Entry, limits: Limits) -> str | None:
    """Refuse to sell what is not owned, unless the settings allow it."""
    if entry.intent.side == "buy" or limits.allow_short:
        return None
    return "a short was wanted; on a spot market only what is owned can be sold"


def lot(entry: Entry, limits: Limits) -> str | None:  # noqa: ARG001 - all checks are called alike
    """Refuse an amount of nothing or below the market's smallest."""
    amount, least = entry.intent.amount, entry.market.min_amount
    if amount > 0 and (least is None or amount >= least):
        return None
    return f"{amount:f} wanted after rounding down, the smallest order is {least or entry.market.step}"


def min_notional(entry: Entry, limits: Limits) -> str | None:
    """Refuse an order smaller than the market or the settings allow."""
    own = Decimal(0) if limits.min_notional is None else decimal_of(limits.min_notional)
    least = max(own, entry.market.min_notional or Decimal(0))
    return None if entry.notional >= least else f"{entry.notional:.2f} wanted, the smallest is {least:.2f}"


def price_band(entry: Entry, limits: Limits) -> str | None:
    """Refuse a price too far from the last one."""
    if limits.price_band_pct is None:
        return None
    away = abs(float(entry.intent.price) / entry.mark - 1) * 100
    # Written so that an unknown price, which is NaN, refuses.
    if away <= limits.price_band_pct:
        return None
    return f"{away:.2f} % from the last price {entry.mark}, allowed are {limits.price_band_pct:g} %"


def positions(entry: Entry, limits: Limits) -> str | None:
    """Refuse one position more than allowed; adding to one is none more."""
    most, held = limits.max_positions, entry.account.positions
    if most is None or (entry.intent.strategy, entry.intent.symbol) in held or len(held) < most:
        return None
    return f"{len(held)} positions are open or asked for, allowed are {most}"


def exposure(entry: Entry, limits: Limits) -> str | None:
    """Refuse more notional than allowed in all."""
    return _beyond(entry, entry.account.exposure, limits.max_exposure_pct, "the account")


def symbol_exposure(entry: Entry, limits: Limits) -> str | None:
    """Refuse more notional than allowed in one symbol."""
    symbol = entry.intent.symbol
    held = entry.account.by_symbol.get(symbol, Decimal(0))
    return _beyond(entry, held, limits.max_symbol_exposure_pct, symbol)


def strategy_exposure(entry: Entry, limits: Limits) -> str | None:
    """Refuse more notional than allowed for one strategy."""
    name = entry.intent.strategy
    held = entry.account.by_strategy.get(name, Decimal(0))
    return _beyond(entry, held, limits.max_strategy_exposure_pct, name)


def reserve(entry: Entry, limits: Limits) -> str | None:
    """Refuse an order that would leave less cash free than is to be kept."""
    if limits.cash_reserve_pct is None:
        return None
    kept = percent_of(limits.cash_reserve_pct, entry.account.equity)
    left = minus(entry.account.free_cash, entry.reserve)
    return None if left >= kept else f"{left:.2f} would be left free, {kept:.2f} are to be kept"


def cash(entry: Entry, limits: Limits) -> str | None:  # noqa: ARG001
    """Refuse what free cash cannot pay, costs included."""
    free = entry.account.free_cash
    return None if entry.reserve <= free else f"{entry.reserve:.2f} wanted, {free:.2f} free"


CHECKS: tuple[tuple[RefusalReason, Check], ...] = (
    (RefusalReason.SHORT, short),
    (RefusalReason.LOT, lot),
    (RefusalReason.MIN_NOTIONAL, min_notional),
    (RefusalReason.PRICE_BAND, price_band),
    (RefusalReason.POSITIONS, positions),
    (RefusalReason.EXPOSURE, exposure),
    (RefusalReason.SYMBOL_EXPOSURE, symbol_exposure),
    (RefusalReason.STRATEGY_EXPOSURE, strategy_exposure),
    (RefusalReason.RESERVE, reserve),
    (RefusalReason.CASH, cash),
)
"""In this order; the first that objects names the reason."""


def _beyond(entry: Entry, held: Decimal, limit_pct: float | None, whose: str) -> str | None:
    if limit_pct is None:
        return None
    wanted, most = plus(held, entry.notional), percent_of(limit_pct, entry.account.equity)
    return None if wanted <= most else f"{wanted:.2f} for {whose} wanted with it, allowed are {most:.2f}"
