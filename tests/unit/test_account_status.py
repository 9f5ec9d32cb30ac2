"""A status is one value for all readers: what is stored of it is read back the same, and nothing else is."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from core.live.status import AccountStatus, Standing, from_document, to_document
from tests.status_help import CALM, DESK, STATUS


def document(**changed: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(to_document(STATUS), allow_nan=False))
    return found | changed


@pytest.mark.parametrize("status", [STATUS, CALM, CALM._replace(equity=None, desk=DESK)])
def test_what_is_stored_is_read_back_the_same(status: AccountStatus) -> None:
    assert from_document(json.loads(json.dumps(to_document(status), allow_nan=False))) == status


def test_a_document_has_the_names_and_the_values_that_it_always_had() -> None:
    found = document()
    assert found["cash"] == "9000.25"
    assert found["positions"][1] == {
        "strategy": "TREND_EMA",
        "symbol": "BTC/USDT",
        "side": "long",
        "amount": "0.5",
        "entry_price": 43_210.5,
        "price": None,
        "stop": None,
        "take": 50_000.0,
        "open_profit": None,
    }
    assert found["feeds"][1] == {
        "series": "binanceus BTC/USDT 1h",
        "last": None,
        "behind_ms": 61_000,
        "stale": True,
    }
    assert found["uses"][0] == {
        "limit": "max_symbol_exposure_pct",
        "used": 43.2,
        "most": 50.0,
        "about": "BTC/USDT",
    }
    assert found["desk"]["orders"] == [{"key": "k", "state": "open", "filled": "0.25"}]
    assert found["desk"]["outside"][1] == {"asset": "DOGE", "amount": "-3", "value": None}
    assert found["desk"]["standing"][0]["ends"] == "--accept BTC/USDT"


def test_what_an_account_on_paper_cannot_have_is_not_in_its_document() -> None:
    paper = CALM._replace(desk=DESK._replace(foreign_orders=None, outside=None))
    assert {"foreign_orders", "outside"} & to_document(paper)["desk"].keys() == set()
    assert "desk" not in to_document(CALM)


def test_an_amount_is_plain_digits_however_small() -> None:
    tiny = CALM._replace(cash=Decimal("1E-8"), reserved=Decimal("0E+3"))
    found = to_document(tiny)
    assert (found["cash"], found["reserved"]) == ("0.00000001", "0")
    assert from_document(found).cash == Decimal("0.00000001")


def test_a_document_of_before_a_field_was_there_is_read_and_what_is_newer_is_left_out() -> None:
    old = document()
    for name in ("currency", "reserved", "limits", "cuts", "uses", "desk"):
        del old[name]
    assert from_document(old) == STATUS._replace(reserved=Decimal(0), limits=(), cuts={}, uses=(), desk=None)
    older = {name: DESK._asdict()[name] for name in ("journal", "fills")} | {"disagreements": []}
    desk = from_document(document(desk=older)).desk
    assert desk is not None
    assert (desk.head, desk.standing, desk.outside) == ("", (), None)
    assert from_document(document(weather="fine")) == STATUS


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"equity": "x"}, "the status, equity is 'x', which is not a number"),
        ({"equity": True}, "the status, equity is 'True', which is not a number"),
        ({"equity": float("inf")}, "the status, equity is 'inf', which is not a number"),
        ({"cash": 5.0}, "the status, cash is '5.0', which is not an amount as text"),
        ({"cash": "five"}, "the status, cash is 'five', which is not an amount as text"),
        ({"cash": "NaN"}, "the status, cash is 'NaN', which is not an amount as text"),
        ({"time": 1.5}, "the status, time is '1.5', which is not a whole number"),
        ({"time": None}, "the status, time is 'None', which is not a whole number"),
        ({"paused": 0}, "the status, paused is '0', which is not text"),
        ({"desk": 3}, "the status, desk is '3', which has no names"),
        ({"positions": {}}, "the status, positions is '{}', which is not a list"),
        ({"positions": "none"}, "the status, positions is 'none', which is not a list"),
        ({"positions": [7]}, "the status, positions, 1 is '7', which has no names"),
        ({"breakers": {"drawdown": 1}}, "the status, breakers, drawdown is '1', which is not text"),
        ({"feeds": [{}]}, "the status, feeds, 1 says nothing of series"),
    ],
)
def test_what_is_no_status_is_said_in_a_line(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match="the status") as error:
        from_document(document(**changed))
    assert str(error.value) == said


def test_what_says_too_little_is_no_status() -> None:
    with pytest.raises(ValueError, match="the status says nothing of time"):
        from_document({"desk": 3})


def test_what_keeps_orders_back_names_the_command_that_ends_it() -> None:
    assert Standing("hold", "BTC/USDT", "others sold", "--accept BTC/USDT").told("run_live.py") == (
        "hold BTC/USDT: others sold: run_live.py --accept BTC/USDT"
    )
    assert Standing("difference", "", "BTC +1", "").told("run_live.py") == "difference: BTC +1"


def test_a_status_cannot_be_changed() -> None:
    position: Any = STATUS.positions[0]
    with pytest.raises(AttributeError):
        position.amount = Decimal(9)
