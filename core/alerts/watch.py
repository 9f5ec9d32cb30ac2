"""What of a running loop is worth a message: its steps, its status, its orders, its exchange, its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from core.account.orders import Executed
from core.alerts.levels import KINDS, Message, message
from core.engine import Step
from core.errors import ExchangeError
from core.figures import exact, price
from core.live.events import events_of, text_of
from core.live.status import AccountStatus, PositionStatus
from core.order_path.alerts import Alert

NEAR: Final = 0.8
"""Of the way to a stop, or of a limit, from which on it is near …"""
FAR: Final = 0.7
"""… until it is less than this again."""
AWAY: Final = 0.5
"""Of the way to its stop, below which a position is told again when it comes near: prices go to and fro."""
LOST: Final = 300_000
"""Milliseconds without the exchange after which it counts as lost."""
LASTS: Final = 60_000
"""Milliseconds that books and exchange may differ before it is told: orders are on their way."""
STOPS: Final = ("stop", "trail")
TOLD: Final = ("halt", "hold", "exits")
"""What keeps orders back without a person's wish."""
ROUNDING: Final = 1e-9
LIMITS: Final = (
    *("max_daily_loss_pct", "max_weekly_loss_pct", "max_monthly_loss_pct"),
    *("max_drawdown_pct", "max_exposure_pct"),
)
"""The limits that are told when most of them is used; the others are meant to be used."""

Subject = tuple[str, str]


class Watch:
    """Tells what changes, once, and when it is over."""

    def __init__(self, put: Callable[[Message], object], slippage_pct: float) -> None:
        """Take where messages go; `slippage_pct`: how much worse a fill may be than its order's price."""
        self._put, self._slippage = put, slippage_pct
        self._stands: dict[Subject, str] = {}
        self._differs_since: int | None = None
        self._away_since: int | None = None
        self._is_lost = False

    def say(self, kind: str, text: str, time: int, ref: str = "") -> None:
        """Tell something."""
        self._put(message(kind, text, time, ref))

    def on_alert(self, alert: Alert, time: int) -> None:
        """Tell an event of the order path, but what the status tells as long as it stands."""
        if alert.kind in TOLD:
            return
        kind = alert.kind if alert.kind in KINDS else "adjusted"
        self._put(message(kind, alert.text, time, alert.ref, critical=alert.critical))

    def on_step(self, step: Step) -> None:
        """Tell fills, closed positions, and fills that were much worse than they should have been."""
        for executed in step.fills:
            if text := _slipped(executed, self._slippage):
                self.say("slippage", text, executed.fill.time, executed.fill.id)
        for number, event in enumerate(events_of(step)):
            if event["event"] == "fill":
                self.say("fill", text_of(event), event["time"], f"{event['key']} {number}")
            elif event["event"] == "trade":
                kind = "stop" if event["reason"] in STOPS else "trade"
                self.say(
                    kind, text_of(event), event["time"], f"{event['strategy']} {event['symbol']} {number}"
                )
            elif event["event"] == "taken":
                self.say("taken", text_of(event), event["time"])

    def on_status(self, status: AccountStatus) -> None:
        """Tell what stands in the way now and did not before, and what does no longer."""
        stands = dict(self._standing(status))
        for subject, text in stands.items():
            if subject not in self._stands:
                self.say(subject[0], text, status.time, subject[1])
        for kind, ref in (subject for subject in self._stands if subject not in stands):
            # That a price is away from its stop again is nothing to act on, and where it was closed for sure.
            if kind == "near_stop":
                continue
            self.say("over", _over(kind, self._stands[kind, ref]), status.time, f"{kind} {ref}")
        self._stands = stands

    def on_exchange(self, error: ExchangeError | None, time: int) -> None:
        """Take whether the exchange answered; tell when it does not, is lost, and is back."""
        if error is None:
            if self._away_since is not None:
                self.say("over", "the exchange answers again", time, "exchange")
            self._away_since, self._is_lost = None, False
        elif self._away_since is None:
            self._away_since = time
            self.say("exchange", str(error), time, "exchange")
        elif not self._is_lost and time - self._away_since > LOST:
            self._is_lost = True
            minutes = (time - self._away_since) // 60_000
            self.say("exchange_lost", f"the exchange has not answered for {minutes} minutes: {error}", time)

    def _standing(self, status: AccountStatus) -> Iterator[tuple[Subject, str]]:
        for name, why in status.breakers.items():
            yield ("breaker", name), f"breaker {name} tripped: {why}"
        for name, why in status.quarantined.items():
            yield ("quarantined", name), f"{name} failed and enters nothing any more: {why}"
        if status.paused:
            yield ("paused", ""), f"entries are paused: {status.paused}"
        for feed in status.feeds:
            if feed.stale:
                yield ("feed", feed.series), f"{feed.series}: the feed is silent; nothing is entered"
        for one in status.desk.standing if status.desk else ():
            if one.kind in TOLD:
                yield (one.kind, one.ref), f"{one.kind} {one.ref}".rstrip() + f": {one.why}"
        yield from self._differences(status)
        for held in status.positions:
            yield from self._near_stop(held)
        yield from self._near_limits(status)

    def _differences(self, status: AccountStatus) -> Iterator[tuple[Subject, str]]:
        lines = status.desk.disagreements if status.desk else ()
        if not lines:
            self._differs_since = None
            return
        self._differs_since = status.time if self._differs_since is None else self._differs_since
        if status.time - self._differs_since >= LASTS:
            yield ("difference", ""), f"books and exchange differ: {'; '.join(lines)}"

    def _near_stop(self, held: PositionStatus) -> Iterator[tuple[Subject, str]]:
        subject = "near_stop", f"{held.strategy} {held.symbol}"
        before = self._stands.get(subject)
        if held.price is None or held.stop is None or held.entry_price is None:
            # Of what is not known nothing has changed.
            if before is not None:
                yield subject, before
            return
        way = held.entry_price - held.stop
        # A stop that was moved beyond the entry protects a profit.
        if way * (1 if held.side == "long" else -1) <= 0:
            return
        if (held.entry_price - held.price) / way >= (NEAR if before is None else AWAY):
            what = f"{held.strategy} {held.side} {exact(held.amount)} {held.symbol}"
            prices = ", ".join(
                f"{name} {price(value)}"
                for name, value in (
                    ("now", held.price),
                    ("stop", held.stop),
                    ("entered at", held.entry_price),
                )
            )
            yield subject, f"{what} is near its stop: {prices}"

    def _near_limits(self, status: AccountStatus) -> Iterator[tuple[Subject, str]]:
        for use in status.uses:
            subject = "near_limit", use.limit
            if use.limit in LIMITS and use.most > 0 and use.used / use.most >= self._from(subject):
                about = f" ({use.about})" if use.about else ""
                yield subject, f"{use.limit}: {use.used:.1f} of {use.most:g} percent are used{about}"

    def _from(self, subject: Subject) -> float:
        # Told once, not each time that a price goes to and fro.
        return FAR if subject in self._stands else NEAR


def _over(kind: str, text: str) -> str:
    """Return what to say of what stands no longer; prices and shares of then would pass for those of now."""
    if kind == "near_limit":
        return f"{text.partition(': ')[0]} is no longer near its limit"
    return f"no longer: {text}"


def _slipped(executed: Executed, most_pct: float) -> str:
    """Return what to say of a fill that was worse than its order's price by more; blank for others."""
    intent, fill = executed.intent, executed.fill
    wanted, got = float(intent.price), float(fill.price)
    if not wanted > 0 or math.isnan(got):
        return ""
    worse = 100 * (got / wanted - 1) * (1 if fill.side == "buy" else -1)
    if worse <= most_pct + ROUNDING:
        return ""
    prices = f"{price(got)} instead of {price(wanted)}, {worse:.2f} % worse"
    return f"{intent.strategy} {fill.side} {exact(fill.amount)} {fill.symbol} at {prices}"
