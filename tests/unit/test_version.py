"""A run's code hash covers what made its numbers, and nothing else."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from core import version
from core.version import KIND, ROOT, code_version, same_code, sources
from strategies.registry import REGISTRY, load_strategy
from tests.tiers import some, statistics

ENGINES = ("core.backtester", "core.backtest.fast_backtester")


def modules_of(name: str, engine: str = ENGINES[0]) -> tuple[str, ...]:
    return engine, *load_strategy(name).modules


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources that may be changed, one for all tests: what they are made of is kept."""
    root = tmp_path_factory.mktemp("copy")
    for package in ("core", "strategies", "db"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def hashes(root: Path) -> dict[str, str]:
    """Return each strategy's hash with the plain engine."""
    version._covered.cache_clear()
    return {name: code_version(modules_of(name), root) for name in REGISTRY}


@pytest.fixture(scope="module")
def before(copy: Path) -> dict[str, str]:
    return hashes(copy)


def changed(root: Path, file: str, before: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the strategies whose hash another line in this file changes."""
    path = root / file
    text, known, anew = path.read_text(), version._source, cache(version._source.__wrapped__)
    path.write_text(text + "# one more line\n")
    # All other files are as they were, and are not read again.
    monkeypatch.setattr(version, "_source", lambda one, name: (anew if one == path else known)(one, name))
    found = hashes(root)
    path.write_text(text)
    return {name for name in REGISTRY if found[name] != before[name]}


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("file", "of"),
    some(
        [
            ("core/ensemble/members.py", {"ENSEMBLE"}),
            ("core/kernel/loop.py", {"ENSEMBLE"}),
            ("strategies/momentum.py", {"MOMENTUM"}),
            ("strategies/indicators_momentum.py", {"MOMENTUM"}),
            ("strategies/turtle.py", {"TURTLE", "ENSEMBLE"}),
            ("core/fills.py", set(REGISTRY)),
            ("core/regime/regime_detector.py", set(REGISTRY)),
            ("strategies/__init__.py", set(REGISTRY)),
            ("core/live/loop.py", set()),
            ("core/exchange_client.py", set()),
            ("strategies/registry.py", set()),
            ("db/models.py", set()),
            ("core/errors.py", set()),
        ],
        5,
    ),
)
def test_another_line_changes_the_runs_that_it_had_a_part_in(
    copy: Path, before: dict[str, str], file: str, of: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changed(copy, file, before, monkeypatch) == of


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_and_its_libraries_are_covered(engine: str) -> None:
    covered = set(sources(modules_of("TREND_EMA", engine)))
    assert {engine, "core.sizing", "core.domain", "strategies.trend_ema", "strategies.indicators"} <= covered
    assert ("core.kernel.loop" in covered) == (engine == ENGINES[1])
    assert "strategies.pairs" not in covered


def test_another_library_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version(modules_of("TREND_EMA"))
    monkeypatch.setattr(version, "_version", lambda name: "99" if name == "talib" else "1")
    version._covered.cache_clear()
    other = code_version(modules_of("TREND_EMA"))
    version._covered.cache_clear()
    assert before != other


def test_a_library_is_found_whatever_it_is_called() -> None:
    assert version._version("talib")[0].isdigit()
    assert version._version("numpy")[0].isdigit()
    assert version._version("no_such_library") == "not installed"


def test_imports_in_functions_and_relative_ones_count_and_those_for_types_do_not(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("from . import four\n")
    (package / "one.py").write_text(
        "from typing import TYPE_CHECKING\nfrom .two import x\n"
        "if TYPE_CHECKING:\n    import mine.types\nelse:\n    import mine.five\n"
        "def f():\n    import mine.three\n"
    )
    for name in ("two", "three", "four", "five", "types", "stranger"):
        (package / f"{name}.py").write_text("")
    assert set(sources(["mine.one"], tmp_path)) == {
        *("mine", "mine.one", "mine.two", "mine.three", "mine.four", "mine.five")
    }


def test_only_hashes_of_one_kind_are_compared() -> None:
    new = code_version(modules_of("TREND_EMA"))
    assert new.startswith(KIND)
    assert same_code(new, new) is True
    assert same_code(new, f"{KIND}0123456789ab") is False
    for old in (None, "0.1.0+0123456789ab"):
        assert same_code(new, old) is None
        assert same_code(old, new) is None
