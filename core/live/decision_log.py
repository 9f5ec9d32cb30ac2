"""The lines of the decision log: what strategies wanted of an account, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from core.account.orders import Approved, Refused
from core.domain import Series
from core.engine import Step
from core.execution import Outcome
from core.figures import exact


class DecisionLine(NamedTuple):
    """One line of the decision log."""

    series: Series
    bar_ts: int
    strategy: str
    action: str
    outcome: str
    """approved, or the reason of a refusal; what was approved may be refused later, in a line of its own."""
    detail: Mapping[str, Any]


def decision_lines(exchange: str, step: Step) -> Iterator[DecisionLine]:
    """Return what came of a step's choices, then what was approved before and is refused by now."""
    made: dict[tuple[str, str, int], list[Outcome]] = {}
    for outcome in step.outcomes:
        intent = outcome.intent
        made.setdefault((intent.strategy, intent.symbol, intent.bar), []).append(outcome)
    for choice in step.choices:
        for outcome in made.pop((choice.strategy, choice.symbol, choice.bar), ()):
            yield _line(exchange, outcome)
    for outcome in (one for others in made.values() for one in others if isinstance(one, Refused)):
        yield _line(exchange, outcome)


def _line(exchange: str, outcome: Outcome) -> DecisionLine:
    intent = outcome.intent
    return DecisionLine(
        Series(exchange, intent.symbol, intent.timeframe),
        intent.bar,
        intent.strategy,
        f"{intent.purpose} {intent.side}",
        outcome.reason.value if isinstance(outcome, Refused) else "approved",
        _detail(outcome),
    )


def _detail(outcome: Outcome) -> dict[str, Any]:
    intent = outcome.intent
    stop, take = (None if price is None else exact(price) for price in (intent.stop, intent.take))
    detail = {"leg": intent.leg, "amount": exact(intent.amount), "price": exact(intent.price), "stop": stop}
    detail |= {"take": take, "reason": intent.reason}
    if intent.bound:
        detail["bound"] = intent.bound
    if isinstance(outcome, Approved) and outcome.cut is not None:
        detail["wanted"] = exact(outcome.cut.wanted)
    return detail | {"why": outcome.detail} if isinstance(outcome, Refused) else detail
