"""JSON to a web address and back: one deadline, no redirect, and never an address in a message or a log.

The address of a bot or a webhook is a secret, and libraries write addresses into their errors and logs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.exceptions import SSLError, Timeout

from core.alerts.lane import NotSentError
from core.utils import json_of

TIMEOUT = 10.0
"""Seconds that an answer may take, all of it."""
LARGEST = 1_000_000
"""Bytes of an answer that are read."""


class WebAnswer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    retry_after: str

    def document(self) -> Any:
        """Return the JSON in it, None for anything else."""
        try:
            return json_of(self.body)
        except ValueError:
            return None


class Web:
    """Sends requests, one at a time."""

    def __init__(self, timeout: float = TIMEOUT, clock: Callable[[], float] = time.monotonic) -> None:
        """Take seconds, and the clock that measures them."""
        self._timeout, self._clock = timeout, clock
        self._session = requests.Session()
        # Its DEBUG lines have the path of every request.
        pools = logging.getLogger("urllib3.connectionpool")
        pools.setLevel(max(pools.level, logging.INFO))

    def post(self, url: str, document: Mapping[str, Any], *, longer: float = 0.0) -> WebAnswer:
        """Send a document; `longer`: the answer may take so many seconds more.

        Raises NotSentError when no answer came, whatever it says.
        """
        return self._asked("POST", url, document, self._timeout + longer)

    def options(self, url: str) -> WebAnswer:
        """Ask what an address would take, which does nothing there. Raises NotSentError as `post` does."""
        return self._asked("OPTIONS", url, None, self._timeout)

    def _asked(self, method: str, url: str, document: Mapping[str, Any] | None, seconds: float) -> WebAnswer:
        until = self._clock() + seconds
        try:
            with self._session.request(
                method, url, json=document, timeout=seconds, allow_redirects=False, stream=True
            ) as response:
                body = bytearray()
                for chunk in response.iter_content(65_536):
                    body += chunk
                    if len(body) > LARGEST or self._clock() > until:
                        raise NotSentError(f"no whole answer in {seconds:g} s")
                return WebAnswer(response.status_code, bytes(body), response.headers.get("Retry-After", ""))
        except Timeout:
            raise NotSentError(f"no answer in {seconds:g} s") from None
        except SSLError:
            raise NotSentError("its certificate is not trusted") from None
        except (OSError, ValueError):
            raise NotSentError("no connection") from None

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()


def host_of(url: str) -> str:
    """Return the host in an address, and neither user, password nor path of it; blank when there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


LATER = (408, 425, 429)
"""Answers below 500 after which the same may work later."""


def check_taken(answer: WebAnswer, why: str = "") -> None:
    """Raise NotSentError unless an answer says that all went well; `why`: in whose words it did not."""
    if 200 <= answer.status < 300:
        return
    said = f"it answered {answer.status}" + (f", {why}" if why else "")
    wait = (
        min(float(answer.retry_after), 3600.0)
        if answer.retry_after.isascii() and answer.retry_after.isdigit()
        else 0.0
    )
    raise NotSentError(said, is_final=answer.status < 500 and answer.status not in LATER, wait=wait)
