"""What answers commands of a chat: the account's status in a few lines, and the commands of run_live.py."""

from __future__ import annotations

import time

from sqlalchemy import Engine

from core.errors import HotCryptoError
from core.figures import NONE, amount, exact, how_many, price
from core.live.status import AccountStatus, from_document
from core.utils import format_time, now_ms
from db import live

ANSWER = 5.0
"""Seconds that a command's outcome is waited for."""


def answer_to(engine: Engine, command: int) -> str | None:
    """Return what came of a command, None while it waits after so many seconds."""
    until = time.monotonic() + ANSWER
    while (outcome := live.outcome_of(engine, command)) is None and time.monotonic() < until:
        time.sleep(0.05)
    return outcome


class LoopDesk:
    """Answers for the loop of one account, by its database alone."""

    def __init__(self, engine: Engine, account: str) -> None:
        """Take where the loop stores how it stands and finds its commands."""
        self._engine, self._account = engine, account

    def status(self) -> str:
        """Return how the account stands."""
        try:
            found = self._found()
        except (HotCryptoError, ValueError) as error:
            return f"the status cannot be read: {error}"
        return f"{self._account}: it has not said anything yet" if found is None else self._told(found)

    def positions(self) -> str:
        """Return what it holds."""
        try:
            found = self._found()
        except (HotCryptoError, ValueError) as error:
            return f"the status cannot be read: {error}"
        held = () if found is None else found.positions
        lines = [
            f"{one.strategy} {one.side} {exact(one.amount)} {one.symbol} at {price(one.entry_price)}, "
            f"now {price(one.price) or NONE}, stop {price(one.stop) or NONE}, "
            f"open profit {_money(one.open_profit, found.currency if found else '')}"
            for one in held
        ]
        return "\n".join(lines) or f"{self._account}: nothing is held"

    def give(self, name: str, update: int) -> str:
        """Store a command for the loop, once for each update; return what came of it."""
        origin = f"telegram, update {update}"
        try:
            if live.was_given(self._engine, self._account, origin):
                return f"{name} was given already"
            number = live.give_command(self._engine, self._account, name, "", origin, now_ms())
            outcome = answer_to(self._engine, number)
        except HotCryptoError as error:
            return f"{name} was not given: {error}"
        return outcome or f"{name} waits: the loop has not answered in {ANSWER:.0f} s; /status tells later"

    def _found(self) -> AccountStatus | None:
        run = live.newest_run(self._engine, self._account)
        return None if run is None or not run.status else from_document(run.status)

    def _told(self, status: AccountStatus) -> str:
        equity, cash = _money(status.equity, status.currency), _money(float(status.cash), status.currency)
        held = how_many(len(status.positions), "position")
        lines = [
            f"{self._account}: equity {equity}, cash {cash}, {held}, as of {format_time(status.time)} UTC"
        ]
        lines += [f"breaker {name}: {why}" for name, why in status.breakers.items()]
        lines += [f"{name} failed: {why}" for name, why in status.quarantined.items()]
        lines += [f"entries are paused: {status.paused}"] if status.paused else []
        lines += [f"{feed.series} is silent" for feed in status.feeds if feed.stale]
        if status.desk is not None:
            lines += [f"{one.kind} {one.ref}: {one.why}" for one in status.desk.standing]
            lines += [f"books and exchange: {line}" for line in status.desk.disagreements]
        return "\n".join(lines)


def _money(value: float | None, currency: str) -> str:
    return NONE if value is None else amount(value, currency)
