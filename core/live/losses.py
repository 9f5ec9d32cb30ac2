"""Losses looked at between two bars, by the prices of now: a loop does if it is told to, a replay never."""

from __future__ import annotations

from core.engine import Session, Step


class LossWatch:
    """Has the breakers judge equity every so often, as a fill does."""

    def __init__(self, session: Session, every_ms: int = 0) -> None:
        """Take whose losses they are, and how often they are looked at; 0: never here."""
        self._session, self._every_ms = session, every_ms
        self._looked_at = 0

    def look(self, now: int, *, is_sure: bool) -> Step | None:
        """Judge the losses at the newest prices; return the step where a breaker tripped, to be kept.

        Not while the price of anything held is unknown or doubted (`is_sure`): a wrong one would end trading.
        """
        if not self._every_ms or not is_sure or 0 <= now - self._looked_at < self._every_ms:
            return None
        self._looked_at = now
        step = self._session.on_events((), now)
        return step if step.tripped else None
