"""The harness times both sides alike, alternating, and says which target is missed."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import backtests, database, harness, peers, start_up
from bench.harness import Case, CaseTime, format_rows, measure
from core import sql_data_source
from tests.markets import random_bars
from tests.tiers import whole


@pytest.fixture(autouse=True)
def collected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect no garbage for cases that measure nothing; give a mark for each time it would be."""
    marks: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: marks.append("garbage"))
    return marks


def test_both_sides_run_as_often_and_take_turns_going_first(collected: list[str]) -> None:
    calls: list[str] = []
    found = measure(
        Case(
            "x",
            lambda: calls.append("ours"),
            lambda: calls.append("reference"),
            target=0.0,
            repeat=4,
            prepare=lambda: calls.append("-"),
        )
    )
    assert calls[::2] == ["-"] * 8
    assert calls[1::2] == ["reference", "ours", "ours", "reference"] * 2
    assert found.reference is not None
    assert len(collected) == 8


@pytest.mark.parametrize(("clock", "is_wall"), [("perf_counter", True), ("cpu_seconds", False)])
def test_the_least_time_counts_and_preparing_is_not_timed(
    clock: str, is_wall: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The yardstick, ours; ours, the yardstick; the yardstick, ours.
    times = iter([0.0, 5.0, 10.0, 19.0, 20.0, 22.0, 30.0, 34.0, 40.0, 46.0, 50.0, 53.0])
    monkeypatch.setattr(harness, clock, lambda: next(times))
    found = measure(Case("x", lambda: None, lambda: None, target=0.5, repeat=3, is_wall=is_wall))
    assert (found.ours, found.reference, found.ratio) == (2.0, 4.0, 0.5)
    assert found.met


@pytest.mark.parametrize(("target", "turns"), [(1.0, 2), (0.6, 3), (0.5, 3), (0.1, 3)])
def test_a_case_that_keeps_its_target_with_a_fifth_to_spare_is_over(
    target: float, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ours takes half as long in every turn.
    times = iter([0.0, 4.0, 4.0, 6.0, 6.0, 8.0, 8.0, 12.0, 12.0, 16.0, 16.0, 18.0])
    monkeypatch.setattr(harness, "cpu_seconds", lambda: next(times))
    ran: list[str] = []
    found = measure(Case("x", lambda: ran.append("ours"), lambda: None, target=target, repeat=3))
    assert (found.ratio, len(ran)) == (0.5, turns)


def test_a_case_without_a_turn_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="x: wanted a turn at least, got 0"):
        measure(Case("x", print, repeat=0))


def test_a_target_in_seconds_is_of_a_machine_whose_loop_takes_as_long_as_said() -> None:
    case = Case("x", lambda: None, target=2.0)
    slow = 3 * harness.LOOP_SECONDS
    assert CaseTime(case, 6.0, slow).met
    assert not CaseTime(case, 6.1, slow).met


def test_the_time_of_processes_that_ended_counts() -> None:
    began = harness.cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert harness.cpu_seconds() - began > 0.01


def test_a_missed_target_is_marked() -> None:
    case, alone = Case("reading", print, print, target=1.5), Case("run", print, target=harness.LOOP_SECONDS)
    rows = format_rows([CaseTime(case, 3.0, 2.0), CaseTime(case, 3.2, 2.0), CaseTime(alone, 1.4, 0.1)])
    assert [row.split() for row in rows[1:]] == [
        ["reading", "3.0000", "3.0000", "2.0000", "1.50", "1.50"],
        ["reading", "3.2000", "3.0000", "2.0000", "1.60", "1.50", "MISSED"],
        ["run", "1.4000", "0.1000", "0.1000", "14.00", "1.00", "MISSED"],
    ]


def test_small_ratios_are_shown_as_fractions() -> None:
    (row,) = format_rows([CaseTime(Case("run", print, print, target=1 / 150), 0.02, 5.0)])[1:]
    assert row.split() == ["run", "0.0200", "0.0333", "5.0000", "1/250", "1/150"]


@whole
@pytest.mark.unmeasured
def test_every_script_has_a_case_and_names_are_found_by_a_part(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What its candles are shows in no name, and making years of them takes seconds.
    monkeypatch.setattr(backtests, "four_years", lambda _: random_bars(1, 50))
    assert command.main(["--list"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert "--help of db_status.py" in names
    assert "--help of db.init_db" in names
    assert "read 525,600 bars" in names
    assert "--help of cli.py" not in names
    monkeypatch.setattr(command, "_cases", lambda _: [Case(name, print) for name in names])
    assert command.main(["--list", "upsert"]) == 0
    found = capsys.readouterr().out.splitlines()
    assert found == [name for name in names if "upsert" in name] != []


def test_a_missed_target_is_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for target, code in ((100.0, 0), (0.0, 1)):
        case = Case("x", lambda: None, target=target, repeat=1)
        monkeypatch.setattr(command, "_cases", lambda _, case=case: [case])
        assert command.main([]) == code
    assert command.main(["no such case"]) == 1


@pytest.mark.unmeasured
def test_the_database_cases_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "COUNT", 50)
    monkeypatch.setattr(sql_data_source, "CACHED_FROM", 1)
    for case in database.cases(tmp_path):
        measure(case._replace(repeat=1))
        case.prepare()
        ours = case.ours()
        if case.reference is None:
            continue
        case.prepare()
        theirs = case.reference()
        if case.name.startswith("read"):
            assert [a.tolist() for a in ours] == [b.tolist() for b in theirs]  # type: ignore[attr-defined]
        else:
            kind = case.name.split()[2]
            assert ours == {"new": (50, 0, 0), "equal": (0, 0, 50), "changed": (0, 50, 0)}[kind]


def test_a_case_may_tell_its_own_seconds() -> None:
    assert measure(Case("x", lambda: 2.5, tells=True)).ours == 2.5
    assert measure(Case("x", lambda: "no number", tells=True)).ours < 2.5


def test_a_start_is_timed_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: ran.append(words))
    for case in start_up.cases(tmp_path):
        case.ours()
    assert all(words[0] == sys.executable for words in ran)
    few, many = ([start_up.RUN, bars] for bars in ("5000", "1000000"))
    assert [words[2:] for words in ran[:4]] == [few, few, few, many]
    assert [words[-1] for words in ran[4:]] == ["--help"] * (len(ran) - 4)


def test_a_peer_that_is_not_installed_is_skipped_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.cases(tmp_path) == []
    assert capsys.readouterr().err.splitlines() == [
        "skipped: vectorbt is not installed (make bench-peers)",
        "skipped: raptorbt is not installed (make bench-peers)",
    ]


def test_times_are_per_unit_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 8.0, 10.0, 13.0])
    monkeypatch.setattr(harness, "cpu_seconds", lambda: next(clock))
    found = measure(Case("x", lambda: None, lambda: None, repeat=1, units=(3, 4)))
    assert (found.ours, found.reference) == (1.0, 2.0)
