"""Pieces of a rule's source: the text of a formula, what it reads, how far back it looks."""

from __future__ import annotations

import ast
from typing import NamedTuple

from core.errors import UsageError


class Formula(NamedTuple):
    """One array, or number, of a rule's `columns`, as source."""

    text: str
    reads: tuple[str, ...] = ()
    """Names of variables of `columns` in it."""
    window: str = "0"
    """Bars of which it needs every one, as source of numbers and parameters …"""
    memory: str = "0"
    """… and those of what forgets slowly, such as an EMA."""


class Several(NamedTuple):
    """A variable that holds several arrays, such as an indicator's outputs."""

    outputs: tuple[str, ...]
    """Their names, in order."""
    formula: Formula

    def one(self, name: str) -> Formula:
        """Return one of them. Raises KeyError."""
        if name not in self.outputs:
            raise KeyError(name)
        return self.formula._replace(text=f"{self.formula.text}[{self.outputs.index(name)}]")


def joined(text: str, *parts: Formula) -> Formula:
    """Return a formula made of others."""
    reads = dict.fromkeys(name for part in parts for name in part.reads)
    window, memory = "0", "0"
    for part in parts:
        window, memory = longest(window, part.window), longest(memory, part.memory)
    return Formula(text, tuple(reads), window, memory)


def longest(one: str, other: str) -> str:
    """Return the source of the greater of two lengths."""
    if one.isdigit() and other.isdigit():
        return str(max(int(one), int(other)))
    if other in (one, "0"):
        return one
    return other if one == "0" else f"max({one}, {other})"


def added(one: str, other: str) -> str:
    """Return the source of the sum of two lengths."""
    if one.isdigit() and other.isdigit():
        return str(int(one) + int(other))
    if "0" in (one, other):
        return other if one == "0" else one
    return f"{one} + {other}"


def length_of(what: str, text: str) -> str:
    """Return the source of a length in bars. Raises UsageError for a number below 1."""
    number = text.strip("()")
    if number.lstrip("-").replace(".", "", 1).isdigit() and float(number) < 1:
        raise UsageError(f"{what} of {number} bars: wanted 1 or more")
    return text


def shown(node: ast.AST) -> str:
    """Return a piece of source on one line, as short as a person needs it."""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 2]} …"


MOST_SHOWN = 90
