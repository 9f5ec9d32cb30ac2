"""How a breaker ends trading, and what lets it go on: a value of its row, which settings may change."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from core.errors import UsageError


class ClosingScope(StrEnum):
    """What a breaker closes when it trips."""

    NOTHING = "nothing"
    DIRECTIONAL = "directional"
    """Positions of all strategies but ladders."""
    ALL = "all"


class WaitingRule(StrEnum):
    """What becomes of entries that wait for a price when a breaker trips."""

    WITHDRAW = "withdraw"
    KEEP = "keep"
    """They fill if their price comes."""


class Release(StrEnum):
    """What ends a breaker that tripped."""

    WINDOW = "window"
    """The next day, week or month of its loss; its name where it has none."""
    DAY_AFTER = "24h"
    """So long after it tripped; what it measures from begins anew then."""
    COMMAND = "command"
    """Its name alone."""
    SETTINGS = "settings"
    """Its name, once its limit or this setting is another one than when it tripped."""


class BreakerEnding(NamedTuple):
    """How a breaker ends trading; entries are refused anyway."""

    closes: ClosingScope = ClosingScope.NOTHING
    waiting: WaitingRule = WaitingRule.WITHDRAW
    release: Release = Release.WINDOW

    @property
    def is_by_name(self) -> bool:
        """Whether no time ends it."""
        return self.release in (Release.COMMAND, Release.SETTINGS)


Word = TypeVar("Word", bound=StrEnum)
PARTS: Final = ("closes", "waiting", "ends")
"""Of a breaker's ending, as settings call them: behind its name and an underscore."""


def setting_of(name: str, part: str) -> str:
    """Return the setting of a part of a breaker's ending."""
    return f"{name}_{part}"


def ending_of(
    name: str, usual: BreakerEnding, settings: Mapping[str, Any], *, has_window: bool = True
) -> BreakerEnding:
    """Return how a breaker ends trading by the settings; what they leave out is as usual.

    Raises UsageError for a word that is none, and for what contradicts itself.
    """
    closes, waiting, ends = (settings.get(setting_of(name, part)) for part in PARTS)
    ending = BreakerEnding(
        usual.closes if closes is None else _word(ClosingScope, name, "closes", closes),
        usual.waiting if waiting is None else _word(WaitingRule, name, "waiting", waiting),
        usual.release if ends is None else _word(Release, name, "ends", ends),
    )
    if ending.release is Release.WINDOW and not has_window:
        raise UsageError(f"risk.{name}_ends is window, but {name} has none: give command, settings or 24h")
    if ending.waiting is WaitingRule.KEEP and ending.closes is not ClosingScope.NOTHING:
        raise UsageError(
            f"risk.{name}_waiting is keep and risk.{name}_closes is {ending.closes}: what it keeps would be "
            f"closed once it fills; give withdraw, or {name}_closes: nothing"
        )
    return ending


def _word(kind: type[Word], name: str, part: str, value: object) -> Word:
    try:
        return kind(str(value))
    except ValueError:
        words = ", ".join(kind)
        raise UsageError(f"risk.{setting_of(name, part)}: wanted one of {words}, got {value!r}") from None
