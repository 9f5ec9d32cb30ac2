"""Candles of several series in another order: what moved together stays together, nothing is foreseen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.backtest.partners import OtherSeries, partners_of
from core.domain import Bars, Costs, FloatArray, IntArray, Series
from core.optimise.judging import JudgedSearch
from core.optimise.permutation import seen_of, shuffled_chance, shuffled_world
from core.verdict.moments import Moves, orders
from core.verdict.shuffling import shuffled_bars, shuffled_together
from strategies.longer import longer
from strategies.pairing import PartnerBars, Partners
from tests.markets import HOUR, random_bars
from tests.tiers import statistics, tries

DAY = 24 * HOUR


def series(symbol: str, timeframe: str = "1h") -> Series:
    return Series("made-up", f"{symbol}/USDT", timeframe)


def moves(bars: Bars) -> FloatArray:
    return np.diff(np.log(bars.close))


def together(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def bars_of(closes: FloatArray, start: int = 0, step: int = HOUR) -> Bars:
    opens = np.concatenate([closes[:1], closes[:-1]])
    ts = start + step * np.arange(closes.size)
    return Bars(ts, opens, np.maximum(opens, closes), np.minimum(opens, closes), closes, np.ones(closes.size))


def led(count: int = 3000, seed: int = 1) -> tuple[Bars, Bars]:
    """Return a symbol, and one that moves with it and, once more, an hour after it."""
    random = np.random.default_rng(seed)
    first = 0.004 * random.standard_normal(count)
    own = 0.5 * first + 0.002 * random.standard_normal(count)
    own[1:] += first[:-1]
    return bars_of(100 * np.exp(np.cumsum(first))), bars_of(50 * np.exp(np.cumsum(own)))


def test_one_series_is_put_in_the_order_that_it_has_alone() -> None:
    bars = random_bars(3, 200)
    found = shuffled_together({series("BTC"): bars}, 4)[series("BTC")]
    assert found.close.tobytes() == shuffled_bars(bars, 4).close.tobytes()
    assert found.close.tobytes() != bars.close.tobytes()


def test_what_moved_together_does_so_and_what_came_after_another_is_gone() -> None:
    first, own = led()
    found = shuffled_together({series("BTC"): first, series("ETH"): own}, 2)
    leads, follows = (moves(bars) for bars in found.values())
    assert together(moves(first)[:-1], moves(own)[1:]) > 0.7
    assert abs(together(leads[:-1], follows[1:])) < 0.06
    assert together(leads, follows) == pytest.approx(together(moves(first), moves(own)), abs=0.03)


def test_only_moments_at_which_the_same_series_move_change_places() -> None:
    whole = np.arange(60) * HOUR
    late, holed = whole[25:], np.delete(whole, [10, 11, 40])
    found = orders([Moves(ts, HOUR) for ts in (whole, late, holed)], 7)
    came = [ts[order] for ts, order in zip((whole, late, holed), found, strict=True)]
    for ts, order in zip((whole, late, holed), found, strict=True):
        assert sorted(order.tolist()) == list(range(ts.size))
    # Whatever came at a moment, came there from one moment for all.
    from_where = dict(zip(whole.tolist(), came[0].tolist(), strict=True))
    for ts, its in zip((late, holed), came[1:], strict=True):
        assert its.tolist() == [from_where[moment] for moment in ts.tolist()]
    assert from_where[10 * HOUR] in (10 * HOUR, 11 * HOUR)
    assert from_where[40 * HOUR] == 40 * HOUR
    assert sum(before != after for before, after in from_where.items()) > 45


def test_longer_bars_take_with_them_what_is_inside_and_that_is_put_in_another_order_too() -> None:
    hours: IntArray = np.arange(24 * 8) * HOUR
    # The third day lacks an hour, so that no other day is like it.
    hours = np.delete(hours, 50)
    days: IntArray = np.arange(8) * DAY
    weeks = np.array([-3 * DAY, 4 * DAY])
    found = orders([Moves(hours, HOUR), Moves(days, DAY), Moves(weeks, 7 * DAY)], 5)
    came, of_days = hours[found[0]], days[found[1]]
    assert of_days[2] == days[2]
    assert (came // DAY * DAY).tolist() == [
        dict(zip(days, of_days, strict=True))[ts // DAY * DAY] for ts in hours
    ]
    assert sorted(came.tolist()) == hours.tolist()
    assert (came % DAY != hours % DAY).mean() > 0.8
    # A week that holds other days than the next, Thursday to Sunday here, stays where it is, its days in it.
    assert [int(day // DAY) // 4 for day in of_days] == [0] * 4 + [1] * 4


def test_longer_bars_of_a_symbol_are_made_of_its_shorter_ones_where_those_are() -> None:
    bars = random_bars(4, 700)
    day = longer(bars, "1d").bars
    lone = longer(random_bars(5, 700), "1d").bars
    given = {series("BTC"): bars, series("BTC", "1d"): day, series("ETH", "1d"): lone}
    for markets in (given, {one: given[one] for one in (series("BTC"), series("BTC", "1d"))}):
        found = shuffled_together(markets, 3)
        made = longer(found[series("BTC")], "1d").bars
        for one, other in zip(found[series("BTC", "1d")][:5], made[:5], strict=True):
            assert one.tolist() == other.tolist()
    for bars in found.values():
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()


def test_a_series_without_a_move_and_a_symbol_that_lacks_shorter_bars_are_no_trouble() -> None:
    bars = random_bars(4, 400)
    day = longer(bars, "1d").bars
    alone = bars.until(1)
    given = {series("BTC"): bars.since(200), series("BTC", "1d"): day, series("ADA"): alone}
    found = shuffled_together(given, 1)
    assert found[series("ADA")] is alone
    assert found[series("BTC", "1d")].ts is day.ts
    assert found[series("BTC", "1d")].close[-1] == pytest.approx(day.close[-1])
    none = {series("BTC"): bars, series("ADA"): bars.until(0), series("ADA", "1d"): bars.until(0)}
    assert shuffled_together(none, 1)[series("ADA", "1d")].ts.size == 0


def pair(seed: int, count: int = 2200, stays: float = 0.85) -> tuple[Bars, Bars]:
    """Return a symbol, and one that moves with it; of what it is away so much is left at each bar."""
    random = np.random.default_rng(seed)
    first = np.cumsum(0.004 * random.standard_normal(count))
    away, steps = np.zeros(count), 0.004 * random.standard_normal(count)
    for bar in range(1, count):
        away[bar] = stays * away[bar - 1] + steps[bar]
    return bars_of(100 * np.exp(first)), bars_of(50 * np.exp(first + away))


def case(first: Bars, own: Bars, cut: int) -> JudgedSearch:
    looked = Partners("ETH/USDT", HOUR, (PartnerBars("BTC/USDT", "1h", HOUR, first),))
    sets = [{"entry_z": 1.5}, {"entry_z": 2.5}]
    markets = {series("ETH"): own}
    given = JudgedSearch("PAIRS", markets, int(own.ts[cut]), sets, 0, Costs(), 1e4)
    return given._replace(partners={series("ETH"): looked})


@pytest.mark.unmeasured
def test_an_edge_of_two_symbols_together_is_told_from_none() -> None:
    assert shuffled_chance(case(*pair(1), 1800), 19) == 0.05
    # They still move together, and nothing says when one comes back.
    assert shuffled_chance(case(*pair(3, stays=1.0), 1800), 9) > 0.1


@statistics
@pytest.mark.unmeasured
def test_pairs_that_only_move_together_look_good_as_often_as_chance_has_it() -> None:
    count = tries(100, 6)
    found = [
        shuffled_chance(case(*pair(seed, stays=1.0), 1800), 9, seed=1000 * seed) for seed in range(count)
    ]
    for limit in (0.1, 0.5):
        as_good = sum(chance <= limit for chance in found)
        deviation = math.sqrt(count * limit * (1 - limit))
        assert abs(as_good - count * limit) <= 3.3 * deviation


def test_what_comes_after_the_cut_is_in_no_shuffled_bar() -> None:
    first, own = pair(3, 600)
    day = longer(first, "1d").bars
    given = case(first, own, 500)
    hours = PartnerBars("BTC/USDT", "1h", HOUR, first)
    looked = Partners("ETH/USDT", HOUR, (hours, PartnerBars("BTC/USDT", "1d", DAY, day)))
    markets, partners = seen_of(given._replace(partners={series("ETH"): looked}))
    assert markets[series("ETH")].ts[-1] == own.ts[499]
    for one in partners[series("ETH")].each:
        assert one.bars.ts[-1] + one.step <= given.cut < one.bars.ts[-1] + 2 * one.step
    poisoned = (
        Bars(bars.ts, *(np.where(bars.ts >= given.cut, 1e9, column) for column in bars[1:]))
        for bars in (first, own)
    )
    later, later_own = poisoned
    assert shuffled_chance(given, 3) == shuffled_chance(case(later, later_own, 500), 3)


def test_the_symbols_of_a_rotation_are_one_market_whoever_looks_at_them() -> None:
    bars = {name: random_bars(k, 500).since(20 * k) for k, name in enumerate(("BTC", "ETH", "ADA"))}
    markets = {series(name): one for name, one in bars.items()}
    # One is loaded further back for another symbol than for itself.
    markets[series("ETH")] = bars["ETH"].since(70)
    partners = {}
    for one in markets:
        found = OtherSeries((), tuple(other for other in markets if other != one))
        partners[one] = partners_of(one, found, {other: bars[other.symbol[:3]] for other in found.each})
    made, looked = shuffled_world(markets, partners, 5)
    whole = {one.symbol: one.bars for views in looked.values() for one in views.each}
    for one, its in made.items():
        assert its.ts.tolist() == markets[one].ts.tolist()
        assert its.close.tolist() != markets[one].close.tolist()
        assert np.isin(its.close, whole[one.symbol].close).all()
        for other in looked[one].each:
            assert other.bars.close.tobytes() == whole[other.symbol].close.tobytes()
            assert other.bars.ts.tolist() == bars[other.symbol[:3]].ts.tolist()
