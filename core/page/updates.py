"""What has changed since somebody looked last: a document's differences, as small as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GONE = 0
"""The change of a key that is there no longer."""

Change = list[Any] | dict[str, Any] | int


def changes(old: Any, new: Any) -> Change | None:
    """Return what `applied` in live.js makes the new document of the old one with; None for no change.

    A list of one is a value that stands in place of what was there; a mapping has the changes of a mapping by
    key, and those of a list as long as before by place.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found: dict[str, Any] = {key: GONE for key in old if key not in new}
        found |= {key: change for key in new if (change := _change(old, new, key)) is not None}
        return found or None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return {str(i): change for i, pair in pairs if (change := changes(*pair)) is not None} or None
    return None if old == new else [new]


def _change(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> Change | None:
    return changes(old[key], new[key]) if key in old else [new[key]]
