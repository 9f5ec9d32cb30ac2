"""Which code made a number: the project's version, and a hash of just the sources that the number came from.

Covered are the files of the modules named, and of all that they import, functions' own imports too, but not
what only a type checker reads; and the versions of the libraries among them. A comment in one of these files
counts, since whole files are hashed: that needs no judgement of what is code, and is the same with every
Python. What no number comes from (NO_NUMBERS) is left out.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parents[1]
KIND = f"{VERSION}+made."
"""What a hash of this kind begins with; runs of before have `0.1.0+`, and a hash of other files."""

NO_NUMBERS = (
    *("core.errors", "core.version", "core.data_source", "core.sql_data_source", "core.ccxt_data_source"),
    *("core.exchange_client", "core.exchange", "core.candles.column_cache", "core.backtest_persistence"),
    *("strategies.registry", "strategies.rule_check", "strategies.rule_source", "db"),
    *("strategies.folder", "strategies.own"),
)
"""Modules, and packages, that fetch candles, keep results, word errors, name and check strategies. The
candles of a run have a hash of their own."""

OWN = "user_strategies"
"""The package whose files are in a folder of one's own, wherever that is."""

DISTRIBUTIONS = {"talib": "TA-Lib"}
"""Libraries that are not called as they are imported."""


_STATEMENTS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Where a statement holds others."""


class _Source(NamedTuple):
    sha256: str
    imports: frozenset[str]


_Roots = tuple[Path, Path | None]
"""The folder of the project, and the one of a person's own strategies."""


def code_version(modules: Iterable[str], root: Path = ROOT) -> str:
    """Return the version and 12 hex digits of the SHA-256 over what these modules are made of.

    Two checkouts with the same sources agree, whether or not they are under version control.
    """
    digest = hashlib.sha256()
    for line in _covered(tuple(sorted(set(modules))), (root, _own_folder())):
        digest.update(line.encode() + b"\n")
    return f"{KIND}{digest.hexdigest()[:12]}"


def same_code(one: str | None, other: str | None) -> bool | None:
    """Tell whether two runs had the same code; None when they cannot be compared."""
    if one is None or other is None or not (one.startswith(KIND) and other.startswith(KIND)):
        return None
    return one == other


def sources(modules: Iterable[str], root: Path = ROOT) -> dict[str, Path]:
    """Return the project's modules, and a person's own, that these are made of, with their files."""
    return _sources(modules, (root, _own_folder()))


def _sources(modules: Iterable[str], roots: _Roots) -> dict[str, Path]:
    known: dict[str, Path] = {}
    left = list(modules)
    while left:
        name = left.pop()
        path = None if name in known or _is_left_out(name) else _file(name, roots)
        if path is not None:
            known[name] = path
            left += [*_source(path, name).imports, *_parents(name)]
    return known


# A process does not see its own sources change: it runs what it has loaded.
@cache
def _covered(modules: tuple[str, ...], roots: _Roots) -> tuple[str, ...]:
    files = _sources(modules, roots)
    read = {name: _source(path, name) for name, path in files.items()}
    imports = {name for source in read.values() for name in source.imports}
    foreign = {name.partition(".")[0] for name in imports if not _is_ours(name, roots)}
    libraries = {name: _version(name) for name in foreign - sys.stdlib_module_names}
    return (
        *(f"{name} {read[name].sha256}" for name in sorted(read)),
        *(f"{name} {libraries[name]}" for name in sorted(libraries)),
    )


@cache
def _source(path: Path, name: str) -> _Source:
    text = path.read_bytes()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return _Source(hashlib.sha256(text).hexdigest(), frozenset(_imports(ast.parse(text), package)))


def _imports(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(package.split(".")[: package.count(".") + 2 - node.level]) if node.level else ""
        module = ".".join(filter(None, (base, node.module)))
        yield module
        # `from core import fills` names a module, `from core.fills import fill` does not: whoever has a file.
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
        for otherwise in node.orelse:
            yield from _imports(otherwise, package)
    else:
        # Statements alone hold statements: to walk expressions too takes five times as long.
        for part in _STATEMENTS:
            for child in getattr(node, part, ()):
                yield from _imports(child, package)


def _name_of(test: ast.expr) -> str:
    """Return the name that alone is asked for, with or without its module; blank for anything else."""
    return test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""


def _own_folder() -> Path | None:
    """Return the folder of a person's own strategies, if one is open."""
    package = sys.modules.get(OWN)
    return None if package is None else Path(package.__path__[0])


def _is_ours(name: str, roots: _Roots) -> bool:
    top = name.partition(".")[0]
    return top == OWN or _file(top, roots) is not None


@cache
def _file(name: str, roots: _Roots) -> Path | None:
    top, *rest = name.split(".")
    root, own = roots
    if top == OWN:
        # Its folder is no package: it has files alone.
        return None if own is None or not rest else _python_file(own.joinpath(*rest))
    return _python_file(root.joinpath(top, *rest))


def _python_file(folder: Path) -> Path | None:
    candidates = folder.with_suffix(".py"), folder / "__init__.py"
    return next((path for path in candidates if path.is_file()), None)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _is_left_out(name: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in NO_NUMBERS)


def _version(library: str) -> str:
    try:
        return metadata.version(DISTRIBUTIONS.get(library, library))
    except metadata.PackageNotFoundError:
        return "not installed"
