"""Request weights of Binance.US: 429 when a window is used up, 418 for those who go on asking."""

from __future__ import annotations

from typing import NamedTuple

MINUTE = 60_000
WEIGHT_LIMIT = 1200
"""Weight per minute and address."""
RAW_LIMIT = 5000
"""Requests per five minutes and address."""
ORDER_LIMIT = 10
"""Orders per second and account."""
PATIENCE = 5
"""Requests answered with 429 within one minute before the ban."""
FIRST_BAN = 2 * MINUTE
LONGEST_BAN = 3 * 24 * 60 * MINUTE


class WeightVerdict(NamedTuple):
    """What the limiter says to one request."""

    used: int
    """Weight used in this minute, this request included."""
    status: int = 200
    """200, 429 or 418."""
    retry_after: int = 0
    """Seconds until requests are served again."""
    banned_until: int = 0
    """ms UTC; 0 without a ban."""


class WeightCounter:
    """Counts one address's weight and requests; windows start on the clock's minute."""

    def __init__(self, weight_limit: int = WEIGHT_LIMIT, raw_limit: int = RAW_LIMIT) -> None:
        self.weight_limit = weight_limit
        self.raw_limit = raw_limit
        self._minute = self._five = 0
        self._used = self._raw = self._ignored = self._bans = 0
        self._banned_until = 0

    def charge(self, weight: int, now: int) -> WeightVerdict:
        """Count one request of this weight at `now` ms and say whether it is served."""
        self._roll(now)
        if now < self._banned_until:
            return self._banned(now)
        self._used += weight
        self._raw += 1
        if self._used <= self.weight_limit and self._raw <= self.raw_limit:
            return WeightVerdict(self._used)
        self._ignored += 1
        if self._ignored > PATIENCE:
            self._banned_until = now + min(FIRST_BAN * 2**self._bans, LONGEST_BAN)
            self._bans += 1
            return self._banned(now)
        length = MINUTE if self._used > self.weight_limit else 5 * MINUTE
        return WeightVerdict(self._used, 429, _seconds(length - now % length))

    def _banned(self, now: int) -> WeightVerdict:
        return WeightVerdict(self._used, 418, _seconds(self._banned_until - now), self._banned_until)

    def _roll(self, now: int) -> None:
        if now // MINUTE != self._minute:
            self._minute, self._used, self._ignored = now // MINUTE, 0, 0
        if now // (5 * MINUTE) != self._five:
            self._five, self._raw = now // (5 * MINUTE), 0


class OrderLimit:
    """Counts one account's orders; windows start on the clock's second."""

    def __init__(self, limit: int = ORDER_LIMIT) -> None:
        self.limit = limit
        self._second = self._count = 0

    def charge(self, now: int) -> bool:
        """Count one order at `now` ms and say whether it may be placed."""
        if now // 1000 != self._second:
            self._second, self._count = now // 1000, 0
        self._count += 1
        return self._count <= self.limit


def depth_weight(levels: int) -> int:
    """Return the weight of an order book request."""
    return 1 if levels <= 100 else 5 if levels <= 500 else 10 if levels <= 1000 else 50


def _seconds(ms: int) -> int:
    return -(-ms // 1000)
