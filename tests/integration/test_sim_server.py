"""The local exchange over real sockets, seen by a client that hides nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from core.errors import ExchangeError
from core.exchange_sim.faults import KINDS, Fault, FaultSchedule
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.exchange_sim.synthetic import SyntheticSource
from tests.sim import HOUR, MINUTE, NOON, hand_made, steps_of

SOURCE = SyntheticSource(7)
KLINES = "/api/v3/klines?" + urlencode({"symbol": "BTCUSDT", "interval": "1h", "limit": 20})


@pytest.fixture
def sim() -> Iterator[RunningSim]:
    with serve(SimConfig(source=SOURCE, clock=lambda: NOON)) as running:
        yield running


class Got:
    """One answer as a plain client sees it."""

    def __init__(self, sim: RunningSim, path: str, method: str = "GET", body: str | None = None) -> None:
        with closing(http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=10)) as connection:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body, form if body else {})
            with closing(connection.getresponse()) as response:
                self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def said(self) -> Any:
        return json.loads(self.body)


def test_it_listens_on_loopback_on_a_free_port_and_stops_when_left() -> None:
    with serve(SimConfig(source=SOURCE)) as sim:
        assert sim.url.startswith("http://127.0.0.1:")
        assert Got(sim, "/api/v3/ping").said == {}
    with pytest.raises(ConnectionRefusedError):
        Got(sim, "/api/v3/ping")
    assert "exchange-sim" not in [thread.name for thread in threading.enumerate()]


def test_a_port_in_use_is_one_line_and_exit_code_3(sim: RunningSim) -> None:
    port = urlsplit(sim.url).port or 0
    with (
        pytest.raises(ExchangeError, match=f"127.0.0.1:{port}: the port is in use") as error,
        serve(SimConfig(port)),
    ):
        pass
    assert error.value.exit_code == 3


def test_a_port_that_may_not_be_used_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    with pytest.raises(ExchangeError, match="Permission denied"), serve(SimConfig(80)):
        pass


@pytest.mark.parametrize(
    "path", ["/api/v3/time", "/api/v3/klines", "/api/v3/account", "/0/public/Time", "/anything"]
)
def test_every_answer_says_where_the_candles_come_from(sim: RunningSim, path: str) -> None:
    assert Got(sim, path).headers["X-Candle-Source"] == "synthetic"


def test_stored_candles_are_not_called_synthetic() -> None:
    source = hand_made(steps_of(5, MINUTE))
    with serve(SimConfig(source=source, clock=lambda: NOON + HOUR)) as sim:
        assert sim.kind == "csv"
        assert Got(sim, "/api/v3/time").headers["X-Candle-Source"] == "csv"
        assert [row["symbol"] for row in Got(sim, "/api/v3/exchangeInfo").said["symbols"]] == ["BTCUSDT"]


def test_without_a_source_the_seed_makes_the_candles() -> None:
    with (
        serve(SimConfig(seed=7, clock=lambda: NOON)) as sim,
        serve(SimConfig(seed=8, clock=lambda: NOON)) as other,
    ):
        mine = Got(sim, KLINES).said
        assert mine[-1][0] == NOON
        assert mine != Got(other, KLINES).said


def test_markets_of_ones_own_can_be_listed() -> None:
    with serve(SimConfig(markets=(SimMarket("ADA/USDT", 4, 1),), clock=lambda: NOON)) as sim:
        assert [row["symbol"] for row in Got(sim, "/api/v3/ticker/price").said] == ["ADAUSDT"]


def test_whoever_is_gone_before_all_was_sent_is_no_error(
    sim: RunningSim, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(sim.url)
    head = b"POST /0/private/AddOrder HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nnonce=1"
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port)) as gone:
            gone.sendall(head)
            # Lingering for no time makes the kernel send RST instead of FIN.
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert Got(sim, "/api/v3/ping").said == {}
    assert [one.path for one in sim.requests] == ["/api/v3/ping"]
    assert caplog.text == ""


@pytest.mark.unmeasured
def test_whoever_is_gone_before_its_answer_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    is_asked, is_gone = threading.Event(), threading.Event()

    async def until_it_is_gone(seconds: float) -> None:
        is_asked.set()
        while not is_gone.is_set():
            await asyncio.sleep(0)
        # Twice round, so that the connection's end has been seen.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    config = SimConfig(source=SOURCE, faults=[Fault("late_answer")], pause=until_it_is_gone)
    with serve(config) as sim:
        address = urlsplit(sim.url)
        with socket.create_connection((address.hostname, address.port)) as gone:
            gone.sendall(f"GET {KLINES} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert is_asked.wait(10)
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        is_gone.set()
        assert Got(sim, "/api/v3/ping").said == {}
    assert caplog.text == ""


def test_requests_are_logged_with_query_and_form(sim: RunningSim) -> None:
    Got(sim, "/api/v3/klines?symbol=BTCUSDT&interval=1h")
    Got(sim, "/api/v3/order?symbol=A", "POST", "symbol=B&side=BUY")
    assert sim.requests == [
        ("GET", "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h"}),
        ("POST", "/api/v3/order", {"symbol": "A", "side": "BUY"}),
    ]


def test_of_very_many_requests_only_the_newest_stay_logged(
    sim: RunningSim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.exchange_sim.server.MOST_LOGGED", 2)
    for n in range(5):
        Got(sim, f"/api/v3/klines?limit={n}")
    assert [logged.params["limit"] for logged in sim.requests] == ["2", "3", "4"]


def test_clock_and_skew_can_be_changed_while_it_runs(sim: RunningSim) -> None:
    assert Got(sim, "/api/v3/time").said == {"serverTime": NOON}
    sim.skew_ms = -1500
    assert Got(sim, "/api/v3/time").said == {"serverTime": NOON - 1500}
    sim.skew_ms, sim.clock = 0, lambda: NOON + HOUR
    assert Got(sim, KLINES).said[-1][0] == NOON + HOUR


def test_a_reset_before_processing_reaches_nobody(sim: RunningSim) -> None:
    sim.set_faults([Fault("reset_before", path="ping")])
    with pytest.raises(ConnectionResetError):
        Got(sim, "/api/v3/ping")
    assert Got(sim, "/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"] == "1"


def test_a_reset_after_processing_was_processed(sim: RunningSim) -> None:
    sim.set_faults([Fault("reset_after", path="ping")])
    with pytest.raises(ConnectionResetError):
        Got(sim, "/api/v3/ping")
    assert Got(sim, "/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"] == "2"


def test_a_cut_body_is_shorter_than_announced(sim: RunningSim) -> None:
    sim.set_faults([Fault("cut")])
    with pytest.raises(http.client.IncompleteRead) as cut:
        Got(sim, KLINES)
    whole = Got(sim, KLINES).body
    assert whole.startswith(cut.value.partial)
    assert len(cut.value.partial) == len(whole) // 2


def test_a_delay_is_as_long_as_it_says() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    config = SimConfig(source=SOURCE, faults=[Fault("delay", seconds=9.5)], pause=sleep)
    with serve(config) as sim:
        assert Got(sim, "/api/v3/ping").said == {}
    assert slept == [9.5]


def test_a_real_delay_outlasts_an_impatient_client(sim: RunningSim) -> None:
    sim.set_faults([Fault("delay", seconds=30.0)])
    with closing(http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=0.05)) as connection:
        connection.request("GET", "/api/v3/ping")
        with pytest.raises(TimeoutError):
            connection.getresponse()


@pytest.mark.parametrize(
    ("fault", "status", "kind", "begins"),
    [
        (Fault("status", status=502), 502, "text/html", b"<html>"),
        (Fault("rate_limit", seconds=7), 429, "application/json", b'{"code":-1003'),
        (Fault("html"), 200, "text/html", b"<html>"),
        (Fault("empty"), 200, "application/json", b""),
        (Fault("cut_json"), 200, "application/json", b"[["),
    ],
)
def test_other_answers_than_the_one_asked_for(
    sim: RunningSim, fault: Fault, status: int, kind: str, begins: bytes
) -> None:
    sim.set_faults([fault])
    got = Got(sim, KLINES)
    assert (got.status, got.headers.get_content_type()) == (status, kind)
    assert got.body.startswith(begins)
    assert got.headers["X-Candle-Source"] == "synthetic"
    assert Got(sim, KLINES).status == 200
    assert sim.faults_met == [fault.kind]


def test_a_stale_answer_repeats_the_last_one(sim: RunningSim) -> None:
    before = Got(sim, KLINES).said
    sim.clock = lambda: NOON + 3 * HOUR
    sim.set_faults([Fault("stale")])
    assert Got(sim, KLINES).said == before
    assert Got(sim, KLINES).said[-1][0] == NOON + 3 * HOUR


def test_only_the_newest_answers_are_remembered(sim: RunningSim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.exchange_sim.server.MOST_REMEMBERED", 1)
    Got(sim, KLINES)
    Got(sim, "/api/v3/time")
    assert [path for path, _ in sim.previous] == ["/api/v3/time"]


@pytest.mark.parametrize(
    ("kind", "rows"), [("missing", {17, 18, 19}), ("duplicate", {21}), ("garbage", {20})]
)
def test_candles_are_spoiled_in_the_answer_itself(sim: RunningSim, kind: str, rows: set[int]) -> None:
    sound = Got(sim, KLINES).said
    sim.set_faults([Fault(kind)])
    spoiled = Got(sim, KLINES).said
    assert spoiled != sound
    assert len(spoiled) in rows
    assert Got(sim, KLINES).said == sound


@pytest.mark.unmeasured
def test_the_same_schedule_and_requests_give_the_same_faults_and_answers() -> None:
    kinds = tuple(kind for kind in KINDS if kind not in ("delay", "reset_before", "reset_after", "cut"))

    def session() -> tuple[list[str], list[bytes]]:
        config = SimConfig(source=SOURCE, clock=lambda: NOON, faults=FaultSchedule(3, 0.6, kinds))
        with serve(config) as sim:
            return sim.faults_met, [Got(sim, KLINES).body for _ in range(30)]

    one, two = session(), session()
    assert one == two
    assert len(one[0]) > 10


def test_the_weight_limit_can_be_lowered() -> None:
    with serve(SimConfig(source=SOURCE, clock=lambda: NOON, weight_limit=12)) as sim:
        statuses = [Got(sim, "/api/v3/exchangeInfo").status for _ in range(7)]
        assert statuses == [200, 429, 429, 429, 429, 429, 418]
        sim.clock = lambda: NOON + 3 * MINUTE
        assert Got(sim, "/api/v3/ping").status == 200
