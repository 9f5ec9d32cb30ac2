"""Another base URL: what is accepted, and that every address of a tree goes there."""

from __future__ import annotations

import pytest

from core.errors import SettingsError, UnsupportedError
from core.exchange.urls import check_below, is_below, is_host_of, leaves, parse_base, point_at

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
