"""Breakers that pause entries for a while, measured by the trades that a strategy closed.

They are rows of core.risk.limits.BREAKERS. What each measures is freqtrade's protection of like meaning
(`CooldownPeriod`, `StoplossGuard`, `LowProfitPairs`, `MaxDrawdown`; its documentation, "Protections"), and
how often a symbol is traded in a day; losses in a row, and what a symbol lost in a day, besides. All are
looked at when a trade is closed, and hold from then until a time. A trade is a lot that was closed, or a part
of one; its profit is a fraction of its entry price, both commissions paid. Trades of one strategy count for
it alone, but where a symbol's loss is that of all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from core.utils import format_time

MINUTE, DAY = 60_000, 86_400_000
EXIT_PAUSE, STOP_GUARD, LOW_PROFIT = "exit_pause", "stop_guard", "low_profit"
RECENT_DRAWDOWN, TRADES_A_DAY = "recent_drawdown", "trades_a_day"
LOSS_STREAK, SYMBOL_LOSS = "loss_streak", "symbol_loss"


class Closed(NamedTuple):
    """A trade as pauses look at it."""

    time: int
    """When it was known, ms UTC: in a backtest the close of the bar it ended in."""
    strategy: str
    symbol: str
    profit: float
    is_stop: bool
    """Whether a stop ended it, moved or not."""
    part: float = 0.0
    """The same profit in money, as a part of the day's first equity."""


class PauseTerms(NamedTuple):
    """What a pause takes, as the settings say it."""

    trades: int
    """So many that count."""
    span: int
    """Milliseconds looked back on."""
    length: int
    """Milliseconds that it lasts, from the newest trade that counts."""
    most: float
    """A fraction: the profit that is wanted, or the largest drawdown."""
    each_symbol: bool
    """Whether a symbol is looked at alone, and alone paused."""
    each_strategy: bool = True
    """The same of a strategy."""


class Paused(NamedTuple):
    """Until when entries are refused, ms UTC, and why."""

    until: int
    detail: str


class PauseKind(NamedTuple):
    """What a row of the table of breakers measures."""

    terms: Callable[[Mapping[str, Any]], PauseTerms | None]
    """From the settings' section `risk`; None where it is off."""
    measure: Callable[[Sequence[Closed], PauseTerms], Paused | None]
    """From the trades in the span, oldest first, the last of them just closed."""


class ActivePause(NamedTuple):
    """A pause that is on."""

    name: str
    measure: Callable[[Sequence[Closed], PauseTerms], Paused | None]
    terms: PauseTerms


Pauses = Mapping[str, Paused]
"""By `key_of`."""


def key_of(name: str, strategy: str, symbol: str) -> str:
    """Return under what a pause is kept; no strategy: it holds for all, no symbol: it holds in all."""
    return name + (f" of {strategy}" if strategy else "") + (f" in {symbol}" if symbol else "")


def row_of(key: str) -> str:
    """Return the name of the row that a key, or a breaker's own name, is of."""
    return key.partition(" ")[0]


def told(
    memory: Sequence[Closed], paused: Pauses, trade: Closed, active: Sequence[ActivePause]
) -> tuple[tuple[Closed, ...], Pauses]:
    """Return the trades to remember and the pauses once another one is closed; what is over is dropped."""
    kept = [one for one in memory if one.time > trade.time - _longest(active)]
    kept.append(trade)
    after = {key: one for key, one in paused.items() if one.until > trade.time}
    for name, measure, terms in active:
        own = [one for one in kept if one.time > trade.time - terms.span]
        if terms.each_strategy:
            own = [one for one in own if one.strategy == trade.strategy]
        if terms.each_symbol:
            own = [one for one in own if one.symbol == trade.symbol]
        pause = measure(own, terms)
        if pause is not None and pause.until > trade.time:
            whose = trade.strategy if terms.each_strategy else ""
            after[key_of(name, whose, trade.symbol if terms.each_symbol else "")] = pause
    return tuple(kept), after


def _longest(active: Sequence[ActivePause]) -> int:
    return max(one.terms.span for one in active)


def exit_pause(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause after each exit."""
    newest = trades[-1]
    return _until(newest.time + terms.length, f"{newest.symbol} was left")


def stop_guard(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause after so many stops that lost; from the newest of them on."""
    stops = [one for one in trades if one.is_stop and one.profit < 0]
    if len(stops) < terms.trades:
        return None
    return _until(stops[-1].time + terms.length, f"{len(stops)} losing stops {_within(terms)}")


def low_profit(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause when so many trades made less than is wanted, their profits added up."""
    made = sum(one.profit for one in trades)
    if len(trades) < terms.trades or made >= terms.most:
        return None
    why = f"{len(trades)} trades {_within(terms)} made {100 * made:.2f} %, wanted are {100 * terms.most:g} %"
    return _until(trades[-1].time + terms.length, why)


def recent_drawdown(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause when the sum of profits fell further than allowed below its highest, which is at least 0."""
    total = highest = deepest = 0.0
    for one in trades:
        total += one.profit
        highest = max(highest, total)
        deepest = max(deepest, highest - total)
    if len(trades) < terms.trades or deepest <= terms.most:
        return None
    fell = f"fell by {100 * deepest:.2f} %, allowed are {100 * terms.most:g} %"
    why = f"{len(trades)} trades {_within(terms)} {fell}"
    return _until(trades[-1].time + terms.length, why)


def trades_a_day(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause until the next UTC day once a symbol was traded so often in this one."""
    day = trades[-1].time // DAY
    today = sum(one.time // DAY == day for one in trades)
    if today < terms.trades:
        return None
    return _until((day + 1) * DAY, f"{today} trades today, allowed are {terms.trades}")


def loss_streak(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause after so many losses one after the other."""
    streak = 0
    for one in trades:
        streak = streak + 1 if one.profit < 0 else 0
    if streak < terms.trades:
        return None
    return _until(trades[-1].time + terms.length, f"{streak} losses one after the other")


def symbol_loss(trades: Sequence[Closed], terms: PauseTerms) -> Paused | None:
    """Pause until the next UTC day once a symbol's trades of this one lost so much of the day's equity."""
    day, made = trades[-1].time // DAY, 0.0
    for one in trades:
        if one.time // DAY == day:
            made += one.part
    if made > -terms.most:
        return None
    why = f"{trades[-1].symbol} lost {-100 * made:.2f} % of the day's first equity"
    return _until((day + 1) * DAY, why)


def exit_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `exit_pause_minutes` says."""
    minutes = settings.get("exit_pause_minutes")
    return PauseTerms(1, MINUTE, _ms(minutes), 0.0, each_symbol=True) if minutes else None


def guard_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `stop_guard_…` says."""
    stops = settings.get("stop_guard_stops")
    return None if stops is None else _terms(settings, STOP_GUARD, stops, 0.0)


def low_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `low_profit_…` says."""
    wanted = settings.get("low_profit_pct")
    return None if wanted is None else _terms(settings, LOW_PROFIT, settings["low_profit_trades"], wanted)


def drawdown_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `recent_drawdown_…` says."""
    most = settings.get("recent_drawdown_pct")
    trades = settings.get("recent_drawdown_trades")
    return None if most is None else _terms(settings, RECENT_DRAWDOWN, trades, most)


def day_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `max_trades_per_symbol_day` says."""
    most = settings.get("max_trades_per_symbol_day")
    return None if most is None else PauseTerms(most, DAY, DAY, 0.0, each_symbol=True)


def streak_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `loss_streak_…` says."""
    losses = settings.get("loss_streak_losses")
    return None if losses is None else _terms(settings, LOSS_STREAK, losses, 0.0)


def symbol_terms(settings: Mapping[str, Any]) -> PauseTerms | None:
    """Return what `max_symbol_loss_pct` says."""
    most = settings.get("max_symbol_loss_pct")
    if most is None:
        return None
    return PauseTerms(1, DAY, DAY, most / 100, each_symbol=True, each_strategy=False)


def _terms(settings: Mapping[str, Any], name: str, trades: Any, percent: float) -> PauseTerms:
    span, length = (_ms(settings[f"{name}_{what}"]) for what in ("minutes", "pause_minutes"))
    return PauseTerms(trades, span, length, percent / 100, settings.get(f"{name}_each_symbol", True))


def _ms(minutes: float) -> int:
    return round(minutes * MINUTE)


def _until(time: int, why: str) -> Paused:
    return Paused(time, f"{why}: no entry before {format_time(time)} UTC")


def _within(terms: PauseTerms) -> str:
    return f"within {terms.span / MINUTE:,g} min"
