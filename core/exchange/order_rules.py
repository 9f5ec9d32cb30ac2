"""A market's order rules in exact decimals: rounding to tick and lot, smallest and largest order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

from core.account.money import plus, power_of_ten, times, to_step
from core.errors import ExchangeUnreachableError, OrderRefusedError
from core.exchange.errors import Attempt, unusable_order_answer

SIDES = ("buy", "sell")
ORDER_TYPES = ("market", "limit")


Precision = Literal["step", "places", "digits"]
"""A price or amount step, a number of decimal places, or of significant digits (rounded by ccxt)."""


class AllowedRange(NamedTuple):
    """Smallest and largest allowed value; None for no bound."""

    least: Decimal | None = None
    most: Decimal | None = None


class MarketRules(NamedTuple):
    """What an order on one market must satisfy."""

    symbol: str
    tick: Decimal | None
    """Price step, quote currency; None when the venue rounds by other rules."""
    lot: Decimal | None
    """Amount step, base units."""
    amount: AllowedRange = AllowedRange()
    market_amount: AllowedRange = AllowedRange()
    """A further bound on market orders."""
    price: AllowedRange = AllowedRange()
    cost: AllowedRange = AllowedRange()
    """Amount times price, quote currency."""


class Fitted(NamedTuple):
    """An order that satisfies its market's rules."""

    amount: Decimal
    price: Decimal | None
    """None for a market order."""


def exact(value: object) -> Decimal | None:
    """Return a number as the decimal it is written as; None for None, NaN and what is no number."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def checked_price(told: object, exchange: str, action: str) -> float:
    """Return a price that an exchange told. Raises ExchangeUnreachableError when it is none."""
    price = exact(told)
    if price is None or price <= 0:
        raise ExchangeUnreachableError(f"{exchange}: cannot {action}: it says {told!r}")
    return float(price)


def market_rules(market: Mapping[str, Any], precision: Precision = "step") -> MarketRules:
    """Return the rules in a ccxt market; `precision` says what its numbers of that name mean."""
    limits, steps = market.get("limits") or {}, market.get("precision") or {}

    def step(name: str) -> Decimal | None:
        value = exact(steps.get(name))
        if value is None or precision == "digits":
            return None
        return (power_of_ten(-int(value)) if precision == "places" else value) or None

    def span(name: str) -> AllowedRange:
        bounds = limits.get(name) or {}
        return AllowedRange(exact(bounds.get("min")), exact(bounds.get("max")))

    tick = exact((market.get("info") or {}).get("tick_size"))
    return MarketRules(
        market["symbol"],
        # Kraken's may be coarser than the decimals that ccxt reads.
        tick or step("price"),
        step("amount"),
        *map(span, ("amount", "market", "price", "cost")),
    )


def fit_order(rules: MarketRules, side: str, order_type: str, amount: object, price: object) -> Fitted:
    """Return amount and price as the venue takes them: amount down, buy price down, sell price up.

    Raises OrderRefusedError, naming the rule, when that cannot be a valid order.
    """
    _check_form(rules, side, order_type, price)
    wanted = _positive(rules, "amount", amount)
    size = _to_step(wanted, rules.lot)
    _within(rules, "amount", size, rules.amount)
    if order_type == "market":
        _within(rules, "market amount", size, rules.market_amount)
        return Fitted(size, None)
    limit = fit_price(rules, side, "price", price)
    _within(rules, "notional", times(size, limit), rules.cost)
    return Fitted(size, limit)


def fit_price(rules: MarketRules, side: str, name: str, value: object) -> Decimal:
    """Return a price as the venue takes it: a buyer's down, a seller's up to the tick.

    Raises OrderRefusedError, which calls it `name`, when that cannot be a valid price.
    """
    price = _to_step(_positive(rules, name, value), rules.tick, up=side == "sell")
    _within(rules, name, price, rules.price)
    return price


def fit_stops(rules: MarketRules, side: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order's further parameters with its stop prices as the venue takes them.

    Raises OrderRefusedError for one that cannot be a valid price.
    """
    fitted = {name: f"{fit_price(rules, side, name, params[name]):f}" for name in _STOPS if name in params}
    return {**params, **fitted}


def _check_form(rules: MarketRules, side: str, order_type: str, price: object) -> None:
    if side not in SIDES or order_type not in ORDER_TYPES:
        raise _refused(rules, f"side {side!r} with type {order_type!r}", "buy or sell, market or limit")
    if order_type == "limit" and price is None:
        raise _refused(rules, "a limit order without a price", "give the price")
    if order_type == "market" and price is not None:
        # ccxt would turn it into an order for amount * price of quote currency.
        raise _refused(rules, "a market order with a price", "leave the price out or use a limit order")


def _positive(rules: MarketRules, name: str, value: object) -> Decimal:
    number = exact(value)
    if number is None or number <= 0:
        raise _refused(rules, f"{name} {value}", f"the {name} must be a positive number")
    return number


def _to_step(value: Decimal, step: Decimal | None, *, up: bool = False) -> Decimal:
    if step is None:
        return value
    below = to_step(value, step)
    return plus(below, step) if up and below != value else below


def _within(rules: MarketRules, name: str, value: Decimal, span: AllowedRange) -> None:
    if value <= 0 or (span.least is not None and value < span.least):
        least = f"{span.least:f}" if span.least is not None else "one step"
        raise _refused(rules, f"{name} {value:f} after rounding", f"the smallest allowed is {least}")
    # A venue writes 0 for "no upper bound".
    if span.most and value > span.most:
        raise _refused(rules, f"{name} {value:f}", f"the largest allowed is {span.most:f}")


def _refused(rules: MarketRules, came: str, allowed: str) -> OrderRefusedError:
    return OrderRefusedError(f"{rules.symbol}: order refused before sending: {came}: {allowed}")


class OrderNames(NamedTuple):
    """How a venue lets orders be called, and what else may be said of them through ccxt."""

    form: str = r"[A-Za-z0-9_-]{1,36}"
    words: str = "1 to 36 letters, digits, - or _"
    params: tuple[str, ...] | None = None
    """Parameters that do there what they say; None where unknown ones are refused by the venue itself."""


ANY_NAMES = OrderNames()
KRAKEN_NAMES = OrderNames(
    r"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[A-Za-z0-9_-]{1,18}",
    "32 hex digits, a UUID, or 1 to 18 letters, digits, - or _",
    # Others, stopPrice and triggerPrice among them, are sent as fields that Kraken does not know and may take
    # for nothing: of a stop there is left an order at once.
    ("clientOrderId", "timeInForce", "postOnly", "stopLossPrice", "takeProfitPrice", "oflags", "deadline"),
)
"""Names of another form are refused; so are those that ccxt would send as something else."""
_RESENDING = "maxRetriesOnFailure"
_STOPS = ("stopLossPrice", "takeProfitPrice", "triggerPrice", "stopPrice")
_BY_COST = ("cost", "quoteOrderQty")


def checked_params(
    params: Mapping[str, Any] | None, new_id: str, names: OrderNames = ANY_NAMES
) -> dict[str, Any]:
    """Return an order's further parameters with its client order id, `new_id` when they name none.

    Raises OrderRefusedError for an id of another form and for parameters that change what is sent.
    """
    sent = {"clientOrderId": new_id, **(params or {})}
    client_id = sent["clientOrderId"]
    if not isinstance(client_id, str) or not re.fullmatch(names.form, client_id):
        raise OrderRefusedError(
            f"client order id {client_id!r}: order refused before sending: wanted {names.words}"
        )
    for name in _BY_COST:
        if name in sent:
            raise OrderRefusedError(
                f"parameter {name}: order refused before sending: give the amount instead"
            )
    refuse_resending(sent)
    strange = [name for name in sent if names.params is not None and name not in names.params]
    if strange:
        raise OrderRefusedError(
            f"parameter {strange[0]}: order refused before sending: the venue may take it for nothing; "
            f"wanted of {', '.join(names.params or ())}"
        )
    return sent


def refuse_resending(settings: Mapping[str, Any]) -> None:
    """Raise OrderRefusedError when ccxt was told to send again what failed: it would order twice."""
    for place in (settings, *(value for value in settings.values() if isinstance(value, Mapping))):
        for name in (_RESENDING, "default" + _RESENDING[0].upper() + _RESENDING[1:]):
            if place.get(name):
                raise OrderRefusedError(
                    f"{name} is {place[name]}: order refused before sending: an order whose answer was lost "
                    "would be placed again; set it to 0"
                )


def refuse_halted(market: Mapping[str, Any], venue: str) -> None:
    """Raise OrderRefusedError for a market in which the venue takes no orders."""
    if market.get("active") is False:
        raise OrderRefusedError(
            f"{market['symbol']}: order refused before sending: {venue} has halted trading in it"
        )


def check_confirmed(order: Any, attempt: Attempt, symbol: str, client_id: str) -> None:
    """Raise OrderUnknownError unless an answer confirms this very order with an id of the venue's."""
    if not isinstance(order, Mapping) or not order.get("id"):
        raise unusable_order_answer(attempt, "the answer carries no order id")
    for name, wanted in (("clientOrderId", client_id), ("symbol", symbol)):
        if order.get(name) not in (None, wanted):
            raise unusable_order_answer(attempt, f"the answer is about {name} {order[name]}")


def check_cancelled(order: Any, attempt: Attempt, order_id: str) -> None:
    """Raise OrderUnknownError unless an answer says something, and about this very order."""
    if not isinstance(order, Mapping) or not order.get("info"):
        raise unusable_order_answer(attempt, "the answer says nothing")
    # Some venues only count what they cancelled.
    if order.get("id") not in (None, order_id):
        raise unusable_order_answer(attempt, f"the answer is about order {order['id']}")


def check_cancelled_by_name(order: Any, attempt: Attempt, client_id: str) -> None:
    """Raise OrderUnknownError unless an answer says something, and about the order of this client id."""
    if not isinstance(order, Mapping) or not order.get("info"):
        raise unusable_order_answer(attempt, "the answer says nothing")
    named = order["info"].get("origClientOrderId")
    if named not in (None, client_id):
        raise unusable_order_answer(attempt, f"the answer is about order {named}")
