"""Where messages are handed in: each level goes to its channels, and nobody waits for any of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from core.alerts.lane import Lane, Missed
from core.alerts.levels import Message

REPORT = "report"
"""The route of the daily report, beside those of the levels."""


class Mailbox:
    """Takes messages for all channels."""

    def __init__(self, routes: Mapping[str, Sequence[Lane]]) -> None:
        """Take the channels of each level and of the report."""
        self._routes = routes
        self._lanes = list({id(lane): lane for lanes in routes.values() for lane in lanes}.values())

    def put(self, message: Message) -> None:
        """Take a message, at once."""
        route = REPORT if message.kind == REPORT else message.level.value
        for lane in self._routes.get(route, ()):
            lane.put(message)

    def owe(self, missed: Missed) -> None:
        """Take over what a former process could not send: each channel tells it first."""
        for lane in self._lanes:
            lane.missed = missed

    def start(self) -> None:
        """Send from threads of their own, one a channel."""
        for lane in self._lanes:
            lane.start()

    def end(self, seconds: float) -> Missed:
        """Send what there is, for so many seconds in all; return what arrived nowhere.

        What one of several channels did not take is known to whoever reads another.
        """
        for lane in self._lanes:
            lane.hurry()
        until = time.monotonic() + seconds
        left = [lane.end(max(0.0, until - time.monotonic())) for lane in self._lanes]
        return min(left, key=lambda one: one.number, default=Missed())
