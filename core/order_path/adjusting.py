"""A difference between books and exchange that is believed: named, booked and told once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from core.account.messages import Transfer
from core.account.money import minus, total
from core.account.orders import Taken
from core.figures import exact
from core.order_path.alerts import Alert, OnAlert
from core.order_path.barrier import Barrier
from core.order_path.claiming import COUNTED, Claiming
from core.order_path.claims import claim_postings, claim_txn
from core.order_path.ledger import ZERO, Posting, adjustment_postings, assets_of
from core.order_path.outbox import Outbox
from core.order_path.store import Store
from core.order_path.transfers import beginnings, counted, explaining, known, txn_of

OPENED = "opened"


class Reasons(NamedTuple):
    """What a difference is made of."""

    transfers: Sequence[Transfer]
    """What of it the exchange's lists explain."""
    takings: Sequence[Taken]
    """What claims lose of what is missing."""
    before: Mapping[str, str]
    """For the first time, by cursor: what transfers had done to the balances by then."""

    def of(self, asset: str) -> list[Transfer]:
        """Return the transfers of one asset."""
        return [one for one in self.transfers if one.asset == asset]


class Adjusting:
    """Makes the books follow the exchange."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        barrier: Barrier,
        claiming: Claiming,
        dust: Mapping[str, Decimal],
        notify: OnAlert,
    ) -> None:
        """Take the books and who says what claims lose; less than `dust`, by asset, holds up nothing."""
        self._store = store
        self._outbox = outbox
        self._barrier = barrier
        self._claiming = claiming
        self._dust = dust
        self._notify = notify
        self._gone: list[Taken] = []
        """What others took of claims since somebody asked."""
        self._causes: dict[str, str] = {}
        """Why the newest difference of each asset was there, in a word of Taken's."""

    def take_claims(self) -> list[Taken]:
        """Return what others took of positions since this was last asked."""
        gone, self._gone = self._gone, []
        return gone

    def cause(self, asset: str) -> str:
        """Return why the exchange came to have less of an asset than the books said, in a word of Taken's."""
        return self._causes.get(asset, "foreign")

    def reasons(
        self,
        differences: Mapping[str, Decimal],
        missing: Mapping[str, Decimal],
        listed: Sequence[Transfer] | None,
    ) -> Reasons:
        """Return what differences are made of, by lists of transfers and by the claims on what is missing."""
        cursors, rows = self._store.mirror.cursors, listed or ()
        transfers: list[Transfer] = []
        if new := counted(rows, cursors):
            transfers = explaining(new, known(cursors, self._store.journal.postings()), differences)
        first = {} if listed is None else beginnings(rows, cursors)
        causes = {asset: _cause(asset, amount, transfers) for asset, amount in differences.items()}
        return Reasons(transfers, self._claiming.takings(missing, causes), first)

    def adjust(self, differences: Mapping[str, Decimal], why: Reasons, kind: str) -> tuple[str, ...]:
        """Believe the exchange, in lines of their own; what is more than dust holds up entries."""
        lines: list[Posting] = []
        for asset, amount in differences.items():
            left = minus(amount, total(one.amount for one in why.of(asset)))
            lines += adjustment_postings(asset, left) if left else []
        seq = self._store.journal.length() + 1
        with self._store.writing() as tx:
            if lines:
                tx.post(f"{kind}|{seq}", lines, told=True)
            for one in why.transfers:
                tx.post(txn_of(one, seq), adjustment_postings(one.asset, one.amount, one.kind), told=True)
            for gone in why.takings:
                tx.post(claim_txn(gone), claim_postings(gone), told=True)
            for old, new in self._claiming.cut(why.takings):
                tx.order(old, new)
                self._outbox.note(new)
            if why.takings:
                tx.cursor(COUNTED, str(seq))
            for name, text in why.before.items():
                tx.cursor(name, text)
            if kind == "opening":
                tx.cursor(OPENED, json.dumps({asset: f"{amount:f}" for asset, amount in differences.items()}))
        self._store.forget()
        self._gone += why.takings
        if kind != "opening":
            self._alarm(differences, why)
        self._alarm_owners(why.takings)
        told = tuple(f"{asset} {exact(amount, sign=True)}" for asset, amount in differences.items())
        return (
            *told,
            *(f"{one.symbol} of {one.strategy} -{exact(one.amount)}" for one in why.takings),
        )

    def _alarm(self, differences: Mapping[str, Decimal], why: Reasons) -> None:
        """Tell a difference once, with what it is made of; it holds up entries unless it only came."""
        taken = {assets_of(one.symbol)[0] for one in why.takings}
        for asset, amount in differences.items():
            named = why.of(asset)
            text = f"{asset}: the exchange had {exact(amount, sign=True)} beside what the books said"
            if named:
                listed = ", ".join(f"{one.kind} {one.id} {exact(one.amount, sign=True)}" for one in named)
                text += f" ({listed})"
            text += "; they follow it now"
            small = amount.copy_abs() <= self._dust.get(asset, ZERO)
            came = all(one.amount > 0 for one in named) and total(one.amount for one in named) == amount
            self._causes[asset] = _cause(asset, amount, named)
            # Who loses of it is told below, which is alarm enough.
            self._notify(Alert("adjusted", asset, text, critical=not small and asset not in taken))
            if not (small or came):
                for symbol in self._store.mirror.symbols():
                    if asset in assets_of(symbol):
                        self._barrier.hold(symbol, text)

    def _alarm_owners(self, takings: Iterable[Taken]) -> None:
        """Tell that positions became smaller by others' doing; what is more than dust holds up entries."""
        by_symbol: defaultdict[str, list[Taken]] = defaultdict(list)
        for one in takings:
            by_symbol[one.symbol].append(one)
        for symbol, gone in by_symbol.items():
            why = "; ".join(map(_told, gone))
            dust = self._dust.get(assets_of(symbol)[0], ZERO)
            small = total(one.amount for one in gone) <= dust
            self._notify(Alert("taken", symbol, why, critical=not small))
            if not small:
                self._barrier.hold(symbol, why)


def _cause(asset: str, difference: Decimal, transfers: Iterable[Transfer]) -> str:
    """Return in a word why an asset is less than the books said."""
    own = [one for one in transfers if one.asset == asset]
    if minus(difference, total(one.amount for one in own)) < 0:
        return "adjust"
    kind = next((one.kind for one in own if one.amount < 0), "foreign")
    # A deposit that was taken back has left the account, too.
    return "withdrawal" if kind == "deposit" else kind


def _told(one: Taken) -> str:
    brought = f", {exact(one.proceeds)} {assets_of(one.symbol)[1]} of it came to cash"
    what = f"others took {exact(one.amount)} {one.symbol} of what {one.strategy} held ({one.cause})"
    return what + (brought if one.proceeds else "")
