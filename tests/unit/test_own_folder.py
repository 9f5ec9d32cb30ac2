"""A folder of one's own: what its files hold is known without running them, and one never breaks another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import UsageError
from core.version import code_version
from strategies.folder import PACKAGE, place_of, read_folder
from strategies.registry import REGISTRY, canonical_name, file_of, known, load_strategy, use_folder
from tests.own_files import ON_BAR, RULE, written


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Know no folder after a test."""
    yield
    use_folder(None)
    assert not [name for name in sys.modules if name.partition(".")[0] == PACKAGE]


def problems(folder: Path) -> dict[str, str]:
    return {file.key: file.problem.removeprefix(str(folder)) for file in read_folder(str(folder), REGISTRY)}


def test_a_file_with_a_rule_is_a_strategy_whose_classes_are_made(tmp_path: Path) -> None:
    folder = written(tmp_path, {"cross.py": RULE, "mine.py": ON_BAR})
    assert use_folder(str(folder)) == ()
    assert list(known()) == [*REGISTRY, "MY_CROSS", "MINE"]
    assert canonical_name("my_cross") == canonical_name("cross") == "MY_CROSS"
    cross, mine = load_strategy("MY_CROSS"), load_strategy("MINE")
    assert (cross.backtest.__name__, cross.live.__name__) == ("CrossBacktest", "CrossLive")
    assert cross.backtest.rule is cross.live.rule is cross.rule
    assert load_strategy("MY_CROSS").backtest is cross.backtest
    assert (mine.backtest, mine.runner, mine.rule.defaults["length"]) == (None, mine.live, 10)
    assert cross.modules == ("user_strategies.cross",)
    assert file_of("MINE") == str(folder / "mine.py")
    assert file_of("TREND_EMA") == "trend_ema.py"


def test_classes_that_the_file_has_are_its_own(tmp_path: Path) -> None:
    own = "\nfrom strategies.base import BaseStrategy\nclass SlowLive(BaseStrategy):\n    rule = RULE\n"
    use_folder(str(written(tmp_path, {"cross.py": RULE + own})))
    assert load_strategy("MY_CROSS").live.__name__ == "SlowLive"


def test_nothing_is_run_before_it_is_asked_for(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = f"open({str(mark)!r}, 'w').close()\n" + RULE
    use_folder(str(written(tmp_path / "own", {"cross.py": text, "mine.py": ON_BAR})))
    load_strategy("MINE")
    load_strategy("TREND_EMA")
    assert not mark.exists()
    load_strategy("MY_CROSS")
    assert mark.exists()


def test_a_file_that_is_no_strategy_says_why_with_its_line_and_the_others_go_on(tmp_path: Path) -> None:
    second = "\nclass Other(BaseStrategy):\n    def on_bar(self, symbol, candle): ...\n"
    folder = written(
        tmp_path,
        {
            "good.py": RULE,
            "broken.py": "x = 1\ndef f(:\n",
            "helper.py": "def twice(x):\n    return 2 * x\n",
            "taken.py": RULE.replace("MY_CROSS", "TREND_EMA"),
            "trend_ema.py": RULE.replace("MY_CROSS", "OTHER"),
            "nameless.py": RULE.replace('"MY_CROSS"', "'MY' + 'CROSS'"),
            "small.py": RULE.replace("MY_CROSS", "My Cross"),
            "two.py": ON_BAR + second,
            "my-file.py": RULE,
            "null.py": "x = '\0'",
            "_draft.py": "def f(:",
        },
    )
    said = problems(folder)
    assert said["good"] == ""
    assert said["broken"] == "/broken.py:2: invalid syntax: mend it"
    assert said["helper"].startswith(
        "/helper.py:1: has no RULE and no class with an on_bar: end it with RULE"
    )
    assert said["taken"] == (
        "/taken.py: TREND_EMA is the project's strategies/trend_ema.py: give it another name"
    )
    assert said["trend_ema"] == "/trend_ema.py: strategies/trend_ema.py is the project's: rename the file"
    assert said["nameless"].startswith("/nameless.py:34: its RULE has no plain name: write RULE = Strat")
    assert said["small"].startswith("/small.py:34: the name 'My Cross': wanted capital letters, digits and _")
    assert said["two"].startswith("/two.py:18: Other is a second class with an on_bar")
    assert said["my-file"].startswith("/my-file.py: a file's name is to be letters, digits and _")
    assert said["null"].startswith("/null.py:1: ")
    assert "_draft" not in said
    # All but the helper are told of at once; each is refused, by its file's name too, when it is asked for.
    assert len(use_folder(str(folder))) == len(said) - 2
    assert load_strategy("MY_CROSS").rule.name == "MY_CROSS"
    assert load_strategy("TREND_EMA").rule.name == "TREND_EMA"
    for name in ("broken", "HELPER", "taken", "my-file"):
        with pytest.raises(UsageError) as error:
            load_strategy(name)
        assert str(error.value).endswith(said[name.lower()])


def test_two_files_of_one_name_are_both_refused(tmp_path: Path) -> None:
    use_folder(str(written(tmp_path, {"one.py": RULE, "two.py": RULE})))
    with pytest.raises(UsageError, match=r"one.py: two.py is named MY_CROSS too: give one of them another"):
        load_strategy("MY_CROSS")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nope\n" + RULE, ":1: ModuleNotFoundError: No module named 'nope': mend it"),
        (
            RULE.replace("longest=lambda p: p.ema_slow", "longest=1 / 0"),
            ":35: ZeroDivisionError: division by",
        ),
        ("raise SystemExit\n" + RULE, ":1: SystemExit: mend it"),
        ("import user_strategies.other\n" + RULE, "other.py:2: SyntaxError: "),
        (
            RULE.replace("atr_period: int = 5", "atr_time: int = 5"),
            ": MY_CROSS: parameter atr_time: has no bou",
        ),
        (RULE.replace("if held.side == 0", "if sum(held) == 0"), ": MY_CROSS: decide, line 29: calls sum"),
        (ON_BAR.replace("(BaseStrategy)", ""), "MINE: its class with an on_bar is no BaseStrategy: write"),
        (ON_BAR.replace("int = 10", "int = None"), "MINE: parameter length: its default is None: give it a"),
    ],
)
def test_what_shows_only_when_it_runs_is_one_line_too(tmp_path: Path, text: str, said: str) -> None:
    use_folder(str(written(tmp_path, {"mine.py": text, "other.py": "x = 1\nx = (\n"})))
    with pytest.raises(UsageError) as error:
        load_strategy("mine")
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.unmeasured
def test_files_may_import_each_other_and_count_for_the_hash_of_the_code(tmp_path: Path) -> None:
    text = RULE.replace(
        "from strategies.indicators import atr, ema", "from user_strategies.lines import atr, ema"
    )
    files = {"cross.py": text, "lines.py": "from strategies.indicators import atr, ema\n", "other.py": ON_BAR}
    hashes = []
    for folder, lines in (("a", ""), ("b", ""), ("c", "# changed\n")):
        use_folder(str(written(tmp_path / folder, files | {"lines.py": files["lines.py"] + lines})))
        hashes.append(code_version(load_strategy("MY_CROSS").modules))
    # The same files in another folder are the same code; a line in what is imported changes it.
    assert hashes[0] == hashes[1] != hashes[2]
    written(tmp_path / "c", {"other.py": ON_BAR + "# changed\n"})
    assert code_version(load_strategy("MY_CROSS").modules) == hashes[2]


def test_another_folder_is_another_package(tmp_path: Path) -> None:
    for folder, period in (("a", 15), ("b", 21)):
        text = RULE.replace("ema_slow: int = 15", f"ema_slow: int = {period}")
        use_folder(str(written(tmp_path / folder, {"cross.py": text})))
        assert load_strategy("MY_CROSS").rule.defaults["ema_slow"] == period


def test_the_folder_is_the_named_one_or_the_project_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place_of(None, tmp_path) is None
    (tmp_path / "user_strategies").mkdir()
    monkeypatch.chdir(tmp_path)
    assert place_of(None, tmp_path) == "user_strategies"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert place_of("~/mine", tmp_path) == "me/mine"
    with pytest.raises(UsageError, match="nowhere: there is no such folder: wanted one with a file for each"):
        use_folder("nowhere")
