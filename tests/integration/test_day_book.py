"""Hours and days kept by the loop: when, what, and the same after a kill, against sums of the stored rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from core.live.day_book import DayBook
from core.live.status import AccountStatus, PositionStatus
from core.results.days import day_start
from core.results.measures import DAY
from db import account_days, live
from db.account_days import WHOLE, DayRow, SnapshotRow
from db.init_db import init_db
from tests.markets import HOUR, START
from tests.status_help import CALM
from tests.stored import url_of
from tests.traded import trade

D = Decimal
FIRST = START // DAY * DAY + DAY
"""The day on which the account began and traded, 2023-11-15."""


@pytest.fixture
def traded(tmp_path: Path) -> Iterator[Engine]:
    """Yield the database of an account that traded over 18 hours."""
    path = tmp_path / "hot.db"
    trade(path)
    engine = init_db(url_of(path))
    yield engine
    engine.dispose()


def status(time: int, **given: Any) -> AccountStatus:
    return CALM._replace(time=time, currency="USDT", **given)


def stored(engine: Engine, table: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(str(engine.url.database))) as connection:
        return connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()


@pytest.mark.unmeasured
def test_an_hour_is_kept_once_whatever_is_looked_at_in_it(traded: Engine) -> None:
    book = DayBook(traded, "paper", "binanceus")
    for time in (0, 1, HOUR - 1, HOUR, HOUR + 5, 4 * HOUR + 7):
        book.look(status(FIRST + DAY + time))
    times = [row.timestamp - FIRST - DAY for row in account_days.snapshots(traded, "paper", 0, 2 * FIRST)]
    assert times == [0, HOUR, 4 * HOUR + 7]


@pytest.mark.unmeasured
def test_a_snapshot_says_what_the_account_is_worth(traded: Engine) -> None:
    held = PositionStatus(
        strategy="A",
        symbol="BTC/USDT",
        side="long",
        amount=D(1),
        entry_price=100.0,
        price=107.0,
        stop=None,
        take=None,
        open_profit=7.0,
    )
    [*_, (_, opening)] = account_days.equity_points(traded, "paper", FIRST + DAY)
    now = FIRST + DAY + 5 * HOUR
    given = {"equity": 10_100.0, "cash": D("9900.5"), "reserved": D("100.25")}
    book = DayBook(traded, "paper", "binanceus")
    book.look(status(now, **given, positions=(held, held._replace(open_profit=None))))
    (row,) = account_days.snapshots(traded, "paper", now, now + 1)
    assert row.daily_pnl_pct == pytest.approx(100 * (10_100.0 / opening - 1))
    assert row == SnapshotRow(
        account="paper",
        timestamp=now,
        exchange="binanceus",
        currency="USDT",
        total_balance_usd=10_100.0,
        free_balance_usd=9_800.25,
        in_positions_usd=199.5,
        unrealized_pnl_usd=7.0,
        daily_pnl_usd=10_100.0 - opening,
        daily_pnl_pct=row.daily_pnl_pct,
    )


@pytest.mark.unmeasured
def test_while_a_price_is_missing_there_is_no_snapshot_and_the_next_look_takes_it(traded: Engine) -> None:
    book = DayBook(traded, "paper", "x")
    book.look(status(FIRST + DAY, equity=None))
    assert account_days.newest_snapshot(traded, "paper") is None
    book.look(status(FIRST + DAY + 1_000))
    assert account_days.newest_snapshot(traded, "paper") == FIRST + DAY + 1_000


def test_before_the_first_bar_a_days_profit_is_not_known(tmp_path: Path) -> None:
    engine = init_db(url_of(tmp_path / "new.db"))
    DayBook(engine, "paper", "x").look(status(FIRST))
    (row,) = account_days.snapshots(engine, "paper", 0, 2 * FIRST)
    assert (row.daily_pnl_usd, row.daily_pnl_pct) == (None, None)
    assert account_days.days(engine, "paper") == []
    engine.dispose()


def by_hand(path: str, strategy: str | None, start: int) -> dict[str, Any]:
    """Return a day's sums, by SQL over the stored trades and fills."""
    mine = "" if strategy is None else f" AND strategy = '{strategy}'"
    with closing(sqlite3.connect(path)) as connection:
        trades = connection.execute(
            f"SELECT gross, fees FROM live_trades WHERE exit_ts >= ? AND exit_ts < ?{mine}",
            (start, start + DAY),
        ).fetchall()
        fees = connection.execute(
            f"SELECT fee FROM live_fills WHERE ts >= ? AND ts < ?{mine}", (start, start + DAY)
        ).fetchall()
        equity = [
            value
            for (value,) in connection.execute(
                "SELECT equity FROM live_equity WHERE ts >= ? AND ts <= ? ORDER BY ts",
                (start, start + DAY),
            )
        ]
    made = [D(gross) - D(fee) for gross, fee in trades]
    peak, fall = equity[0], 0.0
    for value in equity:
        peak = max(peak, value)
        fall = max(fall, 100 * (1 - value / peak))
    return {
        "num_trades": len(made),
        "num_wins": sum(one > 0 for one in made),
        "num_losses": sum(one < 0 for one in made),
        "gross_profit_usd": float(sum(one for one in made if one > 0)),
        "gross_loss_usd": float(-sum(one for one in made if one < 0)),
        "net_pnl_usd": float(sum(made)),
        "fees_paid_usd": float(sum(D(fee) for (fee,) in fees)),
        "max_drawdown_pct": pytest.approx(fall),
    }


@pytest.mark.unmeasured
def test_a_day_is_kept_when_it_is_over_with_the_sums_of_what_is_stored(traded: Engine) -> None:
    book = DayBook(traded, "paper", "x")
    book.look(status(FIRST + DAY - 1))
    assert account_days.newest_day(traded, "paper") is None
    book.look(status(FIRST + DAY))
    scripted, whole = sorted(account_days.days(traded, "paper"), key=lambda row: row.strategy)
    assert (scripted.strategy, whole.strategy) == ("SCRIPTED", WHOLE)
    path = str(traded.url.database)
    wanted = by_hand(path, None, FIRST)
    assert {name: getattr(whole, name) for name in wanted} == wanted
    sums = by_hand(path, "SCRIPTED", FIRST)
    del sums["max_drawdown_pct"]
    assert {name: getattr(scripted, name) for name in sums} == sums
    assert (whole.num_trades, whole.num_wins + whole.num_losses) == (2, 2)
    assert (whole.date, whole.sharpe_ratio, scripted.currency) == ("2023-11-15", None, "USDT")
    assert day_start(whole.date) == FIRST


@pytest.mark.unmeasured
def test_a_loop_that_slept_for_days_keeps_each_of_them(traded: Engine) -> None:
    book = DayBook(traded, "paper", "x")
    book.look(status(FIRST + 3 * HOUR))
    book.look(status(FIRST + 4 * DAY + HOUR))
    wholes = [row for row in account_days.days(traded, "paper") if row.strategy == WHOLE]
    assert [row.date for row in wholes] == [f"2023-11-{day}" for day in range(15, 19)]
    assert [row.num_trades for row in wholes] == [2, 0, 0, 0]
    assert [row.max_drawdown_pct for row in wholes[1:]] == [0.0, 0.0, 0.0]


@pytest.mark.unmeasured
def test_a_restart_adds_what_a_kill_left_out_and_changes_nothing_else(traded: Engine) -> None:
    DayBook(traded, "paper", "x").look(status(FIRST + 2 * DAY + 5))
    days, hours = stored(traded, "daily_metrics"), stored(traded, "account_snapshots")
    for _ in range(3):
        DayBook(traded, "paper", "x").look(status(FIRST + 2 * DAY + 6))
    assert (stored(traded, "daily_metrics"), stored(traded, "account_snapshots")) == (days, hours)
    DayBook(traded, "paper", "x").look(status(FIRST + 3 * DAY))
    whole = [row for row in account_days.days(traded, "paper") if row.strategy == WHOLE]
    assert [row.date for row in whole] == [f"2023-11-{day}" for day in range(15, 18)]
    assert len(stored(traded, "daily_metrics")) == len(days) + 1


@pytest.mark.unmeasured
def test_a_fill_that_became_known_after_midnight_is_in_its_day_after_the_next_one(traded: Engine) -> None:
    book = DayBook(traded, "paper", "x")
    book.look(status(FIRST + DAY))
    before = account_days.days(traded, "paper")[-1]
    run = live.newest_run(traded, "paper")
    assert run is not None
    late = {
        "account": "paper",
        "exchange": "paper",
        "symbol": "BTC/USDT",
        "fill_id": "late",
        "strategy": "SCRIPTED",
        "side": "buy",
        "amount": "1",
        "price": "100",
        "fee": "0.5",
        "fee_asset": "USDT",
        "ts": FIRST + DAY - 1,
        "reason": "entry",
    }
    live.record(traded, run.id, fills=[late], now=FIRST + DAY + 9)
    book.look(status(FIRST + 2 * DAY))
    after = next(row for row in account_days.days(traded, "paper") if row[:3] == before[:3])
    assert after.fees_paid_usd == pytest.approx(before.fees_paid_usd + 0.5)
    assert after.date == before.date


@pytest.mark.unmeasured
def test_two_accounts_keep_their_own_days(tmp_path: Path) -> None:
    path = tmp_path / "hot.db"
    trade(path)
    trade(path, "other")
    engine = init_db(url_of(path))
    for name in ("paper", "other"):
        DayBook(engine, name, "x").look(status(FIRST + DAY))
    rows: list[list[DayRow]] = [account_days.days(engine, name) for name in ("paper", "other")]
    assert [row._replace(account="paper") for row in rows[1]] == rows[0]
    engine.dispose()
