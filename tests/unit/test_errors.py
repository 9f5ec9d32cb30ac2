"""The error tree: the drawing in the docstring is the tree, and every error has its exit code."""

from __future__ import annotations

import re

import pytest

from core import errors
from core.errors import HotCryptoError, RateLimitedError, unknown_name

EXIT_CODES = {
    "HotCryptoError": 1,
    "NoDataError": 1,
    "RefusedError": 1,
    "UsageError": 2,
    "SettingsError": 2,
    "DatabaseError": 3,
    "NoDatabaseError": 3,
    "DatabaseLockedError": 3,
    "ExchangeError": 3,
    "ExchangeUnreachableError": 3,
    "RateLimitedError": 3,
    "AuthenticationError": 3,
    "NotPermittedError": 2,
    "UnsupportedError": 2,
    "OrderRefusedError": 1,
    "InsufficientFundsError": 1,
    "OrderUnknownError": 3,
    "ClusterError": 3,
}


def tree(kind: type[HotCryptoError], depth: int = 0) -> list[tuple[int, str]]:
    below = [line for child in kind.__subclasses__() for line in tree(child, depth + 1)]
    return [(depth, kind.__name__), *below]


def drawing() -> list[tuple[int, str]]:
    found = re.findall(r"^    ([ │├└─]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    return [(len(indent) // 4, name) for indent, name in found]


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    assert drawing() == [line for line in tree(HotCryptoError) if hasattr(errors, line[1])]


def test_every_error_has_its_exit_code() -> None:
    assert {name: getattr(errors, name).exit_code for _, name in drawing()} == EXIT_CODES


def test_a_rate_limit_says_how_long_to_wait() -> None:
    assert RateLimitedError("slow down").retry_after is None
    error = RateLimitedError("slow down", 2.5)
    assert (str(error), error.retry_after) == ("slow down", 2.5)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("TREND_EMO", "did you mean TREND_EMA? "),
        ("trend_ema", "did you mean TREND_EMA? "),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one_and_all_known(given: str, hint: str) -> None:
    line = unknown_name("strategy", given, ["TREND_EMA", "MR_BB"])
    assert line == f"unknown strategy {given!r}: {hint}known: MR_BB, TREND_EMA"


def test_a_beginning_that_many_names_share_makes_none_the_nearest() -> None:
    names = ["HOT_CRYPTO_RISK_MAX_POSITIONS", "HOT_CRYPTO_RISK_ALLOW_SHORT", "HOT_CRYPTO_DB_URL"]
    for given, hint in (
        ("HOT_CRYPTO_RISK_TYPO", ""),
        ("HOT_CRYPTO_TYPO", ""),
        ("HOT_CRYPTO_RISK_MAX_POSITION", "did you mean HOT_CRYPTO_RISK_MAX_POSITIONS? "),
        ("HOT_CRYPTO_RISK_ALOW_SHORT", "did you mean HOT_CRYPTO_RISK_ALLOW_SHORT? "),
        ("hot_crypto_db_ulr", "did you mean HOT_CRYPTO_DB_URL? "),
    ):
        line = unknown_name("environment variable", given, names)
        assert line == f"unknown environment variable {given!r}: {hint}known: {', '.join(sorted(names))}"


def test_of_more_known_names_than_anybody_reads_those_most_alike_are_listed() -> None:
    names = [f"HOT_CRYPTO_{word}_{number}" for word in ("RISK", "LIVE") for number in range(10, 40)]
    line = unknown_name("environment variable", "HOT_CRYPTO_LIVE_1", names)
    listed = ", ".join(f"HOT_CRYPTO_LIVE_{number}" for number in range(10, 16))
    assert line.endswith(f"known: {listed} and 54 others")


def test_an_unknown_name_stays_on_one_line() -> None:
    assert "\n" not in unknown_name("symbol", "BTC\nUSDT", ["BTC/USDT"])
