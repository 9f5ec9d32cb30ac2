from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain import Bars, FloatArray
from core.regime.regime_detector import Regime, RegimeParams, detect, history, labelled, spans
from tests.markets import HOUR, random_bars
from tests.tiers import tries

SHORT = RegimeParams(
    adx_period=7, hurst_period=16, vol_period=8, rank_period=40, confirm_bars=2, reach_bars=10, rank_low=0.8
)


def walk(*returns: float) -> Bars:
    """Return bars whose closes move by these fractions, a little wider than that."""
    close = 100 * np.cumprod(1 + np.array(returns))
    opens = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opens, close) * 1.002, np.minimum(opens, close) * 0.998
    return Bars(HOUR * np.arange(close.size, dtype=np.int64), opens, high, low, close, np.ones(close.size))


def kind_at_end(*returns: float) -> Regime:
    return Regime(int(detect(walk(*returns), SHORT).label[-1]))


CALM = [0.004, -0.002, 0.001, -0.004, 0.002, -0.003, -0.001, 0.003] * 15
"""To and fro."""


def test_to_and_fro_is_a_range() -> None:
    assert kind_at_end(*CALM) == Regime.RANGE


def test_a_steady_climb_is_a_trend_up_and_a_steady_fall_one_down() -> None:
    climb = [0.006, -0.001] * 20
    assert kind_at_end(*CALM, *climb) == Regime.TREND_UP
    assert kind_at_end(*CALM, *[-x for x in climb]) == Regime.TREND_DOWN


def test_a_storm_is_high_volatility() -> None:
    assert kind_at_end(*CALM, *[0.05, -0.06, 0.07, -0.05, 0.06]) == Regime.HIGH_VOL


def scores(*labels: int) -> FloatArray:
    """Return scores of 0.7 for these labels; none is certain where it is negative."""
    out = np.full((4, len(labels)), 0.1)
    for i, label in enumerate(labels):
        out[:, i] = 0.25 if label < 0 else out[:, i]
        out[max(label, 0), i] = 0.4 if label < 0 else 0.7
    return out


LATCH = RegimeParams(confirm_bars=2, reach_bars=3)


def test_a_label_changes_once_another_is_confirmed_and_stays_while_none_is() -> None:
    found = labelled(scores(1, 1, 1, 1, 1, 2, 1, 2, 2, -1, -1), LATCH)
    assert np.isnan(found[:4]).all()
    assert found[4:].tolist() == [1, 1, 1, 1, 2, 2, 2]


def test_a_label_that_is_not_confirmed_again_gives_way_to_range() -> None:
    found = labelled(scores(1, 1, 1, 1, 1, -1, -1, -1, -1, -1), LATCH)
    assert found[4:].tolist() == [1, 1, 1, 1, 0, 0]


def test_scores_add_up_and_the_label_s_own_is_shown() -> None:
    found = detect(random_bars(1, 300), SHORT)
    known = ~np.isnan(found.label)
    assert known.sum() > 200
    assert found.scores[:, known].sum(axis=0) == pytest.approx(1.0)
    at = int(np.flatnonzero(known)[17])
    assert found.score[at] == found.scores[int(found.label[at]), at]
    assert np.isnan(found.score[~known]).all()


def test_labels_do_not_flicker() -> None:
    found = detect(random_bars(2, 3000), SHORT)
    known = ~np.isnan(found.label)
    raw = np.where(known, np.argmax(np.nan_to_num(found.scores), axis=0), nan)
    assert len(spans(found.label)) < 0.7 * len(spans(raw))
    assert {label for _, _, label in spans(found.label)} == set(Regime)


@pytest.mark.unmeasured
@settings(max_examples=tries(30, 8))
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 400))
def test_a_regime_depends_on_the_past_alone(seed: int, cut: int) -> None:
    bars = random_bars(seed, 420)
    whole, part = detect(bars, SHORT), detect(bars.until(cut), SHORT)
    length = part.label.size
    for one, other in zip(whole, part, strict=True):
        assert np.array_equal(one[..., :length], other, equal_nan=True)


@pytest.mark.unmeasured
@settings(max_examples=tries(30, 8))
@given(seed=st.integers(0, 10_000), end=st.integers(500, 800))
def test_its_history_is_enough_for_the_last_bit(seed: int, end: int) -> None:
    bars = random_bars(seed, 900).until(end)
    whole, part = detect(bars, SHORT), detect(bars.since(bars.ts.size - history(SHORT)), SHORT)
    for one, other in zip(whole, part, strict=True):
        assert np.array_equal(one[..., -2:], other[..., -2:])


def test_spans_are_stretches_of_one_label() -> None:
    assert spans(np.array([nan, nan, 1.0, 1.0, 0.0, 3.0, 3.0])) == [
        (2, 3, Regime.TREND_UP),
        (4, 4, Regime.RANGE),
        (5, 6, Regime.HIGH_VOL),
    ]
    assert spans(np.array([nan])) == []
    assert spans(np.array([])) == []


def test_no_bars_have_no_regime() -> None:
    assert detect(random_bars(1, 30).until(0), SHORT).label.size == 0
