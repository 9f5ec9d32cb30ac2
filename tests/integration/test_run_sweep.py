"""A sweep from the command line: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.domain import Bars, Costs
from core.errors import UsageError
from core.optimise.search import summary_at
from core.optimise.sweep import sweep
from core.results.measures import summary_json
from scripts import run_backtest
from scripts.run_sweep import main
from tests.markets import random_bars
from tests.stored import HOUR, SERIES, START, make_database, url_of
from tests.unit.test_report import document_of, unpacked_json

COUNT, CUT = 4000, 2000
WHICH = ["--strategy", "TREND_EMA", "--symbol", "BTC/USDT", "--timeframe", "1h", "--use-sql"]
SPACE = ["--param", "ema_fast=5:20:5", "--param", "ema_slow=30,60"]


def hourly(seed: int) -> Bars:
    ts = START + HOUR * np.arange(COUNT, dtype=np.int64)
    return random_bars(seed, COUNT + 400).until(COUNT)._replace(ts=ts)


@pytest.fixture
def told(tmp_path: Path) -> list[str]:
    url = url_of(make_database(tmp_path, hourly(5), SERIES))
    return [*WHICH, "--exchange", "binanceus", "--db-url", url]


def at(hour: int) -> str:
    return str(np.datetime64(START + HOUR * hour, "ms").astype("datetime64[m]"))


def before_the_command(lines: list[str]) -> list[str]:
    """Return what is printed before the command that runs the best set again, which is as long as it is."""
    return lines[: next(i for i, line in enumerate(lines) if line.startswith("the first one again"))]


@pytest.mark.unmeasured
def test_the_best_sets_are_shown_on_both_parts_with_a_word_on_luck(
    told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*told, *SPACE, "--best", "3", "--min-trades", "5"]) == 0
    out = capsys.readouterr().out
    assert "chosen on 2,000 bars" in out
    assert "unseen 2,000 bars" in " ".join(out.split())
    lines = out.splitlines()
    heads = next(number for number, line in enumerate(lines) if line.startswith("ema_fast"))
    assert lines[heads].split()[:2] == ["ema_fast", "ema_slow"]
    assert "unseen return %" in lines[heads]
    assert not lines[heads + 4].strip() or lines[heads + 4].startswith("(--wide")
    assert "8 sets of TREND_EMA: Sharpe" in out
    assert "by luck alone the best Sharpe of 8 such sets would be about" in out
    assert "buying and holding BTC/USDT" in out
    assert max(map(len, before_the_command(lines))) <= 100


@pytest.mark.unmeasured
def test_its_numbers_are_those_of_a_single_backtest_and_of_warm_columns_on_unseen_bars(
    told: list[str], tmp_path: Path
) -> None:
    swept, single = tmp_path / "swept.json", tmp_path / "single.json"
    assert main([*told, *SPACE, "--min-trades", "1", "--json", str(swept)]) == 0
    found = json.loads(swept.read_text())
    best = next(chosen for chosen in found["sets"] if chosen["rank"] == 1)
    params = [f"--param={name}={value}" for name, value in best["params"].items()]
    assert run_backtest.main([*told, *params, "--end", at(CUT), "--json", str(single)]) == 0
    alone = json.loads(single.read_text())["runs"][0]
    assert best["chosen_on"][0] == {name: alone[name] for name in best["chosen_on"][0]}
    table = sweep({SERIES: hourly(5)}, "TREND_EMA", [best["params"]], Costs(0.001), starts={SERIES: CUT})
    assert best["unseen"][0] == summary_json(summary_at(table, 0))
    assert found["series"][0]["unseen"]["bars"] == COUNT - CUT


def test_its_page_has_the_numbers_of_its_document(told: list[str], tmp_path: Path) -> None:
    page, document = tmp_path / "map.html", tmp_path / "sets.json"
    words = [
        *told,
        *SPACE,
        "--min-trades",
        "5",
        "--best",
        "3",
        "--report",
        str(page),
        "--json",
        str(document),
    ]
    assert main(words) == 0
    shown, sets = document_of(page.read_text()), json.loads(document.read_text())["sets"]
    assert shown["figure"] == "sharpe_ratio"
    assert {name: unpacked_json(values) for name, values in shown["params"].items()} == {
        name: [one["params"][name] for one in sets] for name in ("ema_fast", "ema_slow")
    }
    for figure in (one["name"] for one in shown["figures"]):
        assert unpacked_json(shown["seen"][figure]) == [one["chosen_on"][0][figure] for one in sets]
    ranked = sorted((one for one in sets if one["rank"]), key=lambda one: one["rank"])[:3]
    assert [sets[place] for place in shown["ranked"]] == ranked
    assert shown["unseen"]["return_pct"] == [one["unseen"][0]["return_pct"] for one in ranked]
    assert any("by luck alone" in line for line in shown["verdict"])
    assert main([*words, "--force"]) == 0
    with pytest.raises(UsageError, match="add --force"):
        main(words)
    assert main([*told, *SPACE, "--min-trades", "5", "--unseen", "0", "--report", str(page), "--force"]) == 0
    assert document_of(page.read_text())["unseen"] is None


def test_every_set_is_written_and_the_ranks_follow_the_figure(told: list[str], tmp_path: Path) -> None:
    table, document = tmp_path / "all.csv", tmp_path / "all.json"
    written = ["--csv", str(table), "--json", str(document), "--sort", "return", "--min-trades", "1"]
    assert main([*told, *SPACE, *written, "--best", "2"]) == 0
    rows, sets = pd.read_csv(table), json.loads(document.read_text())["sets"]
    assert rows[["ema_fast", "ema_slow"]].to_numpy().tolist() == [
        [chosen["params"]["ema_fast"], chosen["params"]["ema_slow"]] for chosen in sets
    ]
    ranks = rows["return_pct"].rank(ascending=False, method="first").astype(int)
    assert [chosen["rank"] for chosen in sets] == ranks.tolist()
    assert [chosen["rank"] for chosen in sets if chosen["unseen"]] in ([1, 2], [2, 1])


@pytest.mark.unmeasured
def test_the_command_it_names_makes_the_figures_of_the_table(
    told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swept, single = tmp_path / "swept.json", tmp_path / "single.json"
    assert main([*told, *SPACE, "--min-trades", "1", "--json", str(swept)]) == 0
    named = capsys.readouterr().out.splitlines()[-1].split()
    assert named[0] == "run_backtest.py"
    assert run_backtest.main([*named[1:], "--json", str(single)]) == 0
    (alone,) = json.loads(single.read_text())["runs"]
    best = next(one for one in json.loads(swept.read_text())["sets"] if one["rank"] == 1)
    assert best["chosen_on"][0] == {name: alone[name] for name in best["chosen_on"][0]}


def test_sets_without_enough_trades_are_counted_and_nothing_else_is_shown(
    told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*told, *SPACE, "--min-trades", "100000"]) == 0
    out = capsys.readouterr().out
    assert "8 of 8 are not ranked: fewer than 100,000 trades (--min-trades)" in out
    assert "again" not in out


@pytest.mark.unmeasured
def test_all_bars_may_be_seen_and_that_is_said(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*told, *SPACE, "--unseen", "0", "--min-trades", "1"]) == 0
    out = capsys.readouterr().out
    assert "every bar is seen" in " ".join(out.split())
    assert "unseen return" not in out


def test_holes_and_combinations_that_are_left_out_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = hourly(5)
    holed = Bars(*(np.concatenate([column[:1000], column[1100:]]) for column in whole))
    url = url_of(make_database(tmp_path, holed, SERIES))
    crossed = ["--param", "ema_fast=20:60:20", "--param", "ema_slow=30"]
    assert main([*WHICH, "--exchange", "binanceus", "--db-url", url, *crossed, "--min-trades", "1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "note: 1 hole: 100 bars missing" in out
    assert "2 combinations are left out: wanted ema_fast < ema_slow" in out


@pytest.mark.unmeasured
def test_two_symbols_have_a_row_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = url_of(make_database(tmp_path, hourly(5), SERIES))
    make_database(tmp_path, hourly(6), SERIES._replace(symbol="ETH/USDT"))
    words = ["--strategy", "TREND_EMA", "--timeframe", "1h", "--use-sql", "--exchange", "binanceus"]
    both = ["--symbol", "BTC/USDT,ETH/USDT", "--db-url", url, "--min-trades", "1", "--best", "1"]
    assert main([*words, *both, *SPACE]) == 0
    out = capsys.readouterr().out
    assert "buying and holding ETH/USDT" in out
    heads = next(line for line in out.splitlines() if line.startswith("ema_fast"))
    assert "symbol" in heads


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--param", "ema_fats=1,2"], "unknown parameter 'ema_fats'"),
        (["--param", "ema_fast=1:2"], "wanted NAME=VALUES"),
        (["--param", "ema_fast=60,70", "--param", "ema_slow=50"], "no combination of the values of"),
        (["--param", "ema_fast=10", "--csv", "{folder}/x", "--json", "{folder}/x"], "give each its own file"),
    ],
)
def test_wrong_usage_is_one_line(told: list[str], tmp_path: Path, more: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        main([*told, *(text.format(folder=tmp_path) for text in more)])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--unseen", "91"], "wanted percent from 0 to 90"),
        (["--seed", "4"], "--seed is for sets drawn at random: give --sets N too"),
        (["--sort", "luck"], "invalid choice: 'luck'"),
    ],
)
def test_options_that_say_nothing_are_refused(
    told: list[str], more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*told, *SPACE, *more])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_file_that_exists_is_left_as_it_is(told: list[str], tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    with pytest.raises(UsageError, match="exists and is left as it is"):
        main([*told, *SPACE, "--csv", str(kept)])
    assert kept.read_text() == "mine"
