"""Every option of every script with values that nobody meant, and settings that nobody wrote.

`make fuzz` tries all of them, `make test` some.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

from core.settings.models import env_names
from tests.command_sandbox import Call, Outcome, Sandbox, make_template

HANGS = 1800
"""Seconds after which a call is a hang, and the whole run ends with where it is: a busy machine takes minutes
to compile all rules."""
HANGING = "hanging"
"""The file that names the call at hand, and where it is when it hangs."""
PART = 100
"""Calls that a process takes at once."""
BLANK = ("", " ", ",", " , ,")
PLAIN = """
0 -1 1 2 1.5 -0.0 1e-308 1e308 1e400 nan inf -inf 1_000 ٣ 0x10 true null max 1024 2147483647 2147483648
99999999999 9223372036854775807 9223372036854775808 99999999999999999999
- -- new.json ./new.json new/deep/out.json keep.json link.json folder folder/ loop loop/x main.db candles.csv
config/settings.yaml ../escape ../../escape/x /etc/passwd /etc/passwd/y /dev/null /dev/zero /dev/full ~/x
~nobody/x . .. /
é ＢＴＣ/USDT %s%n{0}%d <script>alert(1)</script> $(touch) `id` ../x a/b a=b a=b=c = =5 none paper
other PAPER BTC/USDT btc-usdt BTCUSDT BTC/USDT:USDT BTC/USDT,ETH/USDT XBT/USD // BTC/ SMA_CROSS sma_cross
ENSEMBLE NOPE fast=nan fast=1e400 fast=5 fast=-1 ema_fast=1 binance kraken nope binanceus-synthetic 5M 1m 4H
1w 7d UTC Nowhere/Land daily_loss drawdown ENSEMBLE.turtle_weight=nan ENSEMBLE.turtle_weight=0.5 keep flatten
status:status=99999 delay:seconds=nan nix 0.5 delay:times=0 BTC=nan BTC=1 BTC=1e5
2024-01-31 2024-01-31T12:00 2024-13-45 9999-12-31 0001-01-01 1969-12-31 now 0001-01-01T00:00+14:00
9999-12-31T23:59-14:00 1700000000000 9999999999999 2024-W05 12:00
sqlite:// sqlite:/// sqlite:///:memory: sqlite:///%00x sqlite:///loop sqlite:///folder sqlite:///keep.json
sqlite:////dev/zero sqlite:////etc/passwd/y sqlite:///~nobody/x sqlite:///pipe.csv sqlite:///new/made.db
sqlite:///main.db?mode=rwc sqlite:///main.db?timeout=99999999 sqlite:///main.db?mode=ro mysql://x
postgresql://u:url-password@127.0.0.1:1/x sqlite+aiosqlite:///x sqlite:/x :// http://127.0.0.1:1
http://127.0.0.1:99999 http://u:url-password@127.0.0.1:1 file:///etc/passwd https://exchange.example http://
http://[::1 http://127.0.0.1:1/path?x=1
"""
"""Numbers, paths, names, times and addresses."""
UNTYPABLE = ("a\0b", "sqlite:///a\0b", "a\nb", "a\rb", "\x1b[31m", "\u2028", "\udcff")
LONG = ("9" * 4000, "x" * 255, "x" * 300, "x" * 100_000, f"new/{'y' * 300}/z", f"sqlite:///{'x' * 300}")
SPACED = ("a b", "=cmd|' /C calc'!A0", "'; DROP TABLE candles; --")
VALUES = (*BLANK, *PLAIN.split(), *UNTYPABLE, *LONG, *SPACED, "pipe.csv")
STREAMED = frozenset(("json", "csv", "trades", "report", "out", "log_file"))
"""Outputs, which may go to a pipe and would wait there for a reader."""
STORED = ("--use-sql", "--symbol", "BTC/USDT", "--timeframe", "4h")
BASES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "scripts.run_backtest": (
        ("--strategy", "SMA_CROSS", *STORED, "--engine", "fast"),
        ("--list",),
        ("--verify", "--strategy", "SMA_CROSS", *STORED),
    ),
    "scripts.run_live": (
        ("--strategy", "SMA_CROSS", *STORED, "--once", "--account", "new"),
        ("--replay", "--strategy", "SMA_CROSS", "--symbol", "BTC/USDT", "--timeframe", "4h"),
        ("--status",),
        (
            "--strategy",
            "SMA_CROSS",
            "--symbol",
            "BTC/USDT",
            "--account",
            "new",
            "--orders",
            "exchange",
            "--once",
        ),
    ),
    "scripts.run_paper": (("--status",),),
    "scripts.show_ensemble": (STORED,),
    "scripts.show_regime": (STORED,),
    "scripts.optimize": (
        ("--strategy", "SMA_CROSS", "--trials", "3", *STORED),
        ("--list",),
        ("--resume", "SMA_CROSS-1"),
    ),
    "scripts.run_sweep": (("--strategy", "SMA_CROSS", "--param", "sma_fast=5,10", *STORED),),
    "scripts.import_ohlcv_to_db": (
        ("candles.csv", "--exchange", "binance", "--symbol", "BTC/USDT", "--timeframe", "4h"),
    ),
    "scripts.fetch_ohlcv_to_db": (("--symbol", "BTC/USDT"),),
    "scripts.archive_account": (("--account", "paper"),),
    "scripts.run_exchange_sim": ((), ("--start-at", "2024-01-31"), ("--source", "db")),
    "scripts.show_runs": ((), ("1",)),
    "scripts.show_trials": ((), ("--search", "SMA_CROSS-1")),
    "scripts.demo": (("--folder", "demo"),),
    "scripts.make_docs": (("--folder", "docs", "--no-charts"),),
}
"""What each script can do; an option is added to all of it. Others are called with nothing else."""


class Option(NamedTuple):
    """One option of a script, or what stands without one."""

    flag: str
    """Empty for what stands without one."""
    dest: str
    takes_value: bool
    is_list: bool


def scripts() -> list[str]:
    """Return the modules of all programs that a person runs."""
    files = sorted((Path(__file__).parents[1] / "scripts").glob("*.py"))
    programs = [path for path in files if "__main__" in path.read_text("utf-8") and path.name != "cli.py"]
    return [*(f"scripts.{path.stem}" for path in programs), "db.init_db"]


def options_of(script: str) -> list[Option]:
    """Return a script's options, from the parser that it builds."""
    parsers: list[argparse.ArgumentParser] = []

    def note(parser: argparse.ArgumentParser, _: object = None) -> None:
        parsers.append(parser)

    main = import_module(script).main
    with patch.object(argparse.ArgumentParser, "print_help", note), suppress(SystemExit):
        main(["--help"])
    actions = [action for action in parsers[0]._actions if action.dest != "help"]
    return [
        Option(
            action.option_strings[-1] if action.option_strings else "",
            action.dest,
            action.nargs != 0,
            isinstance(action.default, list) or action.nargs in ("*", "+"),
        )
        for action in actions
    ]


def calls_of(script: str) -> Iterator[Call]:
    """Yield every option of a script with every value, on top of each thing it can do."""
    for base in BASES.get(script, ((),)):
        yield Call(script, base)
        for option in options_of(script):
            for value in VALUES if option.takes_value else ("",):
                if value == "pipe.csv" and option.dest in STREAMED:
                    continue
                yield Call(script, (*base, *typed(option, value)), is_blank(option, value))
            if option.flag == "--force":
                yield from (Call(script, (*base, "--json", path, "--force")) for path in VALUES[:-1])


def typed(option: Option, value: str) -> tuple[str, ...]:
    """Return an option with a value as it is typed."""
    if not option.takes_value:
        return (option.flag,)
    # With `=` a value may begin with a dash.
    return (f"{option.flag}={value}",) if option.flag else (value,)


def is_blank(option: Option, value: str) -> bool:
    """Tell whether a value is empty for this option."""
    return option.takes_value and not value.strip(" ," if option.is_list else " ")


def pairs(script: str, count: int, seed: int) -> Iterator[Call]:
    """Yield calls with a few options at once, at random."""
    rng, options = Random(f"{script} {seed}"), options_of(script)
    for _ in range(count):
        base = rng.choice(BASES.get(script, ((),)))
        some = rng.sample(options, min(len(options), rng.randint(2, 4)))
        chosen = [(option, rng.choice(VALUES[:-1])) for option in some]
        words = (word for option, value in chosen for word in typed(option, value))
        yield Call(script, (*base, *words), any(is_blank(*one) for one in chosen))


def spoiled_settings(text: str, count: int, rng: Random) -> Iterator[str]:
    """Yield settings files with one to three lines that nobody wrote."""
    odd = (
        *VALUES,
        "[",
        "{",
        "- a",
        "&a *a",
        "!!python/object:os.system x",
        "\t",
        "? x",
        "1: 2",
        "[[[[[[[[[[[[[[[",
    )
    for _ in range(count):
        lines = text.splitlines()
        for _ in range(rng.randint(1, 3)):
            at, how = rng.randrange(len(lines)), rng.randrange(5)
            name, _, _ = lines[at].partition(":")
            value = rng.choice(odd)[:2000]
            changed = {0: [f"{name}: {value}"], 1: [], 2: [lines[at]] * 2, 3: [f"  {lines[at]}"], 4: [value]}
            lines[at : at + 1] = changed[how]
            lines = lines or [""]
        yield "\n".join(lines)


class Tally:
    """Counts calls, and keeps what was wrong."""

    def __init__(self) -> None:
        self.codes: Counter[object] = Counter()
        self.wrong: list[str] = []

    def add(self, what: str, outcome: Outcome) -> None:
        """Count one call."""
        self.codes[outcome.code] += 1
        self.wrong += [f"{what[:300]}: {problem}" for problem in outcome.problems]

    def more(self, other: Tally) -> None:
        """Add what another process counted."""
        self.codes += other.codes
        self.wrong += other.wrong

    def line(self, what: str) -> str:
        """Return the counts in words."""
        codes = ", ".join(f"{count} x {code}" for code, count in sorted(self.codes.items(), key=str))
        return f"{what}: {sum(self.codes.values())} calls ({codes}): {len(self.wrong)} wrong"


def fuzz_calls(sandbox: Sandbox, calls: Iterable[Call]) -> Tally:
    """Run command lines."""
    tally = Tally()
    for call in calls:
        tally.add(repr(call), timed(sandbox, call))
    return tally


def timed(sandbox: Sandbox, call: Call, env: Mapping[str, str] | None = None) -> Outcome:
    """Run one command line; if it hangs, its process ends with a note of where."""
    with (sandbox.folder.parent / HANGING).open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{call!r:.2000} {env}\n")
        file.flush()
        faulthandler.dump_traceback_later(HANGS, exit=True, file=file)
        try:
            return sandbox.call(call, env)
        finally:
            faulthandler.cancel_dump_traceback_later()


def fuzz_settings(sandbox: Sandbox, count: int, seed: int) -> Tally:
    """Run scripts with spoiled files, then with a value that nobody meant in each variable."""
    tally, rng = Tally(), Random(seed)
    looks = (Call("scripts.run_backtest", ("--list",)), Call("scripts.show_runs", ()))
    for name in ("settings.yaml", "strategies.yaml", "markets.yaml"):
        path = sandbox.template / "config" / name
        whole = path.read_text("utf-8")
        for text in spoiled_settings(whole, count // 6, rng):
            raw = text.encode("utf-8", "surrogatepass")
            path.write_bytes(raw)
            sandbox.reset()
            tally.add(f"{name}: {text[:200]!r}", timed(sandbox, rng.choice(looks)))
        path.write_text(whole, "utf-8")
    sandbox.reset()
    named = [(name, value) for name in env_names() for value in VALUES if "\0" not in value]
    for name, value in rng.sample(named, min(count // 2, len(named))):
        tally.add(f"{name}={value[:80]!r}", timed(sandbox, rng.choice(looks), {name: value}))
    return tally


class Part(NamedTuple):
    """Some of the calls of one kind, for one process."""

    what: str
    calls: tuple[Call, ...] = ()
    settings: int = 0
    """So many spoiled settings instead."""
    seed: int = 0


def parts_of(names: Sequence[str], count: int, settings: int, seed: int) -> list[Part]:
    """Return everything there is to try in small parts, mixed, so that each kind is met early."""
    parts = []
    for script in names:
        calls = [*calls_of(script), *pairs(script, count, seed)]
        parts += [Part(script, tuple(calls[at : at + PART])) for at in range(0, len(calls), PART)]
    parts += [Part("settings", (), PART, seed * 1_000 + at) for at in range(0, settings, PART)]
    Random(seed).shuffle(parts)
    return parts


def run_part(part: Part, folder: Path) -> tuple[Part, Tally]:
    """Run some calls in this process's own part of a folder."""
    sandbox = own_sandbox(folder)
    if part.settings:
        return part, fuzz_settings(sandbox, part.settings, part.seed)
    return part, fuzz_calls(sandbox, part.calls)


@cache
def own_sandbox(folder: Path) -> Sandbox:
    """Return the sandbox of this process, in a folder that all of them share."""
    own = Path(tempfile.mkdtemp(dir=folder))
    return Sandbox(make_template(own / "template"), own / "work")


def run_parts(parts: Sequence[Part], folder: Path, until: float) -> tuple[dict[str, Tally], int]:
    """Run all parts on all processors until a time; return the tallies and how many calls were not tried."""
    tallies = {part.what: Tally() for part in parts}
    untried = 0
    with ProcessPoolExecutor() as pool:
        waiting = deque(parts)
        running: set[Future[tuple[Part, Tally]]] = set()
        while waiting or running:
            while waiting and len(running) < 2 * (os.cpu_count() or 1):
                part = waiting.popleft()
                if time.monotonic() < until:
                    running.add(pool.submit(run_part, part, folder))
                else:
                    untried += len(part.calls) or part.settings
            over, running = wait(running, return_when=FIRST_COMPLETED)
            for future in over:
                part, tally = future.result()
                tallies[part.what].more(tally)
                print(*tally.wrong, sep="\n", end="\n" * bool(tally.wrong), file=sys.stderr)
            done = sum(sum(tally.codes.values()) for tally in tallies.values())
            left = len(waiting) + len(running)
            print(f"{done} calls, {left} of {len(parts)} parts to go", file=sys.stderr, flush=True)
    return tallies, untried


def main(argv: list[str] | None = None) -> int:
    """Run and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pairs", type=int, default=200, help="calls with several options, of each script")
    parser.add_argument("--settings", type=int, default=3000, help="spoiled files and variables")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", help="of this one alone")
    parser.add_argument("--minutes", type=float, default=90.0, help="what did not begin by then is not tried")
    args = parser.parse_args(argv)
    began = time.monotonic()
    names = [args.script] if args.script else scripts()
    parts = parts_of(names, args.pairs, args.settings, args.seed)
    # All that the processes make lies in it, also what one that hung leaves behind.
    with tempfile.TemporaryDirectory(prefix="commands-") as folder:
        try:
            tallies, untried = run_parts(parts, Path(folder), began + args.minutes * 60)
        except BrokenProcessPool:
            print(*hung_in(Path(folder)), "a call hung, or ended its process", sep="\n")
            return 1
    for what, tally in sorted(tallies.items()):
        print(tally.line(what), *tally.wrong, sep="\n")
    tried = sum(sum(tally.codes.values()) for tally in tallies.values())
    wrong = sum(len(tally.wrong) for tally in tallies.values())
    options = sum(len(options_of(script)) for script in names)
    told = f"{len(names)} scripts, {options} options: {tried} calls, {untried} not tried for want of time"
    print(f"{told}, {wrong} wrong, {time.monotonic() - began:.0f} s")
    return 1 if wrong or untried else 0


def hung_in(folder: Path) -> list[str]:
    """Return which calls hung, and where."""
    notes = (path.read_text("utf-8", "replace") for path in sorted(folder.glob(f"**/{HANGING}")))
    return [text for text in notes if "Timeout" in text]


if __name__ == "__main__":
    sys.exit(main())
