"""The page for whoever writes a strategy names every field, and shows what its examples hold."""

from __future__ import annotations

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
