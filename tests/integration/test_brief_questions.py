"""Questions that an order of another thread may wait for: asked once and briefly, whatever the venue does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import ExchangeUnreachableError, RateLimitedError
from core.exchange import transport
from core.exchange.rate_limit import READS
from core.exchange_client import ExchangeClient
from tests.exchange_help import NOON, Reply, bench, said, tiny_exchange

KEY = "/api/v3/userDataStream"
TOKEN = "/0/private/GetWebSocketsToken"
STATUS = "/0/public/SystemStatus"


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "BRIEF_SECONDS", 0.05)


ASKED: dict[str, Callable[[ExchangeClient], object]] = {
    "fetch": lambda client: client.streams.fetch(),
    "keep": lambda client: client.streams.keep("a-key"),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_stream_s_key_that_does_not_come_keeps_orders_waiting_only_briefly(what: str) -> None:
    with tiny_exchange() as exchange, bench(exchange.url, timeout=60.0) as there:
        exchange.standing[KEY] = Reply(fate="late")
        with pytest.raises(ExchangeUnreachableError):
            ASKED[what](there.client)
        assert [one.path for one in exchange.requests] == [KEY]
        assert there.time.slept == []


def test_an_order_that_waits_for_a_key_leaves_as_soon_as_the_key_is_given_up() -> None:
    with tiny_exchange() as exchange, bench(exchange.url, timeout=60.0) as there:
        there.client.exchange_now()
        there.client.symbols()
        exchange.standing[KEY] = Reply(fate="late")
        exchange.standing["/api/v3/openOrders"] = said([])
        asks = threading.Thread(target=_tries, args=(there.client.streams.fetch,))
        asks.start()
        assert there.client.orders.open() == []
        asks.join(10.0)
        assert not asks.is_alive()


def test_a_key_is_no_reason_to_wait_for_a_counter_that_is_full() -> None:
    with tiny_exchange() as exchange, bench(exchange.url, "kraken", api_secret="c2VjcmV0") as there:
        exchange.standing[TOKEN] = said({"error": [], "result": {"token": "a-token", "expires": 900}})
        assert there.client.streams.fetch() == "a-token"
        there.client._transport._limiter.observe(READS, 15)
        with pytest.raises(RateLimitedError):
            there.client.streams.fetch()
        assert len(exchange.requests) == 1
        assert there.time.slept == []


def status(word: str) -> Reply:
    return said({"error": [], "result": {"status": word, "timestamp": "2024-01-01T12:00:00Z"}})


@pytest.mark.parametrize(
    ("reply", "mode"),
    [
        (status("online"), ""),
        (status("cancel_only"), "cancel_only"),
        (status("limit_only"), "limit_only"),
        (status("maintenance"), "maintenance"),
        (Reply(fate="late"), ""),
        (said({"error": ["EService:Busy"]}), ""),
        (said({"error": [], "result": {}}), ""),
        (status("a-word-of-tomorrow"), ""),
    ],
)
def test_whether_a_market_takes_orders_is_asked_once_and_unknown_is_no_reason_to_wait(
    reply: Reply, mode: str
) -> None:
    with tiny_exchange() as exchange, bench(exchange.url, "kraken", timeout=60.0) as there:
        exchange.standing[STATUS] = reply
        assert there.client.facts.shut() == mode
        assert [one.path for one in exchange.requests] == [STATUS]
        assert there.time.slept == []


def test_a_venue_without_modes_is_not_asked() -> None:
    with tiny_exchange() as exchange, bench(exchange.url) as there:
        assert there.client.facts.shut() == ""
        assert exchange.requests == []


def test_the_usual_patience_is_back_after_a_brief_question(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []
    with tiny_exchange() as exchange, bench(exchange.url, timeout=60.0) as there:
        send = there.client._transport._send_once

        def noted(request: Any, args: Any, kwargs: Any) -> Any:
            waits.append(kwargs["timeout"])
            return send(request, args, kwargs)

        monkeypatch.setattr(there.client._transport, "_send_once", noted)
        exchange.standing[KEY] = said({"listenKey": "a-key"})
        assert there.client.streams.fetch() == "a-key"
        assert there.client.exchange_now() == NOON
    assert waits == [(0.05, 0.05), (5.0, 60.0)]


def _tries(ask: Callable[[], object]) -> None:
    with pytest.raises(ExchangeUnreachableError):
        ask()
