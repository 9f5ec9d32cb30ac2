"""What explain.py shows: a saved run's trades against finer candles, another run or an account."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

from core import cli
from core.backtest_persistence import StoredRun, load_run
from core.cli.explain_against import list_of_account, list_of_run
from core.errors import RefusedError, UsageError
from core.figures import how_many, money, price
from core.proof.explain import (
    OTHERWISE,
    UNKNOWN,
    EndCause,
    FineCandles,
    GuardedTrade,
    TradeTruth,
    explain,
    total_sentence,
)
from core.proof.rerun import rerun
from core.proof.trade_pairs import EQUAL, TradePair, apart_sentences, in_common, paired, pairs_sentence
from core.reports.table import print_table, room
from core.results.runs import TradeRecord
from core.sql_data_source import SQLDataSource
from core.symbols import pair_of
from core.utils import format_time, timeframe_ms

NEWEST = 20
"""Trades shown unless told."""


def run(args: argparse.Namespace) -> int:
    """Load, look, print."""
    cli.check_free(args.json, force=args.force)
    db_url = cli.load_settings({"db.url": args.db_url}, strategies_dir=args.strategies_dir).db.url
    if args.against is not None:
        return compare(args, db_url)
    return look_closer(args, db_url)


def look_closer(args: argparse.Namespace, db_url: str | None) -> int:
    """Show what finer candles say of a run's trades. Raises RefusedError, NoDataError, UsageError."""
    stored = load_run(args.run_id, db_url)
    check_finer(args.detail, stored)
    truths, currency = truths_of(args, stored, db_url), pair_of(stored.series.symbol).quote
    said = total_sentence(truths, currency, args.detail)
    if args.json:
        rows = list(map(as_row, truths))
        document = {"run": args.run_id, "detail": args.detail, "total": said, "trades": rows}
        cli.write_output(args.json, json.dumps(document, indent=2) + "\n")
    if args.json != "-":
        what = f"{stored.strategy} on {stored.series}"
        print(f"run {args.run_id}: {what}, looked at in {args.detail} candles\n")
        show_truths(truths, currency, args)
        print(textwrap.fill(said, room()))
    return 0


def truths_of(args: argparse.Namespace, stored: StoredRun, db_url: str | None) -> list[TradeTruth]:
    """Return what finer candles say of a run's trades, which it makes again: their stops are not stored."""
    again = rerun(args.run_id, db_url)
    if again.difference is not None:
        raise RefusedError(
            f"run {args.run_id} comes out otherwise now ({again.difference}), so where its stops and takes "
            f"lay is not known: run_backtest.py --rerun {args.run_id} tells more"
        )
    series, bars = stored.series, again.bars
    step, coarse = timeframe_ms(args.detail), timeframe_ms(series.timeframe)
    span = {"start": int(bars.ts[0]), "end": int(bars.ts[-1]) + coarse}
    finer = SQLDataSource(db_url, series.exchange).get_bars(series.symbol, args.detail, **span)
    table = again.again.trades
    levels = zip(again.again.records, table["SL"].tolist(), table["TP"].tolist(), strict=True)
    trades = [GuardedTrade(record, number_of(stop), number_of(take)) for record, stop, take in levels]
    opens = dict(zip(bars.ts.tolist(), bars.open.tolist(), strict=True))
    return explain(trades, opens, FineCandles(finer, step, coarse), again.again.spec.costs)


def check_finer(detail: str, stored: StoredRun) -> None:
    """Raise UsageError unless candles of this timeframe fill the run's bars."""
    fine, coarse = timeframe_ms(detail), timeframe_ms(stored.series.timeframe)
    if fine >= coarse or coarse % fine:
        raise UsageError(
            f"--detail {detail}: wanted a timeframe that fills the run's bars of {stored.series.timeframe}, "
            "such as 1m"
        )


def number_of(level: Any) -> float:
    """Return a stop or take as a number, NaN for none."""
    return math.nan if level is None else float(level)


def show_truths(truths: Sequence[TradeTruth], currency: str, args: argparse.Namespace) -> None:
    """Print how many trades there are of each cause, and those that would have ended otherwise or are not
    told."""
    counts = Counter(truth.cause for truth in truths)
    for cause, count in counts.most_common():
        sums = sum(truth.difference for truth in truths if truth.cause is cause)
        made = f"  {money(sums, currency, sign=True)} {currency}" if cause in OTHERWISE else ""
        print(f"  {count:>6,}  {cause.value}{made}")
    print()
    unknown = UNKNOWN - {EndCause.MISSING}
    told = [truth for kind in (OTHERWISE, unknown) for truth in truths if truth.cause in kind]
    if told:
        headings = [
            "what",
            "#",
            "entry (UTC)",
            "side",
            "ended by",
            "truly by",
            "at",
            "truly at",
            "difference",
        ]
        headings += ["truly when (UTC)"]
        rows = [truth_cells(truth, currency) for truth in told[: args.trades or NEWEST]]
        print_table(
            headings, rows, left=6, spare=("truly when (UTC)", "side"), wraps=("what",), wide=args.wide
        )
        more(len(told), args)
    if missing := [truth.trade.record for truth in truths if truth.cause is EndCause.MISSING]:
        print(textwrap.fill(missing_line(missing, args.detail), room(), subsequent_indent="  "))
        print()


def missing_line(missing: Sequence[TradeRecord], detail: str) -> str:
    """Return between which times finer candles are to be loaded, for trades of which they do not tell."""
    first, last = min(one.entry_ts for one in missing), max(one.exit_ts for one in missing)
    return (
        f"{detail} candles are missing in bars of {how_many(len(missing), 'trade')} between "
        f"{format_time(first)} and {format_time(last)} UTC: fetch_ohlcv_to_db.py or "
        "import_ohlcv_to_db.py loads them"
    )


def more(count: int, args: argparse.Namespace) -> None:
    """Say how many rows were left out."""
    if count > (args.trades or NEWEST):
        print(f"… and {count - (args.trades or NEWEST):,} more: --trades {count} shows all")
    print()


def truth_cells(truth: TradeTruth, currency: str) -> list[str]:
    """Return a row of the table."""
    record, changed = truth.trade.record, truth.cause in OTHERWISE
    return [
        f"{truth.cause.value}{f', {truth.note}' if truth.note else ''}",
        str(truth.number),
        format_time(record.entry_ts),
        record.side,
        record.reason,
        truth.reason if changed else "?",
        price(record.exit_price),
        price(truth.exit_price) if changed else "?",
        money(truth.difference, currency, sign=True) if changed else "?",
        format_time(truth.exit_ts) if changed else "?",
    ]


def as_row(truth: TradeTruth) -> dict[str, Any]:
    """Return a trade and what is said of it as JSON can hold them."""
    stop, take = (None if math.isnan(one) else one for one in truth.trade[1:])
    found = {name: value for name, value in truth._asdict().items() if name not in ("trade", "cause")}
    return {
        **truth.trade.record._asdict(),
        "stop": stop,
        "take": take,
        "cause": truth.cause.value,
        "truth": found,
    }


def compare(args: argparse.Namespace, db_url: str | None) -> int:
    """Show a run's trades beside those of another run or of an account. Raises UsageError, NoDataError."""
    stored = load_run(args.run_id, db_url)
    one = list_of_run(stored, db_url)
    if args.against.isdecimal():
        other, step = load_run(int(args.against), db_url), 0
        if other.series.symbol != stored.series.symbol:
            raise UsageError(
                f"run {args.run_id} is of {stored.series.symbol}, run {other.run_id} of {other.series.symbol}"
                ": wanted two runs of one symbol"
            )
        step, second = timeframe_ms(other.series.timeframe), list_of_run(other, db_url)
    else:
        step, second = 0, list_of_account(args, stored)
    step = max(step, timeframe_ms(stored.series.timeframe))
    pairs, apart = in_common(paired(one, second, step), one, second, step)
    names = one.name, second.name, pair_of(stored.series.symbol).quote
    said, besides = pairs_sentence(pairs, *names), apart_sentences(apart, *names)
    if args.json:
        document: dict[str, Any] = {"one": one.name, "other": second.name, "total": said, "besides": besides}
        document |= {"pairs": list(map(pair_row, pairs)), "apart": list(map(pair_row, apart))}
        cli.write_output(args.json, json.dumps(document, indent=2) + "\n")
    if args.json != "-":
        print(f"{one.name}: {stored.strategy} on {stored.series}, beside {second.name}\n")
        show_pairs(pairs, names[-1], args)
        for line in (said, *besides):
            print(textwrap.fill(line, room()))
    return 0


def show_pairs(pairs: Sequence[TradePair], currency: str, args: argparse.Namespace) -> None:
    """Print how many pairs there are of each cause and what they make, and those that differ."""
    for cause, count in Counter(pair.cause for pair in pairs).most_common():
        sums = sum(pair.difference for pair in pairs if pair.cause == cause)
        made = "" if cause == EQUAL else f"  {money(sums, currency, sign=True)} {currency}"
        print(f"  {count:>6,}  {cause}{made}")
    print()
    apart = [pair for pair in pairs if pair.cause != EQUAL]
    if apart:
        headings = ["entry (UTC)", "side", "cause", "made", "made there", "difference"]
        rows = [pair_cells(pair, currency) for pair in apart[: args.trades or NEWEST]]
        print_table(headings, rows, left=3, spare=("side",), wraps=("cause",), wide=args.wide)
        more(len(apart), args)


def pair_cells(pair: TradePair, currency: str) -> list[str]:
    """Return a row of the table."""
    shown = pair.one or pair.other
    made = [money(trade.pnl, currency) if trade else "none" for trade in (pair.one, pair.other)]
    entry = format_time(shown.entry_ts) if shown else ""
    side = shown.side if shown else ""
    return [entry, side, pair.cause, *made, money(pair.difference, currency, sign=True)]


def pair_row(pair: TradePair) -> dict[str, Any]:
    """Return a pair as JSON can hold it."""
    one, other = (trade._asdict() if trade else None for trade in (pair.one, pair.other))
    return {"cause": pair.cause, "difference": pair.difference, "one": one, "other": other}
