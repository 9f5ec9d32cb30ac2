"""Measure: `python -m bench`, or only the cases whose name contains one of the words given."""

from __future__ import annotations

import argparse
import pkgutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import bench
from bench.harness import Case, format_rows, measure

_NOT_CASES = ("__main__", "harness", "by_hand")


def main(argv: list[str] | None = None) -> int:
    """Measure the cases asked for and print one line each; 1 when a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure speed, as ratios to a reference timed in the same run where there is one.",
        allow_abbrev=False,
    )
    parser.add_argument("words", nargs="*", metavar="NAME", help="part of a case's name (default: all)")
    parser.add_argument("--list", action="store_true", help="show the names only")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        cases = [case for case in _cases(Path(folder)) if _wanted(case.name, args.words)]
        if args.list:
            print("\n".join(case.name for case in cases))
            return 0
        return _measure_all(cases)


def _measure_all(cases: list[Case]) -> int:
    results = []
    for case in cases:
        print(f"measuring {case.name}", file=sys.stderr)
        results.append(measure(case))
    print("\n".join(format_rows(results)))
    return 0 if results and all(found.met for found in results) else 1


def _cases(folder: Path) -> Iterator[Case]:
    """Yield the cases of every module here; each offers `cases(folder)`, with a folder to write in."""
    for found in pkgutil.iter_modules(bench.__path__):
        if found.name not in _NOT_CASES:
            yield from import_module(f"bench.{found.name}").cases(folder)


def _wanted(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


if __name__ == "__main__":
    sys.exit(main())
