"""An HTTP server in a thread of its own until a block ends: the live page and the local exchange."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from core.errors import HotCryptoError


def listen(host: str, port: int, wrong: type[HotCryptoError], advice: str) -> socket.socket:
    """Return a socket that listens, port 0 for any free one.

    Raises `wrong`, with what to do as `advice`, when that cannot be.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, ValueError, TypeError) as error:
        # Of a name that no machine can have Python says that it is no value, or of no type.
        listener.close()
        number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)
        if number == errno.EADDRINUSE:
            why = "the port is in use"
        raise wrong(f"cannot serve on {host}:{port}: {why}; {advice}") from None
    listener.listen()
    return listener


class _Handler(web.RequestHandler):
    """Answers on one connection; what aiohttp says of requests that are none has the headers of all else."""

    def __init__(self, headers: Mapping[str, str], manager: web.Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self._headers = headers

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return what is answered where no handler was asked, or one failed."""
        answer = super().handle_error(request, status, exc, message)
        answer.headers.update(self._headers)
        return answer


@contextmanager
def serving(
    app: web.Application, listener: socket.socket, name: str, headers: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Serve an application on a socket from a thread of this name until the block ends.

    Every answer has `headers`, whoever made it.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    started = asyncio.run_coroutine_threadsafe(_start(app, listener, headers or {}), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_stop(*started), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(
    app: web.Application, listener: socket.socket, headers: Mapping[str, str]
) -> tuple[web.AppRunner, asyncio.Server]:
    async def add(_: web.Request, answer: web.StreamResponse) -> None:
        answer.headers.update(headers)

    app.on_response_prepare.append(add)
    log = logging.getLogger("hot_crypto.serving")
    log.addFilter(_is_ours)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    # It is there once the runner is set up.
    manager, loop = cast("web.Server", runner.server), asyncio.get_running_loop()

    def handler() -> _Handler:
        return _Handler(headers, manager, loop=loop, logger=log, access_log=None)

    # A site of aiohttp's would have handlers of its own, and their answers to what is no request no headers.
    return runner, await loop.create_server(handler, sock=listener)


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a fault is this program's: of requests that are none, anybody could fill a terminal."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


async def _stop(runner: web.AppRunner, server: asyncio.Server) -> None:
    server.close()
    await runner.cleanup()
    # What is left waits for clients that are gone: delays that nobody outlasted.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
