"""The parser of every program's arguments: nothing that was typed is silently left out."""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

LONGEST = 4096
"""Characters of a value on the command line; no path can be longer."""
UNPRINTABLE = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Kinds of characters that would break a line of output, or are no text at all."""


class Parser(argparse.ArgumentParser):
    """A parser that never takes an empty value for one that was left out, and whose errors are one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse values that are empty, very long or not of printable text."""
        typed = sys.argv[1:] if args is None else list(args)
        for text in typed:
            if len(text) > LONGEST:
                self.error(f"wanted at most {LONGEST} characters, got {len(text)}: {text[:40]}…")
            if not UNPRINTABLE.isdisjoint(map(unicodedata.category, text)):
                self.error(f"wanted text without control characters, got {text!r}")
        parsed, rest = super().parse_known_args(typed, namespace)
        for name, value in vars(parsed).items():
            self._check_not_empty(name, value, typed)
        return parsed, rest

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse what no option takes, naming the one that was probably meant."""
        parsed, rest = self.parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}{self._meant(rest)}")
        return parsed

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong and where more is told, and end with 2."""
        self.exit(2, f"error: {' '.join(message.split())}; see {self.prog} --help\n")

    def _meant(self, rest: Sequence[str]) -> str:
        typed = (text.split("=", 1)[0] for text in rest if text.startswith("-"))
        near = (get_close_matches(name, self._option_string_actions, 1) for name in typed)
        found = next((names[0] for names in near if names), None)
        return f" (did you mean {found}?)" if found else ""

    def _check_not_empty(self, name: str, value: object, typed: Sequence[str]) -> None:
        values = value if isinstance(value, list) else [value]
        separators = " ," if isinstance(value, list) else " "
        # Of `--option=--` argparse makes an empty list.
        is_lost = value == [] != self.get_default(name) or [] in values
        if is_lost or any(isinstance(one, str) and not one.strip(separators) for one in values):
            option = f"--{name.replace('_', '-')}"
            shown = option if any(text.startswith(option) for text in typed) else name
            self.error(f"argument {shown}: wanted a value, got an empty one; or leave it out")
