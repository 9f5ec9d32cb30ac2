"""A signed request is told from a public one, for every call that ccxt knows of some exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import ccxt
import pytest

from core.exchange.signing import Leaving, mark_of
from core.exchange.venues import venue_of
from tests.exchange_help import NOON

URL = "https://api.binance.us/api/v3/order"
KEYS = ("a+key/0123", "hush")
VENUES = (
    *("binance", "binanceus", "kraken", "krakenfutures", "bybit", "okx", "coinbase", "coinbaseexchange"),
    *("bitstamp", "bitfinex", "gemini", "cex", "hyperliquid", "deribit"),
)


@pytest.mark.parametrize(
    ("request_", "mark"),
    [
        (Leaving("GET", URL, {"X-MBX-APIKEY": "x"}), "header X-MBX-APIKEY"),
        (Leaving("GET", URL, {"authorization": b"x"}), "header authorization"),
        (Leaving("GET", f"{URL}?a=1&signature=9", {}), "parameter signature"),
        (Leaving("GET", f"{URL}?a=1%26signature%3D9", {}), "parameter signature"),
        (Leaving("GET", f"{URL}?a=1", {"Referer": "a+key/0123"}), "the key"),
        (Leaving("GET", f"{URL}/hush", {}), "the key"),
        (Leaving("GET", f"{URL}?a=a%2Bkey%2F0123", {}), "the key"),
        (Leaving("POST", URL, {}, "nonce=1"), "parameter nonce"),
        (Leaving("POST", URL, {}, b'{"a": 1, "API_SIGN": "x"}'), "parameter API_SIGN"),
        (Leaving("POST", URL, {}, iter("x")), "a body that cannot be read"),
        (Leaving("POST", URL, {}), "method POST"),
        (Leaving("post", URL, {}, "a=1"), "method POST"),
        (Leaving("DELETE", f"{URL}?orderId=1", {}), "method DELETE"),
        (Leaving("PUT", "https://x/info", {}), "method PUT"),
        (Leaving("GET", URL, {}, "a=1"), "a body"),
        (Leaving("POST", "https://x/info", {}, '{"type": "meta"}'), ""),
        (Leaving("POST", "https://x/info", {}, '{"signature": {"r": 1}}'), "parameter signature"),
        (Leaving("GET", f"{URL}?symbol=KEYUSDT&limit=5", {"User-Agent": "x", "Accept": "*/*"}), ""),
        (Leaving("HEAD", URL, {}), ""),
    ],
)
def test_what_is_not_surely_public_counts_as_signed(request_: Leaving, mark: str) -> None:
    assert mark_of(request_, (*KEYS, ""), ("/info",)) == mark


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", VENUES)
def test_no_signature_of_ccxt_goes_unnoticed_and_public_reads_pass(name: str) -> None:
    ours, theirs = an_exchange(name, "account-1"), an_exchange(name, "account-2")
    signed = public = 0
    for section, method, path in calls(ours.api, []):
        one, other = (signature(exchange, section, method, path) for exchange in (ours, theirs))
        if one is None:
            continue
        if one != other:
            signed += 1
            assert mark_of(one, (), venue_of(name).public_posts), f"{method} {path} of {section}"
        elif method == "GET":
            public += 1
            assert not mark_of(one), f"{method} {path} of {section}"
    assert signed > 10 or name == "hyperliquid"
    assert public > 5 or name in ("cex", "hyperliquid")


def an_exchange(name: str, key: str) -> Any:
    """Return one whose signatures depend on its key alone."""
    secret = key.encode().hex() * 16
    known = {
        "apiKey": key,
        "secret": secret,
        "uid": "7",
        "password": secret,
        "walletAddress": "0x" + "1" * 40,
    }
    exchange = getattr(ccxt, name)(known)
    exchange.milliseconds = exchange.nonce = lambda: NOON
    exchange.seconds, exchange.microseconds = (lambda: NOON // 1000), (lambda: NOON * 1000)
    exchange.uuid = exchange.uuid16 = exchange.uuid22 = lambda *_: "0" * 16
    return exchange


def calls(api: dict[str, Any], section: list[str]) -> Iterator[tuple[list[str], str, str]]:
    """Yield section, method and path of every call."""
    for name, value in api.items():
        if name.upper() in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            for path in value:
                yield section, name.upper(), path
        elif isinstance(value, dict):
            yield from calls(value, [*section, name])


def signature(exchange: Any, section: list[str], method: str, path: str) -> Leaving | None:
    """Return a call as it would be sent; None where ccxt wants more to make it."""
    params = dict.fromkeys(exchange.extract_params(path), "1") | {"symbol": "BTCUSDT"}
    with suppress(Exception):
        sent = exchange.sign(path, section, method, params)
        return Leaving(sent["method"], sent["url"], sent.get("headers") or {}, sent.get("body"))
    return None
