"""Where a command's candles come from."""

from __future__ import annotations

import argparse

from core.backtester import open_source
from core.data_source import DataSource
from core.settings import Settings

EXCHANGE_LIMIT = 1000
"""Bars asked of the exchange when no limit is given."""


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
