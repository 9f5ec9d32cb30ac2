"""The paper exchange: one cash, many books, the fill model's fills told as facts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from core import fills
from core.account.lots import book_of
from core.account.orders import Approved, Executed, Intent, Protection, Purpose, RefusalReason, Refused
from core.domain import MOST_LOTS, Costs, Refusal, enter
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk.limits import MarketDemands
from core.sizing import Capital, Sizing
from tests.account_help import OTHER, SYMBOL, D, bar, exit_of, fill_of, intent
from tests.markets import HOUR, START

FREE = Costs(0.0, 0.0)


def desk(cash: float = 10_000.0, costs: Costs = FREE, **given: object) -> PaperFills:
    return PaperFills(cash, costs, **given)  # type: ignore[arg-type]


def told(event: Executed | Refused) -> tuple[object, ...]:
    if isinstance(event, Refused):
        return "refused", event.intent.leg, event.reason.value
    fill = event.fill
    return fill.reason, event.intent.leg, fill.side, fill.amount, fill.price, fill.time


def held(paper: PaperFills, wanted: Intent | None = None) -> Intent:
    """Have an entry filled at bar 1 and return it."""
    wanted = wanted or intent()
    paper.on_bars([bar(0)])
    assert paper.submit(Approved(wanted)) is None
    (event,) = paper.on_bars([bar(1)])
    assert isinstance(event, Executed)
    return wanted


def test_a_position_of_all_its_lots_is_added_to_no_more() -> None:
    book = fills.open_book(1000.0)
    for lots, (refused, is_asked) in ((MOST_LOTS - 1, (0, True)), (MOST_LOTS, (1, False))):
        book[0, fills.LOTS] = lots
        book[0, fills.ASKED] = 0
        asked = fills.ask_entry(book, enter(0.5, 90.0), 0, 100.0, Capital(1000.0, 1000.0), Sizing(), FREE)
        assert (asked > 0) == is_asked
        assert book[0, fills.REFUSED + Refusal.LOTS] == refused


def test_an_entry_fills_at_the_next_open_with_spread_and_fee() -> None:
    paper = desk(costs=Costs(0.001, 0.01))
    paper.on_bars([bar(0)])
    paper.submit(Approved(intent(amount=D(2))))
    (event,) = paper.on_bars([bar(1)])
    assert told(event) == ("entry", "main", "buy", 2, 101, START + HOUR)
    assert isinstance(event, Executed)
    assert (event.fill.fee, event.fill.fee_asset) == (D("0.202"), "USDT")
    assert event.fill.id == event.intent.key
    assert paper.cash == 10_000 - 0.202


def test_stops_takes_and_trails_fill_by_themselves_and_say_so() -> None:
    for prices, stop, expected in (
        ((100.0, 101.0, 85.0, 88.0), None, ("stop", 90, START + 3 * HOUR - 1)),
        ((80.0, 81.0, 75.0, 80.0), None, ("stop", 80, START + 2 * HOUR)),
        ((100.0, 125.0, 99.0, 100.0), None, ("take", 120, START + 3 * HOUR - 1)),
        ((100.0, 101.0, 94.0, 100.0), D(95), ("trail", 95, START + 3 * HOUR - 1)),
    ):
        paper = desk()
        held(paper, intent(stop=D(90), take=D(120)))
        if stop:
            paper.protect(Protection("A", SYMBOL, stop, None))
        (event,) = paper.on_bars([bar(2, prices)])
        assert isinstance(event, Executed)
        reason, price, time = expected
        assert (event.fill.reason, event.fill.price, event.fill.time) == (reason, D(price), time)
        purpose = Purpose.TAKE if reason == "take" else Purpose.STOP
        assert (event.intent.purpose, event.intent.leg) == (purpose, f"lot-{START}-0")
        assert (event.fill.amount, event.fill.side) == (D(1), "sell")
        assert paper.on_bars([bar(3)]) == []


def test_what_is_not_held_is_protected_and_listed_without_effect() -> None:
    paper = desk()
    paper.protect(Protection("A", SYMBOL, D(95), None))
    assert len(paper.trades("A", SYMBOL)) == 0
    held(paper)
    paper.on_bars([bar(2)])
    assert len(paper.trades("A", SYMBOL)) == 0


def test_a_lot_entered_and_stopped_in_one_bar_is_told_in_that_order() -> None:
    paper = desk()
    paper.on_bars([bar(0)])
    paper.submit(Approved(intent(stop=D("99.5"))))
    assert [told(event)[0] for event in paper.on_bars([bar(1)])] == ["entry", "stop"]


def test_an_exit_closes_the_lot_it_names_whole_or_in_part() -> None:
    paper = desk()
    entry = held(paper, intent(amount=D(3)))
    part = exit_of(entry, amount=D(1), reason="reduce", share=0.5)
    assert paper.submit(Approved(part)) is None
    again = paper.submit(Approved(exit_of(entry, bar=1)))
    assert isinstance(again, Refused)
    assert [told(event) for event in paper.on_bars([bar(2)])] == [
        ("reduce", part.leg, "sell", 1, 100, START + 2 * HOUR)
    ]
    whole = exit_of(entry, amount=D(9), reason="a person's wish", purpose=Purpose.FLATTEN)
    paper.submit(Approved(whole))
    assert [told(event) for event in paper.on_bars([bar(3)])] == [
        ("a person's wish", part.leg, "sell", 2, 100, START + 3 * HOUR)
    ]
    assert isinstance(paper.submit(Approved(whole)), Refused)


def test_a_reduced_lot_can_be_stopped_on_the_same_bar() -> None:
    paper = desk()
    entry = held(paper, intent(amount=D(3), stop=D(90)))
    paper.submit(Approved(exit_of(entry, amount=D(1), reason="reduce")))
    events = paper.on_bars([bar(2, (100.0, 100.0, 80.0, 85.0))])
    assert [told(event)[0] for event in events] == ["reduce", "stop"]
    assert [event.fill.amount for event in events if isinstance(event, Executed)] == [1, 2]


def test_one_cash_pays_for_all_books() -> None:
    paper = desk(1_000.0)
    paper.on_bars([bar(0), bar(0, symbol=OTHER)])
    for strategy, symbol, amount in (("A", SYMBOL, 6), ("B", OTHER, 3), ("C", SYMBOL, 2)):
        paper.submit(Approved(intent(strategy=strategy, symbol=symbol, amount=D(amount))))
    events = paper.on_bars([bar(1), bar(1, symbol=OTHER)])
    assert {event.intent.strategy: told(event)[0] for event in events} == {
        "A": "entry",
        "C": "entry",
        "B": "refused",
    }
    refused = next(event for event in events if isinstance(event, Refused))
    assert refused.reason is RefusalReason.CASH


def test_an_exchange_refuses_what_its_filters_forbid() -> None:
    paper = desk(markets={SYMBOL: MarketDemands(D("0.1"), None, D(20))})
    for amount, reason in (("0.15", "lot"), ("0", "lot"), ("0.1", "min_notional")):
        refused = paper.submit(Approved(intent(amount=D(amount))))
        assert isinstance(refused, Refused)
        assert refused.reason == reason
    assert paper.submit(Approved(intent(amount=D("0.2")))) is None


def test_as_many_lots_as_an_account_keeps() -> None:
    paper = desk()
    for n in range(fills.WANTED - fills.HELD):
        assert paper.submit(Approved(intent(bar=n, leg=f"rung-{n}", amount=D("0.1")))) is None
    refused = paper.submit(Approved(intent(bar=99)))
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.LOTS


def test_ruin_closes_everything_and_ends_the_account() -> None:
    paper = desk(100.0)
    held(paper, intent(side="sell"))
    (event,) = paper.on_bars([bar(2, (100.0, 250.0, 100.0, 250.0))])
    assert told(event)[0] == "ruin"
    assert paper.is_ruined
    assert isinstance(paper.submit(Approved(intent(bar=5))), Refused)
    assert paper.on_bars([bar(3)]) == []


def test_the_end_closes_everything_and_drops_what_was_asked() -> None:
    paper = desk()
    entry = held(paper)
    paper.submit(Approved(exit_of(entry)))
    paper.submit(Approved(intent(bar=7)))
    paper.submit(Approved(intent(strategy="B")))
    events = paper.close_at_the_end()
    assert [told(event)[0] for event in events] == ["refused", "refused", "end", "refused"]
    assert {event.reason for event in events if isinstance(event, Refused)} == {RefusalReason.EXPIRED}
    assert paper.on_bars([bar(2)]) == []


def test_a_bars_volume_fills_its_share_and_the_rest_is_cancelled() -> None:
    paper = desk(volume_share=0.1)
    paper.on_bars([bar(0)])
    paper.submit(Approved(intent(amount=D(3))))
    paper.submit(Approved(intent(strategy="B", side="sell", amount=D("0.5"))))
    events = paper.on_bars([bar(1)])
    assert [event.fill.amount for event in events if isinstance(event, Executed)] == [1, D("0.5")]
    leaving = exit_of(intent())
    paper.submit(Approved(leaving))
    (event,) = paper.on_bars([bar(2, volume=4.0)])
    assert isinstance(event, Executed)
    assert event.fill.amount == D("0.4")
    assert paper.cash == 10_000


def test_no_volume_fills_nothing() -> None:
    paper = desk(volume_share=0.1)
    entry = held(paper)
    paper.submit(Approved(exit_of(entry)))
    paper.submit(Approved(intent(bar=9)))
    events = paper.on_bars([bar(2, volume=0.0)])
    assert [told(event) for event in events] == [
        ("refused", "main", "lot"),
        ("refused", f"lot-{START}-0", "lot"),
    ]
    paper.submit(Approved(exit_of(entry)))
    assert [told(event)[0] for event in paper.on_bars([bar(3, volume=math.nan)])] == ["rule"]


def test_a_price_between_bars_closes_what_it_reaches_and_enters_nothing() -> None:
    paper = desk()
    entry = held(paper, intent(stop=D(90)))
    paper.on_bars([bar(1, symbol=OTHER)])
    assert paper.on_price(SYMBOL, 95.0, START + 2 * HOUR + 5) == []
    paper.submit(Approved(replace(entry, bar=START + HOUR, stop=None)))
    assert paper.on_price(SYMBOL, 96.0, START + 2 * HOUR + 9) == []
    (event,) = paper.on_price(SYMBOL, 89.0, START + 2 * HOUR + 60_000)
    assert told(event)[:5] == ("stop", f"lot-{START}-0", "sell", 1, 89)
    (event,) = paper.on_bars([bar(2)])
    assert told(event)[:5] == ("entry", "main", "buy", 1, 100)


def test_a_lot_that_leaves_at_the_open_is_not_stopped_by_a_later_price() -> None:
    paper = desk()
    entry = held(paper, intent(stop=D(90)))
    second = replace(entry, bar=START + HOUR, stop=D(85))
    paper.submit(Approved(second))
    paper.on_bars([bar(2)])
    paper.submit(Approved(exit_of(entry)))
    (event,) = paper.on_price(SYMBOL, 80.0, START + 3 * HOUR + 5)
    assert told(event)[:3] == ("stop", f"lot-{START + HOUR}-0", "sell")
    (event,) = paper.on_bars([bar(3)])
    assert told(event)[:5] == ("rule", f"lot-{START}-0", "sell", 1, 100)


def test_what_a_person_wants_closed_closes_at_the_next_price() -> None:
    paper = desk()
    entry = held(paper)
    paper.submit(Approved(exit_of(entry, purpose=Purpose.FLATTEN, reason="flatten")))
    (event,) = paper.on_price(SYMBOL, 97.0, START + 2 * HOUR + 5)
    assert told(event)[:5] == ("flatten", f"lot-{START}-0", "sell", 1, 97)


OLD: dict[str, Any] = {"timeframe": "4h", "ts": START - 3 * HOUR, "end": START + HOUR}


def test_an_order_is_not_filled_in_a_bar_that_opened_before_it() -> None:
    paper = desk()
    paper.follow("A", SYMBOL, "4h")
    paper.submit(Approved(intent()))
    (event,) = paper.on_bars([bar(0, **OLD)])
    assert told(event) == ("refused", "main", "expired")
    assert isinstance(event, Refused)
    assert event.detail == "it was ordered after the bar of 2023-11-14 19:00 UTC had opened"
    assert paper.on_bars([bar(1)]) == []


def test_a_stop_and_a_take_are_not_looked_at_in_a_bar_that_opened_before_the_entry() -> None:
    portfolio = Portfolio(10_000)
    entered = intent(stop=D(90), take=D(120))
    portfolio.book(entered, fill_of(entered, time=START + HOUR + 60_000), bar=1)
    paper = desk()
    paper.restore("1h", ("A", SYMBOL), portfolio.lots("A", SYMBOL))
    wild = (100.0, 130.0, 80.0, 100.0)
    # The second opened before the entry too, and closed after it: which part reached what nobody knows.
    assert paper.on_bars([bar(0, wild), bar(1, wild)]) == []
    (event,) = paper.on_bars([bar(2, wild)])
    assert told(event) == ("stop", f"lot-{START}-0", "sell", 1, 90, START + 3 * HOUR - 1)


def test_an_exit_waits_for_a_bar_that_opens_after_it_and_after_its_lot() -> None:
    for asked, opened in ((START + 2 * HOUR + 1, START + HOUR), (START + HOUR, START + 2 * HOUR + 1)):
        portfolio, entry = Portfolio(10_000), intent(stop=D(90))
        portfolio.book(entry, fill_of(entry, time=opened), bar=1)
        paper = desk()
        paper.restore("1h", ("A", SYMBOL), portfolio.lots("A", SYMBOL))
        assert paper.submit(Approved(exit_of(entry, created_at=asked))) is None
        assert paper.on_bars([bar(2, (100.0, 101.0, 99.0, 100.0))]) == []
        (event,) = paper.on_bars([bar(3, (97.0, 101.0, 80.0, 100.0))])
        assert told(event) == ("rule", f"lot-{START}-0", "sell", 1, 97, START + 3 * HOUR)


@pytest.mark.parametrize(
    ("prices", "price"), [((100.0, 101.0, 80.0, 100.0), 90), ((100.0, 130.0, 99.0, 100.0), 120)]
)
def test_what_was_reached_while_nobody_looked_comes_before_what_a_person_wants_now(
    prices: tuple[float, float, float, float], price: float
) -> None:
    paper, entry = desk(), intent(stop=D(90), take=D(120))
    held(paper, entry)
    wish = exit_of(entry, purpose=Purpose.FLATTEN, reason="flatten", created_at=START + 5 * HOUR + 7)
    assert paper.submit(Approved(wish)) is None
    assert paper.on_bars([bar(2, (100.0, 101.0, 99.0, 100.0))]) == []
    closed, refused = paper.on_bars([bar(3, prices)])
    assert told(closed)[3:] == (1, price, START + 4 * HOUR - 1)
    assert isinstance(refused, Refused)
    assert (refused.intent, refused.detail) == (wish, "its lot was closed by its stop or take before")
    assert paper.on_price(SYMBOL, 95.0, START + 5 * HOUR + 9) == paper.on_bars([bar(4, prices)]) == []


def test_what_a_price_between_bars_closes_is_closed_at_its_time() -> None:
    paper = desk()
    held(paper, intent(stop=D(90)))
    (event,) = paper.on_price(SYMBOL, 89.0, START + 2 * HOUR + 60_000)
    assert told(event)[4:] == (89, START + 2 * HOUR + 60_000)


def test_a_price_protects_before_the_first_bar_after_a_restart() -> None:
    paper, portfolio = desk(), Portfolio(10_000)
    paper.on_bars([bar(0)])
    paper.submit(Approved(intent(stop=D(90))))
    for event in paper.on_bars([bar(1)]):
        assert isinstance(event, Executed)
        portfolio.book(event.intent, event.fill, bar=1)
    again = desk(portfolio.settled, keep_trades=False)
    again.restore("1h", ("A", SYMBOL), portfolio.lots("A", SYMBOL))
    (event,) = again.on_price(SYMBOL, 88.0, START + 2 * HOUR + 5)
    assert told(event)[:5] == ("stop", f"lot-{START}-0", "sell", 1, 88)
    assert isinstance(event, Executed)
    assert event.intent.bar == START + 2 * HOUR
    assert again.on_bars([bar(2)]) == []


@pytest.mark.unmeasured
def test_closed_trades_need_not_be_kept() -> None:
    paper = desk(keep_trades=False)
    paper.on_bars([bar(0)])
    for n in range(1, 300):
        paper.submit(Approved(intent(bar=n, stop=D("99.5"))))
        assert len(paper.on_bars([bar(n)])) == 2
    assert len(paper.trades("A", SYMBOL)) <= 1


def test_a_restart_holds_what_the_portfolio_holds() -> None:
    paper, portfolio = desk(), Portfolio(10_000)
    paper.on_bars([bar(0)])
    entry = intent(stop=D(90))
    paper.submit(Approved(entry))
    for event in paper.on_bars([bar(1)]):
        assert isinstance(event, Executed)
        portfolio.book(event.intent, event.fill, bar=1)
    again = desk(portfolio.settled)
    again.mark(SYMBOL, 100.0)
    again.restore("1h", ("A", SYMBOL), portfolio.lots("A", SYMBOL))
    prices = (100.0, 101.0, 80.0, 85.0)
    assert again.on_bars([bar(2, prices)]) == paper.on_bars([bar(2, prices)])
    assert again.cash == paper.cash


@pytest.mark.unmeasured
def test_books_with_many_trades_grow() -> None:
    paper = desk()
    paper.on_bars([bar(0)])
    for n in range(1, 300):
        paper.submit(Approved(intent(bar=n, stop=D("99.5"))))
        assert len(paper.on_bars([bar(n)])) == 2
    assert len(paper.trades("A", SYMBOL)) == 299
    assert book_of([])[0, fills.LOTS] == 0


def test_a_price_of_one_symbol_closes_nothing_of_another() -> None:
    paper = desk()
    held(paper, intent(stop=D(90)))
    paper.on_bars([bar(1, symbol=OTHER)])
    paper.submit(Approved(intent(symbol=OTHER, bar=START + HOUR, stop=D(90))))
    assert len(paper.on_bars([bar(2), bar(2, symbol=OTHER)])) == 1
    (event,) = paper.on_price(OTHER, 80.0, START + 3 * HOUR + 5)
    assert (event.intent.symbol, event.intent.reason) == (OTHER, "stop")
    (event,) = paper.on_price(SYMBOL, 80.0, START + 3 * HOUR + 6)
    assert (event.intent.symbol, event.intent.reason) == (SYMBOL, "stop")
