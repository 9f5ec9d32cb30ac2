"""Prices that jump pause their symbol: bar by bar, all at once, and by a slow check that shares nothing."""

from __future__ import annotations

import json
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.account.orders import Approved
from core.domain import Bar, Bars
from core.risk.breakers import RiskState
from core.risk.jumps import JumpTerms, JumpWatch, jumps_of, middle
from core.risk.limits import BREAKERS, Limits
from core.risk_manager import RiskManager
from core.utils import timeframe_ms
from tests.account_help import intent, snapshot
from tests.markets import HOUR, START

USUAL = 24
A, B, C = "A/USDT", "B/USDT", "C/USDT"


def slowly(symbol: str, n: int, candles: dict[str, list[list[float]]], terms: JumpTerms) -> bool:
    """Return whether a bar (open, high, low, close) jumps; a symbol's bars are numbered alike."""
    if n == 0:
        return False
    own = candles[symbol]
    before, (_, high, low, _) = own[n - 1][3], own[n]
    if terms.ranges is not None and n >= USUAL:
        usual = statistics.median((bar[1] - bar[2]) / bar[3] for bar in own[n - USUAL : n])
        if max(before - low, high - before) / before > terms.ranges * usual:
            return True
    others = [bars[n][3] / bars[n - 1][3] - 1 for name, bars in candles.items() if name != symbol]
    if terms.apart is None or not others:
        return False
    return abs(own[n][3] / before - 1 - statistics.median(others)) >= terms.apart


def made(seed: int, symbols: int, count: int) -> dict[str, list[list[float]]]:
    """Return candles whose prices and ranges are few, so that they meet a threshold exactly."""
    rng = np.random.default_rng(seed)
    return {
        name: [
            [close, close + rng.choice([1.0, 2.0, 4.0]).item(), close - 1.0, close]
            for close in rng.choice([64.0, 64.0, 64.0, 65.0, 68.0, 60.0], count).tolist()
        ]
        for name in (A, B, C)[:symbols]
    }


@given(
    st.integers(0, 10_000),
    st.integers(1, 3),
    st.sampled_from([None, 1.0, 2.0, 4.0]),
    st.sampled_from([None, 0.015625, 0.0625]),
)
def test_a_jump_is_one_bar_by_bar_all_at_once_and_slowly(
    seed: int, symbols: int, ranges: float | None, apart: float | None
) -> None:
    candles, terms, watch = made(seed, symbols, 40), JumpTerms(ranges, apart, HOUR), JumpWatch()
    found: set[tuple[str, int]] = set()
    for n in range(40):
        for name, bars in candles.items():
            watch.add(bar(name, n, bars[n]), terms)
        found |= {(name, (end - START) // HOUR - 1) for name, end in watch.judged(terms).items()}
    wanted = {(name, n) for name in candles for n in range(40) if slowly(name, n, candles, terms)}
    assert found == wanted
    series = {(name, "1h"): arrays(bars) for name, bars in candles.items()}
    at_once = zip(candles, jumps_of(series, terms), strict=True)
    assert {(name, n) for name, flags in at_once for n in np.flatnonzero(flags).tolist()} == wanted


def bar(symbol: str, n: int, prices: list[float], timeframe: str = "1h") -> Bar:
    step = timeframe_ms(timeframe)
    start = START + n * step
    values = *prices, 1.0
    return Bar(symbol, timeframe, start, start + step, *values)


def arrays(bars: list[list[float]], timeframe: str = "1h") -> Bars:
    stamps = START + timeframe_ms(timeframe) * np.arange(len(bars))
    columns = [*np.array(bars).T.copy(), np.ones(len(bars))]
    return Bars(stamps, *columns)


@pytest.mark.parametrize("count", [1, 24, 25])
def test_series_of_several_lengths_and_beginnings_are_judged_where_they_have_bars(count: int) -> None:
    candles = made(3, 3, 60)
    terms = JumpTerms(1.5, 0.03, HOUR)
    series = {(A, "1h"): arrays(candles[A]), (B, "1h"): arrays(candles[B]).since(60 - count)}
    watch, found = JumpWatch(), set()
    for n in range(60):
        watch.add(bar(A, n, candles[A][n]), terms)
        if n >= 60 - count:
            watch.add(bar(B, n, candles[B][n]), terms)
        found |= set(watch.judged(terms).items())
    flags = dict(zip(series, jumps_of(series, terms), strict=True))
    assert found == {
        (symbol, int(series[symbol, frame].ts[n]) + HOUR)
        for (symbol, frame), some in flags.items()
        for n in np.flatnonzero(some).tolist()
    }


def test_a_bar_that_comes_late_is_judged_with_those_of_its_time() -> None:
    terms, watch = JumpTerms(None, 0.06, HOUR), JumpWatch()
    for n, close in enumerate((100.0, 110.0)):
        for name in (A, B):
            watch.add(bar(name, n, [close] * 4), terms)
    assert watch.judged(terms) == {}
    watch.add(bar(C, 0, [100.0] * 4), terms)
    watch.add(bar(C, 1, [100.0] * 4), terms)
    assert watch.judged(terms) == {C: START + 2 * HOUR}
    # Older than the newest: it says nothing of now.
    watch.add(bar("D/USDT", 0, [1.0] * 4), terms)
    watch.add(bar("D/USDT", 0, [9.0] * 4), terms)
    assert watch.judged(terms) == {}


def test_the_middle_of_an_even_number_is_half_way() -> None:
    assert (middle([3.0]), middle([4.0, 1.0]), middle([9.0, 1.0, 2.0])) == (3.0, 2.5, 2.0)


def test_nobody_enters_a_symbol_that_jumped_until_its_time_is_over_or_it_is_reset() -> None:
    risk = RiskManager(0.01, None, Limits(flash_crash_ranges=3.0, flash_crash_pause_minutes=120))
    risk.remember(A, "1h", arrays([[100.0, 101.0, 99.0, 100.0]] * 24))
    risk.judge_jumps()
    assert risk.state.jumps == {}
    risk.see(bar(A, 24, [100.0, 100.0, 90.0, 99.0]))
    risk.judge_jumps()
    end = START + 25 * HOUR
    risk.mark(end, 10_000.0)

    def answer(now: int, symbol: str = A) -> str:
        wanted = intent(symbol=symbol, created_at=now, valid_until=now + HOUR)
        found = risk.approve(wanted, snapshot(), 100.0, now)
        return "" if isinstance(found, Approved) else found.reason.value

    assert [answer(now) for now in (end, end + 2 * HOUR - 1, end + 2 * HOUR)] == [
        *("flash_crash", "flash_crash"),
        "",
    ]
    assert answer(end, B) == ""
    (why,) = risk.standing(end).values()
    assert list(risk.standing(end)) == [f"flash_crash in {A}"]
    assert why.startswith(f"{A} jumped in the bar that closed ")
    assert risk.standing(end + 2 * HOUR) == {}
    stored = json.dumps(risk.state.to_dict(BREAKERS))
    assert RiskState.from_dict(json.loads(stored), BREAKERS) == risk.state
    risk.reset_breaker("flash_crash")
    assert answer(end) == ""


PARTING = {A: [[100.0] * 4, [110.0] * 4], B: [[100.0] * 4] * 2}
"""One goes up by a tenth in its last bar, the other stays."""


def warm(state: RiskState | None = None) -> RiskManager:
    """Return a manager that was told the bars of 4h that part, as an account is when it starts."""
    risk = RiskManager(0.01, None, Limits(flash_crash_apart_pct=6.0), state=state)
    for symbol, bars in PARTING.items():
        risk.remember(symbol, "4h", arrays(bars, "4h"))
    return risk


def test_bars_that_were_there_before_are_not_judged_when_another_timeframe_has_a_new_one() -> None:
    risk = warm()
    risk.see(bar(A, 8, [110.0] * 4))
    risk.judge_jumps()
    assert risk.state.jumps == {}


def test_a_pause_that_was_reset_does_not_come_back_with_the_next_start() -> None:
    risk = RiskManager(0.01, None, Limits(flash_crash_apart_pct=6.0))
    for n in range(2):
        for symbol, bars in PARTING.items():
            risk.see(bar(symbol, n, bars[n], "4h"))
        risk.judge_jumps()
    assert set(risk.state.jumps) == {A, B}
    risk.reset_breaker("flash_crash")
    again = warm(RiskState.from_dict(json.loads(json.dumps(risk.state.to_dict(BREAKERS))), BREAKERS))
    again.see(bar(A, 8, [110.0] * 4))
    again.judge_jumps()
    assert again.state.jumps == {}


def test_a_new_bar_is_judged_with_those_of_its_time_that_were_there_before() -> None:
    risk = warm()
    risk.remember(C, "4h", arrays([[100.0] * 4], "4h"))
    risk.see(bar(C, 1, [100.0] * 4, "4h"))
    risk.judge_jumps()
    assert set(risk.state.jumps) == {A}


def test_settings_that_are_read_again_hold_at_once() -> None:
    risk = RiskManager(0.01, None, Limits())
    risk.take_settings(RiskManager(0.01, None, Limits(flash_crash_apart_pct=5.0)))
    assert risk.jump_terms == JumpTerms(None, 0.05, 240 * 60_000)
