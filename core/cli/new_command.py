"""What new_strategy.py does: a copy of an example under a name of its own, and what to do with it."""

from __future__ import annotations

import argparse
from pathlib import Path

from core import cli
from core.cli import outputs
from core.cli.candles import exchange_words
from core.errors import UsageError
from core.settings import OWN_FOLDER, environment
from strategies.folder import CALLED, NAME, PACKAGE
from strategies.registry import REGISTRY

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "strategies"


def run(args: argparse.Namespace) -> int:
    """Write the file, print what to do next. Raises UsageError rather than overwrite anything."""
    name = args.name.upper()
    text = named((EXAMPLES / f"{args.like}.py").read_text("utf-8"), args.like.upper(), name)
    file = create(args, name, text)
    where = f" --strategies-dir {args.strategies_dir}" if args.strategies_dir else ""
    print(f"{file}: {len(text.splitlines())} lines, like {args.like}. Change it, then:")
    stored = exchange_words()
    print(f"  python scripts/check_strategy.py {file}{stored}")
    print(f"  python scripts/run_backtest.py --strategy {name} --use-sql{stored}{where}")
    return 0


def create(args: argparse.Namespace, name: str, text: str) -> Path:
    """Write a strategy's file where one's own are. Raises UsageError rather than overwrite anything."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{args.name or name!r} is no name for a strategy: wanted {CALLED}")
    if name in REGISTRY or name.lower() in REGISTRY.values():
        raise UsageError(f"{name} is one of the project's strategies: choose another name")
    folder = folder_of(args)
    file = folder / f"{name.lower()}.py"
    outputs.check_room(str(file))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already, and is not overwritten: choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
    return file


def folder_of(args: argparse.Namespace) -> Path:
    """Return the folder to write to, which need not be there yet."""
    named = args.strategies_dir or environment(cli.ROOT).get(OWN_FOLDER)
    folder = Path(named).expanduser() if named else cli.ROOT / PACKAGE
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def named(text: str, old: str, new: str) -> str:
    """Return an example under another name."""
    return (
        text.replace(f'name="{old}"', f'name="{new}"')
        .replace(f"({old})", f"({new})")
        .replace(f'"{old}"', f'"{new}"')
    )
