"""The gate in front of real money: closed but for whoever gave all confirmations (core.cli.real_money).

Whoever opens an account passes it, and behind it the client itself signs for no address but the one that a
person wrote out.
"""

from __future__ import annotations

from core.errors import UsageError
from core.exchange_client import ExchangeClient
from core.live.modes import AT_EXCHANGE, REAL_MONEY


def refuse_real_money(orders: str, client: ExchangeClient | None, *, is_meant: bool = False) -> None:
    """Raise UsageError for orders that would go where money may be real, unless a person meant it."""
    if orders != AT_EXCHANGE or client is None:
        return
    permission = client.permission
    if not permission.addresses:
        raise UsageError(
            f"--orders exchange is for a local exchange or a test network: {client.name}: it has "
            f"{permission.refusal}; real money is traded with --live (docs/live.md)"
        )
    if (permission.network == REAL_MONEY) is not is_meant:
        raise UsageError(
            f"{client.name}: orders would go to {permission.network}, and "
            f"{'--live is for real money alone' if is_meant else 'real money was not meant: use --live'}"
        )
