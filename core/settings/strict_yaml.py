"""Reading configuration files: the part of YAML 1.2 that holds no surprises.

PyYAML reads YAML 1.1, where `NO` is false, `1e-3` is text, `010` is 8, `12:30` is 750, `2024-01-01` is a
date, and where the last of two equal keys wins silently. Here a plain word is `true`, `false`, `null`, a
decimal number or text; equal keys are a problem; anchors, aliases, tags and deep nesting are refused.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml
from yaml.composer import Composer, ComposerError
from yaml.resolver import Resolver

from core.errors import SettingsError

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top, such as ("risk", "max_daily_loss_pct")."""

MAX_BYTES = 100_000
MAX_DEPTH = 12

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}

_PLAIN = re.compile(r"[\n -~\xa1-\u167f\u2010-\u2027\u2030-\ud7ff]*")
"""Characters that no reader of YAML takes for anything but themselves."""
_READ_OTHERWISE = re.compile(r"\?|---|[|>].*#")
"""What LibYAML reads otherwise, or gives another line: keys with a question mark, a document's start, and a
comment that touches the mark of a block of text."""


class Document(NamedTuple):
    """One file's content and where each part of it stands."""

    data: Any
    """Mappings as dict with str keys, lists as tuple, scalars as str, int, float, bool or None."""
    places: dict[KeyPath, str]
    """`file:line` of every value; () is the file itself."""
    problems: tuple[str, ...]
    """What was skipped while reading, one line each."""

    def place(self, path: KeyPath) -> str:
        """Return `file:line` of the value, or of the nearest thing around it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def plain_scalar(text: str) -> str | int | float | bool | None:
    """Return what an unquoted word means; anything but true, false, null and decimal numbers is text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def read_yaml(path: Path, shown: str) -> Document:
    """Read one file; `shown` is its name in messages.

    Raises SettingsError for a file that is missing, unreadable, too large, not UTF-8 or not YAML.
    """
    text = read_text(path, shown)
    try:
        node = _composed(text)
    except yaml.MarkedYAMLError as error:
        raise SettingsError(_syntax_problem(error, shown)) from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{shown}: cannot be read: {' '.join(str(error).split())}") from None
    if node is None:
        raise SettingsError(f"{shown}: is empty: copy the file of the same name from the repository")
    walk = _Walk(shown)
    data = walk.value(node, ())
    return Document(data, {**walk.places, (): shown}, tuple(walk.problems))


def read_text(path: Path, shown: str) -> str:
    """Return a small UTF-8 file's text, without a byte order mark. Raises SettingsError."""
    try:
        # Of a device or a pipe there may be no end, and nothing yet.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{shown}: is no file but a folder, a pipe or a device: name a file")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SettingsError(
            f"{shown}: there is no such file: copy it from the repository or name another directory"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{shown}: cannot be read: {why}") from None
    if len(raw) > MAX_BYTES:
        raise SettingsError(f"{shown}: has {max(status.st_size, len(raw))} bytes: wanted at most {MAX_BYTES}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{shown}:{line}: is not UTF-8: save the file as UTF-8") from None


class _Strict(Composer):
    """Builds the node tree and refuses what can make it larger or stranger than it looks."""

    depth = 0
    peek_event: Callable[[], Any]

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node, without anchors, aliases, tags and bottomless nesting."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._refuse(event, "anchors and aliases (& and *) are not allowed: write it out")
        if event.tag is not None:
            self._refuse(event, "tags (!) are not allowed")
        if self.depth == MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refuse(self, event: Any, why: str) -> NoReturn:
        raise ComposerError(None, None, why, event.start_mark)


class _StrictLoader(_Strict, yaml.SafeLoader):
    """Reads in Python; its messages are the ones that people see."""


def _composed(text: str) -> yaml.Node | None:
    """Return the node tree. Raises YAMLError.

    LibYAML takes a tenth of the time, half of what a short command reads settings for. It is asked for text
    that both read alike; what is wrong is read again, for the message.
    """
    if yaml.__with_libyaml__ and _PLAIN.fullmatch(text) and not _READ_OTHERWISE.search(text):
        try:
            return yaml.compose(text, Loader=_quick_loader())
        except yaml.YAMLError:
            pass
    return yaml.compose(text, Loader=_StrictLoader)


@cache
def _quick_loader() -> Any:
    """Return what reads by LibYAML, where PyYAML was built with it, and composes as the other."""

    parser: Any = import_module("yaml.cyaml").CParser

    class QuickLoader(_Strict, parser, Resolver):  # type: ignore[misc]
        def __init__(self, text: str) -> None:
            parser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)

    return QuickLoader


class _Walk:
    """Turns a node tree into values and notes places and problems on the way."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.places: dict[KeyPath, str] = {}
        self.problems: list[str] = []

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """Return the node's value."""
        self.places.setdefault(path, self._place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.value(item, (*path, i)) for i, item in enumerate(node.value))
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                self.problems.append(f"{self._place(key_node)}: a key must be text: put it in quotes")
            elif key in found:
                name, first = dotted((*path, key)), self.places[(*path, key)]
                self.problems.append(
                    f"{self._place(key_node)}: {name} is given twice, first at {first}: keep one"
                )
            else:
                self.places[(*path, key)] = self._place(key_node)
                found[key] = self.value(value_node, (*path, key))
        return found

    def _key(self, node: yaml.Node) -> str | None:
        value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
        return value if isinstance(value, str) else None

    def _place(self, node: yaml.Node) -> str:
        return f"{self.shown}:{node.start_mark.line + 1}"


def dotted(path: KeyPath) -> str:
    """Return a key path as `risk.max_daily_loss_pct`."""
    return ".".join(str(part) for part in path)


def _scalar(node: Any) -> str | int | float | bool | None:
    return str(node.value) if node.style else plain_scalar(node.value)


def _syntax_problem(error: yaml.MarkedYAMLError, shown: str) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
    problem = " ".join(", ".join(filter(None, (error.context, error.problem))).split())
    hint = ": that is a tab: indent with spaces" if "\\t" in problem else ""
    return f"{place}: cannot be read: {problem}{hint}"
