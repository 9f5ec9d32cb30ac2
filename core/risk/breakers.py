"""What an account remembers of its losses: a value that is stored, restored and changed by functions.

A breaker that tripped refuses entries and nothing else. `drawdown` and `risk_unknown` stay tripped until they
are reset by name; `daily_loss` also ends with its UTC day, whose first equity is its baseline. A restart on
the same day finds everything as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from core.figures import money

DAY = 86_400_000
"""Milliseconds; days are UTC and belong to exchange time."""
MINUTE = 60_000
DAILY_LOSS, DRAWDOWN, RISK_UNKNOWN = "daily_loss", "drawdown", "risk_unknown"
BREAKERS = (DAILY_LOSS, DRAWDOWN, RISK_UNKNOWN)
_NONE: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Trip:
    """When and why a breaker tripped."""

    time: int
    detail: str


class RiskState(NamedTuple):
    """All that risk remembers between two orders, and over a restart."""

    time: int = 0
    """Of the newest news, ms UTC, exchange time; never goes back."""
    equity: float = math.nan
    day: int = -1
    """UTC day, counted from 1970."""
    day_equity: float = math.nan
    """The day's first."""
    peak: float = math.nan
    """Highest equity since the start or the last reset of `drawdown`."""
    trips: Mapping[str, Trip] = _NONE
    """Breakers that are tripped, by name."""
    losses: Mapping[str, int] = _NONE
    """When each strategy last lost, ms."""
    orders: tuple[int, ...] = ()
    """When entries of the current day and the last minute were approved, ms, for the order rate."""
    paused: str = ""
    """Why nobody may enter; empty: they may."""
    halted: Mapping[str, str] = _NONE
    """Symbols in which nobody may enter, and why."""
    quarantined: Mapping[str, str] = _NONE
    """Strategies that may not enter, and why."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold, NaN as None."""
        plain = self._asdict() | {"trips": {name: asdict(trip) for name, trip in self.trips.items()}}
        numbers = {name: _or_none(plain[name]) for name in ("equity", "day_equity", "peak")}
        return {**plain, **numbers, "orders": list(self.orders)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> RiskState:
        """Return what `to_dict` was made of."""
        numbers = {name: _or_nan(plain[name]) for name in ("equity", "day_equity", "peak")}
        trips = {name: Trip(**trip) for name, trip in plain["trips"].items()}
        return cls(**{**plain, **numbers, "trips": trips, "orders": tuple(plain["orders"])})


def marked(state: RiskState, time: int, equity: float) -> RiskState:
    """Return the state with news of the account's equity; a UTC day begins once, whatever the clock does."""
    time = max(time, state.time)
    if not math.isfinite(equity):
        return state._replace(time=time, equity=math.nan)
    day, first, trips, orders = state.day, state.day_equity, state.trips, state.orders
    if time // DAY > day:
        day, first = time // DAY, equity
        orders = tuple(order for order in orders if order > time - MINUTE)
        trips = {name: trip for name, trip in trips.items() if name != DAILY_LOSS}
    first = equity if math.isnan(first) else first
    peak = equity if math.isnan(state.peak) else max(state.peak, equity)
    rest = state.losses, orders, state.paused, state.halted, state.quarantined
    return RiskState(time, equity, day, first, peak, trips, *rest)


def moved(state: RiskState, by: float) -> RiskState:
    """Return the state of an account to which so much came by no trade of its own: no profit and no loss."""
    equities = state.equity + by, state.day_equity + by, state.peak + by
    return state._replace(equity=equities[0], day_equity=equities[1], peak=equities[2])


def judged(state: RiskState, daily_loss_pct: float | None, drawdown_pct: float | None) -> RiskState:
    """Return the state with the breakers tripped that its equity trips."""
    for name, whole, limit in (
        (DAILY_LOSS, state.day_equity, daily_loss_pct),
        (DRAWDOWN, state.peak, drawdown_pct),
    ):
        if limit is not None and name not in state.trips and state.equity <= whole * (1 - limit / 100):
            lost = 100 * (1 - state.equity / whole)
            state = tripped(state, name, f"equity {money(state.equity)} is {lost:.2f} % below {money(whole)}")
    return state


def tripped(state: RiskState, name: str, detail: str) -> RiskState:
    """Return the state with a breaker tripped."""
    return state._replace(trips={**state.trips, name: Trip(state.time, detail)})


def reset(state: RiskState, name: str) -> RiskState:
    """Return the state with a breaker reset; what it is measured from begins anew with the next equity."""
    trips = {other: trip for other, trip in state.trips.items() if other != name}
    state = state._replace(trips=trips)
    if name == DAILY_LOSS:
        return state._replace(day_equity=state.equity)
    return state._replace(peak=state.equity) if name == DRAWDOWN else state


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number
