"""The limits of an account, the check of an entry against each of them, and the breakers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, NamedTuple

from core.account.messages import StopRules
from core.account.money import (
    NOTHING,
    affordable,
    decimal_of,
    float_below,
    minus,
    percent_of,
    plus,
    to_step,
    total,
)
from core.account.orders import Intent, RefusalReason
from core.account.values import Snapshot
from core.domain import LOT
from core.figures import money
from core.risk import pauses
from core.risk.breakers import (
    DAILY_LOSS,
    DRAWDOWN,
    MONTHLY_LOSS,
    RECOVERY,
    RISK_UNKNOWN,
    WEEKLY_LOSS,
    Breaker,
    Loss,
    first,
    names_of,
)
from core.risk.correlation import Closes, moving_alike
from core.risk.endings import PARTS, BreakerEnding, ClosingScope, Release, setting_of
from core.risk.jumps import FLASH_CRASH
from core.risk.pauses import ActivePause, PauseKind
from core.risk.windows import UTC_DAY, UTC_MONTH, UTC_WEEK
from core.symbols import is_same_money, pair_of


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may risk, besides the daily loss; None for no limit.

    Names and units are those of the settings' section `risk`.
    """

    max_risk_per_trade: float | None = None
    max_drawdown_pct: float | None = None
    max_exposure_pct: float | None = None
    max_symbol_exposure_pct: float | None = None
    max_strategy_exposure_pct: float | None = None
    max_order: float | None = None
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
    exit_pause_minutes: float | None = None
    stop_guard_stops: int | None = None
    stop_guard_minutes: float = 1440.0
    stop_guard_pause_minutes: float = 240.0
    stop_guard_each_symbol: bool = False
    low_profit_pct: float | None = None
    low_profit_trades: int = 2
    low_profit_minutes: float = 1440.0
    low_profit_pause_minutes: float = 240.0
    recent_drawdown_pct: float | None = None
    recent_drawdown_trades: int = 2
    recent_drawdown_minutes: float = 1440.0
    recent_drawdown_pause_minutes: float = 240.0
    recent_drawdown_each_symbol: bool = True
    max_trades_per_symbol_day: int | None = None
    max_weekly_loss_pct: float | None = None
    max_monthly_loss_pct: float | None = None
    loss_streak_losses: int | None = None
    loss_streak_minutes: float = 10_080.0
    loss_streak_pause_minutes: float = 240.0
    loss_streak_each_symbol: bool = False
    max_symbol_loss_pct: float | None = None
    recovery_cut: float | None = None
    recovery_minutes: float = 2_880.0
    max_position_pct: float | None = None
    max_correlated_exposure_pct: float | None = None
    correlated_above: float = 0.7
    flash_crash_ranges: float | None = None
    flash_crash_apart_pct: float | None = None
    flash_crash_pause_minutes: float = 240.0
    daily_loss_closes: str | None = None
    daily_loss_waiting: str | None = None
    daily_loss_ends: str | None = None
    weekly_loss_closes: str | None = None
    weekly_loss_waiting: str | None = None
    weekly_loss_ends: str | None = None
    monthly_loss_closes: str | None = None
    monthly_loss_waiting: str | None = None
    monthly_loss_ends: str | None = None
    drawdown_closes: str | None = None
    drawdown_waiting: str | None = None
    drawdown_ends: str | None = None


class MarketDemands(NamedTuple):
    """What an exchange demands of orders in one symbol; None where it demands nothing."""

    step: Decimal | None = None
    """Amounts are whole multiples of it, base units."""
    min_amount: Decimal | None = None
    min_notional: Decimal | None = None
    """Quote units."""
    is_spot: bool = False
    """Whether only what is owned can be sold, whatever the settings say."""
    stops: StopRules | None = None
    """What it demands of stops that rest there; None where none do."""
    tick: Decimal | None = None
    """Prices are whole multiples of it, quote units."""


ANY_MARKET = MarketDemands()
_LOT = Decimal(LOT)


class Entry(NamedTuple):
    """An entry to be checked, its amount rounded down to the market's step."""

    intent: Intent
    notional: Decimal
    rate: Decimal
    """What a quote unit of it binds, costs included."""
    account: Snapshot
    mark: float
    """Last known price of the symbol."""
    market: MarketDemands = ANY_MARKET
    alike: Decimal = NOTHING
    """Notional of other symbols that move with it, where that is limited."""


Check = Callable[[Entry, Limits], str | None]
"""Returns what is wrong, in one line, or None."""


def short(entry: Entry, limits: Limits) -> str | None:
    """Refuse to sell what is not owned, unless market and settings allow it."""
    if entry.intent.side == "buy" or (limits.allow_short and not entry.market.is_spot):
        return None
    why = "this is a spot market" if limits.allow_short else "risk.allow_short is false"
    return f"a short was wanted, {why}: only what is owned can be sold"


def lot(entry: Entry, limits: Limits) -> str | None:  # noqa: ARG001 - all checks are called alike
    """Refuse an amount of nothing or below the market's smallest."""
    amount, least = entry.intent.amount, entry.market.min_amount
    if amount > 0 and (least is None or amount >= least):
        return None
    return f"{amount:f} after rounding down, the smallest order is {least or entry.market.step or _LOT:f}"


def min_notional(entry: Entry, limits: Limits) -> str | None:
    """Refuse an order smaller than the market or the settings allow."""
    quote = pair_of(entry.intent.symbol).quote
    counts = limits.min_notional is not None and is_same_money(quote, limits.min_notional_currency)
    own = decimal_of(limits.min_notional or 0.0) if counts else NOTHING
    least = max(own, entry.market.min_notional or NOTHING)
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


Room = Callable[[Entry, Limits], Decimal | None]
"""Returns the most notional, in quote units, that a limit leaves for an entry; None without a limit."""


def exposure(entry: Entry, limits: Limits) -> Decimal | None:
    """Return what is left of the notional allowed in all."""
    return _left(limits.max_exposure_pct, entry, entry.account.exposure)


def symbol_exposure(entry: Entry, limits: Limits) -> Decimal | None:
    """Return what is left of the notional allowed in one symbol."""
    held = entry.account.by_symbol.get(entry.intent.symbol, NOTHING)
    return _left(limits.max_symbol_exposure_pct, entry, held)


def strategy_exposure(entry: Entry, limits: Limits) -> Decimal | None:
    """Return what is left of the notional allowed for one strategy."""
    held = entry.account.by_strategy.get(entry.intent.strategy, NOTHING)
    return _left(limits.max_strategy_exposure_pct, entry, held)


def position_size(entry: Entry, limits: Limits) -> Decimal | None:
    """Return what is left of the notional allowed for one strategy in one symbol."""
    held = entry.account.by_position.get((entry.intent.strategy, entry.intent.symbol), NOTHING)
    return _left(limits.max_position_pct, entry, held)


def correlated_exposure(entry: Entry, limits: Limits) -> Decimal | None:
    """Return what is left of the notional allowed in a symbol and all that move with it."""
    held = entry.account.by_symbol.get(entry.intent.symbol, NOTHING)
    return _left(limits.max_correlated_exposure_pct, entry, plus(held, entry.alike))


def alike_in(closes: Closes, limits: Limits, intent: Intent, account: Snapshot, now: int) -> Decimal:
    """Return the notional of other symbols that move with an entry; 0 where that is not limited."""
    if limits.max_correlated_exposure_pct is None:
        return NOTHING
    entry = intent.symbol, 1 if intent.side == "buy" else -1
    some = moving_alike(closes, limits.correlated_above, entry, account.sides, intent.timeframe, now)
    return total(account.by_symbol[name] for name in some)


def order_size(entry: Entry, limits: Limits) -> Decimal | None:  # noqa: ARG001 - all rooms are called alike
    """Return the most notional that one entry may have."""
    return None if limits.max_order is None else decimal_of(limits.max_order)


def reserve(entry: Entry, limits: Limits) -> Decimal | None:
    """Return what free cash pays, costs included, besides what is to be kept of it."""
    if limits.cash_reserve_pct is None:
        return None
    kept = percent_of(limits.cash_reserve_pct, entry.account.equity)
    return affordable(minus(entry.account.free_cash, kept), entry.rate)


def cash(entry: Entry, limits: Limits) -> Decimal | None:  # noqa: ARG001
    """Return what free cash pays, costs included."""
    return affordable(entry.account.free_cash, entry.rate)


CHECKS: tuple[tuple[RefusalReason, Check], ...] = (
    (RefusalReason.SHORT, short),
    (RefusalReason.PRICE_BAND, price_band),
    (RefusalReason.POSITIONS, positions),
)
"""Yes or no, in this order; the first that objects names the reason."""

ROOMS: tuple[tuple[RefusalReason, Room], ...] = (
    (RefusalReason.EXPOSURE, exposure),
    (RefusalReason.SYMBOL_EXPOSURE, symbol_exposure),
    (RefusalReason.STRATEGY_EXPOSURE, strategy_exposure),
    (RefusalReason.POSITION_SIZE, position_size),
    (RefusalReason.CORRELATED_EXPOSURE, correlated_exposure),
    (RefusalReason.ORDER_SIZE, order_size),
    (RefusalReason.RESERVE, reserve),
    (RefusalReason.CASH, cash),
)
"""What cuts an entry to what it allows; the smallest room counts, the first of equal ones."""

SMALLEST: tuple[tuple[RefusalReason, Check], ...] = (
    (RefusalReason.LOT, lot),
    (RefusalReason.MIN_NOTIONAL, min_notional),
)
"""What is left must be as large as this."""

DAY_EQUITY = "day_equity"
"""The base of the day's loss."""
_LOOKING_BACK = (
    *("cool_down", "exit_pause", "stop_guard", "low_profit", "recent_drawdown", "max_trades"),
    *("loss_streak", "max_symbol_loss"),
)

BREAKERS: tuple[Breaker, ...] = (
    Breaker(
        DAILY_LOSS, RefusalReason.DAILY_LOSS, Loss("max_daily_loss_pct", DAY_EQUITY, first, UTC_DAY, 0.4)
    ),
    Breaker(
        WEEKLY_LOSS,
        RefusalReason.WEEKLY_LOSS,
        Loss("max_weekly_loss_pct", "week_equity", first, UTC_WEEK, 0.9),
        ending=BreakerEnding(ClosingScope.DIRECTIONAL),
    ),
    Breaker(
        MONTHLY_LOSS,
        RefusalReason.MONTHLY_LOSS,
        Loss("max_monthly_loss_pct", "month_equity", first, UTC_MONTH, 0.9),
        ending=BreakerEnding(ClosingScope.ALL, release=Release.COMMAND),
    ),
    Breaker(
        DRAWDOWN,
        RefusalReason.DRAWDOWN,
        Loss("max_drawdown_pct", "peak", max, None, 0.9),
        ending=BreakerEnding(release=Release.COMMAND),
    ),
    Breaker(RISK_UNKNOWN, RefusalReason.RISK_UNKNOWN, None),
    Breaker(RECOVERY, RefusalReason.RECOVERY, None),
    Breaker(FLASH_CRASH, RefusalReason.FLASH_CRASH, None),
    *(
        Breaker(name, RefusalReason(name), None, PauseKind(terms, measure))
        for name, terms, measure in (
            (pauses.EXIT_PAUSE, pauses.exit_terms, pauses.exit_pause),
            (pauses.STOP_GUARD, pauses.guard_terms, pauses.stop_guard),
            (pauses.LOW_PROFIT, pauses.low_terms, pauses.low_profit),
            (pauses.RECENT_DRAWDOWN, pauses.drawdown_terms, pauses.recent_drawdown),
            (pauses.TRADES_A_DAY, pauses.day_terms, pauses.trades_a_day),
            (pauses.LOSS_STREAK, pauses.streak_terms, pauses.loss_streak),
            (pauses.SYMBOL_LOSS, pauses.symbol_terms, pauses.symbol_loss),
        )
    ),
)
"""What refuses all entries once it tripped, and what pauses those of a strategy, in this order: what each
measures, how it ends trading unless settings say otherwise, and what resets it."""
PROTECTIONS = tuple(each.name for each in fields(Limits) if each.name.startswith(_LOOKING_BACK))
"""The limits that look at a strategy's closed trades: what a backtest of one strategy can have too."""
BREAKER_NAMES = names_of(BREAKERS)
ENDINGS = tuple(setting_of(row.name, part) for row in BREAKERS if row.loss is not None for part in PARTS)
"""The settings of how breakers end trading."""


def protections_of(limits: Limits) -> dict[str, Any]:
    """Return the limits that look at a strategy's closed trades and are not as usual, by name."""
    usual = asdict(Limits(cool_down_minutes=0.0))
    given = asdict(limits)
    return {name: given[name] for name in PROTECTIONS if given[name] not in (None, usual[name])}


def active_pauses(settings: Mapping[str, Any]) -> tuple[ActivePause, ...]:
    """Return the pauses that settings of the section `risk` turn on."""
    return tuple(
        ActivePause(row.name, row.pause.measure, terms)
        for row in BREAKERS
        if row.pause is not None and (terms := row.pause.terms(settings)) is not None
    )


def cut_of(entry: Entry, limits: Limits) -> tuple[RefusalReason | None, Decimal]:
    """Return the limit that cuts an entry, None for none, and how much they all allow of it, base units."""
    amount, notional, limit = entry.intent.amount, entry.notional, None
    for name, room in ROOMS:
        most = room(entry, limits)
        if most is not None and most < notional:
            notional, limit = most, name
    if limit is None:
        return None, amount
    allowed = affordable(max(notional, NOTHING), entry.intent.price)
    step = entry.market.step
    # Without a step of the market's own a multiple of the lot that a float holds, as sizes are anyway.
    return limit, to_step(allowed, step) if step else float_below(to_step(allowed, _LOT))


def _left(limit_pct: float | None, entry: Entry, held: Decimal) -> Decimal | None:
    return None if limit_pct is None else minus(percent_of(limit_pct, entry.account.equity), held)
