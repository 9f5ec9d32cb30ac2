"""Events as lines of JSON in a file that is rotated; what is secret never gets there."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from core.live.events import Event

MOST_BYTES = 5 * 2**20
KEPT = 5
"""Older files beside the newest one."""
HIDDEN = "***"
_SECRET = re.compile(r"api_?key|secret|passw|passphrase|private_?key|token|credential", re.IGNORECASE)


class EventLog:
    """One account's log file."""

    def __init__(
        self,
        path: Path,
        secrets: Sequence[str] = (),
        notify: Callable[[str], object] = lambda _: None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Append to a file; `notify` is told once when that is not possible, and nothing ends because of it.

        `secrets` are texts that must not appear, wherever they stand.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._secrets = [secret for secret in secrets if secret]
        self._handler = _Handler(path, notify, most_bytes)

    def write(self, event: Event, now: int, **about: object) -> None:
        """Append one event, written at `now` (ms UTC)."""
        text = json.dumps({"written": now, **about, **_cleaned(event)}, default=str, allow_nan=True)
        for secret in self._secrets:
            text = text.replace(json.dumps(secret)[1:-1], HIDDEN)
        self._handler.emit(logging.makeLogRecord({"msg": text, "args": ()}))

    def close(self) -> None:
        """Write what is left and let the file go."""
        self._handler.close()


class _Handler(RotatingFileHandler):
    def __init__(self, path: Path, notify: Callable[[str], object], most_bytes: int) -> None:
        super().__init__(path, maxBytes=most_bytes, backupCount=KEPT, encoding="utf-8", delay=True)
        self._notify, self._has_failed = notify, False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - as logging calls it
        if not self._has_failed:
            self._has_failed = True
            self._notify(f"the log file {self.baseFilename} cannot be written; going on without it")


def _cleaned(value: Any, key: str = "") -> Any:
    if _SECRET.search(key):
        return HIDDEN
    if isinstance(value, dict):
        return {name: _cleaned(part, str(name)) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(part) for part in value]
    return value
