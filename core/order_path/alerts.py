"""What a person or a log should know of the orders; trouble with the exchange becomes one of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from core.errors import ExchangeError


class Alert(NamedTuple):
    """Something that a person or a log should know."""

    kind: str
    """exchange, unknown, refused, expired, retried, foreign, canceled, halt, adjusted, taken, exits, lost."""
    ref: str
    """The order, symbol or asset it is about; may be blank."""
    text: str
    critical: bool = False


OnAlert = Callable[[Alert], None]


def nobody(event: Alert) -> None:
    """Tell nobody."""
    del event


class Tolerant:
    """Tells trouble with the exchange instead of raising it: one thing's does not keep the others waiting."""

    def __init__(self, notify: OnAlert) -> None:
        self._notify = notify

    def __enter__(self) -> None:
        """Begin what may fail."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if not isinstance(error, ExchangeError):
            return False
        self._notify(Alert("exchange", "", str(error)))
        return True
