"""Pointing an exchange class at another base URL, and proving that nothing points elsewhere.

Addresses are compared part by part, never by how a text begins, and no name is looked up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from core.errors import SettingsError, UnsupportedError

_PORTS = {"http": 80, "https": 443}
_ODD = re.compile(r"[^!-\[\]-~]")
"""Blanks, control characters, a backslash and everything that is not ASCII: parsers disagree about them."""


class Address(NamedTuple):
    """Where a request goes."""

    scheme: str
    """http or https."""
    host: str
    """In lower case."""
    port: int

    def __str__(self) -> str:
        """Return it as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def address_of(url: str) -> Address | None:
    """Return the address in a URL; None for one that is not plain, has a user in it or is not of the web.

    WebSocket addresses are those of the web server they begin at.
    """
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    if _ODD.search(authority) or "@" in authority:
        return None
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.replace("ws", "http"), parts.hostname, parts.port
    except ValueError:
        return None
    if scheme not in _PORTS or not host or port == 0:
        return None
    return Address(scheme, host, port or _PORTS[scheme])


def is_loopback(address: Address) -> bool:
    """Return whether an address is on this machine; `localhost` is the only name that counts as such."""
    try:
        return ipaddress.ip_address(address.host.partition("%")[0]).is_loopback and "%" not in address.host
    except ValueError:
        return address.host == "localhost"


def parse_base(text: str) -> str:
    """Return the base URL without its trailing slash.

    Raises SettingsError unless it is `http[s]://host[:port][/path]` without user, password and query.
    """
    if not _is_plain(text.strip()):
        # Not repeated: what stands before an @ may be a password.
        raise SettingsError(
            "the exchange's base URL cannot be used: wanted http://HOST:PORT or https://HOST without user, "
            "password and query, as in EXCHANGE_BASE_URL=http://127.0.0.1:8090"
        )
    return text.strip().rstrip("/")


def _is_plain(text: str) -> bool:
    if address_of(text) is None:
        return False
    parts = urlsplit(text)
    return parts.scheme in _PORTS and not (parts.query or parts.fragment)


def point_at(tree: object, base: str) -> object:
    """Return a copy of ccxt's `urls.api` in which every URL keeps its path and gets the base's host."""
    if isinstance(tree, dict):
        return {key: point_at(value, base) for key, value in tree.items()}
    if isinstance(tree, list):
        return [point_at(value, base) for value in tree]
    if isinstance(tree, str):
        parts = urlsplit(tree)
        head = base.replace("http", "ws", 1) if parts.scheme in ("ws", "wss") else base
        return head + parts.path
    return tree


def leaves(tree: object) -> Iterator[str]:
    """Yield every string in a tree of dicts and lists."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from leaves(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value)


def is_below(url: str, base: str) -> bool:
    """Return whether a URL is the base itself or something under it."""
    address, root = address_of(url), urlsplit(base).path
    if address is None or address != address_of(base):
        return False
    path = urlsplit(url).path
    return path == root or path.startswith(root + "/")


def is_host_of(url: str, domain: str) -> bool:
    """Return whether a URL's host is this domain or one of its subdomains."""
    address = address_of(url)
    host = address.host if address else ""
    return host == domain or host.endswith("." + domain)


def check_below(tree: object, base: str) -> None:
    """Raise UnsupportedError when a URL in a tree does not go to the base."""
    strays = [url for url in leaves(tree) if not is_below(url, base)]
    if strays:
        raise UnsupportedError(
            f"{strays[0]} cannot be served by {base}: the base URL does not fit this exchange"
        )
