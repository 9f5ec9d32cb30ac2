"""How long an account ran on paper: by the hours in which its loop looked, not by when it began and ended."""

from __future__ import annotations

from core.live.day_book import HOUR
from core.live.facts import watched
from core.results.measures import DAY
from db.live_history import RunSpan

START = 1_700_000_000_000 // DAY * DAY


def _run(since: int, until: int) -> RunSpan:
    return RunSpan("paper", since, until, "same", ())


def test_a_loop_that_ran_through_counts_each_hour_it_ran() -> None:
    hours = [START + n * HOUR + 5_000 for n in range(14 * 24)]
    assert watched(hours, [_run(START, START + 14 * DAY)]) == 14 * DAY


def test_a_night_in_which_the_machine_slept_does_not_count() -> None:
    awake = [START + n * HOUR + 5_000 for n in (*range(8), *range(20, 24))]
    assert watched(awake, [_run(START, START + DAY)]) == 12 * HOUR


def test_single_looks_each_hour_count_as_a_loop_that_ran_does() -> None:
    looks = [START + n * HOUR + 60_000 for n in range(24)]
    assert watched(looks, [_run(one, one + 900) for one in looks]) == DAY


def test_two_looks_in_one_hour_are_one_hour() -> None:
    looks = [START + 1_000, START + 50 * 60_000]
    assert watched(looks, [_run(one, one + 900) for one in looks]) == HOUR


def test_hours_of_runs_with_other_rules_or_limits_do_not_count() -> None:
    hours = [START + n * HOUR + 5_000 for n in range(48)]
    assert watched(hours, [_run(START + DAY, START + 2 * DAY)]) == DAY


def test_an_exchange_s_clock_a_minute_from_ours_changes_nothing() -> None:
    assert watched([START + 10_000, START + HOUR], [_run(START + 60_000, START + HOUR - 50_000)]) == 2 * HOUR
    assert watched([START], [_run(START + 60_001, START + HOUR)]) == 0
