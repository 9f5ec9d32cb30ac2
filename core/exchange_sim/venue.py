"""What a venue is to the server: a function from a request and the time to an answer."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Protocol

from core.errors import RefusedError

Json = dict[str, Any]
"""A body, as it is before it is written."""


class SimRequest(NamedTuple):
    """One HTTP request as it arrived."""

    method: str
    path: str
    params: dict[str, str]
    """Of the query string and, for the names it lacks, of the form in the body."""
    payload: str = ""
    """The text that is signed: the query string and the body behind it, as they came."""
    key: str = ""
    """Of the header that names the account."""
    sign: str = ""
    """The signature, where a header carries it."""


class SimAnswer(NamedTuple):
    """One HTTP answer, before any fault."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class SimVenue(Protocol):
    """One exchange's wire protocol."""

    def answer(self, request: SimRequest, now: int) -> SimAnswer:
        """Return the answer at `now`, ms UTC."""

    def arrive(self, request: SimRequest, now: int) -> None:
        """Take notice of a request that is on its way and answered later."""


class RequestRefused(RefusedError):  # noqa: N818 - an answer on the wire, never shown to the user
    """Ends a request with an error body; caught by the venue that raised it."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def as_json(value: object, status: int = 200) -> SimAnswer:
    """Return a JSON answer."""
    return SimAnswer(status, json.dumps(value, separators=(",", ":")).encode())


def page(status: int, title: str) -> SimAnswer:
    """Return an HTML answer, as front ends and firewalls send it."""
    html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return SimAnswer(status, html.encode(), "text/html")
