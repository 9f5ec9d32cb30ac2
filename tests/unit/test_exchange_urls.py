"""Another base URL: what is accepted, and that every address of a tree goes there."""

from __future__ import annotations

import pytest

from core.errors import SettingsError, UnsupportedError
from core.exchange.urls import (
    address_of,
    check_below,
    is_below,
    is_host_of,
    is_loopback,
    leaves,
    parse_base,
    point_at,
)

BASE = "http://127.0.0.1:8090"


@pytest.mark.parametrize("text", [BASE, BASE + "/", f" {BASE} "])
def test_a_base_url_loses_its_slash(text: str) -> None:
    assert parse_base(text) == BASE


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:8090",
        "ftp://host",
        "http://",
        "http://user:pass@host",
        "http://host?x=1",
        "http://h:99999",
        "ws://127.0.0.1:8090",
        "http://127.0.0.1\\@evil.com",
        "http://127.0.0.1\t.evil.com",
        "",
    ],
)
def test_what_is_no_plain_address_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError, match="wanted http://HOST:PORT") as caught:
        parse_base(text)
    assert "pass" not in str(caught.value).replace("password", "")


def test_every_address_of_a_tree_keeps_its_path_and_changes_its_host() -> None:
    tree = {
        "public": "https://api.binance.us/api/v3",
        "rest": {"spot": "https://api.{hostname}", "ws": ["wss://stream.binance.us:9443/ws"]},
        "count": 3,
    }
    assert point_at(tree, BASE) == {
        "public": BASE + "/api/v3",
        "rest": {"spot": BASE, "ws": ["ws://127.0.0.1:8090/ws"]},
        "count": 3,
    }


def test_an_address_that_goes_elsewhere_is_found_wherever_it_is() -> None:
    check_below({"a": [BASE + "/x", {"b": BASE}]}, BASE)
    with pytest.raises(UnsupportedError, match=r"https://api\.binance\.com/x cannot be served"):
        check_below({"a": [BASE, {"b": "https://api.binance.com/x"}]}, BASE)


def test_leaves_of_a_tree_are_its_texts() -> None:
    assert list(leaves({"a": ["b", {"c": "d"}], "e": 1})) == ["b", "d"]


@pytest.mark.parametrize(
    ("url", "below"),
    [
        (BASE, True),
        (BASE + "/api", True),
        (BASE + "?q=1", True),
        ("ws://127.0.0.1:8090/ws", True),
        (BASE + "1/api", False),
        (BASE + "@evil.example/", False),
        ("HTTP://127.0.0.1:08090/api", True),
        ("https://127.0.0.1:8090/api", False),
    ],
)
def test_below_a_base_means_the_same_host_and_port(url: str, *, below: bool) -> None:
    assert is_below(url, BASE) is below


@pytest.mark.parametrize(
    ("url", "of"),
    [
        ("https://api.binance.us/api", True),
        ("https://binance.us", True),
        ("https://api.binance.com/api", False),
        ("https://notbinance.us", False),
        ("nonsense", False),
    ],
)
def test_a_host_belongs_to_a_domain_or_not(url: str, *, of: bool) -> None:
    assert is_host_of(url, "binance.us") is of


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8090/x?y=1", "http://127.0.0.1:8090"),
        ("HTTPS://Api.Binance.US/api", "https://api.binance.us"),
        ("https://api.binance.us:443", "https://api.binance.us"),
        ("wss://stream.binance.us:9443/ws", "https://stream.binance.us:9443"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://127.0.0.1.evil.com", "http://127.0.0.1.evil.com"),
        ("http://127.0.0.1:8090@evil.com/", None),
        ("http://127.0.0.1\\@evil.com/", None),
        ("http://127.0.0.1\\.evil.com/", None),
        ("http://127.0.0.1\t.evil.com/", None),
        ("http://127.0.0.1 .evil.com/", None),
        ("http://１２７.0.0.1/", None),
        ("http://127.0.0.1:99999", None),
        ("http://127.0.0.1:0", None),
        ("http://[::1", None),
        ("ftp://127.0.0.1", None),
        ("file:///etc/passwd", None),
        ("", None),
    ],
)
def test_an_address_is_scheme_host_and_port_or_nothing(url: str, address: str | None) -> None:
    assert address_of(url) == (None if address is None else address_of(address))
    assert str(address_of(url)) == str(address)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("LocalHost", True),
        ("[::1]", True),
        ("[::1%25eth0]", False),
        ("[::ffff:127.0.0.1]", False),
        ("127.0.0.1.evil.com", False),
        ("localhost.evil.com", False),
        ("localhost.", False),
        ("127.1", False),
        ("2130706433", False),
        ("0x7f.0.0.1", False),
        ("0177.0.0.1", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("127.0.0.1%2eevil.com", False),
    ],
)
def test_this_machine_has_loopback_numbers_and_one_name(host: str, *, here: bool) -> None:
    address = address_of(f"http://{host}:8090")
    assert (address is not None and is_loopback(address)) is here
