"""What a rule is measured against is what it says: equal risk, equal exposure, bars without foresight."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.domain import Bars, FloatArray
from core.errors import UsageError
from core.verdict.benchmarks import Spans, hold_at_equal_risk, plateau, random_entries
from core.verdict.resampling import drawdowns
from core.verdict.shuffling import chance_of_shuffled, shuffled_bars, shuffled_trades
from tests.markets import random_bars


def spans(entries: list[int], exits: list[int], exposure: float = 1.0, cost: float = 0.0) -> Spans:
    count = len(entries)
    return Spans(np.array(entries), np.array(exits), np.full(count, exposure), np.full(count, cost))


def test_holding_at_equal_risk_varies_like_the_rule() -> None:
    random = np.random.default_rng(1)
    rule, market = random.normal(0, 0.01, 400), random.normal(0.001, 0.04, 400)
    held = hold_at_equal_risk(rule, market)
    assert held.std() == pytest.approx(rule.std())
    assert held.mean() / held.std() == pytest.approx(market.mean() / market.std())
    assert hold_at_equal_risk(rule, np.zeros(400)).tolist() == [0.0] * 400


def waves(count: int) -> tuple[FloatArray, FloatArray]:
    """Return opens and closes of a price that goes up for ten bars and down for ten."""
    closes = np.exp(np.cumsum(np.where(np.arange(count) // 10 % 2 == 0, 0.01, -0.01)))
    return np.concatenate([[1.0], closes[:-1]]), closes


def test_entries_that_know_the_waves_are_no_chance_and_their_opposite_is() -> None:
    opens, closes = waves(400)
    starts = list(range(0, 400, 20))
    up = random_entries(opens, closes, spans(starts, [start + 9 for start in starts]))
    assert up.own == pytest.approx(20 * math.log(math.exp(0.1)))
    assert up.chance < 0.01
    down = random_entries(opens, closes, spans(starts, [start + 9 for start in starts], exposure=-1.0))
    assert down.chance > 0.99


def test_always_being_in_the_market_is_just_like_chance() -> None:
    opens, closes = waves(400)
    found = random_entries(opens, closes, spans([0], [399]))
    assert (found.chance, found.random.tolist()) == (1.0, [found.own] * found.random.size)


def test_costs_and_exposure_count_for_both_alike() -> None:
    flat = np.ones(50)
    found = random_entries(flat, flat, spans([3, 10], [5, 20], exposure=0.5, cost=0.002), draws=20)
    assert found.own == pytest.approx(2 * math.log(1 - 0.001))
    assert found.random == pytest.approx(np.full(20, found.own))


@pytest.mark.unmeasured
def test_every_place_and_order_is_as_probable_as_any_other() -> None:
    # One bar and two bars among five, not overlapping: twelve ways, by the bars that are held.
    opens, closes = np.ones(5), np.exp([1.0, 2.0, 4.0, 8.0, 16.0])
    held = Spans(np.array([0, 1]), np.array([0, 2]), np.array([1.0, 1.0]), np.zeros(2))
    found = random_entries(opens, closes, held, draws=6000)
    values, times = np.unique(found.random.round(9), return_counts=True)
    # Opens are all 1, so a trade earns the logarithm of the close at its end.
    places = [(one, two) for one in range(5) for two in range(4) if one not in (two, two + 1)]
    exact = [math.log(closes[one]) + math.log(closes[two + 1]) for one, two in places]
    assert values.tolist() == sorted(set(np.round(exact, 9)))
    chances = dict(zip(*np.unique(np.round(exact, 9), return_counts=True), strict=True))
    wanted = [6000 * chances[value] / len(exact) for value in values]
    assert times == pytest.approx(np.array(wanted), abs=100)


def test_lots_held_together_are_placed_each_by_itself() -> None:
    bars, together = random_bars(3, 40), spans([0, 0, 0], [19, 19, 19])
    opens, closes = bars.open, bars.close
    assert np.unique(random_entries(opens, closes, together, draws=50).random).size > 10


def test_trades_do_not_overlap_when_there_is_room() -> None:
    # Only two bars move; one trade of three bars each can hold one of them, never both.
    closes = np.ones(30)
    closes[10:] = 2.0
    opens = np.concatenate([[1.0], closes[:-1]])
    found = random_entries(opens, closes, spans([0, 5, 20], [2, 7, 22]), draws=400)
    assert set(found.random.round(9)) == {0.0, round(math.log(2), 9)}


def test_no_trades_beat_nothing_and_trades_outside_are_said() -> None:
    opens, closes = waves(40)
    assert random_entries(opens, closes, spans([], [])).chance == 1.0
    with pytest.raises(UsageError, match="within 40 bars"):
        random_entries(opens, closes, spans([30], [40]))
    with pytest.raises(UsageError, match="ending after it begins"):
        random_entries(opens, closes, spans([30], [29]))


@pytest.mark.parametrize(
    ("neighbours", "best", "score"),
    [([1.8, 1.9, 2.1], 2.0, 0.95), ([2.5, 2.6], 2.0, 1.0), ([-1.0, 0.2, -1.0], 2.0, -0.5)],
)
def test_a_plateau_is_near_one_and_a_peak_is_not(neighbours: list[float], best: float, score: float) -> None:
    assert plateau(np.array(neighbours), best) == pytest.approx(score)


@pytest.mark.parametrize(
    ("neighbours", "best"), [([], 2.0), ([math.nan], 2.0), ([1.0], 0.0), ([1.0], math.nan)]
)
def test_a_plateau_of_nothing_is_no_number(neighbours: list[float], best: float) -> None:
    assert math.isnan(plateau(np.array(neighbours), best))


def clustered_bars(count: int = 4000) -> Bars:
    """Return trending bars whose volatility comes in long waves."""
    random = np.random.default_rng(7)
    level = 0.004 * (1 + 0.9 * np.sin(np.arange(count) / 300))
    moves = random.standard_normal(count) * level
    for bar in range(1, count):
        moves[bar] += 0.3 * moves[bar - 1]
    closes = 100 * np.exp(np.cumsum(moves))
    opens = np.concatenate([[100.0], closes[:-1]])
    wick = np.exp(np.abs(random.standard_normal(count)) * level)
    highs, lows = np.maximum(opens, closes) * wick, np.minimum(opens, closes) / wick
    return Bars(np.arange(count) * 3_600_000, opens, highs, lows, closes, np.ones(count))


def follows(values: FloatArray) -> float:
    return float(np.corrcoef(values[1:], values[:-1])[0, 1])


def test_shuffled_bars_keep_clusters_and_ends_and_lose_what_was_to_be_foreseen() -> None:
    bars = clustered_bars()
    other = shuffled_bars(bars, 3)
    old, new = np.diff(np.log(bars.close)), np.diff(np.log(other.close))
    assert follows(old) > 0.25
    assert abs(follows(new)) < 0.06
    windows = [np.abs(moves[:3900]).reshape(-1, 100).mean(axis=1) for moves in (old, new)]
    assert np.corrcoef(*windows)[0, 1] > 0.9
    assert (other.close[0], other.close[-1]) == (bars.close[0], pytest.approx(bars.close[-1]))
    assert (other.ts is bars.ts, other.volume is bars.volume) == (True, True)


@pytest.mark.parametrize("bars", [clustered_bars(500), random_bars(1, 500), random_bars(2, 2)])
def test_shuffled_bars_are_bars(bars: Bars) -> None:
    other = shuffled_bars(bars, 1)
    assert (other.high >= np.maximum(other.open, other.close)).all()
    assert (other.low <= np.minimum(other.open, other.close)).all()
    assert (other.low > 0).all()
    assert all(column.shape == bars.close.shape for column in other)


def test_a_still_market_shuffles_to_itself() -> None:
    price = np.full(60, 5.0)
    still = Bars(np.arange(60), price, price, price, price, np.zeros(60))
    assert shuffled_bars(still, 1).close == pytest.approx(still.close)


def test_one_seed_is_one_order() -> None:
    bars = clustered_bars(300)
    assert (shuffled_bars(bars, 5).close == shuffled_bars(bars, 5).close).all()
    assert (shuffled_bars(bars, 5).close != shuffled_bars(bars, 6).close).any()


def test_shuffled_trades_have_the_drawdowns_of_all_orders() -> None:
    # Of three trades the six orders can be written down.
    trades = np.array([-0.5, 0.2, -0.1])
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    exact = [float(drawdowns(np.cumprod(1 + trades[order])[None, :])[0]) for order in orders]
    found = shuffled_trades(trades, draws=3000)
    assert found.mean() == pytest.approx(np.mean(exact), abs=0.003)
    assert set(found.round(9)) == {round(value, 9) for value in exact}


def test_searches_that_find_nothing_on_shuffled_bars_count_as_worse() -> None:
    assert chance_of_shuffled(np.array([1.0, math.nan, 3.0]), 2.0) == 0.5
