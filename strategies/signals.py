"""What a live strategy says to the outside: decisions in the specification's words."""

from __future__ import annotations

from collections.abc import Mapping, Set
from math import isfinite, isnan
from typing import Any

from core.domain import SAME_TARGET, Decision, PositionView, Reason
from core.sizing import Sizing


def adjusted(held: PositionView, want: Decision) -> tuple[str, dict[str, Any]]:
    """Return the action for a position whose side stays: more of it, less of it, or the same."""
    more = abs(want.target) - abs(held.target)
    kept = protection(want) | remembered(held.note, want)
    if abs(more) <= SAME_TARGET:
        return "HOLD", kept | withdrawing(held, want)
    if more > 0:
        kept |= priced(want)
    why = kept | {"reason": reason_word(want.reason)}
    if more > 0:
        return f"OPEN_{side_name(held.side)}", why | {"add": more}
    why["reason"] = reason_word(Reason.REDUCE)
    return f"CLOSE_{side_name(held.side)}", why | {"portion": more / -abs(held.target)}


def signal_risk(action: str, extra: Mapping[str, Any]) -> float:
    """Return the multiple of the risk per trade that an entry takes."""
    return float(abs(extra.get("add", extra["target"]))) if action.startswith("OPEN") else 1.0


def sizing_words(sizing: Sizing, chosen: Set[str]) -> dict[str, float]:
    """Return what an entry says of its size: what was chosen, or is not the usual, by the names of Sizing."""
    usual = Sizing()._asdict()
    own = {name: value for name, value in sizing._asdict().items() if name in chosen or value != usual[name]}
    # What is not known is NaN, which equals nothing; a stake's risk has no limit of its own.
    return {name: value for name, value in own.items() if isfinite(value)}


def protection(want: Decision) -> dict[str, Any]:
    """Return a decision's prices and target, None for no price."""
    return {"stop": _or_none(want.stop), "take": _or_none(want.take), "target": want.target}


def remembered(before: float, want: Decision) -> dict[str, Any]:
    """Return what a position is to remember, where it does or did remember a number; None for nothing."""
    return {} if isnan(before) and isnan(want.note) else {"note": _or_none(want.note)}


def priced(want: Decision) -> dict[str, Any]:
    """Return the price that an entry waits for, and for how many bars; nothing for one at the open."""
    prices = {name: price for name in ("limit", "trigger") if not isnan(price := getattr(want, name))}
    return prices | {"valid_bars": want.valid_bars} if prices else {}


def withdrawing(held: PositionView, want: Decision) -> dict[str, Any]:
    """Return the reason where nothing is to be done but to withdraw what waits for a price."""
    is_kept = not held.waiting or want.reason == Reason.HOLD
    return {} if is_kept else {"reason": reason_word(want.reason)}


def side_name(side: int) -> str:
    """Return the side as actions are called by."""
    return "LONG" if side > 0 else "SHORT"


def reason_word(reason: int) -> str:
    """Return a reason as a word."""
    return Reason(reason).name.lower()


def rungs_of(mask: int) -> list[int]:
    """Return the numbers of the rungs in a mask."""
    return [level for level in range(mask.bit_length()) if mask & 1 << level]


def levels_of(mask: int, count: int) -> dict[int, bool]:
    """Return a mask as the specification shows rungs: {1: True, 2: False, …}."""
    return {level: bool(mask & 1 << level) for level in range(1, count + 1)}


def _or_none(price: float) -> float | None:
    return None if isnan(price) else price
