"""What a database of a former version lacks besides tables; repeating it changes nothing."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from db.state_rows import SELECT, checksum_of


def add_columns(connection: Connection) -> None:
    """Add the columns that came after their tables, filled in, inside a transaction that writes."""
    # The first databases of version 2 had no orders yet: nothing wrote any.
    if _lacks(connection, "order_intents", "share"):
        connection.execute(text("ALTER TABLE order_intents ADD COLUMN share TEXT NOT NULL DEFAULT '0'"))
    whole = "INTEGER" if connection.dialect.name == "sqlite" else "BIGINT"
    for column in ("rows", "holes", "missing", "cookie"):
        if _lacks(connection, "candle_revisions", column):
            connection.execute(text(f"ALTER TABLE candle_revisions ADD COLUMN {column} {whole}"))
    if _lacks(connection, "order_intents", "note"):
        for column in ("note", "entry_limit", "entry_trigger"):
            connection.execute(text(f"ALTER TABLE order_intents ADD COLUMN {column} TEXT"))
    if not _lacks(connection, "live_state", "checksum"):
        return
    connection.execute(text("ALTER TABLE live_state ADD COLUMN checksum TEXT NOT NULL DEFAULT ''"))
    change = text("UPDATE live_state SET checksum = :checksum WHERE account = :account AND name = :name")
    for account, name, value, updated_at, _ in connection.execute(text(SELECT)).all():
        checksum = checksum_of(account, name, value, updated_at)
        connection.execute(change, {"checksum": checksum, "account": account, "name": name})


def _lacks(connection: Connection, table: str, column: str) -> bool:
    return column not in {found["name"] for found in inspect(connection).get_columns(table)}
