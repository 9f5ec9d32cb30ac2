"""Two exchanges on one database: their candles and their accounts stay apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import UsageError
from core.exchange.rate_limit import RateLimiter
from core.exchange_sim.server import RunningSim, SimConfig, serve
from db import live
from db.base import open_engine
from db.stored_series import stored_ranges
from scripts import run_live
from tests.exchange_help import NOON, FakeTime
from tests.own_files import project_in
from tests.stored import url_of

TRADED = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]
KRAKEN = ["--exchange", "kraken"]


@pytest.fixture(autouse=True)
def sim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    project_in(tmp_path, monkeypatch)
    with serve(SimConfig(clock=FakeTime(NOON).clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        # The local exchange's clock stands still: waiting a second for each question would change nothing.
        monkeypatch.setattr(RateLimiter, "acquire", lambda *_: None)
        yield running


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path / "live.db")


def once(url: str, *more: str) -> int:
    return run_live.main(["--once", *TRADED, "--use-sql", "--refresh-from-ccxt", "--db-url", url, *more])


@pytest.mark.unmeasured
def test_an_account_stays_at_the_exchange_that_it_began_at(url: str) -> None:
    assert once(url) == 0
    with pytest.raises(
        UsageError, match="account paper trades on binanceus-synthetic, not on kraken-synthetic"
    ):
        once(url, *KRAKEN)
    assert once(url) == 0
    assert once(url, *KRAKEN, "--account", "other") == 0


@pytest.mark.unmeasured
def test_candles_and_accounts_of_two_exchanges_stay_apart(url: str) -> None:
    assert once(url) == 0
    assert once(url, *KRAKEN, "--account", "other") == 0
    engine = open_engine(url)
    kept = [live.read_state(engine, account)["exchange"] for account in ("paper", "other")]
    stored = {found.series.exchange: found.rows for found in stored_ranges(engine)}
    runs = [live.newest_run(engine, account) for account in ("paper", "other")]
    engine.dispose()
    assert kept == sorted(stored) == ["binanceus-synthetic", "kraken-synthetic"]
    feeds = [run.status["feeds"][0]["series"] for run in runs if run is not None]
    assert feeds == ["binanceus-synthetic BTC/USDT 1h", "kraken-synthetic BTC/USDT 1h"]
