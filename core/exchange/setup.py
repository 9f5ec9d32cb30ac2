"""Preparing a ccxt exchange object: one way out, no talkative log, another address."""

from __future__ import annotations

import logging
import os
from decimal import Decimal
from typing import Any

from core.errors import UnsupportedError
from core.exchange.permission import Called
from core.exchange.transport import Transport
from core.exchange.urls import Address, address_of, check_below, is_host_of, leaves, parse_base, point_at


def send_through(exchange: Any, transport: Transport) -> None:
    """Make a transport the only way out, and keep key and signature out of debug logs."""
    # No proxy and no password file of the environment may touch a request.
    exchange.session.trust_env = False
    exchange.session.mount("http://", transport)
    exchange.session.mount("https://", transport)
    exchange.logger = logging.Logger("ccxt.silent", logging.CRITICAL + 1)
    # Adding it twice does nothing.
    logging.getLogger("urllib3.connectionpool").addFilter(without_queries)


def send_plain_digits(exchange: Any) -> None:
    """Let amounts and prices leave as they were handed over, as text.

    With exact numbers ccxt does not see that a market has a precision, and sends a float: 0.00002 leaves as
    2e-05, which Binance refuses.
    """
    # Elsewhere ccxt computes with what this returns: whether a time is on a candle's grid, for one.
    if exchange.number is Decimal:
        exchange.parse_to_numeric = exchange.number_to_string


def without_queries(record: logging.LogRecord) -> bool:
    """Cut what stands behind a `?` from a log line's texts, and let the line pass."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


def addresses_of(exchange: Any, domain: str | None) -> tuple[Address, ...]:
    """Return the addresses that an exchange object calls now, each once, in ccxt's order.

    With a domain only those in it: the others are never called.
    """
    urls = (exchange.implode_hostname(url) for url in leaves(exchange.urls["api"]))
    kept = (url for url in urls if domain is None or is_host_of(url, domain))
    return tuple(dict.fromkeys(address for url in kept if (address := address_of(url))))


def enter_sandbox(exchange: Any, objection: str, base: str | None) -> None:
    """Switch to the venue's test network.

    Raises UnsupportedError when it has none, when `objection` says why it must not be used, and with a
    base URL, because the switch changes hosts.
    """
    why = objection or ("" if exchange.urls.get("test") else "ccxt knows no test network of it")
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
    # Binance's classes find their table of spot errors by the real host's address.
    if not hasattr(exchange, "get_exceptions_by_url"):
        return
    for kind, table in exchange.exceptions["spot"].items():
        exchange.exceptions[kind] = {**exchange.exceptions[kind], **table}


def prepare(exchange: Any, domain: str | None, objection: str, base: str | None, *, sandbox: bool) -> Called:
    """Point an exchange object at where it is to go, and return what it calls.

    `objection` says why its sandbox must not be used. Raises UnsupportedError for one that cannot be.
    """
    send_plain_digits(exchange)
    real = addresses_of(exchange, domain)
    if sandbox:
        enter_sandbox(exchange, objection, base)
    if base is not None:
        redirect(exchange, base)
    now = addresses_of(exchange, domain if base is None else None)
    return Called(exchange.id, now, real, sandbox)


def made_by(source: str) -> str:
    """Return what is put behind a label for candles that a local exchange made up or read from storage."""
    return "synthetic" if source == "synthetic" else "replay"


def named(text: str | None, variable: str) -> str:
    """Return what was said, or what a variable of the environment says, blank when neither is there."""
    return text if text is not None else os.environ.get(variable, "")


def base_of(text: str | None) -> str | None:
    """Return the base URL that was said or that the environment names. Raises SettingsError for no URL."""
    said = named(text, "EXCHANGE_BASE_URL")
    return parse_base(said) if said else None
