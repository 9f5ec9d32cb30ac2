"""Whether an account is looked after, read from what its loop said: reasons why not, and what to know beside.

A reason means that the loop does not do its work, or not all of it. A pause, a tripped breaker or a hold is
its work: these are notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from core.live.feed import GRACE, LATE
from core.live.status import AccountStatus, FeedStatus, Standing
from core.utils import timeframe_ms

STALLED = 60_000
"""Milliseconds without a look after which a loop counts as standing still: it looks every second, and waits
20 s for an exchange that does not answer."""
REASONS = ("halt", "exits")
"""Kinds of what keeps orders back that are reasons; the others are notes."""


class Health(NamedTuple):
    """What is wrong with an account."""

    reasons: tuple[str, ...]
    """Why it is not healthy, a line each; nothing: it is."""
    notes: tuple[str, ...] = ()
    """What a person should know all the same."""

    @property
    def is_healthy(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.reasons


def health_of(status: AccountStatus | None, silent_ms: int, *, is_to_look: bool = True) -> Health:
    """Return what is wrong with an account by what its loop said `silent_ms` ago.

    `status` is None where it has said nothing yet; of an account that is looked at now and then (`is_to_look`
    is False) only its candles may be late.
    """
    if status is None:
        return Health(("it has not looked at the market yet",))
    late = _feeds(status, status.time + silent_ms)
    silence = _silence(silent_ms) if is_to_look else ()
    reasons = [*silence, *late, *map(_line, _kept_back(status, REASONS))]
    if status.desk is not None:
        reasons += [f"books and exchange differ: {line}" for line in status.desk.disagreements]
    return Health(tuple(reasons), tuple(_notes(status)))


def health_of_run(
    status: AccountStatus | None, silent_ms: int, *, is_running: bool, is_seldom: bool, how: str
) -> Health:
    """Return what is wrong with an account by what is stored of its newest run.

    `is_seldom`: it is looked at now and then (cron), so there is no loop to miss; `how` the run ended.
    """
    if is_running or is_seldom:
        return health_of(status, silent_ms, is_to_look=is_running)
    # How late the candles are says nothing more where nobody looks at them.
    rest = health_of(status, 0, is_to_look=False)
    return Health((f"no loop runs: {how}", *rest.reasons), rest.notes)


def lag_of(feed: FeedStatus, now: int) -> int | None:
    """Return for how many ms, at this exchange time, a newer candle is due; None before the first."""
    if feed.last is None:
        return None
    return max(0, now - (feed.last + 2 * _step(feed)))


def _silence(silent_ms: int) -> Iterator[str]:
    if silent_ms > STALLED:
        yield f"it has not looked at the market for {_lasting(silent_ms)}"


def _feeds(status: AccountStatus, now: int) -> Iterator[str]:
    for feed in status.feeds:
        lag = lag_of(feed, now)
        if lag is None:
            yield f"{feed.series}: no candle yet"
        elif lag > (LATE - 1) * _step(feed) + GRACE:
            yield f"{feed.series}: the newest candle is {_lasting(lag)} late"


def _step(feed: FeedStatus) -> int:
    return timeframe_ms(feed.series.rpartition(" ")[2])


def _kept_back(status: AccountStatus, kinds: tuple[str, ...]) -> list[Standing]:
    return [one for one in (status.desk.standing if status.desk else ()) if one.kind in kinds]


def _line(one: Standing) -> str:
    return f"{one.kind} {one.ref}".rstrip() + f": {one.why}" + (f" (ends by {one.ends})" if one.ends else "")


def _notes(status: AccountStatus) -> Iterator[str]:
    if status.equity is None:
        yield "equity is not known: a price of what is held is missing"
    if status.paused:
        yield f"entries are paused: {status.paused}"
    for name, why in status.breakers.items():
        yield f"breaker {name} is tripped: {why}"
    for name, why in status.quarantined.items():
        yield f"{name} failed and enters nothing: {why}"
    yield from map(_line, _kept_back(status, ("hold", "flatten")))


def _lasting(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60:,} min"
