"""What show_regime.py shows: stretches of one market regime, as a table and over price."""

from __future__ import annotations

import argparse

from core import cli
from core.cli.candles import EXCHANGE_LIMIT, source_of
from core.domain import Bars, Series
from core.errors import NoDataError
from core.regime.regime_detector import Regimes, detect, history, spans
from core.reports.regime_chart import regime_html
from core.reports.table import print_table
from core.settings import Settings
from core.utils import format_time


def run(args: argparse.Namespace) -> int:
    """Load, detect, print."""
    cli.check_free(page=args.out, force=args.force)
    start, end = cli.span(args)
    settings = cli.load_settings({"db.url": args.db_url})
    label, bars = load(args, settings, end)
    series, regimes = Series(label, args.symbol, args.timeframe), detect(bars)
    if not spans(regimes.label):
        raise NoDataError(f"{series}: {bars.ts.size} bars, a regime needs some {history()}: load more")
    first = shown_from(start, bars)
    print_spans(series, bars, regimes, first, args.last)
    if args.out:
        write_chart(args, series, bars, regimes, first)
    return 0


def load(args: argparse.Namespace, settings: Settings, end: int | None) -> tuple[str, Bars]:
    """Return the exchange's label and the candles."""
    source = source_of(args, settings)
    bars = source.get_bars(args.symbol, args.timeframe, None if args.use_sql else EXCHANGE_LIMIT, end=end)
    return source.exchange, bars


def shown_from(start: int | None, bars: Bars) -> int:
    """Return the first bar to show. Raises NoDataError when none is left."""
    first = 0 if start is None else int(bars.ts.searchsorted(start))
    if start is not None and first == bars.ts.size:
        last = format_time(int(bars.ts[-1]))
        raise NoDataError(f"no candles from {format_time(start)} UTC on: the last is of {last} UTC")
    return first


def print_spans(series: Series, bars: Bars, regimes: Regimes, first: int, most: int) -> None:
    """Print one row for each of the newest stretches of bars with one label, at most so many."""
    rows = []
    for start, last, label in spans(regimes.label):
        if last < first:
            continue
        # Its first bar belongs to it: what that moved is counted from the close before.
        before = bars.close[start - 1] if start else bars.open[0]
        change = 100 * (bars.close[last] / before - 1)
        middle = regimes.score[start : last + 1].mean()
        times = [format_time(int(bars.ts[i])) for i in (start, last)]
        rows.append([label.name, *times, f"{last - start + 1:,}", f"{change:+.1f}", f"{middle:.2f}"])
    print(f"{series}: {bars.ts.size:,} bars\n")
    if len(rows) > most:
        print(f"{len(rows) - most:,} earlier stretches are not shown: --last {len(rows)} shows all\n")
    print_table(["regime", "from (UTC)", "to (UTC)", "bars", "change %", "score"], rows[-most:], left=3)


def write_chart(args: argparse.Namespace, series: Series, bars: Bars, regimes: Regimes, first: int) -> None:
    """Draw price on its regimes."""
    measures = {
        "score": regimes.score,
        "ADX": regimes.adx,
        "Hurst exponent": regimes.hurst,
        "rank of volatility": regimes.rank,
    }
    shown = [
        (max(start, first) - first, last - first, label.name)
        for start, last, label in spans(regimes.label)
        if last >= first
    ]
    cut = {name: values[first:] for name, values in measures.items()}
    page = regime_html(series, bars.since(first), shown, cut)
    cli.write_output(args.out, page, "chart", " (open it in a browser)")
