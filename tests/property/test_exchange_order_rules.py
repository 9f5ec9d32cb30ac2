"""Whatever is asked for, what is sent satisfies the market's rules and is never more than asked."""

from __future__ import annotations

from decimal import Decimal, getcontext, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import OrderRefusedError
from core.exchange.order_rules import AllowedRange, MarketRules, fit_order

STEPS = st.sampled_from(
    [Decimal(text) for text in ("1", "0.1", "0.5", "0.01", "0.00001", "0.00000001", "25")]
)
NUMBERS = st.decimals("0.000000001", "1000000000", allow_nan=False, allow_infinity=False) | st.floats(
    1e-9, 1e9, allow_nan=False
)


@pytest.mark.unmeasured
@given(NUMBERS, NUMBERS, STEPS, STEPS, st.sampled_from(["buy", "sell"]))
def test_an_order_is_on_the_grid_and_never_worse_than_asked(
    amount: Decimal | float, price: Decimal | float, lot: Decimal, tick: Decimal, side: str
) -> None:
    rules = MarketRules("X/Y", tick, lot, cost=AllowedRange(Decimal(10)))
    with localcontext(prec=60):
        try:
            fitted = fit_order(rules, side, "limit", amount, price)
        except OrderRefusedError:
            return
        assert fitted.price is not None
        assert fitted.amount % lot == 0
        assert 0 <= Decimal(str(amount)) - fitted.amount < lot
        assert fitted.price % tick == 0
        worse = Decimal(str(price)) - fitted.price if side == "buy" else fitted.price - Decimal(str(price))
        assert 0 <= worse < tick
        assert fitted.amount * fitted.price >= 10


@pytest.mark.unmeasured
@given(NUMBERS, STEPS, st.sampled_from(["ROUND_UP", "ROUND_HALF_UP", "ROUND_CEILING"]))
def test_the_threads_decimal_context_does_not_matter(
    amount: Decimal | float, lot: Decimal, mode: str
) -> None:
    # ccxt sets the shared context's rounding whenever it formats a number.
    rules = MarketRules("X/Y", None, lot, amount=AllowedRange(Decimal(0)))

    def fitted() -> Decimal | None:
        try:
            return fit_order(rules, "sell", "market", amount, None).amount
        except OrderRefusedError:
            return None

    plain = fitted()
    with localcontext(prec=3):
        getcontext().rounding = mode
        assert fitted() == plain
