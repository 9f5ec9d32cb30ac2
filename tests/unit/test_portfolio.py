"""The account's books: exact, netted, reserved once, booked once, seen as the fill model sees them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core import fills
from core import portfolio as portfolios
from core.account.lots import book_of, view_of
from core.account.money import decimal_of, float_of, part_of, price_of, to_step, total
from core.account.orders import Approved, Protection, Purpose
from core.domain import FLAT, NAN, PositionView
from core.errors import RefusedError
from core.portfolio import DUST, Portfolio
from tests.account_help import OTHER, SYMBOL, D, exactly, exit_of, fill_of, intent


def balanced(portfolio: Portfolio) -> bool:
    """Tell whether cash, lots at cost, fees and profit make up what came in, to the last digit."""
    with exactly():
        cost = total(lot.side * lot.cost for held in portfolio.held() for lot in portfolio.lots(*held))
        gone = total(result.fees - result.gross for result in portfolio.results.values())
        return portfolio.cash + cost + gone == portfolio.deposits


def test_the_specifications_shortcuts_open_and_close_both_sides() -> None:
    portfolio = Portfolio(1_000.0)
    portfolio.open_long(SYMBOL, 2.0, 100.0, stop=90.0, tp=120.0)
    assert portfolio.positions[SYMBOL] == (1, 2.0, 100.0, 90.0, 120.0)
    assert portfolio.cash == 800
    assert portfolio.get_equity({SYMBOL: 110.0}) == 1_020.0
    assert portfolio.close_long(SYMBOL, 110.0, size=0.5) == 5.0
    assert portfolio.close_long(SYMBOL, 110.0) == 15.0
    portfolio.open_short(SYMBOL, 1.0, 100.0)
    assert portfolio.positions[SYMBOL] == (-1, -1.0, 100.0, None, None)
    assert portfolio.close_short(SYMBOL, 105.0) == -5.0
    assert portfolio.positions == {}
    assert portfolio.cash == 1_015
    assert balanced(portfolio)


def test_the_shortcuts_refuse_what_is_not_there() -> None:
    portfolio = Portfolio(1_000)
    with pytest.raises(RefusedError, match=r"1010\.0+ wanted, 1000 free"):
        portfolio.open_long(SYMBOL, 10.1, 100.0)
    portfolio.open_short(SYMBOL, 5.0, 100.0)
    with pytest.raises(RefusedError, match="500"):
        portfolio.open_short(SYMBOL, 5.1, 100.0)
    for size in (6.0, None):
        with pytest.raises(RefusedError, match="to close"):
            portfolio.close_long(SYMBOL, 100.0, size)


def test_a_missing_price_makes_equity_unknown() -> None:
    portfolio = Portfolio(1_000)
    portfolio.open_long(SYMBOL, 1.0, 100.0)
    assert math.isnan(portfolio.get_equity({}))
    with pytest.raises(KeyError):
        portfolio.exact_equity({})


def test_a_fill_is_booked_once_by_exchange_symbol_and_id() -> None:
    portfolio, entry = Portfolio(1_000), intent()
    fill = fill_of(entry)
    assert not portfolio.has_booked(fill)
    for _ in range(3):
        assert portfolio.book(entry, fill) == ()
        assert portfolio.cash == 900
    assert portfolio.has_booked(fill)
    portfolio.book(entry, fill_of(entry, exchange="other"))
    assert portfolio.cash == 800


def test_no_more_fills_are_remembered_than_an_exchange_may_tell_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portfolios, "REMEMBERED", 3)
    portfolio = Portfolio(10_000)
    fills_told = [fill_of(intent(bar=number)) for number in range(5)]
    for number, fill in enumerate(fills_told):
        portfolio.book(intent(bar=number), fill)
    assert [portfolio.has_booked(fill) for fill in fills_told] == [False, False, True, True, True]


def test_strategies_hold_their_own_lots_and_the_exchange_sees_the_net() -> None:
    portfolio = Portfolio(10_000)
    long, short = intent(strategy="A", amount=D(3)), intent(strategy="B", side="sell", amount=D(1))
    portfolio.book(long, fill_of(long, "100"))
    portfolio.book(short, fill_of(short, "110"))
    assert portfolio.amount(SYMBOL) == 2
    assert (portfolio.amount(SYMBOL, "A"), portfolio.amount(SYMBOL, "B")) == (D(3), D(-1))
    assert portfolio.positions[SYMBOL][:3] == (1, 2.0, 100.0)
    assert portfolio.profits({SYMBOL: D(120)}) == {"A": 60, "B": -10}
    assert portfolio.exact_equity({SYMBOL: D(120)}) == 10_050
    assert portfolio.get_equity({SYMBOL: 120.0}) == 10_050.0
    assert set(portfolio.held()) == {("A", SYMBOL), ("B", SYMBOL)}
    assert portfolio.lots("C", SYMBOL) == ()
    whole = intent(strategy="B", side="sell", amount=D(2), leg="rung-2")
    portfolio.book(whole, fill_of(whole, "100"))
    assert portfolio.positions == {}


def test_products_of_seventeen_digits_lose_none() -> None:
    portfolio = Portfolio(D("98765.4321098765432"))
    entry = intent(amount=D("0.12345678901234567"))
    portfolio.book(entry, fill_of(entry, "60123.456789012345", "7.4226438574529813"))
    assert balanced(portfolio)
    leaving = exit_of(entry, amount=D("0.04115226300411522"), leg=f"lot-{entry.bar}-0")
    (trade,) = portfolio.book(leaving, fill_of(leaving, "61999.999999999993", "2.5514403062551433"))
    assert balanced(portfolio)
    assert len(str(portfolio.cash)) > 30
    with exactly():
        assert trade.pnl == trade.gross - trade.fees
    leaving = exit_of(entry, amount=portfolio.lots("A", SYMBOL)[0].amount, side="sell", price=D(1))
    portfolio.book(leaving, fill_of(leaving, "1.0000000000000002", "0.1", id="3"))
    assert balanced(portfolio)
    assert portfolio.exact_equity({}) == portfolio.cash


def test_fills_of_one_order_make_one_lot_at_their_mean() -> None:
    portfolio, entry = Portfolio(10_000), intent(amount=D(3), stop=D(90))
    portfolio.reserve(Approved(entry, D(303)))
    portfolio.book(entry, fill_of(entry, "100", "1", id="1", amount=D(1)), bar=4)
    assert portfolio.reserved == 202
    portfolio.book(entry, fill_of(entry, "103", "1", id="2", amount=D(2)), bar=5)
    (lot,) = portfolio.lots("A", SYMBOL)
    assert (lot.amount, lot.cost, lot.fees, lot.entry_bar) == (D(3), D(306), D(2), 4)
    seen = portfolio.view("A", SYMBOL, 6)
    assert seen._replace(take=NAN, note=NAN) == PositionView(1, 102.0, 90.0, NAN, 2, 0, 1.0, 102.0)
    assert portfolio.reserved == 0
    assert portfolio.pending == {}


def test_cash_is_kept_from_approval_on_and_free_again_once() -> None:
    portfolio, approved = Portfolio(1_000), Approved(intent(), D(101))
    assert portfolio.reserve(approved)
    assert not portfolio.reserve(approved)
    portfolio.mark(SYMBOL, 100.0)
    seen = portfolio.snapshot()
    assert (portfolio.reserved, seen.free_cash) == (D(101), D(899))
    assert (seen.exposure, seen.positions) == (D(100), frozenset({("A", SYMBOL)}))
    assert seen.by_symbol == {SYMBOL: 100}
    assert seen.by_strategy == {"A": 100}
    assert [portfolio.release(approved.intent.key) for _ in range(2)] == [101, 0]
    assert portfolio.snapshot().free_cash == 1_000


def test_a_fill_of_an_order_thought_dead_is_booked_all_the_same() -> None:
    portfolio, entry = Portfolio(1_000), intent()
    portfolio.reserve(Approved(entry, D(101)))
    portfolio.release(entry.key)
    portfolio.book(entry, fill_of(entry))
    assert portfolio.amount(SYMBOL) == 1
    assert portfolio.reserved == 0


def test_a_short_binds_its_proceeds_and_as_much_again() -> None:
    portfolio, entry = Portfolio(1_000), intent(side="sell", amount=D(2))
    portfolio.book(entry, fill_of(entry))
    portfolio.mark(SYMBOL, 110.0)
    seen = portfolio.snapshot()
    assert (portfolio.cash, seen.free_cash, seen.exposure) == (D(1_200), D(760), D(220))
    assert seen.equity == 980.0
    book = portfolio.account_of("A", SYMBOL)
    assert fills.free_cash(book, 110.0) == 760.0


def test_a_fee_in_base_units_comes_out_of_the_lot() -> None:
    portfolio, entry = Portfolio(1_000), intent()
    portfolio.book(entry, fill_of(entry, fee="0.001", fee_asset="BTC"))
    assert portfolio.amount(SYMBOL) == D("0.999")
    assert portfolio.results["A"].fees == D("0.1")
    assert balanced(portfolio)
    leaving = exit_of(entry, amount=D("0.5"))
    portfolio.book(leaving, fill_of(leaving, fee="0.001", fee_asset="BTC"))
    assert portfolio.amount(SYMBOL) == D("0.498")
    assert balanced(portfolio)


def test_a_fee_in_a_third_asset_is_counted_apart() -> None:
    portfolio, entry = Portfolio(1_000), intent()
    for n in range(2):
        portfolio.book(entry, fill_of(entry, id=str(n), fee="0.02", fee_asset="BNB"))
    result = portfolio.results["A"]
    assert (result.fees, result.other_fees, portfolio.cash) == (D(0), {"BNB": D("0.04")}, D(800))
    assert balanced(portfolio)


def test_what_no_order_can_sell_becomes_nobodys() -> None:
    portfolio, entry = Portfolio(1_000, {SYMBOL: D("0.01")}), intent()
    portfolio.book(entry, fill_of(entry, fee="0.001", fee_asset="BTC"))
    leaving = exit_of(entry, amount=D("0.99"))
    (trade,) = portfolio.book(leaving, fill_of(leaving, "110"))
    assert trade.amount == D("0.99")
    assert portfolio.view("A", SYMBOL, 7) == FLAT._replace(since_exit=7, last_result=0.1)
    assert portfolio.amount(SYMBOL, DUST) == D("0.009")
    assert balanced(portfolio)
    profits = portfolio.profits({SYMBOL: D(110)})
    assert profits[DUST] == D("0.09")
    assert total(profits.values()) + 1_000 == portfolio.exact_equity({SYMBOL: D(110)})


def test_an_exit_closes_the_lot_it_names_then_the_oldest() -> None:
    portfolio = Portfolio(10_000)
    first, second, third = (intent(bar=bar) for bar in (1, 2, 3))
    for entry in (first, second, third):
        portfolio.book(entry, fill_of(entry))
    leaving = exit_of(second, amount=D("2.5"))
    trades = portfolio.book(leaving, fill_of(leaving, "110", "3"))
    assert [(trade.amount, trade.fees) for trade in trades] == [
        (1, D("1.2")),
        (1, D("1.2")),
        (D("0.5"), D("0.6")),
    ]
    (left,) = portfolio.lots("A", SYMBOL)
    assert (left.id, left.amount) == ("3-0", D("0.5"))
    assert balanced(portfolio)


def test_more_sold_than_held_is_booked_as_what_it_is() -> None:
    portfolio, entry = Portfolio(1_000), intent()
    portfolio.book(entry, fill_of(entry))
    leaving = exit_of(entry, amount=D("1.5"))
    portfolio.book(leaving, fill_of(leaving))
    assert portfolio.amount(SYMBOL) == D("-0.5")
    assert balanced(portfolio)


def test_an_exit_in_part_leaves_the_share_it_says() -> None:
    portfolio, entry = Portfolio(1_000), intent(share=0.8)
    portfolio.book(entry, fill_of(entry))
    leaving = exit_of(entry, amount=D("0.5"), share=0.3)
    portfolio.book(leaving, fill_of(leaving))
    assert portfolio.view("A", SYMBOL).target == 0.3
    stopped = exit_of(entry, amount=D("0.2"), purpose=Purpose.STOP, share=1.0)
    portfolio.book(stopped, fill_of(stopped))
    assert portfolio.view("A", SYMBOL).target == 0.3


def test_what_is_for_sale_already_is_known_by_lot() -> None:
    portfolio, entry = Portfolio(1_000), intent()
    portfolio.book(entry, fill_of(entry))
    (lot,) = portfolio.lots("A", SYMBOL)
    assert portfolio.closing("A", SYMBOL, lot) == 0
    portfolio.reserve(Approved(exit_of(entry, amount=D("0.4"))))
    assert portfolio.closing("A", SYMBOL, lot) == D("0.4")
    assert portfolio.closing("A", OTHER, lot) == 0


def test_moved_stops_are_seen_and_the_first_one_remembered() -> None:
    portfolio, entry = Portfolio(1_000), intent(stop=D(90), take=D(120))
    portfolio.book(entry, fill_of(entry), bar=3)
    portfolio.protect(Protection("A", SYMBOL, D(95), None))
    seen = portfolio.view("A", SYMBOL, 5)
    assert (seen.stop, seen.bars_held) == (95.0, 2)
    assert math.isnan(seen.take)
    assert portfolio.lots("A", SYMBOL)[0].first_stop == 90.0


def test_a_view_is_the_fill_models_of_the_same_lots() -> None:
    portfolio = Portfolio(10_000)
    for rung, price in ((1, "100.1"), (3, "99.7"), (4, "98.3")):
        entry = intent(leg=f"rung-{rung}", amount=D("0.7"), share=0.2, take=D(105))
        portfolio.book(entry, fill_of(entry, price), bar=rung)
    book = book_of(list(portfolio.lots("A", SYMBOL)))
    ours, theirs = portfolio.view("A", SYMBOL, 9), fills.view_ladder(book, 9)
    assert np.array_equal(np.array(ours), np.array(theirs), equal_nan=True)
    assert ours.rungs == 0b11010
    assert book[0, fills.LOTS] == 3


def test_an_account_as_the_fill_model_sees_it_holds_what_the_others_bind() -> None:
    portfolio = Portfolio(10_000)
    for strategy, symbol, price in (("A", SYMBOL, "100"), ("B", SYMBOL, "101"), ("B", OTHER, "50")):
        entry = intent(strategy=strategy, symbol=symbol)
        portfolio.book(entry, fill_of(entry, price))
    portfolio.reserve(Approved(intent(strategy="C"), D(7)))
    portfolio.mark(SYMBOL, 110.0)
    portfolio.mark(OTHER, 40.0)
    book = portfolio.account_of("A", SYMBOL)
    assert fills.equity(book, 110.0) == portfolio.get_equity(portfolio.marks) == 10_009.0
    assert fills.free_cash(book, 110.0) == float(portfolio.snapshot().free_cash) == 9_742.0
    assert book[0, fills.LOTS] == 1


def test_a_later_fill_of_one_entry_leaves_other_lots_alone() -> None:
    portfolio = Portfolio(10_000)
    for bar, number in ((1, "1"), (2, "2"), (1, "3")):
        entry = intent(bar=bar)
        portfolio.book(entry, fill_of(entry, id=number))
    assert [(lot.id, lot.amount) for lot in portfolio.lots("A", SYMBOL)] == [("1-0", D(2)), ("2-0", D(1))]
    leaving = exit_of(intent(bar=2))
    portfolio.book(leaving, fill_of(leaving))
    assert [lot.id for lot in portfolio.lots("A", SYMBOL)] == ["1-0"]


def test_the_record_that_half_kelly_sizes_by_is_the_fill_model_s() -> None:
    portfolio = Portfolio(10_000, commission=0.001)
    for bar, price in enumerate(("120", "95")):
        entry = intent(bar=bar, amount=D(1), stop=D(90))
        portfolio.book(entry, fill_of(entry))
        leave = exit_of(entry)
        portfolio.book(leave, fill_of(leave, price))
    assert portfolio.records["A", SYMBOL] == pytest.approx((1.0, 1.0, 1.978, 0.5195))
    head = portfolio.account_of("A", SYMBOL)[0]
    assert tuple(head[fills.WINS : fills.LOST + 1]) == portfolio.records["A", SYMBOL]
    assert portfolio.account_of("B", SYMBOL)[0, fills.WINS] == 0.0


def test_lots_are_adopted_after_a_restart() -> None:
    portfolio, again, entry = Portfolio(1_000), Portfolio(1_000), intent()
    portfolio.book(entry, fill_of(entry), bar=4)
    again.adopt("A", SYMBOL, portfolio.lots("A", SYMBOL))
    assert repr(again.view("A", SYMBOL, 6)) == repr(portfolio.view("A", SYMBOL, 6))


def test_lots_of_both_sides_are_seen_without_a_mean() -> None:
    portfolio = Portfolio(10_000)
    for side in ("buy", "sell"):
        entry = intent(side=side, leg=f"rung-{len(side)}")
        portfolio.book(entry, fill_of(entry))
    assert view_of(book_of(list(portfolio.lots("A", SYMBOL)))).side == 1


def test_exact_money() -> None:
    assert decimal_of(0.1) == D("0.1")
    assert price_of(math.nan) is None
    assert price_of(1.5) == D("1.5")
    assert math.isnan(float_of(None))
    assert part_of(D(1), D(3), D(3)) == 1
    assert len(str(part_of(D(1), D(1), D(3)))) == 62
    assert to_step(D("1.239"), D("0.01")) == D("1.23")
    assert to_step(D("1.239"), None) == D("1.239")
    assert str(total([D(10**30), D("1e-30")])) == "1" + 30 * "0" + "." + 29 * "0" + "1"


def test_the_side_of_a_symbol_is_that_of_the_amounts_not_of_their_number() -> None:
    portfolio = Portfolio(100_000)
    for name, side, amount in (("A", "buy", 1), ("B", "sell", 50), ("C", "buy", 1)):
        entry = intent(strategy=name, side=side, amount=D(amount))
        portfolio.book(entry, fill_of(entry))
    assert portfolio.sides() == {SYMBOL: -1}
    asked = intent(strategy="D", amount=D(48))
    portfolio.reserve(Approved(asked, D(4_800)))
    assert portfolio.sides() == {SYMBOL: 0}
    portfolio.reserve(Approved(intent(strategy="E", symbol=OTHER, side="sell"), D(100)))
    assert portfolio.sides() == {SYMBOL: 0, OTHER: -1}


def test_a_cheap_coins_books_close_without_a_rest() -> None:
    # 30 and more digits: Python's own context would leave 5E-19 behind.
    amounts = D("6234567890.12345678901234567891"), D("3117283945.0617283945061728394")
    portfolio, entry = Portfolio(10_000), intent(amount=amounts[0], price=D("0.0000015"))
    portfolio.book(entry, fill_of(entry, "0.0000015"))
    for number, amount in enumerate((amounts[1], None)):
        (lot,) = portfolio.lots("A", SYMBOL)
        leaving = exit_of(entry, amount=amount or lot.amount, leg=f"lot-{lot.id}", bar=entry.bar + number)
        portfolio.reserve(Approved(leaving))
        assert portfolio.closing("A", SYMBOL, lot) == leaving.amount
        portfolio.book(leaving, fill_of(leaving, "0.0000016"))
        portfolio.release(leaving.key)
    assert not portfolio.lots("A", SYMBOL)
    assert portfolio.amount(SYMBOL) == 0
    assert balanced(portfolio)
