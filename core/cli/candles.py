"""Where a command's candles come from."""

from __future__ import annotations

import argparse
from collections import Counter

from core.backtester import open_source
from core.cli import load_settings
from core.data_source import DataSource
from core.errors import HotCryptoError
from core.settings import Settings
from db.base import open_engine
from db.init_db import get_db_url
from db.stored_series import stored_ranges

EXCHANGE_LIMIT = 1000
"""Bars asked of the exchange when no limit is given."""


def exchange_words() -> str:
    """Return the option that names whose candles are stored, for commands to type.

    Blank where some of the exchange in the settings are, where none are, and where nobody can say.
    """
    try:
        settings = load_settings({})
        engine = open_engine(settings.db.url or get_db_url())
    except HotCryptoError:
        return ""
    try:
        counted = Counter(one.series.exchange for one in stored_ranges(engine))
    finally:
        engine.dispose()
    names = [name for name, _ in counted.most_common()]
    return f" --exchange {names[0]}" if names and settings.exchange.name not in names else ""


def source_of(args: argparse.Namespace, settings: Settings) -> DataSource:
    """Return stored candles with --use-sql, else the exchange; whose, --exchange or the settings say."""
    name = args.exchange or settings.exchange.name
    return open_source(
        name,
        use_sql=args.use_sql,
        db_url=settings.db.url,
        base_url=settings.exchange.base_url,
        sandbox=settings.exchange.sandbox and name == settings.exchange.name,
    )
