"""A clock that only tests move, and a small HTTP exchange that answers as it is told."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from core.exchange.calls import Notice, RetryPolicy
from core.exchange_client import ExchangeClient

NOON = 1_704_110_400_000
"""2024-01-01 12:00 UTC."""
KEY, SECRET = "public-key-0123456789", "private-secret-0123456789"


class FakeTime:
    """A clock in ms that moves only when somebody sleeps, and remembers for how long."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now
        self.stepped = 0
        """The local clock was set by so many ms."""
        self.slept: list[float] = []

    def clock(self) -> int:
        return self.now

    def local(self) -> int:
        """Return what the machine's own clock says, which somebody may have set."""
        return self.now + self.stepped

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1000)


class Reply(NamedTuple):
    """One HTTP answer; `fate` is what becomes of the connection."""

    body: str = ""
    status: int = 200
    headers: dict[str, str] = {}
    fate: str = "answer"
    """`answer`, `reset` (after the request was read), `cut` (half of the body), `late` (never) or
    `drip` (a byte every 20 ms, complete after 4 s)."""


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    params: dict[str, str]


def said(document: object, status: int = 200, **headers: str) -> Reply:
    """Return a JSON answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(json.dumps(document), status, named)


@dataclass
class TinyExchange:
    """Answers each path with what was queued for it, then with its standing answer."""

    url: str = ""
    queued: dict[str, deque[Reply]] = field(default_factory=dict)
    standing: dict[str, Reply] = field(default_factory=dict)
    requests: list[Asked] = field(default_factory=list)

    def queue(self, path: str, *replies: Reply) -> None:
        self.queued.setdefault(path, deque()).extend(replies)

    def reply(self, path: str) -> Reply:
        waiting = self.queued.get(path)
        if waiting:
            return waiting.popleft()
        return self.standing.get(path, said({"code": -1000, "msg": "not here"}, 404))

    def asked(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.requests if one[:2] == (method, path)]


MARKET: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
    "isSpotTradingAllowed": True,
    "permissions": ["SPOT"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0", "maxQty": "107.17"},
        {"filterType": "NOTIONAL", "minNotional": "10", "maxNotional": "9000000"},
    ],
}
HALTED = MARKET | {"symbol": "LTCUSDT", "baseAsset": "LTC", "status": "BREAK"}


@contextmanager
def tiny_exchange() -> Iterator[TinyExchange]:
    """Run a TinyExchange with one open and one halted market of Binance.US."""
    exchange = TinyExchange()
    exchange.standing["/api/v3/exchangeInfo"] = said({"symbols": [MARKET, HALTED]})
    exchange.standing["/api/v3/time"] = said({"serverTime": NOON})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            params = dict(parse_qsl(parts.query) + parse_qsl(body))
            exchange.requests.append(Asked(self.command, parts.path, params))
            send(self, exchange.reply(parts.path))

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    exchange.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Answer, or break the connection."""
    if reply.fate == "reset":
        # Lingering for no time makes the kernel send RST instead of FIN.
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()
        return
    if reply.fate == "late":
        # Wait for the other side to give up: its end of the connection closes.
        handler.connection.recv(1)
        handler.close_connection = True
        return
    data = reply.body.encode()
    if reply.fate == "drip":
        drip(handler.connection, b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + data.ljust(200))
        handler.close_connection = True
        return
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2] if reply.fate == "cut" else data)
    handler.close_connection = reply.fate == "cut"


def drip(connection: socket.socket, data: bytes) -> None:
    """Send byte by byte until all is sent or the other side has gone."""
    connection.settimeout(0.02)
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            if connection.recv(1) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return


@dataclass
class Bench:
    """A client and what it was told and did."""

    client: ExchangeClient
    time: FakeTime
    notices: list[Notice]


@contextmanager
def bench(url: str, name: str = "binanceus", time: FakeTime | None = None, **kwargs: Any) -> Iterator[Bench]:
    """Open a client of an address with a fake clock and even jitter."""
    moment = time or FakeTime()
    notices: list[Notice] = []
    keys = {"api_key": KEY, "api_secret": SECRET, "base_url": url, "retries": RetryPolicy(jitter=lambda: 1.0)}
    client = ExchangeClient(
        name,
        **{**keys, **kwargs},
        clock=moment.local,
        ticks=moment.clock,
        sleep=moment.sleep,
        notify=notices.append,
    )
    with client:
        yield Bench(client, moment, notices)
