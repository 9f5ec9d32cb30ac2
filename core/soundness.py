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
    """Tell whether a target is from -1 to 1, an entry's stop a number, and its price one and in time."""
    # What is held was sound; on most bars nothing else is wanted, and the loop is to lose no time over it.
    if want.target == held.target:
        return held.side == 0 or has_sound_exits(want, held.side)
    side = 1 if want.target > 0 else (-1 if want.target < 0 else 0)
    # Written so that NaN, which is not smaller, is none.
    is_bounded = abs(want.target) <= MOST and (side in (0, held.side) or math.isfinite(want.stop))
    return is_bounded and has_sound_price(want) and has_sound_exits(want, side * (side == held.side))


def is_sound_ladder(want: Decision, held: PositionView) -> bool:
    """Tell the same of a ladder, which enters rung by rung."""
    is_bounded = abs(want.target) <= MOST and (want.rungs & ~held.rungs == 0 or math.isfinite(want.stop))
    return is_bounded and has_sound_price(want) and has_sound_exits(want, 0)


def is_sound_stopless(want: Decision, held: PositionView) -> bool:
    """Tell the same of a rule whose entries have no stop on purpose."""
    side = held.side if want.target * held.side > 0 else 0
    return abs(want.target) <= MOST and has_sound_price(want) and has_sound_exits(want, side)


def has_sound_exits(want: Decision, side: int) -> bool:
    """Tell whether stop and take are none or no endless price, and do not end what is held whatever it costs.

    `side` is that of what is held and stays. A stop of a long position, or a take of a short one, that is not
    above 0 is never reached: wide ranges bring it about. An entry's are looked at where it is sized.
    """
    if want.stop == math.inf or want.take == math.inf:  # noqa: PLR1714 - it runs compiled
        return False
    return not ((side > 0 and want.take <= 0) or (side < 0 and want.stop <= 0))


def has_sound_price(want: Decision) -> bool:
    """Tell whether an entry waits for no price, or for one alone, positive and finite, at least a bar."""
    if math.isnan(want.limit) and math.isnan(want.trigger):
        return True
    if not (math.isnan(want.limit) or math.isnan(want.trigger)):
        return False
    price = want.trigger if math.isnan(want.limit) else want.limit
    return 0 < price < math.inf and want.valid_bars >= 1
