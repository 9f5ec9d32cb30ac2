"""The meta-controller's bounds hold whatever is proposed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from llm.meta_controller import (
    HOUR_MS,
    TOLERANCE,
    Accepted,
    Bounds,
    ChangeBound,
    Current,
    Levers,
    Proposal,
    Rejected,
    Rejection,
    check_proposal,
)
from tests.tiers import tries

NOW = 1_700_000_000_000
DAY_MS = 24 * HOUR_MS
RISK = "default_risk_per_trade"
LOSS = "max_daily_loss_pct"
LEVERS = Levers({"A": 0.5, "B": 0.5}, {RISK: 0.5, LOSS: 0.5})
CURRENT = Current(
    LEVERS, version=7, now=NOW, weights_changed_at=NOW - HOUR_MS, risk_changed_at=NOW - DAY_MS, drawdown=0.0
)
BOUNDS = Bounds()


def propose(
    weights: dict[str, Any] | None = None, risk: dict[str, Any] | None = None, **changes: Any
) -> Proposal:
    levers = Levers({**LEVERS.weights, **(weights or {})}, {**LEVERS.risk_scales, **(risk or {})})
    return dataclasses.replace(Proposal(levers, version=7, made_at=NOW), **changes)


def reason(proposal: Proposal, **current: Any) -> Rejection | None:
    answer = check_proposal(proposal, dataclasses.replace(CURRENT, **current), BOUNDS)
    return answer.reason if isinstance(answer, Rejected) else None


STEP = {"A": 0.6, "B": 0.4}


@pytest.mark.parametrize(
    ("proposal", "current", "expected"),
    [
        (propose(STEP), {}, None),
        (propose(risk={RISK: 0.6}), {}, None),
        (propose(), {}, Rejection.UNCHANGED),
        (propose(STEP, version=6), {}, Rejection.STALE),
        (propose(STEP, made_at=NOW + 1), {}, Rejection.STALE),
        (propose(STEP, made_at=NOW - BOUNDS.max_age_ms), {}, None),
        (propose(STEP, made_at=NOW - BOUNDS.max_age_ms - 1), {}, Rejection.STALE),
        (propose(STEP, why="x" * 2000), {}, None),
        (propose(STEP, why="x" * 2001), {}, Rejection.TEXT),
        (propose({"C": 0.0}), {}, Rejection.NAMES),
        (propose(risk={"kill_switch": 0.5}), {}, Rejection.NAMES),
        (Proposal(Levers({"A": 1.0}, LEVERS.risk_scales), 7, NOW), {}, Rejection.NAMES),
        (Proposal(Levers({}, {}), 7, NOW), {}, Rejection.NAMES),
        (Proposal(Levers({"A": 1.0, 5: 0.0}, {}), 7, NOW), {}, Rejection.NAMES),  # type: ignore[dict-item]
        (propose({"A": math.nan}), {}, Rejection.NUMBER),
        (propose({"A": math.inf}), {}, Rejection.NUMBER),
        (propose({"A": True, "B": False}), {}, Rejection.NUMBER),
        (propose({"A": "0.6"}), {}, Rejection.NUMBER),
        (propose({"A": None}), {}, Rejection.NUMBER),
        (propose({"A": 1.1, "B": -0.1}), {}, Rejection.RANGE),
        (propose(risk={RISK: 1.0000001}), {}, Rejection.RANGE),
        (propose(risk={LOSS: 0.19}), {}, Rejection.RANGE),
        (propose({"A": 0.6}), {}, Rejection.SUM),
        (propose({"A": 0.4, "B": 0.5}), {}, Rejection.SUM),
        (propose({"A": 0.61, "B": 0.39}), {}, Rejection.STEP),
        (propose(risk={RISK: 0.61}), {}, Rejection.STEP),
        (propose(STEP), {"weights_changed_at": NOW - HOUR_MS + 1}, Rejection.COOLDOWN),
        (propose(STEP), {"weights_changed_at": NOW + 1}, Rejection.COOLDOWN),
        (propose(STEP), {"risk_changed_at": NOW}, None),
        (propose(risk={RISK: 0.51}), {"risk_changed_at": NOW - DAY_MS + 1}, Rejection.COOLDOWN),
        (propose(risk={RISK: 0.51}), {"drawdown": 0.05}, Rejection.DRAWDOWN),
        (propose(risk={RISK: 0.51}), {"drawdown": math.nan}, Rejection.DRAWDOWN),
        (propose(risk={RISK: 0.51}), {"drawdown": 0.0499}, None),
        (propose(risk={RISK: 0.51, LOSS: 0.4}), {"drawdown": 0.2}, Rejection.DRAWDOWN),
        (propose(risk={RISK: 0.0}), {"drawdown": 0.2, "risk_changed_at": NOW}, None),
        (propose(STEP, {RISK: 0.0}), {"weights_changed_at": NOW}, Rejection.COOLDOWN),
        (propose(STEP), {"drawdown": 0.5}, None),
    ],
)
def test_a_proposal_is_taken_whole_or_rejected_with_its_reason(
    proposal: Proposal, current: dict[str, Any], expected: Rejection | None
) -> None:
    assert reason(proposal, **current) is expected


def test_a_rejection_says_what_came_and_what_was_wanted() -> None:
    answer = check_proposal(propose({"A": 1.1, "B": -0.1}), CURRENT, BOUNDS)
    assert answer == Rejected(Rejection.RANGE, "weight of A 1.1: wanted 0 to 1")


def test_a_rejection_does_not_repeat_a_flood_of_text() -> None:
    answer = check_proposal(propose({"A" * 10_000: 1.0}), CURRENT, BOUNDS)
    assert isinstance(answer, Rejected)
    assert len(answer.detail) < 200


def test_accepted_levers_are_out_of_the_proposers_reach() -> None:
    proposal = propose(STEP)
    answer = check_proposal(proposal, CURRENT, BOUNDS)
    assert isinstance(answer, Accepted)
    proposal.levers.weights["A"] = 99.0  # type: ignore[index]
    assert answer.levers.weights == STEP


def test_a_proposal_has_no_field_for_anything_but_weights_and_risk() -> None:
    assert {field.name for field in dataclasses.fields(Proposal)} == {"levers", "version", "made_at", "why"}
    assert Levers._fields == ("weights", "risk_scales")


nasty = st.one_of(st.floats(), st.sampled_from([True, "0.5", None, 0, 1, 2, -1]))
near = st.sampled_from([0.4, 0.4, 0.45, 0.5, 0.5, 0.55, 0.9])
pair = near.map(lambda a: (a, 1 - a))
shares = st.one_of(pair, pair, pair, pair, st.tuples(nasty, near))
scale = st.sampled_from([0.1, 0.2, 0.2, 0.25, 0.3, 0.5, 0.5, 0.55, 0.6, 0.9])
scales = st.one_of(scale, scale, scale, scale, scale, scale, nasty)
bound = st.builds(
    ChangeBound,
    low=st.sampled_from([0.0, 0.1]),
    high=st.sampled_from([0.6, 1.0]),
    max_step=st.sampled_from([0.05, 0.1, 1.0]),
    cooldown_ms=st.sampled_from([0, 1, HOUR_MS]),
)
all_bounds = st.builds(
    lambda weight, risk, loss, drawdown: Bounds(weight, {RISK: risk, LOSS: loss}, drawdown),
    bound, bound, bound, st.sampled_from([0.0, 0.05, 1.0]),
)  # fmt: skip
currents = st.builds(
    lambda a, risk, loss, since, drawdown: Current(
        Levers({"A": a, "B": 1 - a}, {RISK: risk, LOSS: loss}), 7, NOW, NOW - since, NOW - since, drawdown
    ),
    st.sampled_from([0.4, 0.5]), st.sampled_from([0.2, 0.5]), st.sampled_from([0.2, 0.5]),
    st.sampled_from([0, 1, HOUR_MS]), st.sampled_from([0.0, 0.05, 0.5]),
)  # fmt: skip
proposals = st.builds(
    lambda weights, risk, loss: Proposal(
        Levers(dict(zip("AB", weights, strict=True)), {RISK: risk, LOSS: loss}), 7, NOW
    ),
    shares, scales, scales,
)  # fmt: skip


def inside(value: Any, allowed: ChangeBound) -> bool:
    return type(value) in (int, float) and allowed.low <= value <= allowed.high


def slow_enough(value: float, old: float, since: int, allowed: ChangeBound) -> bool:
    return abs(value - old) <= allowed.max_step + TOLERANCE and NOW - since >= allowed.cooldown_ms


def is_allowed(levers: Levers, current: Current, bounds: Bounds) -> bool:
    """The bounds once more, as one sentence per number."""
    old = current.levers
    weights = all(inside(new, bounds.weight) for new in levers.weights.values())
    risks = all(inside(new, bounds.risk[name]) for name, new in levers.risk_scales.items())
    if not weights or not risks or abs(sum(levers.weights.values()) - 1) > TOLERANCE or levers == old:
        return False
    return all(
        new == old.weights[name]
        or slow_enough(new, old.weights[name], current.weights_changed_at, bounds.weight)
        for name, new in levers.weights.items()
    ) and all(
        new <= old.risk_scales[name]
        or (
            current.drawdown < bounds.drawdown
            and slow_enough(new, old.risk_scales[name], current.risk_changed_at, bounds.risk[name])
        )
        for name, new in levers.risk_scales.items()
    )


@pytest.mark.unmeasured
@settings(max_examples=tries(500, 125))
@given(proposals, currents, all_bounds)
def test_a_proposal_is_accepted_exactly_when_every_number_is_inside_its_bound(
    proposal: Proposal, current: Current, bounds: Bounds
) -> None:
    answer = check_proposal(proposal, current, bounds)
    expected = is_allowed(proposal.levers, current, bounds)
    event(f"accepted: {expected}")
    assert isinstance(answer, Accepted) == expected
    assert not expected or answer == Accepted(proposal.levers)


@pytest.mark.unmeasured
@given(
    st.lists(st.tuples(st.floats(0, 1.5), st.integers(0, DAY_MS), st.sampled_from([0.0, 0.1])), max_size=40)
)
def test_no_sequence_of_proposals_takes_risk_above_what_the_person_chose(
    steps: list[tuple[float, int, float]],
) -> None:
    current = dataclasses.replace(CURRENT, levers=Levers(LEVERS.weights, {RISK: 1.0, LOSS: 1.0}))
    raised_at: list[int] = []
    for wanted, pause, drawdown in steps:
        current = dataclasses.replace(current, now=current.now + pause, drawdown=drawdown)
        before = current.levers.risk_scales[RISK]
        levers = Levers(LEVERS.weights, {RISK: wanted, LOSS: 1.0})
        answer = check_proposal(Proposal(levers, 7, current.now), current, BOUNDS)
        if isinstance(answer, Accepted):
            current = dataclasses.replace(current, levers=answer.levers, risk_changed_at=current.now)
            raised_at += [current.now] if wanted > before else []
        assert current.levers.risk_scales[RISK] <= max(before + 0.1 + TOLERANCE, before)
        assert current.levers.risk_scales[RISK] <= 1
        assert drawdown == 0.0 or current.levers.risk_scales[RISK] <= before
    assert all(later - earlier >= DAY_MS for earlier, later in itertools.pairwise(raised_at))
