"""Who may look at the page and who may give commands: decided from what a request says, before all else."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names of this machine; on them the page needs no password, since nobody else can reach it."""

FREE, APART = 5, 1.0
"""So many wrong passwords and tokens of a visitor are looked at as they come; then one in so many seconds."""
MOST = 10_000
"""Visitors whose wrong ones are counted; of more, those whose last is longest ago are forgotten."""
_HOST = re.compile(r"(\[::1\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?", re.ASCII)
NOT_OURS = "the token is not the page's"
TOO_OFTEN = "too many wrong passwords or tokens: wait a second, then try again"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Of every answer: a page that runs no code but its own, talks to nobody else and is shown in no frame."""


class Keys(NamedTuple):
    """What is asked of a visitor; blank: nothing is."""

    password: str = ""
    token: str = ""
    """Without one nobody gives commands."""


class Tries:
    """Wrong passwords and tokens of each visitor, so that nobody tries thousands, nor keeps others out by it.

    A right one is not looked at either while it is closed: otherwise trying would still tell which is right.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}

    def is_closed(self, address: str) -> bool:
        """Tell whether no password and no token from an address is looked at now."""
        wrong, open_at = self._wrong.get(_visitor(address), (0, 0.0))
        return wrong >= FREE and self._clock() < open_at

    def count_wrong(self, address: str) -> None:
        """Count a wrong one from an address."""
        visitor = _visitor(address)
        wrong, _ = self._wrong.pop(visitor, (0, 0.0))
        if len(self._wrong) >= MOST:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[visitor] = wrong + 1, self._clock() + APART


def _visitor(address: str) -> str:
    """Return who is behind an address: of IPv6 a whole network, for each has as many as it likes."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or int(found) >> 64)


def host_of(headers: Mapping[str, str]) -> str:
    """Return what a request says in its Host header, blank when there is none."""
    # Of a request without one aiohttp says this machine's own name, which it did not ask for.
    return headers.get("Host", "")


def may_look(host: str, headers: Mapping[str, str], keys: Keys) -> str:
    """Return why a request is not answered, blank when it is.

    On this machine the name in the address must be this machine's: otherwise a page from elsewhere, whose
    name was pointed here, could read the account.
    """
    if keys.password:
        return "" if _same(_password_of(headers), keys.password) else "the password is wanted"
    return "" if _is_here(host) else "this page is for this machine alone"


def may_command(host: str, headers: Mapping[str, str], keys: Keys) -> str:
    """Return why a command is not taken, blank when it is."""
    if not keys.token:
        return "the page is for looking only: start it with HOT_CRYPTO_DASHBOARD_TOKEN set"
    if headers.get("Origin", "") not in (f"http://{host}", f"https://{host}"):
        return "the command came from another page"
    kind, _, given = headers.get("X-Dashboard-Token", "").partition(" ")
    return "" if kind == "Bearer" and _same(given, keys.token) else NOT_OURS


def _is_here(host: str) -> bool:
    """Tell whether a Host header is a name of this machine, with a port or without, and nothing else."""
    found = _HOST.fullmatch(host)
    return found is not None and found[1].strip("[]").lower() in LOCAL


def _password_of(headers: Mapping[str, str]) -> str:
    kind, _, text = headers.get("Authorization", "").partition(" ")
    try:
        plain = base64.b64decode(text, validate=True).decode() if kind == "Basic" else ""
    except ValueError:
        # It is not base64, not even ASCII, or no text when it is decoded.
        return ""
    return plain.partition(":")[2]


def _same(given: str, wanted: str) -> bool:
    # As long for a near miss as for any other.
    # Bytes of a header that are no text come as lone surrogates.
    return hmac.compare_digest(given.encode(errors="surrogatepass"), wanted.encode(errors="surrogatepass"))
