"""Arrays told by their address: one compiled function does for all kinds, and counts no references to them.

Who calls holds the arrays until the call is over. Compiled, core.kernel.lowering says what they do.
"""

from __future__ import annotations

import ctypes

import numpy as np

from core.domain import FloatArray, IntArray


def floats_at(address: int, length: int) -> FloatArray:
    """Return the numbers that lie at an address."""
    return np.ctypeslib.as_array((ctypes.c_double * int(length)).from_address(int(address)))


def integers_at(address: int, length: int) -> IntArray:
    """Return the integers that lie at an address."""
    return np.ctypeslib.as_array((ctypes.c_int64 * int(length)).from_address(int(address)))


def float_rows_at(address: int, rows: int, width: int) -> FloatArray:
    """Return a table of numbers that lies at an address."""
    return floats_at(address, rows * width).reshape(rows, width)


def integer_rows_at(address: int, rows: int, width: int) -> IntArray:
    """Return a table of integers that lies at an address."""
    return integers_at(address, rows * width).reshape(rows, width)


def float_tables_at(address: int, tables: int, rows: int, width: int) -> FloatArray:
    """Return tables of numbers, one behind the other, that lie at an address."""
    return floats_at(address, tables * rows * width).reshape(tables, rows, width)


def integer_tables_at(address: int, tables: int, rows: int, width: int) -> IntArray:
    """Return tables of integers, one behind the other, that lie at an address."""
    return integers_at(address, tables * rows * width).reshape(tables, rows, width)


READERS = {
    ("d", 1): floats_at,
    ("d", 2): float_rows_at,
    ("d", 3): float_tables_at,
    ("l", 1): integers_at,
    ("l", 2): integer_rows_at,
    ("l", 3): integer_tables_at,
}
"""By numpy's letter for what an array holds, and how many dimensions it has."""


def address_of(array: FloatArray | IntArray) -> int:
    """Return where an array lies, the first of its rows."""
    return int(array.__array_interface__["data"][0])
