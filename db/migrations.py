"""What a database of a former version lacks besides tables; repeating it changes nothing."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from db.state_rows import SELECT, checksum_of


def add_columns(connection: Connection) -> None:
    """Add the columns that came after version 2, filled in, inside a transaction that writes."""
    if "checksum" in {column["name"] for column in inspect(connection).get_columns("live_state")}:
        return
    connection.execute(text("ALTER TABLE live_state ADD COLUMN checksum TEXT NOT NULL DEFAULT ''"))
    change = text("UPDATE live_state SET checksum = :checksum WHERE account = :account AND name = :name")
    for account, name, value, updated_at, _ in connection.execute(text(SELECT)).all():
        checksum = checksum_of(account, name, value, updated_at)
        connection.execute(change, {"checksum": checksum, "account": account, "name": name})
