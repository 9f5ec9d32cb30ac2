"""How much of each limit is used, each in the limit's own unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from core.account.money import total
from core.account.values import Snapshot
from core.figures import money
from core.risk.breakers import MINUTE, RiskState
from core.risk.correlation import NewestCloses, moving_alike
from core.risk.limits import BREAKERS, Limits
from core.risk.windows import DAY
from core.utils import on_grid, timeframe_ms


class LimitUse(NamedTuple):
    """What is used of one limit."""

    limit: str
    """Its name in the settings' section `risk`."""
    used: float
    """Percent of equity or of what a loss is measured from, positions or orders."""
    most: float
    about: str = ""
    """Whose it is where a limit is of each symbol or strategy: the one that uses most; of a loss what it is
    measured from, since a reset begins that anew."""


def uses(
    limits: Limits,
    settings: Mapping[str, float | None],
    state: RiskState,
    account: Snapshot,
    now: int,
    closes: NewestCloses,
) -> tuple[LimitUse, ...]:
    """Return what is used of every limit that is set; nothing while equity is not above 0 or not known.

    `settings` has the breakers' thresholds by their names; `now` is ms UTC.
    """
    if not account.equity > 0:
        return ()
    rows = (
        *_losses(settings, state),
        *_exposures(limits, account),
        *_together(limits, account, now, closes),
        *_orders(limits, state, now),
    )
    return tuple(LimitUse(name, used, most, about) for name, used, most, about in rows if most is not None)


_Row = tuple[str, float, float | None, str]


def _losses(settings: Mapping[str, float | None], state: RiskState) -> Iterator[_Row]:
    for loss in (row.loss for row in BREAKERS if row.loss is not None):
        base = state.bases.get(loss.base, math.nan)
        lost = 100 * (1 - state.equity / base) if base > 0 and math.isfinite(state.equity) else 0.0
        about = f"measured from {money(base)}" if math.isfinite(base) else ""
        yield loss.setting, max(0.0, lost), settings.get(loss.setting), about


def _exposures(limits: Limits, account: Snapshot) -> Iterator[_Row]:
    equity = account.equity
    yield "max_exposure_pct", 100 * float(account.exposure) / equity, limits.max_exposure_pct, ""
    for name, most, by in (
        ("max_symbol_exposure_pct", limits.max_symbol_exposure_pct, account.by_symbol),
        ("max_strategy_exposure_pct", limits.max_strategy_exposure_pct, account.by_strategy),
    ):
        about, notional = max(by.items(), key=lambda one: one[1], default=("", Decimal(0)))
        yield name, 100 * float(notional) / equity, most, about
    held = {f"{strategy} {symbol}": one for (strategy, symbol), one in account.by_position.items()}
    about, notional = max(held.items(), key=lambda one: one[1], default=("", Decimal(0)))
    yield "max_position_pct", 100 * float(notional) / equity, limits.max_position_pct, about
    yield "max_positions", float(len(account.positions)), limits.max_positions, ""
    reserve = limits.cash_reserve_pct
    bound = 100 - 100 * float(account.free_cash) / equity
    yield "cash_reserve_pct", bound, None if reserve is None else 100 - reserve, ""


def _together(limits: Limits, account: Snapshot, now: int, closes: NewestCloses) -> Iterator[_Row]:
    """Yield the most that is held of a symbol and of what moves with it."""
    most = limits.max_correlated_exposure_pct
    if most is None:
        return
    sums = {"": Decimal(0)}
    for symbol, side in account.sides.items():
        frame = closes.frame(symbol)
        if side and frame is not None:
            newest = on_grid(now, timeframe_ms(frame))
            given = limits.correlated_above, (symbol, side), account.sides, frame, newest
            both = [symbol, *moving_alike(closes, *given)]
            sums[symbol] = total(account.by_symbol[name] for name in both)
    about, notional = max(sums.items(), key=lambda one: one[1])
    yield "max_correlated_exposure_pct", 100 * float(notional) / account.equity, most, about


def _orders(limits: Limits, state: RiskState, now: int) -> Iterator[_Row]:
    recent, today = orders_of(state, now)
    yield "max_orders_per_minute", float(recent), limits.max_orders_per_minute, ""
    yield "max_orders_per_day", float(today), limits.max_orders_per_day, ""


def orders_of(state: RiskState, now: int) -> tuple[int, int]:
    """Return how many entries were approved in the last minute, and on this UTC day."""
    recent = sum(time > now - MINUTE for time in state.orders)
    return recent, sum(time // DAY == now // DAY for time in state.orders)
