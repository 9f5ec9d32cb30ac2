"""Log lines lose what stands behind a question mark."""

from __future__ import annotations

import logging

from core.exchange.setup import without_queries


def test_a_signed_query_is_cut_from_a_log_line() -> None:
    record = logging.LogRecord("x", 10, "", 1, "%s %s", ("/account?signature=ab12", 200), None)
    assert without_queries(record)
    assert record.getMessage() == "/account 200"


def test_a_line_without_values_passes_as_it_is() -> None:
    record = logging.LogRecord("x", 10, "", 1, "why?", None, None)
    assert without_queries(record)
    assert record.getMessage() == "why?"
