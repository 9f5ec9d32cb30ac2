"""Who fills an account's orders, and how a run is called by that."""

from __future__ import annotations

ON_PAPER, AT_EXCHANGE = "paper", "exchange"
"""Who fills an account's orders."""
REAL_MONEY = "real money"
"""How a run is called, and a network, where money is real."""
NETWORKS = {"loopback": "local exchange"}
"""How a run is called whose orders go to a network (core.exchange.permission), where not by its own name."""
OLD = "live"
"""What programs of before 2026-12 called all runs that were not on paper; none of them traded real money."""


def mode_of(orders: str, network: str) -> str:
    """Return how a run is called: by what fills its orders, as `real money` where that is what is traded."""
    return NETWORKS.get(network, network) if orders == AT_EXCHANGE else ON_PAPER


def mode_text(mode: str) -> str:
    """Return a stored run's mode for a person."""
    return "local exchange or test network" if mode == OLD else mode


def orders_of(mode: str) -> str:
    """Return who fills the orders of a stored run, as commands to type say it."""
    return mode if mode in (ON_PAPER, REAL_MONEY) else AT_EXCHANGE
