from __future__ import annotations

import base64
from typing import Any

import pytest

from core.page.guard import HEADERS, MOST, Keys, Tries, may_command, may_look
from core.page.updates import changes

TOKEN = Keys(token="a-token")


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "localhost", "LOCALHOST", "[::1]:8080", "[::1]"]
)
def test_this_machine_looks_without_a_password(host: str) -> None:
    assert may_look(host, {}, Keys()) == ""


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:8080", "127.0.0.1.evil.example", "", "192.168.0.7:8080", "[::2]:1", ":8080", "[]"),
        *("[::1].evil", "[::1]evil:8080", "[::1", "::1", "127.0.0.1:8080:evil", "127.0.0.1:evil"),
        *("127.0.0.1:", "localhost\n", "localhost:٣", "[localhost]", "[127.0.0.1]:80"),
    ],
)
def test_a_name_from_elsewhere_that_leads_here_is_not_answered(host: str) -> None:
    assert may_look(host, {}, Keys()) == "this page is for this machine alone"


def test_with_a_password_any_name_will_do_and_only_the_password() -> None:
    keys = Keys(password="opén")
    assert may_look("box.home:8080", basic("me:opén"), keys) == ""
    for headers in (
        {},
        basic("me:open"),
        basic("opén"),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer opén"},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic \udce9"},
    ):
        assert may_look("127.0.0.1:8080", headers, keys) == "the password is wanted"


def test_commands_need_a_token_from_the_page_itself() -> None:
    right = {"Origin": "http://127.0.0.1:8080", "X-Dashboard-Token": "Bearer a-token"}
    assert may_command("127.0.0.1:8080", right, TOKEN) == ""
    assert "looking only" in may_command("127.0.0.1:8080", right, Keys())
    for origin in ("", "http://evil.example", "http://127.0.0.1:9090", "null"):
        assert "another page" in may_command("127.0.0.1:8080", right | {"Origin": origin}, TOKEN)
    for token in ("", "a-token", "Bearer", "Bearer a-toke", "Bearer a-token2", "Bearer ü", "Bearer \udcfc"):
        assert "token" in may_command("127.0.0.1:8080", right | {"X-Dashboard-Token": token}, TOKEN)


def test_after_five_wrong_keys_one_a_second_is_looked_at() -> None:
    now = [100.0]
    tries = Tries(lambda: now[0])
    for _ in range(5):
        assert not tries.is_closed("10.0.0.1")
        tries.count_wrong("10.0.0.1")
    assert tries.is_closed("10.0.0.1")
    now[0] += 0.99
    assert tries.is_closed("10.0.0.1")
    now[0] += 0.02
    assert not tries.is_closed("10.0.0.1")
    tries.count_wrong("10.0.0.1")
    assert tries.is_closed("10.0.0.1")


def closed_for(address: str, tries: Tries) -> bool:
    for _ in range(5):
        tries.count_wrong(address)
    return tries.is_closed(address)


def test_whoever_tries_keys_keeps_nobody_else_out() -> None:
    tries = Tries(lambda: 100.0)
    for address in ("10.0.0.1", "2001:db8:0:1::1", ""):
        assert closed_for(address, tries)
    assert not any(map(tries.is_closed, ("10.0.0.2", "2001:db8:0:2::1", "127.0.0.1", "::1")))


def test_a_network_of_ipv6_is_one_visitor_and_so_is_an_address_however_it_is_written() -> None:
    tries = Tries(lambda: 100.0)
    for number in range(5):
        tries.count_wrong(f"fe80::{number}%eth0")
    assert tries.is_closed("fe80::77")
    assert closed_for("::ffff:10.0.0.1", tries)
    assert tries.is_closed("10.0.0.1")


def test_of_too_many_visitors_those_who_tried_longest_ago_are_forgotten() -> None:
    tries = Tries(lambda: 100.0)
    assert closed_for("10.0.0.1", tries)
    assert closed_for("10.0.0.2", tries)
    tries.count_wrong("10.0.0.1")
    for number in range(MOST - 1):
        tries.count_wrong(f"11.0.{number // 256}.{number % 256}")
    assert (tries.is_closed("10.0.0.1"), tries.is_closed("10.0.0.2")) == (True, False)


def test_the_page_runs_no_code_but_its_own_and_is_shown_in_no_frame() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


OLD = {
    "a": 1,
    "rows": [{"price": 1.0, "name": "x"}, {"price": 2.0, "name": "y"}],
    "gone": True,
    "in": {"at": 1},
}


def applied(old: object, change: Any) -> object:
    """The same steps as in live.js."""
    if isinstance(change, list):
        return change[0]
    made = list(old) if isinstance(old, list) else dict(old)  # type: ignore[call-overload]
    for key, one in change.items():
        place = int(key) if isinstance(old, list) else key
        if one == 0:
            del made[place]
        else:
            made[place] = applied(made[place] if isinstance(old, list) or place in made else None, one)
    return made


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        {**OLD, "a": 2},
        {**OLD, "rows": [OLD["rows"][0], {"price": 2.5, "name": "y"}]},  # type: ignore[index]
        {**OLD, "rows": []},
        {"a": None},
        {**OLD, "in": {"at": [0], "is": {"0": 0}}},
        {**OLD, "new": [1, 2]},
    ],
)
def test_changes_make_the_new_document_of_the_old_one(new: dict[str, object]) -> None:
    change = changes(OLD, new)
    assert (change is None) == (new == OLD)
    assert (OLD if change is None else applied(OLD, change)) == new


def test_a_price_that_moved_is_a_small_change() -> None:
    new = {**OLD, "rows": [{"price": 1.5, "name": "x"}, OLD["rows"][1]]}  # type: ignore[index]
    assert changes(OLD, new) == {"rows": {"0": {"price": [1.5]}}}
