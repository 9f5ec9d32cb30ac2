"""The tokens that open Kraken's private WebSocket channels."""

from __future__ import annotations

import base64
import hashlib

LASTS = 900
"""Seconds in which a token can be used for a subscription, which then lasts as long as its connection."""


class KrakenTokens:
    """Those that were given out."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._given: dict[str, int] = {}

    def issue(self, now: int) -> str:
        """Return a new token."""
        digest = hashlib.sha256(f"token|{self._seed}|{len(self._given)}".encode()).digest()
        token = base64.b64encode(digest).decode()
        self._given[token] = now
        return token

    def is_valid(self, token: object, now: int) -> bool:
        """Say whether a token opens a channel at a moment, ms UTC."""
        given = self._given.get(token) if isinstance(token, str) else None
        return given is not None and given <= now < given + LASTS * 1000
