"""A strategy's exception with secrets of .env in it: nowhere that its text gets to does it show them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from core import cli
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live.status import from_document, to_document
from core.page.account import Watched
from core.page.health import Board, serve_health
from core.page.server import PageTerms
from core.page.server import serve as serve_page
from db import live
from db.base import open_engine
from scripts import health_check, run_live
from tests.exchange_help import NOON, FakeTime
from tests.own_files import project_in, written
from tests.stored import url_of
from tests.tiers import programs

TOKEN = "123456:CANARY-of-a-bot-token-abcdefghij"
FAILS = f'''"""Asks somebody at each bar, who is away."""
from strategies.base import BaseStrategy, StrategySignal


class Asking(BaseStrategy):
    def on_bar(self, symbol, candle):
        raise ConnectionError(
            "\\x1b[31mMax retries exceeded with url: /bot{TOKEN}/getMe, key CANARY-key, by "
            "http://me:CANARY-proxy@proxy.example:3128 to CANARY-base, \\x1b]0;owned\\x07"
        )
'''
BROKEN = (
    f'raise RuntimeError("\\x1b[2J/bot{TOKEN}/ CANARY-key CANARY-base")\nRULE = StrategyRule(name="BROKEN")\n'
)
ENVIRONMENT = f"""TELEGRAM_BOT_TOKEN={TOKEN}
MY_SERVICE_API_KEY=CANARY-key
HTTPS_PROXY=http://me:CANARY-proxy@proxy.example:3128
OTHER_DB=postgresql://me:CANARY-base@db.example/x
"""


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=FakeTime(NOON).clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        yield running


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_in(tmp_path, monkeypatch)
    (root / ".env").write_text(ENVIRONMENT)
    written(root / "user_strategies", {"asking.py": FAILS, "broken.py": BROKEN})
    monkeypatch.delenv("HOT_CRYPTO_STRATEGIES", raising=False)
    return root


def is_clean(text: str) -> None:
    assert "CANARY" not in text
    assert "\x1b" not in text
    assert "\\u001b" not in text


@pytest.mark.unmeasured
def test_no_secret_in_a_strategys_exception_is_stored_or_shown(
    sim: RunningSim, project: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = url_of(tmp_path / "account" / "live.db")
    (tmp_path / "account").mkdir()
    words = ["--symbol", "BTC/USDT", "--strategy", "ASKING", "--timeframe", "1h", "--db-url", url]
    folder = ["--strategies-dir", str(project / "user_strategies")]
    assert run_live.main(["--once", *words, *folder, "--use-sql", "--refresh-from-ccxt"]) == 0
    for script, more in (
        (run_live, ["--status"]),
        (run_live, ["--status", "--json"]),
        (health_check, []),
        (health_check, ["--json", "--detailed"]),
    ):
        script.main([*more, "--db-url", url])
    said = capfd.readouterr()
    assert "ConnectionError: [31mMax retries exceeded with url: /bot***/getMe" in said.out
    assert "ConnectionError" in said.err
    is_clean(said.out + said.err)
    engine = open_engine(url)
    run = live.newest_run(engine, "paper")
    assert run is not None
    status = from_document(run.status)
    assert "ASKING" in status.quarantined
    board = Board("paper", "paper", lambda: 0.0)
    board.tell(status)
    with serve_health(board, 0) as address:
        answers = [requests.get(f"{address}/{path}", timeout=10).text for path in ("health", "metrics")]
    with serve_page(PageTerms(Watched(engine, "paper"), port=0)) as address:
        paths = ("look", "strategies", "health", "journal", "decisions")
        answers += [requests.get(f"{address}/api/{path}", timeout=10).text for path in paths]
    assert sum("ConnectionError" in answer for answer in answers) >= 2
    is_clean("".join(answers) + json.dumps(to_document(status)))
    engine.dispose()
    files = [path for path in (tmp_path / "account").rglob("*") if path.is_file()]
    assert any(b"ConnectionError" in path.read_bytes() for path in files)
    for path in files:
        assert b"CANARY" not in path.read_bytes(), path


@programs
@pytest.mark.parametrize("name", ["ASKING", "BROKEN"])
def test_neither_a_backtest_nor_a_traceback_shows_them(
    sim: RunningSim, project: Path, tmp_path: Path, name: str
) -> None:
    begin = (
        "import sys; from pathlib import Path; from core import cli; from scripts import run_backtest; "
        f"cli.ROOT = Path({str(project)!r}); cli.run(lambda: run_backtest.main(sys.argv[1:]))"
    )
    words = ["--strategy", name, "--symbol", "BTC/USDT", "--timeframe", "1h", "--limit", "300"]
    words += ["--strategies-dir", str(project / "user_strategies"), "--db-url", url_of(tmp_path / "a.db")]
    done = subprocess.run([sys.executable, "-c", begin, *words], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert "***" in done.stderr
    is_clean(done.stdout + done.stderr)


def test_a_fault_that_nobody_caught_is_shown_as_python_does_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        raise KeyError(f"\x1b[2J {TOKEN}")
    except KeyError as error:
        cli.show_fault(KeyError, error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert "KeyError: " in said
    is_clean(said.replace(TOKEN_LINE, ""))


TOKEN_LINE = 'raise KeyError(f"\\x1b[2J {TOKEN}")'
