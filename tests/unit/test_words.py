"""One word is one thing: no two classes or aliases of the program share a name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OF_EVERY_RULE = {"Params", "Columns"}


def names(tree: ast.Module) -> Iterator[str]:
    """Yield the classes and the aliases of types that a module defines."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper():
                yield target.id


def homes(texts: dict[str, str]) -> dict[str, list[str]]:
    """Return where each name is defined that has more than one home."""
    found = defaultdict(list)
    for file, text in sorted(texts.items()):
        for name in set(names(ast.parse(text))) - OF_EVERY_RULE:
            found[name].append(file)
    return {name: files for name, files in found.items() if len(files) > 1}


@pytest.mark.unmeasured
def test_no_two_classes_or_aliases_share_a_name() -> None:
    tops = ("core", "db", "llm", "scripts", "strategies", "bench")
    files = [path for top in tops for path in (ROOT / top).rglob("*.py")]
    assert len(files) > 200
    assert homes({str(path.relative_to(ROOT)): path.read_text("utf-8") for path in files}) == {}


def test_a_second_home_is_found() -> None:
    texts = {"a.py": "class Desk: ...\nLIMIT = 1", "b.py": "Desk = dict[str, int]\nLIMIT = 2"}
    assert homes(texts) == {"Desk": ["a.py", "b.py"]}
