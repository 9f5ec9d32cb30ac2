"""A difference between books and exchange that is believed: named, booked and told once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.money import minus, total
from core.account.orders import Taken
from core.errors import ExchangeError
from core.order_path.audit import fill_of_row
from core.order_path.claims import (
    claim_postings,
    claim_txn,
    in_turn,
    open_lots,
    taken_from,
    taken_of,
    takings_of,
)
from core.order_path.journal_view import open_amount
from core.order_path.ledger import ZERO, Posting, adjustment_postings, assets_of
from core.order_path.sending import Sending
from core.order_path.states import State
from core.order_path.store import Alert
from core.order_path.transfers import TRANSFERS, explaining, known, text_of, txn_of
from core.order_path.venue import Transfer
from db.journal_rows import OrderRow, money_text

OPENED = "opened"
COUNTED = "counted"
"""Number of the entry up to which others' sales are counted for claims."""


class Reasons(NamedTuple):
    """What a difference is made of."""

    transfers: Sequence[Transfer]
    """What of it deposits and withdrawals explain."""
    takings: Sequence[Taken]
    """What claims lose of what is missing."""
    before: str | None
    """For the first time: what transfers had done to the balances by then; None when that is known."""

    def of(self, asset: str) -> list[Transfer]:
        """Return the transfers of one asset."""
        return [one for one in self.transfers if one.asset == asset]


class Adjusting(Sending):
    """Makes the books follow the exchange."""

    _lists_nothing = False
    """Whether the exchange said that it has no lists of deposits and withdrawals."""

    _in_vain = 0
    """So many times in a row they could not be read."""

    def _listed(self) -> Sequence[Transfer] | None:
        """Return deposits and withdrawals, None where none can be read. Raises ExchangeError a few times."""
        if self._lists_nothing:
            return None
        try:
            found = self.gateway.transfers()
        except ExchangeError:
            self._in_vain += 1
            if self._in_vain < self.policy.lost_after:
                raise
            return None
        self._in_vain, self._lists_nothing = 0, found is None
        return found

    def _know_transfers(self) -> None:
        """Store what transfers did to balances that agree with the books. Raises ExchangeError."""
        listed = self._listed()
        if listed is not None:
            self._flag(TRANSFERS, text_of(listed))

    def _reasons(
        self,
        differences: Mapping[str, Decimal],
        missing: Mapping[str, Decimal],
        listed: Sequence[Transfer] | None,
    ) -> Reasons:
        """Return what differences are made of, by lists of transfers and by the claims on what is missing."""
        before = self.mirror.cursors.get(TRANSFERS)
        transfers: list[Transfer] = []
        if listed is not None and before is not None:
            transfers = explaining(listed, known(before, self.journal.postings()), differences)
        first = text_of(listed) if listed is not None and before is None else None
        causes = {asset: _cause(asset, amount, transfers) for asset, amount in differences.items()}
        return Reasons(transfers, self._takings(missing, causes), first)

    def _takings(self, missing: Mapping[str, Decimal], causes: Mapping[str, str]) -> list[Taken]:
        """Return what each claim loses of what is missing."""
        if not missing:
            return []
        mirror, fills = self.mirror, self.journal.fills()
        intents = {intent.key: intent for intent in self.journal.intents()}
        owners = {order.client_order_id: intents[order.intent_key] for order in self.journal.orders()}
        lots = open_lots(
            ((row, fill_of_row(row), owners.get(row.client_order_id or "")) for row in fills),
            taken_of(self.journal.postings()),
        )
        # The exchange keeps coins for orders that it may have, for those that wait here it keeps nothing.
        free = {
            owner: minus(
                held, open_amount(one for one in mirror.exits(*owner, "sell") if not self._waits(one))
            )
            for owner, held in mirror.positions().items()
        }
        counted = int(mirror.cursors.get(COUNTED, "0"))
        sales = [
            fill_of_row(row)
            for row in reversed(fills)
            if row.client_order_id is None and row.side == "sell" and row.seq > counted
        ]
        seq = self.journal.length() + 1
        found: list[Taken] = []
        for asset, amount in missing.items():
            parts = taken_from(lots, amount, asset, free, {one.symbol for one in sales})
            found += takings_of(parts, sales, causes.get(asset, "foreign"), seq)
        return sorted(found, key=in_turn)

    def _cut(self, takings: Iterable[Taken]) -> Iterator[tuple[OrderRow, OrderRow]]:
        """Yield the exits that wait here and are too large for what is left, and what becomes of them."""
        for one in takings:
            exits = self.mirror.exits(one.strategy, one.symbol, "sell")
            sent = open_amount(order for order in exits if not self._waits(order))
            left = minus(minus(self.mirror.held(one.strategy, one.symbol), one.amount), sent)
            for order in filter(self._waits, exits):
                amount = min(order.amount, left)
                left = minus(left, amount)
                why = f"others took what it was to close of {one.symbol}"
                denied = order._replace(state=State.DENIED.value, sent_at=None, reason=why)
                yield order, order._replace(amount=amount) if amount > 0 else denied

    def _adjust(self, differences: Mapping[str, Decimal], why: Reasons, kind: str) -> tuple[str, ...]:
        """Believe the exchange, in lines of their own; what is more than dust holds up entries."""
        lines: list[Posting] = []
        for asset, amount in differences.items():
            left = minus(amount, total(one.amount for one in why.of(asset)))
            lines += adjustment_postings(asset, left) if left else []
        seq = self.journal.length() + 1
        with self._writing() as tx:
            if lines:
                tx.post(f"{kind}|{seq}", lines, told=True)
            for one in why.transfers:
                tx.post(txn_of(one, seq), adjustment_postings(one.asset, one.amount, one.kind), told=True)
            for gone in why.takings:
                tx.post(claim_txn(gone), claim_postings(gone), told=True)
            for old, new in self._cut(why.takings):
                tx.order(old, new)
                self._unsent -= {new.client_order_id} if new.state == State.DENIED else set()
            if why.takings:
                tx.cursor(COUNTED, str(seq))
            if why.before is not None:
                tx.cursor(TRANSFERS, why.before)
            if kind == "opening":
                tx.cursor(OPENED, json.dumps({asset: f"{amount:f}" for asset, amount in differences.items()}))
        self._kept = None
        self._gone += why.takings
        if kind != "opening":
            self._alarm(differences, why)
        self._alarm_owners(why.takings)
        told = tuple(f"{asset} {amount:+f}" for asset, amount in differences.items())
        return (
            *told,
            *(f"{one.symbol} of {one.strategy} -{money_text(one.amount)}" for one in why.takings),
        )

    def _alarm(self, differences: Mapping[str, Decimal], why: Reasons) -> None:
        """Tell a difference once, with what it is made of; it holds up entries unless it only came."""
        taken = {assets_of(one.symbol)[0] for one in why.takings}
        for asset, amount in differences.items():
            named = why.of(asset)
            text = f"{asset}: the exchange had {_signed(amount)} beside what the books said"
            if named:
                listed = ", ".join(f"{one.kind} {one.id} {_signed(one.amount)}" for one in named)
                text += f" ({listed})"
            text += "; they follow it now"
            small = amount.copy_abs() <= self.policy.dust.get(asset, ZERO)
            came = all(one.amount > 0 for one in named) and total(one.amount for one in named) == amount
            self._causes[asset] = _cause(asset, amount, named)
            # Who loses of it is told below, which is alarm enough.
            self._notify(Alert("adjusted", asset, text, critical=not small and asset not in taken))
            if not (small or came):
                for symbol in self.mirror.symbols():
                    if asset in assets_of(symbol):
                        self._hold(symbol, text)

    def _alarm_owners(self, takings: Iterable[Taken]) -> None:
        """Tell that positions became smaller by others' doing; what is more than dust holds up entries."""
        by_symbol: defaultdict[str, list[Taken]] = defaultdict(list)
        for one in takings:
            by_symbol[one.symbol].append(one)
        for symbol, gone in by_symbol.items():
            why = "; ".join(map(_told, gone))
            dust = self.policy.dust.get(assets_of(symbol)[0], ZERO)
            small = total(one.amount for one in gone) <= dust
            self._notify(Alert("taken", symbol, why, critical=not small))
            if not small:
                self._hold(symbol, why)


def _cause(asset: str, difference: Decimal, transfers: Iterable[Transfer]) -> str:
    """Return in a word why an asset is less than the books said."""
    amounts = [one.amount for one in transfers if one.asset == asset]
    if minus(difference, total(amounts)) < 0:
        return "adjust"
    return "withdrawal" if any(amount < 0 for amount in amounts) else "foreign"


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{money_text(amount)}"


def _told(one: Taken) -> str:
    brought = f", {money_text(one.proceeds)} {assets_of(one.symbol)[1]} of it came to cash"
    what = f"others took {money_text(one.amount)} {one.symbol} of what {one.strategy} held ({one.cause})"
    return what + (brought if one.proceeds else "")
