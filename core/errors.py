"""Every error this project raises on purpose.

    HotCryptoError                 exit code 1: the thing asked for is not so
    ├── NoDataError                no stored candles, no good row, too few bars
    ├── RefusedError               an order or a row was refused
    ├── UsageError                 exit code 2: wrong usage or configuration
    │   └── SettingsError          a file under config/, an environment variable
    ├── DatabaseError              exit code 3: the database cannot be used
    │   ├── NoDatabaseError        there is none where one was looked for: `name` is its file
    │   └── DatabaseLockedError    another program writes to it: nothing was done, it may be tried again
    └── ExchangeError              exit code 3: the exchange cannot be used
        ├── ExchangeUnreachableError   no connection, time-out, 5xx, cut or foreign answer
        ├── RateLimitedError           429, 418: `retry_after` seconds
        ├── AuthenticationError        key, signature, permission, clock
        ├── NotPermittedError          nobody permitted to sign requests for that address
        ├── UnsupportedError           the venue does not offer what was asked
        ├── OrderRefusedError          the venue said no; nothing is open
        │   └── InsufficientFundsError
        └── OrderUnknownError          sent, and nobody knows: look it up, never send it again

A message says what was wanted, what came, and what to do, in one line.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class HotCryptoError(Exception):
    """Base of all: what was asked for is not so."""

    exit_code = 1


class NoDataError(HotCryptoError):
    """There are no candles to do it with, or too few."""


class RefusedError(HotCryptoError):
    """Something was checked and turned down."""


class UsageError(HotCryptoError):
    """The command line names something that does not exist or cannot be."""

    exit_code = 2


class SettingsError(UsageError):
    """A configuration file or an environment variable is wrong."""


class DatabaseError(HotCryptoError):
    """The database is missing, locked, damaged, read-only or newer than this program."""

    exit_code = 3


class NoDatabaseError(DatabaseError):
    """There is no database where one was looked for."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name
        """The file that is not there."""


class DatabaseLockedError(DatabaseError):
    """Another program holds the database's write lock."""


class ExchangeError(HotCryptoError):
    """The exchange did not do what was asked."""

    exit_code = 3


class ExchangeUnreachableError(ExchangeError):
    """No usable answer: connection, time-out, 5xx, cut body, not JSON."""


class RateLimitedError(ExchangeError):
    """The venue asks for silence."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AuthenticationError(ExchangeError):
    """Key, signature, permission or clock."""


class NotPermittedError(ExchangeError):
    """A signed request would go where money may be real, and nobody permitted that; nothing was sent."""

    exit_code = 2


class UnsupportedError(ExchangeError):
    """The venue does not list the symbol or timeframe, or lacks the function."""

    exit_code = 2


class OrderRefusedError(ExchangeError):
    """The venue refused an order; nothing is open because of it."""

    exit_code = 1


class InsufficientFundsError(OrderRefusedError):
    """The account cannot pay the order."""


class OrderUnknownError(ExchangeError):
    """An order was sent and no answer says what became of it."""


def unknown_name(what: str, given: str, allowed: Iterable[str]) -> str:
    """Return the line for a name that does not exist, with the nearest one that does."""
    names = sorted(allowed)
    spellings = (given, given.upper(), given.lower())
    near = next(filter(None, (get_close_matches(one, names, n=1, cutoff=0.5) for one in spellings)), [])
    hint = f"did you mean {near[0]}? " if near else ""
    return f"unknown {what} {given!r}: {hint}known: {', '.join(names)}"
