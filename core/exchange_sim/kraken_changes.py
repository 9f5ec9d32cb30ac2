"""What changes orders at Kraken: placing, amending, editing, cancelling, and the dead-man's switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.exchange_sim import kraken_params as given
from core.exchange_sim import kraken_wire as wire
from core.exchange_sim.kraken_gate import AMEND_POINTS, CANCEL_POINTS, EDIT_POINTS, Gate, points_by_age
from core.exchange_sim.kraken_names import KrakenPair, order_txid, txid
from core.exchange_sim.kraken_params import Params
from core.exchange_sim.kraken_rules import refused
from core.exchange_sim.orders import LIMIT, LIMIT_MAKER, NewOrder, SimOrder
from core.exchange_sim.trading import Trading

REFUSING: Mapping[str, tuple[str, ...] | None] = {
    "online": None,
    "limit_only": (LIMIT, LIMIT_MAKER),
    "post_only": (LIMIT_MAKER,),
    "cancel_only": (),
}
"""The kinds of orders that are taken in each mode; None for all."""
LONGEST_TIMEOUT = 86_400


class KrakenChanges:
    """The routes that change orders."""

    def __init__(
        self,
        trading: Trading,
        pairs: Mapping[str, KrakenPair],
        by_symbol: Mapping[str, KrakenPair],
        gate: Gate,
        status: Callable[[], str],
    ) -> None:
        self.cancels_at: int | None = None
        """When the dead-man's switch goes off, ms UTC."""
        self._trading, self._matching = trading, trading.matching
        self._pairs, self._by_symbol, self._gate, self._status = pairs, by_symbol, gate, status

    def pair(self, name: str) -> KrakenPair:
        """Return a pair by any of its names."""
        if name not in self._pairs:
            raise refused("EQuery:Unknown asset pair")
        return self._pairs[name]

    def add(self, params: Params, now: int) -> object:
        """Place an order."""
        pair = self.pair(given.required(params, "pair"))
        new = given.new_order(params, pair)
        self._check_mode(new)
        given.check_deadline(params, now)
        if given.is_true(params, "validate"):
            self._matching.check(new, self._trading.seen(pair.market))
            return {"descr": {"order": wire.sentence(self._matching.draft(new, now), pair)}}
        self._gate.charge_engine(pair.id, 1, now)
        order = self._matching.place(new, self._trading.seen(pair.market))
        drafted = self._matching.draft(new, now)
        return {"descr": {"order": wire.sentence(drafted, pair)}, "txid": [order_txid(order)]}

    def amend(self, params: Params, now: int) -> object:
        """Change an order in place: it keeps its id, its name and what was executed."""
        order = self._open(params)
        given.check_deadline(params, now)
        new = given.changed_order(
            order,
            given.number(params, "order_qty") or order.quantity,
            given.number(params, "limit_price") or order.price or None,
            given.number(params, "trigger_price") or order.stop or None,
        )
        self._check_mode(new)
        self._charge(order, 1 + points_by_age(now - order.created, AMEND_POINTS), now)
        self._matching.amend(order, new, self._trading.seen(order.market))
        return {"amend_id": txid("T", f"amend|{order_txid(order)}|{now}")}

    def edit(self, params: Params, now: int) -> object:
        """Cancel an order and place another in its stead, which has another id and no name."""
        order = self._open(params)
        if order.client_id:
            raise given.invalid("cl_ord_id")
        given.check_deadline(params, now)
        pair = self.pair(given.required(params, "pair"))
        first, second = given.number(params, "price"), given.number(params, "price2")
        is_stop = bool(order.stop)
        price = (second if is_stop else first) or order.price or None
        stop = (first if is_stop else None) or order.stop or None
        new = given.changed_order(order, given.number(params, "volume") or order.quantity, price, stop)
        self._check_mode(new)
        self._charge(order, 1 + points_by_age(now - order.created, EDIT_POINTS), now)
        self._matching.check(new, self._trading.seen(order.market))
        self._matching.cancel(order, now)
        made = self._matching.place(new, self._trading.seen(order.market))
        return {
            "status": "ok",
            "txid": order_txid(made),
            "originaltxid": order_txid(order),
            "volume": f"{made.quantity:.8f}",
            "price": f"{made.price:f}",
            "orders_cancelled": 1,
            "descr": {"order": wire.sentence(self._matching.draft(new, now), pair)},
        }

    def cancel(self, params: Params, now: int) -> object:
        """Cancel one order, or all of a user reference."""
        name = params.get("txid", "")
        if name.isdecimal():
            chosen = [one for one in self._matching.open_orders() if one.userref == name]
            if not chosen:
                raise refused("EOrder:Unknown order")
        else:
            chosen = [self._open(params)]
        for order in chosen:
            self._charge(order, points_by_age(now - order.created, CANCEL_POINTS), now)
            self._matching.cancel(order, now)
        return {"count": len(chosen)}

    def cancel_all(self, params: Params, now: int) -> object:
        """Cancel all open orders, whatever their pair."""
        del params
        return {"count": self.cancel_everything(now)}

    def cancel_after(self, params: Params, now: int) -> object:
        """Arm the dead-man's switch, or disarm it with 0."""
        wait = given.whole(params, "timeout", -1) if "timeout" in params else -1
        if not 0 <= wait <= LONGEST_TIMEOUT:
            raise given.invalid("timeout")
        self.cancels_at = now + wait * 1000 if wait else None
        then = wire.stamp(self.cancels_at) if self.cancels_at is not None else "0"
        return {"currentTime": wire.stamp(now), "triggerTime": then}

    def cancel_everything(self, now: int) -> int:
        """Cancel all open orders and return how many; the dead-man's switch is off then."""
        self.cancels_at = None
        orders = self._matching.open_orders()
        for order in orders:
            self._matching.cancel(order, now)
        return len(orders)

    def _open(self, params: Params) -> SimOrder:
        name, client_id = params.get("txid", ""), given.client_id(params)
        if not name and not client_id:
            raise given.invalid("txid")
        for order in self._matching.open_orders():
            if name == order_txid(order) or (client_id and client_id == order.client_id):
                return order
        raise refused("EOrder:Unknown order")

    def _charge(self, order: SimOrder, points: int, now: int) -> None:
        self._gate.charge_engine(self._by_symbol[order.market.symbol].id, points, now)

    def _check_mode(self, new: NewOrder) -> None:
        taken = REFUSING[self._status()]
        if taken is not None and new.kind not in taken:
            raise refused(f"EService:Market in {self._status()} mode")
