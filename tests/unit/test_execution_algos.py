"""Execution algorithms move by move: what each does of a book, a clock and its own orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.execution_algos.limit_chase import PAUSE, REFUSALS, LimitChase, maker_price
from core.execution_algos.machines import ALGORITHMS, AlgoTerms, machine_of
from core.execution_algos.market import AtMarket
from core.execution_algos.split import THIN, SplitByDepth, limit_of
from core.execution_algos.twap import TimedSlices
from core.execution_algos.values import (
    FRESH,
    MOST_CHILDREN,
    BookOffer,
    CancelChild,
    ChildOrder,
    ChildStanding,
    LocalBook,
    NewChild,
    OrderGrid,
    Sight,
    Work,
    WorkEnd,
)

D = Decimal
GRID = OrderGrid(D("0.01"), D("0.001"), D("0.001"), D(10))
BEGAN = 1_000_000
SPAN = 600_000
WORK = Work("buy", D("1.5"), D(100), False, BEGAN, SPAN)
CHASE, SLICES, TIMED = LimitChase(), SplitByDepth(), TimedSlices(5, 100_000)


def offers(*levels: tuple[str, str]) -> tuple[BookOffer, ...]:
    return tuple(BookOffer(D(price), D(amount)) for price, amount in levels)


BOOK = LocalBook(offers(("99.90", "2"), ("99.80", "5")), offers(("100.00", "0.4"), ("100.10", "0.3")), BEGAN)


def at(ms: int, book: LocalBook | None = BOOK, *, is_hurried: bool = False) -> Sight:
    """Return what is seen so long after the beginning."""
    now = BEGAN + ms
    return Sight(now, GRID, None if book is None else book._replace(time=now), is_hurried)


def child(
    kind: str,
    amount: str,
    standing: ChildStanding,
    filled: str = "0",
    ms: int = 0,
    price: str | None = None,
    reason: str = "",
    number: int = 1,
) -> ChildOrder:
    asked = None if price is None else D(price)
    return ChildOrder(
        number,
        kind,  # type: ignore[arg-type]
        asked,
        D(amount),
        D(filled),
        BEGAN + ms,
        standing,
        reason,
    )


def after(*children: ChildOrder, work: Work = WORK) -> Work:
    return work._replace(children=children)


RESTS, OVER, REFUSED = ChildStanding.RESTS, ChildStanding.OVER, ChildStanding.REFUSED


def test_the_market_takes_one_order_for_all_and_no_second_one() -> None:
    assert AtMarket().step(WORK, at(0, None)) == (NewChild("market", D("1.5")),)
    assert AtMarket().step(after(child("market", "1.5", OVER, "1.5")), at(9)) == (WorkEnd(""),)
    part = after(child("market", "1.5", OVER, "1"))
    assert AtMarket().step(part, at(9)) == (WorkEnd("the market did not take all of it"),)


def test_what_another_algorithm_left_at_rest_is_cancelled_before_the_rest_goes_at_the_market() -> None:
    work = after(child("maker", "1.5", RESTS, "0.5", price="99.90"))
    assert AtMarket().step(work, at(5)) == (CancelChild(1),)
    gone = after(child("maker", "1.5", OVER, "0.7", price="99.90"))
    assert AtMarket().step(gone, at(6)) == (NewChild("market", D("0.8")),)


def test_a_chase_rests_at_the_touch_then_a_tick_nearer_then_takes() -> None:
    assert CHASE.step(WORK, at(0)) == (NewChild("maker", D("1.5"), D("99.90")),)
    first = child("maker", "1.5", RESTS, ms=100, price="99.90")
    assert CHASE.step(after(first), at(10_099)) == ()
    assert CHASE.step(after(first), at(10_100)) == (CancelChild(1),)
    gone = first._replace(standing=OVER, filled=D("0.25"))
    assert CHASE.step(after(gone), at(10_200)) == (NewChild("maker", D("1.25"), D("99.91")),)
    second = child("maker", "1.25", RESTS, ms=25_000, price="99.91", number=2)
    assert CHASE.step(after(gone, second), at(29_999)) == ()
    assert CHASE.step(after(gone, second), at(30_000)) == (CancelChild(2),)
    over = after(gone, second._replace(standing=OVER))
    assert CHASE.step(over, at(30_100)) == (NewChild("market", D("1.25")),)


def test_a_sale_chases_from_above() -> None:
    work = WORK._replace(side="sell")
    assert CHASE.step(work, at(0)) == (NewChild("maker", D("1.5"), D("100.00")),)
    gone = after(child("maker", "1.5", OVER, ms=100, price="100.00"), work=work)
    assert CHASE.step(gone, at(10_200)) == (NewChild("maker", D("1.5"), D("99.99")),)


def test_a_maker_never_reaches_the_other_side() -> None:
    close = LocalBook(offers(("99.99", "1")), offers(("100.00", "1")), BEGAN)
    rested = after(child("maker", "1.5", OVER, price="99.99"))
    assert maker_price(rested, at(0, close)) == D("99.99")
    assert maker_price(rested._replace(side="sell"), at(0, close)) == D("100.00")
    # Off the grid the price goes away from the other side.
    odd = LocalBook(offers(("99.905", "1")), offers(("99.915", "1")), BEGAN)
    assert maker_price(rested, at(0, odd)) == D("99.91")
    assert maker_price(rested._replace(side="sell"), at(0, odd)) == D("99.91")
    assert maker_price(WORK, at(0, odd)) == D("99.90")
    free = Sight(BEGAN, OrderGrid(), odd)
    assert maker_price(WORK, free) == D("99.905")
    cheap = LocalBook(offers(("0.001", "1")), offers(("0.01", "1")), BEGAN)
    assert maker_price(WORK, at(0, cheap)) is None


def test_a_maker_that_is_refused_is_tried_again_at_the_touch_of_then_and_not_for_ever() -> None:
    no = child("maker", "1.5", REFUSED, ms=50, reason="it would immediately match")
    assert CHASE.step(after(no), at(50 + PAUSE - 1)) == ()
    assert CHASE.step(after(no), at(50 + PAUSE)) == (NewChild("maker", D("1.5"), D("99.90")),)
    many = after(*(no._replace(number=number + 1) for number in range(REFUSALS)))
    assert CHASE.step(many, at(60 + PAUSE)) == (NewChild("market", D("1.5")),)


@pytest.mark.parametrize(
    "book",
    [
        None,
        LocalBook((), offers(("100.00", "1")), BEGAN),
        LocalBook(offers(("99.90", "1")), (), BEGAN),
        LocalBook(offers(("100.00", "1")), offers(("100.00", "1")), BEGAN),
    ],
)
def test_without_a_usable_book_nothing_is_placed_before_time_is_over(book: LocalBook | None) -> None:
    for machine in (CHASE, SLICES):
        assert machine.step(WORK, at(100, book)) == ()
    assert CHASE.step(WORK, at(30_000, book)) == (NewChild("market", D("1.5")),)
    assert SLICES.step(WORK, at(120_000, book)) == (WorkEnd(THIN),)
    assert SLICES.step(WORK._replace(is_exit=True), at(120_000, book)) == (NewChild("market", D("1.5")),)


def test_an_old_book_is_none() -> None:
    old = Sight(BEGAN + FRESH + 1, GRID, BOOK)
    assert CHASE.step(WORK, old) == ()
    assert SLICES.step(WORK, old) == ()
    # Of a clock that was set back as well.
    assert not BOOK.is_usable(BEGAN - FRESH - 1)


def test_a_clock_that_was_set_back_ends_the_waiting() -> None:
    assert CHASE.step(WORK, at(-1)) == (NewChild("market", D("1.5")),)
    live = after(child("maker", "1.5", RESTS, ms=5_000, price="99.90"))
    assert CHASE.step(live, at(4_000)) == (CancelChild(1),)
    assert TIMED.step(WORK, at(-1)) == (NewChild("market", D("1.5")),)


def test_an_answer_is_waited_for_however_late_it_is() -> None:
    for standing in (ChildStanding.WAITS, ChildStanding.LEAVES):
        live = after(child("maker", "1.5", standing, price="99.90"))
        for machine in (CHASE, SLICES, TIMED, AtMarket()):
            assert machine.step(live, at(500_000)) == ()
            assert machine.step(live, at(500_000, is_hurried=True)) == ()


def test_a_market_order_cannot_be_cancelled() -> None:
    live = after(child("market", "1.5", RESTS))
    assert CHASE.step(live, at(40_000)) == ()
    assert TIMED.step(live, at(40_000, is_hurried=True)) == ()


def test_a_cancel_that_finds_it_executed_ends_the_work() -> None:
    filled = after(child("maker", "1.5", OVER, "1.5", price="99.90"))
    assert CHASE.step(filled, at(10_200)) == (WorkEnd(""),)


def test_a_rest_that_is_too_little_for_an_order_ends_the_work_and_says_so() -> None:
    rest = after(child("maker", "1.5", OVER, "1.41", price="99.90"))
    for machine in (CHASE, SLICES, TIMED, AtMarket()):
        assert machine.step(rest, at(100)) == (WorkEnd("the rest is less than the smallest order"),)
    # Below the market's step there is no rest.
    assert CHASE.step(after(child("maker", "1.5", OVER, "1.4996")), at(100)) == (WorkEnd(""),)


def test_what_is_worth_an_order_at_the_market_but_not_at_the_makers_price_goes_at_the_market() -> None:
    small = WORK._replace(amount=D("0.1"))
    assert CHASE.step(small, at(0)) == (NewChild("market", D("0.1")),)


def test_an_order_that_others_ended_ends_the_work_but_not_a_stop() -> None:
    gone = after(
        child("maker", "1.5", ChildStanding.TAKEN, price="99.90", reason="cancelled at the exchange")
    )
    for machine in (CHASE, SLICES):
        assert machine.step(gone, at(200)) == (WorkEnd("cancelled at the exchange"),)
    assert CHASE.step(gone, at(200, is_hurried=True)) == (NewChild("market", D("1.5")),)


def test_what_the_venue_refuses_at_the_market_is_not_tried_again() -> None:
    no = after(child("market", "0.3", REFUSED, reason="too little money"))
    for machine in (CHASE, SLICES, TIMED, AtMarket()):
        assert machine.step(no, at(200)) == (WorkEnd("too little money"),)
        assert machine.step(no, at(200, is_hurried=True)) == (WorkEnd("too little money"),)


def test_a_stop_that_is_reached_turns_what_is_left_into_a_market_order() -> None:
    live = after(child("maker", "1.5", RESTS, "0.5", price="99.90"))
    assert CHASE.step(live, at(100, is_hurried=True)) == (CancelChild(1),)
    gone = after(child("maker", "1.5", OVER, "0.5", price="99.90"))
    for machine in (CHASE, SLICES, TIMED):
        assert machine.step(gone, at(100, is_hurried=True)) == (NewChild("market", D("1.0")),)


def test_a_slice_is_what_the_book_offers_within_the_impact() -> None:
    # 100.10 is 0.1 % above the best price, and the last that counts.
    deep = BOOK._replace(asks=(*BOOK.asks, *offers(("100.11", "50"))))
    assert SLICES.step(WORK, at(0, deep)) == (NewChild("limit", D("0.700"), D("100.10")),)
    work = WORK._replace(side="sell", is_exit=True)
    assert SLICES.step(work, at(0)) == (NewChild("limit", D("1.500"), D("99.81")),)
    thin = LocalBook(offers(("99.90", "0.3"), ("99.79", "9")), BOOK.asks, BEGAN)
    assert SLICES.step(work, at(0, thin)) == (NewChild("limit", D("0.300"), D("99.81")),)


def test_the_worst_price_of_a_slice_is_on_the_grid_and_within_the_impact() -> None:
    impact = D("0.001")
    assert limit_of(D("100.07"), impact, D("0.01"), "buy") == D("100.17")
    assert limit_of(D("100.07"), impact, D("0.01"), "sell") == D("99.97")
    # A grid that is coarser than the impact leaves the best price alone.
    assert limit_of(D(7), impact, D(1), "buy") == limit_of(D(7), impact, D(1), "sell") == D(7)
    assert limit_of(D(100), impact, None, "sell") == D("99.9")


def test_the_next_slice_waits_until_others_have_offered_anew_and_what_rests_is_cancelled() -> None:
    live = child("limit", "0.7", RESTS, "0.5", ms=100, price="100.10")
    assert SLICES.step(after(live), at(5_099)) == ()
    assert SLICES.step(after(live), at(5_100)) == (CancelChild(1),)
    assert SLICES.step(after(live), at(120_000)) == (CancelChild(1),)
    gone = live._replace(standing=OVER)
    assert SLICES.step(after(gone), at(5_099)) == ()
    assert SLICES.step(after(gone), at(5_100)) == (NewChild("limit", D("0.7"), D("100.10")),)


def test_a_slice_takes_a_rest_along_that_would_be_too_little_and_none_is_smaller_than_an_order() -> None:
    work = WORK._replace(amount=D("0.75"))
    assert SLICES.step(work, at(0)) == (NewChild("limit", D("0.750"), D("100.10")),)
    tiny = LocalBook(BOOK.bids, offers(("100.00", "0.01")), BEGAN)
    assert SLICES.step(WORK, at(0, tiny)) == ()


def test_timed_slices_leave_at_their_times_and_the_last_takes_all() -> None:
    one = TIMED.step(WORK, at(0, None))
    assert one == (NewChild("market", D("0.3")),)
    first = child("market", "0.3", OVER, "0.3")
    assert TIMED.step(after(first), at(19_999, None)) == ()
    assert TIMED.step(after(first), at(20_000, None)) == (NewChild("market", D("0.3")),)
    # Two were missed, and the second had not taken all.
    second = child("market", "0.3", OVER, "0.1", ms=20_000, number=2)
    assert TIMED.step(after(first, second), at(65_000, None)) == (NewChild("market", D("0.8")),)
    assert TIMED.step(after(first, second), at(80_000, None)) == (NewChild("market", D("1.1")),)
    third = child("market", "1.1", OVER, "0.9", ms=80_000, number=3)
    assert TIMED.step(after(first, second, third), at(81_000, None)) == (
        WorkEnd("the market did not take all of it"),
    )


def test_a_market_that_takes_nothing_or_little_of_them_is_asked_once_in_each_slices_time() -> None:
    for taken in ("0", "0.01"):
        work, placed = WORK, list[int]()
        for ms in range(0, 120_000, 500):
            for action in TIMED.step(work, at(ms, None)):
                if isinstance(action, NewChild):
                    placed.append(ms)
                    made = child("market", str(action.amount), OVER, taken, ms=ms, number=len(placed))
                    work = work._replace(children=(*work.children, made))
        assert placed == [0, 20_000, 40_000, 60_000, 80_000]
        assert TIMED.step(work, at(120_000, None)) == (WorkEnd("the market did not take all of it"),)


def test_timed_slices_that_are_too_little_wait_for_the_next_or_go_along() -> None:
    small = WORK._replace(amount=D("0.25"))
    assert TIMED.step(small, at(0, None)) == ()
    assert TIMED.step(small, at(21_000, None)) == (NewChild("market", D("0.1")),)
    most = after(child("market", "0.1", OVER, "0.1"), work=small._replace(amount=D("0.29")))
    assert TIMED.step(most, at(61_000, None)) == (NewChild("market", D("0.19")),)


def test_no_algorithm_takes_longer_than_its_bar_allows() -> None:
    short = WORK._replace(span=6_000)
    assert CHASE.step(short, at(6_000)) == (NewChild("market", D("1.5")),)
    assert SLICES.step(short, at(6_000)) == (WorkEnd(THIN),)
    assert TIMED.step(short, at(4_800, None)) == (NewChild("market", D("1.5")),)


def test_a_work_has_so_many_orders_and_no_more() -> None:
    gone = child("maker", "1.5", OVER, price="99.90")
    many = after(*(gone._replace(number=number + 1) for number in range(MOST_CHILDREN)))
    assert CHASE.step(many, at(100)) == (NewChild("market", D("1.5")),)


def test_every_algorithm_has_a_name_and_settings() -> None:
    assert ALGORITHMS == ("market", "limit_chase", "split", "twap")
    terms = AlgoTerms(1, 2, D("0.5"), 3, 4, 5, 6)
    assert [machine_of(name, terms) for name in ALGORITHMS] == [
        AtMarket(),
        LimitChase(1, 2),
        SplitByDepth(D("0.5"), 3, 4),
        TimedSlices(5, 6),
    ]
    assert [machine_of(name, terms).reads_book for name in ALGORITHMS] == [False, True, True, False]
