"""What import_freqtrade.py does: a freqtrade class read, a rule's file written, and told what is missing."""

from __future__ import annotations

import argparse
import re
import stat
import textwrap
from pathlib import Path

from core.cli.candles import exchange_words
from core.cli.new_command import create
from core.errors import UsageError
from core.foreign.facts import ClassFacts, facts_of
from core.foreign.protections import settings_of
from core.foreign.reading import read
from core.foreign.writing import source_of
from core.reports.table import room
from core.utils import timeframe_ms, timeframe_name

MOST = 1_000_000
"""Characters that a strategy's file has at most."""


def run(args: argparse.Namespace) -> int:
    """Read, write, print; exit code 1 when something was not translated."""
    facts = facts_of(_text(args.file), args.file, args.class_name)
    timeframe = _timeframe(facts)
    try:
        reading = read(facts)
    except RecursionError:
        raise UsageError(f"{args.file}: an expression in it is nested too deeply to be read") from None
    minutes = timeframe_ms(timeframe) // 60_000
    wish = settings_of(facts.value("protections"), minutes)
    if not any(key.startswith("enter") for key in reading.signals):
        why = "; ".join(map(str, reading.gaps)) or "it sets none"
        raise UsageError(f"{args.file}: {facts.name} has no entry that could be translated: {why}")
    name = (args.name or snake(facts.name)).upper()
    where = f"{Path(args.file).name}, class {facts.name}, candles of {timeframe}"
    text = source_of(reading, name, where, minutes)
    file = create(args, name, text)
    print(f"{file}: {len(text.splitlines())} lines, from {facts.name} in {args.file}")
    gaps = [*map(str, reading.gaps), *wish.gaps]
    if gaps:
        print(f"not translated, {len(gaps)} of it (marked in the file too):")
        for gap in gaps:
            print(textwrap.fill(f"  {gap}", room(), subsequent_indent="    ", break_on_hyphens=False))
    for line in reading.translation.notes:
        print(textwrap.fill(f"note: {line}", room(), subsequent_indent="  ", break_on_hyphens=False))
    if wish.settings:
        print("its protections, for the section risk of config/settings.yaml:")
        print(textwrap.indent("\n".join(wish.settings), "  "))
    folder = f" --strategies-dir {args.strategies_dir}" if args.strategies_dir else ""
    print("look at stake, which freqtrade has elsewhere; then:")
    stored = exchange_words()
    print(f"  python scripts/check_strategy.py {file}{stored}")
    words = f"--strategy {name} --timeframe {timeframe} --use-sql{stored}{folder}"
    print(f"  python scripts/run_backtest.py {words}")
    return 1 if gaps else 0


def snake(name: str) -> str:
    """Return a class's name as a strategy is called."""
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").upper()


def _text(path: str) -> str:
    try:
        # What is no file, such as a pipe, might never end.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise UsageError(f"{path}: wanted a Python file with a freqtrade class: it is no regular file")
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"{path}: wanted a Python file with a freqtrade class: {why}") from None
    if len(text) > MOST:
        raise UsageError(f"{path}: wanted a file of at most {MOST:,} characters, got {len(text):,}")
    return text


def _timeframe(facts: ClassFacts) -> str:
    """Return the class's timeframe. Raises UsageError for one that is none here."""
    found = facts.value("timeframe", "ticker_interval", otherwise="5m")
    try:
        return timeframe_name(found)
    except UsageError as error:
        raise UsageError(f"{facts.name}.timeframe: {error}") from None
