"""The order path is put together of parts that know each other by what they are handed, by public names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.order_path.path import PARTS
from tests.order_mutants import MUTANTS
from tests.stop_mutants import STOP_MUTANTS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "core" / "order_path"
OF_TUPLES = {"_replace", "_asdict", "_fields", "_make"}


def classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """Yield the classes of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def defined(kind: ast.ClassDef) -> set[str]:
    """Return the names that a class gives itself: methods, fields, and what it sets on `self`."""
    named = {node.name for node in kind.body if isinstance(node, ast.FunctionDef)}
    for node in kind.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            named.add(node.target.id)
        elif isinstance(node, ast.Assign):
            named |= {one.id for one in node.targets if isinstance(one, ast.Name)}
    return named | {one.attr for one in attributes(kind) if isinstance(one.ctx, ast.Store) and is_own(one)}


def attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Yield every name that is asked of something."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def is_own(asked: ast.Attribute) -> bool:
    """Return whether it is asked of `self`."""
    return isinstance(asked.value, ast.Name) and asked.value.id == "self"


def entangled(texts: dict[str, str]) -> list[str]:
    """Return what of these files inherits another of their classes, or reaches for what is not its own."""
    trees = {file: ast.parse(text) for file, text in texts.items()}
    ours = {kind.name for tree in trees.values() for kind in classes(tree)}
    found = []
    for file, tree in trees.items():
        for one in attributes(tree):
            if one.attr.startswith("_") and not one.attr.endswith("__") and not is_own(one):
                found += [] if one.attr in OF_TUPLES else [f"{file}: {ast.unparse(one)}"]
        for kind in classes(tree):
            bases = {base.id for base in kind.bases if isinstance(base, ast.Name)}
            found += [f"{file}: {kind.name} inherits {base}" for base in sorted(bases & ours)]
            if not bases:
                away = {one.attr for one in attributes(kind) if is_own(one)} - defined(kind)
                found += [f"{file}: {kind.name} asks itself for {name}" for name in sorted(away)]
    return found


@pytest.mark.unmeasured
def test_no_part_of_the_order_path_inherits_another_or_reaches_into_it() -> None:
    texts = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.py")}
    assert len(texts) > 25
    assert entangled(texts) == []


def test_a_part_that_reaches_into_another_is_found() -> None:
    texts = {
        "a.py": "class Store:\n    x: int\n    def keep(self): return self.x, self._row._replace(), self.z",
        "b.py": "class Sending(Store):\n    def send(self, other): other._judge()",
    }
    assert entangled(texts) == [
        "a.py: Store asks itself for _row",
        "a.py: Store asks itself for z",
        "b.py: other._judge",
        "b.py: Sending inherits Store",
    ]


def test_every_part_that_can_be_put_in_is_weakened_once_and_weakened_for_good() -> None:
    swapped = {
        part
        for parts in (*MUTANTS.values(), *(one.parts for one in STOP_MUTANTS.values()))
        for part, kind, whole in zip(PARTS._fields, parts, PARTS, strict=True)
        if kind is not whole and issubclass(kind, whole)
    }
    assert swapped == set(PARTS._fields)
    assert all(parts != PARTS for parts in MUTANTS.values())
