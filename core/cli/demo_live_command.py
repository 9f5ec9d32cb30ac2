"""What demo_live.py does: local exchange, loop and live page, a process each, until one of them ends.

They work on a database of the demo's own, which begins anew each time, as the exchange's day does.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from core import cli
from core.cli import outputs
from core.cli.together import Script, Together, ended
from core.errors import RefusedError, UsageError
from core.order_path.lock import holder, lock_file
from core.serving import listen
from db import live
from db.init_db import init_db

ACCOUNT, FILE = "demo", "demo_live.db"
DAY, SPEED = "2026-01-13T14:28", 30
"""When the exchange's time begins, a while before many trades, and how many minutes of it are one."""
SYMBOLS = "BTC/USDT,ETH/USDT,SOL/USDT,DOGE/USDT"
TRADED = ("--timeframe", "1m", "--symbol", SYMBOLS, "--strategies-file", "config/strategies_1m.yaml")
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOLD = (" buy ", " sell ", "ended: ", "breaker ")
"""In lines of the loop that are shown: orders, trades, what ends them."""


def run(args: argparse.Namespace) -> int:
    """Run the three until Ctrl-C; raise RefusedError when one of them ends by itself, with its reason."""
    folder = cli.ROOT / args.folder
    begin_anew(folder / FILE)
    url = f"sqlite:///{folder / FILE}"
    with Together(cli.ROOT) as parts, ends_by_signals():
        try:
            _start(parts, url, args.port)
            for news in parts.news():
                if news.line is None:
                    raise RefusedError(ended(news))
                if news.part.name == "loop" and any(word in news.line for word in TOLD):
                    print(news.line, flush=True)
        except KeyboardInterrupt:
            print("\nending page, loop and exchange", flush=True)
    return cli.INTERRUPTED


def begin_anew(file: Path) -> None:
    """Remove what an earlier demo left.

    Raises RefusedError while one runs, UsageError for a database that others than the demo traded from.
    """
    # Or the folders before one that cannot be made would be left behind.
    outputs.check_room(str(file))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"--folder {file.parent}: {error.strerror}: name a folder that is there, or can be made"
        ) from error
    if not file.exists():
        return
    if (pid := holder(file, ACCOUNT)) is not None:
        raise RefusedError(f"a demo runs already (process {pid}): end it first, or give this one a --folder")
    engine = init_db(f"sqlite:///{file}")
    try:
        others = sorted({*live.accounts(engine)} - {ACCOUNT})
    finally:
        engine.dispose()
    if others:
        raise UsageError(f"{file} is no demo's, {others[0]} traded from it: name another --folder")
    beside = (file.with_name(f"{file.name}{ending}") for ending in ("-wal", "-shm"))
    for path in (file, *beside, lock_file(file, ACCOUNT)):
        path.unlink(missing_ok=True)


@contextmanager
def ends_by_signals() -> Iterator[None]:
    """Let a hang-up or a request to end do in the block what Ctrl-C does.

    Ctrl-C too: a background job of a script begins deaf to it, and so would the parts, which are ended by it.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(parts: Together, url: str, port: int) -> None:
    """Start the three, each once the one before works, and say where the page is."""
    exchange = Script(
        "local exchange",
        ("run_exchange_sim.py", "--port", "0", "--start-at", DAY, "--speed", str(SPEED)),
        r"^local exchange .* at (http\S+)",
    )
    address = _typed(parts, exchange, environment_of(os.environ))
    environment = environment_of(os.environ, EXCHANGE_BASE_URL=address)
    kept = ("--account", ACCOUNT, "--db-url", url)
    feed = ("--exchange", "binanceus", "--use-sql", "--refresh-from-ccxt", "--speed", str(SPEED))
    loop = Script("loop", ("run_live.py", "--plain", *kept, *feed, *TRADED), r"\b(equity) ")
    page = Script(
        "page", ("start_dashboard.py", "--port", str(free_port(port)), *kept), r"^account .*(http\S+)$"
    )
    _typed(parts, loop, environment)
    where = _typed(parts, page, environment)
    every = 60 / SPEED
    print(
        f"\nopen {where} in a browser: SYNTHETIC candles, one every {every:g} s, and paper money", flush=True
    )
    print("end all three: Ctrl-C\n", flush=True)


def _typed(parts: Together, part: Script, environment: Mapping[str, str]) -> str:
    address = environment.get("EXCHANGE_BASE_URL", "")
    before = f"EXCHANGE_BASE_URL={address} " if address else ""
    print(f"$ {before}python scripts/{shlex.join(part.words)}", flush=True)
    return parts.start(part, environment)


def environment_of(given: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return what the parts see: this process's variables, without an exchange's, and `more`."""
    return {name: text for name, text in given.items() if not name.startswith("EXCHANGE_")} | more


def free_port(wanted: int) -> int:
    """Return this port if nobody listens there, else 0, any free one."""
    try:
        listen("127.0.0.1", wanted, UsageError, "").close()
    except UsageError:
        print(f"# port {wanted} is in use, so the page takes another one")
        return 0
    return wanted
