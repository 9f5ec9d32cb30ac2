"""What is equal in exact numbers is equal to a rule: ties worked out in fractions, on prices of few ticks."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from core.backtest.fast_backtester import run_fast
from core.domain import Bars, Costs, FloatArray, Series
from core.results.runs import RunSpec
from strategies import ichimoku as cloud
from strategies import triple_momentum as triple
from strategies.indicators import side_of, stochastic, tied
from strategies.indicators_more import DAY
from strategies.rule import first_decision, row
from tests.lively import LIVELY
from tests.markets import HOUR, START, random_bars
from tests.tiers import some, statistics

TICK = 100


def ticks(seed: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return high, low and close in whole ticks that move by a few."""
    rng = np.random.default_rng(seed)
    close = 10_000 + np.cumsum(rng.integers(-2, 3, length))
    opens = np.concatenate([[10_000], close[:-1]])
    return np.maximum(opens, close) + rng.integers(0, 2, length), np.minimum(opens, close) - 1, close


def bars_of(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> Bars:
    stamps = START + HOUR * np.arange(close.size, dtype=np.int64)
    opens = np.concatenate([close[:1], close[:-1]])
    return Bars(stamps, opens / TICK, high / TICK, low / TICK, close / TICK, np.ones(close.size))


def exact_stochastic(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> list[int]:
    """Return the sign of k - d (14 bars, smoothed over 3) from bar 17 on."""
    raw = []
    for i in range(13, close.size):
        top, bottom = int(high[i - 13 : i + 1].max()), int(low[i - 13 : i + 1].min())
        raw.append(Fraction(int(close[i]) - bottom, top - bottom))
    k = [sum(raw[i - 2 : i + 1], Fraction(0)) / 3 for i in range(2, len(raw))]
    gaps = [k[i] - sum(k[i - 2 : i + 1], Fraction(0)) / 3 for i in range(2, len(k))]
    return [(gap > 0) - (gap < 0) for gap in gaps]


@pytest.mark.unmeasured
def test_a_tie_of_the_stochastic_is_no_side() -> None:
    high, low, close = ticks(1, 3000)
    bars = bars_of(high, low, close)
    k, d = stochastic(bars.high, bars.low, bars.close, 14, 3)
    wanted = np.array(exact_stochastic(high, low, close), float)
    assert side_of(k, d, 100.0)[17:].tolist() == wanted.tolist()
    assert (wanted == 0).sum() > 20
    assert (np.sign(k - d)[17:] != wanted).sum() > 5


@pytest.mark.unmeasured
def test_triple_momentum_counts_no_vote_of_a_tie() -> None:
    high, low, close = ticks(1, 3000)
    votes = triple.columns(bars_of(high, low, close), triple.Params()).votes
    wanted = exact_stochastic(high, low, close)
    tie = 17 + np.flatnonzero(np.array(wanted) == 0)
    assert set(np.abs(votes[tie[tie > 40]])) <= {0.0, 1.0, 2.0}


def exact_lines(high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return twice the conversion and the base line in ticks, from bar 77 on, by windows."""
    spans = [
        np.array([high[i - n + 1 : i + 1].max() + low[i - n + 1 : i + 1].min() for i in range(77, high.size)])
        for n in (9, 26)
    ]
    return spans[0], spans[1]


def test_ichimoku_s_lines_tie_where_they_do_in_ticks() -> None:
    high, low, close = ticks(2, 3000)
    found = cloud.columns(bars_of(high, low, close), cloud.Params())
    fast, slow = exact_lines(high, low)
    assert ((found.fast > found.slow)[77:] == (fast > slow)).all()
    assert ((found.fast < found.slow)[77:] == (fast < slow)).all()
    assert ((found.close > found.slow)[77:] == (2 * close[77:] > slow)).all()
    assert ((found.close < found.slow)[77:] == (2 * close[77:] < slow)).all()
    assert (2 * close[77:] == slow).sum() > 20


@pytest.mark.parametrize("size", [1.0, 1e-6, 60_000.0])
def test_only_rounding_is_a_tie(size: float) -> None:
    x: FloatArray = size * np.array([1.0, 1.0 + 4e-16, 1.0 - 9e-13, 1.0 + 1.1e-12, 1.0 - 1e-9, np.nan])
    one = np.full(6, size)
    assert np.array_equal(tied(x, one, size)[:5] == size, [True, True, True, False, False])
    assert side_of(x, one, size)[:5].tolist() == [0, 0, 0, 1, -1]
    assert np.isnan(side_of(x, one, size)[5])


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize("params", [LIVELY["DUAL_THRUST"], {"session_bars": 7, "day_count": 2}, {}])
@pytest.mark.parametrize("days", some([365, 366, 1], 1))
def test_dual_thrust_trades_alike_in_every_year(params: dict[str, float], days: int) -> None:
    bars = random_bars(3, 900)
    later = bars._replace(ts=bars.ts + days * DAY)
    spec = RunSpec(Series("binanceus", "BTC/USDT", "1h"), "DUAL_THRUST", params, Costs(0.001), 10_000.0)
    one, other = run_fast(bars, spec).records, run_fast(later, spec).records
    assert len(one) > 3
    moved = [t._replace(entry_ts=t.entry_ts + days * DAY, exit_ts=t.exit_ts + days * DAY) for t in one]
    assert list(other) == moved


@pytest.mark.unmeasured
def test_dual_thrust_decides_on_an_edge_that_ties_as_in_ticks() -> None:
    # Range 3.00, half of it above an open of 100.13: the close of 101.63 is the edge, not beyond it.
    from strategies import dual_thrust as thrust

    high, low, close = ticks(4, 3000)
    bars = bars_of(high, low, close)
    params = thrust.Params(session_bars=8, day_count=2)
    found = thrust.columns(bars, params)
    exact = exact_edges(bars, high, low, close)
    for i in range(first_decision(found), close.size):
        now, (upper, lower) = row(found, i), exact[i]
        assert (now.close > now.upper, now.close < now.lower) == (4 * close[i] > upper, 4 * close[i] < lower)
        assert (found.close[i - 1] <= now.upper) == (4 * close[i - 1] <= upper)
    assert sum(4 * int(c) in edge for c, edge in zip(close, exact, strict=True)) > 10


def exact_edges(bars: Bars, high: np.ndarray, low: np.ndarray, close: np.ndarray) -> list[tuple[int, int]]:
    """Return four times the edges in ticks: open and half the range of two sessions of eight hours."""
    block = bars.ts // (8 * HOUR)
    opens = np.concatenate([close[:1], close[:-1]])
    edges = []
    for i in range(close.size):
        mine, old = np.flatnonzero(block == block[i])[0], (block < block[i]) & (block >= block[i] - 2)
        if not old.any():
            edges.append((0, 0))
            continue
        ends = [close[np.flatnonzero(block == b)[-1]] for b in np.unique(block[old])]
        reach = max(high[old].max() - min(ends), max(ends) - low[old].min())
        edges.append((4 * int(opens[mine]) + 2 * int(reach), 4 * int(opens[mine]) - 2 * int(reach)))
    return edges
