"""Amounts are written with enough digits to say something, and without exponents."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.figures import exact, money, price, size


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (1234.5, "", "1,234.50"),
        (1234.5, "USDT", "1,234.50"),
        (0.0, "USD", "0.00"),
        (4.9, "", "4.90"),
        (0.48213, "", "0.48213"),
        (0.0, "", "0.00"),
        (-0.0, "BTC", "0.000000"),
        (0.05, "USD", "0.05"),
        (0.0049, "USD", "0.0049"),
        (-0.00000123, "USDT", "-0.0000012"),
        (0.5, "BTC", "0.500000"),
        (0.5123456, "BTC", "0.512346"),
        (-0.0123, "BTC", "-0.0123000"),
        (0.00000012, "BTC", "0.00000012"),
        (12.5, "ETH", "12.5000"),
        (Decimal("123456.789"), "BTC", "123,456.79"),
        (nan, "USD", "nan"),
        (inf, "BTC", "inf"),
    ],
)
def test_money_has_as_many_decimals_as_its_currency_and_its_size_need(
    value: float, currency: str, text: str
) -> None:
    assert money(value, currency) == text


def test_a_gain_may_have_its_sign() -> None:
    assert (money(5, sign=True), money(-5, sign=True)) == ("+5.00", "-5.00")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (64123.45, "64,123.45"),
        (64123.456789, "64,123.457"),
        (1.5258064820503621e-06, "0.0000015258065"),
        (100.0, "100"),
        (123456789.0, "123,456,789"),
        (0.0, "0"),
        (None, ""),
        (nan, ""),
    ],
)
def test_a_price_has_eight_digits_and_no_exponent(value: float | None, text: str) -> None:
    assert price(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.500000"),
        (-0.001, "-0.001000"),
        (0.00001234567, "0.0000123457"),
        (0.0, "0.000000"),
        (5e-19, "0.000000000000000001"),
    ],
)
def test_a_size_has_six_decimals_or_six_digits(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.unmeasured
@given(st.floats(1e-12, 1e12), st.sampled_from(["", "USD", "BTC", "ETH"]))
def test_what_is_something_is_never_shown_as_nothing(value: float, currency: str) -> None:
    for text in (money(value, currency), price(value)):
        assert abs(float(text.replace(",", "")) / value - 1) <= 0.51
        assert "e" not in text


@pytest.mark.parametrize(
    ("value", "text", "signed"),
    [
        ("1000.5880000000000000", "1000.588", "+1000.588"),
        ("-7.0000000", "-7", "-7"),
        ("1E+3", "1000", "+1000"),
        ("0.00000001", "0.00000001", "+0.00000001"),
        ("-0.000", "0", "0"),
        ("100", "100", "+100"),
    ],
)
def test_an_exact_amount_has_every_digit_and_no_zeros_at_its_end(value: str, text: str, signed: str) -> None:
    assert (exact(Decimal(value)), exact(Decimal(value), sign=True)) == (text, signed)
