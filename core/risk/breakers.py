"""What an account remembers of its losses: a value that is stored, restored and changed by functions.

A breaker that tripped refuses entries and nothing else. Which ones there are is the table
core.risk.limits.BREAKERS, handed over as `rows`; here is how any row of it works: it measures how far equity
is below a base, trips at a threshold, and stays tripped until it is reset by name or its window ends; or it
looks at closed trades and pauses entries of their strategy for a while (core.risk.pauses). A restart in the
same window finds everything as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from core.account.orders import RefusalReason
from core.figures import money
from core.risk.endings import BreakerEnding, ClosingScope, Release, WaitingRule, ending_of
from core.risk.jumps import FLASH_CRASH
from core.risk.pauses import ActivePause, Closed, Paused, PauseKind, key_of, row_of, told
from core.risk.windows import DAY, UTC_DAY, Window
from core.utils import format_time

MINUTE = 60_000
DAILY_LOSS, DRAWDOWN, RISK_UNKNOWN = "daily_loss", "drawdown", "risk_unknown"
WEEKLY_LOSS, MONTHLY_LOSS = "weekly_loss", "monthly_loss"
RECOVERY = "recovery"
"""The row that trips when a loss has ended: entries are smaller for a while, none is refused."""
NEVER = -1
_NONE: Mapping[str, Any] = {}
_NOTHING_NEW: Mapping[str, int] = {}


class Loss(NamedTuple):
    """What a breaker measures: how far equity is below a base."""

    setting: str
    """Its threshold in the settings' section `risk`: percent of the base, None for no limit."""
    base: str
    """Under which the state keeps the base."""
    kept: Callable[[float, float], float]
    """The base after news of equity: (base before, equity) -> base."""
    window: Window | None
    """With each of which the base begins anew, and the breaker is reset if its ending says so; None: none."""
    like_a_fraction: float
    """The largest threshold that is more likely a fraction than a percentage."""


class Breaker(NamedTuple):
    """One row of the table of breakers."""

    name: str
    reason: RefusalReason
    """What it refuses entries for."""
    loss: Loss | None
    """None: no measure of equity trips it."""
    pause: PauseKind | None = None
    """None: no closed trades trip it."""
    ending: BreakerEnding = BreakerEnding()


Rows = tuple[Breaker, ...]


def first(base: float, equity: float) -> float:  # noqa: ARG001 - all bases are kept alike
    """Return the base as it was: the first equity counts."""
    return base


@dataclass(frozen=True, slots=True)
class Trip:
    """When and why a breaker tripped."""

    time: int
    detail: str
    limit: float | None = None
    """Percent, of a loss: what had been set."""


class RiskState(NamedTuple):
    """All that risk remembers between two orders, and over a restart."""

    time: int = 0
    """Of the newest news, ms UTC, exchange time; never goes back."""
    equity: float = math.nan
    windows: Mapping[str, int] = _NONE
    """Number of the newest window by its name, such as the UTC day, counted from 1970."""
    bases: Mapping[str, float] = _NONE
    """What losses are measured from, by the name of the base; where it is not, the next equity begins it."""
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
    closed: tuple[Closed, ...] = ()
    """Trades that a pause still looks back on, oldest first."""
    ended: int = NEVER
    """When a loss ended that had tripped, by its window or by name, ms UTC; NEVER: none did."""
    jumps: Mapping[str, Paused] = _NONE
    """By symbol that jumped: the newest pause that it began."""
    pauses: Mapping[str, Paused] = _NONE
    """Pauses, by `core.risk.pauses.key_of`; what is over stays until the next trade is closed."""

    def to_dict(self, rows: Rows) -> dict[str, Any]:
        """Return it as plain values that JSON can hold, NaN as None; windows and bases by their names."""
        plain = self._asdict() | {"trips": {name: asdict(trip) for name, trip in self.trips.items()}}
        windows, bases = plain.pop("windows"), plain.pop("bases")
        plain["closed"] = [list(one) for one in self.closed]
        plain["pauses"] = {key: list(one) for key, one in self.pauses.items()}
        plain["jumps"] = {symbol: list(one) for symbol, one in self.jumps.items()}
        for loss in _losses(rows):
            plain[loss.base] = _or_none(bases.get(loss.base, math.nan))
            if loss.window is not None:
                plain[loss.window.name] = windows.get(loss.window.name, -1)
        return {**plain, "equity": _or_none(self.equity), "orders": list(self.orders)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any], rows: Rows) -> RiskState:
        """Return what `to_dict` was made of; a row that is newer than it begins with what comes."""
        rest = dict(plain)
        windows: dict[str, int] = {}
        bases: dict[str, float] = {}
        for loss in _losses(rows):
            if (base := rest.pop(loss.base, None)) is not None:
                bases[loss.base] = base
            if loss.window is not None and (number := rest.pop(loss.window.name, -1)) >= 0:
                windows[loss.window.name] = number
        trips = {name: Trip(**trip) for name, trip in rest.pop("trips").items()}
        closed = tuple(Closed(*one) for one in rest.pop("closed", ()))
        pauses = {key: Paused(*one) for key, one in rest.pop("pauses", {}).items()}
        jumps = {symbol: Paused(*one) for symbol, one in rest.pop("jumps", {}).items()}
        equity, orders = _or_nan(rest.pop("equity")), tuple(rest.pop("orders"))
        kept = cls(equity=equity, windows=windows, bases=bases, trips=trips, orders=orders, **rest)
        return kept._replace(closed=closed, pauses=pauses, jumps=jumps)


def marked(state: RiskState, time: int, equity: float, rows: Rows) -> RiskState:
    """Return the state with news of the account's equity; a window begins once, whatever the clock does."""
    time = max(time, state.time)
    if not math.isfinite(equity):
        return state._replace(time=time, equity=math.nan)
    begun = _begun(state.windows, time, rows)
    bases = _kept(state.bases, equity, begun, rows)
    if state.trips:
        state, bases = _released(state, time, equity, bases, begun, rows)
    if not begun:
        return state._replace(time=time, equity=equity, bases=bases)
    return state._replace(
        time=time,
        equity=equity,
        windows={**state.windows, **begun},
        bases=bases,
        orders=tuple(one for one in state.orders if one > time - MINUTE or one // DAY == time // DAY),
    )


def _released(
    state: RiskState,
    time: int,
    equity: float,
    bases: Mapping[str, float],
    begun: Mapping[str, int],
    rows: Rows,
) -> tuple[RiskState, Mapping[str, float]]:
    """Return the state and the bases without the breakers that windows which began, or time, have ended."""
    over = [row for row in rows if row.name in state.trips and _is_over(row, state, time, begun)]
    if not over:
        return state, bases
    anew = {row.loss.base: equity for row in over if row.loss and row.ending.release is Release.DAY_AFTER}
    names = {row.name for row in over}
    trips = {name: trip for name, trip in state.trips.items() if name not in names}
    return state._replace(trips=trips, ended=time), {**bases, **anew}


def _is_over(row: Breaker, state: RiskState, time: int, begun: Mapping[str, int]) -> bool:
    if row.loss is None:
        return False
    if row.ending.release is Release.DAY_AFTER:
        return time >= state.trips[row.name].time + DAY
    window = row.loss.window
    return row.ending.release is Release.WINDOW and window is not None and window.name in begun


def moved(state: RiskState, by: float) -> RiskState:
    """Return the state of an account to which so much came by no trade of its own: no profit and no loss."""
    bases = {name: base + by for name, base in state.bases.items()}
    return state._replace(equity=state.equity + by, bases=bases)


def judged(state: RiskState, thresholds: Mapping[str, float | None], rows: Rows) -> RiskState:
    """Return the state with the breakers tripped that its equity trips; `thresholds` by their settings."""
    for name, _, loss, *_ in rows:
        limit = None if loss is None else thresholds.get(loss.setting)
        if loss is None or limit is None or name in state.trips:
            continue
        whole = state.bases.get(loss.base, math.nan)
        # Of nothing nothing can be lost.
        if whole != 0 and state.equity <= whole * (1 - limit / 100):
            lost = 100 * (1 - state.equity / whole)
            detail = f"equity {money(state.equity)} is {lost:.2f} % below {money(whole)}"
            state = tripped(state, name, detail, limit)
    return state


def tripped(state: RiskState, name: str, detail: str, limit: float | None = None) -> RiskState:
    """Return the state with a breaker tripped; `limit`: what had been set of its loss, percent."""
    return state._replace(trips={**state.trips, name: Trip(state.time, detail, limit)})


def reset(state: RiskState, name: str, rows: Rows) -> RiskState:
    """Return the state with a breaker reset; what it is measured from begins anew with the newest equity."""
    trips = {other: trip for other, trip in state.trips.items() if other != name}
    pauses = {key: one for key, one in state.pauses.items() if row_of(key) != name}
    begun = {row.loss.base: state.equity for row in rows if row.name == name and row.loss}
    ended = state.time if begun and name in state.trips else NEVER if name == RECOVERY else state.ended
    bases, jumps = {**state.bases, **begun}, {} if name == FLASH_CRASH else state.jumps
    return state._replace(trips=trips, bases=bases, pauses=pauses, ended=ended, jumps=jumps)


def closed(state: RiskState, trade: Closed, active: Sequence[ActivePause]) -> RiskState:
    """Return the state once another trade is closed, with the pauses that it begins; some must be active."""
    memory, pauses = told(state.closed, state.pauses, trade, active)
    return state._replace(closed=memory, pauses=pauses)


def pausing(
    state: RiskState, strategy: str, symbol: str, now: int, rows: Rows
) -> tuple[RefusalReason, str] | None:
    """Return the pause that keeps a strategy from entering a symbol now, the first in the table's order."""
    places = ((strategy, symbol), (strategy, ""), ("", symbol))
    for name, reason, _, pause, _ in rows if state.pauses else ():
        for place in places if pause else ():
            one = state.pauses.get(key_of(name, *place))
            if one is not None and now < one.until:
                return reason, one.detail
    jump = state.jumps.get(symbol)
    return (RefusalReason.FLASH_CRASH, jump.detail) if jump and now < jump.until else None


def standing_at(state: RiskState, now: int, rows: Rows) -> dict[str, str]:
    """Return what is tripped and paused, why, and until when."""
    pauses = {key: one.detail for key, one in state.pauses.items() if now < one.until}
    tripped_rows = ((row, state.trips[row.name]) for row in rows if row.name in state.trips)
    jumps = {
        key_of(FLASH_CRASH, "", symbol): one.detail for symbol, one in state.jumps.items() if now < one.until
    }
    return {row.name: f"{trip.detail}; {_words(row, state)}" for row, trip in tripped_rows} | pauses | jumps


def kept_by_settings(state: RiskState, name: str, settings: Mapping[str, Any], rows: Rows) -> str:
    """Return what has to be changed before a tripped breaker may be reset, blank for nothing."""
    for row in rows:
        trip = state.trips.get(row.name)
        if row.name != name or row.loss is None or trip is None or row.ending.release is not Release.SETTINGS:
            continue
        if settings.get(row.loss.setting) == trip.limit:
            was = "" if trip.limit is None else f", {trip.limit:g} when it tripped"
            wanted = f"change risk.{row.loss.setting}{was}, then --reload and reset it"
            return f"{name} ends by its settings: {wanted}"
    return ""


def with_endings(rows: Rows, settings: Mapping[str, Any]) -> Rows:
    """Return rows that end trading as settings say. Raises UsageError for settings that are none."""
    return tuple(
        row
        if row.loss is None
        else row._replace(
            ending=ending_of(row.name, row.ending, settings, has_window=row.loss.window is not None)
        )
        for row in rows
    )


def withdrawing(names: Iterable[str], rows: Rows) -> str | None:
    """Return the first breaker that tripped and withdraws what waits for a price; None for none."""
    waits = (row.name for row in rows if row.name in names and row.ending.waiting is WaitingRule.WITHDRAW)
    return next(waits, None)


def closed_by(names: Iterable[str], rows: Rows) -> dict[ClosingScope, str]:
    """Return what breakers that tripped close, each with the first that closes it."""
    found: dict[ClosingScope, str] = {}
    for row in rows:
        if row.name in names and row.ending.closes is not ClosingScope.NOTHING:
            found.setdefault(row.ending.closes, row.name)
    return found


def has_begun(state: RiskState) -> bool:
    """Tell whether everything has a base to be measured from."""
    return bool(state.bases) and not any(map(math.isnan, state.bases.values()))


def names_of(rows: Rows) -> tuple[str, ...]:
    """Return what the breakers are called."""
    return tuple(row.name for row in rows)


def _words(row: Breaker, state: RiskState) -> str:
    """Return what a tripped breaker does, and until when."""
    ending, trip = row.ending, state.trips[row.name]
    does = "" if ending.closes is ClosingScope.NOTHING else f"closes {ending.closes} positions, "
    does += "entries that wait for a price stay, " if ending.waiting is WaitingRule.KEEP else ""
    if row.loss is not None and ending.release is Release.SETTINGS:
        return f"{does}no entry until risk.{row.loss.setting} is changed and it is reset"
    if ending.release is Release.DAY_AFTER:
        return f"{does}no entry before {format_time(trip.time + DAY)} UTC"
    if row.loss is None or row.loss.window is None or ending.is_by_name:
        return f"{does}no entry until it is reset"
    window = row.loss.window
    return f"{does}no entry before {format_time(window.begins(window.number(state.time) + 1))} UTC"


def _losses(rows: Rows) -> Iterator[Loss]:
    return (row.loss for row in rows if row.loss is not None)


# Both are run at every bar of a replay: no generators, and no new mapping where nothing is new.
def _begun(windows: Mapping[str, int], time: int, rows: Rows) -> Mapping[str, int]:
    """Return the windows that begin with this time, by name, with their numbers."""
    if time // DAY <= windows.get(UTC_DAY.name, -1):
        # Every window begins with a day.
        return _NOTHING_NEW
    begun = {UTC_DAY.name: time // DAY}
    for _, _, loss, *_ in rows:
        if loss is not None and loss.window is not None:
            name, number_of, _ = loss.window
            number = number_of(time)
            if number > windows.get(name, -1):
                begun[name] = number
    return begun


def _kept(
    bases: Mapping[str, float], equity: float, begun: Mapping[str, int], rows: Rows
) -> Mapping[str, float]:
    """Return what losses are measured from once this equity is known."""
    for _, _, loss, *_ in rows:
        if loss is None:
            continue
        _, name, kept, window, _ = loss
        base = bases.get(name, math.nan)
        is_new = math.isnan(base) or (window is not None and window.name in begun)
        after = equity if is_new else kept(base, equity)
        if after != base:
            bases = {**bases, name: after}
    return bases


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number
