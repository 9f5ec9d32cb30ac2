"""Who may ask at Kraken: key, signature, a nonce that only rises, and counters that run down with time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import NamedTuple

from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.kraken_rules import refused
from core.exchange_sim.venue import SimRequest

PRIVATE = "/0/private/"
NONCE_FORM = re.compile(r"[0-9]{1,20}")
SLOW = ("TradesHistory", "Ledgers")
"""Count twice."""
UNCOUNTED = ("AddOrder", "CancelOrder", "AmendOrder", "EditOrder")
"""Have the engine's counter instead."""


class Tier(NamedTuple):
    """How much an account may ask: by its verification."""

    counter: float
    """The REST counter refuses above this …"""
    decay: float
    """… and runs down by so much in a second."""
    engine: float
    """The same of the matching engine's counter for each pair."""
    engine_decay: float


STARTER = Tier(15, 0.33, 60, 1)
INTERMEDIATE = Tier(20, 0.5, 125, 2.34)
PRO = Tier(20, 1, 180, 3.75)


def kraken_secret(config: AccountConfig) -> str:
    """Return the account's secret in the form that Kraken's have."""
    return base64.b64encode(config.secret.encode()).decode()


def signature(secret: str, path: str, nonce: str, body: str) -> str:
    """Return what API-Sign has to be."""
    inner = hashlib.sha256((nonce + body).encode()).digest()
    made = hmac.new(base64.b64decode(secret), path.encode() + inner, hashlib.sha512)
    return base64.b64encode(made.digest()).decode()


class Counter:
    """Rises with every request and runs down with time."""

    def __init__(self, most: float, decay: float) -> None:
        self._most, self._decay = most, decay
        self._level, self._at = 0.0, 0

    def charge(self, points: float, now: int) -> bool:
        """Count a request at `now` ms and say whether it is served; one that is not counts nothing."""
        level = max(0.0, self._level - self._decay * max(0, now - self._at) / 1000)
        self._at = now
        fits = level + points <= self._most
        self._level = level + points if fits else level
        return fits


class Gate:
    """Checks requests in the order in which Kraken does."""

    def __init__(self, config: AccountConfig, tier: Tier = STARTER) -> None:
        self._config, self._tier = config, tier
        self._nonce = -1
        self._counter = Counter(tier.counter, tier.decay)
        self._engine: dict[str, Counter] = {}
        self._admitted: set[str] = set()

    def arrive(self, request: SimRequest, now: int) -> None:
        """Let a request in whose processing is late: its nonce is taken now, before any later one's."""
        self._check(request, now)
        self._admitted.add(request.params["nonce"])

    def check(self, request: SimRequest, now: int) -> None:
        """Refuse a request of somebody else, one that was heard before, and one too many."""
        nonce = request.params.get("nonce", "")
        if nonce in self._admitted:
            self._admitted.remove(nonce)
            return
        self._check(request, now)

    def _check(self, request: SimRequest, now: int) -> None:
        nonce = request.params.get("nonce", "")
        if not hmac.compare_digest(request.key.encode(), self._config.key.encode()):
            raise refused("EAPI:Invalid key")
        if not NONCE_FORM.fullmatch(nonce):
            raise refused("EAPI:Invalid nonce")
        wanted = signature(kraken_secret(self._config), request.path, nonce, request.payload)
        if not hmac.compare_digest(wanted.encode(), request.sign.encode()):
            raise refused("EAPI:Invalid signature")
        if int(nonce) <= self._nonce:
            raise refused("EAPI:Invalid nonce")
        self._nonce = int(nonce)
        name = request.path.removeprefix(PRIVATE)
        points = 0 if name in UNCOUNTED else 2 if name in SLOW else 1
        if not self._counter.charge(points, now):
            raise refused("EAPI:Rate limit exceeded")

    def charge_engine(self, pair: str, points: float, now: int) -> None:
        """Refuse an order or a cancel in a pair in which there were too many."""
        tier = self._tier
        counter = self._engine.setdefault(pair, Counter(tier.engine, tier.engine_decay))
        if not counter.charge(points, now):
            raise refused("EOrder:Rate limit exceeded")


def points_by_age(age_ms: int, steps: tuple[tuple[int, int], ...]) -> int:
    """Return what changing an order of an age costs; `steps` are seconds below which so much is counted."""
    return next((points for seconds, points in steps if age_ms < seconds * 1000), 0)


CANCEL_POINTS = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
AMEND_POINTS = ((5, 3), (10, 2), (15, 1))
EDIT_POINTS = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))
