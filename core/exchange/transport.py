"""What every request to an exchange passes: a guard, rate limit, deadline, and a look at the answer.

It sits below ccxt, in the session its unmodified classes send through, so that nothing they do can go
around it: no other host, no signature where none is permitted, no redirect, no proxy, no request too many,
no answer that drips for ever.
"""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as BrokenConnection
from requests.exceptions import ConnectTimeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from core.errors import ExchangeError, ExchangeUnreachableError
from core.exchange.errors import LastAnswer
from core.exchange.permission import Guard
from core.exchange.rate_limit import READS, CallCosts, RateLimiter
from core.exchange.signing import Leaving
from core.utils import Clock, json_of

CONNECT_SECONDS = 5.0
"""The longest that one connection attempt may take."""
BRIEF_SECONDS = 2.0
"""The longest that a question may take while orders of another thread may wait for it."""
ORDER_PATIENCE = 2.0
"""Seconds an order may wait for the rate limit: a late order is a different order."""


class DeadlineStream(io.RawIOBase):
    """A socket's bytes, all of them before one deadline.

    The socket's own time-out starts anew with every byte, so that a slow drip never meets it.
    """

    def __init__(self, sock: socket.socket, seconds: float, monotonic: Callable[[], float]) -> None:
        self._sock = sock
        self._stream = sock.makefile("rb", buffering=0)
        self._monotonic = monotonic
        self._deadline = monotonic() + seconds

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there. Raises TimeoutError once the deadline has passed."""
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._stream.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._stream.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    """An answer whose status line, headers and body together keep the socket's time-out."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        # The transport below sets a time-out for every request.
        seconds = sock.gettimeout() or 0.0
        self.fp = io.BufferedReader(DeadlineStream(sock, seconds, time.monotonic))


class _Connection(HTTPConnection):
    response_class = _DeadlineResponse


class _TlsConnection(HTTPSConnection):
    response_class = _DeadlineResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Transport(HTTPAdapter):
    """The one way out of an exchange object, and what came back last."""

    def __init__(
        self,
        guard: Guard,
        limiter: RateLimiter,
        costs: Callable[[str, str], CallCosts],
        now: Clock,
        timeout: float,
    ) -> None:
        super().__init__()
        self.answer = LastAnswer()
        """The last answer; blank while none came to the last request."""
        self.sent = 0
        """Requests that may have reached the venue."""
        self.candle_source: str | None = None
        """What a local exchange says its candles are."""
        self._guard = guard
        self._venue = guard.permission.venue
        self._limiter = limiter
        self._costs = costs
        self._now = now
        self._timeout = timeout
        self._is_brief = False

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections whose answers keep a deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    @contextmanager
    def patience(self, *, is_brief: bool) -> Iterator[None]:
        """Wait for answers, and for the venue's budgets, as long as usual or only briefly."""
        before, self._is_brief = self._is_brief, is_brief or self._is_brief
        try:
            yield
        finally:
            self._is_brief = before

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send one request once and return its complete answer.

        Raises UnsupportedError for a host it may not go to, NotPermittedError when it is signed and its
        address is not in the permission, RateLimitedError when it would have to wait too long,
        ExchangeUnreachableError for an answer that is not JSON, and what requests raises.
        """
        method, url = request.method or "GET", request.url or ""
        self.answer = LastAnswer()
        self._guard.check(Leaving(method, url, request.headers or {}, request.body))
        costs = self._costs(method, url)
        self._limiter.acquire(costs, self._budget_patience(method, costs))
        # What was checked is where it goes: neither ccxt's settings nor the environment put a proxy between.
        kwargs["proxies"] = {}
        timeout = min(BRIEF_SECONDS, self._timeout) if self._is_brief else self._timeout
        kwargs["timeout"] = (min(CONNECT_SECONDS, timeout), timeout)
        response = self._send_once(request, args, kwargs)
        self._note(response, "")
        self._note(response, response.text)
        self._check_form(response)
        return response

    def _budget_patience(self, method: str, costs: CallCosts) -> float | None:
        """Return the seconds that a request may wait for its budget, None for as long as usual."""
        if self._is_brief:
            return BRIEF_SECONDS
        return None if method == "GET" or READS in costs else ORDER_PATIENCE

    def _send_once(self, request: PreparedRequest, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Response:
        self.sent += 1
        try:
            return super().send(request, *args, **kwargs)
        except BrokenConnection as error:
            if _never_connected(error):
                self.sent -= 1
            raise

    def _note(self, response: Response, text: str) -> None:
        response.encoding = "utf-8"
        pause = self._pause(response, text)
        self.answer = LastAnswer(response.status_code, text, pause)
        if pause is not None and response.status_code in (418, 429):
            self._limiter.silence(pause)
        used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isdecimal():
            self._limiter.observe("weight", int(used))
        self.candle_source = response.headers.get("X-Candle-Source", self.candle_source)

    def _pause(self, response: Response, text: str) -> float | None:
        """Return the seconds of silence an answer asks for: its header's, or the ban's in its text."""
        banned = re.search(r"banned until (\d{13})", text)
        until = (int(banned[1]) - self._now()) / 1000 if banned else None
        wanted = retry_after(response.headers.get("Retry-After", ""), self._now())
        waits = [seconds for seconds in (until, wanted) if seconds is not None]
        return max(0.0, *waits) if waits else None

    def _check_form(self, response: Response) -> None:
        if 300 <= response.status_code < 400:
            raise ExchangeError(
                f"{self._venue}: it answers with a redirect (HTTP {response.status_code}), which is never "
                "followed: check the base URL"
            )
        if response.status_code < 300 and not _is_document(response.text):
            raise ExchangeUnreachableError(
                f"{self._venue}: it answered HTTP {response.status_code} with something else than a "
                "complete JSON document; a proxy or a fault stands in between, try again later"
            )


def _is_document(text: str) -> bool:
    try:
        return isinstance(json_of(text), dict | list)
    except ValueError:
        return False


def retry_after(text: str, now: int) -> float | None:
    """Return the seconds in a Retry-After header, which holds a number or a date; None for neither."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return parsedate_to_datetime(text).timestamp() - now / 1000
    except ValueError:
        return None


def _never_connected(error: BrokenConnection) -> bool:
    """Return whether no connection was made, so that nothing can have arrived."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, ConnectTimeout) or isinstance(reason, NewConnectionError | NameResolutionError)
