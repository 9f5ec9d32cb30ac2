"""Parameter sets stand in columns where there is room for them, else in lines below the table."""

from __future__ import annotations

import pytest

from core.cli.sets_table import print_sets

NAMES = ["a_long_parameter", "another_long_parameter", "fast"]
VALUES = [["1", "2.5", "30"], ["4", "5.5", "60"]]
ROWS = [(0, ["BTC/USDT", "1.00"]), (0, ["ETH/USDT", "2.00"]), (1, ["BTC/USDT", "3.00"])]


def printed(capsys: pytest.CaptureFixture[str], *, wide: bool = False) -> list[str]:
    print_sets(NAMES, VALUES, ["symbol", "return %"], ROWS, wide=wide)
    return capsys.readouterr().out.splitlines()


def test_values_are_columns_where_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys)
    assert lines[0].split() == [*NAMES, "symbol", "return", "%"]
    assert lines[3].split() == ["4", "5.5", "60", "BTC/USDT", "3.00"]


def test_values_are_lines_below_where_they_do_not_fit_unless_all_is_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = 60
    monkeypatch.setenv("COLUMNS", f"{narrow}")
    lines = printed(capsys)
    assert lines[0].split() == ["set", "symbol", "return", "%"]
    assert [line.split()[0] for line in lines[1:4]] == ["1", "1", "2"]
    assert "set 2: a_long_parameter 4, another_long_parameter 5.5, fast 60" in " ".join(
        " ".join(lines).split()
    )
    assert max(map(len, lines)) <= narrow
    assert printed(capsys, wide=True)[0].split() == [*NAMES, "symbol", "return", "%"]


def test_columns_that_lead_stay_in_front(capsys: pytest.CaptureFixture[str]) -> None:
    print_sets(["fast"], [["5"]], ["window", "made"], [(0, ["2024", "1.00"])], lead=1)
    assert capsys.readouterr().out.splitlines()[0].split() == ["window", "fast", "made"]
