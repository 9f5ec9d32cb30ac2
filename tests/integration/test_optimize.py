"""A search from the command line: what it finds, counts, keeps back and writes, however it is cut."""

from __future__ import annotations

import base64
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import zlib
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import cli
from core.cli import optimize_command
from core.domain import Bars, Costs, Series
from core.errors import DatabaseError, NoDataError, UsageError
from core.optimise import workers
from core.optimise.study import ParamSets
from core.optimise.workers import ProcessRunner, Workload
from db import trials
from db.candles import upsert_bars
from db.trial_rows import LOOK, TRIALS, Trials, TrialWindow
from scripts import run_backtest, run_live, run_sweep, show_trials
from scripts.optimize import main
from tests.markets import random_bars
from tests.processes import ending_with, linux
from tests.stored import HOUR, NOW, SERIES, START, make_database, opened, run_sql, url_of
from tests.tiers import programs, some, statistics

COUNT, CUT = 4000, 2000
SMALL = ["--param", "ema_fast=5:20:5", "--param", "ema_slow=30,60", "--param", "atr_period=14"]
SMALL += ["--param", "atr_stop_mult=2", "--param", "rr_ratio=1.5,3"]
"""16 sets."""


def hourly(seed: int, count: int = COUNT) -> Bars:
    ts = START + HOUR * np.arange(count, dtype=np.int64)
    return random_bars(seed, count + 400).until(count)._replace(ts=ts)


def poisoned(bars: Bars, start: int) -> Bars:
    """Return the bars with other prices from row `start` on."""
    later = hourly(99, bars.ts.size)
    return Bars(
        bars.ts,
        *(np.concatenate([old[:start], new[start:]]) for old, new in zip(bars[1:], later[1:], strict=True)),
    )


def at(hour: int) -> str:
    return str(np.datetime64(START + HOUR * hour, "ms").astype("datetime64[m]"))


class Told:
    """A database, and a search over what is in it."""

    def __init__(self, folder: Path, bars: Bars) -> None:
        self.folder, self.path = folder, make_database(folder, bars, SERIES)
        self.url = url_of(self.path)
        self.which = ["--strategy", "TREND_EMA", "--symbol", "BTC/USDT", "--timeframe", "1h", "--use-sql"]
        self.which += ["--exchange", "binanceus", "--db-url", self.url]
        self.documents = 0

    def search(self, *more: str) -> dict[str, Any]:
        """Search, and return the document."""
        return self.run([*self.which, "--min-trades", "5", *more])

    def again(self, name: str, *more: str) -> dict[str, Any]:
        return self.run(["--resume", name, "--db-url", self.url, *more])

    def run(self, words: list[str]) -> dict[str, Any]:
        self.documents += 1
        target = self.folder / f"found-{self.documents}.json"
        assert main([*words, "--json", str(target)]) == 0
        found: dict[str, Any] = json.loads(target.read_text())
        return found

    def rows(self) -> list[Any]:
        engine = opened(self.path)
        found = trials.entries(engine)
        assert trials.damage(engine) == []
        engine.dispose()
        return found


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path, hourly(5))


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Tell whether two searches came to the same, bit for bit."""
    names = ("sets", "best", "sha256", "space", "series")
    return all(left[name] == right[name] for name in names)


def before_the_command(lines: list[str]) -> list[str]:
    """Return what is printed before the command that runs the best set again, which is as long as it is."""
    return lines[: next(i for i, line in enumerate(lines) if line.startswith("the first one again"))]


@pytest.mark.unmeasured
def test_the_best_are_shown_on_both_parts_with_what_was_tried_and_how_to_go_on(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*told.which, *SMALL, "--method", "grid", "--min-trades", "5", "--best", "3"]) == 0
    out = capsys.readouterr().out
    flat = " ".join(out.split())
    assert "chosen on 2,000 bars" in flat
    assert "unseen 2,000 bars" in flat
    assert "16 sets of TREND_EMA by grid; best by sharpe; commission 0.001 a side, spread 0" in flat
    assert (
        "16 different sets of TREND_EMA were tried on these bars by all commands so far, in a run each "
        "(optimize 16): the different ones are" in flat
    )
    assert "search TREND_EMA-1, SHA-256" in flat
    lines = out.splitlines()
    heads = next(number for number, line in enumerate(lines) if line.startswith("ema_fast"))
    assert "unseen return %" in lines[heads]
    assert max(map(len, before_the_command(lines))) <= 100
    named = lines[-1].split()
    assert named[0] == "run_backtest.py"
    # What has one value is named too, and where the candles are.
    assert {"atr_period=14", "atr_stop_mult=2", told.url} <= set(named)
    assert run_backtest.main(named[1:]) == 0


@pytest.mark.unmeasured
def test_its_numbers_are_those_of_single_backtests_and_the_unseen_ones_those_of_its_verdict(
    told: Told, tmp_path: Path
) -> None:
    found, single = told.search(*SMALL, "--method", "grid", "--best", "100"), tmp_path / "single.json"
    assert len(found["best"]) == 16
    for best in found["best"][::5]:
        params = [f"--param={name}={value!r}" for name, value in best["params"].items()]
        words = [*told.which, *params, "--end", at(CUT), "--json", str(single), "--force"]
        assert run_backtest.main(words) == 0
        alone = json.loads(single.read_text())["runs"][0]
        assert best["chosen_on"][0] == {name: alone[name] for name in best["chosen_on"][0]}
    unseen, figures = found["best"][0]["unseen"][0], found["verdict"]["figures"]
    assert unseen["return_pct"] == pytest.approx(100 * figures["unseen_return"])
    assert unseen["sharpe_ratio"] == pytest.approx(figures["unseen_sharpe"])
    ranked = {tuple(one["params"].values()): one["sharpe"] for one in found["sets"]}
    shown = [ranked[tuple(float(best["params"][name]) for name in found["space"])] for best in found["best"]]
    assert shown == [best["chosen_on"][0]["sharpe_ratio"] for best in found["best"]]
    assert shown == sorted(shown, reverse=True)


@pytest.mark.unmeasured
@pytest.mark.parametrize("more", [[], ["--held-out", at(3000)], ["--unseen", "0"], ["--limit", "3000"]])
def test_the_command_that_is_named_makes_the_figures_of_the_table_and_looks_at_no_bar_held_out(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    found, single = told.search(*SMALL, "--method", "grid", *more), tmp_path / "single.json"
    assert main(["--resume", found["search"], "--db-url", told.url]) == 0
    said = capsys.readouterr().out
    assert ("it ends before the bars held out" in " ".join(said.split())) == ("--held-out" in more)
    assert run_backtest.main([*said.splitlines()[-1].split()[1:], "--json", str(single)]) == 0
    assert "held out" not in capsys.readouterr().err
    (alone,) = json.loads(single.read_text())["runs"]
    best = found["best"][0]["chosen_on"][0]
    assert best == {name: alone[name] for name in best}


def test_a_saved_file_says_how_to_leave_bars_that_are_held_out_alone(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "tuned.yaml"
    told.search(*SMALL, "--method", "grid", "--held-out", at(3000), "--save", str(file))
    assert f"# --end {at(3000)} leaves the bars held out alone" in file.read_text()


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("method", some(["random", "tpe", "cmaes"], 1))
def test_what_is_chosen_never_depends_on_the_bars_kept_back(told: Told, tmp_path: Path, method: str) -> None:
    (tmp_path / "other").mkdir()
    other = Told(tmp_path / "other", poisoned(hourly(5), CUT))
    asked = ["--method", method, "--trials", "120"]
    one, two = told.search(*asked), other.search(*asked)
    assert one["sha256"] == two["sha256"]
    assert [best["chosen_on"] for best in one["best"]] == [best["chosen_on"] for best in two["best"]]
    assert [best["unseen"] for best in one["best"]] != [best["unseen"] for best in two["best"]]


def pulled_back(count: int, pull: float) -> Bars:
    """Return bars whose prices fall back to a line by this part of their distance each hour."""
    random = np.random.default_rng(1)
    away = np.zeros(count)
    for i in range(1, count):
        away[i] = (1 - pull) * away[i - 1] + random.normal(0, 0.01)
    close = 100 * np.exp(away)
    opens = np.concatenate([[100.0], close[:-1]])
    edge = 1 + np.abs(random.normal(0, 0.0005, count))
    ts = START + HOUR * np.arange(count, dtype=np.int64)
    high, low = np.maximum(opens, close) * edge, np.minimum(opens, close) / edge
    return Bars(ts, opens, high, low, close, np.ones(count))


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(("pull", "answer"), some([(0.1, "edge"), (0.0, "no edge")], 1))
def test_an_edge_that_was_planted_is_found_and_a_walk_has_none(
    tmp_path: Path, pull: float, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, pulled_back(16_000, pull))
    told.which[1] = "MR_BB"
    found = told.search("--method", "tpe", "--trials", "150", "--unseen", "40")
    assert found["verdict"]["answer"] == answer
    best = found["best"][0]
    if answer == "edge":
        assert best["chosen_on"][0]["sharpe_ratio"] > 3
        assert best["unseen"][0]["sharpe_ratio"] > 3
    assert main(["--resume", found["search"], "--db-url", told.url]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert found["verdict"]["sentence"] in said
    assert ("NOT PASSED" in said) == (answer != "edge")


@pytest.mark.unmeasured
def test_the_verdict_counts_what_every_command_tried_and_looked_at(told: Told) -> None:
    def told_of(found: dict[str, Any], name: str) -> str:
        return str(next(test for test in found["verdict"]["tests"] if test["name"] == name))

    first = told.search(*SMALL, "--method", "grid")
    assert first["verdict"]["answer"] == "not enough data"
    assert "85 days on which nothing was chosen, wanted 251" in first["verdict"]["sentence"]
    assert told.search(*SMALL, "--method", "grid")["verdict"] == first["verdict"]
    again = told.search(*SMALL, "--method", "grid", "--best", "16")
    assert told_of(first, "unseen") != told_of(again, "unseen")
    wider = told.search("--trials", "500")
    assert (first["counted"]["different"], wider["counted"]["different"]) == (16, 516)


def test_a_walk_forward_chooses_before_and_trades_after(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    walk = ["--walk-forward", "4", "--fit-days", "60", "--embargo", "2"]
    found = told.search(*SMALL, "--method", "grid", *walk)["walk_forward"]
    assert len(found["windows"]) == 4
    assert all(one["fit_stop"] + 2 * 24 * HOUR == one["test_start"] for one in found["windows"])
    assert {one["fit_start"] for one in found["windows"]} == {START}
    assert found["windows"][-1]["test_stop"] == START + COUNT * HOUR
    assert set(found["drift"]) == {"ema_fast", "ema_slow", "rr_ratio"}
    rolled = told.again("TREND_EMA-1", *walk, "--rolling")["walk_forward"]
    assert len({one["fit_start"] for one in rolled["windows"]}) == 4
    assert main(["--resume", "TREND_EMA-1", "--db-url", told.url, *walk]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "walk forward: 4 windows" in said
    assert found["verdict"]["answer"] in ("edge", "no edge", "not enough data")
    assert f"of the walk forward: {found['verdict']['sentence']}" in said
    assert found["verdict"]["tests"][0]["name"] != "overfitting"
    assert "efficiency" in said
    name = told.search("--method", "tpe", "--trials", "50")["search"]
    with pytest.raises(UsageError, match="a search that learns has seen all the bars that it chose on"):
        told.again(name, *walk)


@pytest.mark.unmeasured
def test_a_walk_forward_leaves_bars_that_are_held_out_alone(told: Told, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Told(tmp_path / "other", poisoned(hourly(5), 3000))
    asked = ["--held-out", at(3000), *SMALL, "--method", "grid", "--walk-forward", "3", "--fit-days", "60"]
    one, two = told.search(*asked), other.search(*asked)
    assert one["walk_forward"] == two["walk_forward"]
    assert one["verdict"] == {"answer": None, "sentence": two["verdict"]["sentence"]}
    assert "it needs bars on which nothing was chosen" in one["verdict"]["sentence"]


@pytest.mark.unmeasured
def test_the_search_runs_on_shuffled_bars_too_if_asked(told: Told) -> None:
    found = told.search(*SMALL, "--method", "grid", "--shuffles", "19")
    test = next(one for one in found["verdict"]["tests"] if one["name"] == "shuffled bars")
    assert test["found"] in [k / 20 for k in range(1, 21)]


@programs
@pytest.mark.unmeasured
def test_any_number_of_workers_comes_to_the_same_bit_for_bit(told: Told) -> None:
    asked = ["--method", "tpe", "--trials", "110", "--seed", "3"]
    alone = told.search(*asked)
    # One worker is tried where it is killed.
    assert same(told.search(*asked, "--workers", "3"), alone)


class Assassin(ProcessRunner):
    """Kills a worker while it works, twice."""

    batches = 0

    def _submit(self, sets: ParamSets) -> Any:
        future = super()._submit(sets)
        Assassin.batches += 1
        if Assassin.batches in (3, 14) and self._pool is not None:
            os.kill(next(iter(self._pool._processes or {})), signal.SIGKILL)
        return future


@programs
def test_a_worker_that_is_killed_changes_nothing(
    told: Told, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--method", "random", "--trials", "1300"]
    alone = told.search(*asked)
    monkeypatch.setattr(optimize_command, "ProcessRunner", Assassin)
    assert same(told.search(*asked, "--workers", "2"), alone)
    assert "note: worker processes ended" in capsys.readouterr().err


def test_whoever_starts_workers_waits_for_none_that_is_killed_while_it_begins(tmp_path: Path) -> None:
    bars = random_bars(1, 40_000)
    load = Workload({Series("x", "BTC/USDT", "1h"): bars}, {}, "TREND_EMA", Costs(0.001), 10_000.0)
    with closing(ProcessRunner(load, 1)) as runner:
        runner._open(1)
        pool, file = runner._pool, runner._file
        assert pool is not None
        assert file is not None
        # A pipe of Linux holds 65,536 bytes, one of macOS as few as 4,096.
        assert len(pickle.dumps(pool._initargs)) < 2_048 < bars.close.nbytes
        assert file.stat().st_mode & 0o077 == 0
    assert not file.exists()


def test_workers_that_all_end_are_given_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOST", 0)
    monkeypatch.setattr(workers, "_filled", lambda *_: False)
    with pytest.raises(Exception, match="worker processes ended 1 times before their work was done"):
        told.search(*SMALL, "--method", "grid", "--workers", "1")


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("method", some(["tpe", "random", "cmaes"], 1))
def test_a_search_that_is_interrupted_goes_on_to_what_it_would_have_been(
    told: Told, method: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--method", method, "--trials", {"random": "2200", "tpe": "170", "cmaes": "70"}[method]]
    whole = told.search(*asked)
    batches, append = [0], trials.append

    def interrupted(engine: Any, entry: Any, *more: Any) -> Any:
        row = append(engine, entry, *more)
        batches[0] += entry.kind == TRIALS
        if batches[0] == 2:
            raise KeyboardInterrupt
        return row

    with monkeypatch.context() as patched:
        patched.setattr(trials, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            told.search(*asked)
    said = capsys.readouterr().err
    name = said.partition("--resume ")[2].split()[0]
    assert f"the search is kept: optimize.py --resume {name} goes on with it" in said
    assert same(told.again(name), whole)
    rows = told.rows()
    first = [row for row in rows if row.study == whole["search"] and row.kind == TRIALS]
    second = [row for row in rows if row.study == name and row.kind == TRIALS]
    assert [row[10:17] for row in first] == [row[10:17] for row in second]
    # What is complete is shown again, and nothing is tried or looked at once more.
    assert same(told.again(name, "--workers", "1"), whole)
    assert told.rows() == rows


@programs
@pytest.mark.unmeasured
@linux
def test_a_search_whose_process_is_killed_leaves_no_worker_and_goes_on_to_what_it_would_have_been(
    told: Told,
) -> None:
    asked = ["--method", "tpe", "--trials", "250"]
    whole = told.search(*asked)
    words = [*told.which, "--min-trades", "5", *asked, "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, str(cli.ROOT / "scripts" / "optimize.py"), *words],
        cwd=cli.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    before = len(told.rows())
    while process.poll() is None and len(told.rows()) < before + 3:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    with ending_with(process.pid):
        process.kill()
        process.wait()
    name = next(row.study for row in told.rows()[before:])
    assert len(told.rows()) < before + 1 + 5 + 1
    assert same(told.again(name), whole)


def test_a_search_on_other_candles_or_other_code_is_not_gone_on_with(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = told.search(*SMALL, "--method", "grid")["search"]
    with pytest.raises(UsageError, match=r"--resume: unknown search 'TREND_EMA-9'.*did you mean"):
        told.again("TREND_EMA-9")
    with monkeypatch.context() as patched:
        patched.setattr("core.cli.trial_journal.code_version", lambda _: "0.1.0+made.0123456789ab")
        with pytest.raises(UsageError, match="the code of TREND_EMA has changed since TREND_EMA-1 began"):
            told.again(name)
    run_sql(told.path, f"UPDATE ohlcv SET close = high WHERE ts = {START + 7 * HOUR}")
    with pytest.raises(UsageError, match="the candles of binanceus BTC/USDT 1h have changed since"):
        told.again(name)


@pytest.mark.unmeasured
def test_every_command_s_trials_are_counted_once_for_the_rule_and_the_bars(told: Told) -> None:
    assert told.search(*SMALL, "--method", "grid")["counted"]["different"] == 16
    assert told.search(*SMALL, "--method", "grid")["counted"]["different"] == 16
    sweep = [
        "--param",
        "ema_fast=5:25:5",
        "--param",
        "ema_slow=30,60",
        "--param",
        "atr_stop_mult=2",
        "--param",
        "rr_ratio=1.5,3",
    ]
    assert run_sweep.main([*told.which, *sweep, "--min-trades", "1", "--best", "20"]) == 0
    # Four of the sweep's twenty are new.
    assert run_backtest.main([*told.which, "--param", "ema_fast=31"]) == 0
    assert run_backtest.main([*told.which, "--param", "ema_fast=31"]) == 0
    # Bars of which none was chosen on, another rule, and another market count for none.
    assert run_backtest.main([*told.which, "--param", "ema_fast=33", "--start", at(CUT)]) == 0
    assert run_backtest.main(["--strategy", "MR_BB", *told.which[2:]]) == 0
    found = told.search(*SMALL, "--method", "grid")
    assert found["counted"] == {
        "different": 16 + 4 + 1,
        "runs": 3 * 16 + 20 + 2,
        "by_command": {"backtest": 2, "optimize": 48, "sweep": 20},
    }
    # Of backtests that over all bars and that of the unseen ones; three searches that are the same look once.
    assert (found["looks"], found["looks_before"]) == (4, {"backtest": 2, "optimize": 1, "sweep": 1})


def test_bars_held_out_are_closed_to_a_search_and_every_look_is_counted(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*SMALL, "--method", "grid"]
    held = told.search(*asked, "--held-out", at(3000))
    assert (held["looked"], held["held_out"]) == (False, True)
    assert held["series"][0]["chosen_on"]["bars"] == 3000
    assert [best["unseen"] for best in held["best"]] == [None] * 10
    # A later search is cut there too, and may not look either.
    again = told.search(*asked)
    assert (again["sha256"], again["looked"]) == (held["sha256"], False)
    assert main([*told.which, *asked, "--min-trades", "5"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "held out 1,000 bars" in said
    assert "the bars held out are still closed: nothing about them was computed" in said
    assert main(["--resume", again["search"], "--db-url", told.url, "--open"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the bars held out were opened by this: their first look, the only one that counts" in said
    assert run_backtest.main([*told.which]) == 0
    assert "note: this looks at bars that were held out, BTC/USDT from" in capsys.readouterr().err
    again_looked = [*told.which, *asked, "--min-trades", "5", "--open"]
    assert main(again_looked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "these sets were seen on these bars held out before: no look more than the 2 with TREND_EMA "
        "(backtest 1, optimize 1)"
    ) in said
    assert main([*again_looked, "--best", "16"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "look 3 at these bars held out with TREND_EMA (backtest 1, optimize 1 before)" in said
    assert show_trials.main(["--db-url", told.url, "--strategy", "TREND_EMA"]) == 0
    assert "looked at 3 times with TREND_EMA" in " ".join(capsys.readouterr().out.split())
    assert sum(row.kind == LOOK for row in told.rows()) == 3


@pytest.mark.unmeasured
def test_every_command_counts_the_same_looks_also_those_of_before_the_declaration(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*SMALL, "--method", "grid"]
    assert told.search(*asked)["looks"] == 1
    assert run_backtest.main(told.which) == 0
    told.search(*asked, "--held-out", at(3000))
    # Another end, as where candles were loaded since: the bars held out are those declared, not those there.
    opened_now = told.search(*asked, "--open", "--end", at(3500))
    assert (opened_now["looks"], opened_now["looks_before"]) == (3, {"backtest": 1, "optimize": 1})
    capsys.readouterr()
    for number, fast in ((4, 31), (5, 33)):
        assert run_backtest.main([*told.which, "--param", f"ema_fast={fast}", "--start", at(3600)]) == 0
        assert f"look {number} with TREND_EMA" in capsys.readouterr().err
        assert show_trials.main(["--db-url", told.url]) == 0
        assert f"looked at {number} times with TREND_EMA" in " ".join(capsys.readouterr().out.split())
    assert told.search(*asked, "--open", "--best", "3")["looks"] == 6


@pytest.mark.unmeasured
def test_four_strategies_that_look_at_bars_held_out_say_so_in_one_line_that_names_what_was_run(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = opened(told.path)
    upsert_bars(engine, SERIES._replace(symbol="ETH/USDT"), hourly(6), clock=lambda: NOW)
    engine.dispose()
    told.search(*SMALL, "--method", "grid", "--symbol", "BTC/USDT,ETH/USDT", "--held-out", at(3000))
    capsys.readouterr()
    four = [word for name in ("TREND_EMA", "MR_BB", "SQZ_BO", "GRID_LR") for word in ("--strategy", name)]
    words = [*four, *told.which[2:], "--engine", "fast"]
    for said in ("", " (the same again)"):
        assert run_backtest.main(words) == 0
        notes = [line for line in capsys.readouterr().err.splitlines() if "held out" in line]
        looks = ", ".join(f"look 1 with {name}{said}" for name in four[1::2])
        when = at(3000).replace("T", " ")
        assert notes == [f"note: this looks at bars that were held out, BTC/USDT from {when} UTC on: {looks}"]
    assert run_backtest.main([*told.which, "--symbol", "ETH/USDT", "--engine", "fast"]) == 0
    (note,) = (line for line in capsys.readouterr().err.splitlines() if "held out" in line)
    assert note.endswith(f"BTC/USDT from {when} UTC on, ETH/USDT from {when} UTC on: look 1 with TREND_EMA")


@pytest.mark.unmeasured
def test_a_sweep_over_bars_held_out_is_one_look(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """Its sets ran on some of them, and its best ones on the rest."""
    told.search(*SMALL, "--method", "grid", "--held-out", at(1000))
    capsys.readouterr()
    words = [*told.which, "--param", "ema_fast=10,20", "--min-trades", "1"]
    for more, said in (
        ([], "look 1"),
        ([], "look 1"),
        (["--best", "1"], "look 1"),
        (["--unseen", "30"], "look 2"),
    ):
        assert run_sweep.main([*words, *more]) == 0
        (note,) = (line for line in capsys.readouterr().err.splitlines() if "held out" in line)
        assert f"UTC on: {said} with TREND_EMA" in note


def test_an_unknown_strategy_has_no_trials_to_show(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=r"unknown strategy 'TREND_EMMA'.*did you mean TREND_EMA"):
        show_trials.main(["--db-url", told.url, "--strategy", "TREND_EMMA"])
    assert show_trials.main(["--db-url", told.url, "--strategy", "mr_bb"]) == 0
    assert "no trials are recorded yet" in capsys.readouterr().out
    engine = opened(told.path)
    # Of a strategy whose file is gone.
    window = TrialWindow(*SERIES, START, START + HOUR, 2, "")
    trials.append(engine, Trials(TRIALS, "sweep", "GONE", "code", [window], ("a",), np.ones((1, 1))))
    engine.dispose()
    assert show_trials.main(["--db-url", told.url, "--strategy", "gone"]) == 0
    assert "GONE" in capsys.readouterr().out


@pytest.mark.unmeasured
def test_a_replay_over_bars_that_are_held_out_says_so_and_counts(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    told.search(*SMALL, "--method", "grid", "--held-out", at(3000))
    capsys.readouterr()
    words = ["--replay", "--exchange", "binanceus", "--db-url", told.url, *told.which[:6]]
    for again in ("", " (the same again)"):
        assert run_live.main(words) == 0
        said = " ".join(capsys.readouterr().err.split())
        assert "note: this looks at bars that were held out, BTC/USDT from " in said
        assert f"UTC on: look 1 with TREND_EMA{again}" in said


@pytest.mark.unmeasured
def test_the_bars_held_out_change_nothing_that_is_computed_while_they_are_closed(
    told: Told, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Told(tmp_path / "other", poisoned(hourly(5), 3000))
    asked = ["--held-out", at(3000), "--method", "random", "--trials", "50"]
    one, two = told.search(*asked), other.search(*asked)
    assert {**one, "series": None} == {**two, "series": None}


@pytest.mark.unmeasured
def test_two_symbols_are_searched_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(tmp_path, hourly(5))
    engine = opened(told.path)
    upsert_bars(engine, SERIES._replace(symbol="ETH/USDT"), hourly(6), clock=lambda: NOW)
    engine.dispose()
    both = ["--symbol", "BTC/USDT,ETH/USDT", *SMALL, "--method", "grid", "--best", "100"]
    for over, made in (("mean", np.mean), ("worst", np.min)):
        found = told.search(*both, "--over", over)
        for best in found["best"]:
            own = next(one for one in found["sets"] if one["rank"] == found["best"].index(best) + 1)
            assert own["sharpe"] == made([each["sharpe_ratio"] for each in best["chosen_on"]])
            assert own["trades"] == sum(each["trades_count"] for each in best["chosen_on"])
    capsys.readouterr()
    assert main([*told.which, *both]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "best by sharpe, the mean over 2 symbols" in said
    assert "mean sharpe symbol return % Sharpe" in said
    # Two searches for the mean and for the worst, and this one.
    assert "in 48 runs, 32 of them of a set that was tried before (optimize 48)" in said


def test_sets_that_a_search_tried_again_are_said(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--param", "ema_fast=5,10", "--param", "ema_slow=30", "--param", "atr_period=14"]
    few += ["--param", "atr_stop_mult=2", "--param", "rr_ratio=1.5,2,3"]
    assert main([*told.which, *few, "--method", "tpe", "--trials", "60", "--min-trades", "1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    tries = int(re.findall(r"(\d+) different ones, the others tried again", said)[0])
    assert f"60 sets of TREND_EMA by tpe, seed 1, {tries} different ones, the others tried again" in said
    assert f"in 60 runs, {60 - tries} of them of a set that was tried before (optimize 60)" in said


@pytest.mark.unmeasured
def test_a_pareto_front_has_no_set_that_another_beats(told: Told) -> None:
    found = told.search("--objective", "sharpe,return_drawdown,sqn", "--trials", "300", "--best", "300")
    scores = [
        (one["rank"], np.array([one[name] for name in found["objectives"]], float)) for one in found["sets"]
    ]
    known = [score for _, score in scores if np.isfinite(score).all()]
    front = [score for rank, score in scores if rank is not None]
    assert 1 < len(front) < len(known)
    for score in front:
        assert not any((other >= score).all() and (other > score).any() for other in known)


def test_the_best_set_is_saved_as_a_new_strategies_file_that_runs(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, document = tmp_path / "tuned.yaml", tmp_path / "runs.json"
    found = told.search(*SMALL, "--method", "grid", "--save", str(file))
    words = [
        "--strategy",
        "TREND_EMA",
        "--use-sql",
        "--exchange",
        "binanceus",
        "--db-url",
        told.url,
        "--strategies-file",
        str(file),
    ]
    assert run_backtest.main([*words, "--json", str(document)]) == 0
    (run,) = json.loads(document.read_text())["runs"]
    assert run["params"] == found["best"][0]["params"]
    before = file.read_text()
    with pytest.raises(UsageError, match=r"exists and is left as it is: name another file$"):
        told.search(*SMALL, "--method", "grid", "--save", str(file))
    assert file.read_text() == before
    with pytest.raises(NoDataError, match="is not written: no set is ranked"):
        told.search(*SMALL, "--method", "grid", "--min-trades", "9999", "--save", str(tmp_path / "none.yaml"))
    assert not (tmp_path / "none.yaml").exists()
    capsys.readouterr()


@pytest.mark.unmeasured
def test_the_page_has_every_set_once_and_the_verdict(told: Told, tmp_path: Path) -> None:
    page = tmp_path / "search.html"
    found = told.search(
        "--method", "tpe", "--trials", "120", "--objective", "sqn,sharpe", "--report", str(page)
    )
    text = page.read_text()
    assert f"HOT-Crypto search {found['search']}" in text
    (shown,) = re.findall(r'id="document">(.*?)</script>', text)
    (judged,), tests = json.loads(shown)["judged"], found["verdict"]["tests"]
    assert judged["sentence"] == found["verdict"]["sentence"]
    assert [row[0] for row in judged["rows"]] == [test["name"] for test in tests]
    assert [row[3:] for row in judged["rows"]] == [[test["wanted"], test["days"]] for test in tests]
    assert "shuffled bars (--shuffles runs the search on them)" in judged["not_asked"]
    with pytest.raises(UsageError, match="exists and is left as it is"):
        told.search(*SMALL, "--method", "grid", "--report", str(page))


def test_many_parameters_stand_below_the_table(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--strategy", "MOMENTUM", *told.which[2:], "--trials", "20", "--min-trades", "1", "--best", "2"]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("set  return %") for line in lines)
    assert any(line.startswith("set 2: ema_fast ") for line in lines)
    assert max(map(len, before_the_command(lines))) <= 100


def test_nothing_is_made_for_what_is_asked_wrongly(tmp_path: Path) -> None:
    url = url_of(tmp_path / "new.db")
    for words in (["--resume", "A-1"], ["--strategy", "TREND_EMA", "--param", "ema_fast=1"]):
        with pytest.raises((UsageError, DatabaseError)):
            main([*words, "--db-url", url])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.unmeasured
def test_damage_of_the_record_is_said_and_a_search_goes_on(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    told.search(*SMALL, "--method", "grid")
    run_sql(told.path, "UPDATE trial_entries SET sets = x'00' WHERE seq = 2")
    capsys.readouterr()
    assert told.search(*SMALL, "--method", "grid")["counted"]["different"] == 32
    said = capsys.readouterr().err
    assert "note: trial journal: entry 2 (optimize TREND_EMA) was changed: trials may be missing" in said


@pytest.mark.unmeasured
def test_accounts_proofs_and_repeated_runs_are_counted_too(told: Told) -> None:
    assert run_backtest.main([*told.which, "--param", "ema_fast=11", "--portfolio"]) == 0
    assert run_backtest.main([*told.which, "--param", "ema_fast=12", "--verify", "--limit", "900"]) == 0
    assert run_backtest.main([*told.which, "--param", "ema_fast=13", "--persist"]) == 0
    assert run_backtest.main(["--rerun", "1", "--db-url", told.url]) == 0
    fast = [row.values()[0, 0] for row in told.rows()]
    assert fast == [11, 12, 13, 13]


def test_the_values_that_are_tried_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--strategy", "trend_ema"]) == 0
    out = capsys.readouterr().out
    assert "TREND_EMA, ema_fast < ema_slow" in out
    assert re.search(r"ema_fast +5:50:1 +46 +20 +2 … 1999\n", out)
    assert main(["--list"]) == 0
    assert "SUPERTREND" in capsys.readouterr().out


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--param", "ema_fats=1,2"], "unknown parameter 'ema_fats'"),
        (["--param", "ema_fast=1:2"], "wanted NAME=VALUES"),
        (["--param", "ema_fast=1,5"], "TREND_EMA.ema_fast: wanted a whole number from 2 to 1999, got 1"),
        (["--objective", "luck"], "--objective: unknown objective 'luck'"),
        (["--method", "grid"], "490,176 sets, a search takes 200,000 at most"),
        (["--method", "cmaes", "--objective", "sharpe,sqn"], "--method cmaes strives for one --objective"),
        (["--open"], "--open: no bars of these are held out"),
        (["--held-out", "2050-01-01"], "has no bar from 2050-01-01 00:00 UTC on"),
        (["--held-out", "soon"], "wanted|cannot read"),
        (["--param", "ema_fast=60,70", "--param", "ema_slow=50", "--method", "tpe"], "no combination of the"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_nothing_is_written_down(told: Told, more: list[str], said: str) -> None:
    with pytest.raises((UsageError, NoDataError), match=said) as error:
        main([*told.which, *more])
    assert "\n" not in str(error.value)
    assert told.rows() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a --strategy, or a search to --resume"),
        (
            ["--strategy", "A", "--method", "grid", "--trials", "5"],
            "--method grid tries every set: leave out",
        ),
        (
            ["--strategy", "A", "--held-out", "2024-01-01", "--unseen", "20"],
            "--held-out says which bars are kept",
        ),
        (["--resume", "A-1", "--trials", "5"], "--resume takes the rest from the search: leave out --trials"),
        (["--strategy", "A", "--rolling"], "are for --walk-forward N: give it too"),
        (
            ["--strategy", "A", "--method", "tpe", "--walk-forward", "4"],
            "--walk-forward takes --method grid or",
        ),
        (["--strategy", "A", "--shuffles", "5"], "wanted a whole number from 19 to 10000"),
        (["--list", "--workers", "2"], "--list shows and does not search: leave out --workers"),
        (["--strategy", "A", "--save", "-"], "--save writes a new file: name one"),
        (["--strategy", "A", "--method", "luck"], "invalid choice: 'luck'"),
        (["--strategy", "A", "--workers", "0"], "wanted a whole number from 1 to 1024"),
        (["--strategy", "A", "--over", "median"], "invalid choice: 'median'"),
    ],
)
def test_options_that_say_nothing_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_record_is_shown_and_checked(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show_trials.main(["--db-url", told.url]) == 0
    assert "no trials are recorded yet" in capsys.readouterr().out
    name, table = told.search(*SMALL, "--method", "grid")["search"], tmp_path / "sets.csv"
    assert run_backtest.main([*told.which, "--param", "ema_fast=31"]) == 0
    capsys.readouterr()
    assert show_trials.main(["--db-url", told.url, "--strategy", "trend_ema"]) == 0
    out = capsys.readouterr().out
    assert "backtest 1, optimize 16" in " ".join(out.split())
    assert "checked: unbroken, 4 entries" in out
    assert show_trials.main(["--db-url", told.url, "--search", name, "--csv", str(table)]) == 0
    # What this program wrote it may replace.
    assert show_trials.main(["--db-url", told.url, "--search", name, "--csv", str(table), "--force"]) == 0
    assert "16 sets in 1 batch, 1 look at unseen bars" in capsys.readouterr().out
    assert len(table.read_text().splitlines()) == 17
    with pytest.raises(UsageError, match="--search: unknown search 'TREND_EMA-7'"):
        show_trials.main(["--db-url", told.url, "--search", "TREND_EMA-7"])
    run_sql(told.path, "UPDATE trial_entries SET trials = 1 WHERE seq = 2")
    assert show_trials.main(["--db-url", told.url]) == 1
    damaged = capsys.readouterr()
    assert "checked: DAMAGED" in damaged.out
    assert "trial journal: entry 2 (optimize TREND_EMA) was changed" in damaged.err


def test_what_cannot_be_written_down_is_said_and_the_run_goes_on(
    told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sql(told.path, f"PRAGMA user_version = {SERIES.timeframe[0]}")
    words = [*told.which[:-1], f"{told.url}?mode=ro"]
    assert run_backtest.main(words) == 0
    assert "note: not counted as a trial: database" in capsys.readouterr().err
    assert told.rows() == []


def test_the_page_draws_what_the_document_has(told: Told, tmp_path: Path) -> None:
    page = tmp_path / "search.html"
    walk = ["--walk-forward", "4", "--fit-days", "60", "--report", str(page)]
    found = told.search(*SMALL, "--method", "grid", *walk)
    (text,) = re.findall(r'id="document">(.*?)</script>', page.read_text())
    drawn = json.loads(text)

    def unpacked(packed: str) -> Any:
        return json.loads(zlib.decompress(base64.b64decode(packed)))

    lines = unpacked(drawn["curves"])
    assert lines == {"the best set": found["curve"], "walk forward": found["walk_forward"]["curve"]}
    assert drawn["drift"]["values"] == found["walk_forward"]["drift"]
    assert len(drawn["drift"]["times"]) == 4
    assert unpacked(drawn["scores"]["sharpe"]) == [one["sharpe"] for one in found["sets"]]
    # The days that were chosen on are those of the backtest that the table shows.
    line, best = found["curve"], found["best"][0]
    assert line["equity"][line["chosen_on"] - 1] == pytest.approx(
        1 + best["chosen_on"][0]["return_pct"] / 100
    )
    worst = max(line["drawdown"][: line["chosen_on"]])
    assert 0 < worst <= best["chosen_on"][0]["max_drawdown_pct"] / 100 + 1e-12
    walked = np.prod(1 + np.array(found["walk_forward"]["returns"]))
    assert lines["walk forward"]["equity"][-1] == pytest.approx(walked)
    # Bars that are held out and closed are no days of it.
    held = told.search(*SMALL, "--method", "grid", "--held-out", at(CUT))["curve"]
    assert held["chosen_on"] == len(held["days"]) == line["chosen_on"]
    assert held["equity"] == line["equity"][: line["chosen_on"]]
