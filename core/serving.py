"""An HTTP server in a thread of its own until a block ends: the live page and the local exchange."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def serving(app: web.Application, listener: socket.socket, name: str) -> Iterator[None]:
    """Serve an application on a socket from a thread of this name until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(app, listener), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_stop(runner), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(app: web.Application, listener: socket.socket) -> web.AppRunner:
    log = logging.getLogger("hot_crypto.serving")
    log.addFilter(_is_ours)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, logger=log)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a fault is this program's: of requests that are none, anybody could fill a terminal."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


async def _stop(runner: web.AppRunner) -> None:
    await runner.cleanup()
    # What is left waits for clients that are gone: delays that nobody outlasted.
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
