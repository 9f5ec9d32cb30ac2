"""One deadline for all that a server may take: whatever it says by then, its connection ends.

The time-out of a library begins anew with every byte, so that a slow drip never meets it; a name that is
looked up has none at all. So a talk is had in a thread of its own, and cut from outside.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class TimedLine:
    """The connection of one talk with a server."""

    def __init__(self) -> None:
        """Begin without a connection."""
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._is_cut = False

    def opened(self, connection: socket.socket) -> socket.socket:
        """Take a connection that was made for the talk and return it. Raises TimeoutError if it is over."""
        with self._lock:
            if self._is_cut:
                connection.close()
                raise TimeoutError("timed out")
            # A second handle: TLS takes the first one for its own.
            self._connections.append(connection.dup())
        return connection

    def within(self, seconds: float, talk: Callable[[], T]) -> T:
        """Return what a talk comes to; raise what it raises, and TimeoutError when it takes longer."""
        found: Future[T] = Future()

        def work() -> None:
            try:
                found.set_result(talk())
            except BaseException as error:  # Whoever waits for it gets it.
                found.set_exception(error)

        threading.Thread(target=work, name="alerts line", daemon=True).start()
        wait([found], seconds)
        is_late = not found.done()
        self._cut()
        if is_late:
            raise TimeoutError("timed out")
        return found.result()

    def _cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for connection in self._connections:
                # The other side may have ended it.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()
