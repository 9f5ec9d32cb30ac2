"""Clocks that put the exchange's present into the past."""

from __future__ import annotations

from core.utils import Clock, now_ms


def replay_clock(start: int, *, speed: float = 1.0, wall: Clock = now_ms) -> Clock:
    """Return a clock that reads `start` ms now and runs `speed` times as fast as `wall`."""
    began = wall()
    return lambda: start + int((wall() - began) * speed)
