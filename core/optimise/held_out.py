"""Judge parameter sets on bars that took no part in choosing them."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from core.domain import Bars, FloatArray
from core.errors import NoDataError

EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""


class Split(NamedTuple):
    """One series in two, the older part first; no bar is in both."""

    chosen_on: Bars
    unseen: Bars


def split(bars: Bars, unseen_share: float) -> Split:
    """Cut off the newest share of the bars, a fraction from 0 to less than 1.

    Raises NoDataError when one part would have no bar.
    """
    cut = bars.ts.size - math.floor(bars.ts.size * unseen_share)
    if cut < 1 or (unseen_share > 0 and cut == bars.ts.size):
        raise NoDataError(f"{bars.ts.size} bars are too few to keep {unseen_share:.0%} of them unseen")
    return Split(bars.until(cut), bars.since(cut))


def lucky_best(sharpes: FloatArray) -> float:
    """Return the best Sharpe ratio to expect of so many sets if none had an edge, NaN for fewer than two.

    Expected maximum of as many independent normal draws as there are values, with their deviation (Bailey and
    López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management, 2014, equation 1). Sets that
    resemble each other are fewer draws than they count, so this is an upper estimate. NaNs are left out.
    """
    known = sharpes[np.isfinite(sharpes)]
    count = known.size
    if count < 2:
        return math.nan
    normal = NormalDist().inv_cdf
    high = (1 - EULER) * normal(1 - 1 / count) + EULER * normal(1 - 1 / (count * math.e))
    return float(known.std(ddof=1)) * high
