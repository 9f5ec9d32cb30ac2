"""The README's commands can be typed in order: options exist, candles are loaded before they are used."""

from __future__ import annotations

import argparse
import re
import shlex
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core import cli
from core.domain import Series
from db.candles import upsert_bars
from db.init_db import init_db
from tests.markets import random_bars
from tests.stored import url_of

README = (cli.ROOT / "README.md").read_text(encoding="utf-8")
SYNTHETIC = "binanceus-synthetic"


def commands() -> list[tuple[str, list[str]]]:
    """Return script and arguments of every command that the README shows at a prompt, in order."""
    lines = re.findall(r"^\$ python scripts/(\w+)\.py(.*)$", README, re.MULTILINE)
    return [(name, shlex.split(arguments, comments=True)) for name, arguments in lines]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_command_of_the_readme_has_the_options_that_it_is_shown_with() -> None:
    assert len(commands()) > 15
    for name, arguments in commands():
        script = import_module(f"scripts.{name}")
        assert isinstance(script.parse(arguments), argparse.Namespace)


def test_every_command_of_the_readme_reads_candles_that_were_loaded_before() -> None:
    loaded: set[str] = set()
    used: list[str] = []
    assert README.index("$ export EXCHANGE_BASE_URL=http://127.0.0.1:8090") < README.index("scripts/fetch_")
    for name, arguments in commands():
        named = dict(pairwise(arguments)).get("--exchange")
        if name == "fetch_ohlcv_to_db":
            loaded.add(SYNTHETIC)
        elif name == "import_ohlcv_to_db":
            # Of a file that only its reader has: nothing may need it.
            assert named is not None
        elif {"--use-sql", "--replay"} & set(arguments) and "--refresh-from-ccxt" not in arguments:
            used.append(str(named))
            assert named in loaded
    assert len(used) >= 5


def test_the_sweep_of_the_readme_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = [block for block in blocks("python") if "sweep(" in block]
    engine = init_db(url_of(tmp_path / "hot.db"))
    bars = random_bars(1, 800, price=100.0)
    bars = bars._replace(ts=bars.ts[0] // 14_400_000 * 14_400_000 + 14_400_000 * np.arange(800))
    upsert_bars(engine, Series(SYNTHETIC, "BTC/USDT", "4h"), bars, source="made up")
    engine.dispose()
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url_of(tmp_path / "hot.db"))
    exec(compile(example, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["ema_fast", "ema_slow", "rr_ratio"]
    assert len(lines) == 4
