"""What run_sweep.py does once its arguments are parsed; imports everything it needs."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from core import cli
from core.backtest.partners import partner_bars
from core.backtest.plan import PlannedRun, check_params, plan_runs, split_names
from core.candles.oddities import odd_bars
from core.cli.backtest_command import costs, overrides
from core.cli.candles import EXCHANGE_LIMIT, source_of
from core.cli.options import words_again
from core.cli.sets_table import print_sets
from core.cli.trial_journal import as_one, partner_windows, record, tried, windows_of
from core.domain import Bars, Series
from core.optimise.held_out import Split
from core.optimise.objectives import KEPT, kept_figures
from core.optimise.search import Found, Question, by_set, figure_of, search, summary_at
from core.optimise.space import choose_sets, parse_space
from core.reports.document import as_json
from core.reports.sweep_page import SweptSets, shown_figures, sweep_html
from core.reports.table import HEADINGS, number, room
from core.results.measures import DAY, summary_json
from core.settings import Settings
from core.utils import format_time, timeframe_ms
from core.verdict.sharpe import luckiest_of
from db.status import SYNTHETIC_NOTE, is_synthetic
from db.trial_rows import LOOK, TRIALS, Trials
from strategies.pairing import Partners
from strategies.registry import load_strategy

SHOWN = ("return_pct", "max_drawdown_pct", "sharpe_ratio", "trades_count")
"""Figures in the table, of the older bars and of the unseen ones."""
SPARE = ("unseen max dd %", "max dd %", "unseen trades", "trades")
"""Columns that are left out where there is no room, the first one first."""

AGAIN = "the first one again, on the bars that it was chosen on, as the table has it"
"""What stands above the command that runs the best set alone."""


class SweepPlan(NamedTuple):
    """What is searched, on what."""

    asked: Question
    searched: tuple[str, ...]
    """Parameters that have more than one value."""
    forbidden: int
    """Combinations that are left out, since the rule does not allow them."""
    markets: Mapping[Series, Bars]
    partners: Mapping[Series, Partners]


def run(args: argparse.Namespace) -> int:
    """Plan, load, search, print, write."""
    cli.check_free(args.json, args.csv, page=args.report, force=args.force)
    settings = cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)
    plan = planned(args, settings)
    runs = len(plan.markets) * (len(plan.asked.sets) + min(args.best, len(plan.asked.sets)))
    with cli.progress("runs", runs) as advance:
        found = search(plan.markets, plan.asked, plan.partners, args.jobs, advance)
    record(settings.db.url, trials_of(plan, found))
    if "-" not in (args.json, args.csv, args.report):
        report(args, plan, found)
    if args.json:
        cli.write_output(args.json, as_json(document(plan, found)))
    if args.csv:
        cli.write_output(args.csv, found.seen.to_csv(index=False, lineterminator="\n"))
    if args.report:
        cli.write_page(args.report, sweep_html(swept_sets(plan, found)))
    return 0


def trials_of(plan: SweepPlan, found: Found) -> list[Trials]:
    """Return the sets that were tried, and those that were looked at on unseen bars, for the journal."""
    series, asked = len(found.splits), plan.asked
    names = [f"{figure} {one.symbol}" for one in found.splits for figure in KEPT]

    def entry(kind: str, parts: Mapping[Series, Bars], table: pd.DataFrame, sets: Sequence[Any]) -> Trials:
        kept = kept_figures(table, series).transpose(1, 0, 2).reshape(len(sets), -1)
        windows = [*windows_of(parts), *partner_windows(parts, plan.partners)]
        return tried("sweep", asked.strategy, windows, sets, names, kept, kind)

    older = {one: part.chosen_on for one, part in found.splits.items()}
    entries = [entry(TRIALS, older, found.seen, asked.sets)]
    if len(found.unseen):
        newer = {one: part.unseen for one, part in found.splits.items()}
        best = [asked.sets[place] for place in found.ranked[: asked.best]]
        entries.append(entry(LOOK, newer, found.unseen, best))
    return as_one(entries)


def planned(args: argparse.Namespace, settings: Settings) -> SweepPlan:
    """Return the sets and the candles to try them on. Raises UsageError, NoDataError."""
    space = parse_space(args.param)
    plans = plan_runs(
        settings, strategies=[args.strategy], symbols=split_names(args.symbol), timeframe=args.timeframe
    )
    cli.note_missing_parts([plans[0].strategy])
    rule = load_strategy(plans[0].strategy).rule
    # Parameters that are not searched stay as strategies.yaml has them.
    fixed = {name: [value] for name, value in plans[0].params.items()}
    sets = choose_sets(rule, {**fixed, **space}, args.sets, args.seed)
    money = costs(args, settings), settings.backtest.default_cash
    asked = Question(
        plans[0].strategy, sets, *money, args.sort, args.min_trades, args.unseen / 100, args.best
    )
    searched = tuple(name for name, values in space.items() if len(values) > 1)
    forbidden = 0 if args.sets else prod(map(len, space.values())) - len(sets)
    return SweepPlan(asked, searched or tuple(space), forbidden, *load(args, settings, plans))


def load(
    args: argparse.Namespace, settings: Settings, plans: Sequence[PlannedRun]
) -> tuple[Mapping[Series, Bars], Mapping[Series, Partners]]:
    """Return the candles of each series, and what the strategy looks at besides them."""
    source = source_of(args, settings)
    start, end = cli.span(args)
    limit = args.limit or (None if args.use_sql or args.start else EXCHANGE_LIMIT)
    markets, partners = {}, {}
    for plan in plans:
        series = Series(source.exchange, plan.symbol, plan.timeframe)
        bars = source.get_bars(series.symbol, series.timeframe, limit, start=start, end=end)
        markets[series] = bars
        if (found := partner_bars(source, plan.strategy, series, bars, plan.universe)) is not None:
            partners[series] = found
    return markets, partners


def report(args: argparse.Namespace, plan: SweepPlan, found: Found) -> None:
    """Print what was looked at, the best sets, and what to think of them."""
    print_split(plan, found)
    print_best(plan, found, wide=args.wide)
    for line in verdict(plan, found):
        print(textwrap.fill(line, room(), subsequent_indent="  ", break_on_hyphens=False))
    if found.ranked:
        print(f"\n{AGAIN}:\n  {command(args, plan, found)}")


def swept_sets(plan: SweepPlan, found: Found) -> SweptSets:
    """Return a search as its page shows it."""
    asked, many = plan.asked, len(found.splits)
    names = shown_figures(asked.figure)
    costs = f"commission {asked.costs.commission:g} a side, spread {asked.costs.spread:g}"
    held = ", ".join(f"{name} {asked.sets[0][name]:g}" for name in asked.sets[0] if name not in plan.searched)
    about = [split_line(series, found) for series in found.splits]
    about.append(
        f"{len(asked.sets):,} sets, {asked.cash:,.0f} at the start, {costs}; the rest: {held or 'none'}"
    )
    return SweptSets(
        title=f"HOT-Crypto search of {asked.strategy}",
        about=about,
        verdict=verdict(plan, found),
        figure=asked.figure,
        params={name: np.array([one[name] for one in asked.sets]) for name in plan.searched},
        seen={name: figure_of(found.seen, name, many) for name in names},
        ranked=found.ranked[: asked.best],
        unseen={name: figure_of(found.unseen, name, many) for name in names} if len(found.unseen) else {},
        note=SYNTHETIC_NOTE if any(map(is_synthetic, found.splits)) else "",
    )


def split_line(series: Series, found: Found) -> str:
    """Return of a series which bars sets were chosen on, and which are unseen."""
    older, newer = found.splits[series]
    rest = f"; unseen {_span(newer)}" if newer.ts.size else "; every bar is seen"
    return f"{series}: chosen on {_span(older)}{rest}"


def print_split(plan: SweepPlan, found: Found) -> None:
    """Print of each series which bars sets were chosen on, which are unseen, and what is odd with them."""
    for series in found.splits:
        print(textwrap.fill(split_line(series, found), room(), subsequent_indent="  "))
        for note in odd_bars(plan.markets[series], timeframe_ms(series.timeframe)):
            print(textwrap.fill(f"  note: {note}", room(), subsequent_indent="        "))
    if any(map(is_synthetic, found.splits)):
        print(SYNTHETIC_NOTE)
    print()


def print_best(plan: SweepPlan, found: Found, *, wide: bool = False) -> None:
    """Print a row for each of the best sets, and each series where there are several."""
    many, best = len(found.splits) > 1, found.ranked[: plan.asked.best]
    shown = list(dict.fromkeys((*SHOWN, plan.asked.figure)))
    unseen = [f"unseen {HEADINGS[name]}" for name in shown] if len(found.unseen) else []
    headings = [*(["symbol"] if many else []), *(HEADINGS[name] for name in shown), *unseen]
    rows = []
    for rank, place in enumerate(best):
        for order, series in enumerate(found.splits):
            seen = found.seen.iloc[order * len(plan.asked.sets) + place]
            cells = [*([series.symbol] if many else []), *_figures(seen, shown)]
            if unseen:
                cells += _figures(found.unseen.iloc[order * len(best) + rank], shown)
            rows.append((rank, cells))
    values = [[f"{plan.asked.sets[place][name]:g}" for name in plan.searched] for place in best]
    if rows:
        print_sets(plan.searched, values, headings, rows, spare=SPARE, wide=wide)


def verdict(plan: SweepPlan, found: Found) -> list[str]:
    """Return lines that say how far the best stand out."""
    asked, heading = plan.asked, HEADINGS[plan.asked.figure]
    count, left_out = len(asked.sets), len(asked.sets) - len(found.ranked)
    known = found.scores[~np.isnan(found.scores)]
    lines = []
    if known.size:
        lines.append(
            f"{count:,} sets of {asked.strategy}: {heading} {number(float(known.min()))} to "
            f"{number(float(known.max()))}, the middle one {number(float(np.median(known)))}"
        )
    if left_out:
        lines.append(
            f"{left_out:,} of {count:,} are not ranked: fewer than {asked.fewest_trades:,} trades "
            f"(--min-trades) or no {heading}{_without(found, asked.figure)}"
        )
    if plan.forbidden:
        orders = " and ".join(f"{low} < {high}" for low, high in load_strategy(asked.strategy).rule.orders)
        lines.append(f"{plan.forbidden:,} combinations are left out: wanted {orders}")
    lines += _luck(found)
    for order, (series, parts) in enumerate(found.splits.items()):
        held = [number(float(by_set(found.seen, "buy_hold_return_pct", len(found.splits))[order, 0]))]
        if len(found.unseen):
            later = by_set(found.unseen, "buy_hold_return_pct", len(found.splits))[order, 0]
            held.append(f"{number(float(later))} % on the unseen ones")
        where = "the bars chosen on" if parts.unseen.ts.size else "these bars"
        lines.append(f"buying and holding {series.symbol}: {held[0]} % on {', '.join([where, *held[1:]])}")
    return lines


def _without(found: Found, figure: str) -> str:
    """Return the series on which no set has the figure, as on fewer than 60 days none has a Sharpe ratio."""
    rows = by_set(found.seen, figure, len(found.splits))
    names = [series.symbol for series, row in zip(found.splits, rows, strict=True) if np.isnan(row).all()]
    return f" (none has one on {', '.join(names)})" if names else ""


def _luck(found: Found) -> list[str]:
    sharpes = figure_of(found.seen, "sharpe_ratio", len(found.splits))
    first = next(iter(found.splits.values())).chosen_on
    tries, days = int(np.isfinite(sharpes).sum()), (int(first.ts[-1]) - int(first.ts[0])) / DAY
    if tries <= 1:
        return []
    lucky = number(luckiest_of(tries, days))
    return [
        f"by luck alone the best Sharpe of {tries:,} such sets would be about {lucky}: one that is not well "
        "above it, or is gone on unseen bars, is no edge"
    ]


def command(args: argparse.Namespace, plan: SweepPlan, found: Found) -> str:
    """Return what runs the best set alone, on the bars that it was chosen on."""
    chosen, first = plan.asked.sets[found.ranked[0]], next(iter(found.splits))
    symbols = ",".join(series.symbol for series in found.splits)
    words = ["--strategy", plan.asked.strategy, "--symbol", symbols, "--timeframe", first.timeframe]
    words += ["--use-sql"] if args.use_sql else []
    named = ("exchange", "db_url", "strategies_file", "strategies_dir", "cash", "commission", "spread")
    words += [*span_words(found.splits), *words_again(args, *named)]
    words += ["--costs", f"measured:{args.costs}"] if args.costs else []
    for name in plan.searched:
        words += ["--param", f"{name}={chosen[name]:.12g}"]
    return shlex.join(["run_backtest.py", *words])


def span_words(splits: Mapping[Series, Split]) -> list[str]:
    """Return the options of a backtest on the bars that sets were chosen on, and on none kept back."""
    start = min(int(part.chosen_on.ts[0]) for part in splits.values())
    stop = max(int(part.chosen_on.ts[-1]) + timeframe_ms(series.timeframe) for series, part in splits.items())
    stop = min([stop, *(int(part.unseen.ts[0]) for part in splits.values() if part.unseen.ts.size)])
    return ["--start", format_time(start).replace(" ", "T"), "--end", format_time(stop).replace(" ", "T")]


def document(plan: SweepPlan, found: Found) -> dict[str, Any]:
    """Return everything as JSON can hold it: each set on each series, the ranked ones with their rank."""
    asked, ranks = plan.asked, {place: rank for rank, place in enumerate(found.ranked)}
    sets = [
        {
            "params": dict(params),
            "rank": ranks[place] + 1 if place in ranks else None,
            "chosen_on": _by_series(found, found.seen, place, len(asked.sets)),
            "unseen": _by_series(found, found.unseen, ranks[place], len(found.ranked[: asked.best]))
            if len(found.unseen) and ranks.get(place, asked.best) < asked.best
            else None,
        }
        for place, params in enumerate(asked.sets)
    ]
    series = [
        {**series._asdict(), "chosen_on": _bounds(part.chosen_on), "unseen": _bounds(part.unseen)}
        for series, part in found.splits.items()
    ]
    return {
        "strategy": asked.strategy,
        "ranked_by": asked.figure,
        "min_trades": asked.fewest_trades,
        "costs": asked.costs._asdict(),
        "cash": asked.cash,
        "series": series,
        "sets": sets,
    }


def _by_series(found: Found, table: pd.DataFrame, place: int, count: int) -> list[dict[str, Any]]:
    return [summary_json(summary_at(table, order * count + place)) for order in range(len(found.splits))]


def _bounds(bars: Bars) -> dict[str, int] | None:
    return {"start": int(bars.ts[0]), "end": int(bars.ts[-1]), "bars": bars.ts.size} if bars.ts.size else None


def _span(bars: Bars) -> str:
    return f"{bars.ts.size:,} bars, {format_time(int(bars.ts[0]))} to {format_time(int(bars.ts[-1]))} UTC"


def _figures(row: pd.Series, names: Sequence[str]) -> list[str]:
    return [number(int(row[name]) if name == "trades_count" else float(row[name])) for name in names]
