"""show_drift.py on an account that traded on paper, and backtests that count what it paid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import NoDataError, UsageError
from core.exchange_sim.server import SimConfig, serve
from scripts import run_backtest, run_live, show_drift
from tests.exchange_help import NOON, FakeTime
from tests.stored import url_of

HOUR = 3_600_000
TRADED = ["--symbol", "BTC/USDT,ETH/USDT", "--strategy", "SMA_CROSS,RSI_REVERSION", "--timeframe", "1m"]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the database of an account that looked at these minutes, each a little late.

    At the first it begins; before and after each of the others something is filled.
    """
    url = url_of(tmp_path_factory.mktemp("drift") / "live.db")
    time = FakeTime(NOON)
    with pytest.MonkeyPatch.context() as patch, serve(SimConfig(clock=time.clock)) as sim:
        patch.setenv("EXCHANGE_BASE_URL", sim.url)
        for minute in (0, 12, 13, 14, 15, 23, 24):
            time.now = NOON + 60_000 * minute + 2_000
            words = ["--once", "--use-sql", "--refresh-from-ccxt", *TRADED, "--db-url", url]
            assert run_live.main(words) in (0, 1)
    return url


@pytest.mark.unmeasured
def test_on_paper_nothing_drifts_from_the_model(traded: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show_drift.main(["--db-url", traded, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["account"] == "paper"
    assert {one["purpose"] for one in document["orders"]} == {"entry", "exit", "stop"}
    assert document["without_candles"] == 0
    for one in document["orders"]:
        assert one["total"] == pytest.approx(0.0, abs=1e-6)
        assert one["executed"] == pytest.approx(one["amount"])
    assert document["measured"]["commission"] == pytest.approx(0.001)
    assert document["measured"]["spread"] == pytest.approx(0.0, abs=1e-12)


def test_a_table_shows_each_strategy_and_the_newest_orders(
    traded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_drift.main(["--db-url", traded, "--limit", "3", "--commission", "0.002"]) == 0
    out = capsys.readouterr().out
    # Paid were 10 basis points where this model counts 20.
    assert "-10.00" in out
    assert "SMA_CROSS" in out
    assert "--costs measured:paper" in " ".join(out.split())


def test_a_backtest_counts_what_an_account_paid(traded: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--strategy", "SMA_CROSS", "--use-sql", "--symbol", "BTC/USDT", "--timeframe", "1m"]
    words += ["--exchange", "binanceus-synthetic", "--db-url", traded]
    assert run_backtest.main([*words, "--costs", "measured"]) == 0
    said = capsys.readouterr()
    assert "note: costs as account paper paid them: commission 0.001000, spread 0.000000" in said.err
    with pytest.raises(UsageError, match="leave --commission and --spread out"):
        run_backtest.main([*words, "--costs", "measured", "--spread", "0.01"])
    with pytest.raises(UsageError, match="unknown account 'other': known: paper"):
        run_backtest.main([*words, "--costs", "measured:other"])


@pytest.mark.parametrize("text", ["", "measured:", "mesured", "measured:../x", "1"])
def test_costs_are_measured_or_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_backtest.main(["--strategy", "SMA_CROSS", "--costs", text])
    assert ended.value.code == 2
    assert "--costs" in capsys.readouterr().err


def test_an_account_without_such_orders_is_said(traded: str) -> None:
    with pytest.raises(NoDataError, match="account paper has no such order that is over"):
        show_drift.main(["--db-url", traded, "--strategy", "TURTLE"])


def test_a_file_is_not_overwritten(traded: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("mine")
    with pytest.raises(UsageError, match=r"x\.json"):
        show_drift.main(["--db-url", traded, "--json", str(tmp_path / "x.json")])
    assert (tmp_path / "x.json").read_text() == "mine"
