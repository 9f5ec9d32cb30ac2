"""How patient and how strict the order path is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Policy:
    """What an account may set of it."""

    absences: int = 2
    """So many times an order must be missing, once its absence is final, to count as never placed."""
    lost_after: int = 10
    """So many times an accepted order must be missing to be given to a person, a list to be done without."""
    overlap: int = 20
    """So many booked fills are read again each time, for late ones among them."""
    settle_ms: int = 5000
    """A difference of balances must last so long to be believed."""
    resting_ms: int = 3000
    """A stop that rests is looked up no more often than this."""
    list_from: int = 3
    """From so many of them on, all open orders are asked for at once."""
    retry_ms: int = 1000
    """Pause before an order that was certainly not placed is tried again; doubled each time …"""
    retry_most_ms: int = 60_000
    """… up to this."""
    retries: int = 3
    """So many times is an entry, or a part of an order, tried again; any other exit while it is worth it."""
    tail: int = 1000
    """So many of the newest journal entries are verified at the start."""
    reduce_only: bool = True
    """Cut what makes a position smaller to what is left of it."""
    dust: Mapping[str, Decimal] = field(default_factory=dict)
    """By asset: a smaller difference of balances is adjusted without holding anything."""
