"""The page for whoever writes a strategy names every field, and shows what its examples hold."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

from core.domain import Decision, PositionView
from core.sizing import Choices
from strategies.rule import StrategyRule

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "strategies_howto.md").read_text(encoding="utf-8")


def test_every_field_is_named() -> None:
    rule = {field.name for field in fields(StrategyRule)}
    named = set(re.findall(r"`(\w+)`", PAGE))
    for known in (rule, set(PositionView._fields), set(Decision._fields), set(Choices._fields)):
        assert known <= named, known - named


def test_what_is_shown_is_in_the_examples_as_it_stands() -> None:
    parts = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    assert len(parts) == 8
    for part in parts:
        (name,) = re.findall(r"^.*: `(docs/examples/strategies/\w+\.py)`", part)
        source = (ROOT / name).read_text(encoding="utf-8")
        shown = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
        assert shown
        for text in shown:
            assert text in source, text


def code_lines(source: str) -> int:
    """Return how many lines there are of a file, without docstrings, comments and blank ones."""
    tree = ast.parse(source)
    told: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            first = node.body[0]
            told |= set(range(first.lineno, (first.end_lineno or 0) + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(bool(line.split("#")[0].strip()) and place not in told for place, line in lines)


def test_the_table_of_lengths_is_true_of_the_nine_examples() -> None:
    rows = re.findall(r"^\|[^|]+\| `(\w+\.py)` \| (\d+) \| ([\d,]+) \|", PAGE, re.MULTILINE)
    assert len(rows) == 9
    for name, lines, characters in rows:
        source = (ROOT / "docs" / "examples" / "strategies" / name).read_text(encoding="utf-8")
        assert (name, code_lines(source), f"{len(source):,}") == (name, int(lines), characters)
