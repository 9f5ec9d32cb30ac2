"""What an account's limits mean for its strategies, for a person: said at start and in the status."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.risk.limits import Limits, MarketDemands
from core.sizing import Sizing, is_staked, stake_of
from core.symbols import is_same_money


def notes(
    limits: Limits,
    sizings: Mapping[str, Sizing],
    markets: Mapping[str, MarketDemands],
    equity: float,
    quote: str = "USDT",
) -> list[str]:
    """Return which limits cut which strategies' entries, and which hold nobody or leave no room for any.

    `quote` is the currency that the account counts in.
    """
    counts = is_same_money(quote, limits.min_notional_currency)
    least = [float(market.min_notional or 0) for market in markets.values()]
    smallest = max([limits.min_notional or 0.0 if counts else 0.0, *least])
    idle = [] if counts or limits.min_notional is None else [_idle(limits, quote)]
    cuts = [*_risk(limits, sizings), *_stakes(limits, sizings, quote), *_cuts(limits, sizings, equity)]
    cuts += _order(limits, smallest, quote)
    return [*idle, *cuts, *_never(limits, smallest, equity), *_too_small(sizings, smallest, equity)]


def _idle(limits: Limits, quote: str) -> str:
    currency = limits.min_notional_currency
    return (
        f"risk.min_notional counts in {currency}, nothing is priced in it here: it limits no entry; for one "
        f"that does set risk.min_notional_currency to {quote}, and risk.min_notional to an amount of it"
    )


def _risk(limits: Limits, sizings: Mapping[str, Sizing]) -> Iterator[str]:
    most = limits.max_risk_per_trade
    if most is None:
        return
    yield f"risk.max_risk_per_trade: no entry risks more than {100 * most:g} % of equity at its stop"
    for name, sizing in sizings.items():
        wanted = max(sizing.risk_per_trade, sizing.kelly_cap)
        if wanted > most and not is_staked(sizing):
            yield f"{name} asks for {100 * wanted:g} % of equity at risk and gets {100 * most:g} %"


def _stakes(limits: Limits, sizings: Mapping[str, Sizing], quote: str) -> Iterator[str]:
    for name, sizing in sizings.items():
        if not is_staked(sizing):
            continue
        part = [f"{100 * sizing.stake:g} % of equity"] if sizing.stake > 0 else []
        money = [f"{sizing.stake_money:,.8g} {quote}"] if sizing.stake_money > 0 else []
        most = limits.max_risk_per_trade
        loss = (
            "whatever its stop" if most is None else f"less where its stop would lose over {100 * most:g} %"
        )
        yield f"{name} stakes {', at most '.join([*part, *money])} on a whole entry, {loss}"


def _cuts(limits: Limits, sizings: Mapping[str, Sizing], equity: float) -> Iterator[str]:
    key, most = min(_rooms(limits).items(), key=lambda room: room[1])
    for name, sizing in sizings.items():
        if (held := 100 * _most_held(sizing, equity)) > most:
            yield (
                f"{name} may hold {held:.4g} % of equity, risk.{key} leaves {most:g} %: "
                "larger entries are cut"
            )


def _most_held(sizing: Sizing, equity: float) -> float:
    """Return the largest part of equity that a strategy holds of a symbol."""
    if not (is_staked(sizing) and equity > 0):
        return sizing.max_exposure
    return min(sizing.max_exposure, stake_of(equity, sizing) / equity)


def _too_small(sizings: Mapping[str, Sizing], smallest: float, equity: float) -> Iterator[str]:
    for name, sizing in sizings.items():
        if is_staked(sizing) and (stake := stake_of(equity, sizing)) < smallest:
            yield f"{name} stakes {stake:,.8g}; the smallest order is {smallest:,.8g}: it enters nothing"


def _order(limits: Limits, smallest: float, quote: str) -> Iterator[str]:
    most = limits.max_order
    if most is None:
        return
    yield f"risk.max_order: no entry is larger than {most:,.8g} {quote}"
    if most < smallest:
        yield f"the smallest order is {smallest:,.8g} {quote}, risk.max_order is less: nothing can be entered"


def _never(limits: Limits, smallest: float, equity: float) -> Iterator[str]:
    """Yield the limits that leave less than the smallest order, whatever is decided."""
    for key, most in _rooms(limits).items():
        room = most / 100 * equity
        if room <= 0 or room < smallest:
            named = "" if key == "equity" else f", risk.{key} leaves {most:g} % of it, {room:,.8g}"
            yield (
                f"equity is {equity:,.8g}{named}; the smallest order is {smallest:,.8g}: "
                "nothing can be entered"
            )


def _rooms(limits: Limits) -> dict[str, float]:
    """Return the percent of equity that each limit leaves an empty account."""
    reserve = limits.cash_reserve_pct or 0.0
    rooms = {
        "max_exposure_pct": limits.max_exposure_pct,
        "max_symbol_exposure_pct": limits.max_symbol_exposure_pct,
        "max_strategy_exposure_pct": limits.max_strategy_exposure_pct,
        "max_position_pct": limits.max_position_pct,
        "max_correlated_exposure_pct": limits.max_correlated_exposure_pct,
        "cash_reserve_pct": 100.0 - reserve if reserve else None,
        "equity": 100.0,
    }
    return {key: most for key, most in rooms.items() if most is not None}
