"""The import says what became of every file, and a file is stored as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import cli
from core.candles.files import CandleFile
from core.candles.whose import market_of_file
from core.errors import DatabaseError, UsageError
from db import candles
from db.candles import read_bars
from db.stored_series import list_series
from scripts.import_ohlcv_to_db import main
from tests.stored import HOUR, SERIES, START, bars_at, make_database, opened, run_sql, same_bars, url_of

NAMES = ["--exchange", "Binanceus", "--symbol", "btc/usdt", "--timeframe", "1h"]
HEADER = "ts,open,high,low,close,volume\n"


def row(hour: int, values: str = "99.5,101,99,100,2") -> str:
    return f"{START + hour * HOUR},{values}\n"


def write(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "".join(rows))
    return path


def load(path: Path, *args: str, into: Path | None = None) -> int:
    return main([str(path), *NAMES, "--db-url", url_of(into or path.parent / "candles.db"), *args])


def stored(folder: Path) -> int:
    return len(read_bars(opened(folder / "candles.db"), SERIES).ts)


@pytest.mark.unmeasured
def test_a_file_is_stored_in_a_new_database_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.csv", row(0), row(1), row(3))
    assert load(path) == 0
    said = capsys.readouterr()
    assert said.out == (
        f"{path}: 3 rows read, 3 inserted, 0 updated, 0 unchanged, 0 refused\n"
        "  gaps in the file: 1 (1 bars missing)\n"
        "stored: binanceus BTC/USDT 1h, 3 bars, 2020-09-13 12:00 to 2020-09-13 15:00 UTC, 1 missing\n"
    )
    assert said.err == ""
    engine = opened(tmp_path / "candles.db")
    assert same_bars(read_bars(engine, SERIES), bars_at(0, 1, 3))
    assert list_series(engine)[0].source == "a.csv"


@pytest.mark.unmeasured
def test_a_second_file_updates_and_adds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(write(tmp_path / "a.csv", row(0), row(1)))
    assert load(write(tmp_path / "b.csv", row(0), row(1, "99.5,101,99,100,3"), row(2))) == 0
    assert "1 inserted, 1 updated, 1 unchanged, 0 refused" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_bad_rows_are_shown_by_file_and_line_and_the_good_ones_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.csv", row(0), row(1, "x,1,1,1,1"), row(2, "1,1,2,1,1"), row(3))
    assert load(path) == 0
    said = capsys.readouterr()
    assert said.err == f"{path}:3: open 'x' is not a number\n{path}:4: high 1 is below low 2\n"
    assert "4 rows read, 2 inserted, 0 updated, 0 unchanged, 2 refused" in said.out


def test_of_many_bad_rows_the_first_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.csv", row(0), *(row(n, "x,1,1,1,1") for n in range(1, 8)))
    assert load(path, "--max-shown", "2") == 0
    assert capsys.readouterr().err.splitlines()[2:] == [f"{path}: and 5 more refused rows"]


def test_strict_stores_nothing_of_a_file_with_a_bad_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = write(tmp_path / "a.csv", row(0)), write(tmp_path / "b.csv", row(1), row(2, "x,1,1,1,1"))
    assert load(bad, str(good), "--strict") == 1
    said = capsys.readouterr()
    assert f"error: {bad}: 1 of 2 rows refused, nothing stored" in said.err
    assert f"{good}: 1 rows read, 1 inserted" in said.out
    assert stored(tmp_path) == 1


@pytest.mark.unmeasured
def test_strict_takes_repeated_and_unsorted_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(write(tmp_path / "a.csv", row(1), row(0), row(1)), "--strict") == 0
    assert "note: 1 repeated row was dropped" in capsys.readouterr().out


@pytest.mark.parametrize("rows", [[], [row(0, "x,1,1,1,1")]])
def test_a_file_without_a_good_row_is_one_and_stores_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[str]
) -> None:
    assert load(write(tmp_path / "a.csv", *rows)) == 1
    assert "error: " in capsys.readouterr().err
    assert stored(tmp_path) == 0


def test_a_dry_run_reads_and_makes_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(write(tmp_path / "a.csv", row(0)), "--dry-run") == 0
    assert "1 rows read, dry run, 0 refused" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_all_files_are_looked_for_before_any_is_loaded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", row(0))
    with pytest.raises(UsageError, match="is not there"):
        load(path, str(tmp_path / "none.csv"))
    with pytest.raises(UsageError, match="wanted a file that ends in"):
        load(path, str(write(tmp_path / "a.txt")))
    assert not (tmp_path / "candles.db").exists()


@pytest.mark.parametrize(("text", "said"), [("1hour", "unknown timeframe '1hour'"), ("1M", "months differ")])
def test_an_unknown_timeframe_is_wrong_usage(
    tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([str(write(tmp_path / "a.csv", row(0))), *NAMES[:-1], text])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.unmeasured
def test_symbol_and_timeframe_may_be_spelled_in_the_usual_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "a.csv", row(0))
    names = ["--exchange", "kraken", "--symbol", "xbt-usd", "--timeframe", "60m"]
    assert main([str(path), *names, "--db-url", url_of(tmp_path / "candles.db")]) == 0
    assert "stored: kraken BTC/USD 1h, 1 bars" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_bars_of_another_timeframe_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give timeframe='4h'"):
        load(write(tmp_path / "a.csv", *(row(hour) for hour in range(0, 40, 4))))


@pytest.mark.parametrize(
    ("flag", "value"), [("--symbol", "BTCUSDT"), ("--exchange", "a b"), ("--max-shown", "0")]
)
def test_a_name_that_cannot_be_is_wrong_usage(
    tmp_path: Path, flag: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        load(write(tmp_path / "a.csv", row(0)), flag, value)
    assert left.value.code == 2
    assert f"argument {flag}: wanted" in capsys.readouterr().err


def test_a_database_that_cannot_be_used_is_not_touched(tmp_path: Path) -> None:
    path, database = write(tmp_path / "a.csv", row(0)), make_database(tmp_path)
    run_sql(database, "UPDATE schema_info SET version = 9")
    with pytest.raises(DatabaseError, match="it is newer"):
        load(path)


def test_an_interrupt_while_storing_leaves_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load(write(tmp_path / "a.csv", row(0)))
    monkeypatch.setattr(candles, "_CHUNK", 2)

    class Interrupting:
        def __enter__(self) -> object:
            return self.advance

        def __exit__(self, *_: object) -> None:
            return None

        def advance(self, by: int = 1) -> None:
            if by == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(cli, "progress", lambda *_: Interrupting())
    with pytest.raises(SystemExit) as left:
        cli.run(lambda: load(write(tmp_path / "b.csv", *(row(hour) for hour in range(1, 9)))))
    assert left.value.code == cli.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    assert stored(tmp_path) == 1


def test_a_files_rows_are_counted_whole() -> None:
    assert CandleFile(bars_at(0, 1), (), 3, ()).rows == 5


def test_hours_without_a_zone_need_the_option_that_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,open,high,low,close,volume\n2020-09-13 14:00:00,99.5,101,99,100,2\n")
    with pytest.raises(UsageError, match="names no time zone: give timezone='UTC'"):
        load(path)
    assert load(path, "--timezone", "Europe/Berlin") == 0
    assert "note: times that name no zone are taken as Europe/Berlin" in capsys.readouterr().out
    assert read_bars(opened(tmp_path / "candles.db"), SERIES).ts.tolist() == [START]
    with pytest.raises(SystemExit):
        load(path, "--timezone", "Mars")
    assert "unknown time zone 'Mars'" in capsys.readouterr().err


def test_a_volume_that_differs_from_the_stored_one_by_the_price_is_refused_or_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = "8000,8000,8000,8000"
    rows = [row(hour, f"{prices},{5 + hour}") for hour in range(8)]
    assert load(write(tmp_path / "a.csv", *rows)) == 0
    quoted = write(tmp_path / "b.csv", *(row(hour, f"{prices},{8000 * (5 + hour)}") for hour in range(4, 10)))
    before = stored(tmp_path)
    assert load(quoted) == 1
    assert "the volume is the stored 1h candles' times the price" in capsys.readouterr().err
    assert stored(tmp_path) == before
    assert load(quoted, "--volume", "quote") == 0
    assert "note: volume is in USDT: divided by each bar's mean price" in capsys.readouterr().out
    assert read_bars(opened(tmp_path / "candles.db"), SERIES).volume.tolist() == [5.0 + n for n in range(10)]


@pytest.mark.unmeasured
def test_a_larger_volume_of_the_same_unit_is_taken(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.csv", *(row(n, "8000,8000,8000,8000,5") for n in range(8)))) == 0
    assert load(write(tmp_path / "b.csv", *(row(n, "8000,8000,8000,8000,40") for n in range(8)))) == 0


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BTCUSDT-4h-2024-01.zip", "BTC/USDT"),
        ("XBTUSD_60.csv", "BTC/USD"),
        ("BTC_USDT-5m.feather", "BTC/USDT"),
        ("Binance_ETHBTC_1h.csv.gz", "ETH/BTC"),
        ("s00-usdt.parquet", "S00/USDT"),
    ],
)
def test_a_file_s_name_says_its_market(name: str, symbol: str) -> None:
    assert market_of_file(name) == symbol


@pytest.mark.parametrize("name", ["candles.csv", "BTCUSDT-ETHUSDT.csv", "USDT-2024.csv"])
def test_a_name_that_speaks_of_no_one_market_needs_a_symbol(name: str) -> None:
    with pytest.raises(UsageError, match="give --symbol"):
        market_of_file(name)


def test_files_of_several_markets_are_loaded_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["--exchange", "binanceus", "--timeframe", "1h", "--db-url", url_of(tmp_path / "candles.db")]
    files = [write(tmp_path / f"{base}USDT-1h.csv", row(0), row(1)) for base in ("BTC", "ETH")]
    assert main([*map(str, files), *names]) == 0
    said = capsys.readouterr().out
    assert "stored: binanceus BTC/USDT 1h, 2 bars" in said
    assert "stored: binanceus ETH/USDT 1h, 2 bars" in said
    with pytest.raises(UsageError, match=r"candles\.csv"):
        main([str(files[0]), str(write(tmp_path / "candles.csv", row(2))), *names])
    assert stored(tmp_path) == 2
