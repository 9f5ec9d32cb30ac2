"""Deposits and withdrawals at Kraken, with their status, and what they do to the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from core.account.money import minus
from core.exchange_sim import kraken_params as given
from core.exchange_sim.accounts import Wallet
from core.exchange_sim.kraken_names import asset_decimals, asset_id, txid
from core.exchange_sim.kraken_params import Params
from core.exchange_sim.kraken_rules import refused
from core.exchange_sim.orders import ZERO
from core.exchange_sim.transfers import CREDITED, TAKES
from core.exchange_sim.venue import Json

FEES: Mapping[str, Decimal] = MappingProxyType({"BTC": Decimal("0.0001"), "USDT": Decimal("2.5")})
"""Taken beside what is withdrawn; of other coins nothing."""
LedgerMove = tuple[int, str, str, str, Decimal, Decimal]
"""Time, reference, kind, asset, amount and fee."""


@dataclass(frozen=True, slots=True)
class KrakenMove:
    """A deposit or a withdrawal."""

    refid: str
    coin: str
    amount: Decimal
    """Without the fee."""
    fee: Decimal
    time: int
    """ms UTC."""
    is_deposit: bool
    credited_at: int | None = None
    failed_at: int | None = None
    """It came back then."""

    def status(self, now: int) -> str:
        """Return how far it is, in Kraken's words."""
        if self.failed_at is not None:
            return "Failure"
        is_done = self.credited_at is not None if self.is_deposit else now - self.time >= TAKES
        return "Success" if is_done else "Pending"


@dataclass
class KrakenTransfers:
    """All deposits and withdrawals of one account."""

    wallet: Wallet
    deposits: list[KrakenMove] = field(default_factory=list)
    withdrawals: list[KrakenMove] = field(default_factory=list)

    def make_deposit(self, params: Params, now: int) -> object:
        """Let something come, which is credited at once unless its status says that it is pending."""
        number = len(self.deposits) + 1
        is_credited = params["status"] == str(CREDITED)
        refid = txid("Q", f"deposit|{number}")
        self.deposits.append(
            KrakenMove(
                *(refid, params["coin"], Decimal(params["amount"]), ZERO, now, True),
                credited_at=now if is_credited else None,
            )
        )
        if is_credited:
            self.wallet.earn(params["coin"], Decimal(params["amount"]))
        return {"id": number}

    def credit(self, params: Params, now: int) -> object:
        """Credit a pending deposit."""
        at = int(params["id"]) - 1
        made = self.deposits[at]
        if made.credited_at is None:
            self.deposits[at] = replace(made, credited_at=now)
            self.wallet.earn(made.coin, made.amount)
        return {}

    def fail(self, params: Params, now: int) -> object:
        """Let a withdrawal fail that is not completed yet: it comes back."""
        at = int(params["id"]) - 1
        made = self.withdrawals[at]
        if made.status(now) == "Pending":
            self.withdrawals[at] = replace(made, failed_at=now)
            self.wallet.earn(made.coin, _whole(made))
        return {}

    def withdraw(self, params: Params, now: int) -> object:
        """Take a withdrawal; `amount` is with the fee."""
        coin, amount = self._coin(params), given.number(params, "amount", needed=True) or ZERO
        given.required(params, "key")
        fee = FEES.get(coin, ZERO)
        if amount <= fee:
            raise refused("EFunding:Invalid amount")
        if amount > self.wallet.of(coin).free:
            raise refused("EFunding:Insufficient funds")
        self.wallet.lock(coin, amount)
        self.wallet.pay(coin, amount)
        refid = txid("A", f"withdrawal|{len(self.withdrawals) + 1}")
        self.withdrawals.append(KrakenMove(refid, coin, minus(amount, fee), fee, now, False))
        return {"refid": refid}

    def list_deposits(self, params: Params, now: int) -> object:
        """Return the deposits, newest first."""
        return [_row(one, now) for one in reversed(self.deposits) if _is_chosen(one, params)]

    def list_withdrawals(self, params: Params, now: int) -> object:
        """Return the withdrawals, newest first."""
        return [_row(one, now) for one in reversed(self.withdrawals) if _is_chosen(one, params)]

    def moves(self, now: int) -> list[LedgerMove]:
        """Return what they did to balances until `now`, ms UTC."""
        found: list[LedgerMove] = []
        for one in (*self.deposits, *self.withdrawals):
            kind = "deposit" if one.is_deposit else "withdrawal"
            moved_at = one.credited_at if one.is_deposit else one.time
            if moved_at is None or moved_at > now:
                continue
            amount = one.amount if one.is_deposit else one.amount.copy_negate()
            found.append((moved_at, one.refid, kind, one.coin, amount, one.fee))
            if one.failed_at is not None:
                back = one.fee.copy_negate()
                found.append((one.failed_at, one.refid, kind, one.coin, one.amount, back))
        return found

    def _coin(self, params: Params) -> str:
        name = given.required(params, "asset")
        coins = [coin for coin in self.wallet.all() if name in (coin, asset_id(coin))]
        if not coins:
            raise refused("EFunding:Unknown asset")
        return coins[0]


def _whole(one: KrakenMove) -> Decimal:
    return minus(one.amount, one.fee.copy_negate())


def _is_chosen(one: KrakenMove, params: Params) -> bool:
    return params.get("asset", "") in ("", one.coin, asset_id(one.coin))


def _row(one: KrakenMove, now: int) -> Json:
    decimals = asset_decimals(one.coin)
    row: Json = {
        "method": one.coin,
        "aclass": "currency",
        "asset": asset_id(one.coin),
        "refid": one.refid,
        "txid": txid("X", one.refid),
        "info": "a-local-address",
        "amount": f"{one.amount:.{decimals}f}",
        "fee": f"{one.fee:.{decimals}f}",
        "time": one.time // 1000,
        "status": one.status(now),
    }
    return row if one.is_deposit else row | {"key": "a-local-key", "network": one.coin}
