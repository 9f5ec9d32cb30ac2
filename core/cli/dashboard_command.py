"""What start_dashboard.py does: serve the page of an account until Ctrl-C."""

from __future__ import annotations

import argparse
from threading import Event

from core import cli
from core.errors import UsageError
from core.page.account import Watched
from core.page.guard import LOCAL, Keys
from core.page.server import PageTerms, serve
from core.settings import environment
from db.base import open_engine
from db.init_db import get_db_url

SHORTEST = 12
"""Characters of a password or token where others can try them."""
PASSWORD, TOKEN = "HOT_CRYPTO_DASHBOARD_PASSWORD", "HOT_CRYPTO_DASHBOARD_TOKEN"


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Raises UsageError for an address that others reach without a good password."""
    given = environment(cli.ROOT)
    keys = Keys(password=given.get(PASSWORD, "").strip(), token=given.get(TOKEN, "").strip())
    if args.host not in LOCAL:
        _check_keys(args.host, keys)
    settings = cli.load_settings({"db.url": args.db_url})
    engine = open_engine(settings.db.url or get_db_url())
    terms = PageTerms(Watched(engine, args.account), args.host, args.port, keys)
    try:
        with serve(terms) as url:
            print(f"account {args.account}: {url}", flush=True)
            print(f"commands: {'with the token' if keys.token else f'none, {TOKEN} is not set'}", flush=True)
            print("stop it: Ctrl-C", flush=True)
            Event().wait()
    except KeyboardInterrupt:
        return cli.INTERRUPTED
    finally:
        engine.dispose()
    return 0


def _check_keys(host: str, keys: Keys) -> None:
    if not keys.password:
        raise UsageError(
            f"--host {host} lets others see the account: set {PASSWORD} too, or leave --host out"
        )
    for name, key in ((PASSWORD, keys.password), (TOKEN, keys.token)):
        if key and len(key) < SHORTEST:
            what = f"wanted {SHORTEST} characters or more where others reach the page (--host {host})"
            raise UsageError(f"{name}: {what}, got {len(key)}: choose a longer one, or leave --host out")
