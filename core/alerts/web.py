"""JSON to a web address and back: one deadline, no redirect, and never an address in a message or a log.

The address of a bot or a webhook is a secret, and libraries write addresses into their errors and logs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import SSLError, Timeout

from core.alerts.lane import NotSentError
from core.alerts.line import TimedLine
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


class _Adapter(HTTPAdapter):
    """Makes each connection one of a line."""

    def __init__(self, line: TimedLine) -> None:
        self._line = line
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return what makes connections to a host, by a proxy too."""
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        kind, line = pool.ConnectionCls, self._line

        def made(**given: Any) -> Any:
            connection: Any = kind(**given)
            connect = connection._new_conn
            connection._new_conn = lambda: line.opened(connect())
            return connection

        pool.ConnectionCls = made  # type: ignore[assignment]
        return pool


class Web:
    """Sends requests, each by a connection of its own."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        """Take seconds."""
        self._timeout = timeout
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
        line = TimedLine()

        def talk() -> WebAnswer:
            with requests.Session() as session:
                for scheme in ("http://", "https://"):
                    session.mount(scheme, _Adapter(line))
                return _answer(
                    session.request(
                        method, url, json=document, timeout=seconds, allow_redirects=False, stream=True
                    )
                )

        try:
            return line.within(seconds, talk)
        except (TimeoutError, Timeout):
            raise NotSentError(f"no answer in {seconds:g} s") from None
        except SSLError:
            raise NotSentError("its certificate is not trusted") from None
        except (OSError, ValueError):
            raise NotSentError("no connection") from None


def _answer(response: requests.Response) -> WebAnswer:
    body = bytearray()
    for chunk in response.iter_content(65_536):
        body += chunk
        if len(body) > LARGEST:
            raise NotSentError(f"its answer is longer than {LARGEST:,} bytes")
    return WebAnswer(response.status_code, bytes(body), response.headers.get("Retry-After", ""))


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
