"""How sure a Sharpe ratio is, and how large one grows by luck alone.

Here a Sharpe ratio is that of one return, the mean over the sample deviation (n - 1), not a year's. Of daily
returns a year's is √365 times it (core.results.measures).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from core.domain import FloatArray

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""
SURE = 0.95
"""The confidence that is asked for unless told otherwise."""
CONSTANT = 1e-12
"""Returns that vary less, as a share of the largest, are all the same but for rounding."""
DAYS_A_YEAR = 365
"""Markets that never close."""
_NORMAL = NormalDist()


class SharpeSample(NamedTuple):
    """What returns say of their Sharpe ratio."""

    length: int
    """Number of returns."""
    sharpe: float
    """Of one return; NaN where returns do not vary."""
    skew: float = 0.0
    """Third moment over the cubed deviation, 0 for a normal distribution."""
    kurtosis: float = 3.0
    """Fourth moment over the squared variance, 3 for a normal distribution."""
    rho: float = 0.0
    """Correlation of each return with the one before it."""


def sharpe_sample(returns: FloatArray) -> SharpeSample:
    """Return count, Sharpe ratio, skew, kurtosis and autocorrelation of returns, shape (n,).

    All but the count are NaN for fewer than two, or for returns that do not vary.
    """
    count = int(returns.size)
    if count < 2 or not varies(returns):
        return SharpeSample(count, math.nan, math.nan, math.nan, math.nan)
    mean = float(returns.mean())
    apart = returns - mean
    variance = float((apart**2).mean())
    return SharpeSample(
        length=count,
        sharpe=mean / math.sqrt(variance * count / (count - 1)),
        skew=float((apart**3).mean()) / variance**1.5,
        kurtosis=float((apart**4).mean()) / variance**2,
        rho=float((apart[1:] * apart[:-1]).sum() / (apart**2).sum()),
    )


def varies(returns: FloatArray) -> bool:
    """Tell whether returns differ from each other by more than rounding."""
    return bool(np.ptp(returns) > CONSTANT * np.abs(returns).max())


def sharpes_of_all(returns: FloatArray) -> FloatArray:
    """Return the Sharpe ratio of each row; NaN for rows that do not vary. Shape (rows, n) to (rows,)."""
    mean, deviation = returns.mean(axis=1), returns.std(axis=1, ddof=1)
    largest = np.abs(returns).max(axis=1)
    with np.errstate(all="ignore"):
        found: FloatArray = np.where(deviation > CONSTANT * largest, mean / deviation, np.nan)
    return found


def sharpe_deviation(sample: SharpeSample, at: float | None = None) -> float:
    """Return the standard error of a Sharpe ratio, of one return.

    Mertens (2002) as in Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk,
    2012, equation 4, and for autocorrelated returns López de Prado, Lipton and Zoonekynd, "How to Use the
    Sharpe Ratio", 2026, equations 2 and 3. `at` is the true Sharpe ratio that is supposed; None takes the one
    that was seen. Its square is no variance, and so NaN, for a skew that no returns can have.
    """
    sharpe = sample.sharpe if at is None else at
    rho, square = sample.rho, 1 - sample.rho**2
    spread = (1 + rho) / (1 - rho) - (1 + rho + rho**2) / square * sample.skew * sharpe
    spread += (1 + rho**2) / square * (sample.kurtosis - 1) / 4 * sharpe**2
    return math.sqrt(spread / sample.length) if spread >= 0 else math.nan


def probabilistic_sharpe(sample: SharpeSample, benchmark: float = 0.0, at: float | None = None) -> float:
    """Return the probability, 0 … 1, that the true Sharpe ratio is above the benchmark, of one return.

    Bailey and López de Prado, 2012 (above), equation 11; `at` as in `sharpe_deviation`, the benchmark itself
    in the paper of 2026. NaN where the sample has no Sharpe ratio. The 2012 paper divides by n - 1 where its
    later ones divide by n: here it is n - 1 for `at` None.
    """
    if math.isnan(sample.sharpe):
        return math.nan
    count = sample.length - 1 if at is None else sample.length
    deviation = sharpe_deviation(sample._replace(length=count), at)
    return _NORMAL.cdf((sample.sharpe - benchmark) / deviation) if deviation > 0 else math.nan


def minimum_track_record(sample: SharpeSample, benchmark: float = 0.0, sure: float = SURE) -> float:
    """Return how many returns of this kind it takes to be so sure that the Sharpe ratio is above the
    benchmark.

    Bailey and López de Prado, 2012 (above), equation 13. Infinite where it is not above it, NaN without one.
    """
    if math.isnan(sample.sharpe):
        return math.nan
    if sample.sharpe <= benchmark:
        return math.inf
    one = sharpe_deviation(sample._replace(length=1))
    return 1 + (one * _NORMAL.inv_cdf(sure) / (sample.sharpe - benchmark)) ** 2


def shortest_track_record(sharpe: float, sure: float = SURE, power: float = 0.8) -> float:
    """Return how many normal returns find a true Sharpe ratio of one return above 0 so often (`power`).

    The sample size of a one-sided test of a mean: ((z of `sure` + z of `power`) / sharpe)². `sharpe` is
    above 0.
    """
    return ((_NORMAL.inv_cdf(sure) + _NORMAL.inv_cdf(power)) / sharpe) ** 2


def luckiest(tries: int) -> float:
    """Return how high the best of so many tries without an edge is to be expected, in standard errors.

    Bailey and López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management, 2014, equation 1.
    0 for a single try. Tries that resemble each other are fewer than they count, so it is an upper estimate.
    """
    if tries < 2:
        return 0.0
    return (1 - EULER) * _NORMAL.inv_cdf(1 - 1 / tries) + EULER * _NORMAL.inv_cdf(1 - 1 / (tries * math.e))


def luckiest_of(tries: int, days: float) -> float:
    """Return the Sharpe ratio of a year that the luckiest of so many tries without an edge makes in `days`.

    A Sharpe ratio of nothing varies from sample to sample as one over the root of the returns (Lo, "The
    Statistics of Sharpe Ratios", Financial Analysts Journal, 2002). An upper estimate, as `luckiest` is: how
    far tries that resemble each other lie apart says little of how lucky all of them were.
    """
    return luckiest(tries) * math.sqrt(DAYS_A_YEAR / days)


def deflated_sharpe(sample: SharpeSample, tries: int, deviation: float) -> float:
    """Return the probability, 0 … 1, that the true Sharpe ratio is above that of the luckiest of so many
    tries.

    Bailey and López de Prado, 2014 (above), equation 2, with the standard error of autocorrelated returns.
    `deviation` is that of the tries' Sharpe ratios, of one return; core.verdict.judge takes no more of it
    than luck can make. NaN where the sample has no Sharpe ratio.
    """
    return probabilistic_sharpe(sample, luckiest(tries) * deviation)


def best_by_luck(tries: int, missing: FloatArray) -> FloatArray:
    """Return, for each uniform number of 0 … 1, the best of so many independent normal draws.

    The inverse of Φ(z)^tries, which is how the best of them is distributed (Šidák, 1967).
    """
    shares = np.clip(missing, 1e-12, 1 - 1e-12) ** (1 / tries)
    return np.array([_NORMAL.inv_cdf(min(share, 1 - 1e-15)) for share in shares.tolist()])
