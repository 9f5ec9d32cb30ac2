"""The one account of the local exchange: its key, its fees, and its exact balances."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from core.account.money import minus, plus
from core.errors import UsageError
from core.exchange_sim.orders import ZERO
from core.exchange_sim.venue import RequestRefused, SimRequest

TEST_KEY = "local-exchange-test-key"
TEST_SECRET = "local-exchange-test-secret"  # noqa: S105 -- opens nothing but the local exchange
CASH = Decimal(10_000)
FEE = Decimal("0.001")
KEY_FORM = re.compile(r"[A-Za-z0-9_-]{1,64}")
BALANCE_FORM = r"[0-9]{1,15}(\.[0-9]{1,8})?"
LONGEST_WINDOW = 60_000
DEFAULT_WINDOW = 5000
AHEAD = 1000
"""ms that a request's time may lie before the exchange's."""


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """Who trades, with what, and what it costs."""

    key: str = TEST_KEY
    secret: str = field(default=TEST_SECRET, repr=False)
    balances: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": CASH})
    maker: Decimal = FEE
    """Fee of orders that rested, as a fraction of what they take in."""
    taker: Decimal = FEE
    """Fee of orders that are executed at once."""

    def __post_init__(self) -> None:
        if not KEY_FORM.fullmatch(self.key):
            raise UsageError(f"wanted an API key of 1 to 64 letters, digits, - or _, got {self.key!r}")
        if not KEY_FORM.fullmatch(self.secret):
            raise UsageError("wanted an API secret of 1 to 64 letters, digits, - or _")


def parse_balances(cash: str, others: Iterable[str]) -> dict[str, Decimal]:
    """Return balances from an amount of USDT and from texts such as `BTC=0.5`, which come last.

    Raises UsageError for what is no amount of an asset.
    """
    balances: dict[str, Decimal] = {}
    for text in (f"USDT={cash}", *others):
        asset, _, amount = text.partition("=")
        if not re.fullmatch(r"[A-Z0-9]{1,20}", asset) or not re.fullmatch(BALANCE_FORM, amount):
            raise UsageError(
                f"wanted an asset and an amount of it with at most 8 decimals, as in BTC=0.5, got {text!r}"
            )
        balances[asset] = Decimal(amount)
    return balances


class SimBalance(NamedTuple):
    """What the account has of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO
    """Kept for open orders."""


class Wallet:
    """All balances; none of them is ever negative."""

    def __init__(self, balances: Mapping[str, Decimal]) -> None:
        self._kept = {asset: SimBalance(amount) for asset, amount in balances.items()}

    def of(self, asset: str) -> SimBalance:
        """Return the balance of one asset."""
        return self._kept.get(asset, SimBalance())

    def all(self) -> dict[str, SimBalance]:
        """Return the balances of all assets that were ever had."""
        return dict(self._kept)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Keep an amount for an order; a negative one sets it free.

        Raises Refused when there is not so much.
        """
        free, locked = self.of(asset)
        if amount > free:
            raise RequestRefused(-2010, "Account has insufficient balance for requested action.")
        self._kept[asset] = SimBalance(minus(free, amount), plus(locked, amount))

    def pay(self, asset: str, amount: Decimal) -> None:
        """Give away an amount that was kept."""
        free, locked = self.of(asset)
        self._kept[asset] = SimBalance(free, minus(locked, amount))

    def earn(self, asset: str, amount: Decimal) -> None:
        """Take in an amount."""
        free, locked = self.of(asset)
        self._kept[asset] = SimBalance(plus(free, amount), locked)


def signature_of(secret: str, text: str) -> str:
    """Return the HMAC SHA-256 of a request's parameters, in hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_key(request: SimRequest, config: AccountConfig) -> None:
    """Refuse a request without the account's key."""
    if not KEY_FORM.fullmatch(request.key):
        raise RequestRefused(-2014, "API-key format invalid.", 401)
    if not hmac.compare_digest(request.key, config.key):
        raise RequestRefused(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def check_signature(request: SimRequest, config: AccountConfig, now: int) -> None:
    """Refuse a request that is not signed by the account's secret, or not now (ms UTC)."""
    check_key(request, config)
    for name in ("timestamp", "signature"):
        if not request.params.get(name):
            raise RequestRefused(
                -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
            )
    signed = re.sub(r"&?\bsignature=[^&]*", "", request.payload)
    if not hmac.compare_digest(signature_of(config.secret, signed), request.params["signature"]):
        raise RequestRefused(-1022, "Signature for this request is not valid.")
    _check_time(_whole(request, "timestamp"), _whole(request, "recvWindow", DEFAULT_WINDOW), now)


def _check_time(sent: int, window: int, now: int) -> None:
    if window > LONGEST_WINDOW:
        raise RequestRefused(-1131, "recvWindow must be less than 60000.")
    if sent >= now + AHEAD:
        raise RequestRefused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if sent < now - window:
        raise RequestRefused(-1021, "Timestamp for this request is outside of the recvWindow.")


def _whole(request: SimRequest, name: str, default: int = 0) -> int:
    text = request.params.get(name, str(default))
    form = r"^[0-9]{1,20}$"
    if not re.fullmatch(form, text):
        raise RequestRefused(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '{form}'."
        )
    return int(text)
