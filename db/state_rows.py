"""What an account's state rows have to be: each carries a checksum of all that is in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

SEAL = "checksum"
"""Field of a run's status that holds the checksum of all the others; a status of before has none."""
_LEAVES = frozenset({str, int, float, bool, type(None)})
SELECT = "SELECT account, name, value_json, updated_at, checksum FROM live_state"

# Infinity and NaN are not JSON: nothing that stores them may pass.
_ENCODED = json.JSONEncoder(allow_nan=False, sort_keys=True, default=str).encode


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


def sealed(status: Mapping[str, Any]) -> str:
    """Return the text of a run's status, with its checksum."""
    text = as_text(status)
    # As it will be read: keys are text then, and may come in another order.
    plain = text if _is_named(status) else as_text(json.loads(text))
    seal = sha256(plain.encode()).hexdigest()
    return f'{text[:-1]}{", " if status else ""}"{SEAL}": "{seal}"}}'


def opened(text: str) -> dict[str, Any]:
    """Return the status that a run's row holds. Raises ValueError for what is not what was stored."""
    status = json.loads(text)
    if not isinstance(status, dict):
        raise ValueError("a status has names")
    if SEAL in status and status.pop(SEAL) != _seal_of(status):
        raise ValueError("its checksum is another")
    return status


def as_text(value: Any) -> str:
    """Return a value as JSON, the same text for equal values."""
    return _ENCODED(value)


def _is_named(value: Any) -> bool:
    """Return whether all keys within are text, so that a value comes out of its text as it went in."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and _is_named(one) for key, one in value.items())
    return all(map(_is_named, value)) if kind is list else kind in _LEAVES


def _seal_of(status: Mapping[str, Any]) -> str:
    return sha256(as_text(status).encode()).hexdigest()
