"""Imports point down: every contract of `make lint` holds, and notices when it is broken."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.tiers import programs

pytest.importorskip("importlinter", reason="import-linter is one of the tools of `make lint`")

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "db", "llm", "scripts", "strategies")

# Contract -> where to plant which line to break it.
PLANTED = {
    "imports point down": ("core/utils.py", "import core.candles.frames"),
    "domain and errors stand on Python and numpy alone": ("core/errors.py", "import pandas"),
    "only the exchange client and the streams' source import ccxt": ("core/sizing.py", "import ccxt"),
    "only strategies.base and the backtest adapter import Backtesting.py": (
        "strategies/indicators.py",
        "from backtesting import Strategy",
    ),
    "SQL stays in the database package and in what stores and loads through it": (
        "core/results/runs.py",
        "from sqlalchemy import text",
    ),
    "every other library has its owner": ("core/results/runs.py", "import yaml"),
    "a strategy decides from numbers: no data frames, files, clocks, chance, exchange or database": (
        "strategies/trend_ema.py",
        "import time",
    ),
    "only the backtest runners know the strategies": ("core/sizing.py", "import strategies.rule"),
    "what an order can be and what it costs is decided without database or exchange": (
        "core/order_path/ledger.py",
        "import db.journal",
    ),
    "the order path reaches an exchange through its venue alone, and has no clock, chance or network": (
        "core/order_path/sending.py",
        "import time",
    ),
    "an account is pure: no exchange, database, event loop, clock or chance": (
        "core/risk/limits.py",
        "import asyncio",
    ),
    "the database knows values, not who uses them": ("db/models.py", "import core.sizing"),
    "the local exchange shares no code with the client it tests": (
        "core/exchange_sim/markets.py",
        "import requests",
    ),
    "a language model reaches the database and value types, and nothing that trades": (
        "llm/journaler.py",
        "import core.sizing",
    ),
    "nothing stands on the scripts or on a language model": ("core/sizing.py", "import llm.journaler"),
    "an account is opened from values: no arguments, no settings, nothing of a command": (
        "core/live/terms.py",
        "import argparse",
    ),
    "only commands read the configuration": ("core/sizing.py", "import core.settings"),
}


# Lints the folder as it is, then once for each planted line, and reads what is unchanged but once.
PROGRAM = """
import contextlib, io, json, pathlib, sys
from importlinter.cli import lint_imports

def output():
    with contextlib.redirect_stdout(io.StringIO()) as text:
        lint_imports()
    return " ".join(text.getvalue().split())

outputs = {"": output()}
for name, (file, line) in json.load(sys.stdin).items():
    path = pathlib.Path(file)
    before = path.read_text()
    path.write_text(f"{before}\\n{line}\\n")
    outputs[name] = output()
    path.write_text(before)
json.dump(outputs, sys.stdout)
"""


@programs
def test_every_contract_holds_and_notices_a_planted_import(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path, input=json.dumps(PLANTED), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    outputs = json.loads(done.stdout)
    assert f"Contracts: {len(PLANTED)} kept, 0 broken." in outputs.pop("")
    assert [name for name, output in outputs.items() if f"{name} BROKEN" not in output] == []
    assert outputs.keys() == PLANTED.keys()


def contracts() -> dict[str, dict[str, Any]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["name"]: contract for contract in project["tool"]["importlinter"]["contracts"]}


def test_every_contract_has_a_planted_import() -> None:
    assert contracts().keys() == PLANTED.keys()


def test_every_room_of_the_core_has_its_layer() -> None:
    layers = " : ".join(contracts()["imports point down"]["layers"]).split(" : ")
    rooms = {f"core.{path.stem}" for path in (ROOT / "core").iterdir() if not path.name.startswith("__")}
    assert {name for name in layers if name.startswith("core.")} == rooms


def test_packages_are_one_level_deep() -> None:
    assert {path.name for path in (ROOT / "core").glob("*/*") if path.is_dir()} <= {"__pycache__"}


@pytest.mark.unmeasured
def test_no_function_is_longer_than_a_screen_and_no_module_than_eight() -> None:
    # The fill model is one module: what happens within a bar, in its order, is read from top to bottom.
    whole = {"core/fills.py"}
    long: list[str] = []
    for path in (path for name in (*PACKAGES, "tests", "bench") for path in (ROOT / name).rglob("*.py")):
        text, name = path.read_text(), path.relative_to(ROOT).as_posix()
        if text.count("\n") > 400 and name not in whole and not name.startswith("tests/"):
            long.append(name)
        # What is within a function is no longer than it.
        tops = ast.parse(text).body
        within = [one for top in tops if isinstance(top, ast.ClassDef) for one in top.body]
        for one in (*tops, *within):
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.end_lineno:
                lines = one.end_lineno - one.lineno + 1
                long += [f"{name}: {one.name} has {lines} lines"] * (lines > 50)
    assert not long
