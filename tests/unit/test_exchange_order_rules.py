"""Orders in exact decimals: rounding, bounds, and what is refused before it is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.errors import OrderRefusedError, OrderUnknownError
from core.exchange.errors import Attempt
from core.exchange.order_rules import (
    AllowedRange,
    Fitted,
    MarketRules,
    check_confirmed,
    checked_params,
    exact,
    fit_order,
    market_rules,
    refuse_resending,
)

D = Decimal
RULES = MarketRules(
    "BTC/USDT",
    tick=D("0.01"),
    lot=D("0.00001"),
    amount=AllowedRange(D("0.00001"), D("9000")),
    market_amount=AllowedRange(D("0"), D("107.17")),
    price=AllowedRange(D("0.01"), D("1000000")),
    cost=AllowedRange(D("10"), D("9000000")),
)


def fit(side: str, order_type: str, amount: object, price: object = None) -> Fitted:
    return fit_order(RULES, side, order_type, amount, price)


def test_the_amount_is_rounded_down_and_the_price_away_from_a_worse_fill() -> None:
    assert fit("buy", "limit", 0.123456789, 60000.019) == Fitted(D("0.12345"), D("60000.01"))
    assert fit("sell", "limit", "0.123456789", "60000.011") == Fitted(D("0.12345"), D("60000.02"))


def test_what_is_on_the_grid_stays_as_it_is() -> None:
    assert fit("sell", "limit", 0.3, D("60000.01")) == Fitted(D("0.3"), D("60000.01"))
    # As binary fractions these three are just off their own decimals.
    assert fit("buy", "limit", 0.1 + 0.2, 60000.07).amount == D("0.3")
    assert fit("buy", "market", 0.00007).amount == D("0.00007")


def test_digits_beyond_a_float_are_kept() -> None:
    rules = RULES._replace(lot=D("0.00000001"), amount=AllowedRange(), market_amount=AllowedRange())
    assert fit_order(rules, "buy", "market", "12345678901.123456789", None).amount == D(
        "12345678901.12345678"
    )


def test_a_market_order_has_no_price() -> None:
    assert fit("buy", "market", 1) == Fitted(D(1), None)


@pytest.mark.parametrize(
    ("side", "order_type", "amount", "price", "reason"),
    [
        ("hold", "market", 1, None, "buy or sell, market or limit"),
        ("buy", "stop", 1, None, "buy or sell, market or limit"),
        ("buy", "limit", 1, None, "give the price"),
        ("buy", "market", 1, 60000, "leave the price out"),
        ("buy", "market", 0, None, "must be a positive number"),
        ("buy", "market", -1, None, "must be a positive number"),
        ("buy", "market", float("nan"), None, "must be a positive number"),
        ("buy", "market", "inf", None, "must be a positive number"),
        ("buy", "market", "much", None, "must be a positive number"),
        ("buy", "market", True, None, "must be a positive number"),
        ("buy", "limit", 1, 0, "the price must be a positive number"),
        ("buy", "market", 0.000009, None, "smallest allowed is 0.00001"),
        ("buy", "limit", 0.001, 0.009, "smallest allowed is 0.01"),
        ("buy", "limit", 0.00001, 60000, "notional 0.6000000 after rounding: the smallest allowed is 10"),
        ("buy", "limit", 9001, 1, "largest allowed is 9000"),
        ("buy", "market", 107.18, None, "largest allowed is 107.17"),
        ("sell", "limit", 1, 1000001, "largest allowed is 1000000"),
        ("sell", "limit", 1000, 60000, "largest allowed is 9000000"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_by_name(
    side: str, order_type: str, amount: object, price: object, reason: str
) -> None:
    with pytest.raises(OrderRefusedError, match="BTC/USDT: order refused before sending") as caught:
        fit(side, order_type, amount, price)
    assert reason in str(caught.value)


def test_nothing_of_a_lot_is_refused_even_without_a_smallest_amount() -> None:
    rules = RULES._replace(amount=AllowedRange(), market_amount=AllowedRange())
    with pytest.raises(OrderRefusedError, match="smallest allowed is one step"):
        fit_order(rules, "buy", "market", 0.000001, None)


def test_without_a_step_a_number_is_left_alone() -> None:
    rules = MarketRules("X/Y", None, None)
    assert fit_order(rules, "sell", "limit", "1.23456789", "3.3333") == Fitted(D("1.23456789"), D("3.3333"))


MARKET: dict[str, Any] = {
    "symbol": "BTC/USDT",
    "precision": {"price": 0.01, "amount": D("0.00001")},
    "limits": {
        "amount": {"min": 1e-05, "max": 9000.0},
        "market": {"min": None, "max": None},
        "price": {"min": 0.01, "max": 1e6},
        "cost": {"min": 10.0},
    },
}


def test_a_ccxt_market_becomes_exact_rules() -> None:
    rules = market_rules(MARKET)
    assert (rules.tick, rules.lot) == (D("0.01"), D("0.00001"))
    assert rules.amount == AllowedRange(D("0.00001"), D("9000.0"))
    assert rules.cost == AllowedRange(D("10.0"), None)
    assert rules.market_amount == AllowedRange()


def test_precision_may_count_decimal_places_or_be_none_of_our_business() -> None:
    market = MARKET | {"precision": {"price": 2, "amount": None}, "limits": None}
    assert market_rules(market, "places") == MarketRules("BTC/USDT", D("0.01"), None)
    assert market_rules(market, "digits") == MarketRules("BTC/USDT", None, None)
    assert market_rules(MARKET | {"precision": {"price": 0}}).tick is None


@pytest.mark.parametrize("value", [None, "", "nan", float("inf"), "x"])
def test_what_is_no_number_is_none(value: object) -> None:
    assert exact(value) is None


def test_an_order_gets_the_given_id_or_the_new_one() -> None:
    assert checked_params(None, "new-1")["clientOrderId"] == "new-1"
    given = checked_params({"clientOrderId": "mine_1", "timeInForce": "IOC"}, "new-1")
    assert given == {"clientOrderId": "mine_1", "timeInForce": "IOC"}


@pytest.mark.parametrize("bad", ["", "a" * 37, "with space", "umlaut-ä", None])
def test_an_id_of_another_form_is_refused(bad: object) -> None:
    with pytest.raises(OrderRefusedError, match="wanted 1 to 36 letters"):
        checked_params({"clientOrderId": bad}, "new")


@pytest.mark.parametrize("name", ["cost", "quoteOrderQty"])
def test_an_order_by_cost_is_refused(name: str) -> None:
    with pytest.raises(OrderRefusedError, match="give the amount instead"):
        checked_params({name: 100}, "new")


@pytest.mark.parametrize(
    "settings",
    [
        {"maxRetriesOnFailure": 3},
        {"defaultMaxRetriesOnFailure": 1},
        {"order": {"maxRetriesOnFailure": 1}},
    ],
)
def test_sending_again_is_refused_wherever_it_was_set(settings: dict[str, Any]) -> None:
    with pytest.raises(OrderRefusedError, match="set it to 0"):
        refuse_resending(settings)
    with pytest.raises(OrderRefusedError, match="set it to 0"):
        checked_params(settings, "new")


def test_no_retries_are_as_good_as_none() -> None:
    refuse_resending({"maxRetriesOnFailure": 0, "order": {"maxRetriesOnFailure": None}, "list": [1]})


ATTEMPT = Attempt("venue", "place it (client order id mine)")


def test_a_confirmation_carries_an_id_and_is_about_this_order() -> None:
    check_confirmed({"id": "7", "clientOrderId": "mine", "symbol": "BTC/USDT"}, ATTEMPT, "BTC/USDT", "mine")
    check_confirmed({"id": "7", "clientOrderId": None, "symbol": None}, ATTEMPT, "BTC/USDT", "mine")


@pytest.mark.parametrize(
    "order",
    [
        None,
        [],
        {},
        {"id": None},
        {"id": ""},
        {"id": "7", "clientOrderId": "theirs"},
        {"id": "7", "clientOrderId": "mine", "symbol": "ETH/USDT"},
    ],
)
def test_anything_else_leaves_the_order_unknown(order: object) -> None:
    with pytest.raises(OrderUnknownError, match=r"client order id mine.*look it up, do not send it again"):
        check_confirmed(order, ATTEMPT, "BTC/USDT", "mine")
