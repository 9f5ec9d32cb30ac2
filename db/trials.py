"""The trial journal: every parameter set that was ever tried, counted whoever tried it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Engine

from core.errors import DatabaseError
from core.utils import now_ms
from db.base import marked, writing
from db.trial_rows import (
    BEGINNING,
    HELD_OUT,
    LOOK,
    STUDY,
    TRIALS,
    TrialRow,
    Trials,
    TrialWindow,
    made_row,
    problem_of,
    terms_of,
)

_COLUMNS = ", ".join(TrialRow._fields)
_SELECT = f"SELECT {_COLUMNS} FROM trial_entries"  # noqa: S608 - names of columns
_INSERT = f"INSERT INTO trial_entries ({_COLUMNS}) VALUES ({', '.join('?' * len(TrialRow._fields))})"  # noqa: S608


class TrialCount(NamedTuple):
    """How many parameter sets of a rule were tried on bars that overlap some."""

    different: int
    """Sets that differ in a value, in the timeframe or in the rule's code: what luck had a chance with."""
    runs: int
    """All of them, those that were tried again too."""
    by_command: dict[str, int]
    """The runs of each command."""


def append(engine: Engine, entry: Trials, clock: Callable[[], int] = now_ms) -> TrialRow:
    """Write an entry behind all others, whole or not at all; return it. Raises DatabaseError."""
    with writing(engine) as connection:
        head = connection.exec_driver_sql("SELECT seq, hash FROM trial_heads WHERE id = 1").fetchone()
        if head is None and _newest(connection) is not None:
            raise DatabaseError(
                "the trial journal does not say any more which of its entries is the newest: nothing can be "
                "added behind it; restore a backup with scripts/backup_database.py --restore FILE"
            )
        seq, before = (0, BEGINNING) if head is None else (int(head[0]), str(head[1]))
        row = made_row(entry, seq + 1, clock(), before)
        connection.exec_driver_sql(marked(_INSERT, connection), tuple(row))
        connection.exec_driver_sql(
            marked(
                "INSERT INTO trial_heads (id, seq, hash) VALUES (1, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                connection,
            ),
            (row.seq, row.hash),
        )
    return row


def entries(
    engine: Engine,
    *,
    rule: str | None = None,
    study: str | None = None,
    kinds: Sequence[str] = (),
    logic: str = "",
) -> list[TrialRow]:
    """Return entries in order, of one rule, search and kinds if they are named.

    With `logic` those of every rule that decides by the same, whatever it is called, too.
    """
    texts = [f"{name} = ?" for name, value in (("rule", rule), ("study", study)) if value is not None]
    values = [value for value in (rule, study) if value is not None]
    if rule is not None and logic:
        texts[0] = "(rule = ? OR terms_json = ?)"
        values.insert(1, terms_of(logic))
    if kinds:
        texts.append(f"kind IN ({', '.join('?' * len(kinds))})")
        values += kinds
    text = f"{_SELECT}{' WHERE ' * bool(texts)}{' AND '.join(texts)} ORDER BY seq"
    with engine.connect() as connection:
        found = connection.exec_driver_sql(marked(text, connection), tuple(values))
        return [_row(values) for values in found]


def study_of(engine: Engine, name: str) -> tuple[TrialRow, list[TrialRow]] | None:
    """Return a search's beginning and its batches in order, None when there is none of this name."""
    rows = entries(engine, study=name)
    begun = next((row for row in rows if row.kind == STUDY), None)
    return None if begun is None else (begun, [row for row in rows if row.kind == TRIALS])


def count_trials(
    engine: Engine,
    rule: str,
    windows: Sequence[TrialWindow],
    *,
    timeframe: str | None = None,
    logic: str = "",
) -> TrialCount:
    """Count a rule's sets that were tried on bars of these markets in a time that overlaps theirs.

    `timeframe`: on bars of this length alone; else whoever tried other lengths tried his luck as well.
    `logic`: of rules of other names too that decide by the same.
    """
    different: set[tuple[Any, ...]] = set()
    unreadable = 0
    commands: Counter[str] = Counter()
    for row in entries(engine, rule=rule, kinds=(TRIALS,), logic=logic):
        frames = {one.timeframe for one in row.windows if any(one.overlaps(other) for other in windows)}
        if frames and timeframe in (None, *frames):
            commands[row.command if row.rule == rule else f"{row.command} as {row.rule}"] += row.trials
            try:
                names, values = row.names[0], np.ascontiguousarray(row.values())
            except DatabaseError:
                # All that it says there were: `damage` tells of it.
                unreadable += row.trials
                continue
            key = row.code, tuple(sorted(frames)), tuple(names)
            different.update((key, values[place].tobytes()) for place in range(row.trials))
    return TrialCount(len(different) + unreadable, commands.total(), dict(sorted(commands.items())))


def looks(
    engine: Engine, windows: Sequence[TrialWindow], *, rule: str | None = None, logic: str = ""
) -> list[TrialRow]:
    """Return an entry for each look at bars that these windows share, also of before they were declared.

    One look is what one command showed of a rule on them: of a search and of a sweep, which have several
    entries, the first. The same sets on the same candles again show nothing new and are no look more. Of
    several windows, which several series have, those of the one that was looked at most often.
    """
    rows = entries(engine, rule=rule, kinds=(LOOK, TRIALS), logic=logic)
    return max((_looks_at(window, rows) for window in windows), key=len, default=[])


def _looks_at(window: TrialWindow, rows: Sequence[TrialRow]) -> list[TrialRow]:
    looked: dict[str, TrialRow] = {}
    known: set[tuple[Any, ...]] = set()
    for row in rows:
        if (new := _shown(row, window) - known) != set():
            known |= new
            looked.setdefault(row.study or f"{row.seq}", row)
    return list(looked.values())


def _shown(row: TrialRow, window: TrialWindow) -> set[tuple[Any, ...]]:
    """Return which sets an entry ran on which candles that this window shares a time with."""
    shared = [one for one in row.windows if one.overlaps(window)]
    if not shared:
        return set()
    try:
        names, values = tuple(row.names[0]), np.ascontiguousarray(row.values())
    except DatabaseError:
        return {(row.seq,)}
    sets = [values[place].tobytes() for place in range(row.trials)]
    return {(row.rule, row.code, names, one, each) for one in shared for each in sets}


def shared(declared: Sequence[TrialRow], windows: Sequence[TrialWindow]) -> list[TrialWindow]:
    """Return the bars that were declared held out of those markets and times that these windows share.

    All of them, however many of these bars there are: who counts looks at some of them counts those at all.
    Of several declarations of a market the one that begins first.
    """
    found: dict[tuple[str, str], TrialWindow] = {}
    for one in (window for row in declared for window in row.windows):
        if any(map(one.overlaps, windows)):
            first = found.setdefault((one.exchange, one.symbol), one)
            found[one.exchange, one.symbol] = min(first, one, key=lambda window: window.start)
    return list(found.values())


def held_out(engine: Engine, windows: Sequence[TrialWindow]) -> list[TrialRow]:
    """Return the declarations of bars to be kept back that these windows share a time with."""
    return [
        row
        for row in entries(engine, kinds=(HELD_OUT,))
        if any(one.overlaps(other) for one in row.windows for other in windows)
    ]


def damage(engine: Engine) -> list[str]:
    """Return what is wrong with the journal, a line each: changed, missing or added entries."""
    return list(_damage(engine))


def _damage(engine: Engine) -> Iterator[str]:
    before, seq = BEGINNING, 0
    with engine.connect() as connection:
        head = connection.exec_driver_sql("SELECT seq, hash FROM trial_heads WHERE id = 1").fetchone()
        with closing(connection.exec_driver_sql(f"{_SELECT} ORDER BY seq")) as found:
            for values in found:
                row = _row(values)
                if row.seq != seq + 1:
                    yield f"trial journal: entries {seq + 1} to {row.seq - 1} are missing"
                elif problem := problem_of(before, row):
                    yield f"trial journal: entry {row.seq} ({row.command} {row.rule}) {problem}"
                before, seq = row.hash, row.seq
    newest = (0, BEGINNING) if head is None else (int(head[0]), str(head[1]))
    if newest[0] > seq:
        yield f"trial journal: entries {seq + 1} to {newest[0]} are missing"
    elif newest != (seq, before):
        yield "trial journal: its newest entry is not the one that was written last"


def _newest(connection: Connection) -> int | None:
    newest: int | None = connection.exec_driver_sql("SELECT max(seq) FROM trial_entries").scalar()
    return newest


def _row(values: Sequence[Any]) -> TrialRow:
    # PostgreSQL's driver returns a view of bytes.
    return TrialRow._make(bytes(one) if isinstance(one, memoryview) else one for one in values)
