"""Reports of an account's days: their format, and figures equal to those of show_trades and of the rows."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from core import cli
from core.alerts.levels import Message
from core.cli import generate_command, live_reports
from core.cli.generate_command import FORMATS
from core.cli.live_reports import STATE, DailyReport
from core.errors import DatabaseError, NoDataError, UsageError
from core.live.day_book import DayBook
from core.live.period import MOST_DAYS, Period, day_of, days_between, period_of, week_of
from core.live.status import AccountStatus, PositionStatus, from_document, to_document
from core.reports.period_page import report_markdown, report_page
from core.reports.period_text import cash, report_text
from core.results.days import DayResult, day_start
from core.results.measures import DAY
from core.risk.use import LimitUse
from db import live
from db.account_days import SnapshotRow
from db.init_db import init_db
from scripts import generate_report, show_trades
from tests.status_help import CALM
from tests.stored import url_of
from tests.traded import trade

D = Decimal
DATE = "2023-11-15"
TODAY = day_start(DATE)
LAST = TODAY + 16 * 3_600_000
"""When the loop looked last."""
MORNING = TODAY + DAY + 8 * 3_600_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "hot.db"
    trade(path)
    return path


@pytest.fixture
def database(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(generate_command, "now_ms", lambda: MORNING)
    with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(tmp_path / "hot.db")) as copy:
        source.backup(copy)
        # The last word of a loop whose exchange has this machine's time.
        copy.execute("UPDATE live_runs SET beat_at = ?", (LAST,))
        copy.commit()
    return tmp_path / "hot.db"


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    opened = init_db(url_of(database))
    yield opened
    opened.dispose()


def report(database: Path, *arguments: str) -> int:
    return generate_report.main([*arguments, "--db-url", url_of(database)])


def text_of(database: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert report(database, *arguments) == 0
    return capsys.readouterr().out


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.unmeasured
def test_yesterday_is_told_in_the_format_of_the_specification(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = text_of(database, capsys, "--daily")
    assert text == text_of(database, capsys, "--daily", "--date", DATE)
    assert text.splitlines() == [
        "📊 Daily Report — 2023-11-15",
        "",
        "💰 Portfolio: $10,002.99 (+$2.99 / +0.03%)",
        "",
        "Strategy Breakdown:",
        "  SCRIPTED: +$3.20 (1 win, 1 loss)",
        "  Not from closed trades (open profit, fees of what is open, deposits): -$0.20",
        "",
        "📈 Open Positions:",
        "  SCRIPTED: LONG 2.0006389617919921875 BTC @ 102 (stop: 52, value: $204.07)",
        "",
        "⚡ Risk Status:",
        "  Total exposure: 2% (no limit)",
        "  Daily P&L: +0.03%",
        "  Weekly P&L: +0.03%",
        "  Max drawdown: 0.01%",
        "  Reserve cash: 98% (no limit)",
        "",
        "🔄 24h Stats:",
        "  Total trades: 2 (5 fills)",
        "  Avg fill time: none (no exchange filled an order)",
        "  Total fees: $1.01",
        "  Refused: 0 entries",
    ]


@pytest.mark.unmeasured
def test_the_figures_are_those_of_show_trades_and_of_the_stored_rows(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(text_of(database, capsys, "--daily", "--format", "json"))
    assert show_trades.main(["--json", "-", "--db-url", url_of(database)]) == 0
    shown = json.loads(capsys.readouterr().out)
    made = [D(one["gross"]) - D(one["fees"]) for one in shown["trades"]]
    (strategy,) = found["strategies"]
    for one in (strategy, found["total"]):
        assert one["trades"] == len(shown["trades"]) == 2
        assert D(one["net"]) == sum(made)
        assert D(one["gross_profit"]) == sum(pnl for pnl in made if pnl > 0)
        assert D(one["gross_loss"]) == -sum(pnl for pnl in made if pnl < 0)
        assert (one["wins"], one["losses"]) == (1, 1)
        assert one["fills"] == len(shown["fees"]) == 5
        assert D(one["fees"]) == sum(D(fee["fee"]) for fee in shown["fees"])
    assert {asset: D(paid) for asset, paid in found["fees"].items()} == {"USDT": D(strategy["fees"])}
    equity = [value for (value,) in rows(database, "SELECT equity FROM live_equity ORDER BY ts")]
    assert (found["equity_open"], found["equity_close"]) == (equity[0], equity[-1])
    assert found["change_pct"] == pytest.approx(100 * (equity[-1] - equity[0]) / equity[0])
    fall = max(100 * (1 - value / max(equity[: n + 1])) for n, value in enumerate(equity))
    assert found["max_drawdown_pct"] == pytest.approx(fall)
    ((stored,),) = rows(database, "SELECT status_json FROM live_runs")
    assert found["status"]["positions"] == json.loads(stored)["positions"]
    assert found["status"]["equity"] == equity[-1]
    (day,) = found["days"]
    assert (day["date"], day["opening"], day["closing"]) == (DATE, equity[0], equity[-1])


def test_the_report_and_the_days_that_the_loop_kept_have_the_same_figures(
    database: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(text_of(database, capsys, "--daily", "--format", "json"))
    DayBook(engine, "paper", "x").look(CALM._replace(time=MORNING, currency="USDT"))
    names = "num_trades, num_wins, num_losses, gross_profit_usd, gross_loss_usd, net_pnl_usd, fees_paid_usd"
    kept = rows(database, f"SELECT {names} FROM daily_metrics WHERE date = '{DATE}' AND strategy = 'account'")
    total = found["total"]
    wanted = [total[name] for name in ("trades", "wins", "losses")]
    assert list(kept[0]) == wanted + [
        float(total[name]) for name in ("gross_profit", "gross_loss", "net", "fees")
    ]


def test_weeks_begin_on_monday_and_days_before_the_account_are_not_known(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = text_of(database, capsys, "--weekly", "--date", DATE)
    assert text.splitlines()[0] == "📊 Weekly Report — 2023-11-13 to 2023-11-19, so far"
    lines = text.splitlines()
    days = lines[lines.index("📅 Days:") + 1 : lines.index("📈 Open Positions:") - 1]
    assert [day[2:12] for day in days] == [f"2023-11-{day}" for day in range(13, 17)]
    assert days[0] == "  2023-11-13: not known (not known), 0 trades"
    assert days[2] == "  2023-11-15: $10,002.99 (+0.03%), 2 trades"
    assert "🔄 7d Stats:" in lines
    assert "Daily P&L" not in text
    with pytest.raises(UsageError, match="2023-11-20 has not begun: it is 2023-11-16"):
        report(database, "--weekly", "--date", "2023-11-20")


@pytest.mark.unmeasured
def test_days_from_one_to_another(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = text_of(database, capsys, "--range", "2023-11-15", "2023-11-16")
    assert text.splitlines()[0] == "📊 Report — 2023-11-15 to 2023-11-16, so far"
    assert "  2023-11-16: $10,002.99 (+0.00%), 0 trades" in text.splitlines()
    assert "  P&L: +0.03%" in text.splitlines()


@pytest.mark.parametrize(
    "days", [("2023-11-16", "2023-11-15"), ("1990-01-01", "2023-11-15"), ("x", "2023-11-15")]
)
def test_days_that_are_none_are_refused(database: Path, days: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="wanted a"):
        report(database, "--range", *days)
    assert days_between("2023-11-15", "2023-11-15").end - TODAY == DAY
    assert MOST_DAYS > 3_600


def test_spans_of_days_and_weeks() -> None:
    assert day_of(DATE)[1:] == (TODAY, TODAY + DAY)
    monday = day_start("2023-11-13")
    assert [week_of(f"2023-11-{day}").start for day in (13, 15, 19)] == [monday] * 3
    assert week_of("2023-11-12").start == monday - 7 * DAY
    assert (week_of(DATE).first, week_of(DATE).last) == ("2023-11-13", "2023-11-19")


def test_a_day_without_anything_says_so(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = text_of(database, capsys, "--daily", "--date", "2023-11-10", "--journal")
    assert "💰 Portfolio: not known: no bar has closed on this account by then" in text
    assert "📈 Open Positions:\n  not kept for past days\n" in text
    assert "Total exposure: not known" in text
    assert "On 2023-11-10 no bar closed on the account paper: there is nothing to tell." in text


def test_of_a_day_long_ago_the_last_snapshot_tells_exposure_and_reserve(
    engine: Engine, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = DayBook(engine, "paper", "x")
    book.look(CALM._replace(time=TODAY + 5, currency="USDT", equity=8_000.0, cash=D(6_000), reserved=D(400)))
    (run,) = rows(database, "SELECT id FROM live_runs")
    status = to_document(CALM._replace(time=TODAY + 40 * DAY, currency="USDT"))
    live.record(engine, run[0], status=status, now=1)
    text = text_of(database, capsys, "--daily", "--date", DATE)
    assert "  Total exposure: 25% (last snapshot)\n" in text
    assert "  Reserve cash: 70% (last snapshot)\n" in text
    assert "  not kept for past days\n" in text


def period(engine: Engine, **given: Any) -> Period:
    found = period_of(engine, "paper", day_of(DATE), status=None, members=["SCRIPTED", "IDLE"], now=MORNING)
    return found._replace(**given)


USES = (
    LimitUse("max_exposure_pct", 42.0, 60.0),
    LimitUse("max_daily_loss_pct", 0.0, 3.0),
    LimitUse("cash_reserve_pct", 72.0, 80.0),
)


def test_limits_are_shown_with_what_is_used_of_them(engine: Engine) -> None:
    status = CALM._replace(time=LAST, currency="USDT", uses=USES)
    text = report_text(period(engine, status=status, opening=10_000.0, closing=10_103.0))
    assert "  Total exposure: 42% (limit: 60%) ✅\n" in text
    assert "  Daily P&L: +1.03% (limit: -3%) ✅\n" in text
    assert "  Reserve cash: 28% (min: 20%) ✅\n" in text
    over = (LimitUse("max_exposure_pct", 61.0, 60.0), USES[1], LimitUse("cash_reserve_pct", 81.0, 80.0))
    lost = status._replace(uses=over, breakers={"daily_loss": "3 % lost"})
    text = report_text(period(engine, status=lost, opening=10_000.0, closing=9_700.0))
    assert "  Total exposure: 61% (limit: 60%) ❌\n" in text
    assert "  Daily P&L: -3.00% (limit: -3%) ❌\n" in text
    assert "  Reserve cash: 19% (min: 20%) ❌\n" in text
    assert "  Breakers: daily_loss ❌\n" in text


def test_exposure_of_a_past_day_is_that_day_s_beside_the_limit_of_now(engine: Engine) -> None:
    snapshot = SnapshotRow(
        account="paper",
        timestamp=TODAY + 23 * 3_600_000,
        exchange="x",
        currency="USDT",
        total_balance_usd=8_000.0,
        free_balance_usd=5_600.0,
        in_positions_usd=2_000.0,
        unrealized_pnl_usd=0.0,
        daily_pnl_usd=None,
        daily_pnl_pct=None,
    )
    later = CALM._replace(time=MORNING, currency="USDT", uses=USES)
    text = report_text(period(engine, status=later, snapshot=snapshot))
    assert "  Total exposure: 25% (limit: 60%, last snapshot) ✅\n" in text
    assert "  Reserve cash: 70% (min: 20%, last snapshot) ✅\n" in text
    assert "  none\n  (as of 2023-11-16 08:00 UTC)\n" in text
    text = report_text(period(engine, status=later, snapshot=None))
    assert "  Total exposure: not known\n" in text
    assert "  Reserve cash: not known\n" in text


def test_an_account_whose_exchange_has_its_own_time_has_its_own_yesterday(
    engine: Engine, database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = live.newest_run(engine, "paper")
    assert run is not None
    status = from_document(run.status)
    # The loop says at noon of this machine's 2026-12-01 that it is 10:00 of 2023-11-16 at its exchange.
    noon = day_start("2026-12-01") + DAY // 2
    monkeypatch.setattr(generate_command, "now_ms", lambda: noon)
    there = to_document(status._replace(time=TODAY + DAY + 10 * 3_600_000))
    live.record(engine, run.id, status=there, now=noon)
    assert text_of(database, capsys, "--daily").startswith("📊 Daily Report — 2023-11-15\n")
    week = text_of(database, capsys, "--weekly", "--date", DATE)
    assert week.startswith("📊 Weekly Report — 2023-11-13 to 2023-11-19, so far\n")
    assert "2023-11-16" in week
    assert "  2023-11-17:" not in week
    with pytest.raises(UsageError, match="2023-11-17 has not begun: it is 2023-11-16"):
        report(database, "--daily", "--date", "2023-11-17")
    # One that lives in this machine's time, and ended long ago, is asked for this machine's yesterday.
    live.record(engine, run.id, status=there, now=TODAY + DAY + 10 * 3_600_000)
    assert text_of(database, capsys, "--daily").startswith("📊 Daily Report — 2026-11-30\n")


def test_equity_is_of_the_moment_of_the_positions_and_the_breakdown_adds_up_to_its_change(
    engine: Engine,
) -> None:
    flat = CALM._replace(time=LAST + 60_000, equity=9_990.0, positions=(), currency="USDT")
    found = period_of(engine, "paper", day_of(DATE), status=flat, members=["SCRIPTED"], now=LAST + 90_000)
    assert found.opening is not None
    assert (found.closing, found.days[0].closing) == (9_990.0, 9_990.0)
    assert found.drawdown_pct is not None
    assert found.drawdown_pct > 0.1
    assert found.not_closed == pytest.approx(9_990.0 - found.opening - float(found.total.net))
    lines = report_text(found).splitlines()
    assert lines[2] == "💰 Portfolio: $9,990.00 (-$10.00 / -0.10%)"
    assert lines[5:7] == [
        "  SCRIPTED: +$3.20 (1 win, 1 loss)",
        "  Not from closed trades (open profit, fees of what is open, deposits): -$13.20",
    ]
    assert "Not from closed trades" in report_page(found)
    assert json.loads(FORMATS["json"](found, ""))["not_closed"] == found.not_closed


@pytest.mark.parametrize(
    "status",
    [
        CALM._replace(time=TODAY + DAY, equity=1.0),
        CALM._replace(time=LAST, equity=None),
        CALM._replace(time=TODAY, equity=1.0),
    ],
)
def test_what_a_status_of_other_days_or_without_equity_says_is_not_of_these_days(
    engine: Engine, status: AccountStatus
) -> None:
    without = period_of(engine, "paper", day_of(DATE), status=None, members=[], now=MORNING)
    found = period_of(engine, "paper", day_of(DATE), status=status, members=[], now=MORNING)
    assert found.closing == without.closing


def test_strategies_that_did_nothing_are_named_too_and_names_are_in_line(engine: Engine) -> None:
    lines = report_text(period(engine)).splitlines()
    at = lines.index("Strategy Breakdown:")
    assert lines[at + 1 : at + 3] == [
        "  SCRIPTED: +$3.20 (1 win, 1 loss)",
        "  IDLE:     +$0.00 (no trades)",
    ]
    nothing = period(
        engine, results=(), idle=(), fees={"BNB": D("0.01"), "USDT": D("8.4")}, fill_seconds=4.21
    )
    text = report_text(nothing)
    assert "Strategy Breakdown:\n  Not from closed trades" in text
    nothing = nothing._replace(closing=nothing.opening, total=nothing.total._replace(net=D(0)))
    assert "Strategy Breakdown:\n  none\n" in report_text(nothing)
    assert "  Total fees: 0.0100000 BNB, $8.40\n" in text
    assert "  Avg fill time: 4.2s\n" in text


@pytest.mark.parametrize(
    ("value", "currency", "sign", "text"),
    [
        (1234.5, "USDT", False, "$1,234.50"),
        (-3.2, "USD", True, "-$3.20"),
        (0.0, "USDC", True, "+$0.00"),
        (D("0.512345"), "BTC", False, "0.512345 BTC"),
        (12.0, "EUR", True, "+12.00 EUR"),
        (None, "USDT", True, "not known"),
    ],
)
def test_amounts_follow_their_currency(value: Any, currency: str, sign: bool, text: str) -> None:
    assert cash(value, currency, sign=sign) == text


def test_fills_at_an_exchange_have_a_time_from_sending_to_filling(engine: Engine, database: Path) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE live_fills SET exchange = 'there'")
        connection.exec_driver_sql("UPDATE fills SET exchange = 'there'")
        connection.exec_driver_sql(
            "UPDATE orders SET sent_at = (SELECT time - 3500 FROM fills f "
            "WHERE f.client_order_id = orders.client_order_id)"
        )
    assert period(engine).fill_seconds == pytest.approx(3.5)


HOSTILE = "<script>alert(1)</script>|`x`"


class Text(HTMLParser):
    """Collects what a page shows, and which elements it has."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(engine: Engine) -> Period:
    position = PositionStatus(HOSTILE, f"{HOSTILE}/USDT", "long", D(1), 1.0, 1.0, None, None, 0.0)
    result = DayResult(HOSTILE, 1, 1, 0, D(1), D(0), D(1), D(0), 1)
    return period(
        engine, results=(result,), idle=(HOSTILE,), status=CALM._replace(time=TODAY, positions=(position,))
    )


def test_a_page_asks_nobody_for_anything_and_shows_text_as_text(engine: Engine) -> None:
    page, found = report_page(hostile(engine), HOSTILE), Text()
    found.feed(page)
    assert found.text.count("<script>alert(1)</script>") == 4
    assert "script" not in found.tags
    assert re.search(r"https?://|url\(|@import|src=|href=", page) is None
    assert "default-src 'none'" in page


def test_markdown_shows_text_as_text_and_keeps_its_tables(engine: Engine) -> None:
    text = report_markdown(hostile(engine), HOSTILE)
    assert "<script>" not in text
    assert "\\<script\\>" in text
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("| ")]
    assert set(bars) == {2, 3, 6}


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("name", "start"), [("r.md", "# "), ("r.HTML", "<!doctype"), ("r.json", "{"), ("r.txt", "📊")]
)
def test_the_format_follows_the_files_ending_and_files_are_kept(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, start: str
) -> None:
    path = tmp_path / "out" / name
    assert report(database, "--daily", "--output", str(path)) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"report: {path}\n")
    before = path.read_text("utf-8")
    assert before.startswith(start)
    with pytest.raises(UsageError, match="exists and is left as it is"):
        report(database, "--daily", "--output", str(path))
    assert report(database, "--weekly", "--date", DATE, "--output", str(path), "--force") == 0
    assert path.read_text("utf-8") != before


def test_wrong_wishes_are_told_and_nothing_is_written(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"report.doc: wanted an ending of .txt, .*or --format text\|md"):
        report(database, "--daily", "--output", "report.doc")
    with pytest.raises(UsageError, match="wanted a day such as 2026-02-19, got 'yesterday'"):
        report(database, "--daily", "--date", "yesterday")
    with pytest.raises(UsageError, match="unknown account 'papre': did you mean paper"):
        report(database, "--daily", "--account", "papre")
    for arguments in ([], ["--daily", "--weekly"], ["--range", DATE, DATE, "--date", DATE]):
        with pytest.raises(SystemExit) as ended:
            generate_report.main(arguments)
        assert ended.value.code == 2
    capsys.readouterr()
    init_db(url_of(tmp_path / "empty.db")).dispose()
    with pytest.raises(NoDataError, match="nothing has run on account paper"):
        report(tmp_path / "empty.db", "--daily")
    assert not Path("report.doc").exists()


@pytest.mark.unmeasured
def test_the_journal_is_added_in_every_format(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "SCRIPTED closed 2 trades, 1 won and 1 lost, and made +3.20 USDT after fees."
    for format_, wanted in (("text", f"  {sentence}\n"), ("md", "made +3.20 USDT after"), ("html", sentence)):
        assert wanted in text_of(database, capsys, "--daily", "--journal", "--format", format_)
    document = json.loads(text_of(database, capsys, "--daily", "--journal", "--format", "json"))
    assert sentence in document["journal"]
    assert "Journal" not in text_of(database, capsys, "--daily")


def sent(engine: Engine, *times: int, at: str = "08:00") -> tuple[list[Message], DailyReport]:
    put: list[Message] = []
    run = live.newest_run(engine, "paper")
    assert run is not None
    daily = DailyReport(engine, "paper", at, put.append)
    for time in times:
        daily.look(from_document(run.status)._replace(time=time))
    return put, daily


@pytest.mark.unmeasured
def test_the_report_of_the_day_before_is_sent_once_at_its_time_and_is_that_of_the_command(
    engine: Engine, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, _ = sent(engine, MORNING - 1)
    assert before == []
    put, daily = sent(engine, MORNING - 1, MORNING, MORNING + 1, MORNING + 1_000)
    (message,) = put
    assert (message.kind, message.time, message.ref) == ("report", MORNING, DATE)
    assert live.read_state(engine, "paper")[STATE] == DATE
    again, _ = sent(engine, MORNING + 2_000)
    assert again == []
    run = live.newest_run(engine, "paper")
    assert run is not None
    live.record(
        engine, run.id, status=to_document(from_document(run.status)._replace(time=MORNING)), now=MORNING
    )
    assert text_of(database, capsys, "--daily") == message.text + "\n"
    assert daily


def test_a_loop_that_slept_over_several_mornings_sends_the_last_days_report(engine: Engine) -> None:
    put, _ = sent(engine, MORNING, MORNING + 5 * DAY + 3_600_000)
    assert [one.ref for one in put] == [DATE, "2023-11-20"]


def test_an_account_that_began_today_sends_no_report_of_yesterday(engine: Engine) -> None:
    put, _ = sent(engine, TODAY + 9 * 3_600_000)
    assert put == []
    assert live.read_state(engine, "paper")[STATE] == "2023-11-14"


def test_a_report_that_cannot_be_made_ends_nothing_and_is_tried_no_second_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(live_reports, "say", said.append)

    def broken(*_: object) -> None:
        raise DatabaseError("the disk is gone")

    monkeypatch.setattr(live_reports, "account_period", broken)
    put, _ = sent(engine, MORNING, MORNING + 1)
    assert (put, said) == ([], [f"the report of {DATE} could not be made: the disk is gone"])


def test_the_configuration_of_the_project_is_enough(tmp_path: Path) -> None:
    shutil.copytree(cli.ROOT / "config", tmp_path / "config")
    assert generate_report.parse(["--daily"]).account == "paper"
