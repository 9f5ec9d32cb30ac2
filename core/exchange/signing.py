"""Telling a signed request from a public one: what is not surely public counts as signed.

It goes by names, because every exchange that ccxt knows puts key and signature into headers, query or body
under a name that says so: a test signs every call of many of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

_TELLING = re.compile(
    r"key|sign|auth|token|secret|passphrase|password|nonce|cookie|account|hmac|jwt", re.IGNORECASE
)
_NAME = re.compile(r"""(?:^|[?&{,])\s*["']?([\w.\-\[\]]+)["']?\s*[=:]""")
"""What stands before a `=` in a query or a form, before a `:` in JSON."""


class Leaving(NamedTuple):
    """One request as it is about to leave."""

    method: str
    url: str
    headers: Mapping[str, object]
    body: object = None
    """Text, bytes or nothing; what cannot be looked into counts as signed."""


def mark_of(request: Leaving, keys: Sequence[str] = (), public_posts: Sequence[str] = ()) -> str:
    """Return what makes a request a signed one, blank for one that is surely public.

    `keys` are key and secret, which may stand nowhere in it. `public_posts` are the ends of those paths to
    which a venue wants public questions posted.
    """
    if isinstance(request.body, bytes):
        request = request._replace(body=request.body.decode("latin-1"))
    if not isinstance(request.body, str | None):
        return "a body that cannot be read"
    return _name_in(request) or _key_in(request, keys) or _form_of(request, public_posts)


def _name_in(request: Leaving) -> str:
    for name in request.headers:
        if _TELLING.search(name):
            return f"header {name}"
    for text in (urlsplit(request.url).query, str(request.body or "")):
        for name in _NAME.findall(unquote_plus(text)):
            if _TELLING.search(name):
                return f"parameter {name}"
    return ""


def _key_in(request: Leaving, keys: Sequence[str]) -> str:
    text = "\n".join(map(str, (request.url, request.body, *request.headers.values())))
    plain = unquote_plus(text)
    return "the key" if any(key and (key in text or key in plain) for key in keys) else ""


def _form_of(request: Leaving, public_posts: Sequence[str]) -> str:
    method = request.method.upper()
    if method == "POST" and urlsplit(request.url).path.endswith(tuple(public_posts)):
        return ""
    if method not in ("GET", "HEAD"):
        return f"method {method}"
    return "a body" if request.body else ""
