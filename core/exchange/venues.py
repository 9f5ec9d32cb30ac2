"""What this program knows about single exchanges beyond what ccxt says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from core.exchange.binance_orders import BinanceOrders
from core.exchange.calls import Caller
from core.exchange.dialects import OrderDialect
from core.exchange.engine_counter import KRAKEN_ENGINE, EngineLimits
from core.exchange.kraken_orders import KrakenOrders, always_sent
from core.exchange.order_rules import ANY_NAMES, KRAKEN_NAMES, OrderNames
from core.exchange.rate_limit import (
    BINANCEUS_BUDGETS,
    KRAKEN_BUDGETS,
    Budget,
    CallCosts,
    binanceus_costs,
    kraken_costs,
)
from core.exchange.stop_rules import StopTraits


def _no_costs(_method: str, _url: str) -> CallCosts:
    return {}


class VenueTraits(NamedTuple):
    """One exchange's peculiarities."""

    domain: str | None = None
    """The only domain its requests may go to; None when ccxt's own addresses are trusted."""
    budgets: tuple[Budget, ...] = ()
    """Its real limits, where ccxt's throttle is wrong; then they replace it."""
    costs: Any = _no_costs
    """Takes method and URL, returns Costs."""
    number: type = float
    """What ccxt makes of numbers; exact decimals where its class is known to bear them."""
    keeps: int | None = None
    """It serves only so many of the newest candles, the one in progress included."""
    other_grids: Mapping[str, str] = MappingProxyType({})
    """Timeframes whose bars open at other times than here, to what to do instead."""
    no_sandbox: str = ""
    """Why ccxt's sandbox mode must not be used."""
    journal: Callable[[Any, Caller], OrderDialect] | None = None
    """Makes what an order journal needs of one ccxt exchange; None where there is nothing for it yet."""
    always_sent: Callable[[int], Mapping[str, str]] = lambda _: {}
    """Takes the exchange's time, ms UTC; returns what every order carries unless it says otherwise."""
    stops: StopTraits | None = None
    """Stops that rest there; None where none are known to do what they say."""
    engine: EngineLimits | None = None
    """What it counts of the orders in one symbol; None where it does not, or gives room enough."""
    has_modes: bool = False
    """Whether it says of itself that its market takes cancels and no orders now."""
    names: OrderNames = ANY_NAMES
    """How orders may be called, and what else may be said of them."""
    options: Mapping[str, Any] = MappingProxyType({})
    """ccxt options."""
    public_posts: tuple[str, ...] = ()
    """Ends of the paths to which public questions are posted, without a signature; elsewhere they are got."""


_SPOT_ONLY: Mapping[str, Any] = MappingProxyType(
    {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchOpenOrders": {"warnWithoutSymbol": False},
        # Binance refuses an order that arrives later than this: the shorter, the sooner its fate is known.
        "recvWindow": 5000,
    }
)

_STOP_LIMIT = StopTraits("stop_limit", "STOP_LOSS_LIMIT")
"""Binance.US has no stop that sells at the market."""
_VENUES: Mapping[str, VenueTraits] = MappingProxyType(
    {
        "binanceus": VenueTraits(
            # ccxt sends some calls of this class to binance.com, signed with the Binance.US key.
            domain="binance.us",
            budgets=BINANCEUS_BUDGETS,
            costs=binanceus_costs,
            no_sandbox="Binance.US has none; ccxt would switch to the test networks of binance.com",
            number=Decimal,
            journal=BinanceOrders,
            stops=_STOP_LIMIT,
            options=_SPOT_ONLY,
        ),
        "binance": VenueTraits(number=Decimal, journal=BinanceOrders, stops=_STOP_LIMIT, options=_SPOT_ONLY),
        # With decimals ccxt cannot read Kraken's markets: it takes their precisions for missing.
        "kraken": VenueTraits(
            keeps=720,
            other_grids={"1w": "its weeks start on Thursdays, here they do on Mondays: take 1d"},
            budgets=KRAKEN_BUDGETS,
            costs=kraken_costs,
            journal=KrakenOrders,
            always_sent=always_sent,
            # Its counter runs down by one question in three seconds.
            stops=StopTraits("stop", "stop-loss", can_change=True, look_ms=10_000, list_from=2),
            engine=KRAKEN_ENGINE,
            has_modes=True,
            names=KRAKEN_NAMES,
        ),
        "blockchaincom": VenueTraits(no_sandbox="ccxt would switch to the test network of another exchange"),
        "cex": VenueTraits(
            public_posts=(
                *("/rest-public/get_server_time", "/rest-public/get_pairs_info", "/rest-public/get_candles"),
                *("/rest-public/get_currencies_info", "/rest-public/get_processing_info"),
                "/rest-public/get_ticker",
            )
        ),
        "derive": VenueTraits(
            public_posts=(
                *("/public/get_time", "/public/get_all_instruments", "/public/get_all_currencies"),
                *("/public/get_ticker", "/public/get_tradingview_chart_data"),
                "/public/get_index_chart_data",
            )
        ),
        "grvt": VenueTraits(
            public_posts=tuple(
                f"/full/v1/{name}" for name in ("all_instruments", "currency", "kline", "ticker")
            )
        ),
        "hyperliquid": VenueTraits(public_posts=("/info",)),
        "nado": VenueTraits(public_posts=("/query", "/v1")),
        "zebpay": VenueTraits(public_posts=("/v1/market/klines",)),
    }
)


def venue_of(name: str) -> VenueTraits:
    """Return what is known of a ccxt exchange id; a plain Venue for most."""
    return _VENUES.get(name, VenueTraits())
