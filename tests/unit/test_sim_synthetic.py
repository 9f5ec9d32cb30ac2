from __future__ import annotations

import numpy as np
import pytest

from core.domain import FloatArray
from core.exchange_sim.candles import Candles, Interval, aggregate
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.synthetic import DELISTED_DAY, FIRST_DAY, LAST_DAY, SyntheticSource
from tests.sim import DAY, HOUR, MINUTE
from tests.tiers import some, statistics

SOURCE = SyntheticSource(7)
START = 18_600 * DAY
"""2020-12-04."""
YEAR = 365 * DAY


def hours(symbol: str, days: int = 365, source: SyntheticSource = SOURCE) -> Candles:
    return source.candles(symbol, HOUR, START, START + days * DAY)


def returns(candles: Candles) -> FloatArray:
    moves: FloatArray = np.diff(np.log(candles.close))
    return moves


def correlation(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def outage_day() -> tuple[int, Candles]:
    for day in range(18_600, 19_600):
        minutes = SOURCE.candles("BTC/USDT", MINUTE, day * DAY, (day + 1) * DAY)
        if minutes.ts.size < 1440 - 120:
            return day, minutes
    raise AssertionError("no outage of two hours in 1000 days")


def test_the_same_seed_gives_the_same_candles_and_another_seed_others() -> None:
    again, other = SyntheticSource(7), SyntheticSource(8)
    mine = hours("ETH/USDT", 3)
    assert all(np.array_equal(a, b) for a, b in zip(mine, hours("ETH/USDT", 3, again), strict=True))
    assert not np.array_equal(mine.close, hours("ETH/USDT", 3, other).close)


def test_what_was_asked_before_changes_nothing() -> None:
    fresh = SyntheticSource(7)
    backwards = [fresh.candles("SOL/USDT", MINUTE, START + n * DAY, START + (n + 1) * DAY) for n in (2, 1, 0)]
    forwards = SOURCE.candles("SOL/USDT", MINUTE, START, START + 3 * DAY)
    assert np.concatenate([part.close for part in reversed(backwards)]).tolist() == forwards.close.tolist()


@pytest.mark.unmeasured
def test_an_outage_leaves_minutes_out_of_every_symbol_and_hours_out_where_no_minute_is_left() -> None:
    day, minutes = outage_day()
    ether = SOURCE.candles("ETH/USDT", MINUTE, day * DAY, (day + 1) * DAY)
    assert ether.ts.tolist() == minutes.ts.tolist()
    hourly = SOURCE.candles("BTC/USDT", HOUR, day * DAY, (day + 1) * DAY)
    assert hourly.ts.tolist() == sorted({ts // HOUR * HOUR for ts in minutes.ts.tolist()})
    assert hourly.ts.size < 24


@pytest.mark.unmeasured
def test_outages_are_rare() -> None:
    missing = 365 * 24 - hours("BTC/USDT").ts.size
    assert 0 < missing < 100


def test_a_day_opens_where_the_day_before_closed() -> None:
    minutes = SOURCE.candles("BTC/USDT", MINUTE, START, START + 2 * DAY)
    assert minutes.ts.size == 2880
    assert minutes.open[1:].tolist() == minutes.close[:-1].tolist()


@statistics
@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("symbol", "low", "high"),
    some(
        [("DOGE/USDT", 0.01, 5.0), ("BTC/USDT", 5e3, 5e5), ("ETH/USDT", 2e2, 3e4), ("SOL/USDT", 5.0, 2e3)], 1
    ),
)
def test_prices_stay_in_their_order_of_magnitude(symbol: str, low: float, high: float) -> None:
    daily = SOURCE.candles(symbol, HOUR, FIRST_DAY * DAY, (FIRST_DAY + 1500) * DAY)
    assert low < daily.low.min() < daily.high.max() < high


@pytest.mark.unmeasured
def test_bitcoin_moves_about_three_percent_a_day() -> None:
    daily = aggregate(hours("BTC/USDT", 1200), Interval(DAY))
    assert 0.02 < float(np.std(returns(daily))) < 0.045


@pytest.mark.unmeasured
def test_bitcoin_and_ether_move_together_but_not_alike() -> None:
    both = [returns(hours(symbol)) for symbol in ("BTC/USDT", "ETH/USDT")]
    assert 0.6 < correlation(*both) < 0.95


@pytest.mark.unmeasured
def test_bitcoin_costs_nearly_the_same_in_dollars_and_in_tether() -> None:
    basis = hours("BTC/USD").close / hours("BTC/USDT").close - 1
    assert 0 < float(np.abs(basis).max()) < 0.003


@pytest.mark.unmeasured
def test_volatility_comes_in_clusters() -> None:
    size = np.abs(returns(aggregate(hours("BTC/USDT", 1200), Interval(DAY))))
    assert correlation(size[1:], size[:-1]) > 0.08


def test_volume_follows_volatility() -> None:
    bars = hours("BTC/USDT", 120)
    assert correlation(np.log(bars.high / bars.low), np.log(bars.volume)) > 0.4


def test_the_afternoon_is_livelier_than_the_night() -> None:
    bars = hours("BTC/USDT", 300)
    hour = bars.ts // HOUR % 24
    assert bars.volume[hour == 15].mean() > 1.5 * bars.volume[hour == 3].mean()


def test_there_are_trends_and_ranges() -> None:
    daily = aggregate(hours("BTC/USDT", 1200), Interval(DAY)).close
    monthly = np.abs(np.log(daily[30:] / daily[:-30]))
    assert monthly.max() > 0.35
    assert monthly.min() < 0.005


def test_a_delisted_symbol_has_history_and_then_nothing() -> None:
    end = DELISTED_DAY * DAY
    assert SOURCE.candles("LTC/USD", MINUTE, end - 3 * MINUTE, end + DAY).ts.size == 3
    assert SOURCE.span("LTC/USD") == (FIRST_DAY * DAY, end)


def test_before_the_first_and_after_the_last_day_there_is_nothing() -> None:
    assert SOURCE.candles("BTC/USDT", MINUTE, 0, FIRST_DAY * DAY).ts.size == 0
    assert SOURCE.candles("BTC/USDT", HOUR, LAST_DAY * DAY, LAST_DAY * DAY + YEAR).ts.size == 0


def test_an_asset_the_generator_does_not_know_gets_candles_too() -> None:
    source = SyntheticSource(7, (SimMarket("ADA/USDT", 4, 1),))
    ada = source.candles("ADA/USDT", MINUTE, START, START + HOUR)
    assert ada.ts.size == 60
    assert source.steps("BTC/USDT") == ()
