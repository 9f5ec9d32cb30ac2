"""What every script does: exit codes, one line per error, quiet pipes, `--help` without heavy imports."""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core import cli
from core.errors import (
    DatabaseError,
    ExchangeError,
    HotCryptoError,
    NoDataError,
    OrderRefusedError,
    SettingsError,
    UsageError,
)
from core.settings.models import env_names
from scripts import run_exchange_sim
from tests.tiers import some, statistics

SCRIPTS = sorted(
    path for path in (cli.ROOT / "scripts").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
)
HEAVY = {
    "aiohttp", "backtesting", "bokeh", "ccxt", "numpy", "pandas", "pyarrow", "pydantic", "requests", "rich",
    "sqlalchemy", "talib", "yaml",
}  # fmt: skip


def run_child(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cli.ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HotCryptoError, 1),
        (NoDataError, 1),
        (OrderRefusedError, 1),
        (UsageError, 2),
        (SettingsError, 2),
        (DatabaseError, 3),
        (ExchangeError, 3),
    ],
)
def test_an_error_is_one_line_on_stderr_and_its_exit_code(
    capsys: pytest.CaptureFixture[str], error: type[HotCryptoError], code: int
) -> None:
    def main() -> int:
        raise error("wanted this, got that: do so")

    with pytest.raises(SystemExit) as left:
        cli.run(main)
    assert left.value.code == code
    assert capsys.readouterr() == ("", "error: wanted this, got that: do so\n")


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1)])
def test_what_main_returns_is_the_exit_code(returned: int | None, code: int) -> None:
    with pytest.raises(SystemExit) as left:
        cli.run(lambda: returned)
    assert left.value.code == code


def test_an_interrupt_is_130_and_says_that_work_is_saved(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        cli.run(main)
    assert left.value.code == cli.INTERRUPTED == 130
    assert capsys.readouterr().err == "interrupted: what was finished is saved\n"


def test_a_mistake_in_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 // 0)


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_has_enough_is_no_error(lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Unbuffered output would hide what is left over for the interpreter to flush at its end.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = f"import sys; from core import cli; cli.run(lambda: sys.stdin.read() and print('x\\n' * {lines}))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=cli.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        child.stdin.write(b"the reader is gone")
        child.stdin.close()
        assert child.stderr.read() == b""
        assert child.wait() == 0


def test_a_reader_that_has_enough_of_a_table_is_no_error() -> None:
    code = (
        "import sys; from core import cli; from core.reports.table import print_table\n"
        "cli.run(lambda: sys.stdin.read() and print_table(['n'], [['1']] * 10_000))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=cli.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.communicate(b"the reader is gone")[1] == b""
        assert child.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_output_that_finds_no_room_is_said_in_one_line() -> None:
    code = "from core import cli; cli.run(lambda: print('x' * 100_000))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=cli.ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: No space left on device\n"


def test_another_error_of_the_system_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError):
        cli.run(lambda: Path("/no/such/file").stat().st_size)


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    code = (
        f"import sys; sys.{closed} = None\n"
        "from core import cli; from core.reports.table import print_table\n"
        "def main():\n"
        "    with cli.progress('working', 1) as advance: advance()\n"
        "    print_table(['n'], [['1']])\n"
        "cli.run(main)"
    )
    done = run_child(code)
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_parser_shows_examples_and_takes_no_abbreviations(capsys: pytest.CaptureFixture[str]) -> None:
    parser = cli.parser("Do a thing.", "  scripts/thing.py --symbol BTC/USDT")
    parser.add_argument("--symbol")
    assert "examples:\n  scripts/thing.py --symbol BTC/USDT" in parser.format_help()
    with pytest.raises(SystemExit) as left:
        parser.parse_args(["--sym", "x"])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("--symbl=BTC/USDT", " (did you mean --symbol?)"), ("--colour", ""), ("BTC/USDT", "")],
)
def test_a_misspelt_option_is_named_with_the_nearest_one(
    typed: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = cli.parser("Do a thing.", "  scripts/thing.py --symbol BTC/USDT")
    parser.add_argument("--symbol")
    with pytest.raises(SystemExit):
        parser.parse_args([typed])
    assert f"error: unrecognized arguments: {typed}{hint}; see" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "x", "1e3"])
def test_a_count_is_a_whole_number_from_1(text: str) -> None:
    assert cli.positive("12") == 12
    with pytest.raises(argparse.ArgumentTypeError, match="wanted a whole number from 1"):
        cli.positive(text)


@pytest.mark.parametrize(
    "text", ["99999999999999999999", "9" * 4000, "9223372036854775808", "2147483648", "1_0", "٣", " 1", "+1"]
)
def test_a_count_has_an_end_and_plain_digits(text: str) -> None:
    assert cli.positive("2147483647") == 2**31 - 1
    assert cli.processes("1024") == 1024
    for count in (cli.positive, cli.processes):
        with pytest.raises(argparse.ArgumentTypeError, match="wanted a whole number from 1 to"):
            count(text)
    with pytest.raises(argparse.ArgumentTypeError, match="wanted a whole number from 1 to 1024"):
        cli.processes("1025")


@pytest.mark.parametrize("text", ["nan", "inf", "", "1_0", "٣", "x", "0x1", " 1"])
def test_a_number_is_written_as_people_do(text: str) -> None:
    assert [cli.number(one) for one in ("0.5", "1e6", ".5", "-1", "2.")] == [0.5, 1e6, 0.5, -1.0, 2.0]
    with pytest.raises(argparse.ArgumentTypeError, match="wanted a number such as 10000"):
        cli.number(text)


@pytest.mark.parametrize("text", ["", "../x", "a/b", "x" * 65, "a b", "a\nb", "é"])
def test_an_account_is_part_of_file_names(text: str) -> None:
    assert cli.account("paper-1.test_2") == "paper-1.test_2"
    with pytest.raises(argparse.ArgumentTypeError, match="wanted 1 to 64 letters"):
        cli.account(text)


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (["--name", ""], "argument --name: wanted a value, got an empty one"),
        (["--name="], "argument --name: wanted a value, got an empty one"),
        (["--name", "  "], "argument --name: wanted a value, got an empty one"),
        (["--symbol", "BTC/USDT", "--symbol", ","], "argument --symbol: wanted a value, got an empty one"),
        ([""], "argument words: wanted a value, got an empty one"),
        (["--name", "a\0b"], "wanted text without control characters, got 'a\\x00b'"),
        (["--name", "a\nb"], "wanted text without control characters"),
        (["--name", "\udcff"], "wanted text without control characters"),
        (["--name", "x" * 5000], "wanted at most 4096 characters, got 5000: xxx"),
    ],
)
def test_an_empty_or_unreadable_value_is_wrong_usage_in_one_line(
    typed: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = cli.parser("Do a thing.", "  thing.py")
    parser.add_argument("--name")
    parser.add_argument("--symbol", action="append", default=[])
    parser.add_argument("words", nargs="*")
    with pytest.raises(SystemExit) as left:
        parser.parse_args(typed)
    assert left.value.code == 2
    assert f"error: {why}" in capsys.readouterr().err.splitlines()[-1]
    kept = parser.parse_args(["--name", ",", "--symbol", "A/B,", "x"])
    assert (kept.name, kept.symbol, kept.words) == (",", ["A/B,"], ["x"])


def test_a_start_comes_before_the_end() -> None:
    dates = argparse.Namespace(start="2024-01-01", end="2024-01-02")
    assert cli.span(dates) == (1_704_067_200_000, 1_704_153_600_000)
    assert cli.span(argparse.Namespace(start=None, end=None)) == (None, None)
    with pytest.raises(UsageError, match="--start must come before --end"):
        cli.span(argparse.Namespace(start="2024-01-02", end="2024-01-02"))


@pytest.mark.parametrize("text", ["-0.001", "0.06", "nan", "inf", "", "x"])
def test_a_rate_is_a_share_of_at_most_five_percent(text: str) -> None:
    assert (cli.rate("0"), cli.rate("0.001"), cli.rate("0.05")) == (0.0, 0.001, 0.05)
    with pytest.raises(argparse.ArgumentTypeError, match=r"wanted a rate from 0 to 0\.05"):
        cli.rate(text)


def test_an_exchange_and_a_symbol_are_taken_in_any_case() -> None:
    assert cli.exchange_label("BinanceUS-synthetic") == "binanceus-synthetic"
    assert cli.symbol("btc/usdt") == "BTC/USDT"


@pytest.mark.parametrize("text", ["", "binance us", "a/b"])
def test_an_exchange_is_one_word(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="wanted an exchange such as binance"):
        cli.exchange_label(text)


@pytest.mark.parametrize("text", ["", "BTCUSDT", "BTC/", "BTC/USDT/X", "BTC/USDT' OR 1=1"])
def test_a_symbol_is_base_and_quote(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="wanted a symbol such as BTC/USDT"):
        cli.symbol(text)


def test_a_users_file_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    cli.check_free(str(path), force=False)
    path.write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.json exists and is left as it is"):
        cli.check_free(str(path), force=False)
    cli.check_free("-", None, force=False)


@pytest.mark.parametrize("twice", [("-", "-"), ("a.json", "b.csv", "./a.json")])
def test_two_outputs_to_one_place_are_refused_even_when_forced(twice: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="two outputs go to"):
        cli.check_free(*twice, force=True)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        cli.check_free(str(pipe), force=False)
        cli.write_output(str(pipe), "{}\n")
        assert os.read(reader, 100) == b"{}\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "out.json")
    cli.write_output(str(tmp_path / "link.json"), "new")
    assert (tmp_path / "out.json").read_text() == "new"
    assert (tmp_path / "link.json").is_symlink()


def test_output_goes_to_a_file_whole_or_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "out.json"
    cli.write_output(str(path), "{}\n")
    assert path.read_text() == "{}\n"
    assert [found.name for found in path.parent.iterdir()] == ["out.json"]
    assert capsys.readouterr() == ("", f"written: {path}\n")
    cli.write_output("-", "{}\n")
    assert capsys.readouterr() == ("{}\n", "")


def test_output_that_cannot_be_written_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        cli.write_output(str(tmp_path / "file" / "out.json"), "{}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        cli.write_output(str(tmp_path / "folder"), "{}")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["file", "folder"]


def test_progress_is_silent_when_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with cli.progress("working", total=3) as advance:
        advance()
        advance(2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.unmeasured
def test_the_settings_are_the_roots_files_under_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(cli.ROOT / "config", tmp_path / "config")
    (tmp_path / ".env").write_text("HOT_CRYPTO_EXCHANGE_NAME=kraken\nHOT_CRYPTO_DB_URL=sqlite:///mine.db\n")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    for name in env_names():
        monkeypatch.delenv(name, raising=False)
    settings = cli.load_settings({"db.url": "sqlite:///elsewhere.db", "exchange.name": None})
    assert settings.db.url == "sqlite:///elsewhere.db"
    assert settings.exchange.name == "kraken"
    assert cli.load_settings().db.url == "sqlite:///mine.db"
    with pytest.raises(SettingsError, match=r"^--cash: backtest.default_cash: -5"):
        cli.load_settings({"backtest.default_cash": -5})


@pytest.mark.unmeasured
def test_a_percentage_that_looks_like_a_fraction_is_said_where_the_settings_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(cli.ROOT / "config", tmp_path / "config")
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setenv("HOT_CRYPTO_RISK_MAX_DAILY_LOSS_PCT", "0.3")
    cli.load_settings()
    said = "risk.max_daily_loss_pct is in percent: 0.3 is taken as 0.3 %; if 30 % is meant, write 30"
    assert capsys.readouterr() == ("", f"note: {said}\n")


def test_a_message_names_options_as_python_or_as_a_command_line_does() -> None:
    message = "take kraken-replay's with exchange='kraken-replay', or give timeframe='1h'"
    assert (
        cli.as_typed(message) == "take kraken-replay's with --exchange kraken-replay, or give --timeframe 1h"
    )
    assert cli.as_typed("with db_url='sqlite:///PATH' or") == "with --db-url sqlite:///PATH or"
    assert cli.as_typed("the close='1' is none") == "the close='1' is none"


@pytest.mark.parametrize("script", sorted((cli.ROOT / "scripts").glob("*.py")), ids=lambda path: path.stem)
def test_a_script_is_what_a_person_types_and_computes_nothing(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    named = {one.name for one in ast.parse(text).body if isinstance(one, ast.FunctionDef | ast.ClassDef)}
    assert {name for name in named if not name.startswith("_")} <= {"main", "parse"}


@statistics
@pytest.mark.parametrize("script", some(SCRIPTS, 8), ids=lambda path: path.stem)
def test_help_has_an_example_and_imports_nothing_heavy(script: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{str(script)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit as left:\n"
        f"    print('heavy', left.code, sorted({HEAVY} & set(sys.modules)))\n"
    )
    done = run_child(code)
    assert done.stderr == ""
    assert "examples:" in done.stdout
    assert done.stdout.splitlines()[-1] == "heavy 0 []"


@statistics
@pytest.mark.parametrize("script", some(SCRIPTS, 4), ids=lambda path: path.stem)
def test_an_unknown_flag_is_wrong_usage_without_a_traceback(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script), "--no-such-flag"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"; see {script.name} --help")


def test_an_interrupt_that_a_destructor_swallows_is_delivered_again() -> None:
    program = """
import threading
from core import cli
from scripts import run_exchange_sim

class Swallows:
    def __del__(self):
        raise KeyboardInterrupt

def main():
    Swallows()
    threading.Event().wait(60)

cli.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cli.ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 130
    assert done.stderr.splitlines() == ["interrupted: what was finished is saved"]


def test_other_errors_of_destructors_are_shown_as_python_shows_them() -> None:
    program = """
from core import cli
from scripts import run_exchange_sim

class Fails:
    def __del__(self):
        raise ValueError("the file was closed already")

cli.run(lambda: Fails() and 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cli.ROOT, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0
    assert "the file was closed already" in done.stderr


def test_the_local_exchange_is_at_port_8090_in_every_text_that_a_user_reads() -> None:
    """8080 is the live page's."""
    folders = (cli.ROOT / name for name in ("config", "core", "scripts", "docs"))
    files = [
        path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".md", ".yaml"}
    ]
    files += [cli.ROOT / "README.md", cli.ROOT / ".env.example"]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if ":8080" in line and "exchange" in line.lower()] == []
    assert run_exchange_sim.parse([]).port == 8090
