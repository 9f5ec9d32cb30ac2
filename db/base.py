"""The one place that opens an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, ProgrammingError

from core.errors import DatabaseError, NoDatabaseError
from core.utils import now_ms
from db import migrations, sqlite
from db.candle_revisions import create_triggers
from db.faults import database_error, database_name, init_command
from db.patience import patience_of

SCHEMA_VERSION = 7
"""Raised by one with every change to the tables; a database with a higher one is refused."""
ADDED_TO = 1
"""From this version on only tables and columns were added, so init_db brings an older database up to date."""
ALL_TABLES = 2
"""From this version on a database has all tables: one that is missing was lost, and is never made anew."""
CAME_LATER = {"trial_entries": 6, "trial_heads": 6, "account_snapshots": 7, "daily_metrics": 7}
"""The tables that are younger, with the version from which on this holds for them."""

TABLES = frozenset(
    {
        "account_snapshots",
        "backtest_runs",
        "backtest_trades",
        "candle_revisions",
        "candle_series",
        "daily_metrics",
        "fills",
        "journal",
        "live_commands",
        "live_decisions",
        "live_equity",
        "live_fills",
        "live_runs",
        "live_state",
        "live_trades",
        "ohlcv",
        "order_cursors",
        "order_intents",
        "orders",
        "postings",
        "schema_info",
        "trading_accounts",
        "trial_entries",
        "trial_heads",
    }
)
"""By name, so that opening a database imports none of their models; a test compares them."""


def open_engine(db_url: str, *, create: bool = False) -> Engine:
    """Open a database and check that this program can use it.

    A relative SQLite path is relative to the project. `?mode=ro` opens an SQLite file for reading
    only, `?timeout=SECONDS` says how long to wait for a lock. Nothing is made unless `create`, and
    nothing that exists is ever overwritten. Errors of the engine are DatabaseError from then on.

    Raises DatabaseError when it is missing, empty, damaged, locked, unreachable, of another program
    or of a newer version, or when the URL cannot be used.
    """
    url = _parse(db_url)
    if url.get_backend_name() == "sqlite" and not sqlite.in_memory(url):
        _find_file(url, create=create)
    engine = _make_engine(url)
    try:
        _check_schema(engine, create=create)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that writes; it is committed at the end, or undone as a whole.

    SQLite takes its write lock at once, because a transaction that reads first and writes later can
    fail at the first write however long it is willing to wait.
    """
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


def marked(sql: str, database: Connection | Engine) -> str:
    """Return SQL with the driver's own placeholder."""
    return sql if database.dialect.paramstyle == "qmark" else sql.replace("?", "%s")


def database_file(engine: Engine) -> Path | None:
    """Return the SQLite file behind an engine, None for a server or memory."""
    if engine.dialect.name != "sqlite" or sqlite.in_memory(engine.url):
        return None
    return Path(str(engine.url.database))


def file_of(db_url: str) -> Path | None:
    """Return the SQLite file that a URL names, there or not; None for a server or memory."""
    url = _parse(db_url)
    is_file = url.get_backend_name() == "sqlite" and not sqlite.in_memory(url)
    return Path(str(url.database)) if is_file else None


def schema_version(engine: Engine) -> int | None:
    """Return the version of the tables, None when the database does not say."""
    with engine.connect() as connection:
        version: int | None = connection.execute(text("SELECT max(version) FROM schema_info")).scalar()
    return version


def _parse(db_url: str) -> URL:
    try:
        url = make_url(db_url)
    except (ArgumentError, ValueError):
        # What was given is not repeated: it may hold a password.
        raise DatabaseError(
            "cannot read the database URL: wanted sqlite:///data/hot_crypto.db (three slashes, then the "
            "file) or postgresql://user:password@host/name"
        ) from None
    if url.get_backend_name() != "sqlite":
        return url
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise _unknown_kind(url)
    return url if sqlite.in_memory(url) else sqlite.located(url)


def _unknown_kind(url: URL) -> DatabaseError:
    return DatabaseError(
        f"unknown kind of database {url.drivername!r}: wanted sqlite:///FILE or postgresql://…"
    )


def _find_file(url: URL, *, create: bool) -> None:
    path = Path(str(url.database))
    if sqlite.check_file(path):
        return
    if not create:
        raise NoDatabaseError(
            f"there is no database {path} yet: scripts/fetch_ohlcv_to_db.py and import_ohlcv_to_db.py make "
            f"one of what they load, `{init_command(str(path))}` an empty one; or name another with "
            "db_url='sqlite:///PATH' or HOT_CRYPTO_DB_URL",
            str(path),
        )
    sqlite.make_file(path, _fill)


def _fill(draft: Path) -> None:
    engine = _make_engine(URL.create("sqlite", database=str(draft)))
    try:
        _create_tables(engine)
    finally:
        engine.dispose()


def _make_engine(url: URL) -> Engine:
    try:
        engine = _bare_engine(url)
    except (NoSuchModuleError, ArgumentError):
        raise _unknown_kind(url) from None
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{url.drivername!r} needs the Python package {error.name!r}, which is not installed: "
            f"install it, or use sqlite:///FILE"
        ) from None
    name = database_name(engine.url)

    def translate(context: ExceptionContext) -> BaseException | None:
        # A ProgrammingError is a mistake in this program and keeps its traceback.
        found = context.sqlalchemy_exception
        if found is None or isinstance(found, ProgrammingError):
            return None
        return database_error(context.original_exception, name)

    event.listen(engine, "handle_error", translate, retval=True)
    return engine


def _bare_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    if sqlite.in_memory(url):
        engine = create_engine(url, connect_args={"isolation_level": None})
    else:
        engine = create_engine(url.set(query={}), creator=sqlite.opener(url))
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # The driver's own transaction control begins at the first write only, and never IMMEDIATE.
    options = connection.get_execution_options()
    if options.get("writes", False):
        patience_of(options)(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    else:
        connection.exec_driver_sql("BEGIN")


def _check_schema(engine: Engine, *, create: bool) -> None:
    with engine.connect() as connection:
        present = set(inspect(connection).get_table_names())
    name = database_name(engine.url)
    old = False
    if "schema_info" in present:
        version = schema_version(engine)
        old = _is_old(version, name)
        _check_lost(TABLES - present, version or 0, name)
    elif present and engine.dialect.name == "sqlite":
        raise DatabaseError(
            f"database {name} belongs to another program (it has the table {min(present)!r}) and was left "
            f"alone: name another file"
        )
    if TABLES.issubset(present) and not old:
        return
    if not create:
        # A server's address may hold a password, so it is not repeated as a command.
        command = init_command(name) if engine.dialect.name == "sqlite" else "python -m db.init_db --db-url …"
        raise DatabaseError(
            f"database {name} lacks tables: add them with `{command}`, which keeps what is stored"
        )
    _create_tables(engine)


def _check_lost(missing: frozenset[str], version: int, name: str) -> None:
    """Raise DatabaseError for tables that a database of this version had."""
    lost = {table for table in missing if version >= CAME_LATER.get(table, ALL_TABLES)}
    if lost:
        raise DatabaseError(
            f"database {name} has lost the table {min(lost)!r} with all that was in it, and it is not "
            "made anew: restore a backup with scripts/backup_database.py --restore FILE, or name another file"
        )


def _is_old(version: int | None, name: str) -> bool:
    """Return whether tables have to be added. Raises DatabaseError when that is not enough."""
    if version is not None and ADDED_TO <= version <= SCHEMA_VERSION:
        return version < SCHEMA_VERSION
    what = "newer" if version and version > SCHEMA_VERSION else "not one that this program can read"
    raise DatabaseError(
        f"database {name} has schema version {version}, this program has {SCHEMA_VERSION}: it is {what}; "
        f"use the program that made it (update this one) or name another database"
    )


def _create_tables(engine: Engine) -> None:
    # Not at the top: whoever reads candles knows no models. These import all others.
    from db import live_models, order_models, trial_models  # noqa: F401
    from db.declared import Base

    with writing(engine) as connection:
        Base.metadata.create_all(connection)
        migrations.add_columns(connection)
        create_triggers(connection)
        # Two processes may set up one server at once: the fixed key lets only one row exist.
        connection.execute(
            text(
                "INSERT INTO schema_info (id, version, created_at) VALUES (1, :version, :now) "
                "ON CONFLICT (id) DO UPDATE SET version = excluded.version"
            ),
            {"version": SCHEMA_VERSION, "now": now_ms()},
        )
