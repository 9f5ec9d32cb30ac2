"""A stop of a long position, or a take of a short one, that is not above 0 is one that no price reaches."""

from __future__ import annotations

import numpy as np
import pytest

from core.domain import Bars, Costs, Series
from core.proof.verify import verify
from core.results.runs import RunSpec
from tests.markets import random_bars
from tests.scripted import SCRIPTED

ENTER = {"long": 1.0, "short": 2.0}
BELOW_NOTHING, LEAVE = 12.0, 3.0


def market(entry: float) -> Bars:
    """Return a calm market in which each position's stop or take goes below nothing, and is closed later."""
    bars = random_bars(4, 205, volatility=0.001, price=100.0)
    orders = np.zeros(bars.ts.size)
    orders[10::40], orders[15::40], orders[40::40] = entry, BELOW_NOTHING, LEAVE
    return bars._replace(volume=orders)


@pytest.mark.parametrize("side", ENTER)
def test_three_ways_agree_on_a_price_below_nothing(side: str) -> None:
    spec = RunSpec(Series("binanceus", "BTC/USDT", "1h"), "SCRIPTED", {}, Costs(0.001), 10_000.0)
    verdict = verify(market(ENTER[side]), spec, SCRIPTED, sampled=5)
    assert verdict.differences == ()
    # Three are closed by the rule, none by a stop or take; the last one is still open at the end.
    assert [trade.reason for trade in verdict.runs[0].trades] == ["rule"] * 4 + ["end"]
