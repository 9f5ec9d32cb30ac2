"""A report of an account's days as Markdown, as a page that asks nobody for anything, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape
from typing import Any, NamedTuple

from core.figures import NONE
from core.live.period import Period
from core.live.status import to_document
from core.reports.period_text import (
    NOT_CLOSED,
    cash,
    change,
    not_closed,
    outcome,
    percent,
    portfolio_line,
    position_lines,
    risk_lines,
    stat_lines,
    title_of,
)

VERSION = 1
"""Of the document; raised when a field goes or changes its meaning."""
STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;display:block;overflow-x:auto}
th,td{padding:.25rem .75rem;border-bottom:1px solid #8886;text-align:left}
td+td{font-variant-numeric:tabular-nums}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-bottom:0}pre{white-space:pre-wrap;font:inherit}
"""


class ReportTable(NamedTuple):
    """One part of a report."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables_of(period: Period) -> list[ReportTable]:
    """Return the parts of a report."""
    currency = period.currency
    made = [
        [
            one.strategy,
            cash(one.net, currency, sign=True),
            outcome(one),
            f"{one.fills:,}",
            cash(one.fees, currency),
        ]
        for one in period.results
    ]
    made += [
        [name, cash(0.0, currency, sign=True), "no trades", "0", cash(0.0, currency)] for name in period.idle
    ]
    if (rest := not_closed(period)) is not None:
        made.append([NOT_CLOSED, rest, "", "", ""])
    days = [
        [
            day.date,
            cash(day.closing, currency),
            percent(change(day.opening, day.closing)),
            cash(day.net, currency, sign=True),
            f"{day.trades:,}",
        ]
        for day in period.days
    ]
    return [
        ReportTable("Portfolio", ("", ""), [["Equity", portfolio_line(period)]]),
        ReportTable("Strategies", ("strategy", "profit", "trades", "fills", "fees"), made or [[NONE] * 5]),
        *(
            [ReportTable("Days", ("day", "equity", "change", "closed trades", "trades"), days)]
            if len(days) > 1
            else []
        ),
        ReportTable("Open positions", ("",), [[line] for line in position_lines(period)]),
        ReportTable("Risk", ("", ""), [list(one) for one in risk_lines(period)]),
        ReportTable("Activity", ("", ""), [list(one) for one in stat_lines(period)]),
    ]


def report_markdown(period: Period, journal: str = "") -> str:
    """Return a report as Markdown."""
    lines = [f"# {_markdown(title_of(period))}", ""]
    for table in tables_of(period):
        lines += [f"## {table.title}", "", _row(table.headings), _row(["---"] * len(table.headings))]
        lines += [*(_row(map(_markdown, row)) for row in table.rows), ""]
    if journal:
        lines += ["## Journal", "", *(f"> {_markdown(line)}" for line in journal.splitlines()), ""]
    return "\n".join(lines)


def report_page(period: Period, journal: str = "") -> str:
    """Return a report as one HTML file."""
    title = escape(f"HOT-Crypto: {title_of(period)}")
    parts = [f"<h1>{title}</h1>"]
    for table in tables_of(period):
        head = "".join(f"<th>{escape(name)}</th>" for name in table.headings)
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows
        )
        heading = f"<thead><tr>{head}</tr></thead>" if any(table.headings) else ""
        parts.append(f"<h2>{escape(table.title)}</h2><table>{heading}<tbody>{rows}</tbody></table>")
    if journal:
        parts.append(f"<h2>Journal</h2><pre>{escape(journal)}</pre>")
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="generator" content="HOT-Crypto">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def document_of(period: Period) -> dict[str, Any]:
    """Return a report's facts as JSON holds them: exact money as text, times in ms UTC, None for unknown."""
    moved = change(period.opening, period.closing)
    return {
        "version": VERSION,
        "account": period.account,
        "currency": period.currency,
        "kind": period.span.kind,
        "first": period.span.first,
        "last": period.span.last,
        "is_over": period.is_over,
        "equity_open": period.opening,
        "equity_close": period.closing,
        "change_pct": moved,
        "week_change_pct": change(period.week_opening, period.closing),
        "max_drawdown_pct": period.drawdown_pct,
        "not_closed": period.not_closed,
        "total": _plain(period.total._asdict()),
        "strategies": [_plain(one._asdict()) for one in period.results],
        "idle": list(period.idle),
        "fees": _plain(dict(period.fees)),
        "avg_fill_seconds": period.fill_seconds,
        "refused": period.refused,
        "days": [_plain(day._asdict()) for day in period.days],
        "status": None if period.status is None else to_document(period.status),
    }


def report_json(period: Period, journal: str = "") -> str:
    """Return a report as JSON."""
    document = document_of(period) | ({"journal": journal} if journal else {})
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in row.items()}


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    one_line = " ".join(text.split())
    return "".join(f"\\{mark}" if mark in "\\`*_[]<>|#&" else mark for mark in one_line)
