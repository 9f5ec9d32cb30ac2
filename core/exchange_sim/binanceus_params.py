"""Binance.US parameter checks: the codes and sentences the venue answers wrong requests with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from core.exchange_sim.candles import DAY, HOUR, MINUTE, Interval
from core.exchange_sim.feed import LATEST
from core.exchange_sim.markets import SimMarket
from core.exchange_sim.venue import RequestRefused
from core.utils import grid_start

INTERVALS = {
    **{f"{count}m": Interval(count * MINUTE) for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": Interval(count * HOUR) for count in (1, 2, 4, 6, 8, 12)},
    "1d": Interval(DAY),
    "3d": Interval(3 * DAY),
    "1w": Interval(7 * DAY, grid_start(7 * DAY)),
    "1M": Interval(0),
}
SYMBOL_FORM = "^[A-Z0-9-_.]{1,20}$"
NUMBER_FORM = "^[0-9]{1,20}$"

Params = Mapping[str, str]


def check_names(params: Params, allowed: tuple[str, ...]) -> None:
    """Refuse parameters the path does not know, and empty ones."""
    known = sum(name in allowed for name in params)
    if params and not allowed:
        raise RequestRefused(-1101, f"Too many parameters; expected '0' and received '{len(params)}'.")
    if known < len(params):
        raise RequestRefused(
            -1104,
            f"Not all sent parameters were read; read '{known}' parameter(s) but was sent '{len(params)}'.",
        )
    for name, value in params.items():
        if not value:
            raise RequestRefused(-1105, f"Parameter '{name}' was empty.")


def required(params: Params, name: str) -> str:
    """Return a mandatory parameter."""
    if name not in params:
        raise RequestRefused(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return params[name]


def whole(params: Params, name: str) -> int | None:
    """Return an optional whole number."""
    text = params.get(name)
    if text is None:
        return None
    if not re.fullmatch(NUMBER_FORM, text):
        raise illegal(name, NUMBER_FORM)
    return min(int(text), LATEST)


def limit(params: Params, default: int, most: int) -> int:
    """Return the row limit; larger ones are cut to `most`, as the venue does."""
    given = whole(params, "limit")
    if given == 0:
        raise RequestRefused(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(given or default, most)


def interval(params: Params) -> Interval:
    """Return the mandatory candle interval."""
    name = required(params, "interval")
    if name not in INTERVALS:
        raise RequestRefused(-1120, "Invalid interval.")
    return INTERVALS[name]


def market(params: Params, markets: Mapping[str, SimMarket]) -> SimMarket:
    """Return the market of the mandatory `symbol`."""
    return _known(required(params, "symbol"), "symbol", markets)


def chosen(params: Params, markets: Mapping[str, SimMarket]) -> list[SimMarket] | SimMarket:
    """Return the one market of `symbol`, those of `symbols`, or all."""
    if "symbol" in params and "symbols" in params:
        raise RequestRefused(-1128, "Combination of optional parameters invalid.")
    if "symbol" in params:
        return market(params, markets)
    if "symbols" not in params:
        return list(markets.values())
    return [_known(name, "symbols", markets) for name in _names(params["symbols"])]


def count_chosen(params: Params) -> int | None:
    """Return how many symbols a request names; None for all. Never refuses: it only sets the weight."""
    if "symbols" in params:
        return params["symbols"].count(",") + 1
    return 1 if "symbol" in params else None


def illegal(name: str, form: str) -> RequestRefused:
    """Return the refusal of a parameter that does not have its form."""
    return RequestRefused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{form}'.")


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise illegal("symbols", r'^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$')
    return names


def _known(name: str, parameter: str, markets: Mapping[str, SimMarket]) -> SimMarket:
    if not re.fullmatch(SYMBOL_FORM, name):
        raise illegal(parameter, SYMBOL_FORM)
    if name not in markets:
        raise RequestRefused(-1121, "Invalid symbol.")
    return markets[name]
