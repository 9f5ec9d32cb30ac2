"""Which lots a price closes, and by which order."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from core.account.lots import Lot
from core.account.orders import Approved, Purpose
from core.domain import Reason
from core.engine import Slot
from core.live.stops import MINUTE, Reached, at, protective, reason_to_close
from core.portfolio import Portfolio
from tests.account_help import SYMBOL, exit_of, fill_of, intent

D = Decimal
NONE = math.nan
SLOT = Slot("A", SYMBOL, "1h", None, False)  # type: ignore[arg-type]


def lot(side: int, stop: float, take: float, first: float | None = None) -> Lot:
    first_stop = stop if first is None else first
    return Lot("1-0", side, D(1), D(100), D(0), 0, 0, stop, take, 1.0, first_stop)


@pytest.mark.parametrize(
    ("held", "prices", "reason"),
    [
        (lot(1, 90.0, 120.0), at(100.0), None),
        (lot(1, 90.0, 120.0), at(90.0), Reason.STOP),
        (lot(1, 90.0, 120.0, first=80.0), at(85.0), Reason.TRAIL),
        (lot(1, 90.0, 120.0), at(120.0), Reason.TAKE),
        (lot(1, 90.0, 120.0), [Reached(85.0, 125.0, 100.0)], Reason.STOP),
        (lot(-1, 110.0, 80.0), at(100.0), None),
        (lot(-1, 110.0, 80.0), at(110.0), Reason.STOP),
        (lot(-1, 110.0, 80.0), at(80.0), Reason.TAKE),
        (lot(1, NONE, NONE), [Reached(0.01, 1e9, 100.0)], None),
    ],
)
def test_stops_come_before_takes_and_none_is_none(
    held: Lot, prices: list[Reached], reason: Reason | None
) -> None:
    assert reason_to_close(held, prices) == reason


@pytest.mark.parametrize(("since", "reason"), [(4, None), (5, Reason.STOP), (6, Reason.STOP)])
def test_a_bar_that_opened_before_the_entry_says_nothing_of_its_lot(
    since: int, reason: Reason | None
) -> None:
    entered = replace(lot(1, 90.0, 120.0), entry_time=5)
    old, young = Reached(80.0, 130.0, 100.0, since=4), Reached(85.0, 125.0, 100.0, since=since)
    assert reason_to_close(entered, [old, young]) == reason


def test_what_is_for_sale_already_is_not_sold_again() -> None:
    portfolio = Portfolio(10_000)
    entry = intent(stop=D(90), amount=D(3))
    portfolio.book(entry, fill_of(entry))
    now = 5 * MINUTE + 7
    (one,) = protective(portfolio, [SLOT], SYMBOL, at(80.0), now)
    assert (one.purpose, one.leg, one.side) == (Purpose.STOP, f"lot-{entry.bar}-0", "sell")
    assert (one.amount, one.price) == (D(3), D("80.0"))
    assert (one.bar, one.created_at, one.valid_until) == (5 * MINUTE, now, now + MINUTE)
    portfolio.reserve(Approved(exit_of(entry, amount=D(1))))
    (one,) = protective(portfolio, [SLOT], SYMBOL, at(80.0), now)
    assert one.amount == 2
    portfolio.reserve(Approved(one))
    assert list(protective(portfolio, [SLOT], SYMBOL, at(80.0), now)) == []
    assert list(protective(portfolio, [SLOT], "ETH/USDT", at(80.0), now)) == []
