"""Names of orders: the same intent has the same name after every crash, and an account's begin alike.

So an order is known as the account's own where no journal knows it any more, for a backup was restored.
"""

from __future__ import annotations

import hashlib
import re

from core.errors import UsageError

NAME_FORM = re.compile(r"[A-Za-z0-9_.-]{1,64}")


SIGN_LENGTH = 8
"""Digits in which the names of all orders of an account are alike: by chance one of four billion would be."""
LENGTH = 32


def account_sign(account: str, instance: str) -> str:
    """Return what the names of all orders of an account begin with."""
    return _digits("v2", account, instance)[:SIGN_LENGTH]


def client_order_id(account: str, instance: str, key: str, attempt: int) -> str:
    """Return 32 hex digits, a function of nothing but what is given.

    Neither account nor instance may contain `|`, so that no two orders share a text.
    """
    own = _digits("v2", account, instance, key, str(attempt))
    return (account_sign(account, instance) + own)[:LENGTH]


def is_name_of(name: str, account: str, instance: str, key: str, attempt: int) -> bool:
    """Return whether an order is named as it should be, now or before names of an account began alike."""
    before = _digits("v1", account, instance, key, str(attempt))[:LENGTH]
    return name in (client_order_id(account, instance, key, attempt), before)


def _digits(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def account_name(exchange: str, key: str) -> str:
    """Return a name for the account that an API key opens, from which the key cannot be read."""
    return f"{exchange}-{hashlib.sha256(f'{exchange}|{key}'.encode()).hexdigest()[:16]}"


def checked_name(what: str, name: str) -> str:
    """Return the name of an account or instance. Raises UsageError for one of another form."""
    if not NAME_FORM.fullmatch(name):
        raise UsageError(f"{what} {name!r}: wanted 1 to 64 letters, digits, dots, - or _")
    return name
