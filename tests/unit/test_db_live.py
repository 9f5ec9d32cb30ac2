from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from core.account.lots import Trade
from core.account.orders import Executed, Purpose
from core.domain import Series
from core.engine import Step
from core.errors import DatabaseError, UsageError
from core.live.records import RunBook
from db import live
from db.init_db import init_db
from db.live_models import LiveDecision, LiveEquity, LiveFill, LiveTrade
from tests.account_help import fill_of, intent
from tests.status_help import CALM
from tests.stored import new_database, run_sql, url_of

BTC = Series("binanceus", "BTC/USDT", "1h")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = new_database(tmp_path / "live.db")
    yield made
    made.dispose()


def start(engine: Engine, account: str = "paper", now: int = 1000) -> int:
    return live.start_run(
        engine, account, "paper", pid=77, code_version="0.1.0", settings={"cash": 10_000}, now=now
    )


def test_a_run_is_found_while_it_runs_and_after_it_ended(engine: Engine) -> None:
    assert live.newest_run(engine, "paper") is None
    run = start(engine)
    live.record(engine, run, status={"equity": 10_000.5}, now=2000)
    found = live.newest_run(engine, "paper")
    assert found == live.RunState(run, "paper", "paper", 77, 1000, None, None, 2000, {"equity": 10_000.5})
    live.end_run(engine, run, "asked to stop", 3000)
    found = live.newest_run(engine, "paper")
    assert found is not None
    assert (found.ended_at, found.ending, found.beat_at) == (3000, "asked to stop", 3000)


def test_the_newest_run_of_an_account_is_its_own(engine: Engine) -> None:
    start(engine)
    other = start(engine, "other", 5000)
    newest = start(engine, now=6000)
    assert (live.newest_run(engine, "paper") or (0,))[0] == newest
    assert (live.newest_run(engine, "other") or (0,))[0] == other


def test_a_step_is_stored_whole_or_not_at_all(engine: Engine) -> None:
    run = start(engine)
    wanted = live.DecisionRow(BTC, 500, "TREND_EMA", "OPEN_LONG", "approved", {"stop": 90.0})
    refused = live.DecisionRow(BTC, 500, "MR_BB", "OPEN_LONG", "daily_loss", {})
    point = live.EquityRow(600, 10_001.0, 9000.0)
    live.record(engine, run, decisions=[wanted, refused], equity=[point], now=700)
    assert live.count_decisions(engine, run) == {"approved": 1, "daily_loss": 1}
    nobody = {"account": "paper", "strategy": None}
    with pytest.raises(DatabaseError, match="nothing of this step was stored"):
        live.record(engine, run, decisions=[wanted], equity=[point], trades=[nobody], now=800)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(LiveDecision)).scalar() == 2
        assert connection.execute(select(LiveEquity.equity)).scalars().all() == [10_001.0]


def test_of_two_steps_at_one_time_the_later_one_says_what_the_account_was_worth(engine: Engine) -> None:
    run = start(engine)
    for equity in (10_001.0, 10_002.0):
        live.record(engine, run, equity=[live.EquityRow(600, equity, 9000.0)], now=700)
    with engine.connect() as connection:
        assert connection.execute(select(LiveEquity.equity)).scalars().all() == [10_002.0]


def test_what_came_of_a_command_is_stored_with_the_state_it_left(engine: Engine) -> None:
    run = start(engine)
    number = live.give_command(engine, "paper", "pause", "", "me", 5)
    live.record(engine, run, state={("paper", "session"): {"paused": True}}, taken={number: "paused"}, now=6)
    assert live.outcome_of(engine, number) == "paused"
    assert live.waiting_commands(engine, "paper") == []
    assert live.read_state(engine, "paper") == {"session": {"paused": True}}


def test_a_fill_of_an_account_is_stored_once_and_its_trade_with_it(engine: Engine) -> None:
    run = start(engine)
    fill: dict[str, object] = {"account": "paper", "exchange": "paper", "symbol": "BTC/USDT", "fill_id": "f1"}
    fill |= {"strategy": "MR_BB", "side": "sell", "amount": "0.1", "price": "100.5", "fee": "0.01005"}
    fill |= {"fee_asset": "USDT", "ts": 5, "reason": "take"}
    trade: dict[str, object] = {"account": "paper", "strategy": "MR_BB", "symbol": "BTC/USDT", "side": "LONG"}
    trade |= {"amount": "0.1", "entry_ts": 1, "exit_ts": 5, "entry_price": 100.0, "exit_price": 100.5}
    trade |= {"gross": "0.05", "fees": "0.02005", "reason": "take"}
    live.record(engine, run, fills=[fill], trades=[trade], now=6)
    with pytest.raises(DatabaseError, match="nothing of this step was stored"):
        live.record(engine, run, fills=[fill], trades=[trade], now=7)
    with engine.connect() as connection:
        assert connection.execute(select(LiveFill.price, LiveFill.fee)).all() == [("100.5", "0.01005")]
        assert connection.execute(select(LiveTrade.gross)).scalars().all() == ["0.05"]


def test_state_is_found_again_by_name_and_replaced(engine: Engine) -> None:
    run = start(engine)
    live.record(engine, run, state={("paper", "breakers"): {"daily_loss": "2026-01-01"}}, now=1)
    live.record(engine, run, state={("paper", "breakers"): {}, ("other", "x"): 1}, now=2)
    assert live.read_state(engine, "paper") == {"breakers": {}}
    assert live.read_state(engine, "other") == {"x": 1}


def test_commands_wait_for_their_account_in_order_and_are_taken_once(engine: Engine) -> None:
    first = live.give_command(engine, "paper", "pause", "", "me@laptop", 10)
    second = live.give_command(engine, "paper", "reset-breaker", "daily_loss", "me@laptop", 11)
    live.give_command(engine, "other", "stop", "", "me@laptop", 12)
    waiting = live.waiting_commands(engine, "paper")
    assert waiting == [
        live.CommandRow(first, "pause", "", "me@laptop", 10),
        live.CommandRow(second, "reset-breaker", "daily_loss", "me@laptop", 11),
    ]
    assert live.outcome_of(engine, first) is None
    live.take_command(engine, first, "entries paused", 13)
    assert live.outcome_of(engine, first) == "entries paused"
    assert [command.id for command in live.waiting_commands(engine, "paper")] == [second]


def test_an_unknown_command_is_refused(engine: Engine) -> None:
    with pytest.raises(UsageError, match="unknown command 'buy'"):
        live.give_command(engine, "paper", "buy", "", "llm", 1)


def test_a_number_that_is_none_is_never_stored(engine: Engine) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        live.record(engine, start(engine), status={"equity": float("nan")}, now=1)


def test_a_database_of_the_first_version_gets_the_tables_from_init_db(tmp_path: Path) -> None:
    url = url_of(tmp_path / "old.db")
    init_db(url).dispose()
    for table in (
        *("live_commands", "live_state", "live_equity", "live_decisions"),
        *("live_fills", "live_trades", "live_runs"),
    ):
        run_sql(tmp_path / "old.db", f"DROP TABLE {table}")
    run_sql(tmp_path / "old.db", "UPDATE schema_info SET version = 1")
    again = init_db(url)
    assert live.newest_run(again, "paper") is None
    again.dispose()


def test_a_step_s_fills_and_trades_are_kept_with_the_account_it_left(engine: Engine) -> None:
    told_of: list[object] = []

    def note(*what: object) -> None:
        told_of.append((*what, live.read_state(engine, "paper")))

    book = RunBook(engine, "paper", start(engine), lambda: {"fills": 1}, on_kept=note)
    left = intent(side="sell", purpose=Purpose.EXIT, reason="rule", amount=Decimal("0.10"))
    told = Executed(left, fill_of(left, "100.50", "0.01005"), is_done=True)
    trade = Trade(
        *("A", "BTC/USDT", -1, Decimal("0.1")),
        entry_time=1,
        exit_time=5,
        entry_bar=0,
        exit_bar=1,
        entry_price=101.0,
        exit_price=100.5,
        gross=Decimal("0.05"),
        fees=Decimal("0.02"),
        reason="rule",
    )
    step = Step(600, 10_000.0, fills=(told,), trades=(trade, trade._replace(side=1)))
    book.keep([], step, CALM, 700)
    assert told_of == [(step, CALM, {"session": {"fills": 1}})]
    with engine.connect() as connection:
        ((side, amount, price, reason),) = connection.execute(
            select(LiveFill.side, LiveFill.amount, LiveFill.price, LiveFill.reason)
        ).all()
        assert (side, amount, price, reason) == ("sell", "0.1", "100.5", "rule")
        assert connection.execute(select(LiveTrade.side)).scalars().all() == ["SHORT", "LONG"]
        # Between bars the account is worth no more than is known.
        assert connection.execute(select(LiveEquity.equity)).scalars().all() == []
    assert live.read_state(engine, "paper") == {"session": {"fills": 1}}
