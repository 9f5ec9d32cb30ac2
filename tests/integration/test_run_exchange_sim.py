"""The script that runs the local exchange, as a user starts and stops it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import aiohttp
import pytest

from core.account.messages import Balance, OrderNews, OrderRequest
from core.candles.frames import frame_from_bars
from core.cli import exchange_sim_command
from core.domain import Series
from core.errors import HotCryptoError, OrderUnknownError
from core.exchange_client import ExchangeClient
from core.utils import parse_time
from scripts import run_exchange_sim
from tests.sim import HOUR, NOON, steps_of
from tests.stored import make_database, url_of
from tests.tiers import programs

SCRIPT = Path(run_exchange_sim.__file__)


@contextmanager
def running(*args: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the script on a free port; give its banner and the process."""
    command = [sys.executable, str(SCRIPT), "--port", "0", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or (lines[-1] and not lines[-1].startswith("stop it")):
            lines.append(process.stdout.readline())
        try:
            yield "".join(lines), process
        finally:
            process.kill()


def asked(banner: str, path: str) -> Any:
    url = next(word for word in banner.split() if word.startswith("http://"))
    with closing(urlopen(url + path)) as answer:
        return json.load(answer)


def csv_file(folder: Path) -> Path:
    path = folder / "hours.csv"
    frame = frame_from_bars(steps_of(48, HOUR))
    frame.index = frame.index.as_unit("ms").astype("int64")  # type: ignore[attr-defined]
    frame.to_csv(path, index_label="ts")
    return path


def test_it_says_synthetic_and_how_to_use_it_and_ends_with_ctrl_c() -> None:
    with running("--seed", "11") as (banner, process):
        assert "SYNTHETIC candles: generated from seed 11" in banner
        assert "EXCHANGE_BASE_URL=http://127.0.0.1:" in banner
        assert asked(banner, "/api/v3/ping") == {}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "stopped after 1 requests\n")


def test_streams_can_be_spoiled_and_kraken_begin_in_a_mode() -> None:
    async def ends(address: str) -> int | None:
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            await socket.receive(timeout=10)
            return socket.close_code

    faults = "close:channel=connection:code=1008"
    with running("--kraken-mode", "post_only", "--stream-faults", faults) as (banner, _):
        address = next(word for word in banner.split() if word.startswith("ws://"))
        assert asyncio.run(ends(address + "/0")) == 1008
        assert asked(banner, "/0/public/SystemStatus")["result"]["status"] == "post_only"


@programs
def test_candles_of_a_file_look_live_at_the_time_given(tmp_path: Path) -> None:
    path = str(csv_file(tmp_path))
    series = ("--file", path, "--symbol", "SOL/USDT", "--timeframe", "1h")
    with running("--source", "csv", *series, "--start-at", str(NOON + 10 * HOUR)) as (banner, _):
        assert "SOL/USDT 1h: 2024-01-01 12:00 to 2024-01-03 12:00" in banner
        assert "--symbol SOL/USDT --timeframe 1h" in banner
        rows = asked(banner, "/api/v3/klines?symbol=SOLUSDT&interval=1h")
    assert [row[0] for row in rows] == [NOON + n * HOUR for n in range(11)]


def test_bad_rows_of_a_file_are_counted(tmp_path: Path) -> None:
    path = csv_file(tmp_path)
    path.write_text(path.read_text() + f"{NOON + 48 * HOUR},1,1,nan,1,1\n")
    args = ["--source", "csv", "--file", str(path), "--symbol", "BTC/USDT", "--timeframe", "1h"]
    served = exchange_sim_command.stored(run_exchange_sim.parse(args))
    assert "1 bad rows left out" in served.words
    assert served.source.kind == "csv"


def test_candles_of_a_database_are_served_by_label(tmp_path: Path) -> None:
    series = Series("binanceus", "BTC/USDT", "1h")
    url = url_of(make_database(tmp_path, steps_of(48, HOUR), series))
    args = ["--source", "db", "--db-url", url]
    served = exchange_sim_command.stored(run_exchange_sim.parse(args))
    assert served.source.kind == "db"
    assert served.source.span("BTC/USDT") == (NOON, NOON + 48 * HOUR)
    with pytest.raises(HotCryptoError, match=r"'kraken'.*stored: binanceus") as refused:
        exchange_sim_command.stored(run_exchange_sim.parse([*args, "--exchange", "kraken"]))
    assert refused.value.exit_code == 1


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--source", "csv"], "wants --file, --symbol and --timeframe"),
        (["--source", "csv", "--file", "a", "--symbol", "A/B"], "wants --file, --symbol and --timeframe"),
        (["--symbol", "BTC/USDT"], "are for --source csv"),
        (["--exchange", "kraken"], "are for --source db"),
        (["--speed", "2"], "--speed is for --start-at"),
        (["--start-at", "2024-01-31", "--speed", "0"], "--speed wants a number above 0"),
        (["--start-at", "2024-01-31", "--speed", "nan"], "--speed wants a number above 0"),
    ],
)
def test_what_does_not_belong_together_is_refused(args: list[str], why: str) -> None:
    with pytest.raises(HotCryptoError, match=why) as refused:
        run_exchange_sim.parse(args)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "args", [["--port", "65536"], ["--port", "x"], ["--seed", "-1"], ["--source", "moon"]]
)
def test_what_is_no_number_or_choice_is_refused(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        run_exchange_sim.parse(args)
    assert refused.value.code == 2
    assert args[0] in capsys.readouterr().err


def test_main_serves_with_faults_and_a_replayed_clock(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []

    def wait(self: object, timeout: float | None = None) -> bool:
        banner = capsys.readouterr().out
        if "stop it" not in banner:  # the server's own events
            return original(self, timeout)  # type: ignore[arg-type]
        seen.append(asked(banner, "/api/v3/time")["serverTime"])
        raise KeyboardInterrupt

    import threading

    original = threading.Event.wait
    monkeypatch.setattr(threading.Event, "wait", wait)
    args = ["--port", "0", "--faults", "status:path=klines", "--start-at", "2024-01-31", "--speed", "2"]
    assert run_exchange_sim.main(args) == 130
    start = parse_time("2024-01-31")
    assert start <= seen[0] < start + 60_000


def test_the_test_account_is_shown_and_trades_with_the_cash_given() -> None:
    args = ("--cash", "500", "--balance", "BTC=0.25", "--api-key", "mine", "--api-secret", "hush")
    with running(*args, "--trading-faults", "status_before:method=POST") as (banner, _):
        assert "test account at each: 500 USDT, 0.25 BTC" in banner
        assert "EXCHANGE_API_KEY=mine EXCHANGE_API_SECRET=hush" in banner
        url = next(word for word in banner.split() if word.startswith("http://"))
        with ExchangeClient("binanceus", "mine", "hush", base_url=url) as client:
            assert client.orders.balances()["BTC"] == Balance(Decimal("0.25"), Decimal(0))
            order = OrderRequest("one", "BTC/USDT", "sell", Decimal("0.1"))
            with pytest.raises(OrderUnknownError):
                client.orders.place(order)
            assert client.orders.find("BTC/USDT", "one") is None
            assert client.orders.place(replace(order, client_order_id="two")).standing is OrderNews.FILLED


@pytest.mark.parametrize(
    "args",
    [
        ["--cash", "much"],
        ["--balance", "BTC"],
        ["--trading-faults", "nix"],
        ["--faults", "status:status=99999"],
        ["--faults", "delay:seconds=nan"],
        ["--faults", "delay:seconds=-1"],
        ["--faults", "delay:times=0"],
        ["--faults", "delay:after=-1"],
        ["--faults", "delay:method=FETCH"],
        ["--faults", "delay:times=1:times=2"],
        ["--faults", "nan"],
        ["--api-key", "a key"],
        ["--api-secret", "x" * 65],
        ["--start-at", "9999-12-31"],
        ["--start-at", "2016-12-31"],
        ["--state", "/dev/zero"],
    ],
)
def test_what_is_no_balance_and_no_fault_is_refused(args: list[str]) -> None:
    with pytest.raises(HotCryptoError) as refused:
        run_exchange_sim.main(["--port", "0", *args])
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "option", ["--faults", "--trading-faults", "--api-key", "--api-secret", "--start-at"]
)
def test_an_empty_value_is_not_the_default(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        run_exchange_sim.parse([option, ""])
    assert refused.value.code == 2
    assert f"argument {option}: wanted a value, got an empty one" in capsys.readouterr().err
