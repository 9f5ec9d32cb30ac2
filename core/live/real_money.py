"""The gate in front of real money, which is closed: orders go to paper, a test network or the local exchange.

Whoever opens an account passes it, and behind it the client itself signs for no other address. Live trading
will open it here, for what its three confirmations name, and nowhere else.
"""

from __future__ import annotations

from core.errors import UsageError
from core.exchange_client import ExchangeClient
from core.live.modes import AT_EXCHANGE


def refuse_real_money(orders: str, client: ExchangeClient | None) -> None:
    """Raise UsageError for orders that would go where money may be real."""
    if orders != AT_EXCHANGE or client is None or client.permission.addresses:
        return
    raise UsageError(
        f"trading real money is not offered yet: {client.name}: --orders exchange has "
        f"{client.permission.refusal}"
    )
