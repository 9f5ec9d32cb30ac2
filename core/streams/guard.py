"""Where a stream may be dialled, checked before anything leaves: no other host, no REST, no redirect.

ccxt's classes know addresses of several houses: of Binance.US it sends the account's streams to binance.com.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from core.errors import UnsupportedError
from core.exchange.urls import Address, address_of, is_host_of, leaves
from core.streams.budget import DialBudget


@dataclass(frozen=True, slots=True)
class DialPermission:
    """To dial WebSockets of one venue at these addresses and no others."""

    venue: str
    addresses: frozenset[Address]

    def check(self, url: str) -> None:
        """Let a dial pass. Raises UnsupportedError for a foreign address or anything but a WebSocket."""
        address = address_of(url)
        # What stands behind the host may be a key.
        shown = address.host if address else "an address that cannot be read"
        if not url.startswith(("ws://", "wss://")):
            raise UnsupportedError(
                f"{self.venue}: a stream asked {shown} a question, and was stopped: it may only listen"
            )
        if address not in self.addresses:
            raise UnsupportedError(
                f"{self.venue}: a stream wanted to be dialled at {shown} and was stopped: "
                "only the exchange's own address is allowed"
            )


def dial_permission(venue: str, tree: object, domain: str | None, base: str | None) -> DialPermission:
    """Return where the WebSockets of a venue may be dialled.

    `tree` holds the addresses that ccxt has for them, `domain` the only one trusted (None: all of those),
    `base` the address that everything was pointed at (None: nothing was).
    """
    if base is not None:
        address = address_of(base)
        return DialPermission(venue, frozenset({address} if address else ()))
    own = (url for url in leaves(tree) if domain is None or is_host_of(url, domain))
    return DialPermission(venue, frozenset(address for url in own if (address := address_of(url))))


def guarded_session(
    permission: DialPermission, budget: DialBudget, trust: ssl.SSLContext | None = None
) -> aiohttp.ClientSession:
    """Return a session that dials where it is permitted, as often as the budget allows; call it in a loop."""
    trace = aiohttp.TraceConfig()

    async def on_start(
        _: aiohttp.ClientSession, __: SimpleNamespace, request: aiohttp.TraceRequestStartParams
    ) -> None:
        permission.check(str(request.url))
        if not budget.dial():
            raise UnsupportedError(f"{permission.venue}: too many connections were begun; not dialled")

    async def on_redirect(*_: Any) -> None:
        raise UnsupportedError(f"{permission.venue}: a stream was sent elsewhere, which is never followed")

    trace.on_request_start.append(on_start)
    trace.on_request_redirect.append(on_redirect)
    connector = aiohttp.TCPConnector(ssl=True if trust is None else trust)
    return aiohttp.ClientSession(connector=connector, trace_configs=[trace], trust_env=False)
