"""What keeps orders back until a person says otherwise, and what lets them go on."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Protocol

from core.engine import Session
from core.errors import RefusedError, unknown_name
from core.figures import money
from core.live.modes import ON_PAPER, REAL_MONEY
from core.live.status import Standing
from core.order_path.journal_view import HALT
from core.risk.limits import BREAKER_NAMES, BREAKERS
from core.risk.pauses import row_of

REAL_OPTIONS = "--live --i-understand-the-risks"
"""What has to be typed to trade real money."""
USUAL = "paper"
"""The account that run_live.py means when none is named."""


def command(
    account: str, *options: str, db_url: str | None = None, once: bool = False, orders: str = ON_PAPER
) -> str:
    """Return a whole command, as it is typed, that reaches an account; with one look if no loop runs.

    `orders`: who fills them, which one look has to be told; a running loop knows.
    """
    look = "--once" if once else ""
    filled = _filling(orders) if once else ""
    named = "" if account == USUAL else f"--account {account}"
    return " ".join(filter(None, ("run_live.py", look, database_of(db_url), filled, named, *options)))


def _filling(orders: str) -> str:
    """Return the options that say who fills orders; blank for paper."""
    if orders == REAL_MONEY:
        return REAL_OPTIONS
    return "" if orders == ON_PAPER else f"--orders {orders}"


def database_of(db_url: str | None) -> str:
    """Return the option that names a database as it was named; blank for the usual one."""
    if not db_url:
        return ""
    # A password is not shown, and without the option another database would be reached: a word stands for it.
    is_shown = db_url.startswith("sqlite:") or "@" not in db_url
    return f"--db-url {shlex.quote(db_url) if is_shown else 'URL'}"


def command_of(option: str, account: str) -> str:
    """Return what to give run_live.py, so that an option reaches an account."""
    return option if account == USUAL else f"--account {account} {option}"


class Holder(Protocol):
    """What keeps orders back."""

    @property
    def account(self) -> str:
        """The account's name."""
        ...

    @property
    def start(self) -> str:
        """How a command begins that reaches its database."""
        ...

    def standing(self) -> Sequence[Standing]:
        """Return all that keeps orders back."""
        ...

    def release(self) -> str:
        """Let entries go on after a halt."""
        ...


def resumed(session: Session, desk: Holder) -> str:
    """End a pause, and what was to be closed stays; return what still keeps entries back."""
    session.risk.resume()
    # A person who wants to trade again does not want to be flat any more.
    session.to_close.clear()
    trips = (
        Standing("breaker", name, why, command_of(f"--reset-breaker {row_of(name)}", desk.account))
        for name, why in session.risk.standing(session.risk.state.time).items()
    )
    rest = [one.told(desk.start) for one in (*desk.standing(), *trips) if one.ends]
    if not rest:
        return "entries are allowed again"
    return f"the pause is over; still kept back: {'; '.join(rest)}"


def reset(session: Session, name: str) -> str:
    """Reset a breaker; return what came of it."""
    risk = session.risk
    if name not in BREAKER_NAMES:
        return f"refused: {unknown_name('breaker', name, BREAKER_NAMES)}"
    # Of pauses the name of the row ends all.
    now = [*{**risk.state.pauses, **risk.standing(risk.state.time)}]
    if name not in map(row_of, now):
        return f"refused: breaker {name!r} is not tripped; tripped are: {', '.join(now) or 'none'}"
    try:
        risk.reset_breaker(name)
    except RefusedError as error:
        return f"refused: {error}"
    return f"breaker {name} is reset{_measured_anew(session, name)}"


def _measured_anew(session: Session, name: str) -> str:
    """Return what a loss is measured from once its breaker is reset; blank for what measures none."""
    if not any(row.name == name and row.loss for row in BREAKERS):
        return ""
    equity = session.risk.state.equity
    since = f"this equity, {money(equity)}" if math.isfinite(equity) else "the next equity that is known"
    return f"; its loss is measured anew, from {since}"


def released(session: Session, desk: Holder, name: str) -> str:
    """End a halt, or trust a strategy again that failed; return what came of it."""
    if name == HALT:
        return desk.release()
    failed = session.risk.state.quarantined
    if name not in failed:
        return f"refused: nothing is kept back by the name {name!r}; names are: {', '.join((HALT, *failed))}"
    session.release(name)
    return f"{name} may enter again"
