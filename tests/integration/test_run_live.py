"""run_live.py end to end: real ccxt against the local exchange, a database in a folder of its own."""

from __future__ import annotations

import os
import platform
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from core.candles.frames import empty_bars
from core.cli import live_chat, live_command, live_status, live_terms
from core.cli.live_ending import Asked
from core.cli.replay_command import paced
from core.domain import Bars, Series
from core.engine import Step
from core.errors import DatabaseError, ExchangeUnreachableError, NoDataError, RefusedError, UsageError
from core.exchange.calls import Notice
from core.exchange_client import ExchangeClient
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live import account
from core.live.hearing import Hearing
from core.live.loop import Loop
from core.live.records import COMMAND_LIFE, RunBook
from core.live.status import PositionStatus, Standing
from core.live.world import World
from core.order_path import lock
from core.order_path.lock import AccountLock
from core.risk_manager import RiskManager
from db import live
from db.candles import upsert_bars
from db.command_names import COMMANDS
from db.init_db import init_db
from scripts import health_check, run_live
from tests.exchange_help import NOON, FakeTime
from tests.markets import random_bars
from tests.own_files import ON_BAR, RULE, project_in, written
from tests.schemas import checked_status
from tests.status_help import DESK, FEED, HELD, HOLD, STATUS
from tests.stored import url_of
from tests.tiers import programs

HOUR = 3_600_000
TRADED = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]
KEPT = ["--use-sql", "--refresh-from-ccxt"]


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON)


@pytest.fixture
def sim(time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=time.clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        yield running


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return project_in(tmp_path, monkeypatch)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path / "live.db")


def once(url: str, *more: str) -> int:
    return run_live.main(["--once", *TRADED, *KEPT, "--db-url", url, *more])


def equity_times(url: str) -> list[int]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return [ts for (ts,) in connection.execute("SELECT ts FROM live_equity ORDER BY ts")]


@pytest.mark.unmeasured
def test_each_look_takes_the_bars_that_closed_since_the_last_one(
    sim: RunningSim, time: FakeTime, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert once(url) == 0
    assert "account paper begins with 10,000.00" in capsys.readouterr().err
    assert once(url) == 0
    assert equity_times(url) == [NOON]
    time.now += 2 * HOUR
    assert once(url, "--account", "other", "--cash", "500") == 0
    capsys.readouterr()
    assert once(url) == 0
    said = capsys.readouterr()
    assert "begins" not in said.err
    assert "equity 10,000.00 USDT, cash 10,000.00 USDT" in said.out
    assert sorted(set(equity_times(url))) == [NOON, NOON + HOUR, NOON + 2 * HOUR]


@pytest.mark.unmeasured
def test_a_restart_after_hours_takes_every_bar_it_missed_and_trusts_its_strategies(
    sim: RunningSim, time: FakeTime, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once(url)
    time.now += 6 * HOUR
    once(url)
    assert equity_times(url) == [NOON + bar * HOUR for bar in range(7)]
    said = capsys.readouterr()
    assert "failed" not in said.err + said.out


@pytest.mark.unmeasured
def test_an_account_that_turns_to_longer_bars_does_not_decide_on_one_that_closed_before_its_last(
    sim: RunningSim, time: FakeTime, url: str
) -> None:
    once(url)
    time.now += HOUR
    once(url)
    longer = [*TRADED[:-1], "4h", *KEPT, "--db-url", url]
    assert run_live.main(["--once", *longer]) == 0
    assert equity_times(url) == [NOON, NOON + HOUR]
    time.now += 3 * HOUR
    assert run_live.main(["--once", *longer]) == 0
    assert equity_times(url) == [NOON, NOON + HOUR, NOON + 4 * HOUR]


def test_one_look_goes_on_with_what_the_account_last_ran_on(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once(url)
    capsys.readouterr()
    assert run_live.main(["--once", "--pause", "--db-url", url]) == 0
    said = capsys.readouterr().err
    options = "--strategy TREND_EMA --symbol BTC/USDT --timeframe 1h --use-sql --refresh-from-ccxt"
    assert f"going on with what account paper last ran on: {options}\n" in said
    assert said.count("warmed up") == 1
    assert "TREND_EMA on binanceus-synthetic BTC/USDT 1h: warmed up" in said
    with pytest.raises(RefusedError) as refused:
        run_live.main(["--resume", "--db-url", url])
    assert str(refused.value).endswith(f": run_live.py --once --db-url {url} {options} --resume")
    assert run_live.main(["--once", "--timeframe", "4h", "--db-url", url]) == 0
    assert "TREND_EMA on binanceus-synthetic BTC/USDT 4h: warmed up" in capsys.readouterr().err


def test_an_account_of_the_local_exchange_asks_first_whether_its_address_is_set(
    sim: RunningSim, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    once(url)
    engine = init_db(url)
    for before, label, said in (
        ("binanceus-synthetic", "binanceus", "EXCHANGE_BASE_URL, is not set in this terminal; else name"),
        ("binanceus", "binanceus-synthetic", "EXCHANGE_BASE_URL, is set in this terminal; else name"),
        ("kraken", "binanceus", "trades on kraken, not on binanceus: name another"),
    ):
        live.keep_state(engine, "paper", account.EXCHANGE, before, 1)
        world = World(label, lambda *_: empty_bars(), lambda: NOON)
        opening = SimpleNamespace(
            terms=SimpleNamespace(name="paper", typed_url=None), engine=engine, world=world
        )
        with pytest.raises(UsageError, match=said):
            account.check_exchange(opening)  # type: ignore[arg-type]
    engine.dispose()


@pytest.mark.unmeasured
def test_a_strategy_that_looks_at_two_symbols_follows_both(
    sim: RunningSim, time: FakeTime, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["--symbol", "ETH/USDT", "--strategy", "PAIRS", "--timeframe", "1h"]
    assert run_live.main(["--once", *both, *KEPT, "--db-url", url]) == 0
    for _ in range(2):
        time.now += 3 * HOUR
        assert run_live.main(["--once", *both, *KEPT, "--db-url", url]) == 0
    assert equity_times(url) == [NOON + bar * HOUR for bar in range(7)]
    said = capsys.readouterr()
    assert "failed" not in said.err + said.out
    assert "missing" not in said.err
    run_live.main(["--status", "--db-url", url])
    lines = capsys.readouterr().out.splitlines()
    assert "  binanceus-synthetic BTC/USDT 1h: newest candle 2024-01-01 17:00 UTC" in lines


@pytest.mark.unmeasured
def test_strategies_of_one_s_own_trade_on_paper_too(
    sim: RunningSim, time: FakeTime, url: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(project / "user_strategies", {"cross.py": RULE, "mine.py": ON_BAR})
    own = [
        "--symbol",
        "BTC/USDT",
        "--strategy",
        "MY_CROSS,MINE",
        "--timeframe",
        "1h",
        "--strategies-dir",
        str(folder),
    ]
    for _ in range(2):
        assert run_live.main(["--once", *own, *KEPT, "--db-url", url]) == 0
        time.now += 6 * HOUR
    said = capsys.readouterr()
    assert "failed" not in said.err + said.out
    assert {"MY_CROSS", "MINE"} <= {line.split()[0] for line in said.out.splitlines() if line.strip()}


@pytest.mark.unmeasured
def test_the_status_is_that_of_the_newest_run_and_also_a_document(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once(url)
    capsys.readouterr()
    assert run_live.main(["--status", "--db-url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("account paper, run 1 (paper), started")
    assert lines[0].endswith("UTC: one look was asked for")
    assert lines[1] == "equity 10,000.00 USDT, cash 10,000.00 USDT"
    assert lines[2] == "  binanceus-synthetic BTC/USDT 1h: newest candle 2024-01-01 11:00 UTC"
    assert run_live.main(["--status", "--json", "--db-url", url]) == 0
    document = checked_status(capsys.readouterr().out)
    assert (document["version"], document["mode"], document["running"]) == (1, "paper", False)
    assert (document["account"], document["ending"]) == ("paper", "one look was asked for")
    assert document["status"]["equity"] == 10_000.0


@pytest.mark.unmeasured
def test_candles_can_come_from_the_exchange_alone(sim: RunningSim, url: str) -> None:
    assert run_live.main(["--once", *TRADED, "--db-url", url]) == 0
    assert equity_times(url) == [NOON]


@pytest.mark.unmeasured
def test_stored_candles_alone_must_be_enough_to_begin(url: str) -> None:
    with pytest.raises(NoDataError, match="TREND_EMA needs 51 closed binanceus BTC/USDT 1h candles to begin"):
        run_live.main(["--once", *TRADED, "--use-sql", "--db-url", url])


def test_stored_candles_that_end_too_early_are_told_from_none_at_all(url: str) -> None:
    engine, series = init_db(url), Series("binanceus", "BTC/USDT", "1h")
    upsert_bars(engine, series, random_bars(3, 300))
    engine.dispose()
    with pytest.raises(NoDataError, match=r"there are 0: .*; the stored ones end 20.* UTC, --replay"):
        run_live.main(["--once", *TRADED, "--use-sql", "--exchange", "binanceus", "--db-url", url])


@pytest.mark.unmeasured
def test_cash_is_of_a_new_account_only(sim: RunningSim, url: str) -> None:
    once(url, "--cash", "500")
    with pytest.raises(UsageError, match="--cash is of a new account, paper has begun"):
        once(url, "--cash", "700")


def test_an_account_needs_a_file(sim: RunningSim) -> None:
    with pytest.raises(UsageError, match="an account is kept in a file"):
        once("sqlite://")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (["--stop"], "nothing was done"),
        (["--flatten"], "--flatten"),
        (["--reload"], "--reload keep"),
        (["--set-weight", "ENSEMBLE.turtle_weight=0.5"], "--set-weight ENSEMBLE.turtle_weight=0.5"),
        (["--reset-breaker", "drawdown"], "--reset-breaker drawdown"),
    ],
)
def test_a_command_without_a_running_loop_is_refused_and_does_nothing_later(
    sim: RunningSim, url: str, command: list[str], typed: str
) -> None:
    engine = init_db(url)
    live.start_run(engine, "paper", "paper", pid=1, code_version="x", settings={}, now=1)
    with pytest.raises(RefusedError, match="no loop runs on account paper: nothing was done") as refused:
        run_live.main([*command, "--db-url", url])
    assert str(refused.value).endswith(typed)
    assert live.waiting_commands(engine, "paper") == []
    engine.dispose()


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "option", ["--resume", "--accept BTC/USDT", "--release halt", "--reset-breaker drawdown"]
)
def test_what_is_proposed_for_another_account_reaches_that_account_and_its_database(
    sim: RunningSim, url: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once(url, "--account", "a3", "--pause")
    capsys.readouterr()
    with pytest.raises(RefusedError) as refused:
        run_live.main([*option.split(), "--account", "a3", "--db-url", url])
    run_live.main(["--status", "--account", "a3", "--db-url", url])
    (paused,) = [line for line in capsys.readouterr().out.splitlines() if "paused by command: " in line]
    for text, ends in ((str(refused.value), option), (paused, "--resume")):
        line = text.partition("run_live.py ")[2]
        typed = run_live.parse(shlex.split(line))
        assert (typed.account, typed.db_url, typed.once) == ("a3", url, True)
        assert line.endswith(ends)


@pytest.mark.unmeasured
def test_a_command_for_an_account_that_does_not_exist_is_wrong_usage(url: str) -> None:
    engine = init_db(url)
    with pytest.raises(NoDataError, match="nothing has run on account paper: start it"):
        run_live.main(["--pause", "--db-url", url])
    live.start_run(engine, "paper", "paper", pid=1, code_version="x", settings={}, now=1)
    for asked in ("--pause", "--status"):
        with pytest.raises(UsageError, match="unknown account 'papre': did you mean paper"):
            run_live.main([asked, "--account", "papre", "--db-url", url])
    engine.dispose()


@pytest.mark.unmeasured
def test_a_loop_that_has_not_begun_yet_is_starting(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    engine, file = init_db(url), Path(url.removeprefix("sqlite:///"))
    with AccountLock(file, "paper"), pytest.raises(NoDataError, match="account paper is starting"):
        run_live.main(["--status", "--db-url", url])
    number = live.start_run(engine, "paper", "paper", pid=os.getpid(), code_version="x", settings={}, now=1)
    live.end_run(engine, number, "stopped", 2)
    starting = "  a loop is starting, or this one is just ending"
    for is_held in (True, False):
        with AccountLock(file, "paper") if is_held else nullcontext():
            run_live.main(["--status", "--db-url", url])
        assert (starting in capsys.readouterr().out.splitlines()) is is_held
    engine.dispose()


@pytest.mark.unmeasured
def test_one_look_can_carry_out_a_command_first(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert once(url, "--pause") == 0
    assert "pause: entries are paused" in capsys.readouterr().err
    assert once(url, "--reload") == 0
    said = capsys.readouterr().err
    assert "reload keep: no strategy changed; limits are those of the settings now" in said
    assert once(url, "--reset-breaker", "drawdown") == 1
    run_live.main(["--status", "--db-url", url])
    lines = capsys.readouterr().out.splitlines()
    assert f"  entries are paused: paused by command: run_live.py --once --db-url {url} --resume" in lines
    (newest,) = [line for line in lines if line.startswith("  newest command: reset-breaker drawdown, ")]
    assert newest.endswith("refused: breaker 'drawdown' is not tripped; tripped are: none")


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "stop"])
def test_every_command_that_can_be_typed_is_stored_and_carried_out(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    given = {
        "reset-breaker": ["drawdown"],
        "set-weight": ["x=1"],
        "accept": ["BTC/USDT"],
        "release": ["halt"],
    }
    once(url, f"--{name}", *given.get(name, []))
    said = capsys.readouterr().err
    assert f" {' '.join((name, *given.get(name, [])))}" in said
    assert "knows no command" not in said


def test_a_loop_that_does_not_answer_carries_a_command_out_soon_or_never(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, now = init_db(url), [NOON]
    run = live.start_run(engine, "paper", "paper", pid=1, code_version="x", settings={}, now=1)
    monkeypatch.setattr(live_chat, "ANSWER", 0.0)
    monkeypatch.setattr(live_command, "ANSWER", 0.0)
    monkeypatch.setattr(live_command, "now_ms", lambda: NOON)
    with (
        AccountLock(tmp_path / "live.db", "paper"),
        pytest.raises(RefusedError, match=r"it may carry the command out until 2024-01-01 12:02 UTC, later"),
    ):
        run_live.main(["--pause", "--db-url", url])
    book = RunBook(engine, "paper", run, dict, lambda: now[0])
    assert [command.name for command in book.commands()] == ["pause"]
    run_live.main(["--status", "--db-url", url])
    assert "newest command: pause, 2024-01-01 12:00 UTC by" in capsys.readouterr().out
    now[0] += COMMAND_LIFE + 1
    assert book.commands() == []
    (_, outcome) = live.newest_command(engine, "paper") or (None, None)
    assert outcome == "expired: it waited for 120 s"
    engine.dispose()


@pytest.mark.unmeasured
def test_a_journal_that_was_changed_is_told_by_the_status(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once(url)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE journal SET body = replace(body, '10000', '90000')")
        connection.commit()
    capsys.readouterr()
    assert run_live.main(["--status", "--db-url", url]) == 3
    assert "DAMAGED: journal: entry" in capsys.readouterr().out
    assert run_live.main(["--status", "--json", "--db-url", url]) == 3
    assert "journal: entry" in checked_status(capsys.readouterr().out)["damage"][0]
    with pytest.raises(DatabaseError, match="is damaged"):
        once(url)


def test_one_account_counts_in_one_currency(sim: RunningSim, url: str) -> None:
    with pytest.raises(UsageError, match="these symbols are priced in BTC, USDT"):
        run_live.main(["--once", *TRADED[2:], "--symbol", "BTC/USDT,ETH/BTC", "--db-url", url])


def test_a_command_that_a_loop_refuses_exits_with_one(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = init_db(url)
    live.start_run(engine, "paper", "paper", pid=1, code_version="x", settings={}, now=1)
    monkeypatch.setattr(live, "outcome_of", lambda *_: "refused: breaker 'x' is not tripped")
    with AccountLock(tmp_path / "live.db", "paper"):
        assert run_live.main(["--reset-breaker", "x", "--db-url", url]) == 1
    assert capsys.readouterr().out == "refused: breaker 'x' is not tripped\n"
    (waiting,) = live.waiting_commands(engine, "paper")
    assert (waiting.name, waiting.argument) == ("reset-breaker", "x")
    assert "@" in waiting.origin
    engine.dispose()


@pytest.mark.unmeasured
def test_an_account_that_never_ran_has_no_status(url: str) -> None:
    with pytest.raises(DatabaseError, match="no account has run yet: there is no database"):
        run_live.main(["--status", "--db-url", url])
    init_db(url).dispose()
    with pytest.raises(NoDataError, match="nothing has run on account paper"):
        run_live.main(["--status", "--db-url", url])


@pytest.mark.unmeasured
def test_an_exchange_out_of_reach_ends_nothing_that_runs(
    sim: RunningSim,
    url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(*_: object, **__: object) -> list[object]:
        raise ExchangeUnreachableError("the exchange cannot be reached")

    monkeypatch.setattr(Loop, "step", gone)
    with pytest.raises(ExchangeUnreachableError):
        once(url)
    ended = run_live.main(["--status", "--db-url", url])
    assert (ended, "UTC: failed: the exchange cannot be reached" in capsys.readouterr().out) == (0, True)
    loop, world = SimpleNamespace(step=gone, hearing=Hearing()), World("x", gone, lambda: NOON)  # type: ignore[arg-type]
    lines: list[str] = []
    monkeypatch.setattr(live_command, "say", lines.append)
    live_command._look(loop, world, once=False)  # type: ignore[arg-type]
    assert lines == ["the exchange cannot be reached; going on"]


def test_everything_that_a_status_can_hold_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    held = HELD._replace(
        strategy="MR_BB", side="short", entry_price=100.0, price=90.0, take=None, open_profit=5.0, stop=110.0
    )
    status = STATUS._replace(equity=10_005.0, cash=Decimal(10_000), positions=(held,), limits=(), cuts={})
    status = status._replace(breakers={"drawdown": "deep"}, quarantined={"X": "failed"})
    status = status._replace(feeds=(FEED._replace(series="x", last=None, stale=True),), desk=None)
    doubt = Standing("difference", "", "BTC +1", "")
    soon = Standing("hold", "ETH/USDT", "others bought", "")
    desk = DESK._replace(journal=1, fills=0, head="", standing=(HOLD, soon, doubt), outside=())
    live_status.show(status._replace(desk=desk))
    assert capsys.readouterr().out.splitlines() == [
        "equity 10,005.00, cash 10,000.00",
        "  MR_BB short 0.5 BTC/USDT at 100, now 90, open profit 5.00, stop 110; its stop does not rest at "
        "the exchange: too small",
        "  waiting: buy 1 (k)",
        "  execution of TREND_EMA: limit_chase",
        "  limit_chase: 0.25 of 1 executed by 2 orders, now maker 0.75 at 95 (k)",
        "  drawdown: deep: run_live.py --reset-breaker drawdown",
        "  X: failed: run_live.py --release X",
        "  entries are paused: by me: run_live.py --resume",
        "  hold BTC/USDT: others sold: run_live.py --accept BTC/USDT",
        "  hold ETH/USDT: others bought",
        "  x: no candle yet, SILENT",
        "  streams: REST (too many connections), newest data 2023-11-14 22:13 UTC; 61 connections, 60 gaps, "
        "1 difference from REST",
        "  no stream of orders: not offered",
        "  open order of somebody else: sell 1 ETH/USDT, order 7",
        "  journal: 1 entry, 0 fills; books and exchange agree: BTC +1",
    ]
    live_status.show(status, is_last_known=True)
    assert "streams: " not in capsys.readouterr().out
    live_status.show(status, "local")
    assert [line.partition("run_live.py ")[2] for line in capsys.readouterr().out.splitlines()[3:6]] == [
        "--account local --reset-breaker drawdown",
        "--account local --release X",
        "--account local --resume",
    ]
    live_status.show(status._replace(equity=None, positions=(held._replace(price=None),)))
    assert "equity none" in capsys.readouterr().out
    live_status.show(None)
    assert capsys.readouterr().out == "it has not said anything yet\n"


def test_a_position_says_that_it_has_no_stop_that_it_is_dust_and_when_its_stop_was_last_seen() -> None:
    def line(held: PositionStatus, agreed_at: int = STATUS.time, *, is_last_known: bool = False) -> str:
        status = STATUS._replace(positions=(held,), desk=DESK._replace(agreed_at=agreed_at))
        (said,) = live_status.position_lines(status, is_last_known=is_last_known)
        return said.partition("open profit 12.50")[2]

    rests = "0.5 at 95, limit 94, order 12"
    assert line(HELD) == f", take 50,000; a stop rests at the exchange: {rests}"
    seen = "when last seen, 2023-11-14 22:1{} UTC"
    assert line(HELD, is_last_known=True) == (
        f", take 50,000; a stop rested at the exchange {seen.format(3)}: {rests}"
    )
    assert seen.format(0) in line(HELD, STATUS.time - 181_000)
    assert line(HELD._replace(strategy="MR_BB"), is_last_known=True) == (
        f", take 50,000; its stop did not rest at the exchange {seen.format(3)}: too small"
    )
    other = HELD._replace(strategy="OTHER")
    assert line(other) == ", no stop, take 50,000"
    assert line(other._replace(stop=42_000.0, take=None)) == ", stop 42,000"
    assert line(other._replace(strategy="dust", take=None)).startswith("; dust: too little for an order")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--start", "2024-01-01"], "they need --replay"),
        (["--once", "--speed", "60"], "--speed is of what goes on"),
        (["--refresh-from-ccxt"], "it needs --use-sql"),
        (["--replay", "--once"], "leave --once and --use-sql out"),
        (["--json"], "--json is of --status"),
        (["--replay", "--speed", "fast"], "wanted a number above 0"),
        (["--stop", "--status"], "not allowed with"),
        (["--status", "--cash", "5"], "leave out --cash"),
        (["--pause", "--symbol", "BTC/USDT"], "leave out --symbol"),
        (["--once", "--stop"], "leave one out"),
        (["--once", "--status"], "leave out --once"),
        (["--replay", "--account", "mine"], "leave out --account"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_live.main(given)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.unmeasured
def test_a_replay_runs_the_account_over_stored_candles(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    once(url)
    capsys.readouterr()
    replayed = ["--replay", "--exchange", "binanceus-synthetic", "--symbol", "BTC/USDT", "--timeframe", "1h"]
    assert run_live.main([*replayed, "--db-url", url, "--cash", "5000", "--strategy", "TREND_EMA,MR_BB"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("binanceus-synthetic BTC/USDT 1h: 1,9")
    assert lines[1] == "  traded by TREND_EMA, MR_BB"
    assert lines[2].startswith("  note: 2 holes: ")
    assert lines[3].startswith("SYNTHETIC candles")
    assert lines[5].split() == [
        *("strategy", "trades", "win", "%", "profit", "f.", "profit", "USDT", "fees", "USDT", "refused")
    ]
    assert any(line.startswith("account: 5,000.00 USDT to ") for line in lines)
    assert any(line.startswith("MR_BB: entries bound by") and "risk" in line for line in lines)


def test_a_replay_can_be_slowed_down() -> None:
    assert paced("max") is None
    now, slept = [50.0], list[float]()
    wait = paced(3600.0, lambda: now[0], slept.append)
    assert wait is not None
    for hour in range(3):
        wait(Step(NOON + hour * HOUR, 10_000.0))
    now[0] = 60.0
    wait(Step(NOON + 3 * HOUR, 10_000.0))
    assert slept == [0.0, 1.0, 2.0, 0.0]


def start(url: str, sim: RunningSim) -> subprocess.Popen[str]:
    words = [sys.executable, "scripts/run_live.py", *TRADED, *KEPT, "--db-url", url]
    env = {**os.environ, "EXCHANGE_BASE_URL": sim.url}
    return subprocess.Popen(words, env=env, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it ended without saying {words!r}")


@programs
@pytest.mark.unmeasured
def test_a_killed_loop_goes_on_and_one_that_is_told_to_ends_at_once(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = start(url, sim)
    wait_for(first, "equity 10,000.00")
    with pytest.raises(DatabaseError, match=rf"another process \(pid {first.pid}\) trades this account"):
        once(url)
    first.send_signal(signal.SIGKILL)
    assert first.wait(30) == -signal.SIGKILL
    capsys.readouterr()
    gone = "its process is gone: killed or crashed; start it again"
    assert run_live.main(["--status", "--db-url", url]) == 1
    assert f"  NOT RUNNING: {gone}\n" in capsys.readouterr().out
    assert run_live.main(["--status", "--json", "--db-url", url]) == 1
    document = checked_status(capsys.readouterr().out)
    assert (document["gone"], document["running"]) == (True, False)
    assert health_check.main(["--db-url", url]) == 1
    assert f"no loop runs: {gone}\n" in capsys.readouterr().out
    second = start(url, sim)
    wait_for(second, "warmed up")
    assert run_live.main(["--pause", "--db-url", url]) == 0
    wait_for(second, "pause: entries are paused")
    second.send_signal(signal.SIGTERM)
    assert wait_for(second, "ended").endswith("ended: interrupted by SIGTERM\n")
    assert second.wait(10) == 0
    for process in (first, second):
        assert process.stderr is not None
        process.stderr.close()
    run = live.newest_run(init_db(url), "paper")
    assert run is not None
    assert (run.id, run.ending) == (2, "interrupted by SIGTERM")
    assert equity_times(url) == [NOON]


def test_a_process_is_gone_only_where_it_is_known_to_have_been_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "live.db"
    assert not lock.is_gone(database, "paper", 7)
    ended = subprocess.Popen(["true"])
    assert ended.wait(30) == 0
    monkeypatch.setattr(os, "getpid", lambda: ended.pid)
    with AccountLock(database, "paper") as held:
        held.sign("paper-1", 1)
        assert not lock.is_gone(database, "paper", ended.pid)
    assert lock.is_gone(database, "paper", ended.pid)
    # Another run's, this one as it ends, one of another user, and one of another machine.
    assert not lock.is_gone(database, "paper", ended.pid + 1)
    for answer in (lambda *_: None, Mock(side_effect=PermissionError)):
        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", answer)
            assert not lock.is_gone(database, "paper", ended.pid)
    monkeypatch.setattr(platform, "node", lambda: "another")
    assert not lock.is_gone(database, "paper", ended.pid)


@programs
@pytest.mark.unmeasured
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 0)])
def test_ctrl_c_ends_a_loop_with_130_and_its_state_saved_a_service_manager_with_0(
    number: signal.Signals, code: int, sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = start(url, sim)
    wait_for(loop, "equity 10,000.00")
    loop.send_signal(number)
    assert wait_for(loop, "ended").endswith(f"ended: interrupted by {number.name}\n")
    assert loop.wait(10) == code
    assert loop.stderr is not None
    loop.stderr.close()
    assert once(url) == 0
    said = capsys.readouterr().err
    assert "left no word" not in said
    assert "begins with" not in said
    assert equity_times(url) == [NOON]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("more", [[], ["--once"]])
def test_before_it_traded_ctrl_c_and_one_look_cut_short_are_interrupted_too(
    number: signal.Signals, more: list[str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked()
    asked.by = number.name

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(live_command, "listen", lambda: asked)
    monkeypatch.setattr(live_command, "open_account", interrupt)
    words = [*TRADED, *KEPT, "--db-url", url, *more]
    if number is signal.SIGTERM and not more:
        assert run_live.main(words) == 0
    else:
        with pytest.raises(KeyboardInterrupt):
            run_live.main(words)


def test_run_paper_is_run_live(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "scripts" / "run_paper.py"
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=True)
    assert "--reset-breaker" in done.stdout


@pytest.mark.unmeasured
def test_the_exchange_s_steps_and_smallest_orders_hold_on_paper_too(
    sim: RunningSim, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    risks: list[RiskManager] = []
    keep = account.take_rules

    def kept(client: ExchangeClient, symbols: Sequence[str], risk: RiskManager) -> None:
        keep(client, symbols, risk)
        risks.append(risk)

    monkeypatch.setattr(account, "take_rules", kept)
    assert once(url) == 0
    [risk] = risks
    assert risk.markets["BTC/USDT"].step == Decimal("0.00001")
    assert risk.markets["BTC/USDT"].min_notional is not None


def test_a_price_that_no_exchange_says_is_none() -> None:
    def read(*_: object) -> Bars:
        return empty_bars()

    def gone(symbol: str) -> float:
        raise ExchangeUnreachableError(f"{symbol}: the exchange cannot be reached")

    alone = World("x", read, lambda: NOON)
    assert alone.price("BTC/USDT") is None
    lost, found = SimpleNamespace(last_price=gone), SimpleNamespace(last_price=lambda symbol: 42.5)
    assert alone._replace(client=lost).price("BTC/USDT") is None  # type: ignore[arg-type]
    assert alone._replace(client=found).price("BTC/USDT") == 42.5  # type: ignore[arg-type]


def test_a_second_symbol_without_candles_is_told_before_anything_is_traded(
    sim: RunningSim, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world_of = live_terms.world_of

    def without_partner(*given: Any) -> World:
        world = world_of(*given)

        def read(series: Series, start: int, end: int) -> Bars:
            return empty_bars() if series.symbol == "BTC/USDT" else world.read(series, start, end)

        return world._replace(read=read)

    monkeypatch.setattr(live_command, "world_of", without_partner)
    both = ["--symbol", "ETH/USDT", "--strategy", "PAIRS", "--timeframe", "1h"]
    with pytest.raises(
        NoDataError, match="looks at binanceus-synthetic BTC/USDT 1h too, which has no candles"
    ):
        run_live.main(["--once", *both, "--db-url", url])
    assert equity_times(url) == []


def test_what_an_exchange_client_notices_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(live_terms, "say", lines.append)
    live_terms._heard(Notice("retry", "the exchange is busy, trying again"))
    assert lines == ["the exchange is busy, trying again"]
