"""What keeps entries back: a halt or hold until a person ends it, a doubt until books and exchange agree."""

from __future__ import annotations

from collections.abc import Iterable

from core.order_path.alerts import Alert, OnAlert
from core.order_path.journal_view import HALT, HOLD
from core.order_path.store import Store

TOLD = 1000
"""So much of what others did is remembered, to be told once."""


class Barrier:
    """Says whether a symbol may be entered. Exits never ask."""

    def __init__(self, store: Store, notify: OnAlert) -> None:
        """Take the store that keeps what holds after a restart."""
        self._store = store
        self._notify = notify
        self._doubted: dict[str, str] = {}
        """Symbols where nothing is entered until books and exchange agree, and why: they differ on its coins
        or its cash, or others did something there."""
        self._told: dict[str, None] = {}
        """What others did and a person was told, the newest of it."""
        self._others = False
        """Whether others did something since books and exchange were compared."""

    def why(self, symbol: str) -> str:
        """Return why nothing may be entered in a symbol now, blank when it may."""
        return self._store.mirror.stands_in_the_way(symbol) or self._doubted.get(symbol, "")

    def halt(self, ref: str, why: str) -> None:
        """Keep all entries back until a person releases them, and tell it."""
        self._store.flag(HALT, why)
        self._notify(Alert("halt", ref, why, critical=True))

    def hold(self, symbol: str, why: str) -> None:
        """Keep entries of a symbol back until a person accepts; who calls this tells why, once."""
        self._store.flag(HOLD + symbol, why)

    def release(self, symbol: str | None = None) -> None:
        """Let entries in a symbol go on, or after a halt all of them."""
        self._store.flag(HALT if symbol is None else HOLD + symbol, "")

    def halted(self) -> str:
        """Return why nothing is entered at all, blank when it is."""
        return self._store.mirror.cursors.get(HALT, "")

    def holds(self) -> dict[str, str]:
        """Return the symbols in which entries wait for a person, and why."""
        cursors = sorted(self._store.mirror.cursors.items())
        return {name.removeprefix(HOLD): why for name, why in cursors if why and name.startswith(HOLD)}

    def doubts(self) -> dict[str, str]:
        """Return the symbols in which entries wait until books and exchange agree, and why."""
        return dict(self._doubted)

    def doubt(self, symbols: Iterable[str], why: str) -> None:
        """Keep entries of these symbols back, and of no others, until books and exchange agree."""
        self._doubted = dict.fromkeys(symbols, why)

    def agreed(self) -> None:
        """Be told that books and exchange agree."""
        self._doubted, self._others = {}, False

    def others_did(self, kind: str, symbol: str, text: str) -> None:
        """Tell what others did, once, and keep entries of the symbol back until the books agree again."""
        self._others = True
        self._doubted[symbol] = f"{text}: nothing is entered until books and exchange agree"
        # An order of theirs can have many fills.
        if text not in self._told:
            self._notify(Alert(kind, symbol, text))
            self._told[text] = None
            if len(self._told) > TOLD:
                del self._told[next(iter(self._told))]

    def did_others(self) -> bool:
        """Return whether others did something since books and exchange were compared."""
        return self._others
