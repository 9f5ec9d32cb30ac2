"""What an ensemble is made of, on stored candles."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.domain import Series
from scripts.show_ensemble import main
from tests.lively import LIVELY
from tests.markets import random_bars
from tests.stored import make_database, url_of


def test_every_member_has_a_row_and_together_they_earned_what_the_trades_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = url_of(make_database(tmp_path, random_bars(4, 600), Series("binanceus", "BTC/USDT", "1h")))
    params = [word for name, value in LIVELY["ENSEMBLE"].items() for word in ("--param", f"{name}={value}")]
    where = ["--symbol", "BTC/USDT", "--timeframe", "1h", "--exchange", "binanceus", "--use-sql"]
    assert main([*where, "--db-url", url, *params]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    earned = [float(rows[name][-1].replace(",", "")) for name in ("TREND_EMA", "SUPERTREND", "MR_BB")]
    assert "TURTLE" not in rows
    assert sum(earned) == pytest.approx(float(rows["together"][-1].replace(",", "")), abs=0.02)
    assert any(earned)
