"""The long run of schedules: what was stopped and gone on with comes to what runs in one go."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import fuzz_long
from tests.fuzz_long import NONE_YET, Part, Progress, one_round, read, schedules_of, write
from tests.fuzz_order_path import VENUES, Tally, run_schedules


def told(first: int, count: int, venue: str) -> Tally:
    seeds = range(first, first + count)
    wrong = [f"seed {seed}: lost" for seed in seeds if (seed, venue) == (13, VENUES[1])]
    return Tally(Counter({"schedules": count, "sum": sum(seeds), fuzz_long.LONGEST: max(seeds)}), wrong)


PARTS = (Part("orders", told, 10, 5), Part("stops", told, 4, 2))


def test_rounds_take_each_seed_once_at_each_venue_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    file = tmp_path / "new" / "far.json"
    assert read(file) == NONE_YET
    assert schedules_of(PARTS) == 28
    with ThreadPoolExecutor(2) as pool:
        whole = one_round(one_round(NONE_YET, pool, PARTS), pool, PARTS)
        write(file, one_round(NONE_YET, pool, PARTS))
        assert one_round(read(file), pool, PARTS) == whole
    assert whole.rounds == 2
    assert set(whole.totals) == {f"{venue}, {name}" for venue in VENUES for name in ("orders", "stops")}
    assert whole.totals[f"{VENUES[0]}, orders"] == {
        "schedules": 20,
        "sum": sum(range(20)),
        fuzz_long.LONGEST: 19,
    }
    assert whole.wrong == [f"{VENUES[1]}, orders: seed 13: lost"]


def test_it_ends_at_once_where_all_was_done_and_tells_what_was_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "far.json"
    kept = Progress(500, {"kraken, orders": {"schedules": 1_000_000}}, ["kraken, orders: seed 13: lost"])
    write(file, kept)
    assert fuzz_long.main(["--file", str(file)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "kraken, orders: 1,000,000 schedules",
        "kraken, orders: seed 13: lost",
    ]
    assert json.loads(file.read_text()) == kept._asdict()


@pytest.mark.unmeasured
def test_real_schedules_are_counted() -> None:
    with ThreadPoolExecutor(1) as pool:
        found = one_round(NONE_YET, pool, (Part("orders", run_schedules, 2, 1),))
    assert found.wrong == []
    assert [one["schedules"] for one in found.totals.values()] == [2, 2]
