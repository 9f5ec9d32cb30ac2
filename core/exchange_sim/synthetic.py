"""Generated candles: any window of any year from a seed, without generating what lies before it.

A day-level path per asset (trends, ranges, clusters of volatility, one factor that moves all assets)
is drawn once; the minutes of a day are a Brownian bridge between two midnights of it, from streams
that belong to that day alone. Every other timeframe is the aggregate of those minutes.
"""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from core.domain import Bars, FloatArray
from core.exchange_sim.candles import (
    DAY,
    HOUR,
    MINUTE,
    TRADES_PER_BAR,
    Candles,
    Interval,
    aggregate,
    empty,
    join,
    with_turnover,
)
from core.exchange_sim.markets import BREAK, LISTED, SimMarket

DEMO_SEED = 7
"""Of the candles that `make demo` and the charts in docs/ show."""
FIRST_DAY = 17_167
"""2017-01-01, days since 1970."""
LAST_DAY = 25_567
"""2040-01-01: the generator ends here."""
DELISTED_DAY = 19_539
"""2023-07-01: the last day of symbols in status BREAK."""
MINUTES = DAY // MINUTE
OUTAGE_RATE = 0.012
"""Share of days on which the exchange is away for 5 minutes to 6 hours."""


class Asset(NamedTuple):
    """How one asset moves."""

    anchor: float
    """Price its path is drawn back to, USDT."""
    volatility: float
    """Usual standard deviation of a day's log return."""
    correlation: float
    """With the factor that moves all assets."""
    turnover: float
    """On a usual day, USDT."""


ASSETS = {
    "BTC": Asset(38_000.0, 0.027, 0.92, 9e6),
    "ETH": Asset(2_300.0, 0.034, 0.88, 5e6),
    "SOL": Asset(95.0, 0.047, 0.75, 2e6),
    "DOGE": Asset(0.13, 0.046, 0.65, 1e6),
    "LTC": Asset(85.0, 0.036, 0.75, 4e5),
}
OTHER = Asset(1.0, 0.045, 0.7, 5e5)
"""How assets that are not in the table move."""
USD_SHARE = 0.4
"""Turnover of a USD market as a share of the USDT market's."""


class Days(NamedTuple):
    """Day-level arrays from FIRST_DAY on."""

    log_price: FloatArray
    """At midnight UTC; one more than there are days."""
    sigma: FloatArray
    """Standard deviation of the day's log return."""


class Climate(NamedTuple):
    """What all assets share from day to day; arrays of one length."""

    shocks: FloatArray
    drift: FloatArray
    """In units of an asset's usual volatility: trends up and down, and ranges (0)."""
    calm: FloatArray
    """Factor on volatility: clusters, and quieter ranges."""


class Weather(NamedTuple):
    """What all assets share within one day; arrays of 1440 minutes."""

    shocks: FloatArray
    """Standard normal, with rare jumps."""
    share: FloatArray
    """Of the day's variance; sums to 1."""
    activity: FloatArray
    """Of volume; mean about 1."""
    away: tuple[int, int]
    """First minute without and first with bars again; equal when there is no outage."""


class SyntheticSource:
    """Candles generated from a seed; the same seed gives the same candles."""

    kind = "synthetic"

    def __init__(self, seed: int, markets: tuple[SimMarket, ...] = LISTED) -> None:
        self.seed = seed
        self._markets = {market.symbol: market for market in markets}
        self._climate = lru_cache(maxsize=1)(self._make_climate)
        self._days = lru_cache(maxsize=None)(self._make_days)
        self._weather = lru_cache(maxsize=128)(self._make_weather)
        self._minutes = lru_cache(maxsize=128)(self._make_minutes)
        self._hours = lru_cache(maxsize=16_384)(self._make_hours)

    def markets(self) -> tuple[SimMarket, ...]:
        """Return the listed markets."""
        return tuple(self._markets.values())

    def steps(self, symbol: str) -> tuple[int, ...]:
        """Return minute and hour: hours are kept because years of them are asked for."""
        return (MINUTE, HOUR) if symbol in self._markets else ()

    def base_step(self, symbol: str, now: int) -> int:
        """Return one minute, ms."""
        del symbol, now
        return MINUTE

    def span(self, symbol: str) -> tuple[int, int]:
        """Return 2017-01-01 and the day it was delisted or the generator ends, ms."""
        gone = self._markets[symbol].status == BREAK
        return FIRST_DAY * DAY, (DELISTED_DAY if gone else LAST_DAY) * DAY

    def candles(self, symbol: str, step: int, start: int, end: int) -> Candles:
        """Return the bars of one minute or one hour that open in [start, end) ms."""
        first, last = self.span(symbol)
        start, end = max(start, first), min(end, last)
        if start >= end:
            return empty()
        make = self._minutes if step == MINUTE else self._hours
        days = range(start // DAY, (end - 1) // DAY + 1)
        return join(make(symbol, day) for day in days).between(start, end)

    def _make_hours(self, symbol: str, day: int) -> Candles:
        return aggregate(self._minutes(symbol, day), Interval(HOUR))

    def _make_minutes(self, symbol: str, day: int) -> Candles:
        market, weather = self._markets[symbol], self._weather(day)
        asset, days = _asset(market), self._days(symbol)
        row = day - FIRST_DAY
        rng = self._rng(f"asset {market.base}", day)
        own = rng.standard_normal(MINUTES)
        shocks = asset.correlation * weather.shocks + _rest(asset.correlation) * own
        sigma = days.sigma[row] * np.sqrt(weather.share)
        closes = bridge(days.log_price[row], days.log_price[row + 1], sigma * shocks, weather.share)
        opens = np.concatenate((days.log_price[row : row + 1], closes[:-1]))
        reach = rng.standard_exponential((2, MINUTES))
        prices = np.exp(np.stack((opens, *extremes(opens, closes, sigma, reach), closes)))
        busy = days.sigma[row] / asset.volatility * weather.activity * (0.4 + 0.75 * np.abs(shocks))
        spent = self._turnover(market) / MINUTES * busy * np.exp(0.5 * rng.standard_normal(MINUTES))
        return _candles(day, prices, spent, market, weather.away)

    def _turnover(self, market: SimMarket) -> float:
        return _asset(market).turnover * (1.0 if market.quote == "USDT" else USD_SHARE)

    def _make_days(self, symbol: str) -> Days:
        market, climate = self._markets[symbol], self._climate()
        asset = _asset(market)
        own = self._rng(f"days {market.base}").standard_normal(climate.shocks.size)
        shocks = asset.correlation * climate.shocks + _rest(asset.correlation) * own
        sigma = asset.volatility * climate.calm
        steps = asset.volatility * climate.drift + sigma * shocks
        return Days(pulled_path(np.log(asset.anchor), steps) + self._peg(market.quote), sigma)

    def _peg(self, quote: str) -> FloatArray:
        noise = self._rng(f"peg {quote}").standard_normal(LAST_DAY - FIRST_DAY + 1)
        return noise * (0.0 if quote == "USDT" else 4e-4)

    def _make_climate(self) -> Climate:
        return make_climate(self._rng("climate"), LAST_DAY - FIRST_DAY)

    def _make_weather(self, day: int) -> Weather:
        return make_weather(self._rng("weather", day))

    def _rng(self, stream: str, day: int = 0) -> np.random.Generator:
        return np.random.default_rng((self.seed, zlib.crc32(stream.encode()), day))


def make_climate(rng: np.random.Generator, days: int) -> Climate:
    """Draw regimes of 10 to 80 days and slowly moving volatility."""
    lengths = rng.integers(10, 80, days // 10 + 1)
    regime = np.repeat(rng.choice([-0.16, 0.0, 0.0, 0.18], lengths.size), lengths)[:days]
    log_calm = _autoregression(rng.standard_normal(days) * 0.11, 0.96)
    calm = np.exp(log_calm) * np.where(regime == 0, 0.75, 1.05)
    return Climate(rng.standard_normal(days), regime, calm)


def make_weather(rng: np.random.Generator) -> Weather:
    """Draw one day: an intraday season, clusters, jumps, and rarely an outage."""
    minute = np.arange(MINUTES)
    season = 1.0 + 0.45 * np.cos((minute - 15 * 60) / MINUTES * 2 * np.pi)
    knots = rng.standard_normal(25) * 0.45
    cluster = np.exp(np.interp(minute, np.arange(25) * 60, knots))
    share = season * cluster**2
    jumps = np.where(rng.random(MINUTES) < 0.002, 4.0, 1.0)
    return Weather(rng.standard_normal(MINUTES) * jumps, share / share.sum(), season * cluster, _outage(rng))


def bridge(start: float, end: float, moves: FloatArray, share: FloatArray) -> FloatArray:
    """Return a path of these moves that is bent to arrive at `end`."""
    walked, passed = np.cumsum(moves), np.cumsum(share)
    path: FloatArray = start + walked + passed * (end - start - walked[-1])
    path[-1] = end
    return path


def extremes(
    opens: FloatArray, closes: FloatArray, sigma: FloatArray, reach: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return highs and lows of Brownian bridges; `reach` holds two rows of unit exponentials.

    The maximum of a bridge from a to b with variance s^2 is (a + b + sqrt((b-a)^2 - 2 s^2 ln U)) / 2.
    """
    width = np.sqrt((closes - opens) ** 2 + 2 * sigma**2 * reach)
    middle = opens + closes
    return (middle + width[0]) / 2, (middle - width[1]) / 2


def pulled_path(anchor: float, steps: FloatArray, pull: float = 0.004) -> FloatArray:
    """Return a walk that starts at the anchor and is drawn back to it by `pull` of the distance a day."""
    return anchor + np.concatenate(([0.0], _autoregression(steps, 1 - pull)))


def _autoregression(shocks: FloatArray, memory: float) -> FloatArray:
    out, value = np.empty(shocks.size), 0.0
    for row, shock in enumerate(shocks.tolist()):
        value = memory * value + shock
        out[row] = value
    return out


def _outage(rng: np.random.Generator) -> tuple[int, int]:
    happens, place, length = rng.random(3)
    if happens >= OUTAGE_RATE:
        return 0, 0
    first = int(place * MINUTES)
    return first, min(first + int(5 * 72**length), MINUTES)


def _candles(
    day: int, prices: FloatArray, spent: FloatArray, market: SimMarket, away: tuple[int, int]
) -> Candles:
    ticks = np.maximum(np.rint(prices * 10**market.price_decimals), 1)
    lots = np.rint(spent / prices[3] * 10**market.lot_decimals)
    columns = ticks / 10**market.price_decimals
    volume = np.maximum(lots, TRADES_PER_BAR) / 10**market.lot_decimals
    stamps = day * DAY + np.arange(MINUTES, dtype=np.int64) * MINUTE
    whole = with_turnover(Bars._make((stamps, *columns, volume)))
    first, last = away
    return join((whole.rows(0, first), whole.rows(last, None))) if last > first else whole


def _rest(correlation: float) -> float:
    return float(np.sqrt(1 - correlation**2))


def _asset(market: SimMarket) -> Asset:
    return ASSETS.get(market.base, OTHER)
