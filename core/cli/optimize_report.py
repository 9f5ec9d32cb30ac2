"""What optimize.py prints and writes: the best sets on both parts of the bars, and what to think of them."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core import cli
from core.candles.oddities import odd_bars
from core.cli.optimize_curves import curve_json, walk_curve
from core.cli.optimize_plan import SearchTask
from core.cli.optimize_verdict import print_verdict, print_walk, verdict_json, walk_json, walk_lines
from core.cli.sets_table import print_sets
from core.cli.sweep_command import AGAIN, span_words
from core.domain import Bars, Series
from core.errors import NoDataError
from core.optimise.objectives import KEPT, OBJECTIVES, TRADES
from core.optimise.search import summary_at
from core.reports.document import as_json
from core.reports.table import HEADINGS, number, room
from core.results.measures import DAY, FEWEST, summary_json
from core.utils import format_time, timeframe_ms
from core.verdict.sharpe import luckiest_of
from db.status import SYNTHETIC_NOTE, is_synthetic
from strategies.registry import known, load_strategy

if TYPE_CHECKING:
    from core.cli.optimize_command import SearchOutcome

SHOWN = ("return_pct", "max_drawdown_pct", "sharpe_ratio", "trades_count")
"""Figures in the table, of the older bars and of the unseen ones."""
SPARE = ("unseen max dd %", "max dd %", "unseen trades", "trades")
"""Columns that are left out where there is no room, the first one first."""


def report(
    task: SearchTask, outcome: SearchOutcome, *, wide: bool = False, given: Sequence[str] = ()
) -> None:
    """Print what was searched on what, the best sets, what to think of them and what runs the first again."""
    print_series(task)
    print_best(task, outcome, wide=wide)
    if outcome.walk is not None:
        print_walk(task, outcome.walk.walk, wide=wide)
        print_verdict(outcome.walk.judgement, wide=wide)
    print_verdict(outcome.judgement, wide=wide)
    for line in lines_of(task, outcome):
        print(textwrap.fill(line, room(), subsequent_indent="  ", break_on_hyphens=False))
    if outcome.best:
        print(f"\n{textwrap.fill(f'{again(task)}:', room())}\n  {command(task, outcome, given)}")


def print_series(task: SearchTask) -> None:
    """Print of each series which bars sets were chosen on and which were kept back."""
    for series, part in task.splits.items():
        print(textwrap.fill(series_line(task, series), room(), subsequent_indent="  "))
        for note in odd_bars(part.whole, timeframe_ms(series.timeframe)):
            print(textwrap.fill(f"  note: {note}", room(), subsequent_indent="        "))
    if any(map(is_synthetic, task.splits)):
        print(SYNTHETIC_NOTE)
    print()


def series_line(task: SearchTask, series: Series) -> str:
    """Return of a series which bars sets were chosen on, and what became of the others."""
    part = task.splits[series]
    line = f"{series}: chosen on {_span(part.chosen_on)}"
    if not part.unseen.ts.size:
        return f"{line}; every bar is seen"
    if task.is_open:
        return f"{line}; unseen {_span(part.unseen)}"
    return f"{line}; held out {_span(part.unseen)}, not looked at (--open looks, once)"


def print_best(task: SearchTask, outcome: SearchOutcome, *, wide: bool = False) -> None:
    """Print a row for each of the best sets, and each series where there are several."""
    searched = [name for name, values in task.terms.wanted.space.items() if len(values) > 1]
    many, looked = len(task.splits) > 1, len(outcome.unseen) > 0
    # Of one symbol the objective may be one of the figures shown anyway.
    objectives = [
        (order, name)
        for order, name in enumerate(task.terms.wanted.objectives)
        if many or OBJECTIVES[name] not in SHOWN
    ]
    over = f"{task.terms.over} " if many else ""
    headings = [*(f"{over}{name}" for _, name in objectives), *(["symbol"] if many else [])]
    headings += [HEADINGS[name] for name in SHOWN]
    headings += [f"unseen {HEADINGS[name]}" for name in SHOWN] if looked else []
    rows, count = [], len(outcome.best)
    for rank, place in enumerate(outcome.best):
        for place_of, series in enumerate(task.splits):
            cells = [number(float(outcome.found.scores[place, order])) for order, _ in objectives]
            cells += [series.symbol] if many else []
            cells += _figures(outcome.seen.iloc[place_of * count + rank])
            cells += _figures(outcome.unseen.iloc[place_of * count + rank]) if looked else []
            rows.append((rank, cells))
    values = [[f"{outcome.found.sets[place][name]:g}" for name in searched] for place in outcome.best]
    if rows:
        print_sets(searched, values, headings, rows, spare=SPARE, wide=wide)


def lines_of(task: SearchTask, outcome: SearchOutcome) -> Iterator[str]:
    """Yield what was tried, how far the best stand out, how often it was tried before, and how to go on."""
    wanted, found = task.terms.wanted, outcome.found
    count, unranked = len(found.sets), int(np.isnan(found.scores[:, 0]).sum())
    over = "" if len(task.splits) == 1 else f", the {task.terms.over} over {len(task.splits)} symbols"
    seed = "" if wanted.method == "grid" else f", seed {wanted.seed}"
    once = len(np.unique(found.values, axis=0))
    yield (
        f"{count:,} sets of {task.strategy} by {wanted.method}{seed}{_again(count, once)}; best by "
        f"{' and '.join(wanted.objectives)}{over}; commission "
        f"{task.costs.commission:g} a side, spread {task.costs.spread:g}"
    )
    if len(wanted.objectives) > 1:
        yield f"{len(found.ranked):,} sets are on the Pareto front: none is better in all than one of them"
    if unranked:
        yield (
            f"{unranked:,} of {count:,} are not ranked: fewer than {task.terms.fewest_trades:,} trades "
            "(--min-trades) or no such figure on one of the series"
        )
    yield from _counted(task, outcome)
    yield from _held_back(task, outcome)
    if outcome.walk is not None:
        yield from walk_lines(outcome.walk)
    yield outcome.judgement.sentence
    yield f"search {task.study}, SHA-256 of all sets and figures {found.digest[:16]}"


def _again(count: int, once: int) -> str:
    """Return how many of the sets differ, blank if all do: what learns asks for some again."""
    return "" if once == count else f", {once:,} different ones, the others tried again"


def _counted(task: SearchTask, outcome: SearchOutcome) -> Iterator[str]:
    counted = outcome.counted
    commands = ", ".join(f"{name} {runs:,}" for name, runs in counted.by_command.items())
    again = counted.runs - counted.different
    said = f"{counted.runs:,} runs" if again else "a run each"
    said += f", {again:,} of them of a set that was tried before" if again else ""
    yield (
        f"{counted.different:,} different sets of {task.strategy} were tried on these bars by all commands "
        f"so far, in {said} ({commands}): the different ones are what the best one has to stand out from"
    )
    days = max(int(part.chosen_on.ts[-1] - part.chosen_on.ts[0]) / DAY for part in task.splits.values())
    if days >= FEWEST and counted.different > 1:
        lucky = luckiest_of(counted.different, days)
        yield (
            f"of {counted.different:,} sets without an edge the luckiest makes a Sharpe of about "
            f"{number(lucky)} on {days:,.0f} days; fewer where they resemble each other"
        )


def _held_back(task: SearchTask, outcome: SearchOutcome) -> Iterator[str]:
    if task.declared and not task.is_open:
        yield "the bars held out are still closed: nothing about them was computed"
    if outcome.looks is None:
        return
    looks, what = outcome.looks, "bars held out" if task.declared else "unseen bars"
    commands = ", ".join(f"{name} {count:,}" for name, count in looks.before.items())
    if looks.is_again:
        yield (
            f"these sets were seen on these {what} before: no look more than the {looks.number:,} with "
            f"{task.strategy} ({commands})"
        )
    elif looks.before:
        yield (
            f"look {looks.number:,} at these {what} with {task.strategy} ({commands} before): what is picked "
            "after several looks was chosen on them too"
        )
    elif task.declared:
        yield "the bars held out were opened by this: their first look, the only one that counts"


def again(task: SearchTask) -> str:
    """Return what stands above the command that runs the best set alone."""
    if task.declared and not task.is_open:
        return f"{AGAIN}; it ends before the bars held out, or it would be a look at them"
    return AGAIN


def command(task: SearchTask, outcome: SearchOutcome, given: Sequence[str] = ()) -> str:
    """Return what runs the best set alone, on the bars that it was chosen on; `given`: options of the search
    that a backtest has too.
    """
    chosen, first = outcome.found.sets[outcome.best[0]], next(iter(task.splits))
    symbols = ",".join(series.symbol for series in task.splits)
    words = ["--strategy", task.strategy, "--exchange", first.exchange, "--symbol", symbols]
    words += ["--timeframe", first.timeframe, *(["--use-sql"] if task.can_resume else [])]
    words += [*span_words(task.splits), *given]
    words += ["--commission", f"{task.costs.commission:g}", "--spread", f"{task.costs.spread:g}"]
    # What has one value stays as the search had it, whatever settings.yaml says.
    for name in task.terms.wanted.space:
        words += ["--param", f"{name}={chosen[name]:.12g}"]
    return shlex.join(["run_backtest.py", *words])


def as_text(task: SearchTask, outcome: SearchOutcome) -> str:
    """Return everything as JSON: every set with what it reached, the best ones with all figures."""
    return as_json(document(task, outcome))


def document(task: SearchTask, outcome: SearchOutcome) -> dict[str, Any]:
    """Return everything as JSON can hold it."""
    wanted, found, terms = task.terms.wanted, outcome.found, task.terms
    ranks = {place: rank + 1 for rank, place in enumerate(found.ranked)}
    trades = found.kept[:, :, KEPT.index(TRADES)].sum(axis=0)
    return {
        "search": task.study,
        "strategy": task.strategy,
        "method": wanted.method,
        "seed": wanted.seed,
        "objectives": list(wanted.objectives),
        "over": terms.over,
        "min_trades": terms.fewest_trades,
        "costs": task.costs._asdict(),
        "cash": task.cash,
        "space": wanted.space,
        "series": [
            {**series._asdict(), "chosen_on": _bounds(part.chosen_on), "unseen": _bounds(part.unseen)}
            for series, part in task.splits.items()
        ],
        "looked": bool(len(outcome.unseen)),
        "looks": outcome.looks.number if outcome.looks else 0,
        "looks_before": outcome.looks.before if outcome.looks else {},
        "held_out": bool(task.declared),
        "counted": outcome.counted._asdict(),
        "sha256": found.digest,
        "verdict": verdict_json(outcome.judgement),
        "walk_forward": None
        if outcome.walk is None
        else {**walk_json(outcome.walk), "curve": curve_json(walk_curve(outcome.walk))},
        "curve": curve_json(outcome.curve),
        "best": [_best(task, outcome, rank, place) for rank, place in enumerate(outcome.best)],
        "sets": [
            {
                "params": dict(params),
                "rank": ranks.get(place),
                "trades": int(trades[place]) if np.isfinite(trades[place]) else 0,
                **{
                    name: _plain(value)
                    for name, value in zip(wanted.objectives, found.scores[place].tolist(), strict=True)
                },
            }
            for place, params in enumerate(found.sets)
        ],
    }


def _best(task: SearchTask, outcome: SearchOutcome, rank: int, place: int) -> dict[str, Any]:
    count = len(outcome.best)

    def by_series(table: pd.DataFrame) -> list[dict[str, Any]]:
        return [summary_json(summary_at(table, order * count + rank)) for order in range(len(task.splits))]

    return {
        "params": load_strategy(task.strategy).rule.complete(outcome.found.sets[place]),
        "chosen_on": by_series(outcome.seen),
        "unseen": by_series(outcome.unseen) if len(outcome.unseen) else None,
    }


def save(path: str, task: SearchTask, outcome: SearchOutcome) -> None:
    """Write the best set as a strategies file that runs it alone. Raises NoDataError if there is none."""
    if not outcome.best:
        raise NoDataError(f"{path} is not written: no set is ranked; fewer --min-trades rank more")
    cli.check_new(path)
    cli.write_output(
        path, strategies_file(task, outcome.found.sets[outcome.best[0]], len(outcome.found.sets))
    )


def strategies_file(task: SearchTask, params: Mapping[str, float], count: int) -> str:
    """Return a strategies.yaml that has this set alone."""
    rule, first = load_strategy(task.strategy).rule, next(iter(task.splits))
    objectives = " and ".join(task.terms.wanted.objectives)
    lines = [
        f"# The best of {count:,} sets of {task.strategy} by {objectives}: search {task.study}.",
        f"# run_backtest.py --strategy {task.strategy} --strategies-file THIS runs it. Chosen is not proven.",
        *_closed(task),
        f"{known()[task.strategy]}:",
        "  enabled: true",
        f"  symbols: [{', '.join(series.symbol for series in task.splits)}]",
        f"  timeframe: {first.timeframe}",
        "  params:",
        *(f"    {name}: {value!r}" for name, value in rule.complete(params).items()),
    ]
    return "\n".join(lines) + "\n"


def _closed(task: SearchTask) -> Iterator[str]:
    if task.declared and not task.is_open:
        end = span_words(task.splits)[-1]
        yield f"# --end {end} leaves the bars held out alone: without it a backtest is a look at them."


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bounds(bars: Bars) -> dict[str, int] | None:
    return {"start": int(bars.ts[0]), "end": int(bars.ts[-1]), "bars": bars.ts.size} if bars.ts.size else None


def _span(bars: Bars) -> str:
    return f"{bars.ts.size:,} bars, {format_time(int(bars.ts[0]))} to {format_time(int(bars.ts[-1]))} UTC"


def _figures(row: pd.Series) -> list[str]:
    return [number(int(row[name]) if name == "trades_count" else float(row[name])) for name in SHOWN]
