"""A folder that scripts may do anything to, and what each of them left behind, printed and sent."""

from __future__ import annotations

import io
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, NoReturn
from unittest.mock import patch
from urllib.parse import urlsplit

import numpy as np
import yaml
from requests import PreparedRequest
from requests.exceptions import ConnectionError as BrokenConnection

from core import cli
from core.domain import Series
from db.init_db import init_db
from tests.markets import random_bars
from tests.traded import trade

CODES = (0, 1, 2, 3, 130)
"""The documented exit codes."""
KEY, SECRET, PASSWORD = "canary-key", "canary-secret", "url-password"
URLS = ("--db-url", "--base-url")
"""Options whose value may hold a password."""
FOUR_HOURS = 14_400_000
COMPOSE = yaml.compose
NOW = 118_600 * FOUR_HOURS
"""When it is in the sandbox, ms UTC: the newest candle has just closed."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
UNFINISHED = re.compile(r"\.part$|(^|/)\.new-")
BOOKKEEPING = re.compile(r"-(wal|shm)$|\.lock$|(^|/)(cache|logs|__pycache__)(/|$)")
"""What may appear beside a database that was only looked at; a loop's log says why the loop ended."""
LOG = "--log-file="
ENDED = "ended: "
ERROR = re.compile(r"^error: ", re.MULTILINE)


class Call(NamedTuple):
    """One command line, and what it may not be taken for."""

    script: str
    argv: tuple[str, ...]
    is_blank: bool = False
    """A value is empty, which is never the same as not given."""


class Outcome(NamedTuple):
    """What came of a call."""

    code: object
    out: str
    err: str
    problems: tuple[str, ...]


class Sent(NamedTuple):
    """A request that would have left the program."""

    host: str
    is_signed: bool


def make_template(folder: Path) -> Path:
    """Return a folder as a person has it: settings, a database with an account and a run, odd files."""
    folder.mkdir()
    shutil.copytree(cli.ROOT / "config", folder / "config")
    trade(folder / "main.db")
    engine = init_db(f"sqlite:///{folder / 'main.db'}")
    store_candles(engine)
    engine.dispose()
    (folder / "keep.json").write_text("mine\n", encoding="utf-8")
    (folder / "candles.csv").write_text("ts,open,high,low,close,volume\n1600000000000,1,1,1,1,1\n", "utf-8")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "link.json").symlink_to("keep.json")
    os.mkfifo(folder / "pipe.csv")
    return folder


def store_candles(engine: Any) -> None:
    """Store enough candles for a run, and a run on them."""
    from core.backtest.fast_backtester import run_fast
    from core.backtest_persistence import save_result
    from core.domain import Costs
    from core.results.runs import RunSpec
    from db.candles import upsert_bars

    bars = random_bars(5, 600)
    bars = bars._replace(ts=NOW - FOUR_HOURS * np.arange(bars.ts.size, 0, -1, dtype=np.int64))
    series = Series("binanceus", "BTC/USDT", "4h")
    upsert_bars(engine, series, bars, clock=lambda: NOW)
    spec = RunSpec(series, "SMA_CROSS", {}, Costs(0.001, 0.0), 10_000.0)
    save_result(run_fast(bars, spec), str(engine.url))


class Sandbox:
    """Runs scripts in a copy of the template, made anew after each call that changed it."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.template, self.folder = template, folder
        self.sent: list[Sent] = []
        self.reset()
        self._before = self._listing()
        self._rows = rows_of(folder / "main.db")

    def call(self, call: Call, env: Mapping[str, str] | None = None) -> Outcome:
        """Run one command line as a process would, and look at what it did."""
        self.sent.clear()
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", how) for how in ("strict", "backslashreplace"))
        code: object = None
        with self._as_process(call, out, err, env or {}):
            module = import_module(call.script)
            try:
                cli.run(lambda: module.main(list(call.argv)))
            except SystemExit as left:
                code = left.code or 0
            except BaseException as error:  # what a person would see as a traceback
                code = f"{type(error).__name__}: {error}"
        out.flush()
        err.flush()
        said = [stream.buffer.getvalue().decode() for stream in (out, err)]
        outcome = Outcome(code, said[0], said[1], ())
        outcome = outcome._replace(problems=tuple(self._problems(call, outcome)))
        # What was written to a database may still be in its log alone.
        if self._listing() != self._before or rows_of(self.folder / "main.db") != self._rows:
            self.reset()
        return outcome

    def reset(self) -> None:
        """Make the folder anew."""
        shutil.rmtree(self.folder, ignore_errors=True)
        # A pipe is made, not copied: there is nothing to read in it.
        shutil.copytree(self.template, self.folder, symlinks=True, ignore=shutil.ignore_patterns("*.csv"))
        shutil.copy2(self.template / "candles.csv", self.folder)
        os.mkfifo(self.folder / "pipe.csv")
        self._before = self._listing()

    def _listing(self) -> dict[str, tuple[int, int]]:
        paths = {str(path.relative_to(self.folder)): path.lstat() for path in self.folder.rglob("*")}
        kept = {name: (s.st_size, s.st_mtime_ns) for name, s in paths.items() if not BOOKKEEPING.search(name)}
        return {name: (0, 0) if (self.folder / name).is_dir() else stamp for name, stamp in kept.items()}

    def _problems(self, call: Call, outcome: Outcome) -> Iterator[str]:
        code, err = outcome.code, outcome.err
        if code not in CODES:
            yield f"ended with {code!r}"
            return
        if call.is_blank and code != 2:
            yield f"took an empty value for one that was not given: code {code}"
        if code in (1, 2, 3) and not ERROR.search(err) and not outcome.out:
            yield "failed without a word"
        if code in (2, 3) and not is_one_line(err):
            yield f"its error is not one line: {err[-300:]!r}"
        shown = outcome.out + err
        urls = all(PASSWORD not in text or text.startswith(URLS) for text in call.argv)
        if SECRET in shown or (urls and PASSWORD in shown):
            yield "showed a secret"
        yield from self._left_behind(code, call)
        yield from self._foreign(call)

    def _left_behind(self, code: object, call: Call) -> Iterator[str]:
        after = self._listing()
        if half := [name for name in after if UNFINISHED.search(name)]:
            yield f"left half-written {half}"
        new, gone = after.keys() - self._before.keys(), self._before.keys() - after.keys()
        if gone:
            yield f"deleted {sorted(gone)}"
        if code == 2 and (wrong := sorted(new - self._log_of(call))):
            yield f"wrote {wrong} though its usage was wrong"
        changed = [name for name in after.keys() & self._before.keys() if after[name] != self._before[name]]
        kept = [name for name in changed if not name.startswith("main.db")]
        if kept and not (code == 0 and "--force" in call.argv):
            yield f"changed {kept}"
        if code == 2 and rows_of(self.folder / "main.db") != self._rows:
            yield "changed the database though its usage was wrong"

    def _log_of(self, call: Call) -> set[str]:
        """Return the log that was asked for, and its folders, when it says why the loop ended."""
        given = [text.removeprefix(LOG) for text in call.argv if text.startswith(LOG)]
        if not given or not (path := self.folder / given[-1]).is_relative_to(self.folder):
            return set()
        if ENDED.encode() not in said_in(path):
            return set()
        name = path.relative_to(self.folder)
        return {str(one) for one in (name, *name.parents)}

    def _foreign(self, call: Call) -> Iterator[str]:
        named = " ".join(call.argv)
        for sent in self.sent:
            if sent.is_signed:
                yield f"signed a request to {sent.host}"
            if sent.host not in LOOPBACK and sent.host not in named:
                yield f"asked {sent.host}, which nobody named"

    @contextmanager
    def _as_process(self, call: Call, out: Any, err: Any, env: Mapping[str, str]) -> Iterator[None]:
        known = {
            name: value for name, value in os.environ.items() if not name.startswith(("HOT_", "EXCHANGE"))
        }
        known |= {"HOT_CRYPTO_DB_URL": f"sqlite:///{self.folder / 'main.db'}"}
        known |= {"EXCHANGE_BASE_URL": "http://127.0.0.1:1"}
        known |= {"EXCHANGE_API_KEY": KEY, "EXCHANGE_API_SECRET": SECRET, **env}
        here = Path.cwd()
        with ExitStack() as stack:
            stack.enter_context(patch.dict(os.environ, known, clear=True))
            for target, name, value in (
                (sys, "argv", [call.script.rpartition(".")[2], *call.argv]),
                (sys, "stdout", out),
                (sys, "stderr", err),
                (cli, "ROOT", self.folder),
                (import_module("db.sqlite"), "ROOT", self.folder),
                *edges(self.sent),
            ):
                stack.enter_context(patch.object(target, name, value))
            os.chdir(self.folder)
            try:
                yield
            finally:
                os.chdir(here)


def edges(sent: list[Sent]) -> Sequence[tuple[Any, str, Any]]:
    """Return what stands in for the network, for what runs on and on, and for what takes minutes."""

    def send(_: object, request: PreparedRequest, **__: object) -> NoReturn:
        headers = {name.lower() for name in request.headers}
        text = f"{request.url} {request.body!r}"
        is_signed = bool(headers & {"x-mbx-apikey", "api-key", "api-sign"}) or "signature=" in text
        sent.append(Sent(str(urlsplit(request.url or "").hostname), is_signed))
        raise BrokenConnection("there is no network")

    replay: Any = import_module("core.cli.replay_command")
    live, ending = (import_module(f"core.cli.live_{name}") for name in ("command", "ending"))
    return (
        (import_module("requests.adapters").HTTPAdapter, "send", send),
        (import_module("yaml"), "compose", compose),
        (import_module("core.exchange.calls").RetryPolicy, "pause", lambda *_: 0.0),
        (import_module("core.live.account"), "now_ms", lambda: NOW),
        (import_module("core.live.world"), "now_ms", lambda: NOW),
        (live, "listen", ending.Asked),
        (live, "follow", lambda *_, **__: ending.Ended("the sandbox ends it")),
        (import_module("core.exchange_sim.server"), "serve", served),
        (import_module("core.cli.dashboard_command"), "serve", opened_page),
        (import_module("core.cli.backtest_command"), "verify", planned_only),
        # At the market's own pace a replay takes as long as its candles did.
        (replay, "paced", partial(replay.paced, sleep=lambda _: None)),
        (import_module("core.cli.docs_command"), "chart", lambda *_: "<svg/>"),
    )


@lru_cache(8)
def compose(text: str, Loader: Any) -> Any:  # noqa: N803 - PyYAML's own name
    """Read YAML as PyYAML does; half of a call's time goes to files that seldom change."""
    return COMPOSE(text, Loader)


def opened_page(terms: Any) -> NoReturn:
    """Build the live page and interrupt it at once."""
    import_module("core.page.server").application(terms)
    raise KeyboardInterrupt


def served(config: Any) -> NoReturn:
    """Build the local exchange and interrupt it at once."""
    server = import_module("core.exchange_sim.server")
    sim = server._sim(config, "http://127.0.0.1:1")
    if sim.state is not None:
        sim.state.close()
    raise KeyboardInterrupt


def planned_only(args: Any) -> int:
    """Plan a verification and leave out the minutes it takes."""
    command: ModuleType = import_module("core.cli.backtest_command")
    settings = cli.load_settings(
        command.overrides(args), command.check_params, args.strategies_file, args.strategies_dir
    )
    command.planned_jobs(args, settings)
    return 0


def is_one_line(err: str) -> bool:
    """Tell whether what a person reads ends with one error on one line; several settings have one each."""
    lines = err.splitlines()
    first = next((i for i, line in enumerate(lines) if ERROR.match(line)), None)
    if first is None or "Traceback" in err:
        return False
    more = lines[first + 1 :]
    return all(line.startswith("  ") for line in more) and (not more or "problems in" in lines[first])


def rows_of(database: Path) -> tuple[tuple[str, int], ...]:
    """Return how many rows each table has, but what was tried: it counts though nobody could read of it."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        names = [name for (name,) in connection.execute(query) if not name.startswith("trial_")]
        counts = (connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)
        return tuple(zip(names, counts, strict=True))


def said_in(path: Path) -> bytes:
    """Return what is in a file, nothing for what is none or can have no such name."""
    try:
        return path.read_bytes() if path.is_file() else b""
    except (OSError, ValueError):
        return b""
