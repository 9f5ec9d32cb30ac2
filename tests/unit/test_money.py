"""Money loses no digit, whatever the thread's decimal context is, and nothing else computes in decimals."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction
from pathlib import Path

import pytest

from core.account import money
from core.account.money import (
    affordable,
    is_on_step,
    minus,
    part_of,
    percent_of,
    plus,
    power_of_ten,
    quotient,
    signed,
    times,
    to_step,
    total,
)

D = Decimal
ROOT = Path(__file__).parents[2]
LONG = D("6234567890.12345678901234567891")
SMALL = D("1e-12")


def test_sums_and_products_keep_every_digit_in_any_context() -> None:
    with localcontext(Context(prec=3)):
        sums = plus(LONG, SMALL), minus(LONG, SMALL), times(LONG, LONG), total([LONG, SMALL, LONG])
    one, other = Fraction(LONG), Fraction(SMALL)
    assert [Fraction(value) for value in sums] == [one + other, one - other, one * one, 2 * one + other]


def test_sides_percents_steps_and_quotients() -> None:
    assert (signed(1, LONG), signed(-1, LONG)) == (LONG, LONG.copy_negate())
    assert percent_of(80.0, 12_345.67) == D("9876.536")
    assert (power_of_ten(-3), power_of_ten(2)) == (D("0.001"), D(100))
    assert (to_step(D("1.23456"), D("0.001")), to_step(D("-1.23456"), D("0.001"))) == (
        D("1.234"),
        D("-1.234"),
    )
    assert (to_step(LONG, None), to_step(LONG, D("1e-20"))) == (LONG, LONG)
    assert is_on_step(D("0.3"), D("0.1"))
    assert not is_on_step(D("0.35"), D("0.1"))
    assert is_on_step(LONG, None)
    assert quotient(D(1), D(3)) == 1 / 3


def test_what_money_buys_it_also_pays() -> None:
    bought = affordable(D(2), D(3))
    assert times(bought, D(3)) <= 2
    assert times(plus(bought, D("1e-59")), D(3)) > 2


def test_parts_add_up_to_the_whole() -> None:
    third = part_of(LONG, D(1), D(3))
    assert plus(third, minus(LONG, third)) == LONG
    assert part_of(LONG, D(3), D(3)) is LONG


def test_more_digits_than_can_be_kept_are_an_error() -> None:
    with pytest.raises(Inexact):
        plus(D("1e600"), D("1e-600"))


CASES = {
    "one + other": True,
    "one - other": True,
    "one * 2": True,
    "2 * one": True,
    "one / other": True,
    "one // other": True,
    "one % other": True,
    "-one": True,
    "abs(one)": True,
    "sum([one, other])": True,
    "sum((one for _ in 'ab'), one)": True,
    "round(one, 2)": True,
    "one.quantize(other)": True,
    "decimal.getcontext().multiply(one, other)": True,
    "decimal.localcontext()": True,
    "one < other": False,
    "max(one, other)": False,
    "one.copy_negate()": False,
    "float(one) + float(other)": False,
    "sum([1, 2])": False,
    "f'{one:.2f}'": False,
}


def complaints(path: str, text: str) -> list[int]:
    """Return the numbers of the lines that the rule refuses in a file."""
    pytest.importorskip("mypy", reason="mypy is one of the tools of `make lint`")
    from mypy import build
    from mypy.fscache import FileSystemCache
    from mypy.modulefinder import BuildSource
    from mypy.options import Options

    options = Options()
    options.config_file = str(ROOT / "pyproject.toml")
    options.plugins = [str(ROOT / "tests" / "mypy_money.py")]
    options.incremental, options.follow_imports = False, "skip"
    result = build.build([BuildSource(path, "checked", text)], options, fscache=FileSystemCache())
    return [int(line.split(":")[1]) for line in result.errors if " error: " in line]


@pytest.mark.unmeasured
def test_arithmetic_of_decimals_is_refused_everywhere_but_at_the_one_door() -> None:
    head = [
        "import decimal",
        "from decimal import Decimal",
        "def work(one: Decimal, other: Decimal) -> None:",
    ]
    text = "\n".join([*head, *(f"    {case}" for case in CASES)])
    refused = [number for number, is_wrong in enumerate(CASES.values(), start=4) if is_wrong]
    assert sorted(set(complaints("core/live/somewhere.py", text))) == refused
    assert complaints("core/account/money.py", text) == []
    assert 'plugins = ["tests/mypy_money.py"]' in (ROOT / "pyproject.toml").read_text()
    assert money.__file__.endswith("core/account/money.py")
