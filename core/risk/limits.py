"""The limits of an account, and the check of an entry against each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from core.account_values import Snapshot
from core.figures import money
from core.money import decimal_of, minus, percent_of, plus
from core.orders import Intent, RefusalReason
from core.symbols import is_same_money, pair_of


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
    min_notional_currency: str = "USDT"


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
    quote = pair_of(entry.intent.symbol).quote
    counts = limits.min_notional is not None and is_same_money(quote, limits.min_notional_currency)
    own = decimal_of(limits.min_notional or 0.0) if counts else Decimal(0)
    least = max(own, entry.market.min_notional or Decimal(0))
    if entry.notional >= least:
        return None
    return f"{money(entry.notional, quote)} wanted, the smallest is {money(least, quote)}"


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
    if left >= kept:
        return None
    quote = pair_of(entry.intent.symbol).quote
    return f"{money(left, quote)} would be left free, {money(kept, quote)} are to be kept"


def cash(entry: Entry, limits: Limits) -> str | None:  # noqa: ARG001
    """Refuse what free cash cannot pay, costs included."""
    free = entry.account.free_cash
    quote = pair_of(entry.intent.symbol).quote
    if entry.reserve <= free:
        return None
    return f"{money(entry.reserve, quote)} wanted, {money(free, quote)} free"


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
    if wanted <= most:
        return None
    quote = pair_of(entry.intent.symbol).quote
    return f"{money(wanted, quote)} for {whose} wanted with it, allowed are {money(most, quote)}"
