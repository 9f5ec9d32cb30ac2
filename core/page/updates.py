"""What has changed since somebody looked last: a document's differences, as small as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GONE = {"gone": True}
"""The change of a key that is there no longer."""


def changes(old: Any, new: Any) -> dict[str, Any] | None:
    """Return what `applied` in live.js makes the new document of the old one with; None for no change.

    `{"in": …}` has the changes of a mapping by key, `{"at": …}` those of a list as long as before by place,
    `{"is": …}` a value that stands in place of what was there.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = {key: GONE for key in old if key not in new}
        found |= {key: change for key in new if (change := _change(old, new, key)) is not None}
        return {"in": found} if found else None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        places = {str(i): change for i, pair in pairs if (change := changes(*pair)) is not None}
        return {"at": places} if places else None
    return None if old == new else {"is": new}


def _change(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    return changes(old[key], new[key]) if key in old else {"is": new[key]}
