"""The trial journal counts every set once, whoever tried it, and says what was done to it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from core.cli.trial_journal import logic_of
from core.domain import FloatArray
from core.errors import DatabaseError
from db import trials
from db.trial_rows import (
    BEGINNING,
    HELD_OUT,
    LOOK,
    STUDY,
    TRIALS,
    Trials,
    TrialWindow,
    problem_of,
    terms_of,
)
from strategies.registry import use_folder
from tests.own_files import written
from tests.stored import make_database, opened, run_sql

HOUR = 3_600_000
BTC = TrialWindow("binance", "BTC/USDT", "1h", 100 * HOUR, 200 * HOUR, 101, "a" * 64)
ETH = BTC._replace(symbol="ETH/USDT", sha256="b" * 64)
NAMES = ("fast", "slow")


def batch(*sets: tuple[float, float], command: str = "sweep", kind: str = TRIALS, rule: str = "A") -> Trials:
    values: FloatArray = np.array(sets, np.float64).reshape(-1, 2)
    results = np.array([[sum(row), np.nan] for row in sets]).reshape(-1, 2)
    return Trials(kind, command, rule, "code", [BTC], NAMES, values, ("sharpe", "sqn"), results)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return opened(make_database(tmp_path))


def changed(path: Path, *statements: str) -> list[str]:
    run_sql(path, *statements)
    engine = opened(path)
    found = trials.damage(engine)
    engine.dispose()
    return found


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Return a database with five entries."""
    path = make_database(tmp_path)
    engine = opened(path)
    for number in range(5):
        trials.append(engine, batch((number, 10)))
    engine.dispose()
    return path


def test_what_is_written_is_read_back_bit_for_bit(engine: Engine) -> None:
    entry = batch((0.1 + 0.2, 1e-300), (np.nextafter(1, 2), 3.0))._replace(
        study="A-1", batch=7, terms='{"x": 1}'
    )
    row = trials.append(engine, entry, clock=lambda: 5)
    assert trials.entries(engine) == [row]
    assert row.values().tobytes() == entry.sets.tobytes()
    assert row.figures().tobytes() == entry.results.tobytes()
    assert (row.seq, row.ts, row.study, row.batch, row.trials, row.terms_json) == (
        1,
        5,
        "A-1",
        7,
        2,
        '{"x": 1}',
    )
    assert (row.windows, row.names) == ([BTC], (["fast", "slow"], ["sharpe", "sqn"]))
    assert problem_of(BEGINNING, row) == ""
    assert trials.damage(engine) == []


def test_a_copy_of_a_rule_under_another_name_is_counted_with_it(engine: Engine) -> None:
    same, other = terms_of("what it decides"), terms_of("something else")
    trials.append(engine, batch((1, 2), (3, 4), rule="COPY")._replace(terms=same))
    trials.append(engine, batch((5, 6), rule="OTHER")._replace(terms=other))
    trials.append(engine, batch((7, 8)))
    assert trials.count_trials(engine, "A", [BTC]).different == 1
    counted = trials.count_trials(engine, "A", [BTC], logic="what it decides")
    assert (counted.different, counted.by_command) == (3, {"sweep": 1, "sweep as COPY": 2})
    assert len(trials.looks(engine, [BTC], rule="A", logic="what it decides")) == 2


@pytest.mark.parametrize(
    ("changes", "is_counted"),
    [
        ({}, True),
        ({"exchange": "kraken"}, True),
        ({"exchange": "kraken", "sha256": "c" * 64}, True),
        ({"exchange": "binance-synthetic", "sha256": "c" * 64}, False),
        ({"symbol": "COPY/USDT"}, True),
        ({"symbol": "COPY/USDT", "sha256": "c" * 64}, False),
        ({"symbol": "COPY/USDT", "sha256": ""}, False),
        ({"start": 201 * HOUR, "end": 300 * HOUR}, False),
    ],
)
def test_the_same_prices_are_one_market_whatever_they_are_called(
    engine: Engine, changes: dict[str, Any], is_counted: bool
) -> None:
    trials.append(engine, batch((1, 2)))
    assert trials.count_trials(engine, "A", [BTC._replace(**changes)]).different == int(is_counted)


def test_a_rule_is_known_by_what_it_does_and_not_by_its_name(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: use_folder(None))
    text = Path("strategies/sma_cross.py").read_text("utf-8")
    copy = "# Mine.\n" + text.replace('"SMA_CROSS"', '"MINE"').replace("crosses above", "is above")
    one = text.replace('"SMA_CROSS"', '"OTHER"').replace("now.fast > now.slow", "now.fast >= now.slow")
    assert text != copy != one != text
    written(tmp_path, {"mine.py": copy, "other.py": one})
    assert use_folder(str(tmp_path)) == ()
    assert logic_of("MINE") == logic_of("SMA_CROSS") != ""
    assert logic_of("OTHER") not in (logic_of("MINE"), "")
    assert logic_of("GONE") == ""


def test_a_search_is_named_for_its_rule_and_its_place(engine: Engine) -> None:
    trials.append(engine, batch((1, 2)))
    begun = trials.append(engine, batch(kind=STUDY))
    assert begun.study == "A-2"
    one = trials.append(engine, batch((1, 2))._replace(study="A-2"))
    trials.append(engine, batch((1, 2), kind=LOOK)._replace(study="A-2"))
    assert trials.study_of(engine, "A-2") == (begun, [one])
    assert trials.study_of(engine, "A-1") is None


def test_a_set_counts_once_however_often_and_by_whomever_it_is_tried(engine: Engine) -> None:
    trials.append(engine, batch((1, 2), (3, 4)))
    trials.append(engine, batch((3, 4), (5, 6), command="optimize"))
    trials.append(engine, batch((5, 6), command="backtest"))
    trials.append(engine, batch((9, 9), rule="B"))
    trials.append(engine, batch((8, 8), kind=LOOK))
    found = trials.count_trials(engine, "A", [BTC])
    assert found == trials.TrialCount(3, 5, {"backtest": 1, "optimize": 2, "sweep": 2})


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        (BTC._replace(start=200 * HOUR, end=300 * HOUR), True),
        (BTC._replace(start=201 * HOUR, end=300 * HOUR), False),
        (BTC._replace(start=0, end=100 * HOUR), True),
        (BTC._replace(start=0, end=99 * HOUR), False),
        (BTC._replace(timeframe="4h"), True),
    ],
)
def test_trials_count_for_bars_of_the_same_market_and_time(
    engine: Engine, other: TrialWindow, counts: bool
) -> None:
    trials.append(engine, batch((1, 2)))
    assert trials.count_trials(engine, "A", [other]).different == counts
    assert len(trials.looks(engine, [ETH, other])) == counts


def test_another_code_or_timeframe_makes_another_trial_of_the_same_set(engine: Engine) -> None:
    trials.append(engine, batch((1, 2)))
    trials.append(engine, batch((1, 2))._replace(code="changed"))
    trials.append(engine, batch((1, 2))._replace(windows=[BTC._replace(timeframe="4h")]))
    assert trials.count_trials(engine, "A", [BTC]).different == 3
    assert trials.count_trials(engine, "A", [BTC], timeframe="4h").different == 1


def test_looks_are_those_by_any_command_also_of_before_a_declaration(engine: Engine) -> None:
    before = trials.append(engine, batch((1, 2)))
    held = trials.append(engine, batch(kind=HELD_OUT)._replace(windows=[BTC._replace(start=150 * HOUR)]))
    assert trials.held_out(engine, [BTC]) == [held]
    assert trials.held_out(engine, [ETH]) == []
    assert trials.looks(engine, held.windows) == [before]
    look = trials.append(engine, batch((3, 4), kind=LOOK))
    run = trials.append(engine, batch((1, 2), rule="B", command="backtest"))
    assert trials.looks(engine, held.windows) == [before, look, run]
    assert trials.looks(engine, held.windows, rule="B") == [run]


def test_bars_held_out_are_those_of_the_declaration_that_begins_first(engine: Engine) -> None:
    entries = [
        batch(kind=HELD_OUT)._replace(windows=[one._replace(start=start * HOUR, end=10**13)])
        for one, start in ((BTC, 150), (BTC._replace(timeframe="4h"), 120), (ETH, 130))
    ]
    declared = [trials.append(engine, entry) for entry in entries]
    late = BTC._replace(start=160 * HOUR, end=170 * HOUR)
    assert trials.shared(declared, [late]) == [entries[1].windows[0]]
    assert trials.shared(declared, [late, ETH]) == [entries[1].windows[0], entries[2].windows[0]]
    assert trials.shared(declared, [BTC._replace(end=110 * HOUR)]) == []


def test_a_search_looks_once_however_many_batches_it_has(engine: Engine) -> None:
    first = trials.append(engine, batch((1, 2))._replace(study="A-1"))
    trials.append(engine, batch((3, 4))._replace(study="A-1", batch=1))
    other = trials.append(engine, batch((5, 6))._replace(study="A-9"))
    assert trials.looks(engine, [BTC]) == [first, other]


def test_the_same_sets_on_the_same_candles_again_are_no_look_more(engine: Engine) -> None:
    first = trials.append(engine, batch((1, 2), (3, 4), kind=LOOK))
    for again in (batch((1, 2), (3, 4), kind=LOOK), batch((3, 4), command="backtest")):
        trials.append(engine, again)
        assert trials.looks(engine, [BTC]) == [first]
    new = [
        batch((3, 4), (5, 6), kind=LOOK),
        batch((1, 2))._replace(code="changed"),
        batch((1, 2))._replace(windows=[BTC._replace(sha256="b" * 64)]),
        batch((1, 2))._replace(windows=[BTC._replace(end=150 * HOUR)]),
        batch((1, 2), rule="B"),
    ]
    rows = [trials.append(engine, entry) for entry in new]
    assert trials.looks(engine, [BTC]) == [first, *rows]
    assert trials.looks(engine, [BTC], rule="B") == rows[-1:]


def test_several_series_are_looked_at_as_often_as_the_one_that_was_most(engine: Engine) -> None:
    """A command that runs a rule on two symbols writes an entry each: it is one look."""
    both = [trials.append(engine, batch((1, 2))._replace(windows=[one])) for one in (BTC, ETH)]
    assert trials.looks(engine, [BTC, ETH]) == both[:1]
    again = trials.append(engine, batch((3, 4))._replace(windows=[ETH]))
    assert trials.looks(engine, [BTC, ETH]) == [both[1], again]


def test_an_entry_that_cannot_be_read_is_a_look_of_its_own(stored: Path) -> None:
    run_sql(stored, "UPDATE trial_entries SET sets = x'00' WHERE seq IN (2, 3)")
    assert [row.seq for row in trials.looks(opened(stored), [BTC])] == [1, 2, 3, 4, 5]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE trial_entries SET rule = 'B' WHERE seq = 3", "entry 3 (sweep B) was changed"),
        ("UPDATE trial_entries SET trials = 0 WHERE seq = 3", "entry 3 (sweep A) was changed"),
        ("UPDATE trial_entries SET sets = x'00' WHERE seq = 3", "entry 3 (sweep A) was changed"),
        ("UPDATE trial_entries SET results = x'00' WHERE seq = 3", "entry 3 (sweep A) was changed"),
        ("UPDATE trial_entries SET window_to = 0 WHERE seq = 3", "entry 3 (sweep A) was changed"),
        ("DELETE FROM trial_entries WHERE seq = 1", "entries 1 to 1 are missing"),
        ("DELETE FROM trial_entries WHERE seq IN (2, 3)", "entries 2 to 3 are missing"),
        ("DELETE FROM trial_entries WHERE seq > 3", "entries 4 to 5 are missing"),
        ("DELETE FROM trial_entries", "entries 1 to 5 are missing"),
        ("DELETE FROM trial_heads", "its newest entry is not the one that was written last"),
        ("UPDATE trial_heads SET hash = 'x'", "its newest entry is not the one that was written last"),
    ],
)
def test_damage_is_said_with_its_place(stored: Path, change: str, says: str) -> None:
    assert changed(stored) == []
    assert changed(stored, change) == [f"trial journal: {says}"]


def test_an_entry_that_is_forged_with_its_own_hash_breaks_the_one_after(stored: Path) -> None:
    engine = opened(stored)
    before, third = trials.entries(engine)[1:3]
    forged = third._replace(rule="B")
    from db.trial_rows import hash_of

    forged = forged._replace(hash=hash_of(before.hash, forged))
    engine.dispose()
    change = f"UPDATE trial_entries SET rule = 'B', hash = '{forged.hash}' WHERE seq = 3"
    assert changed(stored, change) == ["trial journal: entry 4 (sweep A) was changed"]


def test_what_is_added_after_a_loss_does_not_hide_it(stored: Path) -> None:
    assert changed(stored, "DELETE FROM trial_entries WHERE seq > 3") != []
    engine = opened(stored)
    assert trials.append(engine, batch((7, 7))).seq == 6
    assert trials.damage(engine) == ["trial journal: entries 4 to 5 are missing"]
    engine.dispose()
    run_sql(stored, "DELETE FROM trial_heads")
    engine = opened(stored)
    with pytest.raises(DatabaseError, match="does not say any more which of its entries is the newest"):
        trials.append(engine, batch((8, 8)))


def test_an_entry_that_cannot_be_read_is_one_line_and_counts_for_what_it_says_it_had(stored: Path) -> None:
    run_sql(stored, "UPDATE trial_entries SET sets = x'00', trials = 7 WHERE seq = 3")
    engine = opened(stored)
    with pytest.raises(DatabaseError, match=r"trial journal: entry 3 \(A\) cannot be read"):
        trials.entries(engine)[2].values()
    assert trials.count_trials(engine, "A", [BTC]) == trials.TrialCount(11, 11, {"sweep": 11})


def test_several_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    engines = [opened(path) for _ in range(4)]

    def write(engine: Engine) -> None:
        for number in range(10):
            trials.append(engine, batch((number, 1)))

    threads = [threading.Thread(target=write, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.seq for row in trials.entries(engines[0])] == list(range(1, 41))
    assert trials.damage(engines[0]) == []
