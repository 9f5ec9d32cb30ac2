"""Events as lines of JSON in a file that is rotated; what is secret never gets there."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from core.secrecy import HIDDEN

MOST_BYTES = 5 * 2**20
KEPT = 5
"""Older files beside the newest one."""
_SECRET = re.compile(r"api_?key|secret|passw|passphrase|private_?key|token|credential", re.IGNORECASE)


class EventLog(RotatingFileHandler):
    """One account's log file: a handler of records that may carry an `event` (core.live.events)."""

    def __init__(
        self,
        path: Path,
        about: Mapping[str, object],
        secrets: Sequence[str] = (),
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Append to a file; each line also has what is in `about`. Of `secrets` none may appear anywhere."""
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=most_bytes, backupCount=KEPT, encoding="utf-8", delay=True)
        self._about, self._has_failed = dict(about), False
        self._secrets = [secret for secret in secrets if secret]

    def _open(self) -> TextIOWrapper:
        """Open the file, a new one for its owner alone: it shows what is held."""
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(opened, "a", encoding="utf-8")

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of JSON; without an event it is a notice."""
        event = getattr(record, "event", None) or {"event": "notice", "text": record.getMessage()}
        written = {"written": round(record.created * 1000), **self._about}
        text = json.dumps({**written, **_cleaned(event)}, default=str)
        for secret in self._secrets:
            text = text.replace(json.dumps(secret)[1:-1], HIDDEN)
        return text

    def close(self) -> None:
        """Close the file; what a full disk did not take is lost, and that was said."""
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as logging calls it
        """Say once that the file cannot be written; nothing ends because of it."""
        if not self._has_failed:
            self._has_failed = True
            said = "the log file %s cannot be written; going on without it"
            logging.getLogger(record.name).warning(said, self.baseFilename)


def _cleaned(value: Any, key: str = "") -> Any:
    if _SECRET.search(key):
        return HIDDEN
    if isinstance(value, dict):
        return {name: _cleaned(part, str(name)) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(part) for part in value]
    return value
