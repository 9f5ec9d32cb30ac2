"""What a verdict needs to know of a search, run and measured: from candles to core.verdict.judge.Evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, IntArray, Series
from core.errors import NoDataError, UsageError
from core.optimise.daily import Stretch, daily_runs, day_ends, hold_returns, trades_made
from core.optimise.search import Question
from core.optimise.walk_forward import WalkForward, between, traded_at
from core.utils import timeframe_ms
from core.verdict.benchmarks import plateau, random_entries
from core.verdict.judge import Evidence
from core.verdict.resampling import share_as_good
from core.verdict.sharpe import sharpes_of_all
from strategies.pairing import Partners, bind
from strategies.registry import load_strategy
from strategies.rule import StrategyRule


class JudgedSearch(NamedTuple):
    """A search whose best set is to be judged."""

    strategy: str
    markets: Mapping[Series, Bars]
    """All bars of each series, those that were chosen on and those after."""
    cut: int
    """ms UTC: bars that open before it were chosen on."""
    sets: Sequence[Mapping[str, float]]
    """All that were tried and are still known."""
    chosen: int
    """The place of the chosen one among them."""
    costs: Costs
    cash: float
    tries: int = 0
    """N by the trial journal; at least the sets count."""
    looks: int = 1
    """Times that the bars after the cut were looked at, this one included."""
    partners: Mapping[Series, Partners] | None = None
    """What the strategy looks at besides, by the series traded."""


def gather(
    case: JudgedSearch, shuffled: float | None = None, seed: int = 1, threads: int | None = None
) -> Evidence:
    """Return the evidence on a search's best set. Raises UsageError, NoDataError.

    Several series are one account that gives each the same share every day. The unseen bars run alone, flat
    at their first, with columns that earlier bars have warmed. `shuffled` comes from
    core.optimise.permutation.
    """
    if not 0 <= case.chosen < len(case.sets):
        raise UsageError(f"verdict: wanted a chosen set among {len(case.sets)}, got number {case.chosen}")
    best, double = case.sets[case.chosen], _doubled(case.costs)
    seen_days, unseen_days = _days(case)
    parts: dict[str, list[FloatArray]] = {"seen": [], "unseen": [], "hold": [], "doubled": []}
    trades = 0
    for series, bars in case.markets.items():
        rule, place = _rule(case, series), int(np.searchsorted(bars.ts, case.cut))
        old = Stretch(bars.until(place), series.timeframe)
        new, whole = Stretch(bars, series.timeframe, place), Stretch(bars, series.timeframe)
        both = np.concatenate([seen_days, unseen_days])
        money = case.costs, case.cash
        seen = daily_runs(old, rule, case.sets, *money, seen_days, threads)
        unseen = daily_runs(new, rule, [best], *money, unseen_days, threads)
        doubled = daily_runs(whole, rule, [best], double, case.cash, both, threads)
        parts["seen"].append(seen.returns)
        parts["unseen"].append(unseen.returns[0])
        parts["doubled"].append(doubled.returns[0])
        parts["hold"].append(hold_returns(whole, case.costs, both))
        trades += int(seen.trades[case.chosen] + unseen.trades[0])
    found = {name: _mean(values) for name, values in parts.items()}
    chance, returns = against_random(case, seed)
    return Evidence(
        seen=found["seen"],
        chosen=case.chosen,
        unseen=found["unseen"],
        hold=found["hold"],
        tries=max(case.tries, len(case.sets)),
        trades=trades,
        doubled=float(np.prod(1 + found["doubled"])) - 1,
        looks=case.looks,
        random_entries=chance,
        trade_returns=returns,
        shuffled=shuffled,
        plateau=plateau_of(case.sets, case.chosen, sharpes_of_all(found["seen"])),
        series=len(case.markets),
    )


def gather_walk(
    markets: Mapping[Series, Bars],
    asked: Question,
    walk: WalkForward,
    partners: Mapping[Series, Partners] | None = None,
    tries: int = 0,
    looks: int = 1,
    threads: int | None = None,
) -> Evidence:
    """Return the evidence on a walk forward: what it chose first was seen, and all that it traded was not.

    `tries` and `looks` as in JudgedSearch. With costs doubled the sets stay those that it chose. Raises
    NoDataError when nothing could be chosen on the first fit.
    """
    first = walk.steps[0]
    if first.chosen is None:
        raise NoDataError(
            f"walk forward: no set has {asked.fewest_trades} trades on the first fit: fit on more days"
        )
    days = day_ends(first.window.fit_start, first.window.fit_stop)
    seen, hold, trades = [], [], 0
    for series, bars in markets.items():
        rule = bind(load_strategy(asked.strategy), (partners or {}).get(series)).rule
        fit = Stretch(between(bars, first.window.fit_start, first.window.fit_stop), series.timeframe)
        runs = daily_runs(fit, rule, asked.sets, asked.costs, asked.cash, days, threads)
        seen.append(runs.returns)
        trades += int(runs.trades[first.chosen])
        whole = Stretch(bars, series.timeframe)
        hold.append(hold_returns(whole, asked.costs, np.concatenate([days, walk.days])))
    known = _mean(seen)
    dearer = traded_at(markets, asked, walk, _doubled(asked.costs), partners)
    return Evidence(
        seen=known,
        chosen=first.chosen,
        unseen=walk.returns,
        hold=_mean(hold),
        tries=max(tries, len(asked.sets)),
        trades=trades + sum(step.trades for step in walk.steps),
        doubled=float(np.prod(1 + dearer)) - 1,
        looks=looks,
        walked=True,
        plateau=plateau_of(asked.sets, first.chosen, sharpes_of_all(known)),
        series=len(markets),
    )


def against_random(case: JudgedSearch, seed: int = 1) -> tuple[float, FloatArray]:
    """Return the probability, 0 … 1, that random entries earn as much as the chosen set's over all bars, and
    what each of its trades made, a fraction of equity.
    """
    own, random, best = 0.0, np.zeros(1), case.sets[case.chosen]
    returns = []
    for number, (series, bars) in enumerate(case.markets.items()):
        stretch = Stretch(bars, series.timeframe)
        made = trades_made(stretch, _rule(case, series), best, case.costs, case.cash)
        found = random_entries(bars.open, bars.close, made.spans, seed=seed + number)
        own, random = own + found.own, random + found.random
        returns.append(made.returns / len(case.markets))
    return share_as_good(random, own), np.concatenate(returns)


def plateau_of(sets: Sequence[Mapping[str, float]], chosen: int, figures: FloatArray) -> float | None:
    """Return how good a set's neighbours are (core.verdict.benchmarks.plateau), None if it has none.

    Neighbours differ in one parameter, to the next value that was tried of it. `figures` has one of each set.
    """
    best, names = sets[chosen], sorted({name for one in sets for name in one})
    steps = {}
    for name in names:
        values = sorted({one[name] for one in sets if name in one})
        place = values.index(best[name])
        steps[name] = {*values[max(0, place - 1) : place], *values[place + 1 : place + 2]}
    near = [
        float(figure)
        for one, figure in zip(sets, figures.tolist(), strict=True)
        if len(apart := [name for name in names if one[name] != best[name]]) == 1
        and one[apart[0]] in steps[apart[0]]
    ]
    score = plateau(np.array(near), float(figures[chosen]))
    return None if math.isnan(score) else score


def _rule(case: JudgedSearch, series: Series) -> StrategyRule:
    return bind(load_strategy(case.strategy), (case.partners or {}).get(series)).rule


def _days(case: JudgedSearch) -> tuple[IntArray, IntArray]:
    """Return the ends of the days before and after the cut, of all series together."""
    first = min(int(bars.ts[0]) for bars in case.markets.values())
    last = max(int(bars.ts[-1]) + timeframe_ms(series.timeframe) for series, bars in case.markets.items())
    return day_ends(first, case.cut), day_ends(case.cut, last)


def _doubled(costs: Costs) -> Costs:
    return costs._replace(commission=2 * costs.commission, spread=2 * costs.spread)


def _mean(parts: Sequence[FloatArray]) -> FloatArray:
    return parts[0] if len(parts) == 1 else np.mean(parts, axis=0)
