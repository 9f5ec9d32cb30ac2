"""Where an account's orders go, and what moves with the market beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from core.account.lots import Lot
from core.account.orders import Approved, Intent, News, Protection, Refused
from core.domain import Bar


class MarketSide(Protocol):
    """What moves with the market: the only one beside the strategies that is shown bars."""

    def on_bars(self, bars: Sequence[Bar]) -> Sequence[News]:
        """Take bars that closed at one time; return what they bring where bars fill orders, as on paper."""
        ...


class OrderDesk(Protocol):
    """Where approved orders go, and what of the market's doing was booked; it is shown no bars."""

    @property
    def market(self) -> MarketSide:
        """What bars are shown to instead."""
        ...

    def submit(self, approved: Approved) -> Refused | None:
        """Take an order, or refuse it at once."""
        ...

    def protect(self, move: Protection) -> None:
        """Move the stops and takes of the lots that a strategy holds of a symbol."""
        ...

    def withdraw(self, held: tuple[str, str], keys: Collection[str], lots: Sequence[Lot]) -> None:
        """Forget entries that wait for a price, by key; `lots` are what the strategy holds of the symbol."""
        ...

    def waited(self, intent: Intent) -> int:
        """Return for how many bars an entry has waited for its price."""
        ...

    def booked(self, brought: Sequence[News]) -> Sequence[News]:
        """Book what the market brought; return it as it was booked, with what came in its own time."""
        ...
