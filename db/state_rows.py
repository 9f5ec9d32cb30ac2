"""What an account's state rows have to be: each carries a checksum of all that is in it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

SELECT = "SELECT account, name, value_json, updated_at, checksum FROM live_state"


class StateRow(NamedTuple):
    """See LiveState."""

    account: str
    name: str
    value_json: str
    updated_at: int
    checksum: str

    def is_sound(self) -> bool:
        """Return whether it is what was stored."""
        return checksum_of(*self[:-1]) == self.checksum


def checksum_of(account: str, name: str, value_json: str, updated_at: int) -> str:
    """Return the checksum of a state row, in hex."""
    # With the lengths of what can hold anything, so that no two rows have one text.
    text = f"{updated_at} {len(str(account))} {account} {len(str(name))} {name} {value_json}"
    return sha256(text.encode(errors="backslashreplace")).hexdigest()


def changed(rows: Iterable[StateRow]) -> list[str]:
    """Return which state rows are not what was stored, a line each."""
    return [
        f"the state {row.name} of account {row.account} was changed" for row in rows if not row.is_sound()
    ]
