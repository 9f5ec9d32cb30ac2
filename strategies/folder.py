"""Strategies in a folder of one's own: what each file holds is read from its text, and nothing is run.

A file is run, with all that it may do, when its strategy is asked for, and not before. Whatever the folder is
called, its files are the modules of the package `user_strategies`, so that they may import each other.
"""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from core.errors import HotCryptoError, UsageError
from core.secrecy import words_of

PACKAGE = "user_strategies"
"""What the files are modules of; also the name of the folder inside the project."""
SETTINGS = "strategies.yaml"
"""The folder's own settings of strategies, laid over those of config/strategies.yaml."""
NAME = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
CALLED = "capital letters, digits and _ (MY_RULE), 32 at most"


class OwnFile(NamedTuple):
    """A file that holds a strategy, or was meant to."""

    name: str
    """What its strategy is called: as its RULE is, or, a class with an on_bar, as the file in capitals."""
    key: str
    """The file's name, which is also its key in strategies.yaml."""
    path: str
    problem: str = ""
    """Why it is no strategy, in one line with the file and the line; blank if it is one."""
    is_helper: bool = False
    """There is nothing of a strategy in it: other files may import it."""


def read_folder(folder: str, taken: Mapping[str, str]) -> tuple[OwnFile, ...]:
    """Return the files of a folder, by name; `taken`: names of strategies that exist, with their keys.

    Files whose name begins with _ are left out. Raises UsageError when there is no such folder.
    """
    place = Path(folder)
    if not _is_folder(place):
        raise UsageError(f"{folder}: there is no such folder: wanted one with a file for each strategy")
    files = [_read(path) for path in sorted(place.glob("*.py")) if not path.name.startswith("_")]
    return tuple(_apart(files, taken))


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:
        # A name that is too long is none of a folder that is there.
        return False


def place_of(named: str | None, root: Path) -> str | None:
    """Return the folder that is meant, as a person would write it: the named one, or the project's if any."""
    place = root / PACKAGE if named is None else Path(named).expanduser()
    if named is None and not place.is_dir():
        return None
    here = Path.cwd()
    return str(place.relative_to(here) if place.is_relative_to(here) and place != here else place)


def settings_file(place: str | None) -> Path | None:
    """Return the folder's own settings of strategies, None where it has none."""
    file = None if place is None else Path(place) / SETTINGS
    return file if file is not None and file.exists() else None


def open_package(folder: str | None) -> None:
    """Let imports of `user_strategies` find this folder's files; what came from another one is forgotten."""
    known = sys.modules.get(PACKAGE)
    wanted = [] if folder is None else [str(Path(folder).resolve())]
    if known is not None and list(known.__path__) == wanted:
        invalidate_caches()
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    if wanted:
        package = ModuleType(PACKAGE)
        package.__path__ = wanted
        sys.modules[PACKAGE] = package
        invalidate_caches()


def load(file: OwnFile) -> ModuleType:
    """Run a file and return its module. Raises UsageError in one line, with the file and the line."""
    try:
        return import_module(f"{PACKAGE}.{file.key}")
    except HotCryptoError as error:
        raise UsageError(f"{file.path}: {error}") from None
    except (Exception, SystemExit) as error:  # It is anybody's code, and whatever it raises is its mistake.
        raise UsageError(f"{_place(file, error)}: {_said(error)}: mend it") from None


def own_class(module: ModuleType) -> type | None:
    """Return the module's class that decides in an on_bar of its own, None without one."""
    kinds = (value for value in vars(module).values() if isinstance(value, type))
    return next(
        (kind for kind in kinds if kind.__module__ == module.__name__ and "on_bar" in vars(kind)), None
    )


def _read(path: Path) -> OwnFile:
    key = path.stem
    if not key.isidentifier():
        what = "a file's name is to be letters, digits and _ (my_rule.py): rename it"
        return OwnFile(key.upper(), key, str(path), f"{path}: {what}")
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        return OwnFile(key.upper(), key, str(path), f"{path}:{error.lineno or 1}: {error.msg}: mend it")
    except (OSError, ValueError, RecursionError) as error:
        return OwnFile(key.upper(), key, str(path), f"{path}:1: cannot be read: {_said(error)}")
    return _of_rule(path, tree) or _of_class(path, tree)


def _of_rule(path: Path, tree: ast.Module) -> OwnFile | None:
    """Return the file of a RULE, None when there is none in it."""
    texts = {name: node for name, node in _assigned(tree) if isinstance(node, ast.Constant)}
    rule = next((node for name, node in _assigned(tree) if name == "RULE"), None)
    if rule is None:
        return None
    name = _named(rule, texts)
    if name is None:
        what = 'its RULE has no plain name: write RULE = StrategyRule(name="MY_RULE", ...)'
        return OwnFile(path.stem.upper(), path.stem, str(path), f"{path}:{rule.lineno}: {what}")
    problem = "" if NAME.fullmatch(name) else f"{path}:{rule.lineno}: the name {name!r}: wanted {CALLED}"
    for other, node in _assigned(tree):
        if node is not rule and _is_made_like(node, rule):
            what = f"{other} is a second rule: one file holds one, its RULE: give each a file of its own"
            problem = problem or f"{path}:{node.lineno}: {what}"
    return OwnFile(name, path.stem, str(path), problem)


def _is_made_like(node: ast.expr, rule: ast.expr) -> bool:
    """Tell whether a value is made by calling what makes the RULE, however that was imported."""
    if not (isinstance(node, ast.Call) and isinstance(rule, ast.Call)):
        return False
    return ast.dump(node.func) == ast.dump(rule.func)


def _named(rule: ast.expr, texts: Mapping[str, ast.Constant]) -> str | None:
    """Return the name that a RULE is given where it is made."""
    if not isinstance(rule, ast.Call):
        return None
    given: ast.expr | None = next((word.value for word in rule.keywords if word.arg == "name"), None)
    if given is None and rule.args:
        given = rule.args[0]
    if isinstance(given, ast.Name):
        given = texts.get(given.id)
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from ((one.id, node.value) for one in node.targets if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _of_class(path: Path, tree: ast.Module) -> OwnFile:
    """Return the file of a class with an on_bar, or one that holds nothing of a strategy."""
    kinds = [node for node in tree.body if isinstance(node, ast.ClassDef) and _has_on_bar(node)]
    name, place = path.stem.upper(), str(path)
    if not kinds:
        what = "has no RULE and no class with an on_bar: end it with RULE = StrategyRule(...)"
        return OwnFile(name, path.stem, place, f"{path}:1: {what}", is_helper=True)
    if len(kinds) > 1:
        what = f"{kinds[1].name} is a second class with an on_bar: give each a file of its own"
        return OwnFile(name, path.stem, place, f"{path}:{kinds[1].lineno}: {what}")
    problem = f"{path}: named for its file, {name}: wanted {CALLED}: rename it"
    return OwnFile(name, path.stem, place, "" if NAME.fullmatch(name) else problem)


def _has_on_bar(node: ast.ClassDef) -> bool:
    return any(isinstance(one, ast.FunctionDef) and one.name == "on_bar" for one in node.body)


def _apart(files: list[OwnFile], taken: Mapping[str, str]) -> Iterator[OwnFile]:
    """Yield the files, those with a problem whose name or key something else has already."""
    names = Counter(file.name for file in files if not file.problem)
    for file in files:
        what = ""
        if file.name in taken:
            what = f"{file.name} is the project's strategies/{taken[file.name]}.py: give it another name"
        elif file.key in taken.values():
            what = f"strategies/{file.key}.py is the project's: rename the file"
        elif names[file.name] > 1:
            others = [Path(one.path).name for one in files if one.name == file.name and one.key != file.key]
            what = f"{', '.join(others)} is named {file.name} too: give one of them another name"
        yield file if file.problem or not what else file._replace(problem=f"{file.path}: {what}")


def _place(file: OwnFile, error: BaseException) -> str:
    """Return the file and the line that raised something: the last one in this folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    folder = str(Path(file.path).resolve().parent)
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(folder)]
    return f"{file.path}:{frames[-1].lineno}" if frames else file.path


def _said(error: BaseException) -> str:
    return words_of(error)
