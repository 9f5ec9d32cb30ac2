"""Preparing a ccxt exchange object: one way out, no talkative log, another address."""

from __future__ import annotations

import logging
from typing import Any

from core.errors import UnsupportedError
from core.exchange_transport import Transport
from core.exchange_urls import check_below, point_at


def send_through(exchange: Any, transport: Transport) -> None:
    """Make a transport the only way out, and silence the debug lines that show key and signature."""
    exchange.session.mount("http://", transport)
    exchange.session.mount("https://", transport)
    exchange.logger = logging.Logger("ccxt.silent", logging.CRITICAL + 1)


def enter_sandbox(exchange: Any, objection: str, base: str | None) -> None:
    """Switch to the venue's test network.

    Raises UnsupportedError when it has none, when `objection` says why it must not be used, and with a
    base URL, because the switch changes hosts.
    """
    why = objection or ("" if "test" in exchange.urls else "ccxt knows no test network of it")
    if base is not None:
        why = "a base URL is set, and a sandbox has addresses of its own"
    if why:
        raise UnsupportedError(
            f"{exchange.id} cannot be used as a sandbox: {why}; set exchange.sandbox to false"
        )
    exchange.set_sandbox_mode(True)


def redirect(exchange: Any, base: str) -> None:
    """Point every address of an exchange at a base URL.

    Raises UnsupportedError when one of them would still go elsewhere.
    """
    exchange.urls["api"] = point_at(exchange.urls["api"], base)
    check_below(exchange.urls["api"], base)
    _restore_error_tables(exchange)


def _restore_error_tables(exchange: Any) -> None:
    # ccxt finds Binance's table of spot errors by the real host's address.
    for kind in ("exact", "broad"):
        table = exchange.exceptions.get("spot", {}).get(kind, {})
        exchange.exceptions[kind] = {**exchange.exceptions.get(kind, {}), **table}
