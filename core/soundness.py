"""What a decision must be, whatever the rule: looked at on every bar, by every way to run a rule.

The same source runs compiled and as plain Python. A rule is checked before it runs on some of its bars
(strategies.rule_check); what it says on a rare one is known only there.
"""

from __future__ import annotations

import math

from core.domain import SAME_TARGET, Decision, PositionView

MOST = 1.0 + SAME_TARGET
"""The largest target: shares of lots add up with rounding."""


def is_sound(want: Decision, held: PositionView) -> bool:
    """Tell whether a target is from -1 to 1, and an entry's stop a number."""
    # What is held was sound; on most bars nothing else is wanted, and the loop is to lose no time over it.
    if want.target == held.target:
        return True
    side = 1 if want.target > 0 else (-1 if want.target < 0 else 0)
    # Written so that NaN, which is not smaller, is none.
    return abs(want.target) <= MOST and (side in (0, held.side) or math.isfinite(want.stop))


def is_sound_ladder(want: Decision, held: PositionView) -> bool:
    """Tell the same of a ladder, which enters rung by rung."""
    return abs(want.target) <= MOST and (want.rungs & ~held.rungs == 0 or math.isfinite(want.stop))


def is_sound_stopless(want: Decision, held: PositionView) -> bool:  # noqa: ARG001 - called as the others are
    """Tell the same of a rule whose entries have no stop on purpose."""
    return abs(want.target) <= MOST
