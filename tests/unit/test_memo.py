from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from core.domain import FloatArray
from strategies.memo import Memo, keeping, remembered

CALLS: list[tuple[int, float]] = []


@remembered
def scaled(x: FloatArray, by: float) -> FloatArray:
    CALLS.append((x.size, by))
    return x * by


@remembered
def both(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    CALLS.append((x.size, 0.0))
    return x + 1, x - 1


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def test_nothing_is_kept_unless_asked_for() -> None:
    x = np.arange(3.0)
    assert scaled(x, 2.0) is not scaled(x, 2.0)
    assert len(CALLS) == 2


def test_the_same_call_is_made_once_while_keeping_and_another_is_made() -> None:
    x, y = np.arange(3.0), np.arange(3.0)
    with keeping(Memo(10_000)):
        assert scaled(x, 2.0) is scaled(x, 2.0)
        assert scaled(x, 3.0).tolist() == [0.0, 3.0, 6.0]
        assert scaled(y, 2.0) is not scaled(x, 2.0)
        assert both(x)[0] is both(x)[0]
    assert CALLS == [(3, 2.0), (3, 3.0), (3, 2.0), (3, 0.0)]
    scaled(x, 2.0)
    assert len(CALLS) == 5


def test_calls_by_keyword_are_made_as_they_are() -> None:
    x = np.arange(3.0)
    with keeping(Memo(10_000)):
        assert scaled(x, by=2.0) is not scaled(x, by=2.0)


def test_a_memo_never_holds_more_bytes_than_it_may_and_forgets_what_was_used_longest_ago() -> None:
    memo, x = Memo(3 * 80), np.arange(10.0)
    with keeping(memo):
        first = scaled(x, 1.0)
        for by in (2.0, 3.0):
            scaled(x, by)
        assert scaled(x, 1.0) is first
        scaled(x, 4.0)
        assert memo.nbytes == 240
        assert scaled(x, 1.0) is first
        CALLS.clear()
        scaled(x, 2.0)
        assert CALLS == [(10, 2.0)]


def test_a_result_too_large_to_keep_is_not_kept() -> None:
    memo, x = Memo(100), np.arange(100.0)
    with keeping(memo):
        assert scaled(x, 1.0) is not scaled(x, 1.0)
    assert memo.nbytes == 0


def test_an_array_that_is_gone_lends_its_identity_to_no_other() -> None:
    with keeping(Memo(10_000)):
        found = [scaled(np.full(3, float(n)), 1.0)[0] for n in range(50)]
    assert found == [float(n) for n in range(50)]


def test_a_result_made_twice_at_the_same_time_is_kept_once() -> None:
    memo, x = Memo(10_000), np.arange(3.0)
    memo.recall(lambda: memo.recall(scaled, (x, 2.0)), ())
    memo._keep((scaled, id(x), 2.0), (x, 2.0), np.zeros(3))
    before = memo.nbytes
    memo._keep((scaled, id(x), 2.0), (x, 2.0), np.zeros(3))
    assert memo.nbytes == before


def test_another_thread_keeps_nothing_of_its_own_accord() -> None:
    x, memo = np.arange(3.0), Memo(10_000)
    with keeping(memo):
        other = Thread(target=scaled, args=(x, 2.0))
        other.start()
        other.join()
    assert memo.nbytes == 0
