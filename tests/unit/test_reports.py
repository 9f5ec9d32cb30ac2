from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from core.backtest_persistence import StoredRun
from core.backtester import run_backtest
from core.domain import Costs, Series
from core.errors import NoDataError
from core.reports.document import as_json, run_document, stored_document, trades_csv
from core.reports.regime_chart import regime_html
from core.reports.report import report_html
from core.reports.run_report import reported
from core.reports.svg import trades_svg
from core.reports.table import (
    HEADINGS,
    WIDTH,
    number,
    print_comparison,
    print_runs,
    print_stored_run,
    print_table,
    room,
)
from core.results.measures import Summary
from core.results.runs import (
    ANNUALISED,
    DIFFERENCES,
    STATISTICS,
    BacktestResult,
    RunSpec,
    stats_text,
    summary_of_stats,
)
from tests.markets import random_bars
from tests.unit.test_backtester import Q, run

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "run-document.schema.json"
SERIES = Series("binanceus", "BTC/USDT", "1h")
BARS = random_bars(5, 600)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return run_backtest(BARS, RunSpec(SERIES, "MR_BB", {}, Costs(0.001), 10_000.0))


def stored(result: BacktestResult) -> StoredRun:
    return StoredRun(
        7,
        0,
        SERIES,
        "MR_BB",
        result.summary,
        result.spec,
        result.data,
        "1",
        "e",
        result.records,
        result.extras,
    )


def test_the_document_follows_its_schema_with_and_without_trades(result: BacktestResult) -> None:
    document = json.loads(as_json(run_document([result, run([Q, Q, Q, Q], {})])))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert [bool(one["trades"]) for one in document["runs"]] == [True, False]
    assert document["runs"][0]["trades_count"] == len(document["runs"][0]["trades"])
    assert document["runs"][1]["win_rate_pct"] is None


@pytest.mark.unmeasured
def test_infinite_figures_follow_the_schema_and_every_none_has_its_reason(result: BacktestResult) -> None:
    endless = replace(result, summary=result.summary._replace(profit_factor=math.inf, sharpe_ratio=-math.inf))
    document = json.loads(as_json(run_document([endless, run([Q, Q, Q, Q], {})])))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    first, second = document["runs"]
    assert (first["profit_factor"], first["sharpe_ratio"]) == ("Infinity", "-Infinity")
    for one in (first, second):
        assert {name for name in Summary._fields if one[name] is None} == set(one["none_because"])
    assert second["none_because"]["profit_factor"] == "no trades"


@pytest.mark.unmeasured
@pytest.mark.parametrize("columns", [40, 60, 80, 100, 120, 250])
def test_a_table_is_as_wide_as_columns_says_where_its_numbers_allow(
    columns: int, result: BacktestResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = io.StringIO()
    print_comparison([result], [12], file=out)
    head, row, *_ = out.getvalue().splitlines()
    always = ["symbol", "tf", "strategy", "return", "%", "max", "dd", "%", "Sharpe", "profit", "f.", "trades"]
    assert set(always) <= set(head.split())
    least = "BTC/USDT  1h  strategy  return %  max dd %  Sharpe  profit f.  trades  run"
    assert len(head) == len(row) <= max(columns, len(least))
    assert ("(--wide shows" in out.getvalue()) == (columns < 250)
    wide = io.StringIO()
    print_comparison([result], [12], wide=True, file=wide)
    assert {"Calmar", "days", "Sortino"} <= set(wide.getvalue().splitlines()[0].split())


def test_long_text_breaks_into_lines_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    out = io.StringIO()
    why = "stop 412, take 268, reverse 33, rule 17, trail 9, end 1"
    print_table(["name", "n", "why"], [["one", "1", why], ["two", "2", ""]], left=3, wraps=("why",), file=out)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 50
    assert " ".join(line[8:].strip() for line in lines[1:-1]).split() == why.split()
    assert lines[-1].split() == ["two", "2"]


def test_a_column_of_text_is_not_narrowed_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "5")
    out = io.StringIO()
    print_table(["name", "why"], [["one", "because of that and of this"]], left=2, wraps=("why",), file=out)
    assert "because of that" in out.getvalue()


@pytest.mark.unmeasured
def test_a_run_saved_before_the_definitions_shows_what_was_measured_alike(result: BacktestResult) -> None:
    old = replace(stored(result), summary=summary_of_stats(result.stats))
    out = io.StringIO()
    print_stored_run(old, 1, file=out)
    text = out.getvalue()
    shown = " ".join(text.split())
    assert "none: an old run, not measured when it was saved (run_backtest.py --rerun measures it): " in shown
    assert number(result.summary.return_pct) in text
    jsonschema.validate(json.loads(as_json(stored_document(old))), json.loads(SCHEMA.read_text()))


def test_what_differs_from_backtesting_py_is_explained_beside_its_figure(result: BacktestResult) -> None:
    lines = stats_text(result.stats, "USDT").splitlines()
    assert max(map(len, lines)) <= 100
    assert DIFFERENCES.keys() <= set(STATISTICS)
    for name, why in DIFFERENCES.items():
        (line,) = (line for line in lines if line.startswith(f"{name.replace('[$]', '[USDT]')} "))
        assert line.endswith(why)


def test_backtesting_py_s_figures_of_a_year_are_none_where_ours_are(result: BacktestResult) -> None:
    for days, is_none in ((None, False), (60, False), (59, True), (3, True)):
        lines = {
            line[:22].strip(): line[22:].split()
            for line in stats_text(result.stats, "USDT", days).splitlines()
        }
        for name in ANNUALISED:
            said = f"none needs 60 daily returns, there are {days}".split()
            assert (lines[name] == said) is is_none
        assert lines["Return [%]"][0] != "none"


def test_amounts_among_backtesting_py_s_figures_are_in_the_account_s_currency(result: BacktestResult) -> None:
    text = stats_text(result.stats, "BTC")
    assert "Equity Final [BTC]" in text
    assert "$" not in text


def test_why_a_figure_is_none_is_said_of_columns_that_are_shown(result: BacktestResult) -> None:
    old = replace(stored(result), summary=summary_of_stats(result.stats))
    for wide in (False, True):
        out = io.StringIO()
        print_runs([old], wide=wide, file=out)
        heading, _, *rest = out.getvalue().splitlines()
        reason = " ".join(" ".join(rest).partition("none: an old run")[2].split())
        named = [name for name in HEADINGS.values() if re.search(rf"(: |, ){re.escape(name)}(,|$)", reason)]
        assert named
        assert all(name in heading for name in named)


@pytest.mark.unmeasured
def test_the_schema_bites(result: BacktestResult) -> None:
    document = run_document([result])
    del document["runs"][0]["data"]["sha256"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))


def test_a_saved_run_gives_the_same_document(result: BacktestResult) -> None:
    assert as_json(stored_document(stored(result))) == as_json(run_document([result]))


def test_no_document_is_made_of_a_run_saved_without_its_inputs(result: BacktestResult) -> None:
    with pytest.raises(NoDataError, match="without its parameters"):
        stored_document(replace(stored(result), spec=None))


def test_the_csv_keeps_every_digit(result: BacktestResult) -> None:
    lines = trades_csv([result]).splitlines()
    assert lines[0].startswith("exchange,symbol,timeframe,strategy,side,size,entry_ts")
    assert len(lines) == 1 + len(result.records)
    assert lines[1].split(",")[8] == repr(result.records[0].entry_price)


def test_the_table_is_aligned_and_says_none_where_there_is_nothing(result: BacktestResult) -> None:
    out = io.StringIO()
    print_comparison([result, run([Q, Q, Q, Q], {})], [12, 13], file=out)
    head, first, second, omitted, *why = out.getvalue().splitlines()
    assert head.split()[-1] == "run"
    assert len(head) == len(first) == len(second) <= 100
    assert "nan" not in out.getvalue()
    assert second.split()[-6:] == ["none", "0.00", "none", "none", "0", "13"]
    assert omitted == "(--wide shows final equity, vol %, Sortino, Calmar, win %, exposure %, days too)"
    annual = "annual %, Sharpe"
    assert why == [
        f"none: needs 60 daily returns, there are {days}: {annual}"
        for days in (result.summary.daily_returns, 1)
    ]


def test_numbers_are_shown_with_two_decimals_and_counts_as_they_are() -> None:
    assert (number(1234.567), number(1234), number(None)) == ("1,234.57", "1,234", "none")
    assert [number(value) for value in (math.nan, math.inf, -math.inf)] == ["none", "∞", "-∞"]


def test_saved_runs_are_listed_and_shown(result: BacktestResult) -> None:
    out = io.StringIO()
    print_runs([stored(result)], file=out)
    assert out.getvalue().splitlines()[1].split()[:1] == ["7"]
    out = io.StringIO()
    print_stored_run(stored(result), 2, file=out)
    text = out.getvalue()
    assert "bb_period 20" in text
    assert result.data.sha256 in text
    count = len(result.records)
    assert f"… and {count - 2:,} more trades: --trades {count} shows all" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_run_saved_without_its_inputs_is_shown_without_them(result: BacktestResult) -> None:
    out = io.StringIO()
    print_stored_run(replace(stored(result), spec=None, data=None), file=out)
    assert "parameters" not in out.getvalue()
    assert "more trades" not in out.getvalue()


def test_a_table_is_plain_in_a_pipe_and_bold_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    pipe, terminal = io.StringIO(), io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    for out in (pipe, terminal):
        print_table(["name", "why"], [["one", ""], ["two", "because"]], left=2, file=out)
    assert pipe.getvalue() == "name  why\none\ntwo   because\n"
    assert "\x1b[1m" in terminal.getvalue()


MARKUP = "</script><b onload=hostile()>"


def named(result: BacktestResult, name: str) -> BacktestResult:
    """Return the result as if its exchange, symbol, strategy and exits had this name."""
    spec = replace(result.spec, series=Series(name, name, "1h"), strategy=name)
    table = result.trades.assign(Reason=name)
    return replace(result, spec=spec, make_trades=lambda: table)


def test_names_are_text_on_a_page_and_never_markup(result: BacktestResult) -> None:
    odd = named(result, MARKUP)
    pages = (
        report_html([reported(odd, BARS, {})], {odd.spec.series: BARS}, title=MARKUP, note=MARKUP),
        regime_html(odd.spec.series, BARS, [(0, 9, "RANGE")], {}, note=MARKUP),
        trades_svg(BARS, odd.records, MARKUP),
    )
    for page in pages:
        assert "onload=hostile()" in page
        assert "</script><b" not in page
        assert "<b onload" not in page


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_names_are_text_in_a_spreadsheet_and_never_formulas(result: BacktestResult, name: str) -> None:
    rows = list(csv.reader(io.StringIO(trades_csv([named(result, name)]))))
    assert rows[1][:4] == [f"'{name}", f"'{name}", "1h", f"'{name}"]
    plain = list(csv.reader(io.StringIO(trades_csv([result]))))
    numbers = rows[0].index("pnl")
    assert [row[numbers] for row in rows] == [row[numbers] for row in plain]
    assert any(row[numbers].startswith("-") for row in rows)


def test_names_cannot_move_the_cursor_of_a_terminal() -> None:
    out = io.StringIO()
    print_table(["name", "n"], [["a\x1b[31mb\rc\nd", "[bold]1[/]"]], file=out)
    assert out.getvalue().splitlines()[1] == "a?[31mb?c?d  [bold]1[/]"


@pytest.mark.parametrize("columns", ["", "0", "wide", "9" * 5000, "²"])
def test_a_width_that_is_none_is_the_usual_one(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert room() <= WIDTH
