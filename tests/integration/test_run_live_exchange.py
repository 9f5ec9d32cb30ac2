"""run_live.py trading at the local exchange: what it needs, what it refuses, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time as clocks
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.candles.frames import empty_bars
from core.errors import AuthenticationError, ExchangeUnreachableError, UsageError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.faults import Fault
from core.exchange_sim.replay import replay_clock
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live import account
from core.live.world import World
from core.order_path.alerts import Alert, OnAlert, nobody
from core.order_path.opening import trading
from core.order_path.policy import Policy
from core.order_path.reconciling import Reconciliation
from core.risk_manager import RiskManager
from scripts import run_live
from tests.exchange_help import NOON, FakeTime
from tests.own_files import project_in
from tests.schemas import checked_status
from tests.stored import url_of
from tests.tiers import programs

TRADED = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]
LOCAL = ["--orders", "exchange", "--account", "local"]


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=FakeTime(NOON).clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        monkeypatch.setenv("EXCHANGE_API_KEY", TEST_KEY)
        monkeypatch.setenv("EXCHANGE_API_SECRET", TEST_SECRET)
        yield running


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_in(tmp_path, monkeypatch)
    # The exchange of these tests stands still, and with it the time that a difference has to last.
    monkeypatch.setattr(account, "EXCHANGE_POLICY", Policy(settle_ms=0))
    return root


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path / "live.db")


def once(url: str, *more: str) -> int:
    return run_live.main(["--once", *TRADED, "--db-url", url, *more])


@pytest.mark.unmeasured
def test_the_status_at_a_loops_end_names_commands_with_their_account(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert once(url, *LOCAL, "--pause") == 0
    wanted = (
        f"paused by command: run_live.py --once --db-url {url} --orders exchange --account local --resume\n"
    )
    assert wanted in capsys.readouterr().out
    assert run_live.main(["--status", "--account", "local", "--db-url", url]) == 0
    assert wanted in capsys.readouterr().out


@pytest.mark.unmeasured
def test_an_account_takes_over_what_the_exchange_has_and_agrees_with_it(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert once(url, *LOCAL) == 0
    said = capsys.readouterr()
    assert "the books follow the exchange: USDT +10000" in said.err
    assert "account local begins with 10,000.00 USDT" in said.err
    assert "held outside" not in said.err + said.out
    assert once(url, *LOCAL) == 0
    assert "begins" not in capsys.readouterr().err
    assert run_live.main(["--status", "--account", "local", "--db-url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "run 2 (local exchange)" in lines[0]
    assert re.search(r"books and exchange agree: yes, as of \d{4}-\d\d-\d\d \d\d:\d\d UTC$", lines[-2])
    assert lines[-1].endswith("checked: unbroken")


@pytest.mark.unmeasured
def test_the_document_of_a_halted_account_keeps_to_the_schema(
    sim: RunningSim, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert once(url, *LOCAL) == 0
    venue: Any = SimpleNamespace(exchange="binanceus", now=lambda: NOON)
    with trading(url, "local", "x", venue, lambda: NOON) as path:
        path._barrier.halt("x", "an order came twice")
    assert once(url, *LOCAL) == 0
    capsys.readouterr()
    assert run_live.main(["--status", "--json", "--account", "local", "--db-url", url]) == 0
    document = checked_status(capsys.readouterr().out)
    assert document["mode"] == "local exchange"
    (halt,) = document["status"]["desk"]["standing"]
    assert (halt["kind"], halt["why"]) == ("halt", "an order came twice")
    assert halt["ends"].endswith("--release halt")
    assert document["status"]["desk"]["outside"] == []


@pytest.mark.unmeasured
def test_coins_that_were_there_before_are_named_with_amount_and_value(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = {"USDT": Decimal(10_000), "BTC": Decimal("0.5"), "ETH": Decimal(2)}
    account = AccountConfig(TEST_KEY, TEST_SECRET, owned)
    with serve(SimConfig(clock=FakeTime(NOON).clock, account=account)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        monkeypatch.setenv("EXCHANGE_API_KEY", TEST_KEY)
        monkeypatch.setenv("EXCHANGE_API_SECRET", TEST_SECRET)
        assert once(url, *LOCAL, "--cash", "4000") == 0
    said = capsys.readouterr()
    outside = [line for line in said.out.splitlines() if line.startswith("  held outside the account: ")]
    assert [line.split(": ")[1].split(",")[0] for line in outside] == ["0.5 BTC", "2 ETH", "6000 USDT"]
    assert outside[2].endswith("6000 USDT, worth 6,000.00")
    assert all("worth " in line for line in outside)
    assert said.err.count("held outside the account: 0.5 BTC, worth ") == 1
    assert "equity 4,000.00 USDT, cash 4,000.00 USDT" in said.out


@pytest.mark.unmeasured
def test_paper_and_exchange_are_never_mixed_in_one_account(sim: RunningSim, url: str) -> None:
    once(url, *LOCAL)
    with pytest.raises(UsageError, match="trades on exchange, not on paper: choose --orders exchange"):
        once(url, "--account", "local")


def test_an_account_has_no_more_cash_than_the_exchange(sim: RunningSim, url: str) -> None:
    with pytest.raises(UsageError, match="more than the 10000 USDT at the exchange"):
        once(url, *LOCAL, "--cash", "20000")


@pytest.mark.unmeasured
def test_a_key_that_is_not_accepted_ends_it_at_once(
    sim: RunningSim, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_API_KEY", "x" * 20)
    with pytest.raises(AuthenticationError):
        once(url, *LOCAL)


@pytest.mark.unmeasured
@pytest.mark.parametrize("base", ["", "https://api.binance.us", "http://10.0.0.1:8090"])
def test_orders_exchange_never_goes_where_money_may_be_real(
    base: str, url: str, monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setenv("EXCHANGE_BASE_URL", base)
    with pytest.raises(
        UsageError, match="--orders exchange is for a local exchange or a test network: binanceus"
    ):
        once(url, *LOCAL)
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_stored_candles_alone_are_no_exchange(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        once(url, *LOCAL, "--use-sql")
    assert ended.value.code == 2
    assert "--use-sql needs --refresh-from-ccxt with it" in capsys.readouterr().err


@programs
def test_it_ends_within_ten_seconds_though_the_exchange_does_not_answer(url: str) -> None:
    # A few seconds before a minute is over, so that there is soon something to ask for.
    with serve(SimConfig(clock=replay_clock(NOON + 55_000, speed=1.0))) as sim:
        words = [sys.executable, "scripts/run_live.py", *TRADED, "--timeframe", "1m", "--db-url", url]
        env = {**os.environ, "EXCHANGE_BASE_URL": sim.url}
        root = Path(__file__).parents[2]
        with subprocess.Popen(words, env=env, cwd=root, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert any("equity 10,000.00" in line for line in process.stderr)
            sim.set_faults((Fault("delay", times=1000, seconds=60.0),))
            asked = len(sim.requests)
            # On a busy machine the minute may be over already: then it asks at the end of the next one.
            until = clocks.monotonic() + 80
            while len(sim.requests) == asked and clocks.monotonic() < until:
                clocks.sleep(0.05)
            told = clocks.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            took = clocks.monotonic() - told
            assert "ended: interrupted by SIGTERM while the exchange did not answer" in process.stderr.read()
        sim.set_faults(())
    assert took < 10


def doubtful(
    monkeypatch: pytest.MonkeyPatch,
    *,
    once: bool,
    ends_after: int,
    say: Callable[[str], object] = print,
    alert: OnAlert = nobody,
) -> tuple[Any, Any, list[float]]:
    """Return a path that never agrees, what it is opened with, and how long it was waited for."""
    looks, waited = iter(("one", "one", "two", "two", "two")), list[float]()
    found = SimpleNamespace(reconcile=lambda _: Reconciliation(False, (next(looks),), (), ()))

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) == ends_after

    clock = SimpleNamespace(monotonic=lambda: 30.0 * len(waited))
    monkeypatch.setattr(account, "time", clock)
    terms, asked = SimpleNamespace(once=once, symbols=["BTC/USDT"]), SimpleNamespace(wait=wait)
    return found, SimpleNamespace(terms=terms, asked=asked, say=say, alert=alert), waited


def test_a_loop_whose_books_do_not_agree_says_why_once_and_waits_until_it_is_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines, alerts = list[str](), list[Alert]()
    path, given, waited = doubtful(
        monkeypatch, once=False, ends_after=4, say=lines.append, alert=alerts.append
    )
    with pytest.raises(KeyboardInterrupt):
        account.agree(path, given)
    assert waited == [1.0] * 4
    assert lines == ["nothing is traded yet: one", "nothing is traded yet: two"]
    # A person who does not look is told once it lasts, and once.
    assert alerts == [Alert("exchange", "", "nothing is traded yet: one")]


def test_a_new_account_is_said_to_be_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list[str]()
    path, given, _ = doubtful(monkeypatch, once=False, ends_after=4, say=lines.append)
    with pytest.raises(KeyboardInterrupt):
        account.agree(path, given, is_new=True)
    begins = "a new account: what the exchange holds is being taken over into its books, which are empty"
    assert lines == [f"{begins}: one", f"{begins}: two"]


def test_one_look_at_books_that_do_not_agree_gives_up_after_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, given, waited = doubtful(monkeypatch, once=True, ends_after=99)
    with pytest.raises(ExchangeUnreachableError, match="did not agree in 60 s: two"):
        account.agree(path, given)
    assert len(waited) == 3


def test_orders_go_to_no_exchange_when_candles_are_the_database_s_alone() -> None:
    world = World("x", lambda *_: empty_bars(), lambda: NOON)
    given = SimpleNamespace(world=world, terms=SimpleNamespace(quote="USDT"))
    with pytest.raises(UsageError, match="trades at the exchange: leave --use-sql out"):
        account._at_exchange(given, RiskManager())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("network", "is_meant", "said"),
    [
        ("none", False, "it has no permission to sign; real money is traded with --live"),
        ("real money", False, "orders would go to real money, and real money was not meant: use --live"),
        ("loopback", True, "orders would go to loopback, and --live is for real money alone"),
        ("test network", True, "orders would go to test network, and --live is for real money alone"),
    ],
)
def test_an_account_is_opened_where_it_was_meant_to_be_alone(
    network: str, *, is_meant: bool, said: str
) -> None:
    addresses = () if network == "none" else ("somewhere",)
    permission = SimpleNamespace(addresses=addresses, network=network, refusal="no permission to sign")
    client = SimpleNamespace(name="binanceus", permission=permission)
    world = World("x", lambda *_: empty_bars(), lambda: NOON, client)  # type: ignore[arg-type]
    terms = SimpleNamespace(quote="USDT", orders="exchange", is_real=is_meant)
    given = SimpleNamespace(world=world, terms=terms)
    with pytest.raises(UsageError) as error:
        account._at_exchange(given, RiskManager())  # type: ignore[arg-type]
    assert said in str(error.value)


def test_an_event_of_the_order_path_is_said_but_not_twice_in_a_row() -> None:
    lines: list[str] = []
    told = account.new_lines(lines.append)
    for text in ("away", "away", "back", "away"):
        told(Alert("exchange", "", text))
    assert lines == ["away", "back", "away"]
