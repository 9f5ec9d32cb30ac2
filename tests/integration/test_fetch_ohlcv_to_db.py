"""Loading candles from an exchange into the database, end to end on loopback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from core import cli
from core.cli import fetch_command
from core.cli.fetch_command import Wanted, span_of
from core.domain import Bars, Series
from core.errors import (
    DatabaseError,
    ExchangeUnreachableError,
    NoDataError,
    SettingsError,
    UnsupportedError,
    UsageError,
)
from core.exchange.calls import RetryPolicy
from core.exchange_client import ExchangeClient
from core.exchange_sim.faults import Fault
from core.exchange_sim.server import RunningSim, SimConfig, serve
from db.base import open_engine
from db.candles import Upserted, read_bars, upsert_bars
from scripts import fetch_ohlcv_to_db, run_backtest
from tests.exchange_help import NOON, FakeTime, bench, said, tiny_exchange
from tests.own_files import project_in
from tests.tiers import programs, whole

HOUR = 3_600_000
BTC = Series("binanceus-synthetic", "BTC/USDT", "1h")


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON)


@pytest.fixture
def sim(time: FakeTime) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=time.clock)) as running:
        yield running


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the script a project folder of its own, without anybody's .env."""
    return project_in(tmp_path, monkeypatch)


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'candles.db'}"


@pytest.fixture(autouse=True)
def on_fake_time(time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the script's client wait on the fake clock."""

    def open_client(*args: Any, **kwargs: Any) -> ExchangeClient:
        policy = RetryPolicy(jitter=lambda: 1.0)
        return ExchangeClient(
            *args, **kwargs, clock=time.local, ticks=time.clock, sleep=time.sleep, retries=policy
        )

    monkeypatch.setattr(fetch_command, "ExchangeClient", open_client)


def fetch(url: str, db_url: str, *args: str) -> int:
    return fetch_ohlcv_to_db.main(["--base-url", url, "--db-url", db_url, "--wide", *args])


def stored(db_url: str, series: Series = BTC) -> Bars:
    engine = open_engine(db_url)
    try:
        return read_bars(engine, series)
    finally:
        engine.dispose()


def truth(sim: RunningSim, since: int, until: int = NOON) -> list[int]:
    sim.set_faults(())
    with bench(sim.url, time=FakeTime(NOON)) as one:
        return [int(ts) for bars in one.client.ohlcv_pages("BTC/USDT", "1h", since, until) for ts in bars.ts]


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.mark.unmeasured
def test_an_empty_store_gets_the_newest_thousand_and_the_database_is_made(
    sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch(sim.url, db_url, "--symbol", "btc/usdt", "--timeframe", "1h") == 0
    assert stored(db_url).ts.tolist() == truth(sim, NOON - 1000 * HOUR)
    heading, line, note = rows(capsys.readouterr().out)
    assert heading[:10] == [
        *("exchange", "symbol", "tf", "inserted", "updated"),
        *("unchanged", "refused", "gaps", "missing", "stored"),
    ]
    assert line[:3] == ["binanceus-synthetic", "BTC/USDT", "1h"]
    assert note[0] == "SYNTHETIC"
    assert "2023-12-31" not in line[:10]


@pytest.mark.unmeasured
def test_a_row_fits_a_hundred_characters_and_keeps_what_matters_most(
    sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--base-url", sim.url, "--db-url", db_url, "--symbol", "BTC/USDT", "--timeframe", "1h"]
    assert fetch_ohlcv_to_db.main([*asked, "--limit", "5"]) == 0
    heading, line, _ = capsys.readouterr().out.splitlines()
    assert max(len(heading), len(line)) <= 100
    wanted = "exchange symbol tf inserted refused missing stored last (UTC)"
    assert heading.split() == wanted.split()
    assert line.split()[3:7] == ["5", "0", "0", "5"]


@pytest.mark.unmeasured
def test_a_second_load_goes_on_where_the_store_ends_and_fetches_its_last_bar_again(
    sim: RunningSim, time: FakeTime, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1h")
    time.now += 5 * HOUR
    sim.requests.clear()
    capsys.readouterr()
    fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1h")
    assert rows(capsys.readouterr().out)[1][3:7] == ["5", "0", "1", "0"]
    asked = [one.params for one in sim.requests if one.path.endswith("klines")]
    assert asked[0]["startTime"] == str(NOON - HOUR)


@pytest.mark.unmeasured
def test_a_revised_last_bar_is_updated(
    sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1h")
    right = stored(db_url)
    last = right.since(len(right.ts) - 1)
    engine = open_engine(db_url)
    upsert_bars(engine, BTC, last._replace(volume=last.volume + 1))
    engine.dispose()
    capsys.readouterr()
    fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1h")
    assert rows(capsys.readouterr().out)[1][3:6] == ["0", "1", "0"]
    assert (stored(db_url).volume == right.volume).all()


@pytest.mark.unmeasured
def test_several_symbols_and_timeframes_get_a_line_each(
    sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = (
        "--symbol",
        "BTC/USDT,eth/usdt",
        "--symbol",
        "BTC/USDT",
        "--timeframe",
        "1h",
        "--timeframe",
        "4h, 1d",
    )
    assert fetch(sim.url, db_url, *args, "--limit", "20") == 0
    *lines, _ = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines[1:]] == [
        [symbol, timeframe] for symbol in ("BTC/USDT", "ETH/USDT") for timeframe in ("1h", "4h", "1d")
    ]
    columns = {line.index(line.split()[1]) for line in lines}
    assert len(columns) == 1


def test_all_markets_are_those_of_the_file(
    sim: RunningSim, db_url: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "config" / "markets.yaml").write_text(
        "- {symbol: SOL/USDT, timeframe: 1d}\n", encoding="utf-8"
    )
    assert fetch(sim.url, db_url, "--all-markets", "--limit", "5") == 0
    assert rows(capsys.readouterr().out)[1][1:4] == ["SOL/USDT", "1d", "5"]
    with pytest.raises(UsageError, match="drop the others"):
        fetch(sim.url, db_url, "--all-markets", "--symbol", "BTC/USDT")


@pytest.mark.unmeasured
def test_since_until_and_limit_choose_the_candles(sim: RunningSim, db_url: str) -> None:
    base = ("--symbol", "BTC/USDT", "--timeframe", "1h")
    fetch(sim.url, db_url, *base, "--since", "2023-12-30", "--until", "2023-12-30T06:00")
    assert stored(db_url).ts.tolist() == truth(sim, NOON - 60 * HOUR, NOON - 54 * HOUR)
    fetch(sim.url, db_url, *base, "--since", "2023-12-29", "--limit", "3")
    assert stored(db_url).ts[:3].tolist() == truth(sim, NOON - 84 * HOUR, NOON - 81 * HOUR)


def test_a_limit_reaches_back_to_the_store_so_that_no_hole_is_left() -> None:
    step, now = 10, 1_005
    assert span_of(Wanted(None, None, None), None, now, step) == (0, 1000)
    assert span_of(Wanted(None, None, None), None, 20_005, step) == (20_000 - 1000 * step, 20_000)
    assert span_of(Wanted(5, None, None), None, now, step) == (950, 1000)
    assert span_of(Wanted(None, None, None), 400, now, step) == (400, 1000)
    assert span_of(Wanted(5, None, None), 400, now, step) == (400, 1000)
    assert span_of(Wanted(80, None, None), 400, now, step) == (200, 1000)
    assert span_of(Wanted(5, None, 700), None, now, step) == (650, 700)
    assert span_of(Wanted(None, 100, 5000), 400, now, step) == (100, 1000)
    assert span_of(Wanted(3, 100, None), 400, now, step) == (100, 130)
    assert span_of(Wanted(300, 100, 200), 400, now, step) == (100, 200)


def test_refused_rows_are_counted_shown_and_left_out(
    time: FakeTime, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def kline(hours_ago: int, close: str) -> list[object]:
        return [NOON - hours_ago * HOUR, "10", "11", "9", close, "1", 0, "0", 0, "0", "0", "0"]

    with tiny_exchange() as exchange:
        bad = [kline(ago, "99") for ago in range(9, 4, -1)]
        exchange.standing["/api/v3/klines"] = said([kline(10, "10"), *bad, kline(4, "10")])
        args = ("--symbol", "BTC/USDT", "--timeframe", "1h", "--limit", "10")
        assert fetch(exchange.url, db_url, *args) == 0
    assert len(stored(db_url, Series("binanceus", "BTC/USDT", "1h")).ts) == 2
    out, err = capsys.readouterr()
    assert rows(out)[1][:10] == ["binanceus", "BTC/USDT", "1h", "2", "0", "0", "5", "1", "5", "2"]
    assert "SYNTHETIC" not in out
    assert err.count("close 99 is outside low 9 to high 11") == fetch_command.SHOWN_REFUSED


@pytest.mark.unmeasured
def test_krakens_limit_is_printed(sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = ("--exchange", "kraken", "--symbol", "BTC/USD", "--timeframe", "1h", "--since", "2023-01-01")
    assert fetch(sim.url, db_url, *args) == 0
    out, err = capsys.readouterr()
    assert "note: kraken serves only its newest 720 1h candles" in err
    assert rows(out)[1][:4] == ["kraken-synthetic", "BTC/USD", "1h", "719"]


@pytest.mark.unmeasured
def test_faults_on_the_way_change_nothing_of_what_is_stored(sim: RunningSim, db_url: str) -> None:
    faults = [
        Fault("status", "klines", status=503),
        Fault("cut", "klines", after=2),
        Fault("missing", "klines", after=3),
    ]
    sim.set_faults(faults)
    fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1h", "--since", "2023-09-01")
    assert len(sim.faults_met) == 3
    assert stored(db_url).ts.tolist() == truth(sim, NOON - 122 * 24 * HOUR - 12 * HOUR)


@pytest.mark.unmeasured
def test_an_interrupt_between_pages_keeps_them_and_the_next_load_goes_on(
    sim: RunningSim, db_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--symbol", "BTC/USDT", "--timeframe", "1h")
    pages = count(1)

    def interrupted(*given: Any, **named: Any) -> Upserted:
        if next(pages) == 3:
            raise KeyboardInterrupt
        return upsert_bars(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(fetch_command, "upsert_bars", interrupted)
        with pytest.raises(SystemExit) as caught:
            cli.run(lambda: fetch(sim.url, db_url, *args, "--since", "2023-06-01"))
    assert caught.value.code == cli.INTERRUPTED
    out, err = capsys.readouterr()
    assert "interrupted: what was finished is saved" in err
    assert int(rows(out)[1][3].replace(",", "")) == len(stored(db_url).ts) > 1900
    fetch(sim.url, db_url, *args)
    assert stored(db_url).ts.tolist() == truth(sim, NOON - 214 * 24 * HOUR - 12 * HOUR)


@programs
@pytest.mark.unmeasured
def test_ctrl_c_ends_the_process_with_130_and_keeps_what_came(db_url: str) -> None:
    reached, released, calls = Event(), Event(), count()

    def clock() -> int:
        # The exchange stops answering in the middle of the load, until the signal is sent.
        if next(calls) == 14:
            reached.set()
            released.wait(60)
        return NOON

    root = Path(fetch_ohlcv_to_db.__file__).parents[1]
    script = [sys.executable, "scripts/fetch_ohlcv_to_db.py", "--symbol", "BTC/USDT", "--timeframe", "1h"]
    with serve(SimConfig(clock=clock)) as sim:
        where = ["--base-url", sim.url, "--db-url", db_url]
        process = subprocess.Popen(
            [*script, *where, "--since", "2022-01-01"], cwd=root, stdout=subprocess.PIPE
        )
        try:
            assert reached.wait(60)
            process.send_signal(signal.SIGINT)
            released.set()
            out = process.communicate(timeout=60)[0].decode()
        finally:
            released.set()
            process.kill()
        assert process.returncode == cli.INTERRUPTED
        kept = stored(db_url)
        assert f"{len(kept.ts):,}" in out
        assert len(kept.ts) > 1000
        assert kept.ts.tolist() == truth(sim, int(kept.ts[0]), int(kept.ts[-1]) + 1)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("args", "kind", "says"),
    [
        (["--symbol", "BTC/USTD"], UnsupportedError, "did you mean"),
        (["--symbol", "BTC/USDT", "--timeframe", "7m"], UsageError, "unknown timeframe '7m'"),
        (["--symbol", "BTC/USDT", "--exchange", "binancus"], UsageError, "did you mean binanceus"),
        (["--symbol", "BTC/USD", "--exchange", "kraken", "--timeframe", "2h"], UnsupportedError, "no 2h"),
        ([], UsageError, "give --symbol BTC/USDT, or --all-markets"),
        (["--symbol", "BTC/USDT", "--since", "yesterday"], UsageError, "cannot read the time"),
        (
            ["--symbol", "BTC/USDT", "--since", "2024-01-01", "--until", "2023-01-01"],
            UsageError,
            "--since 2024-01-01 is not before --until 2023-01-01",
        ),
    ],
)
def test_wrong_usage_is_said_before_a_database_is_made(
    sim: RunningSim, db_url: str, args: list[str], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        fetch(sim.url, db_url, *args)
    assert getattr(caught.value, "exit_code", None) == 2
    assert not Path(db_url.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_that_is_none_is_refused(sim: RunningSim, db_url: str, limit: str) -> None:
    with pytest.raises(SystemExit) as caught:
        fetch(sim.url, db_url, "--symbol", "BTC/USDT", f"--limit={limit}")
    assert caught.value.code == 2


def test_a_base_url_that_is_none_is_refused(db_url: str) -> None:
    with pytest.raises(SettingsError, match="base_url"):
        fetch("nonsense", db_url, "--symbol", "BTC/USDT")


def test_no_candles_in_the_range_is_said(
    sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--symbol", "BTC/USDT", "--timeframe", "1h", "--since", "2024-02-01")
    with pytest.raises(NoDataError, match="no closed candles of BTC/USDT 1h") as caught:
        fetch(sim.url, db_url, *args)
    assert caught.value.exit_code == 1
    assert rows(capsys.readouterr().out)[1][3:11] == ["0"] * 7 + ["none"]


def test_an_exchange_that_cannot_be_reached_is_exit_code_3(db_url: str, time: FakeTime) -> None:
    with pytest.raises(ExchangeUnreachableError, match="tried 4 times") as caught:
        fetch("http://127.0.0.1:1", db_url, "--symbol", "BTC/USDT")
    assert caught.value.exit_code == 3
    assert time.slept == [0.5, 1.0, 2.0]


@pytest.mark.unmeasured
def test_a_database_that_cannot_be_used_is_exit_code_3(sim: RunningSim, tmp_path: Path) -> None:
    (tmp_path / "not.db").write_text("this is no database, and it is long enough to be looked at " * 20)
    with pytest.raises(DatabaseError) as caught:
        fetch(sim.url, f"sqlite:///{tmp_path / 'not.db'}", "--symbol", "BTC/USDT")
    assert caught.value.exit_code == 3


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from scripts import fetch_ohlcv_to_db as script\n"
        "try:\n    script.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'pandas', 'ccxt', 'sqlalchemy', 'rich', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--all-markets" in done.stdout


@whole
@pytest.mark.unmeasured
def test_a_year_of_hours_is_stored_bit_for_bit(sim: RunningSim, db_url: str) -> None:
    fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1h", "--since", "2023-01-01")
    kept = stored(db_url)
    with bench(sim.url, time=FakeTime(NOON)) as one:
        fetched = one.client.newest_bars("BTC/USDT", "1h", len(kept.ts))
    for ours, theirs in zip(kept, fetched, strict=True):
        assert np.array_equal(ours, theirs)
    assert len(kept.ts) > 365 * 24 - 100


@pytest.mark.unmeasured
def test_weeks_and_three_days_are_fetched_stored_and_backtested(
    sim: RunningSim, db_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    day, monday = 24 * HOUR, 1_704_067_200_000  # 2024-01-01, the day that NOON is in
    assert fetch(sim.url, db_url, "--symbol", "BTC/USDT", "--timeframe", "1W,3D,1d", "--limit", "420") == 0
    days = stored(db_url, BTC._replace(timeframe="1d"))
    for timeframe, step, last in (("1w", 7 * day, monday - 7 * day), ("3d", 3 * day, monday - 4 * day)):
        bars = stored(db_url, BTC._replace(timeframe=timeframe))
        assert bars.ts[-1] == last
        assert (np.diff(bars.ts) == step).all()
        inside = (days.ts >= last) & (days.ts < last + step)
        assert days.open[inside][0] == bars.open[-1]
        assert days.high[inside].max() == bars.high[-1]
        assert days.close[inside][-1] == bars.close[-1]
    capsys.readouterr()
    args = ["--strategy", "SMA_CROSS", "--symbol", "BTC/USDT", "--use-sql", "--db-url", db_url]
    for timeframe in ("1W", "3d"):
        asked = [*args, "--exchange", "binanceus-synthetic", "--timeframe", timeframe, "--engine", "fast"]
        assert run_backtest.main(asked) == 0
        assert timeframe.lower() in capsys.readouterr().out


def test_krakens_weeks_are_refused_because_they_start_on_thursdays(sim: RunningSim, db_url: str) -> None:
    with pytest.raises(UnsupportedError, match="its weeks start on Thursdays, here they do on Mondays"):
        fetch(sim.url, db_url, "--exchange", "kraken", "--symbol", "XBT/USD", "--timeframe", "1w")
