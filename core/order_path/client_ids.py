"""Names of orders: the same intent has the same name after every crash."""

from __future__ import annotations

import hashlib
import re

from core.errors import UsageError

NAME_FORM = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def client_order_id(account: str, instance: str, key: str, attempt: int) -> str:
    """Return 32 hex digits, a function of nothing but what is given.

    Neither account nor instance may contain `|`, so that no two orders share a text.
    """
    text = "|".join(("v1", account, instance, key, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def account_name(exchange: str, key: str) -> str:
    """Return a name for the account that an API key opens, from which the key cannot be read."""
    return f"{exchange}-{hashlib.sha256(f'{exchange}|{key}'.encode()).hexdigest()[:16]}"


def checked_name(what: str, name: str) -> str:
    """Return the name of an account or instance. Raises UsageError for one of another form."""
    if not NAME_FORM.fullmatch(name):
        raise UsageError(f"{what} {name!r}: wanted 1 to 64 letters, digits, dots, - or _")
    return name
