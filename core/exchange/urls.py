"""Pointing an exchange class at another base URL, and proving that nothing points elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from core.errors import SettingsError, UnsupportedError


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
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and not (parts.query or parts.fragment or "@" in parts.netloc)


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
    head = base.replace("http", "ws", 1) if url.startswith("ws") else base
    return url == head or url.startswith((head + "/", head + "?"))


def is_host_of(url: str, domain: str) -> bool:
    """Return whether a URL's host is this domain or one of its subdomains."""
    host = urlsplit(url).hostname or ""
    return host == domain or host.endswith("." + domain)


def check_below(tree: object, base: str) -> None:
    """Raise UnsupportedError when a URL in a tree does not go to the base."""
    strays = [url for url in leaves(tree) if not is_below(url, base)]
    if strays:
        raise UnsupportedError(
            f"{strays[0]} cannot be served by {base}: the base URL does not fit this exchange"
        )
