"""Kraken's REST below a key: account, orders, trades, ledger, deposits and withdrawals.

Fields that Kraken does not know are counted and otherwise taken for nothing, as the venue does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from core.exchange_sim import kraken_params as given
from core.exchange_sim import kraken_wire as wire
from core.exchange_sim.kraken_changes import KrakenChanges
from core.exchange_sim.kraken_gate import PRIVATE, Gate
from core.exchange_sim.kraken_history import KrakenHistory
from core.exchange_sim.kraken_names import KrakenPair
from core.exchange_sim.kraken_params import Params
from core.exchange_sim.kraken_private import PrivateChannels
from core.exchange_sim.kraken_rules import refused
from core.exchange_sim.kraken_tokens import LASTS, KrakenTokens
from core.exchange_sim.kraken_transfers import KrakenTransfers
from core.exchange_sim.state import AccountChange, Remember
from core.exchange_sim.trading import Trading
from core.exchange_sim.venue import RequestRefused, SimAnswer, SimRequest, as_json

MODES = ("online", "limit_only", "post_only", "cancel_only", "maintenance")
RIGHTS = (
    *("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"),
    *("query-ledger", "access-websockets"),
)
"""What a key that trades should be allowed, and nothing beyond."""
NEEDED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("Balance", "BalanceEx", "TradeVolume", "DepositStatus", "WithdrawStatus"), "query-funds"
        ),
        **dict.fromkeys(("OpenOrders", "QueryOrders"), "query-open-trades"),
        **dict.fromkeys(("ClosedOrders", "TradesHistory", "QueryTrades"), "query-closed-trades"),
        **dict.fromkeys(("AddOrder", "AmendOrder", "EditOrder"), "modify-trades"),
        **dict.fromkeys(("CancelOrder", "CancelAll", "CancelAllOrdersAfter"), "close-trades"),
        "Ledgers": "query-ledger",
        "Withdraw": "withdraw-funds",
        "GetWebSocketsToken": "access-websockets",
    }
)
"""The right that a path needs; none for those that are not here."""
BY_HAND = "BY HAND"
"""The method of what happens to the account without a request: no client can send it."""
WORDS: Mapping[str, str] = {
    "Account has insufficient balance for requested action.": "EOrder:Insufficient funds",
    "Duplicate order sent.": "EGeneral:Invalid arguments:cl_ord_id",
    "Order would immediately match and take.": "EOrder:Post only order",
    "Filter failure: LOT_SIZE": "EGeneral:Invalid arguments:volume",
    "Market is closed.": "EService:Market in cancel_only mode",
}
"""What the matching engine says, in Kraken's words."""


class KrakenRoute(NamedTuple):
    """One path."""

    reply: Callable[[Params, int], object]
    params: tuple[str, ...] = ()
    changes: bool = False
    """Whether it changes the account."""


class KrakenAccount:
    """The account's part of the venue."""

    def __init__(
        self, trading: Trading, pairs: Iterable[KrakenPair], gate: Gate, tokens: KrakenTokens | None = None
    ) -> None:
        self.status = MODES[0]
        self.rights: tuple[str, ...] = RIGHTS
        """What its key may do."""
        self.unknown: Counter[str] = Counter()
        """Fields that were sent and that Kraken does not know, as `AddOrder.stopPrice`."""
        self._trading, self._gate = trading, gate
        self._pairs = {name: pair for pair in pairs for name in (pair.id, pair.altname, pair.wsname)}
        by_symbol = {pair.market.symbol: pair for pair in self._pairs.values()}
        transfers = KrakenTransfers(trading.matching.wallet)
        self._transfers = transfers
        self._history = KrakenHistory(trading, by_symbol, transfers)
        tokens = tokens or KrakenTokens()
        self.channels = PrivateChannels(trading.matching, self._history, tokens)
        """Of its WebSocket."""
        self._changes = KrakenChanges(trading, self._pairs, by_symbol, gate, lambda: self.status)
        self._remember: Remember | None = None
        self._routes = self._reading() | self._changing() | self._by_hand()

    def arrive(self, request: SimRequest, now: int) -> None:
        """Take notice of a request that is processed later."""
        if request.path.removeprefix(PRIVATE) in self._routes:
            try:
                self._gate.arrive(request, now)
            except RequestRefused:
                # It will be refused again when it is processed.
                return

    def answer(self, request: SimRequest, now: int) -> SimAnswer:
        """Return what is answered at `now`, ms UTC."""
        name = request.path.removeprefix(PRIVATE)
        route = self._routes.get(name)
        if route is None or request.method != "POST":
            return error("EGeneral:Unknown method")
        try:
            if self.status == "maintenance":
                raise refused("EService:Unavailable")
            self._gate.check(request, now)
            if NEEDED.get(name, RIGHTS[0]) not in self.rights:
                raise refused("EGeneral:Permission denied")
            params = {key: value for key, value in request.params.items() if key not in given.SIGNING}
            self.unknown.update(f"{name}.{field}" for field in params if field not in route.params)
            return as_json({"error": [], "result": self._done(request.method, name, params, now)})
        except RequestRefused as refusal:
            return error(WORDS.get(refusal.message, refusal.message))

    def by_hand(self, what: str, now: int, **params: str) -> Any:
        """Do what no request asks for: `deposit`, `credit`, `fail` or `status`."""
        return self._done(BY_HAND, what, params, now)

    def remember(self, past: Iterable[AccountChange], remember: Remember) -> None:
        """Repeat what was accepted before, and hand on what is accepted from now on."""
        for change in past:
            moment = self._played(change.now)
            self._routes[change.path.removeprefix(PRIVATE)].reply(change.params, moment)
        self._remember = remember

    def play(self, now: int) -> None:
        """Let the market move to `now`, and the dead-man's switch go off on the way."""
        self._played(now)

    def _played(self, now: int) -> int:
        due = self._changes.cancels_at
        if due is not None and due <= now:
            self._changes.cancel_everything(self._trading.play(due))
        return self._trading.play(now)

    def _done(self, method: str, name: str, params: dict[str, str], now: int) -> Any:
        route, moment = self._routes[name], self._played(now)
        answer = route.reply(params, moment)
        if self._remember and route.changes and not given.is_true(params, "validate"):
            self._remember(AccountChange(moment, method, PRIVATE + name, params))
        return answer

    def _reading(self) -> dict[str, KrakenRoute]:
        history = self._history
        span = ("start", "end", "ofs", "without_count")
        mine = ("trades", "userref", "cl_ord_id", "consolidate_taker")
        return {
            "Balance": KrakenRoute(lambda _, __: wire.balances(self._trading.matching.wallet.all())),
            "BalanceEx": KrakenRoute(
                lambda _, __: wire.extended_balances(self._trading.matching.wallet.all())
            ),
            "GetApiKeyInfo": KrakenRoute(self._key_info),
            "GetWebSocketsToken": KrakenRoute(self._token),
            "TradeVolume": KrakenRoute(self._volume, ("pair", "fee-info")),
            "OpenOrders": KrakenRoute(history.open_orders, mine),
            "ClosedOrders": KrakenRoute(history.closed_orders, (*mine, *span, "closetime")),
            "QueryOrders": KrakenRoute(history.query_orders, ("txid", *mine)),
            "TradesHistory": KrakenRoute(
                history.trades, (*span, "type", "trades", "consolidate_taker", "ledgers")
            ),
            "QueryTrades": KrakenRoute(history.query_trades, ("txid", "trades")),
            "Ledgers": KrakenRoute(history.ledgers, (*span, "asset", "aclass", "type")),
            "DepositStatus": KrakenRoute(self._transfers.list_deposits, ("asset", "method", "start", "end")),
            "WithdrawStatus": KrakenRoute(
                self._transfers.list_withdrawals, ("asset", "method", "start", "end")
            ),
        }

    def _changing(self) -> dict[str, KrakenRoute]:
        changes = self._changes
        named = ("txid", "cl_ord_id")
        return {
            "AddOrder": KrakenRoute(changes.add, given.ADD, True),
            "AmendOrder": KrakenRoute(changes.amend, given.AMEND, True),
            "EditOrder": KrakenRoute(changes.edit, given.EDIT, True),
            "CancelOrder": KrakenRoute(changes.cancel, named, True),
            "CancelAll": KrakenRoute(changes.cancel_all, (), True),
            "CancelAllOrdersAfter": KrakenRoute(changes.cancel_after, ("timeout",), True),
            "Withdraw": KrakenRoute(self._transfers.withdraw, ("asset", "key", "address", "amount"), True),
        }

    def _by_hand(self) -> dict[str, KrakenRoute]:
        transfers = self._transfers
        return {
            "deposit": KrakenRoute(transfers.make_deposit, changes=True),
            "credit": KrakenRoute(transfers.credit, changes=True),
            "fail": KrakenRoute(transfers.fail, changes=True),
            "status": KrakenRoute(self._set_status, changes=True),
        }

    def _volume(self, params: Params, now: int) -> object:
        del now
        names = params.get("pair", "").split(",") if params.get("pair") else []
        return wire.volume([self._changes.pair(name) for name in names], self._trading.account)

    def _key_info(self, params: Params, now: int) -> object:
        del params, now
        return {
            "apiKeyName": "local",
            "permissions": list(self.rights),
            "ipAllowlist": ["127.0.0.1"],
            "modifiedTime": "0",
            "createdTime": "0",
        }

    def _token(self, params: Params, now: int) -> object:
        del params
        return {"token": self.channels.tokens.issue(now), "expires": LASTS}

    def _set_status(self, params: Params, now: int) -> object:
        del now
        self.status = params["status"]
        # Stops may fire and orders be matched again once limit orders are taken.
        self._trading.is_halted = self.status not in ("online", "limit_only")
        return {}


def error(text: str) -> SimAnswer:
    """Return an error as Kraken sends it, with HTTP 200."""
    return as_json({"error": [text]})
