"""What generate_report.py does: the report of an account's day, week or days, as text, page or data."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from sqlalchemy import Engine

from core import cli
from core.cli.live_status import existing, newest_run, status_of_run
from core.errors import UsageError
from core.live.period import DaySpan, Period, day_of, days_between, period_of, week_of
from core.live.status import AccountStatus
from core.reports.period_page import document_of, report_json, report_markdown, report_page
from core.reports.period_text import report_text
from core.results.days import date_of
from core.results.measures import DAY
from core.utils import now_ms
from db import page_rows
from db.live import RunState

Write = Callable[[Period, str], str]
Summarise = Callable[[Mapping[str, Any]], str]
"""Puts a report's facts, as JSON holds them, into words."""

FORMATS: dict[str, Write] = {
    "text": report_text,
    "md": report_markdown,
    "html": report_page,
    "json": report_json,
}
OWN_TIME = 3_600_000
"""Milliseconds between an exchange's clock and this machine's, from which on it has a time of its own."""
SUFFIXES = {".txt": "text", ".md": "md", ".markdown": "md", ".html": "html", ".htm": "html", ".json": "json"}


def run(args: argparse.Namespace, summarise: Summarise | None) -> int:
    """Load, compute, write."""
    cli.check_free(args.output, force=args.force)
    write = FORMATS[format_of(args.format, args.output)]
    engine = existing(args)
    run = newest_run(engine, args)
    status = status_of_run(run)
    now = now_of(run, status)
    period = account_period(engine, args.account, span_of(args, now), status, run.id, now)
    engine.dispose()
    journal = "" if summarise is None else summarise(document_of(period))
    cli.write_output(args.output, write(period, journal), "report")
    return 0


def now_of(run: RunState, status: AccountStatus | None) -> int:
    """Return the time that an account lives in: of a local exchange its own, as it was last heard, ms UTC."""
    if status is not None and abs(status.time - run.beat_at) > OWN_TIME:
        return status.time
    return now_ms()


def account_period(
    engine: Engine, account: str, span: DaySpan, status: AccountStatus | None, run_id: int, now: int
) -> Period:
    """Return the facts of an account's days, with the strategies that its run trades."""
    begun = page_rows.begun_with(engine, run_id)
    members = [str(one["strategy"]) for one in begun.get("members", [])]
    return period_of(engine, account, span, status=status, members=members, now=now)


def span_of(args: argparse.Namespace, now: int) -> DaySpan:
    """Return the days that were asked for: by default the last day, or the last week, that is over.

    Raises UsageError for days that are none, and for those that have not begun; `now` is the account's.
    """
    if args.range:
        span = days_between(*args.range)
    else:
        span = (week_of if args.weekly else day_of)(
            args.date or date_of(now - (7 if args.weekly else 1) * DAY)
        )
    if span.start > now:
        raise UsageError(f"{span.first} has not begun: it is {date_of(now)} (UTC) for the account")
    return span


def format_of(named: str | None, output: str) -> str:
    """Return the format that is named, or the one that a file's ending stands for."""
    if named is not None:
        return named
    if output == "-":
        return "text"
    suffix = PurePath(output).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"{output}: wanted an ending of {', '.join(SUFFIXES)}, or --format {'|'.join(FORMATS)}"
        )
    return SUFFIXES[suffix]
