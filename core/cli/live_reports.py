"""The daily report that a running loop sends: of the day before, once, at its time."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from core.alerts.levels import Message, message
from core.cli.generate_command import account_period
from core.cli.live_output import say
from core.errors import HotCryptoError
from core.live.period import day_of
from core.live.status import AccountStatus
from core.reports.period_text import report_text
from core.results.days import date_of
from core.results.measures import DAY
from db import live

STATE = "daily_report"
"""Under this name the state of an account says of which day the last report was sent."""
MINUTE = 60_000


class DailyReport:
    """Sends one account's reports."""

    def __init__(self, engine: Engine, account: str, at: str, put: Callable[[Message], object]) -> None:
        """Take where the account is stored, the time of day (UTC) such as 08:00, and where messages go."""
        self._engine, self._account, self._put = engine, account, put
        hour, _, minute = at.partition(":")
        self._at = (60 * int(hour) + int(minute)) * MINUTE
        self._done: str | None = None
        """The day whose report was sent, or tried; None before that was looked up."""

    def look(self, status: AccountStatus) -> None:
        """Send the report of the day before, if its time has come and it was not sent."""
        now = status.time
        day = date_of(now - DAY)
        if now % DAY < self._at or day == self._done:
            return
        try:
            if live.read_state(self._engine, self._account).get(STATE) != day:
                self._send(day, status)
        except HotCryptoError as error:
            say(f"the report of {day} could not be made: {error}")
        self._done = day

    def _send(self, day: str, status: AccountStatus) -> None:
        run = live.newest_run(self._engine, self._account)
        if run is None:
            return
        period = account_period(self._engine, self._account, day_of(day), status, run.id, status.time)
        # An account that began today has nothing to tell of yesterday.
        if period.closing is not None:
            self._put(message("report", report_text(period).rstrip(), status.time, day))
        live.keep_state(self._engine, self._account, STATE, day, status.time)
