"""The account's past in a file: what was accepted and when, so that a restarted exchange knows it again.

The market is computed and the account follows from what it was told at which moment, so the file holds
just that: a first line that says what the exchange was, and one line for each accepted change.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from core.errors import UsageError
from core.exchange_sim.accounts import AccountConfig


class AccountChange(NamedTuple):
    """One accepted request that changed the account."""

    now: int
    """ms UTC."""
    method: str
    path: str
    params: dict[str, str]


Remember = Callable[[AccountChange], None]


class StateFile:
    """A file that is read once and then only grows."""

    def __init__(self, path: Path, kind: str, seed: int, account: AccountConfig) -> None:
        """Open or make the file. Raises UsageError when it is no state of this very exchange."""
        balances = {asset: str(amount) for asset, amount in sorted(account.balances.items())}
        fees = [str(account.maker), str(account.taker)]
        self._first = json.dumps({"exchange": kind, "seed": seed, "balances": balances, "fees": fees})
        self._path = path
        self.changes: list[AccountChange] = []
        """What the file held when it was opened, oldest first."""
        try:
            if path.exists() and not path.is_file():
                raise self._unusable("it is no file but a folder, a pipe or a device")
            self._file = path.open("a+", encoding="utf-8")
        except (OSError, ValueError) as error:
            raise self._unusable(getattr(error, "strerror", None) or str(error)) from None
        try:
            self._read()
        except UsageError:
            self._file.close()
            raise

    def append(self, change: AccountChange) -> None:
        """Write one change, before its answer leaves."""
        self._file.write(json.dumps(change) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> None:
        self._file.seek(0)
        try:
            text = self._file.read()
        except UnicodeDecodeError:
            raise self._unusable("it is no text") from None
        # Whoever was killed while writing left half a line, whose answer was never sent.
        whole = text[: text.rfind("\n") + 1]
        if text and not whole.startswith(self._first + "\n"):
            raise self._unusable("it is no state of this exchange, with this seed, these balances and fees")
        try:
            self.changes = [AccountChange(*json.loads(line)) for line in whole.splitlines()[1:]]
        except (ValueError, TypeError) as error:
            raise self._unusable(f"a line of it is none of its own ({error})") from None
        self._file.truncate(len(whole.encode()))
        if not whole:
            self._file.write(self._first + "\n")
            self._file.flush()

    def _unusable(self, why: str) -> UsageError:
        return UsageError(f"cannot keep the account in {self._path}: {why}; name another file")
