"""Judge parameter sets on bars that took no part in choosing them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from core.domain import Bars, Series
from core.errors import NoDataError
from core.utils import format_time


class Split(NamedTuple):
    """One series in two, the older part first; no bar is in both."""

    chosen_on: Bars
    unseen: Bars

    @property
    def whole(self) -> Bars:
        """Both parts as the bars that they were cut from."""
        return Bars(*(np.concatenate(pair) for pair in zip(self.chosen_on, self.unseen, strict=True)))


def split(markets: Mapping[Series, Bars], unseen_share: float) -> dict[Series, Split]:
    """Cut all series at one moment: the newest share of their bars, a fraction below 1, is unseen.

    Were each cut by itself, one's unseen days would be days that sets were chosen on another by. Raises
    NoDataError when a part would have no bar.
    """
    times = np.unique(np.concatenate([bars.ts for bars in markets.values()]))
    cut = times.size - math.floor(times.size * unseen_share)
    if cut < 1 or (unseen_share > 0 and cut == times.size):
        raise NoDataError(f"{times.size} bars are too few to keep {100 * unseen_share:g} % of them unseen")
    if cut == times.size:
        return {series: Split(bars, bars.since(bars.ts.size)) for series, bars in markets.items()}
    return split_at(markets, int(times[cut]))


def split_at(markets: Mapping[Series, Bars], time: int) -> dict[Series, Split]:
    """Cut all series at this time, ms UTC: what opens from then on is unseen. Raises NoDataError."""
    found = {}
    for series, bars in markets.items():
        place = int(np.searchsorted(bars.ts, time))
        if place in (0, bars.ts.size):
            raise NoDataError(
                f"{series} has no bar {'before' if place == 0 else 'from'} {format_time(time)} UTC"
                f"{'' if place == 0 else ' on'}, where the unseen part of all begins: leave it out, or give "
                "the time that all have with --start and --end"
            )
        found[series] = Split(bars.until(place), bars.since(place))
    return found
