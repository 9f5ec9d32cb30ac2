"""What a venue tells about itself and a key, as far as it does: for the check before real money is traded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, NamedTuple

from core.errors import ExchangeError
from core.exchange.calls import Caller
from core.exchange.order_rules import exact


class KeyRights(NamedTuple):
    """What a key may do; None where the venue does not tell."""

    may_trade: bool | None = None
    may_withdraw: bool | None = None
    is_bound: bool | None = None
    """Whether it works from named addresses alone."""


UNTOLD = KeyRights()
SHUT = frozenset({"maintenance", "cancel_only", "post_only", "limit_only"})
"""Kraken's modes in which no market order is taken; of a word that is not known nothing follows."""
_KRAKEN_TRADES = frozenset(
    {
        *("modify-trades", "close-trades", "query-open-trades", "query-closed-trades", "query-funds"),
        "query-ledger",
    }
)
"""What placing, cancelling and following orders needs; as Kraken's GetApiKeyInfo spells them.

The ledger alone tells what a fee was taken from.
"""


class AccountFacts:
    """Questions about a venue and a key; what cannot be answered is None, with the reason kept."""

    def __init__(
        self,
        exchange: Any,
        call: Caller,
        ready: Callable[[str, str | None], None],
        *,
        has_modes: bool = False,
    ) -> None:
        """Take an exchange object whose `ready` raises what forbids an action, and whether it has modes."""
        self._exchange, self._call, self._ready = exchange, call, ready
        self._has_modes = has_modes
        self.untold: dict[str, str] = {}
        """By question: why it was not answered."""

    def status(self) -> str | None:
        """Return how the venue says it stands: `ok`, `maintenance`, `cancel_only`, …; None if untold.

        Kraken's own word: ccxt makes one of several that differ.
        """
        answer = self._asked("status", "read the exchange's status", lambda: self._exchange.fetch_status())
        return None if answer is None else _status_of(answer)

    def shut(self) -> str:
        """Return the mode in which the market takes no market orders now, blank if it does or nobody knows.

        Asked briefly: something waits to be sold.
        """
        if not self._has_modes:
            return ""
        with suppress(ExchangeError):
            told = self._call.read("read the market's mode", self._exchange.fetch_status, is_brief=True)
            word = _own_status(told)
            return word if word in SHUT else ""
        return ""

    def rights(self) -> KeyRights:
        """Return what the key may do, as far as the venue tells."""
        name = self._exchange.id
        if name == "kraken":
            told = self._asked("rights", "read the key's rights", self._exchange.privatePostGetApiKeyInfo)
            return UNTOLD if told is None else kraken_rights(told)
        if name == "binance":
            ask = self._exchange.sapiGetAccountApiRestrictions
            told = self._asked("rights", "read the key's rights", ask)
            return UNTOLD if told is None else binance_rights(told)
        self.untold["rights"] = f"{name} documents no question about a key's rights"
        return UNTOLD

    def taker_fee(self, symbol: str) -> Decimal | None:
        """Return the account's fee for taking, as a rate: 0.001 is 0.1 %; None if untold."""
        told = self._asked("fee", "read the fees", lambda: self._exchange.fetch_trading_fee(symbol), symbol)
        return None if told is None else exact(told.get("taker"))

    def _asked(self, what: str, action: str, ask: Callable[[], Any], symbol: str | None = None) -> Any:
        try:
            self._ready(action, symbol)
            return self._call.read(action, ask)
        except ExchangeError as error:
            self.untold[what] = str(error)
            return None


def _status_of(answer: Mapping[str, Any]) -> str | None:
    word = _own_status(answer) or str(answer.get("status") or "")
    return {"online": "ok", "": None}.get(word, word)


def _own_status(answer: Mapping[str, Any]) -> str:
    """Return Kraken's own word, blank for none."""
    told = answer.get("info")
    own = told.get("result") if isinstance(told, Mapping) else None
    return str(own.get("status") or "") if isinstance(own, Mapping) else ""


def kraken_rights(answer: Mapping[str, Any]) -> KeyRights:
    """Return the rights in an answer of Kraken's GetApiKeyInfo."""
    told = answer.get("result")
    names = told.get("permissions") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(names, list):
        return UNTOLD
    bound = told.get("ipAllowlist")
    return KeyRights(
        set(names) >= _KRAKEN_TRADES,
        "withdraw-funds" in names,
        bool(bound) if isinstance(bound, list) else None,
    )


def binance_rights(answer: Mapping[str, Any]) -> KeyRights:
    """Return the rights in an answer of Binance's account/apiRestrictions; any way out of it counts."""
    ways = [answer.get(name) for name in ("enableWithdrawals", "enableInternalTransfer")]
    may = None if any(not isinstance(way, bool) for way in ways) else any(ways)
    return KeyRights(_flag(answer, "enableSpotAndMarginTrading"), may, _flag(answer, "ipRestrict"))


def _flag(answer: Mapping[str, Any], name: str) -> bool | None:
    found = answer.get(name)
    return found if isinstance(found, bool) else None
