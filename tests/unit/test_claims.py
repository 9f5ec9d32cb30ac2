"""What strategies hold is a claim on what the exchange has: what others do there reduces it, by one rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.account.orders import Fill, Refused, Taken
from core.errors import ExchangeUnreachableError
from core.live.agreement import AGAIN
from core.live.loop import Command, Loop
from core.order_path.audit import AtExchange, check_books, fill_of_row
from core.order_path.claims import (
    LotKey,
    claim_postings,
    claim_txn,
    open_lots,
    proceeds_of,
    shared,
    taken_from,
    taken_of,
)
from core.order_path.ledger import unbalanced
from core.portfolio import DUST
from db.journal_rows import FillRow, IntentRow, PostingRow
from tests.order_model import Line as Wire
from tests.unit.test_exchange_desk import BTC, FLAT, LONG, World, outside, sent

D = Decimal
STOPPED = 39_000.0
"""A price far below the stop of what is held."""


def settled(world: World) -> None:
    """Let the books be compared until they agree."""
    for _ in range(4):
        world.look(6000)


def sound(world: World) -> list[str]:
    """Return what is wrong with the books, once nothing moves."""
    names = {one.request.client_order_id for one in world.exchange.orders}
    ours = {one.client_order_id for one in world.journal.orders()}
    return check_books(world.journal, AtExchange(names & ours, set(), dict(world.exchange.totals)))


def claimed(world: World) -> Decimal:
    return world.session.portfolio.amount(BTC)


def test_a_sale_by_hand_takes_the_position_with_it_and_the_proceeds_come_to_cash() -> None:
    world = World()
    world.entered()
    before = world.session.portfolio.get_equity(world.session.portfolio.marks)
    world.exchange.by_hand(BTC, "sell", world.exchange.totals["BTC"])
    # The exit is refused once, which has the books compared; then nothing is left to be closed.
    for _ in range(6):
        world.session.on_events(world.desk.on_price(BTC, STOPPED), world.exchange.now)
        world.look(6000)
    refused = [one for one in world.journal.orders() if one.state == "rejected"]
    assert len(refused) <= 2
    assert claimed(world) == world.path.position(BTC) == 0
    assert world.path.positions() == {}
    portfolio = world.session.portfolio
    assert portfolio.cash == world.exchange.totals["USDT"]
    assert portfolio.profits({}) == {"SCRIPTED": -portfolio.results["SCRIPTED"].fees}
    assert abs(portfolio.get_equity({}) - before) < 100
    assert outside(world) == []
    assert world.desk.disagreements() == []
    assert sound(world) == []
    # No entries in the symbol until a person accepts.
    assert "BTC/USDT" in world.path.in_the_way(BTC)
    world.bar(LONG)
    assert [side for side, _ in sent(world)].count("buy") == 1
    world.path.release(BTC)
    world.bar(LONG)
    assert [side for side, _ in sent(world)].count("buy") == 2


def test_a_withdrawal_is_taken_over_while_the_account_trades() -> None:
    world = World()
    world.entered()
    world.exchange.totals["USDT"] -= D(1000)
    world.look(AGAIN)
    assert world.path.in_the_way(BTC) != ""
    # A fill of our own between two looks says nothing against the difference.
    world.bar(FLAT)
    settled(world)
    assert [side for side, _ in sent(world)] == ["buy", "sell"]
    assert world.desk.disagreements() == []
    assert sound(world) == []
    portfolio = world.session.portfolio
    assert portfolio.deposits == D(99_000)
    assert portfolio.results["SCRIPTED"].gross == 0
    assert portfolio.cash == world.path.mirror.books.cash("USDT")
    assert outside(world) == []


def test_a_deposit_is_outside_the_account_and_takes_no_claim() -> None:
    world = World()
    world.entered()
    held = claimed(world)
    world.exchange.totals["USDT"] += D(1000)
    world.desk.look_again()
    settled(world)
    assert (claimed(world), outside(world)) == (held, [("USDT", "1000", 1000.0)])
    assert world.session.portfolio.deposits == D(100_000)


def test_what_nobody_claims_goes_first() -> None:
    world = World(BTC=D("0.5"))
    world.entered()
    held = claimed(world)
    world.exchange.by_hand(BTC, "sell", D("0.5"))
    world.desk.look_again()
    settled(world)
    assert claimed(world) == held
    assert world.path.position(BTC) == held
    assert world.path.in_the_way(BTC) == ""
    assert sound(world) == []


def test_coins_withdrawn_bring_nothing_and_are_no_loss_of_the_strategy() -> None:
    world = World()
    world.entered()
    portfolio = world.session.portfolio
    whole, cash = claimed(world), portfolio.cash
    world.exchange.totals["BTC"] -= D("0.01")
    world.desk.look_again()
    settled(world)
    assert claimed(world) == world.path.position(BTC) == whole - D("0.01")
    assert portfolio.cash == cash
    assert portfolio.results["SCRIPTED"].gross == 0
    assert world.session.risk.state.trips == {}
    assert world.desk.disagreements() == []
    assert sound(world) == []


def test_what_was_taken_is_told_once_though_the_process_is_killed_before_it_is_kept() -> None:
    world = World()
    world.entered()
    kept = world.kept()
    world.exchange.by_hand(BTC, "sell", world.exchange.totals["BTC"])
    world.desk.look_again()
    settled(world)
    cash = world.session.portfolio.cash
    # Neither the fills nor what they took had been kept.
    world.begin(world.journal, kept)
    world.look()
    assert claimed(world) == 0
    assert world.session.portfolio.cash == cash
    assert world.desk.disagreements() == []
    world.begin(world.journal, world.kept())
    world.look()
    assert claimed(world) == 0
    assert world.session.portfolio.cash == cash
    assert world.desk.disagreements() == []


@pytest.mark.unmeasured
def test_an_exit_that_is_refused_again_and_again_backs_off_and_then_asks() -> None:
    world = World()
    world.entered()
    world.exchange.rng.random = lambda: 0.01  # type: ignore[method-assign]
    for _ in range(24 * 60):
        world.session.on_events(world.desk.on_price(BTC, STOPPED), world.exchange.now)
        world.look(60_000)
    tries = [one for one in world.journal.orders() if one.side == "sell"]
    assert 5 <= len(tries) <= 10
    (blocked,) = [one for one in world.desk.status().standing if one.kind == "exits"]
    assert (blocked.ref, blocked.ends) == (BTC, f"--account test --accept {BTC}")
    assert f"{len(tries)} times" in blocked.why
    step = world.bar(FLAT)
    assert [type(one) for one in step.outcomes] == [Refused]
    assert len([one for one in world.journal.orders() if one.side == "sell"]) == len(tries)
    # A person says that it can go on.
    world.exchange.rng.random = lambda: 0.5  # type: ignore[method-assign]
    world.desk.accept(BTC)
    world.session.on_events(world.desk.on_price(BTC, STOPPED), world.exchange.now)
    assert world.path.positions().get(("SCRIPTED", BTC), D(0)) < D("0.00001")
    assert world.desk.status().standing == ()


def loop_of(world: World) -> Loop:
    """Return what carries out commands; it is never stepped."""
    nothing: Any = None
    return Loop("x", world.session, nothing, nothing, print, world.desk)


def tell(world: World, name: str, argument: str = "") -> str:
    outcome = loop_of(world).carry_out(Command(1, name, argument), world.exchange.now)
    world.desk.send()
    return outcome


def test_flatten_leaves_no_ghost() -> None:
    world = World()
    world.entered()
    world.exchange.by_hand(BTC, "sell", world.exchange.totals["BTC"])
    assert tell(world, "flatten").startswith("closing 1 position")
    settled(world)
    assert (claimed(world), world.path.positions()) == (D(0), {})
    assert tell(world, "flatten").startswith("closing 0 positions")
    assert sound(world) == []


def test_resume_says_what_still_keeps_entries_back_and_which_command_ends_it() -> None:
    world = World()
    world.entered()
    world.exchange.totals["BTC"] -= D("0.01")
    world.desk.look_again()
    settled(world)
    world.path._barrier.halt("x", "an order came twice")
    said = tell(world, "resume")
    assert said.startswith(
        "the pause is over; still kept back: halt: an order came twice: "
        "run_live.py --account test --release halt; "
    )
    why = "others took 0.01 BTC/USDT of what SCRIPTED held (adjust)"
    assert f"hold {BTC}: {why}: run_live.py --account test --accept {BTC}" in said
    assert tell(world, "accept", "ETH/USDT") == "refused: nothing is held up in ETH/USDT"
    assert tell(world, "accept", BTC) == f"{BTC} is accepted as it is: entries and exits go on"
    assert tell(world, "release", "x") == "refused: nothing is kept back by the name 'x'; names are: halt"
    assert tell(world, "release", "halt") == "the halt is over: entries go on"
    assert tell(world, "release", "halt") == "refused: there is no halt"
    assert tell(world, "resume") == "entries are allowed again"
    world.session.risk.quarantine("SCRIPTED", "it failed")
    assert tell(world, "release", "SCRIPTED") == "SCRIPTED may enter again"
    assert world.session.risk.state.quarantined == {}


def test_cash_that_others_spent_is_no_cash_of_the_account_and_what_they_bought_is_outside_it() -> None:
    world = World()
    world.entered()
    held = claimed(world)
    world.exchange.by_hand(BTC, "buy", D("0.1"))
    world.desk.look_again()
    settled(world)
    portfolio = world.session.portfolio
    assert claimed(world) == held
    assert portfolio.cash == world.exchange.totals["USDT"]
    assert [(asset, amount) for asset, amount, _ in outside(world)] == [("BTC", "0.0999")]
    assert world.desk.disagreements() == []
    world.begin(world.journal, world.kept())
    world.look()
    assert portfolio.cash == world.session.portfolio.cash == world.exchange.totals["USDT"]


def test_lots_are_taken_oldest_first_across_strategies_and_where_others_sold_first() -> None:
    lots = {
        LotKey("a", "BTC/EUR", "1-0"): D(1),
        LotKey("a", BTC, "1-0"): D(2),
        LotKey("b", BTC, "2-0"): D(3),
        LotKey("a", BTC, "3-0"): D(4),
        LotKey("a", "ETH/USDT", "3-0"): D(9),
    }
    free = {("a", "BTC/EUR"): D(1), ("a", BTC): D(6), ("b", BTC): D(3)}
    assert taken_from(lots, D(4), "BTC", free, ()) == {("a", "BTC/EUR"): 1, ("a", BTC): 2, ("b", BTC): 1}
    assert taken_from(lots, D(6), "BTC", free, {BTC}) == {("a", BTC): 3, ("b", BTC): 3}
    assert taken_from(lots, D(99), "BTC", free, {BTC}) == free
    # What an order sells is there: the exchange keeps it.
    assert taken_from(lots, D(99), "BTC", {("a", BTC): D(1)}, ()) == {("a", BTC): 1}


def sale(amount: str, price: str, fee: str = "0", fee_asset: str = "USDT") -> Fill:
    return Fill("x", BTC, "1", "", "sell", D(amount), D(price), D(fee), fee_asset, 0)


def test_what_others_got_is_shared_out_to_the_last_digit() -> None:
    sales = [sale("1", "100", "1"), sale("2", "90", "0.1", "BNB")]
    assert proceeds_of(sales, D(1)) == (D(1), D(99))
    assert proceeds_of(sales, D(2)) == (D(2), D(99 + 90))
    assert proceeds_of(sales, D(5)) == (D(3), D(99 + 180))
    assert proceeds_of([], D(5)) == (D(0), D(0))
    parts = {("a", BTC): D(1), ("b", BTC): D(1), ("c", BTC): D(1)}
    found = shared(D(100), parts)
    assert sum(found.values()) == 100
    assert found["a", BTC] == D("33.33333333")


@pytest.mark.parametrize("proceeds", ["0", "12.5"])
def test_what_was_taken_is_read_back_from_its_lines(proceeds: str) -> None:
    taken = Taken("a", BTC, D("0.5"), D(proceeds), "foreign", 7)
    lines = claim_postings(taken)
    assert unbalanced(lines) == {}
    assert taken_of(PostingRow(claim_txn(taken), *line) for line in lines) == [taken]


def wanted(strategy: str, bar: int, purpose: str, leg: str, side: str) -> IntentRow:
    intent = (strategy, BTC, "1h", bar, purpose, leg, side, D(1), D(1), None, None, "", 0, 0, D(1), D(0))
    return IntentRow(f"{strategy}|{bar}|{purpose}|{leg}", *intent)


def executed(seq: int, side: str, amount: str) -> tuple[FillRow, Fill]:
    row = FillRow("x", BTC, str(seq), "o", "1", side, D(amount), D(100), D(0), "USDT", 0, "", seq)
    return row, fill_of_row(row)


def test_lots_follow_from_fills_and_from_what_was_taken_before() -> None:
    first, second = wanted("a", 1, "entry", "main", "buy"), wanted("a", 2, "entry", "main", "buy")
    other = wanted("b", 1, "entry", "rung-3", "buy")
    history: list[tuple[FillRow, Fill, IntentRow | None]] = [
        (*executed(1, "buy", "2"), first),
        (*executed(2, "buy", "3"), other),
        (*executed(3, "buy", "4"), second),
        # Of nobody's order.
        (*executed(4, "sell", "9"), None),
        # The lot that is meant goes first, then the oldest.
        (*executed(6, "sell", "5"), wanted("a", 3, "exit", "lot-2-0", "sell")),
        (*executed(7, "buy", "1"), first),
    ]
    lots = {("a", "1-0"): D(2), ("b", "1-3"): D(3)}
    assert {key[::2]: amount for key, amount in open_lots(history, ()).items()} == lots
    gone = [Taken("b", BTC, D(1), D(0), "foreign", 5), Taken("a", BTC, D("0.5"), D(0), "foreign", 8)]
    lots = {("a", "1-0"): D("1.5"), ("b", "1-3"): D(2)}
    assert {key[::2]: amount for key, amount in open_lots(history, gone).items()} == lots
    # What is sold beyond a position is a short one: it claims nothing, and is bought back first.
    history.append((*executed(9, "sell", "7"), wanted("a", 4, "exit", "main", "sell")))
    assert list(open_lots(history, ())) == [LotKey("b", BTC, "1-3")]
    history.append((*executed(10, "buy", "6"), wanted("a", 5, "exit", "main", "buy")))
    assert open_lots(history, ()) == {LotKey("b", BTC, "1-3"): 3, LotKey("a", BTC, "5-0"): 1}


def test_what_is_left_of_a_lot_and_too_little_for_an_order_is_nobodys() -> None:
    world = World()
    world.entered()
    portfolio, whole = world.session.portfolio, claimed(world)
    world.exchange.totals["BTC"] -= whole
    world.exchange.totals["BTC"] += D("0.000001")
    world.desk.look_again()
    settled(world)
    assert portfolio.lots("SCRIPTED", BTC) == ()
    assert portfolio.amount(BTC, DUST) == world.path.position(BTC) == D("0.000001")
    # The rest goes as well, though another holds it.
    world.exchange.totals["BTC"] = D(0)
    world.desk.look_again()
    settled(world)
    assert claimed(world) == world.path.position(BTC) == 0
    assert world.desk.disagreements() == []


def listed(world: World, kind: str) -> list[tuple[str, Decimal]]:
    """Return the deposits, withdrawals or adjustments booked since the opening, by asset."""
    rows = [row for row in world.journal.postings() if not row.txn.startswith("opening")]
    return [(row.asset, -row.amount) for row in rows if row.name.startswith(f"{kind}:")]


def alerts(world: World) -> list[str]:
    return [event.text for event in world.events if event.critical]


def test_a_withdrawal_that_the_exchange_lists_is_booked_under_its_name_and_told_once() -> None:
    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(-1000))
    world.look(AGAIN)
    world.bar(FLAT)
    steps = [world.look(6000) for _ in range(4)]
    assert (listed(world, "withdrawal"), listed(world, "adjust")) == ([("USDT", D(-1000))], [])
    assert alerts(world) == [
        "USDT: the exchange had -1000 beside what the books said (withdrawal 0 -1000); they follow it now"
    ]
    assert [one.cause for step in steps for one in step.taken] == ["withdrawal"]
    assert world.session.portfolio.deposits == D(99_000)
    assert world.path.in_the_way(BTC) == alerts(world)[0]
    assert world.desk.disagreements() == []
    assert sound(world) == []


def test_a_deposit_that_the_exchange_lists_holds_nothing_up() -> None:
    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(1000))
    world.exchange.transfer("DOGE", D(5))
    world.desk.look_again()
    world.look()
    assert world.path.in_the_way(BTC).startswith("the exchange differs from the books by DOGE +5, USDT +1000")
    settled(world)
    assert listed(world, "deposit") == [("DOGE", D(5)), ("USDT", D(1000))]
    assert listed(world, "adjust") == []
    assert (world.path.in_the_way(BTC), world.desk.standing()) == ("", [])
    assert world.session.portfolio.deposits == D(100_000)
    assert sound(world) == []


def test_coins_withdrawn_by_the_list_reduce_claims_for_that_reason() -> None:
    world = World()
    world.entered()
    whole = claimed(world)
    world.exchange.transfer("BTC", D("-0.01"))
    world.desk.look_again()
    settled(world)
    assert claimed(world) == world.path.position(BTC) == whole - D("0.01")
    assert [(one.amount, one.cause) for one in world.path.taken()] == [(D("0.01"), "withdrawal")]
    assert alerts(world) == ["others took 0.01 BTC/USDT of what SCRIPTED held (withdrawal)"]
    assert sound(world) == []


def test_a_withdrawal_that_fails_comes_back_under_the_same_name() -> None:
    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(-1000))
    world.desk.look_again()
    settled(world)
    world.exchange.totals["USDT"] += 1000
    world.exchange.transfers[0] = world.exchange.transfers[0]._replace(amount=D(0))
    world.desk.look_again()
    settled(world)
    assert listed(world, "withdrawal") == [("USDT", D(-1000)), ("USDT", D(1000))]
    assert listed(world, "adjust") == []
    assert sound(world) == []


def test_what_no_list_explains_is_adjusted_beside_what_one_does() -> None:
    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(1000))
    world.exchange.totals["USDT"] -= 5
    world.desk.look_again()
    settled(world)
    assert (listed(world, "deposit"), listed(world, "adjust")) == ([("USDT", D(1000))], [("USDT", D(-5))])
    assert world.path.in_the_way(BTC) == alerts(world)[0]
    assert sound(world) == []


def test_a_list_that_is_ahead_of_the_balance_is_booked_as_far_as_the_balance() -> None:
    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(1000))
    world.exchange.transfer("USDT", D(70))
    world.exchange.totals["USDT"] -= 70
    world.desk.look_again()
    settled(world)
    assert (listed(world, "deposit"), listed(world, "adjust")) == ([("USDT", D(1000))], [])
    world.exchange.totals["USDT"] += 70
    world.desk.look_again()
    settled(world)
    assert listed(world, "deposit") == [("USDT", D(1000)), ("USDT", D(70))]
    assert listed(world, "adjust") == []


def test_lists_that_cannot_be_read_are_waited_for_and_then_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise ExchangeUnreachableError("it does not answer")

    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(1000))
    monkeypatch.setattr(world.wire, "transfers", away)
    world.desk.look_again()
    settled(world)
    assert listed(world, "adjust") == []
    assert world.path.in_the_way(BTC) != ""
    for _ in range(10):
        world.look(6000)
    assert listed(world, "adjust") == [("USDT", D(1000))]
    assert [event.text for event in world.events].count("it does not answer") == 9


def test_where_nothing_is_listed_a_difference_is_adjusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wire, "transfers", lambda _: None)
    world = World()
    world.entered()
    world.exchange.transfer("USDT", D(1000))
    world.desk.look_again()
    settled(world)
    assert (listed(world, "adjust"), listed(world, "deposit")) == ([("USDT", D(1000))], [])


def test_an_account_of_before_lists_were_read_begins_to_know_them_when_its_books_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as before:
        before.setattr(Wire, "transfers", lambda _: None)
        world = World()
        world.exchange.transfer("USDT", D(7))
        world.desk.look_again()
        settled(world)
    kept = world.kept()
    world.begin(world.journal, kept)
    world.exchange.transfer("USDT", D(1000))
    world.desk.look_again()
    settled(world)
    assert (listed(world, "adjust"), listed(world, "deposit")) == ([("USDT", D(7))], [("USDT", D(1000))])


def test_conversions_of_before_they_were_listed_are_not_booked_again() -> None:
    world = World()
    world.exchange.convert("convert", ("USDT", D(50)), ("DOGE", D(200)))
    world.desk.look_again()
    settled(world)
    assert listed(world, "convert") == [("DOGE", D(200)), ("USDT", D(-50))]
    # A journal of before knows of deposits and withdrawals alone.
    world.journal._run("DELETE FROM order_cursors WHERE name = 'conversions'")
    kept = world.kept()
    world.exchange.convert("dust", ("DOGE", D(9)), ("BNB", D("0.01")))
    world.begin(world.journal, kept)
    assert listed(world, "dust") == []
    assert listed(world, "adjust") == [("BNB", D("0.01")), ("DOGE", D(-9))]
    world.exchange.convert("dust", ("DOGE", D(4)), ("BNB", D("0.005")))
    world.desk.look_again()
    settled(world)
    assert listed(world, "dust") == [("BNB", D("0.005")), ("DOGE", D(-4))]
