"""The regimes of stored candles, as a table and as a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.domain import Bars, Series
from core.errors import NoDataError, UsageError
from core.utils import parse_time
from scripts.show_regime import main
from tests.markets import random_bars
from tests.stored import make_database, url_of

DAY = 86_400_000
STORED = Series("binanceus", "BTC/USDT", "1d")
WHICH = ["--symbol", "BTC/USDT", "--use-sql", "--exchange", "binanceus"]


def days(count: int) -> Bars:
    bars = random_bars(3, count + 40)
    return bars.until(count)._replace(ts=DAY * (19_000 + np.arange(count, dtype=np.int64)))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(make_database(tmp_path, days(700), STORED))


@pytest.mark.unmeasured
def test_every_stretch_has_a_row(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WHICH, "--db-url", url, "--last", "99"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("binanceus BTC/USDT 1d: 700 bars")
    assert "TREND_UP" in out
    assert "RANGE" in out
    rows = len(out.splitlines())
    assert main([*WHICH, "--db-url", url, "--start", "2023-10-01"]) == 0
    assert 3 < len(capsys.readouterr().out.splitlines()) < rows


def test_only_the_newest_stretches_are_shown_unless_more_are_asked_for(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WHICH, "--db-url", url, "--last", "99"]) == 0
    whole = capsys.readouterr().out.splitlines()
    assert main([*WHICH, "--db-url", url, "--last", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split() for line in out[-2:]] == [line.split() for line in whole[-2:]]
    assert out[2] == f"{len(whole) - 5} earlier stretches are not shown: --last {len(whole) - 3} shows all"
    assert len(out) == len(whole) - (len(whole) - 5) + 2


def test_the_page_stands_alone_and_overwrites_nothing(url: str, tmp_path: Path) -> None:
    page = tmp_path / "regimes.html"
    told = [*WHICH, "--db-url", url, "--start", "2023-10-01", "--out", str(page)]
    assert main(told) == 0
    text = page.read_text()
    assert "Hurst exponent" in text
    assert "TREND_UP" in text
    assert "<script src" not in text
    with pytest.raises(UsageError, match="left as it is"):
        main(told)
    assert main([*told, "--force"]) == 0


def test_too_few_candles_are_said_to_be_too_few(tmp_path: Path) -> None:
    url = url_of(make_database(tmp_path, days(100), STORED))
    with pytest.raises(NoDataError, match="100 bars, a regime needs"):
        main([*WHICH, "--db-url", url])


def test_an_end_before_the_start_and_a_start_after_the_last_candle_are_told(url: str) -> None:
    with pytest.raises(UsageError, match="--start must come before --end"):
        main([*WHICH, "--db-url", url, "--start", "2023-10-01", "--end", "2023-09-01"])
    with pytest.raises(NoDataError, match="no candles from 2031-01-01 00:00 UTC on: the last is of"):
        main([*WHICH, "--db-url", url, "--start", "2031-01-01"])


@pytest.mark.unmeasured
def test_what_stretches_changed_together_is_what_the_price_did(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No bar's move is lost: each goes on from the close at which the one before ended."""
    assert main([*WHICH, "--db-url", url, "--last", "99"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[3:]]
    # regime, day, time, day, time, bars, change, score; what came before the first is not known yet.
    bars, grown = days(700), 1.0
    place = first = int(np.searchsorted(bars.ts, parse_time(lines[0][1])))
    for line in lines:
        before, place = bars.close[place - 1], place + int(line[5])
        assert line[6] == f"{100 * (bars.close[place - 1] / before - 1):+.1f}"
        grown *= bars.close[place - 1] / before
    assert place == 700
    assert grown == pytest.approx(bars.close[-1] / bars.close[first - 1])
