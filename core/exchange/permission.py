"""Where signed requests may go: one frozen value, made in one place from what will really be called.

Nowhere, unless every address is on this machine (a local exchange), or the venue's own test network is
called, or a person has named a real address in so many words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from core.errors import NotPermittedError, UnsupportedError, UsageError
from core.exchange.signing import Leaving, mark_of
from core.exchange.urls import Address, address_of, is_loopback

Network = Literal["none", "loopback", "test network", "real money"]


class Called(NamedTuple):
    """The addresses of one exchange object, in ccxt's order."""

    venue: str
    now: tuple[Address, ...]
    """What it calls, after a switch to the test network or to a base URL."""
    real: tuple[Address, ...]
    """What it called before."""
    sandbox: bool
    """Whether it was switched to the test network."""


@dataclass(frozen=True, slots=True)
class Permission:
    """To sign requests of one venue for these addresses and no others."""

    venue: str
    network: Network
    addresses: frozenset[Address] = frozenset()
    refusal: str = ""
    """Why there is none and what to do; blank when there is one."""

    def covers(self, url: str) -> bool:
        """Return whether a signed request may go to this URL: scheme, host and port are named in it."""
        return address_of(url) in self.addresses


def permission_of(called: Called, real_money: str | None = None) -> Permission:
    """Return the permission that follows from the addresses called.

    `real_money` names the one real address that is meant. Raises UsageError when that is none of them.
    """
    if real_money is not None:
        return _named(called, real_money)
    if called.now and all(map(is_loopback, called.now)):
        return Permission(called.venue, "loopback", frozenset(called.now))
    if not called.sandbox:
        return Permission(called.venue, "none", refusal=_no_money(called))
    # Where a test network shares an address with real money, a header alone would tell them apart.
    own = frozenset(called.now) - frozenset(called.real)
    if own:
        return Permission(called.venue, "test network", own)
    why = f"its test network is at the address of real money, {called.now[0] if called.now else 'none'}"
    return Permission(
        called.venue, "none", refusal=f"no permission to sign requests: {why}; use a local exchange"
    )


def _named(called: Called, text: str) -> Permission:
    address = address_of(text)
    is_real = address in called.now and address in called.real and not called.sandbox
    if address is None or not is_real or address.scheme != "https":
        there = ", ".join(dict.fromkeys(str(one) for one in called.now if one in called.real)) or "none"
        raise UsageError(
            f"{called.venue}: real_money must name the https address of real money that is called, got "
            f"{text!r}: wanted one of {there}, or leave it out"
        )
    return Permission(called.venue, "real money", frozenset((address,)))


def _no_money(called: Called) -> str:
    first = called.now[0] if called.now else "its address"
    return (
        f"no permission to sign requests for {first}, where money may be real: use a local exchange "
        "(EXCHANGE_BASE_URL), the venue's test network (exchange.sandbox), or, in Python code that means it, "
        f'real_money="{first}"'
    )


@dataclass(frozen=True, slots=True)
class Guard:
    """What may leave: to which addresses at all, and to which with a signature."""

    permission: Permission
    is_allowed: Callable[[str], bool]
    keys: tuple[str, ...] = field(repr=False)
    public_posts: tuple[str, ...] = ()

    def check(self, request: Leaving) -> None:
        """Let a request pass.

        Raises UnsupportedError for a foreign address, NotPermittedError for a signature without permission.
        """
        venue, address = self.permission.venue, address_of(request.url)
        shown = address.host if address else "an address that cannot be read"
        if address is None or not self.is_allowed(request.url):
            raise UnsupportedError(
                f"{venue}: a request wanted to leave for {shown} and was stopped: "
                "only the exchange's own address is allowed"
            )
        mark = mark_of(request, self.keys, self.public_posts)
        if mark and not self.permission.covers(request.url):
            raise NotPermittedError(
                f"{venue}: a signed request ({mark}) wanted to leave for {address} and was stopped: "
                f"{self._allowed()}"
            )

    def _allowed(self) -> str:
        names = ", ".join(sorted(map(str, self.permission.addresses)))
        return f"it may go to {names} alone" if names else self.permission.refusal
