"""/health and /metrics of a running loop, on this machine alone, from a thread of their own.

The loop leaves its status here, a frozen value, and goes on: a question never waits for it, nor it for one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from aiohttp import web

from core.errors import UsageError
from core.live.health import health_of
from core.live.metrics import CONTENT_TYPE, Looked, metrics_text
from core.live.status import AccountStatus
from core.page.guard import HEADERS, Keys, host_of, may_look
from core.serving import listen, serving

HOST = "127.0.0.1"


class _Last(NamedTuple):
    status: AccountStatus | None
    at: float
    looks: int


class Board:
    """Where a loop leaves what it said last; one value takes the place of another, so nobody waits."""

    def __init__(self, account: str, mode: str, clock: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._account, self._mode, self._clock = account, mode, clock
        self._last = _Last(None, clock(), 0)

    def tell(self, status: AccountStatus) -> None:
        """Be told by the loop that it has looked, and how the account stands."""
        self._last = _Last(status, self._clock(), self._last.looks + 1)

    def looked(self) -> Looked:
        """Return what the loop said last, and how long ago."""
        last = self._last
        silent = round(1000 * (self._clock() - last.at))
        return Looked(self._account, self._mode, last.status, silent, last.looks)


@contextmanager
def serve_health(board: Board, port: int) -> Iterator[str]:
    """Serve a board until the block ends; yield its address.

    Raises UsageError when the port cannot be listened on.
    """
    listener = listen(HOST, port, UsageError, "choose another with --health-port")
    app = web.Application(middlewares=[_guarded])
    app.router.add_get("/health", partial(_health, board))
    app.router.add_get("/metrics", partial(_metrics, board))
    with serving(app, listener, "health", HEADERS):
        yield f"http://{HOST}:{listener.getsockname()[1]}"


def health_document(looked: Looked) -> dict[str, Any]:
    """Return how a loop is, as /health answers it."""
    found = health_of(looked.status, looked.silent_ms)
    return {
        "healthy": found.is_healthy,
        "account": looked.account,
        "mode": looked.mode,
        "silent_ms": looked.silent_ms,
        "looks": looked.looks,
        "reasons": list(found.reasons),
        "notes": list(found.notes),
    }


@web.middleware
async def _guarded(request: web.Request, handler: Any) -> web.StreamResponse:
    # A page from elsewhere whose name leads here must not read the account.
    if why := may_look(host_of(request.headers), request.headers, Keys()):
        return web.Response(status=403, text=why)
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=error.reason)
    return response


async def _health(board: Board, _: web.Request) -> web.Response:
    document = health_document(board.looked())
    text = json.dumps(document, indent=2) + "\n"
    return web.Response(
        text=text, content_type="application/json", status=200 if document["healthy"] else 503
    )


async def _metrics(board: Board, _: web.Request) -> web.Response:
    return web.Response(body=metrics_text(board.looked()).encode(), headers={"Content-Type": CONTENT_TYPE})
