"""A running loop says how it is over HTTP: /health for a supervisor, /metrics for Prometheus."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from core.errors import UsageError
from core.exchange_sim.replay import replay_clock
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live.metrics import CONTENT_TYPE
from core.page.health import Board, serve_health
from scripts import health_check, run_live
from tests.exchange_help import NOON
from tests.prometheus import families
from tests.status_help import CALM, DESK, STATUS
from tests.stored import url_of
from tests.tiers import programs

WELL = CALM._replace(desk=DESK._replace(disagreements=(), standing=()))


class Now:
    """A clock that is set by hand."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def board(now: Now) -> Board:
    return Board("paper", "paper", now)


@pytest.fixture
def url(board: Board) -> Iterator[str]:
    with serve_health(board, 0) as address:
        yield address


def test_health_is_503_with_reasons_until_all_is_well(url: str, board: Board, now: Now) -> None:
    first = requests.get(f"{url}/health", timeout=10)
    assert (first.status_code, first.json()["reasons"]) == (503, ["it has not looked at the market yet"])
    board.tell(WELL)
    well = requests.get(f"{url}/health", timeout=10)
    assert well.status_code == 200
    assert well.json() == {
        "healthy": True,
        "account": "paper",
        "mode": "paper",
        "silent_ms": 0,
        "looks": 1,
        "reasons": [],
        "notes": [],
    }
    board.tell(STATUS)
    bad = requests.get(f"{url}/health", timeout=10)
    assert bad.status_code == 503
    assert "halt: doubled (ends by --release halt)" in bad.json()["reasons"]
    board.tell(WELL)
    now.seconds += 61
    still = requests.get(f"{url}/health", timeout=10)
    assert (still.status_code, still.json()["reasons"]) == (503, ["it has not looked at the market for 61 s"])


def test_metrics_are_told_as_prometheus_asks_for_them(url: str, board: Board, now: Now) -> None:
    board.tell(WELL)
    now.seconds += 2
    answer = requests.get(f"{url}/metrics", timeout=10)
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    found = families(answer.text)
    account = (("account", "paper"),)
    assert found["hot_crypto_look_age_seconds"].samples == {account: 2.0}
    assert found["hot_crypto_equity"].samples == {(*account, ("currency", "")): 10_000.0}


def test_a_page_from_elsewhere_whose_name_leads_here_reads_nothing(url: str) -> None:
    for path in ("health", "metrics"):
        answer = requests.get(f"{url}/{path}", headers={"Host": "elsewhere.example"}, timeout=10)
        assert (answer.status_code, answer.text) == (403, "this page is for this machine alone")
    assert requests.get(f"{url}/", timeout=10).status_code == 404
    assert requests.post(f"{url}/health", timeout=10).status_code == 405


@pytest.mark.unmeasured
def test_the_loop_does_not_wait_for_whoever_asks(board: Board) -> None:
    board.tell(WELL)
    with serve_health(board, 0) as url:
        # Twenty that ask while the loop goes on: each gets one whole status or another, never half of one.
        answers: list[tuple[bool, int]] = []

        def ask() -> None:
            told = requests.get(f"{url}/health", timeout=10).json()
            answers.append((told["healthy"], len(told["reasons"])))

        askers = [threading.Thread(target=ask) for _ in range(20)]
        for asker in askers:
            asker.start()
            board.tell(WELL)
            board.tell(STATUS)
        for asker in askers:
            asker.join()
        assert {*answers} <= {(True, 0), (False, 3), (False, 4)}
        assert board.looked().looks == 41


def test_a_port_that_is_taken_is_one_line_before_anything_is_opened(board: Board, tmp_path: Path) -> None:
    with serve_health(board, 0) as url:
        port = url.rpartition(":")[2]
        with pytest.raises(UsageError, match=r"the port is in use; choose another with --health-port"):
            run_live.main(["--use-sql", "--health-port", port, "--db-url", url_of(tmp_path / "new.db")])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--once", "--health-port"], "--health-port is of a loop that goes on, --once ends by itself"),
        (["--replay", "--health-port"], "leave out --health-port"),
        (["--status", "--health-port", "9000"], "leave out --health-port"),
        (["--health-port", "99999"], "wanted a whole number from 0 to 65535, got '99999'"),
    ],
)
def test_the_option_is_of_a_loop_that_goes_on(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_live.main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.fixture
def sim() -> Iterator[RunningSim]:
    with serve(SimConfig(clock=replay_clock(NOON))) as running:
        yield running


@programs
def test_a_loop_answers_while_it_runs_and_no_longer(
    sim: RunningSim, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traded = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]
    words = [*traded, "--health-port", "0", "--db-url", url_of(tmp_path / "live.db")]
    process = subprocess.Popen(
        [sys.executable, "scripts/run_live.py", *words],
        env={**os.environ, "EXCHANGE_BASE_URL": sim.url},
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr)
    url = next(line for line in lines if " health: " in line).split("health: ")[1].split("/health")[0]
    assert requests.get(f"{url}/health", timeout=10).json()["looks"] in (0, 1)
    next(line for line in lines if "equity 10,000.00" in line)
    until = threading.Event()
    while not (told := requests.get(f"{url}/health", timeout=10)).ok:
        assert "not looked" in told.text, told.text
        until.wait(0.05)
    assert (told.json()["account"], told.json()["mode"]) == ("paper", "paper")
    assert "hot_crypto_equity{" in requests.get(f"{url}/metrics", timeout=10).text
    assert health_check.main(["--detailed", "--db-url", url_of(tmp_path / "live.db")]) == 0
    assert f"asked: the loop itself, port {url.rpartition(':')[2]}" in capsys.readouterr().out
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stderr.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=10)
