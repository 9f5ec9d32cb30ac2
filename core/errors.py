"""Every error this project raises on purpose.

    HotCryptoError                 exit code 1: the thing asked for is not so
    ├── NoDataError                no stored candles, no good row, too few bars
    ├── RefusedError               an order or a row was refused
    ├── UsageError                 exit code 2: wrong usage or configuration
    │   └── SettingsError          a file under config/, an environment variable
    ├── DatabaseError              exit code 3: the database cannot be used
    │   ├── NoDatabaseError        there is none where one was looked for: `name` is its file
    │   └── DatabaseLockedError    another program writes to it: nothing was done, it may be tried again
    ├── ClusterError               exit code 3: the scheduler or its workers cannot be used
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

import math
from contextlib import suppress
from decimal import Decimal
from difflib import SequenceMatcher, get_close_matches
from numbers import Real
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


class ClusterError(HotCryptoError):
    """Nobody answers where other machines were to work, or nobody works there."""

    exit_code = 3


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


MOST_NAMED, NAMED = 40, 6
"""A line lists all known names up to so many; of more it lists those most like the one given."""


def unknown_name(what: str, given: str, allowed: Iterable[str]) -> str:
    """Return the line for a name that does not exist, with the nearest one that does, and the known ones."""
    names = sorted(allowed)
    spellings = (given, given.upper(), given.lower())
    matches = (one for text in spellings for one in get_close_matches(text, names, n=3, cutoff=0.5))
    near = next((one for one in matches if any(_is_near(text, one) for text in spellings)), None)
    hint = f"did you mean {near}? " if near else ""
    if len(names) <= MOST_NAMED:
        return f"unknown {what} {given!r}: {hint}known: {', '.join(names)}"
    alike = sorted(names, key=lambda name: -SequenceMatcher(None, given.upper(), name.upper()).ratio())[
        :NAMED
    ]
    return (
        f"unknown {what} {given!r}: {hint}known: {', '.join(sorted(alike))} and {len(names) - NAMED} others"
    )


def _is_near(given: str, name: str) -> bool:
    """Tell whether names are alike in what they do not begin with alike: HOT_CRYPTO_RISK_ says nothing."""
    pairs = enumerate(zip(given, name, strict=False))
    alike = next((n for n, (one, other) in pairs if one != other), min(len(given), len(name)))
    begun = max(given.rfind(mark, 0, alike) for mark in "_.") + 1
    return SequenceMatcher(None, given[begun:], name[begun:]).ratio() >= 0.5


def nearest(what: str, given: str, allowed: Iterable[str], holder: str) -> str:
    """Return the line for a name that is not among many: the nearest ones and how many there are.

    `holder` says who has them, as in `binanceus lists`.
    """
    names = {name.upper(): name for name in sorted(allowed)}
    near = [names[match] for match in get_close_matches(given.upper(), names, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown {what} {given!r}: {hint}{holder} {len(names)}"


def number(
    what: str,
    value: object,
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: float | None = None,
    or_unknown: bool = False,
) -> float:
    """Return a finite number within bounds; with `or_unknown` also NaN and the infinite, whatever the bounds.

    Raises UsageError that names `what`, which numbers were wanted, and what came.
    """
    is_number, found = isinstance(value, Real | Decimal) and not isinstance(value, bool), math.nan
    with suppress(OverflowError, ValueError):
        # Of a whole number too large for a float, and of a decimal that signals that it is none.
        found = float(value) if is_number else math.nan  # type: ignore[arg-type]
    if is_number and or_unknown and not math.isfinite(found):
        return found
    # Written so that NaN, which is neither more nor less, is refused.
    if math.isfinite(found) and least <= found <= most and (above is None or found > above):
        return found
    low = f" above {above:g}" if above is not None else f" from {least:g}" if least > -math.inf else ""
    high = "" if most == math.inf else f" {'and at most' if above is not None else 'to'} {most:g}"
    up = " up" if low and not high and above is None else ""
    raise UsageError(f"{what}: wanted a number{low}{high}{up}, got {value!r}")
