"""What all scripts share: exit codes, one line per error, progress on a terminal only."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.arguments import Parser
from core.cli import outputs
from core.errors import HotCryptoError, UsageError
from core.figures import how_many
from core.order_path.client_ids import checked_name
from core.secrecy import hidden, hide, secrets_of
from core.symbols import symbol_name
from core.utils import parse_time, timeframe_name

if TYPE_CHECKING:
    from datetime import tzinfo
    from types import TracebackType

    from core.settings import ParamCheck, Settings

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130
T = TypeVar("T")
MOST = 2**31 - 1
"""The largest number of anything; databases count runs so far."""
TYPED = {
    "db.url": "--db-url",
    "backtest.default_cash": "--cash",
    "exchange.base_url": "--base-url",
}
"""By the setting that an option stands for."""
_OPTION = re.compile(r"\b(exchange|symbol|timeframe|timezone|volume|db_url)='([^']*)'")
"""An option in a message of core, which calls it as Python does."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def start_sooner() -> None:
    """Set what makes a script start sooner: compiled code is kept, and garbage looked for less often."""
    # Importing and compiling make millions of objects that stay: looking for garbage among them every 700
    # costs a sixth of a script's start.
    gc.set_threshold(100_000, 20, 20)
    # The compiler would import it, where it is installed, to ask whether somebody measures.
    sys.modules.setdefault("coverage", None)  # type: ignore[arg-type]
    # Pydantic would read about every package that is installed, for plugins that there are none of.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / "data" / "cache" / "kernels"))


def run(main: Callable[[], int | None]) -> None:
    """Run a script's main; turn errors into one line on stderr and the documented exit code."""
    start_sooner()
    show = sys.unraisablehook
    sys.unraisablehook = partial(deliver_again, show)
    sys.excepthook = show_fault
    _replace_closed_streams()
    try:
        code = main() or 0
        sys.stdout.flush()
    except HotCryptoError as error:
        hide_secrets()
        print(f"error: {hidden(as_typed(str(error)))}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted: what was finished is saved", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has enough.
        _abandon_stdout()
        code = 0
    except OSError as error:
        # Files and databases have errors of their own: what is left is printing, to a full disk say.
        if error.errno not in _NO_ROOM:
            raise
        _abandon_stdout()
        print(f"error: cannot write the output: {error.strerror}", file=sys.stderr)
        code = 1
    finally:
        sys.unraisablehook = show
    sys.exit(code)


def show_fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what nobody caught as Python does, but no secret in it."""
    hide_secrets()
    print(hidden("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


def hide_secrets() -> None:
    """Hide the secrets of the environment, and of .env, in whatever this process says of a fault."""
    from core import settings

    env: Mapping[str, str] = os.environ
    with suppress(HotCryptoError):
        env = settings.environment(ROOT)
    hide(secrets_of(env))


def deliver_again(show: Callable[[Any], object], lost: sys.UnraisableHookArgs) -> None:
    """Interrupt once more if Ctrl-C came while Python could not raise it, inside a destructor say.

    Otherwise that Ctrl-C would be printed and forgotten, and the program would go on.
    """
    if lost.exc_type is KeyboardInterrupt:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        show(lost)


def parser(description: str, examples: str) -> argparse.ArgumentParser:
    """Return an argument parser that shows examples below its options."""
    return Parser(
        description=description,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def span(args: argparse.Namespace) -> tuple[int | None, int | None]:
    """Return --start and --end in ms UTC, None for what was not given.

    Raises UsageError for what is no time, and for a start that is not before the end.
    """
    start, end = (None if text is None else parse_time(text) for text in (args.start, args.end))
    if start is not None and end is not None and start >= end:
        raise UsageError(f"--start must come before --end, got {args.start} and {args.end}")
    return start, end


def load_settings(
    overrides: dict[str, object] | None = None,
    check: ParamCheck | None = None,
    strategies_file: str | None = None,
    strategies_dir: str | None = None,
) -> Settings:
    """Return the settings: command line over environment and .env over config/*.yaml.

    `overrides` maps `section.key` to a value, None for not given; `strategies_file` stands in for
    config/strategies.yaml and that of the folder of one's own strategies, which `strategies_dir` names and
    which is open from then on. What looks like a mistake is said on stderr. Raises SettingsError.
    """
    from core import settings
    from strategies.folder import place_of, settings_file
    from strategies.registry import use_folder

    env = settings.environment(ROOT)
    hide(secrets_of(env))
    folder = place_of(strategies_dir or env.get(settings.OWN_FOLDER) or None, ROOT)
    broken = use_folder(folder)
    entries = None if strategies_file is None else Path(strategies_file)
    own = settings_file(folder) if entries is None else None
    loaded = settings.load_settings(ROOT / "config", env, check, entries, own)
    wanted = settings.with_overrides(loaded, overrides or {}, TYPED)
    for line in (*settings.notes(wanted), *(f"left out: {line}" for line in broken if check is not None)):
        print(f"note: {line}", file=sys.stderr)
    return wanted


def missing_parts(name: str) -> str:
    """Return what to say of a strategy that was not translated whole, blank of all others."""
    from strategies.registry import load_strategy

    count = load_strategy(name).rule.untranslated
    verb = "was" if count == 1 else "were"
    what = f"{how_many(count, 'part')} of {name} {verb} not translated"
    return f"{what}: it is another strategy than the one it was written from" if count else ""


def note_missing_parts(names: Iterable[str]) -> None:
    """Say on stderr which of these strategies were not translated whole."""
    for line in filter(None, map(missing_parts, dict.fromkeys(names))):
        print(f"note: {line}", file=sys.stderr)


def as_typed(text: str) -> str:
    """Return a message with the options in it as a person types them: --exchange kraken."""
    return _OPTION.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2]}", text)


def whole(low: int, high: int, text: str) -> int:
    """Return a whole number within bounds; bound to them it is an argparse type."""
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"wanted a whole number from {low} to {high}, got {text!r}")
    return number


positive = partial(whole, 1, MOST)
"""Return a whole number of at least 1; an argparse type."""
port = partial(whole, 0, 65_535)
"""Return a port, 0 for any free one; an argparse type."""
processes = partial(whole, 1, 1024)
"""Return how many processes may work at once; an argparse type."""


def scheduler_address(text: str) -> str:
    """Return a scheduler's address. Raises argparse.ArgumentTypeError unless it has a host and a port."""
    host, colon, port = text.removeprefix("tcp://").removeprefix("tls://").rpartition(":")
    if not colon or not re.fullmatch(r"[\w.-]+", host, re.ASCII) or not re.fullmatch("[0-9]{1,5}", port):
        raise argparse.ArgumentTypeError(f"wanted HOST:PORT, such as 10.0.0.5:8786, got {text!r}")
    return text if "://" in text else f"tcp://{text}"


def number(text: str) -> float:
    """Return a number as people write it; how far it may go the settings know; an argparse type."""
    value = _number(text)
    if isnan(value):
        raise argparse.ArgumentTypeError(f"wanted a number such as 10000, got {text!r}")
    return value


def path(text: str) -> Path:
    """Return a path, which an empty text is not; an argparse type."""
    if not text.strip():
        raise argparse.ArgumentTypeError("wanted a file, got an empty name")
    return Path(text)


def account(text: str) -> str:
    """Return an account's name, which is part of names of files; an argparse type."""
    return _checked(partial(checked_name, "account"), text)


def measured(text: str) -> str:
    """Return the account of `measured` or `measured:live`; an argparse type."""
    word, _, name = text.partition(":")
    if word != "measured" or (":" in text and not name):
        raise argparse.ArgumentTypeError(f"wanted measured, or measured:ACCOUNT, got {text!r}")
    return account(name or "paper")


def rate(text: str) -> float:
    """Return a share of price or notional, as settings.yaml allows it: at most 5 %."""
    number = _number(text)
    if not 0 <= number <= 0.05:
        raise argparse.ArgumentTypeError(f"wanted a rate from 0 to 0.05 (0.001 is 0.1 %), got {text!r}")
    return number


def share(text: str) -> float:
    """Return a percentage from 0 to 90; an argparse type."""
    number = _number(text.removesuffix("%"))
    if not 0 <= number <= 90:
        raise argparse.ArgumentTypeError(f"wanted percent from 0 to 90, such as 30, got {text!r}")
    return number


def speed(text: str) -> float | str:
    """Return a factor above 0, or `max`; an argparse type."""
    if text == "max":
        return text
    factor = _number(text)
    if not 1e-3 <= factor <= 1e9:
        raise argparse.ArgumentTypeError(
            f"wanted a number above 0, from 0.001 to 1e9 (60: a minute a second) or max, got {text!r}"
        )
    return factor


def exchange_label(text: str) -> str:
    """Return an exchange's label in lower case."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", text, re.I | re.A):
        raise argparse.ArgumentTypeError(f"wanted an exchange such as binance, got {text!r}")
    return text.lower()


def symbol(text: str) -> str:
    """Return a symbol as it is written everywhere; an argparse type."""
    return _checked(symbol_name, text)


def timeframe(text: str) -> str:
    """Return a timeframe as it is written everywhere; an argparse type."""
    return _checked(timeframe_name, text)


def zone(text: str) -> tzinfo:
    """Return a time zone by its name; an argparse type."""
    from core.candles.text import zone_named

    return _checked(zone_named, text)


def _number(text: str) -> float:
    """Return a number as people write it, NaN for anything else."""
    return (
        float(text)
        if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", text, re.I)
        else nan
    )


def _checked(name: Callable[[str], T], text: str) -> T:
    try:
        return name(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[..., None]]:
    """Show a progress bar on stderr if that is a terminal; yield what advances it, by 1 or a number."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda by=1: bar.advance(task, by)


def check_free(*paths: str | None, force: bool, page: str | None = None) -> None:
    """Raise UsageError for an output that could not be written later, or would replace something.

    Two outputs to one place, a folder, a name that is too long, a file that exists (unless forced, and then
    one of this program's own: for `page` a page). None is no output; `-`, pipes and devices are always free.
    """
    named = [path for path in (*paths, page) if path is not None]
    outputs.check_apart(named)
    for path in named:
        outputs.check_output(path, force=force, page=path == page)


def check_new(path: str | None) -> None:
    """Raise UsageError for an output that could not be written, or that exists: it is never replaced."""
    if path is not None and os.path.lexists(path):
        raise UsageError(f"{path} exists and is left as it is: name another file")
    check_free(path, force=False)


def write_output(path: str, text: str, what: str = "written", more: str = "") -> None:
    """Write text to a file, all or nothing, and say so on stderr; or to stdout for `-`, and say nothing.

    A blank `what` says nothing either. Raises UsageError if it cannot be written.
    """
    if path == "-":
        sys.stdout.write(text)
        return
    target = Path(path)
    outputs.check_room(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and outputs.is_stream(target.stat().st_mode):
            target.write_text(text, encoding="utf-8")
        else:
            _write_whole(Path(os.path.realpath(target)), text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name a folder you may write to") from None
    if what:
        print(f"{what}: {path}{more}", file=sys.stderr)


def write_page(path: str, text: str) -> None:
    """Write a page and say where it is. Raises UsageError if it cannot."""
    write_output(path, text, "report", " (open it in a browser)")


def _write_whole(target: Path, text: str) -> None:
    # A name of its own length: beside the longest name there is room for no longer one.
    unfinished = target.with_name(f".{os.getpid()}.part")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(target)
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _replace_closed_streams() -> None:
    # A program that was started with stdout or stderr closed (`>&-`) has None there.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open to the end


def _abandon_stdout() -> None:
    # Python would write what is left over at its end, and fail once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
