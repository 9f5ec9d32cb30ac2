"""What README and pages show can be typed and looked up: commands in order, options, links and paths."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import tokenize
from decimal import Decimal
from functools import cache
from importlib import import_module
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import cli
from core.domain import Series
from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.server import SimConfig, serve
from core.settings.models import env_names
from db.candles import upsert_bars
from db.init_db import init_db
from tests.exchange_help import NOON
from tests.markets import random_bars
from tests.stored import url_of

README = cli.ROOT / "README.md"
PAGES = [README, *sorted((cli.ROOT / "docs").glob("*.md"))]
TEXTS = [*PAGES, *sorted((cli.ROOT / "docs" / "decisions").glob("*.md"))]
SYNTHETIC = "binanceus-synthetic"
LINK = r"\]\(([^)\s]+)\)"
ROOMS = "core|strategies|db|llm|scripts|bench|tests|config|docs"

on_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
in_every_text = pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.stem)


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """Return script and arguments of every command that a page shows at a prompt, in order."""
    lines = re.findall(r"^\$ python scripts/(\w+)\.py(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [(name, shlex.split(arguments, comments=True)) for name, arguments in lines]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def spelled_out(path: str) -> list[str]:
    """Return the paths that one with braces stands for: `a/{b,c}.py` is a/b.py and a/c.py."""
    choice = re.search(r"\{([^{}]*)\}", path)
    if choice is None:
        return [path]
    parts = (path[: choice.start()] + one.strip() + path[choice.end() :] for one in choice[1].split(","))
    return [whole for part in parts for whole in spelled_out(part)]


def paths_in(text: str) -> list[str]:
    """Return the paths of this project that a text names, without those that have a <name> to fill in."""
    named = re.findall(rf"(?<![\w/.-])((?:{ROOMS})/[\w./*<>-]*(?:\{{[^{{}}]*\}}[\w./*-]*)*)", text)
    return [whole.rstrip("./") for path in named if "<" not in path for whole in spelled_out(path)]


@cache
def is_there(path: str) -> bool:
    """Tell whether a path leads to something; a decision may be named by its number."""
    return any(next(cli.ROOT.glob(one), None) for one in (path, f"{path}-*.md"))


@on_every_page
def test_every_command_has_the_options_that_it_is_shown_with(page: Path) -> None:
    for name, arguments in commands(page):
        script = import_module(f"scripts.{name}")
        assert isinstance(script.parse(arguments), argparse.Namespace)


@on_every_page
def test_every_option_in_a_table_is_one_of_a_command_that_the_page_shows(page: Path) -> None:
    rows = re.findall(r"^\| (`--[^|]*)\|", page.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [(cli.ROOT / "scripts" / f"{name}.py").read_text(encoding="utf-8") for name, _ in commands(page)]
    texts += [path.read_text(encoding="utf-8") for path in (cli.ROOT / "core" / "cli").glob("*options.py")]
    known = set(re.findall(r'"(--[a-z-]+)"', "\n".join(texts)))
    assert {option for row in rows for option in re.findall(r"--[a-z-]+", row)} <= known


def test_the_readme_is_one_page_with_the_commands_that_are_typed_most() -> None:
    names = {name for name, _ in commands(README)}
    assert names >= {"fetch_ohlcv_to_db", "db_status", "run_backtest", "show_runs", "run_live", "show_trades"}
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert (
        text.index("make demo") < text.index("BTC/USDT  4h  MR_BB") < len("\n".join(text.splitlines()[:40]))
    )
    shown = {name for page in PAGES for name, _ in commands(page)}
    typed = {path.stem for path in (cli.ROOT / "scripts").glob("[a-z]*.py")}
    # `make demo` and `make docs` run two of them; run_paper is another name for run_live.
    assert typed - shown == {"demo", "make_docs", "run_paper"}


@on_every_page
def test_every_command_reads_candles_that_were_loaded_before(page: Path) -> None:
    loaded: set[str] = set()
    text = README.read_text(encoding="utf-8")
    assert text.index("$ export EXCHANGE_BASE_URL=http://127.0.0.1:8090") < text.index("scripts/fetch_")
    for name, arguments in [*commands(README), *commands(page)]:
        named = dict(pairwise(arguments)).get("--exchange")
        if name == "fetch_ohlcv_to_db":
            loaded.add(SYNTHETIC)
        elif name == "import_ohlcv_to_db":
            # Of a file that only its reader has: nothing may need it.
            assert named is not None
        elif {"--use-sql", "--replay"} & set(arguments) and "--refresh-from-ccxt" not in arguments:
            assert named in loaded


@on_every_page
def test_two_runs_that_are_compared_are_two_of_one_symbol(page: Path) -> None:
    pairs = re.findall(r"explain\.py (\d+) --against (\d+)", page.read_text(encoding="utf-8"))
    # All that are enabled run on two symbols, in turn.
    assert all(a != b and (int(a) - int(b)) % 2 == 0 for a, b in pairs)


def names_in(text: str) -> list[str]:
    """Return the dotted names of this project that a text has, such as core.sizing.Capital."""
    return re.findall(rf"(?<![\w./-])((?:{ROOMS})(?:\.[A-Za-z_]\w*)+)", text)


@cache
def is_named(name: str) -> bool:
    """Tell whether a dotted name is a module, something that its module has, or a setting."""
    parts = name.split(".")
    if tuple(parts) in env_names().values() or parts[-1] in ("py", "md", "yaml"):
        return True
    for n in range(len(parts), 0, -1):
        place = cli.ROOT.joinpath(*parts[:n])
        file = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if n == len(parts) and (file.exists() or place.is_dir()):
            return True
        if file.exists():
            return re.search(rf"\b{parts[n]}\b", file.read_text(encoding="utf-8")) is not None
    return False


def dead_names(text: str) -> set[str]:
    """Return the paths and dotted names in a text that lead nowhere."""
    paths = {path for path in paths_in(text) if not is_there(path)}
    return paths | {name for name in names_in(text) if not is_named(name)}


def prose_of(source: str) -> str:
    """Return docstrings and comments of a program."""
    nodes = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr))
    said = [one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    return "\n".join([*said, *(token.string for token in tokens if token.type == tokenize.COMMENT)])


@pytest.mark.unmeasured
@pytest.mark.parametrize("room", ROOMS.split("|"))
def test_every_path_and_name_in_docstrings_comments_and_documents_leads_somewhere(room: str) -> None:
    dead: dict[str, set[str]] = {}
    for file in (cli.ROOT / room).rglob("*.*"):
        if file.suffix not in (".py", ".json", ".yaml", ".md", ".toml"):
            continue
        text = file.read_text(encoding="utf-8")
        # A page's links start at the page; the test below follows them.
        text = re.sub(LINK, "", text) if file.suffix == ".md" else text
        # Most files name nothing dead at all, and taking one apart takes long.
        if (found := dead_names(text)) and file.suffix == ".py":
            found = dead_names(prose_of(text))
        if found:
            dead[str(file.relative_to(cli.ROOT))] = found
    assert dead == {}


def test_a_dotted_name_is_dead_when_its_module_has_no_such_thing() -> None:
    text = "core.sizing.Capital, core.sizing.Account; core.measures, db.url, core/measures.py, core.live"
    assert dead_names(text) == {"core.sizing.Account", "core.measures", "core/measures.py"}
    source = '"""See core.gone."""\nplace = "core.lost"  # core/{fills,away}.py\n"""And core.left."""\n'
    assert dead_names(prose_of(source)) == {"core.gone", "core/away.py", "core.left"}


@in_every_text
def test_every_path_that_a_text_names_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(LINK, text)]
    dead = [link for link in links if link and "://" not in link and not (page.parent / link).exists()]
    assert dead == []
    assert [path for path in paths_in(re.sub(LINK, "", text)) if not is_there(path)] == []


def test_every_decision_has_a_number_of_its_own_which_its_heading_says() -> None:
    files = sorted((cli.ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [file.name[:4] for file in files]
    assert sorted(set(numbers)) == numbers
    assert [file.read_text().split()[1] for file in files] == numbers


def test_paths_are_found_in_a_text_and_dead_ones_are_told_from_living_ones() -> None:
    text = (
        "`core/{fills,gone}.py`, core/live/ and (docs/decisions/0018), scripts/<name>.py; tests/unit/no.py."
    )
    paths = paths_in(text)
    assert paths == ["core/fills.py", "core/gone.py", "core/live", "docs/decisions/0018", "tests/unit/no.py"]
    assert [is_there(path) for path in paths] == [True, False, True, True, False]


def test_the_sweep_of_the_page_on_backtests_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = cli.ROOT / "docs" / "backtests.md"
    [example] = [block for block in blocks(page, "python") if "sweep(" in block]
    engine = init_db(url_of(tmp_path / "hot.db"))
    bars = random_bars(1, 800, price=100.0)
    bars = bars._replace(ts=bars.ts[0] // 14_400_000 * 14_400_000 + 14_400_000 * np.arange(bars.ts.size))
    upsert_bars(engine, Series(SYNTHETIC, "BTC/USDT", "4h"), bars, source="made up")
    engine.dispose()
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url_of(tmp_path / "hot.db"))
    exec(compile(example, "backtests.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["ema_fast", "ema_slow", "rr_ratio"]
    assert len(lines) == 4


@pytest.mark.unmeasured
def test_the_script_of_the_page_on_the_local_exchange_looks_at_one_with_a_time_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [script] = blocks(cli.ROOT / "docs" / "local-exchange.md", "python")
    account = AccountConfig(balances={"USDT": Decimal(10_000), "BTC": Decimal(1)})
    names: dict[str, Any] = {}
    with serve(SimConfig(account=account, clock=lambda: NOON)) as sim:
        monkeypatch.setenv("EXCHANGE_BASE_URL", sim.url)
        exec(compile(script, "local-exchange.md", "exec"), names)
        names["exchange"].create_order("BTC/USDT", "limit", "sell", 0.5, 90_000)
        capsys.readouterr()
        exec(compile(script, "local-exchange.md", "exec"), {})
    there, order = capsys.readouterr().out.splitlines()
    assert there.startswith("there: {'BTC': 1.0, ")
    assert re.fullmatch(r"open: \d+ sell 0.5 at 90000.0", order)
