"""Compiled functions called from Python: what they are handed, and what they say when they cannot run."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba.core.errors import TypingError

from core.kernel.compiler import object_code
from core.kernel.entries import Kernel
from core.kernel.pieces import Piece, plain_of
from core.kernel.scan import SHARED, _search_of, call_scan
from strategies.registry import load_strategy
from tests.markets import random_bars


class Inner(NamedTuple):
    line: Any
    whole: Any
    part: float


class Outer(NamedTuple):
    inner: Inner
    table: Any
    tables: Any
    more: int


def gathered(outer: Outer, line: Any, out: Any, factor: float) -> int:
    inner = outer.inner
    total = inner.part * factor
    for i in range(inner.line.size):
        total += inner.line[i] * inner.whole[i]
    for j in range(outer.table.shape[0]):
        for k in range(outer.table.shape[1]):
            total += outer.table[j, k] * 10.0**j + outer.tables[1, j, k]
    out[0], out[1] = total, line[0]
    return outer.more + 1


def nothing(out: Any) -> None:
    out[0] = 7.0


def called(at: int, more: int) -> int:
    return call_scan(at, 1, 2, 3, 4, 5, 6) + more


def failing(number: int) -> int:
    if number > 1:
        raise ValueError("no")
    return number


def outer_of(kind: Any) -> Outer:
    table = np.arange(6, dtype=kind).reshape(2, 3)
    return Outer(
        Inner(np.array([1.0, 2.0, 4.0]), np.array([3, 5, 7]), 0.25),
        *(table, np.stack([table, 2 * table]), 41),
    )


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", [np.float64, np.int64])
def test_arrays_of_every_shape_and_tuples_in_tuples_arrive_whole(kind: Any) -> None:
    outs = np.zeros(2), np.zeros(2)
    part = Piece(gathered, {})
    runs: list[Callable[..., int]] = [Kernel("gathered", part), plain_of(part)]
    found = [run(outer_of(kind), np.array([9]), out, 2.0) for run, out in zip(runs, outs, strict=True)]
    assert found == [42, 42]
    assert outs[0].tolist() == outs[1].tolist()
    assert outs[0][1] == 9


def test_a_function_that_returns_nothing_is_called_and_its_arguments_are_looked_at_again() -> None:
    out = np.zeros(1)
    ready = Kernel("nothing", Piece(nothing, {})).ready(out)
    for _ in range(2):
        out[0] = 0.0
        assert ready() == 0
        assert out[0] == 7.0


def test_code_calls_code_by_its_address_as_plain_python_does() -> None:
    kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 6)
    added = kind(lambda *given: sum(given))
    at = ctypes.cast(added, ctypes.c_void_p).value
    assert Kernel("called", Piece(called, {}))(at, 7) == called(at or 0, 7) == 28


def test_an_error_inside_is_raised() -> None:
    run = Kernel("failing", Piece(failing, {}))
    assert run(1) == 1
    with pytest.raises(RuntimeError, match="compiled code failed"):
        run(2)


@pytest.mark.parametrize("wrong", [np.zeros(3, np.float32), np.zeros((4, 4))[:, 1], np.zeros((1, 1, 1, 1))])
def test_an_array_that_compiled_code_would_read_wrongly_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="no array for compiled code"):
        Kernel("nothing", Piece(nothing, {}))(wrong)


def makes(number: int) -> int:
    return int(np.zeros(number).size)


def test_code_that_needs_the_compiler_s_own_memory_is_refused_when_it_is_made() -> None:
    with pytest.raises(TypingError, match="empty"):
        object_code(Piece(makes, {}), 1)


def test_what_a_search_does_whatever_the_rule_is_compiled_once_for_all_rules_of_a_process() -> None:
    scopes = []
    for name in ("TREND_EMA", "MR_BB"):
        rule = load_strategy(name).rule
        columns = type(rule.columns(random_bars(1, 60), rule.params()))
        scopes.append(_search_of(rule, columns, rule.params, rule.is_ladder)[1].scope)
    one, other = scopes
    shared = {name for name, part in one.items() if part is other.get(name)}
    assert {step.__name__ for step in SHARED} | {"is_sound", "same", "brackets"} <= shared
    assert shared.isdisjoint({"decide", "columns_at", "params_at", "find_entry", "find_change"})
