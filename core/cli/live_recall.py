"""What an account last ran on, as options: one look goes on with it, and commands to type name it."""

from __future__ import annotations

import argparse
import shlex
from typing import Any

from sqlalchemy import Engine

from core.cli import load_settings
from core.errors import DatabaseError
from core.live.modes import ON_PAPER
from core.live.standing import USUAL, command
from core.utils import now_ms
from db import live
from db.base import open_engine
from db.init_db import get_db_url

OPTIONS = "options"
"""Under this name the state of an account keeps them."""
HEALTH = "health_port"
"""Beside them: the port on which the loop says how it is, absent where it says it on none."""
_NAMES = (
    "strategy",
    "symbol",
    "timeframe",
    "exchange",
    "orders",
    "live",
    "i_understand_the_risks",
    "use_sql",
    "refresh_from_ccxt",
    "strategies_file",
    "strategies_dir",
)


def recall(args: argparse.Namespace) -> str:
    """Let an account go on with what it last ran on, where no option says otherwise; return those options."""
    try:
        engine = open_engine(load_settings({"db.url": args.db_url}).db.url or get_db_url())
        try:
            kept = options_of(engine, args.account)
        finally:
            engine.dispose()
    except DatabaseError:
        # A new one, or what opening the account will say.
        return ""
    # Who fills orders is never recalled: whoever types nothing gets paper, or is told to name the exchange.
    typed = {*_typed(args), "orders", "live", "i_understand_the_risks"}
    missing = {name: value for name, value in kept.items() if name not in typed}
    vars(args).update(missing)
    return words_of(missing)


def keep(engine: Engine, args: argparse.Namespace) -> None:
    """Store what an account runs on now, and where its loop says how it is."""
    told = {} if args.health_port is None else {HEALTH: args.health_port}
    live.keep_state(engine, args.account, OPTIONS, _typed(args) | told, now_ms())


def options_of(engine: Engine, account: str) -> dict[str, Any]:
    """Return what an account last ran on, by name; nothing of one that ran before it was kept."""
    kept = live.read_state(engine, account).get(OPTIONS, {})
    return {name: kept[name] for name in _NAMES if name in kept}


def health_port_of(engine: Engine, account: str) -> int | None:
    """Return the port on which an account's loop says how it is, None where it was not told to."""
    port = live.read_state(engine, account).get(OPTIONS, {}).get(HEALTH)
    return port if type(port) is int else None


def words_of(options: dict[str, Any]) -> str:
    """Return options as they are typed."""
    words: list[str] = []
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(shlex.quote(",".join(value) if isinstance(value, list) else value))
    return " ".join(words)


def start_of(args: argparse.Namespace, orders: str, *, is_running: bool) -> str:
    """Return how a command begins that reaches this account: with one look where no loop runs."""
    return command(USUAL, db_url=args.db_url, once=not is_running, orders=orders)


def look_of(args: argparse.Namespace, engine: Engine, option: str) -> str:
    """Return the whole command that has one look carry out an option."""
    options = words_of(options_of(engine, args.account))
    return command(args.account, options, option, db_url=args.db_url, once=True)


def _typed(args: argparse.Namespace) -> dict[str, Any]:
    # Real money says by itself who fills orders.
    usual = [("orders", ON_PAPER), *([("orders", args.orders)] if args.live else [])]
    given = ((name, getattr(args, name)) for name in _NAMES)
    return {name: value for name, value in given if value and (name, value) not in usual}
