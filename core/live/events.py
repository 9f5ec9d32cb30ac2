"""What a step of the loop brought, as plain records: one line on a terminal, one line of JSON in the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from core.account.lots import Trade
from core.account.orders import Executed, Purpose, Refused, Taken
from core.engine import Step
from core.execution import Outcome
from core.figures import amount, exact, price
from core.symbols import pair_of

Event = dict[str, Any]
"""`event` says what happened and `time` when (ms UTC); the rest is JSON's own types, amounts as text."""


_NONE: Mapping[str, str] = MappingProxyType({})


def events_of(
    step: Step, failed: Mapping[str, str] = _NONE, algorithms: Mapping[str, str] = _NONE
) -> Iterator[Event]:
    """Yield what a step brought, in the order it happened: fills, closed trades, orders, trouble, equity.

    `failed`: why strategies failed, by name; `algorithms`: what executes their entries and exits, where it is
    not the market.
    """
    for executed in step.fills:
        yield _fill(executed)
    for trade in step.trades:
        yield _trade(trade)
    for taken in step.taken:
        yield _taken(taken, step.time)
    for outcome in step.outcomes:
        yield _order(outcome, step.time, algorithms)
    for bar in step.late:
        yield {"event": "late", "time": step.time, "symbol": bar.symbol, "bar": bar.ts}
    for name in step.quarantined:
        yield {"event": "quarantined", "time": step.time, "strategy": name, "detail": failed.get(name, "")}
    for name, trip in step.tripped:
        yield {"event": "breaker", "time": step.time, "name": name, "detail": trip.detail}
    if step.bars:
        currency = pair_of(step.bars[0].symbol).quote
        yield {"event": "equity", "time": step.time, "equity": step.equity, "currency": currency}


def text_of(event: Event) -> str:
    """Return an event as a line for a person."""
    return _TEXTS[event["event"]].format(**event | _shown(event))


_TEXTS = {
    "fill": "{strategy} {side} {amount} {symbol} at {price} ({reason})",
    "trade": "{strategy} {symbol} closed: {pnl} after fees ({reason})",
    "order": "{strategy} {symbol} {purpose}: {side} {amount} {ordered} ({reason})",
    "cut": "{strategy} {symbol} {purpose}: {side} {amount} {ordered} ({reason}), "
    "cut from {wanted} by {bound}",
    "refused": "{strategy} {symbol} {purpose} refused, {why}: {detail}",
    "taken": "{strategy} {symbol}: others took {amount} ({cause}), {proceeds} came to cash",
    "late": "{symbol}: a candle came after a later one, it is not traded on",
    "quarantined": "{strategy} failed and enters nothing any more, the others go on: {detail}",
    "breaker": "breaker {name} tripped: {detail}",
    "equity": "equity {equity}",
    "notice": "{text}",
}


def _shown(event: Event) -> Event:
    """Return the amounts of money and the prices of an event as a person reads them."""
    if event["event"] == "trade":
        return {"pnl": amount(event["pnl"], pair_of(event["symbol"]).quote, sign=True)}
    if event["event"] == "equity":
        return {"equity": amount(event["equity"], event["currency"])}
    if event["event"] in ("order", "cut"):
        return {"ordered": f"ordered by {event['execution']}" if "execution" in event else "ordered"}
    return {"price": price(float(event["price"]))} if event["event"] == "fill" else {}


def _fill(executed: Executed) -> Event:
    fill, intent = executed.fill, executed.intent
    return {
        "event": "fill",
        "time": fill.time,
        "strategy": intent.strategy,
        "symbol": fill.symbol,
        "side": fill.side,
        "amount": exact(fill.amount),
        "price": exact(fill.price),
        "fee": exact(fill.fee),
        "fee_asset": fill.fee_asset,
        "reason": fill.reason or intent.reason,
        "key": intent.key,
    }


def _trade(trade: Trade) -> Event:
    return {
        "event": "trade",
        "time": trade.exit_time,
        "strategy": trade.strategy,
        "symbol": trade.symbol,
        "side": "long" if trade.side > 0 else "short",
        "amount": exact(trade.amount),
        "pnl": float(trade.pnl),
        "reason": trade.reason,
    }


def _taken(taken: Taken, time: int) -> Event:
    return {
        "event": "taken",
        "time": time,
        "strategy": taken.strategy or "account",
        "symbol": taken.symbol or "cash",
        "amount": exact(taken.amount),
        "proceeds": exact(taken.proceeds),
        "cause": taken.cause,
    }


def _order(outcome: Outcome, time: int, algorithms: Mapping[str, str]) -> Event:
    intent = outcome.intent
    event = {
        "event": "order",
        "time": time,
        "strategy": intent.strategy,
        "symbol": intent.symbol,
        "purpose": intent.purpose.value,
        "side": intent.side,
        "amount": exact(intent.amount),
        "price": exact(intent.price),
        "reason": intent.reason,
        "key": intent.key,
    }
    if isinstance(outcome, Refused):
        return event | {"event": "refused", "why": outcome.reason.value, "detail": outcome.detail}
    is_worked = intent.purpose in (Purpose.ENTRY, Purpose.EXIT) and not intent.is_priced
    if is_worked and intent.strategy in algorithms:
        event["execution"] = algorithms[intent.strategy]
    if intent.bound:
        event["bound"] = intent.bound
    if outcome.cut is not None:
        event |= {"event": "cut", "wanted": exact(outcome.cut.wanted)}
    return event
