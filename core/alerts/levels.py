"""Which event has which level: the one table of all that is told to a person who does not look."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class AlertLevel(StrEnum):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(NamedTuple):
    """One kind of event."""

    level: AlertLevel
    meaning: str
    """For a person, in a few words."""


_INFO, _WARNING, _CRITICAL = AlertLevel

KINDS: dict[str, AlertKind] = {
    "fill": AlertKind(_INFO, "an order was filled"),
    "trade": AlertKind(_INFO, "a position was closed, by its rule or its take"),
    "start": AlertKind(_INFO, "the loop begins"),
    "end": AlertKind(_INFO, "the loop ended as it was told to"),
    "expired": AlertKind(_INFO, "an order was too late and was not sent"),
    "canceled": AlertKind(_INFO, "others cancelled an order of ours"),
    "report": AlertKind(_INFO, "the daily report"),
    "waits": AlertKind(_INFO, "an entry waits for room in what the exchange allows of orders"),
    "stop": AlertKind(_WARNING, "a stop closed a position"),
    "near_stop": AlertKind(_WARNING, "a price has come most of the way from its entry to its stop"),
    "near_limit": AlertKind(_WARNING, "most of a limit is used"),
    "slippage": AlertKind(
        _WARNING, "a fill was worse than its order's price by more than alerts.slippage_pct"
    ),
    "exchange": AlertKind(_WARNING, "the exchange did not do what was asked"),
    "refused": AlertKind(_WARNING, "the exchange refused an order, or the market did not take all of it"),
    "unknown": AlertKind(_WARNING, "nobody knows yet what became of an order"),
    "retried": AlertKind(_WARNING, "an order that never arrived is sent again"),
    "foreign": AlertKind(_WARNING, "somebody else trades on the account"),
    "adjusted": AlertKind(_WARNING, "the books follow the exchange in an asset"),
    "taken": AlertKind(_WARNING, "others took some of what the account counts on"),
    "feed": AlertKind(_WARNING, "a symbol's feed is silent: nothing is entered in it"),
    "clock": AlertKind(_WARNING, "this machine's clock moved, or is not the exchange's"),
    "locked": AlertKind(_WARNING, "another program holds the database: what was decided waits"),
    "hold": AlertKind(_WARNING, "nothing is entered in a symbol until a person says so"),
    "paused": AlertKind(_WARNING, "nothing is entered: a person paused the account"),
    "over": AlertKind(_WARNING, "what a warning or worse was about is over"),
    "silent_end": AlertKind(_WARNING, "the loop before this one left no word of its end"),
    "missed": AlertKind(_WARNING, "messages that could not be sent"),
    "halt": AlertKind(_CRITICAL, "nothing is sent any more"),
    "breaker": AlertKind(_CRITICAL, "a breaker tripped"),
    "exits": AlertKind(_CRITICAL, "an exit is refused again and again"),
    "difference": AlertKind(_CRITICAL, "books and exchange differ"),
    "quarantined": AlertKind(_CRITICAL, "a strategy failed and enters nothing any more"),
    "lost": AlertKind(_CRITICAL, "an order is not what the journal says"),
    "exchange_lost": AlertKind(_CRITICAL, "the exchange has not answered for more than 5 minutes"),
    "damage": AlertKind(_CRITICAL, "the loop ended because of its database"),
    "failed": AlertKind(_CRITICAL, "the loop ended with an error"),
    "hung": AlertKind(_CRITICAL, "the loop came to no end of a step, and its process was ended"),
}
"""Every kind, by its name."""


class Message(NamedTuple):
    """Something to tell."""

    kind: str
    """One of KINDS."""
    text: str
    time: int
    """ms UTC."""
    ref: str = ""
    """What it is about, such as a symbol or a breaker: of one kind and one thing the newest counts."""
    level: AlertLevel = AlertLevel.INFO

    @property
    def subject(self) -> tuple[str, str]:
        """Messages of one subject are folded into one."""
        return self.kind, self.ref or self.text


def message(kind: str, text: str, time: int, ref: str = "", *, critical: bool = False) -> Message:
    """Return what to tell, with its kind's level; `critical`: whoever tells it knows that it is worse."""
    return Message(kind, text, time, ref, AlertLevel.CRITICAL if critical else KINDS[kind].level)
