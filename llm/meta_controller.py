"""The meta-controller: what a language model may one day change, and the code that says no.

A controller may propose, within `Bounds`:
- strategy weights: each strategy's share of the account, together 1;
- risk scales: factors on the risk settings a person chose, never above 1, so that a person's limit stays the
  limit. Lowering takes effect at once; raising is slow, and impossible while the account is in a drawdown.

A controller may never place, change or cancel an order, touch exchange, portfolio, keys, settings files or
code, switch a breaker off or reach the kill switch. It has no means to: it returns a `Proposal`, which has no
field for any of that, and this package may import only the database and value types (a contract that
`make lint` checks). A proposal is taken whole or not at all, and the bounds are checked by `check_proposal`,
whatever a model was told or talked into.

There is no model here, and nothing calls one. Not there yet: reading a model's reply, the prompt and its
budget, limits over a day, keeping accepted and rejected proposals, and the engine that applies weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from llm.journaler import Day

HOUR_MS = 3_600_000
TOLERANCE = 1e-9
"""For sums and differences of decimal fractions."""


@dataclass(frozen=True, slots=True)
class ChangeBound:
    """How far and how often one number may change."""

    low: float
    high: float
    """Smallest and largest value, both allowed."""
    max_step: float
    """Largest change in one proposal."""
    cooldown_ms: int
    """Rest between two changes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which numbers may change, and how. Only people write this."""

    weight: ChangeBound = ChangeBound(0.0, 1.0, 0.10, HOUR_MS)
    """Of every strategy's weight."""
    risk: Mapping[str, ChangeBound] = field(
        default_factory=lambda: {
            "default_risk_per_trade": ChangeBound(0.0, 1.0, 0.10, 24 * HOUR_MS),
            "max_daily_loss_pct": ChangeBound(0.2, 1.0, 0.10, 24 * HOUR_MS),
        }
    )
    """Of the factors on the risk settings of that name. Step and rest hold for raising only."""
    drawdown: float = 0.05
    """From this drawdown on (positive fraction) no risk scale may rise."""
    max_age_ms: int = HOUR_MS // 12
    """Older proposals are too late."""
    max_why: int = 2000
    """Characters of explanation."""


class Levers(NamedTuple):
    """All that can be moved."""

    weights: Mapping[str, float]
    """Share of the account by strategy; the sum is 1."""
    risk_scales: Mapping[str, float]
    """Factor on the setting of that name; 1 is what the person chose."""


@dataclass(frozen=True, slots=True)
class Current:
    """What holds now, and since when."""

    levers: Levers
    version: int
    """Counts accepted changes."""
    now: int
    """ms UTC."""
    weights_changed_at: int
    risk_changed_at: int
    """Times of the last accepted changes, ms UTC."""
    drawdown: float
    """Of the account, positive fraction of its peak."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a controller wants. Untrusted until `check_proposal` has accepted it."""

    levers: Levers
    version: int
    """Of the `Current` it was made for."""
    made_at: int
    """ms UTC."""
    why: str = ""
    """Explanation for people; kept as text, never read as data."""


class Rejection(StrEnum):
    """Why a proposal was rejected."""

    STALE = "stale"
    NAMES = "names"
    NUMBER = "number"
    RANGE = "range"
    SUM = "sum"
    STEP = "step"
    COOLDOWN = "cooldown"
    DRAWDOWN = "drawdown"
    TEXT = "text"
    UNCHANGED = "unchanged"


class Accepted(NamedTuple):
    """The levers from now on."""

    levers: Levers


class Rejected(NamedTuple):
    """The levers stay as they are."""

    reason: Rejection
    detail: str


class MetaController(Protocol):
    """Watches and proposes. Implementations do not exist yet."""

    def propose(self, current: Current, days: Sequence[Day]) -> Proposal | None:
        """Return what should change after these days, or None to leave everything as it is."""
        ...


def check_proposal(proposal: Proposal, current: Current, bounds: Bounds) -> Accepted | Rejected:
    """Return the proposal's levers if all of it is allowed, otherwise the first reason why not."""
    rejected = (
        _timing(proposal, current, bounds)
        or _text(proposal.why, bounds)
        or _names(proposal.levers, current, bounds)
        or _numbers(proposal.levers, current, bounds)
        or _total(proposal.levers.weights)
        or _moves(proposal.levers, current, bounds)
    )
    # Copies: whoever proposed still holds the originals.
    accepted = Levers(dict(proposal.levers.weights), dict(proposal.levers.risk_scales))
    return rejected or Accepted(accepted)


def _timing(proposal: Proposal, current: Current, bounds: Bounds) -> Rejected | None:
    if proposal.version != current.version:
        return Rejected(Rejection.STALE, f"made for version {proposal.version}, now {current.version}")
    age = current.now - proposal.made_at
    if not 0 <= age <= bounds.max_age_ms:
        return Rejected(Rejection.STALE, f"made {age} ms ago: wanted 0 to {bounds.max_age_ms}")
    return None


def _text(why: str, bounds: Bounds) -> Rejected | None:
    if len(why) > bounds.max_why:
        return Rejected(
            Rejection.TEXT, f"{len(why)} characters of explanation: wanted at most {bounds.max_why}"
        )
    return None


def _names(levers: Levers, current: Current, bounds: Bounds) -> Rejected | None:
    for kind, given, wanted in (
        ("weights", levers.weights, current.levers.weights),
        ("risk scales", levers.risk_scales, bounds.risk),
    ):
        if set(given) != set(wanted):
            return Rejected(Rejection.NAMES, f"{kind} for {_listed(given)}: wanted exactly {_listed(wanted)}")
    return None


def _numbers(levers: Levers, current: Current, bounds: Bounds) -> Rejected | None:
    for move in _all_moves(levers, current, bounds):
        # Exact types: True is no weight, and neither is "0.5".
        if type(move.new) not in (int, float) or not math.isfinite(move.new):
            return Rejected(Rejection.NUMBER, f"{move.name} {_short(move.new)}: wanted a finite number")
        if not move.bound.low <= move.new <= move.bound.high:
            wanted = f"{move.bound.low:g} to {move.bound.high:g}"
            return Rejected(Rejection.RANGE, f"{move.name} {_short(move.new)}: wanted {wanted}")
    return None


def _total(weights: Mapping[str, float]) -> Rejected | None:
    total = math.fsum(weights.values())
    if abs(total - 1) > TOLERANCE:
        return Rejected(Rejection.SUM, f"weights add up to {total!r}: wanted 1")
    return None


def _moves(levers: Levers, current: Current, bounds: Bounds) -> Rejected | None:
    moved = [move for move in _all_moves(levers, current, bounds) if move.new != move.old]
    if not moved:
        return Rejected(Rejection.UNCHANGED, "nothing would change")
    # Less risk is always allowed, at once.
    slow = [move for move in moved if not (move.is_risk and move.new < move.old)]
    return next(filter(None, (_slow_move(move, current, bounds) for move in slow)), None)


def _slow_move(move: _Move, current: Current, bounds: Bounds) -> Rejected | None:
    # Written so that a drawdown that is not a number counts as one.
    if move.is_risk and not current.drawdown < bounds.drawdown:
        return Rejected(Rejection.DRAWDOWN, f"{move.name} may not rise in a drawdown of {current.drawdown:g}")
    step = abs(move.new - move.old)
    if step > move.bound.max_step + TOLERANCE:
        return Rejected(Rejection.STEP, f"{move.name} by {step:g}: wanted at most {move.bound.max_step:g}")
    rest = current.now - (current.risk_changed_at if move.is_risk else current.weights_changed_at)
    if rest < move.bound.cooldown_ms:
        wanted = move.bound.cooldown_ms
        return Rejected(Rejection.COOLDOWN, f"{move.name} again after {rest} ms: wanted {wanted}")
    return None


class _Move(NamedTuple):
    name: str
    old: float
    new: float
    bound: ChangeBound
    is_risk: bool


def _all_moves(levers: Levers, current: Current, bounds: Bounds) -> Iterator[_Move]:
    for name, new in levers.weights.items():
        yield _Move(f"weight of {name}", current.levers.weights[name], new, bounds.weight, is_risk=False)
    for name, new in levers.risk_scales.items():
        old = current.levers.risk_scales[name]
        yield _Move(f"scale of {name}", old, new, bounds.risk[name], is_risk=True)


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(_short(name) for name in sorted(names, key=str)[:20]) or "none"


def _short(value: object) -> str:
    return repr(value)[:40]
