"""show_decisions.py as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import NoDataError, UsageError
from db import live
from db.init_db import init_db
from scripts.show_decisions import main
from tests.markets import HOUR, START
from tests.page_help import BTC, begin, seeded
from tests.stored import url_of


@pytest.fixture
def url(tmp_path: Path) -> str:
    seeded(tmp_path).dispose()
    return url_of(tmp_path / "page.db")


@pytest.mark.unmeasured
def test_decisions_are_listed_as_they_were_made_with_their_reasons(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--db-url", url, "--limit", "3"]) == 0
    head, _, names, *rows = capsys.readouterr().out.splitlines()
    assert head == "account paper: the newest 3 decisions"
    assert names.split()[:3] == ["bar", "(UTC)", "strategy"]
    assert [row.split()[7] for row in rows] == ["cash", "approved", "approved"]
    assert rows[-1].endswith("entry; bound by risk")
    assert rows == sorted(rows)


def test_only_what_is_wanted_is_shown_and_written(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "decisions.json"
    assert main(["--db-url", url, "--refused", "--strategy", "mr_bb", "--json", str(file)]) == 0
    found = json.loads(file.read_text())["decisions"]
    assert len(found) == 20
    assert {(one["strategy"], one["outcome"]) for one in found} == {("MR_BB", "cash")}
    assert found[0]["detail"]["amount"] == "0.01"
    with pytest.raises(UsageError, match="add --force"):
        main(["--db-url", url, "--json", str(file)])
    capsys.readouterr()
    assert main(["--db-url", url, "--symbol", "ETH/USDT"]) == 0
    assert capsys.readouterr().out == "account paper: no such decision is stored\n"
    assert main(["--db-url", url, "--json", "-", "--limit", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["decisions"]) == 1


def test_amounts_have_no_exponent_and_what_was_cut_says_from_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = init_db(url_of(tmp_path / "odd.db"))
    run = begin(engine)
    cut = {"amount": "0.5", "price": "2E+3", "reason": "dip", "bound": "symbol_exposure", "wanted": "0.80"}
    rows = [
        live.DecisionRow(
            BTC, START, "A", "entry buy", "lot", {"amount": "0E-8", "price": "1E-7", "why": "small"}
        ),
        live.DecisionRow(BTC, START + HOUR, "A", "entry buy", "approved", cut),
    ]
    live.record(engine, run, decisions=rows, now=START)
    engine.dispose()
    assert main(["--db-url", url_of(tmp_path / "odd.db"), "--wide"]) == 0
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert first.split()[-3:] == ["0", "0.0000001", "small"]
    assert second.endswith("dip; cut by symbol_exposure, from 0.8")
    assert second.split()[8:10] == ["0.5", "2000"]


@pytest.mark.unmeasured
def test_an_account_that_never_ran_is_said(tmp_path: Path) -> None:
    init_db(url_of(tmp_path / "empty.db")).dispose()
    with pytest.raises(NoDataError, match="nothing has run on account paper"):
        main(["--db-url", url_of(tmp_path / "empty.db")])
