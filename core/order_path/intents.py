"""An intent as the journal has it, and as the value that paper and live share."""

from __future__ import annotations

from core.account.money import decimal_of
from core.account.orders import Approved, Intent, Purpose
from core.utils import float_text
from db.journal_rows import IntentRow


def intent_of(row: IntentRow) -> Intent:
    """Return a stored intent as a value."""
    return Intent(
        strategy=row.strategy,
        symbol=row.symbol,
        timeframe=row.timeframe,
        bar=row.bar,
        purpose=Purpose(row.purpose),
        leg=row.leg,
        side="buy" if row.side == "buy" else "sell",
        amount=row.amount,
        price=row.price,
        reason=row.reason,
        created_at=row.created_at,
        valid_until=row.valid_until,
        stop=row.stop,
        take=row.take,
        share=float(row.share),
        note=None if row.note is None else float(row.note),
        limit=row.entry_limit,
        trigger=row.entry_trigger,
    )


def intent_row(approved: Approved) -> IntentRow:
    """Return an approved intent as it is stored."""
    intent = approved.intent
    return IntentRow(
        key=intent.key,
        strategy=intent.strategy,
        symbol=intent.symbol,
        timeframe=intent.timeframe,
        bar=intent.bar,
        purpose=intent.purpose.value,
        leg=intent.leg,
        side=intent.side,
        amount=intent.amount,
        price=intent.price,
        stop=intent.stop,
        take=intent.take,
        reason=intent.reason,
        created_at=intent.created_at,
        valid_until=intent.valid_until,
        share=decimal_of(intent.share),
        reserve=approved.reserve,
        note=None if intent.note is None else float_text(intent.note),
        entry_limit=intent.limit,
        entry_trigger=intent.trigger,
    )
