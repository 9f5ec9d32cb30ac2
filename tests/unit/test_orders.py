"""Values that are copied field by field keep every field, those too that are added some day."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace

from tests.account_help import D, fill_of, intent


def test_an_intent_with_other_times_is_otherwise_the_same() -> None:
    one = intent(stop=D(90), take=D(120), share=0.5, bound="risk", note=3.5, limit=D(99), trigger=D(101))
    assert all(getattr(one, part.name) != part.default for part in fields(one) if part.default is not MISSING)
    assert one.timed(7, 8) == replace(one, created_at=7, valid_until=8)


def test_a_fill_of_a_named_order_is_otherwise_the_same() -> None:
    one = fill_of(intent(), fee="0.1", reason="stop")
    assert all(getattr(one, part.name) != part.default for part in fields(one) if part.default is not MISSING)
    assert one.of("name") == replace(one, client_order_id="name")
