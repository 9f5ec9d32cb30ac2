"""What strategies lose when the exchange has less than they claim: their positions, and exits that wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from core.account.money import minus
from core.account.orders import Taken
from core.order_path.audit import fill_of_row
from core.order_path.claims import in_turn, open_lots, taken_from, taken_of, takings_of
from core.order_path.journal_view import open_amount
from core.order_path.outbox import Outbox
from core.order_path.states import State
from core.order_path.store import Store
from db.journal_rows import OrderRow

COUNTED = "counted"
"""Number of the entry up to which others' sales are counted for claims."""


class Claiming:
    """Applies the rule of core.order_path.claims to one account."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        """Take what says who claims what, and what was sent of it."""
        self._store = store
        self._outbox = outbox

    def takings(self, missing: Mapping[str, Decimal], causes: Mapping[str, str]) -> list[Taken]:
        """Return what each claim loses of what is missing."""
        if not missing:
            return []
        mirror, journal = self._store.mirror, self._store.journal
        fills = journal.fills()
        intents = {intent.key: intent for intent in journal.intents()}
        owners = {order.client_order_id: intents[order.intent_key] for order in journal.orders()}
        lots = open_lots(
            ((row, fill_of_row(row), owners.get(row.client_order_id or "")) for row in fills),
            taken_of(journal.postings()),
        )
        # The exchange keeps coins for orders that it may have, for those that wait here it keeps nothing.
        free = {
            owner: minus(
                held,
                open_amount(one for one in mirror.exits(*owner, "sell") if not self._outbox.waits(one)),
            )
            for owner, held in mirror.positions().items()
        }
        counted = int(mirror.cursors.get(COUNTED, "0"))
        sales = [
            fill_of_row(row)
            for row in reversed(fills)
            if row.client_order_id is None and row.side == "sell" and row.seq > counted
        ]
        seq = journal.length() + 1
        found: list[Taken] = []
        for asset, amount in missing.items():
            parts = taken_from(lots, amount, asset, free, {one.symbol for one in sales})
            found += takings_of(parts, sales, causes.get(asset, "foreign"), seq)
        return sorted(found, key=in_turn)

    def cut(self, takings: Iterable[Taken]) -> Iterator[tuple[OrderRow, OrderRow]]:
        """Yield the exits that wait here and are too large for what is left, and what becomes of them."""
        mirror, waits = self._store.mirror, self._outbox.waits
        for one in takings:
            exits = mirror.exits(one.strategy, one.symbol, "sell")
            sent = open_amount(order for order in exits if not waits(order))
            left = minus(minus(mirror.held(one.strategy, one.symbol), one.amount), sent)
            for order in filter(waits, exits):
                amount = min(order.amount, left)
                left = minus(left, amount)
                if amount == order.amount:
                    continue
                why = f"others took what it was to close of {one.symbol}"
                denied = order._replace(state=State.DENIED.value, sent_at=None, reason=why)
                yield order, order._replace(amount=amount) if amount > 0 else denied
