"""The store agrees with a dictionary, whatever is loaded in whatever order."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from core.candles.frames import count_gaps
from core.domain import Bars, Series
from db.base import open_engine, writing
from db.candles import last_ts, read_bars, upsert_bars
from db.stored_series import list_series
from tests.stored import HOUR, START

SERIES = Series("binanceus", "BTC/USDT", "1h")
loads = st.lists(
    st.dictionaries(st.integers(0, 15), st.sampled_from([1.0, 2.0, 3.0]), max_size=10), max_size=5
)


@cache
def memory() -> Engine:
    """Return one database in memory, emptied by each example."""
    return open_engine("sqlite://", create=True)


def empty_database() -> Engine:
    engine = memory()
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM ohlcv")
        connection.exec_driver_sql("DELETE FROM candle_series")
    return engine


def as_bars(load: dict[int, float]) -> Bars:
    hours = sorted(load)
    price = np.array([load[hour] for hour in hours], float)
    return Bars(START + HOUR * np.array(hours, np.int64), price, price, price, price, price)


@pytest.mark.unmeasured
@given(loads)
def test_counts_and_content_are_those_of_a_dictionary(history: list[dict[int, float]]) -> None:
    engine, model = empty_database(), dict[int, float]()
    for load in history:
        new = len(load.keys() - model.keys())
        changed = sum(hour in model and model[hour] != price for hour, price in load.items())
        assert upsert_bars(engine, SERIES, as_bars(load)) == (new, changed, len(load) - new - changed)
        model |= load
    stored, wanted = read_bars(engine, SERIES), as_bars(model)
    assert all((mine == theirs).all() for mine, theirs in zip(stored, wanted, strict=True))
    assert last_ts(engine, SERIES) == (START + HOUR * max(model) if model else None)
    assert [found.gaps for found in list_series(engine)] == [count_gaps(wanted, HOUR)] * bool(model)


@pytest.mark.unmeasured
@given(
    st.sets(st.integers(0, 20), min_size=1),
    st.none() | st.integers(-2, 22),
    st.none() | st.integers(-2, 22),
    st.none() | st.integers(1, 25),
)
def test_a_range_and_a_limit_are_slices(
    hours: set[int], start: int | None, end: int | None, limit: int | None
) -> None:
    engine = empty_database()
    upsert_bars(engine, SERIES, as_bars(dict.fromkeys(hours, 1.0)))
    within = [h for h in sorted(hours) if (start is None or h >= start) and (end is None or h < end)]
    found = read_bars(
        engine,
        SERIES,
        start=None if start is None else START + HOUR * start,
        end=None if end is None else START + HOUR * end,
        limit=limit,
    )
    assert ((found.ts - START) // HOUR).tolist() == within[-(limit or 99) :]
