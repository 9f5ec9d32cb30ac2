"""Command lines and settings that nobody meant: a sample of what `make fuzz` tries."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

from core import cli
from tests.command_sandbox import Call, Sandbox, is_one_line, make_template
from tests.fuzz_commands import BASES, calls_of, fuzz_calls, fuzz_settings, options_of, pairs, scripts
from tests.tiers import some, statistics, tries

pytestmark = pytest.mark.unmeasured

SEED = 3


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    folder = tmp_path_factory.mktemp("commands")
    return Sandbox(make_template(folder / "template"), folder / "work")


@statistics
@pytest.mark.parametrize("script", some(scripts(), 10))
def test_no_value_of_any_option_is_worse_than_refused(script: str, sandbox: Sandbox) -> None:
    calls = [*calls_of(script), *pairs(script, 100, SEED)]
    few = Random(script).sample(calls, min(len(calls), tries(300, 12)))
    assert fuzz_calls(sandbox, few).wrong == []


@statistics
@pytest.mark.parametrize("script", some(scripts(), 10))
def test_an_empty_value_is_never_taken_for_none(script: str, sandbox: Sandbox) -> None:
    base = BASES.get(script, ((),))[0]
    options = [option for option in options_of(script) if option.takes_value and option.flag]
    calls = [Call(script, (*base, option.flag, ""), is_blank=True) for option in options]
    tally = fuzz_calls(sandbox, calls)
    assert tally.wrong == []
    assert set(tally.codes) <= {2}


def test_no_settings_are_worse_than_refused(sandbox: Sandbox) -> None:
    assert fuzz_settings(sandbox, tries(600, 36), SEED).wrong == []


def test_the_sandbox_notices_what_it_is_for(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def problems(main: object, *argv: str, is_blank: bool = False) -> str:
        monkeypatch.setattr("scripts.show_runs.main", main)
        return "; ".join(sandbox.call(Call("scripts.show_runs", argv, is_blank)).problems)

    def writes(_: list[str]) -> int:
        Path("x.json.part").write_text("half")
        Path("keep.json").write_text("not mine")
        return 2

    assert "ended with 'ZeroDivisionError" in problems(lambda _: 1 // 0)
    assert "ended with 7" in problems(lambda _: 7)
    assert "failed without a word" in problems(lambda _: 1)
    assert "took an empty value" in problems(lambda _: 0, is_blank=True)
    told = problems(writes)
    for what in ("left half-written", "wrote ['x.json.part']", "changed ['keep.json']", "not one line"):
        assert what in told
    assert problems(lambda _: sys.stdout.write("canary-secret") and 0) == "showed a secret"
    assert (sandbox.folder / "keep.json").read_text() == "mine\n"


def test_a_replay_at_the_market_s_own_pace_takes_no_years_in_the_sandbox(sandbox: Sandbox) -> None:
    words = ("--replay", "--strategy", "SMA_CROSS", "--symbol", "BTC/USDT", "--timeframe", "4h")
    assert sandbox.call(Call("scripts.run_live", (*words, "--speed", "1"))).code == 0


@pytest.mark.parametrize("name", ["keep.json", "link.json", "config/settings.yaml", "/dev/full"])
def test_a_log_is_added_to_nothing_else_and_a_full_disk_is_no_end(sandbox: Sandbox, name: str) -> None:
    words = ("--strategy", "SMA_CROSS", "--symbol", "BTC/USDT", "--account", "new", "--once")
    outcome = sandbox.call(Call("scripts.run_live", (*words, f"--log-file={name}")))
    assert outcome.problems == ()
    assert outcome.code == (3 if name == "/dev/full" else 2)


@pytest.mark.parametrize("script", ["backup_database --restore", "show_ensemble --strategies-dir"])
def test_a_name_that_no_file_can_have_is_none_of_a_file_that_is_there(sandbox: Sandbox, script: str) -> None:
    name, option = script.split()
    outcome = sandbox.call(Call(f"scripts.{name}", (f"{option}={'x' * 300}",)))
    assert outcome.problems == ()
    assert "there is no" in outcome.err


@pytest.mark.parametrize("name", ["9" * 4000, "a\0b", "main.db", "candles.csv"])
def test_a_log_that_is_none_explains_nothing_and_breaks_nothing(sandbox: Sandbox, name: str) -> None:
    (sandbox.folder / "candles.csv").write_bytes(b"\xf1 ended: no")
    call = Call("scripts.run_live", ("--status", "--replay", f"--log-file={name}"))
    assert sandbox._log_of(call) == ({"candles.csv", "."} if name == "candles.csv" else set())
    sandbox.reset()


def test_the_sandbox_notices_requests(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    def asks(_: list[str]) -> int:
        with pytest.raises(requests.ConnectionError):
            requests.get("http://exchange.example/x?signature=1", timeout=1)
        return 0

    monkeypatch.setattr("scripts.show_runs.main", asks)
    found = sandbox.call(Call("scripts.show_runs", ())).problems
    assert found == (
        "signed a request to exchange.example",
        "asked exchange.example, which nobody named",
    )


@pytest.mark.parametrize(
    ("err", "is_one"),
    [
        ("error: this\n", True),
        ("note: first\nerror: this\n", True),
        ("usage: x\n       [-h]\nx: error: this\n", False),
        ("error: 2 problems in the settings:\n  one\n  two\n", True),
        ("error: this\nand that\n", False),
        ("error: this\n  and that\n", False),
        ("Traceback (most recent call last):\nerror: this\n", False),
        ("", False),
    ],
)
def test_an_error_is_one_line(err: str, *, is_one: bool) -> None:
    assert is_one_line(err) is is_one


def test_every_program_of_the_folder_is_tried() -> None:
    files = {path.stem for path in (cli.ROOT / "scripts").glob("*.py")}
    tried = {script.removeprefix("scripts.") for script in scripts()} - {"db.init_db"}
    assert tried <= files
    assert {"run_backtest", "run_live", "archive_account", "show_trades"} <= tried
    assert set(BASES) <= set(scripts())
