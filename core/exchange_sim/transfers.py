"""What comes to the account and goes from it without a trade: deposits and withdrawals, with their status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from core.account.money import minus
from core.exchange_sim import binanceus_params as given
from core.exchange_sim.accounts import BALANCE_FORM, Wallet
from core.exchange_sim.binanceus_params import Params
from core.exchange_sim.feed import LATEST
from core.exchange_sim.orders import ZERO
from core.exchange_sim.venue import Json, RequestRefused

CAPITAL = "/sapi/v1/capital/"
APPLY = ("coin", "network", "address", "addressTag", "amount", "withdrawOrderId")
DEPOSITS = ("coin", "status", "startTime", "endTime", "offset", "limit")
WITHDRAWALS = (*DEPOSITS, "withdrawOrderId")
PENDING, CREDITED = 0, 1
"""Of a deposit."""
PROCESSING, FAILED, COMPLETED = 4, 5, 6
"""Of a withdrawal."""
TAKES = 60_000
"""Milliseconds until a withdrawal is completed."""
LONGEST = 90 * 86_400_000
"""Milliseconds between the two ends of a list."""
FEES: Mapping[str, Decimal] = MappingProxyType({"BTC": Decimal("0.0005"), "USDT": Decimal(1)})
"""Taken out of what is withdrawn; of other coins nothing."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Something that comes; it is the account's once it is credited."""

    id: int
    coin: str
    amount: Decimal
    status: int
    time: int
    """ms UTC."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Something that goes; it is the account's no more from the moment it was asked for."""

    id: int
    coin: str
    amount: Decimal
    """The fee included."""
    address: str
    network: str
    order_id: str
    time: int
    failed: bool = False
    """It came back."""

    @property
    def fee(self) -> Decimal:
        """Return what the venue keeps."""
        return FEES.get(self.coin, ZERO)

    def status(self, now: int) -> int:
        """Return how far it is, as Binance counts it."""
        if self.failed:
            return FAILED
        return COMPLETED if now - self.time >= TAKES else PROCESSING


@dataclass
class Transfers:
    """All deposits and withdrawals of one account."""

    wallet: Wallet
    deposits: dict[int, Deposit] = field(default_factory=dict)
    withdrawals: dict[int, Withdrawal] = field(default_factory=dict)

    def make_deposit(self, params: Params, now: int) -> object:
        """Let something come, which is credited at once unless its status says that it is pending."""
        status = int(params["status"])
        made = Deposit(len(self.deposits) + 1, params["coin"], Decimal(params["amount"]), status, now)
        self.deposits[made.id] = made
        if status == CREDITED:
            self.wallet.earn(made.coin, made.amount)
        return {"id": made.id}

    def credit(self, params: Params, _: int) -> object:
        """Credit a pending deposit."""
        made = self.deposits[int(params["id"])]
        if made.status == PENDING:
            self.deposits[made.id] = replace(made, status=CREDITED)
            self.wallet.earn(made.coin, made.amount)
        return {}

    def fail(self, params: Params, now: int) -> object:
        """Let a withdrawal fail that is not completed yet: it comes back."""
        made = self.withdrawals[int(params["id"])]
        if made.status(now) == PROCESSING:
            self.withdrawals[made.id] = replace(made, failed=True)
            self.wallet.earn(made.coin, made.amount)
        return {}

    def withdraw(self, params: Params, now: int) -> object:
        """Take a withdrawal. Raises Refused with Binance's code when it cannot be."""
        coin, address = given.required(params, "coin"), given.required(params, "address")
        text = given.required(params, "amount")
        if not re.fullmatch(BALANCE_FORM, text):
            raise given.illegal("amount", BALANCE_FORM)
        amount, number = Decimal(text), len(self.withdrawals) + 1
        network, order_id = params.get("network", coin), params.get("withdrawOrderId", "")
        made = Withdrawal(number, coin, amount, address, network, order_id, now)
        if amount <= made.fee:
            raise RequestRefused(-4003, "The withdrawal amount must be greater than the fee.")
        if amount > self.wallet.of(coin).free:
            raise RequestRefused(-4026, "The user has insufficient balance available.")
        self.wallet.lock(coin, amount)
        self.wallet.pay(coin, amount)
        self.withdrawals[number] = made
        return {"id": _name("withdrawal", number)}

    def list_deposits(self, params: Params, now: int) -> object:
        """Return the deposits that a request chooses, newest first."""
        chosen = reversed(self.deposits.values())
        rows = [_deposit(one) for one in chosen if _is_chosen(params, one.coin, one.time, one.status, now)]
        return _page(rows, params)

    def list_withdrawals(self, params: Params, now: int) -> object:
        """Return the withdrawals that a request chooses, newest first."""
        wanted = params.get("withdrawOrderId")
        rows = [
            _withdrawal(one, now)
            for one in reversed(self.withdrawals.values())
            if _is_chosen(params, one.coin, one.time, one.status(now), now) and wanted in (None, one.order_id)
        ]
        return _page(rows, params)


def _is_chosen(params: Params, coin: str, time: int, status: int, now: int) -> bool:
    """Return whether a list shows a row. Raises Refused for a span of more than 90 days."""
    start, end = given.whole(params, "startTime"), given.whole(params, "endTime")
    last = LATEST if end is None else end
    first = max(min(last, now) - LONGEST, 0) if start is None else start
    if end is not None and last - first > LONGEST:
        raise RequestRefused(-1127, "More than 90 days between startTime and endTime.")
    is_named = params.get("coin", coin) == coin and params.get("status", str(status)) == str(status)
    return is_named and first <= time <= last


def _page(rows: list[Json], params: Params) -> list[Json]:
    first = given.whole(params, "offset") or 0
    return rows[first : first + given.limit(params, 1000, 1000)]


def _deposit(one: Deposit) -> Json:
    return {
        "id": _name("deposit", one.id),
        "amount": f"{one.amount:f}",
        "coin": one.coin,
        "network": one.coin,
        "status": one.status,
        "address": "a-local-address",
        "addressTag": "",
        "txId": _name("transaction", one.id),
        "insertTime": one.time,
        "transferType": 0,
        "confirmTimes": "1/1" if one.status == CREDITED else "0/1",
    }


def _withdrawal(one: Withdrawal, now: int) -> Json:
    return {
        "id": _name("withdrawal", one.id),
        "amount": f"{minus(one.amount, one.fee):f}",
        "transactionFee": f"{one.fee:f}",
        "coin": one.coin,
        "status": one.status(now),
        "address": one.address,
        "txId": _name("sent", one.id) if one.status(now) == COMPLETED else "",
        "applyTime": datetime.fromtimestamp(one.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "network": one.network,
        "transferType": 0,
        "withdrawOrderId": one.order_id,
    }


def _name(kind: str, number: int) -> str:
    return f"local-{kind}-{number}"
