"""What columns look at besides bars and parameters, by their source: clock, chance, files, programs."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType

from strategies.rule import StrategyRule
from strategies.rule_source import Line, all_helpers, names_of, reads, root_of, steps_of

IMPURE = frozenset(
    {"time", "random", "secrets", "os", "sys", "io", "shutil", "socket", "ssl", "subprocess"}
    | {"threading", "multiprocessing", "asyncio", "concurrent", "queue", "signal", "select", "selectors"}
    | {"requests", "urllib", "urllib3", "http", "httpx", "aiohttp", "websocket", "websockets", "ftplib"}
    | {"smtplib", "sqlite3", "sqlalchemy", "ccxt", "yfinance", "pickle", "marshal", "shelve", "dbm", "csv"}
    | {"glob", "tempfile", "fileinput", "linecache", "zipfile", "tarfile", "gzip", "bz2", "lzma", "mmap"}
    | {"ctypes", "gc", "inspect", "importlib", "builtins", "uuid", "platform", "getpass", "pathlib"}
)
"""Modules by which columns would depend on more than bars and parameters …"""
IMPURE_BUILTINS = frozenset(
    {"open", "input", "exit", "quit", "eval", "exec", "compile", "__import__", "globals", "vars"}
    | {"getattr", "setattr", "delattr", "id", "hash", "breakpoint"}
)
"""… built-in functions, …"""
NOW = frozenset({"now", "utcnow", "today"})
"""… what asks `datetime` and pandas for the time, …"""
WORDS_OF_NOW = NOW - {"utcnow"}
"""… the words that NumPy and pandas take for it, …"""
DOORS = frozenset(
    {
        "random",
        "load",
        "loadtxt",
        "genfromtxt",
        "fromfile",
        "fromregex",
        "memmap",
        "open_memmap",
        "DataSource",
    }
    | {"save", "savez", "savez_compressed", "savetxt", "ctypeslib", "f2py", "npyio"}
    | {"HDFStore", "ExcelFile", "ExcelWriter"}
)
"""… NumPy's and pandas' names for files and chance, besides pandas' `read_…`, …"""
HATCHES = frozenset({"setflags", "ctypes", "as_strided", "tofile", "dump"})
"""… and what leads around an array to its memory, or out of it to a file."""
DATA = frozenset({"numpy", "pandas"})


def impure(rule: StrategyRule) -> Iterator[Line]:
    """Yield what columns and their helpers look at besides bars and parameters, or keep between calls."""
    named = {"columns": rule.columns, **all_helpers(rule.columns)}
    for place, function in named.items():
        yield from reads(place, function, is_column=True)
        if isinstance(function, FunctionType):
            for what in sorted(_foreign(function)):
                yield place, f"uses {what}", "let bars and parameters alone decide"


def _foreign(function: FunctionType) -> set[str]:
    steps = list(steps_of(function.__code__))
    imported = {str(step.argval) for step in steps if step.opname == "IMPORT_NAME"}
    attributes = {str(step.argval) for step in steps if step.opname in ("LOAD_ATTR", "LOAD_METHOD")}
    attributes |= {str(step.argval) for step in steps if step.opname == "IMPORT_FROM"}
    found = {name for name in imported if root_of(name) in IMPURE}
    found |= {repr(step.argval) for step in steps if step.opname == "LOAD_CONST" and _is_now(step.argval)}
    found |= {f".{name}" for name in attributes if name in HATCHES or name.startswith("__")}
    if any(root_of(name) in DATA for name in imported):
        found |= {name for name in attributes if _is_door(name)}
    for name, _ in names_of(function.__code__):
        value = function.__globals__.get(name)
        origin = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
        root = root_of(origin or "")
        if root in IMPURE or (value is None and name in IMPURE_BUILTINS):
            found.add(name)
        if root in DATA and not isinstance(value, ModuleType) and _is_door(getattr(value, "__name__", "")):
            found.add(name)
        if root in DATA and isinstance(value, ModuleType):
            found |= {f"{name}.{one}" for one in attributes if _is_door(one)}
        if root in DATA or root == "datetime":
            found |= {f"{name}'s {one}" for one in attributes & NOW}
    return found


def _is_door(name: str) -> bool:
    return name in DOORS or name.startswith("read_")


def _is_now(value: object) -> bool:
    return isinstance(value, str) and value in WORDS_OF_NOW
