"""freqtrade's protections as this account's settings (docs/live.md, Protections)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Wish(NamedTuple):
    """What a protection wants of the settings, and of it what cannot be."""

    settings: tuple[str, ...]
    """Lines of the section `risk`."""
    gaps: tuple[str, ...]


_PREFIX = {
    "StoplossGuard": ("stop_guard", "stop_guard_stops", "trade_limit", 1),
    "LowProfitPairs": ("low_profit", "low_profit_pct", "required_profit", 100),
    "MaxDrawdown": ("recent_drawdown", "recent_drawdown_pct", "max_allowed_drawdown", 100),
}
"""By method: what its settings begin with; the one that turns it on: from which of its own, times what."""


def settings_of(protections: Any, minutes: int) -> Wish:
    """Return the settings that a class's protections ask for; `minutes` is the length of a candle."""
    settings: list[str] = []
    gaps: list[str] = []
    seen: set[str] = set()
    for one in protections if isinstance(protections, Sequence) else ():
        method = str(one.get("method")) if isinstance(one, Mapping) else str(one)
        if method in seen:
            gaps.append(f"a second {method}: one of a kind here")
        elif method == "CooldownPeriod":
            settings.append(f"exit_pause_minutes: {_span(one, 'stop_duration', minutes):g}")
        elif method in _PREFIX:
            settings += _lines(one, method, minutes)
            if method == "StoplossGuard" and one.get("required_profit"):
                gaps.append("required_profit of StoplossGuard: stops that lost are counted")
        else:
            gaps.append(f"{method}: there is none such")
        seen.add(method)
    return Wish(tuple(settings), tuple(gaps))


def _lines(one: Mapping[str, Any], method: str, minutes: int) -> list[str]:
    prefix, switch, source, times = _PREFIX[method]
    found = {switch: times * one.get(source, 0)}
    if method != "StoplossGuard":
        found[f"{prefix}_trades"] = one.get("trade_limit", 1)
    found[f"{prefix}_minutes"] = _span(one, "lookback_period", minutes)
    found[f"{prefix}_pause_minutes"] = _span(one, "stop_duration", minutes)
    lines = [f"{name}: {value:g}" for name, value in found.items()]
    if method == "StoplossGuard":
        lines.append(f"{prefix}_each_symbol: {str(bool(one.get('only_per_pair'))).lower()}")
    if method == "MaxDrawdown":
        lines.append(f"{prefix}_each_symbol: false")
    return lines


def _span(one: Mapping[str, Any], name: str, minutes: int) -> float:
    """Return a time in minutes, which may be said in candles."""
    candles = one.get(f"{name}_candles")
    return float(one.get(name, 60)) if candles is None else float(candles) * minutes
