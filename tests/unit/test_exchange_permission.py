"""Where signed requests may go: what follows from the addresses called, and what the guard stops."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from core.errors import NotPermittedError, UnsupportedError, UsageError
from core.exchange.permission import Called, Guard, Permission, permission_of
from core.exchange.signing import Leaving
from core.exchange.urls import Address

REAL = Address("https", "api.binance.us", 443)
OTHER = Address("https", "www.binance.us", 443)
TEST = Address("https", "testnet.binance.vision", 443)
HERE = Address("http", "127.0.0.1", 8090)
ORDER = Leaving("POST", "https://api.binance.us/api/v3/order", {"X-MBX-APIKEY": "key"}, "signature=12")


def called(*now: Address, sandbox: bool = False) -> Called:
    return Called("binanceus", now, (REAL, OTHER), sandbox)


def guard(permission: Permission) -> Guard:
    return Guard(permission, lambda url: "evil" not in url, ("key", "hush"))


def test_a_local_exchange_may_be_sent_signed_requests_at_its_own_port_alone() -> None:
    permission = permission_of(called(HERE))
    assert permission.network == "loopback"
    assert permission.covers("http://127.0.0.1:8090/api/v3/order?x=1")
    for url in ("http://127.0.0.1:8091/", "https://127.0.0.1:8090/", "http://localhost:8090/", "http://["):
        assert not permission.covers(url)


def test_one_address_elsewhere_is_enough_to_be_no_local_exchange() -> None:
    assert permission_of(called(HERE, REAL)).network == "none"
    assert permission_of(called()).addresses == frozenset()


def test_a_test_network_is_what_the_switch_changed() -> None:
    permission = permission_of(called(TEST, OTHER, sandbox=True))
    assert permission == Permission("binanceus", "test network", frozenset({TEST}))
    assert not permission.covers(f"{OTHER}/api")


def test_a_test_network_at_the_address_of_real_money_is_none() -> None:
    permission = permission_of(called(REAL, OTHER, sandbox=True))
    assert permission.network == "none"
    assert "its test network is at the address of real money, https://api.binance.us" in permission.refusal
    assert "none" in permission_of(called(sandbox=True)).refusal


def test_without_a_word_real_money_is_not_signed_for() -> None:
    permission = permission_of(called(REAL, OTHER))
    assert permission.addresses == frozenset()
    assert permission.refusal.startswith("no permission to sign requests for https://api.binance.us, where ")
    assert 'real_money="https://api.binance.us"' in permission.refusal
    assert "for its address, where" in permission_of(called()).refusal


def test_real_money_is_signed_for_at_the_address_that_is_named() -> None:
    permission = permission_of(called(REAL, OTHER), "https://API.binance.us:443")
    assert permission == Permission("binanceus", "real money", frozenset({REAL}))
    assert not permission.covers(f"{OTHER}/api")
    assert not permission.covers("http://api.binance.us/api")


@pytest.mark.parametrize(
    ("now", "sandbox", "name"),
    [
        ((REAL,), False, ""),
        ((REAL,), False, "api.binance.us"),
        ((REAL,), False, "http://api.binance.us"),
        ((REAL,), False, "https://api.binance.us.evil.com"),
        ((REAL,), False, "https://me@api.binance.us"),
        ((REAL,), False, "https://www.binance.us"),
        ((REAL, TEST), True, "https://api.binance.us"),
        ((TEST,), True, "https://testnet.binance.vision"),
        ((HERE,), False, "http://127.0.0.1:8090"),
    ],
)
def test_a_name_that_is_no_address_of_real_money_called_is_refused(
    now: tuple[Address, ...], name: str, *, sandbox: bool
) -> None:
    with pytest.raises(UsageError, match="real_money must name the https address of real money") as caught:
        permission_of(called(*now, sandbox=sandbox), name)
    assert "\n" not in str(caught.value)


def test_a_permission_cannot_be_changed() -> None:
    permission = permission_of(called(HERE))
    with pytest.raises(FrozenInstanceError):
        permission.addresses = frozenset({REAL})  # type: ignore[misc]


def test_the_guard_stops_a_signed_request_where_none_is_permitted() -> None:
    nowhere, elsewhere = guard(permission_of(called(REAL))), guard(permission_of(called(HERE)))
    with pytest.raises(NotPermittedError, match=r"\(header X-MBX-APIKEY\) wanted to leave for https://api\."):
        nowhere.check(ORDER)
    with pytest.raises(NotPermittedError, match=r"it may go to http://127\.0\.0\.1:8090 alone"):
        elsewhere.check(ORDER)
    assert NotPermittedError.exit_code == 2
    nowhere.check(Leaving("GET", "https://api.binance.us/api/v3/time", {"Accept": "*/*"}))
    guard(permission_of(called(REAL), str(REAL))).check(ORDER)


@pytest.mark.parametrize(
    "url", ["https://evil.com/", "https://me:word@api.binance.us/", "https://a\\b/", "x"]
)
def test_the_guard_stops_whatever_goes_to_a_foreign_or_odd_address(url: str) -> None:
    with pytest.raises(UnsupportedError, match=r"wanted to leave for .* and was stopped") as caught:
        guard(permission_of(called(REAL))).check(Leaving("GET", url, {}))
    assert "word" not in str(caught.value)


def test_a_guard_does_not_show_its_keys() -> None:
    assert "hush" not in repr(guard(permission_of(called(HERE))))
