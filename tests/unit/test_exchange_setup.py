"""Log lines lose what stands behind a question mark; numbers leave as text only where that is safe."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest

from core.exchange.setup import without_queries
from core.exchange_client import ExchangeClient


def test_a_signed_query_is_cut_from_a_log_line() -> None:
    record = logging.LogRecord("x", 10, "", 1, "%s %s", ("/account?signature=ab12", 200), None)
    assert without_queries(record)
    assert record.getMessage() == "/account 200"


def test_a_line_without_values_passes_as_it_is() -> None:
    record = logging.LogRecord("x", 10, "", 1, "why?", None, None)
    assert without_queries(record)
    assert record.getMessage() == "why?"


@pytest.mark.parametrize(("name", "is_text"), [("binanceus", True), ("coinbaseexchange", False)])
def test_numbers_are_text_only_where_they_are_exact_and_ccxt_computes_with_them_elsewhere(
    name: str, *, is_text: bool
) -> None:
    with ExchangeClient(name) as client:
        found = client._exchange.parse_to_numeric(Decimal("0.00002"))
        assert (found == "0.00002") is is_text
        assert client._exchange.is_round_number(0) is not is_text
