"""The sockets under the streams: frames in and out, with aiohttp."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from socket import socket as Socket  # noqa: N812 -- a WebSocket is called so here
from threading import RLock
from typing import NamedTuple

from aiohttp import WSMsgType, web

from core.exchange_sim.stream_spoiler import SocketFrame
from core.exchange_sim.streams import SimConnection, SimStreams

RESET = "reset"

POLL = 0.02
"""Seconds between two looks at the exchange's clock while nothing else happens."""


class SocketHost(NamedTuple):
    """What a socket needs to know of the exchange."""

    streams: SimStreams
    now: Callable[[], int]
    lock: RLock
    """Held by whoever looks at the exchange or changes it."""


def is_socket(request: web.Request) -> bool:
    """Say whether a request wants to become a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def serve_socket(exchange: SocketHost, request: web.Request) -> web.StreamResponse:
    """Serve one WebSocket until either side ends it."""
    woken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(woken.set)

    with exchange.lock:
        connection = exchange.streams.connect(request.path, exchange.now(), wake)
    if connection is None:
        return web.Response(status=404)
    socket = web.WebSocketResponse(autoping=False, compress=False)
    pump: asyncio.Task[None] | None = None
    try:
        await socket.prepare(request)
        pump = asyncio.create_task(_pump(exchange, connection, request, socket, woken))
        await _listen(exchange, connection, socket)
    except ConnectionResetError:
        # Whoever dialled was gone before it was connected.
        return web.Response()
    finally:
        with exchange.lock:
            exchange.streams.leave(connection)
        if pump is not None:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
    return socket


async def _listen(exchange: SocketHost, connection: SimConnection, socket: web.WebSocketResponse) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            with exchange.lock:
                exchange.streams.hear(connection, message.data, exchange.now())
        elif message.type is WSMsgType.PING and connection.spoiler.answers_pings:
            await socket.pong(message.data)


async def _pump(
    exchange: SocketHost,
    connection: SimConnection,
    request: web.Request,
    socket: web.WebSocketResponse,
    woken: asyncio.Event,
) -> None:
    while True:
        with exchange.lock:
            exchange.streams.look(exchange.now())
            frames = connection.take()
        for frame in frames:
            if not await _sent(request, socket, frame):
                return
        try:
            await asyncio.wait_for(woken.wait(), POLL)
        except TimeoutError:
            continue
        woken.clear()


async def _sent(request: web.Request, socket: web.WebSocketResponse, frame: SocketFrame) -> bool:
    """Do something to the socket and say whether it is still open."""
    try:
        if frame.close:
            await socket.close(code=frame.close)
        elif frame.end == RESET:
            reset(request)
        elif frame.end and request.transport is not None:
            request.transport.close()
        elif frame.raw:
            await socket.send_frame(frame.raw, WSMsgType.TEXT)
        else:
            await socket.send_str(frame.text)
    except (ConnectionError, RuntimeError):
        # The other side is gone; whoever listens sees it too.
        return False
    return not (frame.close or frame.end)


def reset(request: web.Request) -> None:
    """End a connection with a RST."""
    if request.transport is not None:
        # Lingering for no time makes the kernel send RST instead of FIN.
        connection: Socket = request.transport.get_extra_info("socket")
        connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
