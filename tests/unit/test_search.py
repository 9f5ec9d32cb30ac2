"""What sets are chosen on is not what they are judged on."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import Bars, Costs, Series
from core.errors import NoDataError
from core.optimise.daily import Stretch, daily_runs, day_ends
from core.optimise.held_out import split
from core.optimise.search import Question, search, summary_at
from core.optimise.sweep import sweep
from core.results.measures import Summary
from strategies.registry import load_strategy
from tests.markets import random_bars

BTC, ETH = Series("binanceus", "BTC/USDT", "1h"), Series("binanceus", "ETH/USDT", "1h")
SETS = [{"ema_fast": fast, "ema_slow": slow} for fast in (5.0, 10.0, 20.0) for slow in (30.0, 60.0)]
ASKED = Question("TREND_EMA", SETS, Costs(0.001, 0.0), 10_000.0, fewest_trades=1, unseen_share=0.3, best=2)
BARS = random_bars(5, 3300).until(3000)


def poisoned(bars: Bars, start: int) -> Bars:
    """Return the bars with other prices from row `start` on."""
    later = random_bars(99, 3300).until(bars.ts.size).since(start)
    return Bars(
        bars.ts, *(np.concatenate([old[:start], new]) for old, new in zip(bars[1:], later[1:], strict=True))
    )


def test_the_newest_share_is_cut_off_and_no_bar_is_in_both_parts() -> None:
    older, newer = split({BTC: BARS}, 0.3)[BTC]
    assert (older.ts.size, newer.ts.size) == (2100, 900)
    assert np.concatenate([older.close, newer.close]).tolist() == BARS.close.tolist()
    assert split({BTC: BARS}, 0.0)[BTC].unseen.ts.size == 0


def test_too_few_bars_to_cut_are_said() -> None:
    with pytest.raises(NoDataError, match="3 bars are too few to keep 10 % of them unseen"):
        split({BTC: BARS.until(3)}, 0.1)


def test_all_series_are_cut_at_one_moment() -> None:
    # The second begins later: cut by itself, its unseen part would begin later too.
    parts = split({BTC: BARS, ETH: BARS.since(1500)}, 0.3)
    assert parts[BTC].unseen.ts[0] == parts[ETH].unseen.ts[0] == BARS.ts[2100]
    assert parts[ETH].chosen_on.ts[0] == BARS.ts[1500]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            BARS.until(1500),
            "binanceus ETH/USDT 1h has no bar from .* UTC on, where the unseen part of all begins",
        ),
        (
            BARS.since(2500),
            "binanceus ETH/USDT 1h has no bar before .* UTC, where the unseen part of all begins",
        ),
    ],
)
def test_a_series_with_no_bar_in_one_part_is_named(other: Bars, said: str) -> None:
    with pytest.raises(NoDataError, match=said):
        split({BTC: BARS, ETH: other}, 0.3)


def test_what_comes_later_changes_nothing_of_the_choice() -> None:
    plain, other = (search({BTC: bars}, ASKED) for bars in (BARS, poisoned(BARS, 2100)))
    assert plain.ranked == other.ranked
    assert plain.seen.equals(other.seen)
    assert not plain.unseen["return_pct"].equals(other.unseen["return_pct"])


def test_figures_are_those_of_a_sweep_of_each_part_the_unseen_one_on_warm_columns() -> None:
    found = search({BTC: BARS}, ASKED)
    older, newer = split({BTC: BARS}, 0.3)[BTC]
    assert found.seen.equals(sweep({BTC: older}, "TREND_EMA", SETS, ASKED.costs))
    best = [SETS[place] for place in found.ranked[:2]]
    starts = {BTC: older.ts.size}
    assert found.unseen.equals(sweep({BTC: BARS}, "TREND_EMA", best, ASKED.costs, starts=starts))
    cold = sweep({BTC: newer}, "TREND_EMA", best, ASKED.costs)
    assert not found.unseen["return_pct"].equals(cold["return_pct"])
    # What does not depend on a rule is that of the unseen bars alone.
    for name in ("buy_hold_return_pct", "daily_returns", "Start", "End"):
        assert found.unseen[name].equals(cold[name])
    assert isinstance(summary_at(found.seen, 0), Summary)


def test_a_warm_sweep_makes_day_by_day_what_a_verdict_looks_at() -> None:
    start = split({BTC: BARS}, 0.3)[BTC].chosen_on.ts.size
    table = sweep({BTC: BARS}, "TREND_EMA", SETS, ASKED.costs, ASKED.cash, starts={BTC: start})
    stretch = Stretch(BARS, BTC.timeframe, start)
    days = day_ends(int(BARS.ts[start]), int(stretch.closes[-1]))
    runs = daily_runs(stretch, load_strategy("TREND_EMA").rule, SETS, ASKED.costs, ASKED.cash, days)
    made = 100 * (np.prod(1 + runs.returns, axis=1) - 1)
    assert table["return_pct"].to_numpy() == pytest.approx(made)
    assert table["trades_count"].tolist() == runs.trades.tolist()


@pytest.mark.parametrize(("figure", "sign"), [("return_pct", -1), ("max_drawdown_pct", 1)])
def test_the_best_is_the_highest_and_of_drawdowns_the_lowest(figure: str, sign: int) -> None:
    found = search({BTC: BARS}, ASKED._replace(figure=figure))
    assert found.ranked == sorted(range(len(SETS)), key=lambda place: sign * found.scores[place])


def test_several_series_are_ranked_by_the_mean_over_them() -> None:
    other = random_bars(8, 3300).until(3000)._replace(ts=BARS.ts)
    found = search({BTC: BARS, ETH: other}, ASKED)
    alone = [search({series: bars}, ASKED).scores for series, bars in ((BTC, BARS), (ETH, other))]
    assert found.scores.tolist() == ((alone[0] + alone[1]) / 2).tolist()
    assert len(found.unseen) == 4


def test_a_set_with_too_few_trades_is_not_ranked() -> None:
    trades = search({BTC: BARS}, ASKED).seen["trades_count"]
    limit = int(trades.max())
    found = search({BTC: BARS}, ASKED._replace(fewest_trades=limit))
    assert found.ranked == [place for place in range(len(SETS)) if trades[place] >= limit]
    none = search({BTC: BARS}, ASKED._replace(fewest_trades=limit + 1))
    assert (none.ranked, len(none.unseen)) == ([], 0)


def test_without_unseen_bars_nothing_is_judged() -> None:
    assert len(search({BTC: BARS}, ASKED._replace(unseen_share=0.0)).unseen) == 0


def test_every_run_is_counted_once() -> None:
    counted: list[int] = []
    search({BTC: BARS, ETH: BARS}, ASKED, advance=counted.append)
    assert sum(counted) == 2 * (len(SETS) + 2)
