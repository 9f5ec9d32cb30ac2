from __future__ import annotations

from pathlib import Path

import pytest

from core.candles.frames import empty_bars
from core.domain import Series
from core.errors import HotCryptoError, NoDataError, UsageError
from core.exchange_sim.markets import LISTED, market_for
from core.exchange_sim.replay import replay_clock
from core.exchange_sim.stored import StoredSource, StoredSpan, from_database, from_files
from tests.sim import DAY, HOUR, NOON, hand_made, steps_of
from tests.stored import make_database, url_of


def both() -> StoredSource:
    return StoredSource(
        "db", {("BTC/USDT", "1h"): steps_of(24, HOUR), ("BTC/USDT", "4h"): steps_of(12, 4 * HOUR)}
    )


def test_it_tells_what_it_has() -> None:
    source = both()
    assert source.spans() == (
        StoredSpan("BTC/USDT", "1h", NOON, NOON + 24 * HOUR),
        StoredSpan("BTC/USDT", "4h", NOON, NOON + 48 * HOUR),
    )
    assert source.steps("BTC/USDT") == (HOUR, 4 * HOUR)
    assert source.steps("ETH/USDT") == ()
    assert source.span("BTC/USDT") == (NOON, NOON + 48 * HOUR)


@pytest.mark.parametrize(
    ("after", "step"),
    [(0, HOUR), (23, HOUR), (24, 4 * HOUR), (47, 4 * HOUR), (48, 4 * HOUR), (999, 4 * HOUR), (-9, HOUR)],
)
def test_prices_come_from_the_finest_bars_that_reach_the_present(after: int, step: int) -> None:
    assert both().base_step("BTC/USDT", NOON + after * HOUR + 1) == step


def test_a_finer_series_that_has_not_begun_is_no_price() -> None:
    later = steps_of(24, HOUR, NOON + 100 * HOUR)
    source = StoredSource("db", {("BTC/USDT", "1h"): later, ("BTC/USDT", "4h"): steps_of(50, 4 * HOUR)})
    assert source.base_step("BTC/USDT", NOON + 1) == 4 * HOUR
    assert source.base_step("BTC/USDT", NOON + 100 * HOUR) == HOUR


def test_nothing_to_serve_is_said() -> None:
    with pytest.raises(NoDataError, match="no candles to serve"):
        StoredSource("csv", {("BTC/USDT", "1h"): empty_bars()})


def test_a_known_symbol_keeps_its_filters_and_another_gets_a_tick_that_suits_its_price() -> None:
    assert hand_made(steps_of(3, HOUR), "1h").markets() == (LISTED[0],)
    assert market_for("LTC/USD", 80.0).status == "TRADING"
    cheap, dear = market_for("PEPE/USDT", 0.00001234), market_for("XYZ/USDT", 43_210.0)
    assert (cheap.price_decimals, cheap.lot_decimals) == (8, 0)
    assert (dear.price_decimals, dear.lot_decimals) == (0, 5)


def test_the_bars_of_one_exchange_come_out_of_a_database(tmp_path: Path) -> None:
    url = url_of(make_database(tmp_path, steps_of(5, HOUR), Series("kraken", "BTC/USD", "1h")))
    assert from_database(url, "kraken").spans() == (StoredSpan("BTC/USD", "1h", NOON, NOON + 5 * HOUR),)
    with pytest.raises(NoDataError, match="'binanceus' to serve: name one that is stored: kraken"):
        from_database(url, "binanceus")


def test_an_empty_database_has_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="stored: nothing"):
        from_database(url_of(make_database(tmp_path)), "binanceus")


def test_good_rows_of_files_are_served_and_bad_ones_counted(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    rows = [f"{NOON + n * HOUR},{price},{price},{price},{price},1" for n, price in enumerate((5, "x", 7))]
    path.write_text("\n".join(("ts,open,high,low,close,volume", *rows)))
    source, refused = from_files([(path, "BTC/USDT", "1h")], NOON + DAY)
    assert (refused, source.kind) == (1, "csv")
    assert source.candles("BTC/USDT", HOUR, 0, NOON + DAY).close.tolist() == [5.0, 7.0]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC/", "BTC/USD/T"])
def test_a_symbol_that_is_none_is_refused(tmp_path: Path, symbol: str) -> None:
    with pytest.raises(UsageError, match="wanted a symbol such as BTC/USDT"):
        from_files([(tmp_path / "bars.csv", symbol, "1h")], NOON)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HotCryptoError, match="not there"):
        from_files([(tmp_path / "no.csv", "BTC/USDT", "1h")], NOON)


def test_a_replayed_clock_starts_where_told_and_runs_as_fast_as_told() -> None:
    wall = iter([NOON, NOON, NOON + 1000, NOON + 5000])
    clock = replay_clock(1_000_000, speed=60.0, wall=lambda: next(wall))
    assert [clock() for _ in range(3)] == [1_000_000, 1_060_000, 1_300_000]
