"""Make the database: its directory, its file and its tables. Repeating it changes nothing."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import TYPE_CHECKING

from core.arguments import Parser
from core.errors import HotCryptoError

if TYPE_CHECKING:
    from sqlalchemy import Engine

DEFAULT_URL = "sqlite:///data/hot_crypto.db"


def get_db_url() -> str:
    """Return HOT_CRYPTO_DB_URL, or the default SQLite file in the project's data directory."""
    return os.environ.get("HOT_CRYPTO_DB_URL") or DEFAULT_URL


def init_db(db_url: str | None = None) -> Engine:
    """Make directory, file and tables where they are missing, and return the engine.

    Raises DatabaseError when the database cannot be made or used.
    """
    from db.base import open_engine

    return open_engine(get_db_url() if db_url is None else db_url, create=True)


def main(argv: list[str] | None = None) -> int:
    """Make the database and say where it is."""
    parser = Parser(
        prog="python -m db.init_db",
        description="Make the database and its tables where they are missing; what is stored stays.",
        epilog="Next: load candles with scripts/fetch_ohlcv_to_db.py or scripts/import_ohlcv_to_db.py.",
        allow_abbrev=False,
    )
    parser.add_argument("--db-url", help=f"where (default: HOT_CRYPTO_DB_URL, else {DEFAULT_URL})")
    args = parser.parse_args(argv)
    try:
        engine = init_db(args.db_url)
    except HotCryptoError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    _report(engine)
    return 0


def _report(engine: Engine) -> None:
    from sqlalchemy import inspect

    from db.base import schema_version
    from db.faults import database_name

    print(f"database  {database_name(engine.url)}")
    print(f"schema    version {schema_version(engine)}")
    tables = ", ".join(sorted(inspect(engine).get_table_names()))
    print(textwrap.fill(f"tables    {tables}", 100, subsequent_indent=" " * 10))
    engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
