"""How fast an exchange may be asked: budgets over sliding windows, and silence when it wants silence."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from core.errors import RateLimitedError
from core.utils import Clock

CallCosts = Mapping[str, int]
"""What one request takes from which budget."""


class Budget(NamedTuple):
    """Units that may be spent in any window of this length."""

    name: str
    limit: int
    window: float
    """Seconds."""
    runs_down: bool = False
    """What was spent is forgotten little by little, all of a full budget within a window."""


BINANCEUS_BUDGETS = (
    # The venue counts by its own minutes. One second more than its windows, so that requests which
    # travel for different times cannot crowd into one of them.
    Budget("weight", 1200, 61.0),
    Budget("requests", 5000, 301.0),
    Budget("orders", 10, 1.1),
)

READS = "reads"
"""A budget of questions alone: what costs of it may wait as long as any question."""
KRAKEN_BUDGETS = (
    # What may be asked below a key, at the lowest tier: 15 at once, and one in about three seconds.
    Budget(READS, 15, 46.0, runs_down=True),
    # A second for each public question, as its documents ask for.
    Budget("public", 1, 1.0),
)
KRAKEN_ORDERS = ("AddOrder", "AmendOrder", "EditOrder", "CancelOrder")
"""Have another counter, which only the venue knows."""
KRAKEN_SLOW = ("TradesHistory", "Ledgers")

_WEIGHTS: tuple[tuple[str, int, int], ...] = (
    # path below /api/v3, weight with a symbol, weight without one
    ("exchangeInfo", 10, 10),
    ("historicalTrades", 5, 5),
    ("ticker/24hr", 1, 40),
    ("ticker/price", 1, 2),
    ("ticker/bookTicker", 1, 2),
    ("account", 10, 10),
    ("openOrders", 3, 40),
    ("allOrders", 10, 10),
    ("myTrades", 10, 10),
    ("rateLimit/order", 20, 20),
)
_DEPTH_WEIGHTS = ((100, 1), (500, 5), (1000, 10), (5000, 50))


def binanceus_costs(method: str, url: str) -> CallCosts:
    """Return what one request costs at Binance.US.

    ccxt's Python class charges binance.com's lower costs, which is 2.5 times too fast here.
    """
    parts = urlsplit(url)
    path = parts.path.partition("/api/v3/")[2]
    query = parse_qs(parts.query)
    order = method == "POST" and path.startswith("order")
    weight = 1 if method != "GET" else _read_weight(path, query)
    return {"weight": weight, "requests": 1} | ({"orders": 1} if order else {})


def kraken_costs(method: str, url: str) -> CallCosts:
    """Return what one request costs at Kraken, where questions below the key are posted."""
    del method
    path = urlsplit(url).path
    if "/private/" not in path:
        return {"public": 1}
    name = path.rpartition("/")[2]
    return {} if name in KRAKEN_ORDERS else {READS: 2 if name in KRAKEN_SLOW else 1}


def _read_weight(path: str, query: Mapping[str, list[str]]) -> int:
    if path == "depth":
        limit = int(query.get("limit", ["100"])[0])
        return next((weight for most, weight in _DEPTH_WEIGHTS if limit <= most), 50)
    if path == "order":
        return 2
    for name, with_symbol, without in _WEIGHTS:
        if path == name:
            return with_symbol if "symbol" in query else without
    return 1


class _Window:
    """What was spent of one budget, and when (seconds)."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.total = 0
        self._spent: deque[tuple[float, int]] = deque()

    def add(self, moment: float, amount: int) -> None:
        """Spend."""
        self._spent.append((moment, amount))
        self.total += amount

    def wait(self, cost: int, now: float) -> float:
        """Return the seconds until this cost fits."""
        while self._spent and self._spent[0][0] <= now - self.budget.window:
            self.total -= self._spent.popleft()[1]
        over = self.total + cost - self.budget.limit
        if cost == 0 or over <= 0:
            return 0.0
        for moment, amount in self._spent:
            over -= amount
            if over <= 0:
                # Never longer than the window, even after the local clock was set back.
                return min(moment + self.budget.window - now, self.budget.window)
        return self.budget.window


class _Counter:
    """What was spent of one budget that runs down, and when (seconds)."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.total = 0.0
        self._at = 0.0

    def add(self, moment: float, amount: int) -> None:
        """Spend."""
        self.total, self._at = self._left(moment) + amount, moment

    def wait(self, cost: int, now: float) -> float:
        """Return the seconds until this cost fits."""
        over = self._left(now) + cost - self.budget.limit
        if cost == 0 or over <= 0:
            return 0.0
        return min(over * self.budget.window / self.budget.limit, self.budget.window)

    def _left(self, now: float) -> float:
        # The local clock may have been set back.
        gone = max(0.0, now - self._at) * self.budget.limit / self.budget.window
        return max(0.0, self.total - gone)


class RateLimiter:
    """Waits before a request that would break a budget or a wanted silence."""

    def __init__(
        self,
        venue: str,
        budgets: tuple[Budget, ...],
        clock: Clock,
        sleep: Callable[[float], None],
        *,
        patience: float = 120.0,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._sleep = sleep
        self._patience = patience
        self._windows: dict[str, _Window | _Counter] = {
            budget.name: (_Counter if budget.runs_down else _Window)(budget) for budget in budgets
        }
        self._silent_until = 0.0

    def acquire(self, costs: CallCosts, patience: float | None = None) -> None:
        """Wait until a request of these costs may go out, at most `patience` seconds.

        Raises RateLimitedError, at once and with nothing sent, when the wait would be longer.
        """
        now = self._clock() / 1000
        waits = [window.wait(costs.get(name, 0), now) for name, window in self._windows.items()]
        wait = max([self._silent_until - now, *waits, 0.0])
        most = self._patience if patience is None else patience
        if wait > most:
            raise RateLimitedError(
                f"{self._venue} wants {wait:.0f} s of silence, more than the {most:.0f} s this may wait; "
                "nothing was sent, try again later",
                retry_after=wait,
            )
        if wait > 0:
            self._sleep(wait)
        for name in self._windows.keys() & costs.keys():
            self._windows[name].add(now + wait, costs[name])

    def observe(self, name: str, used: int) -> None:
        """Take over the venue's own count where it is higher: somebody else shares this address."""
        window = self._windows.get(name)
        if window is not None and used > window.total:
            window.add(self._clock() / 1000, used - round(window.total))

    def silence(self, seconds: float) -> None:
        """Send nothing for this long, whoever asks."""
        self._silent_until = max(self._silent_until, self._clock() / 1000 + seconds)


class Pacer:
    """Keeps requests apart, for venues whose costs only ccxt knows."""

    def __init__(self, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    def wait(self, milliseconds: float) -> None:
        """Wait until the request before has paid for itself; this one takes so long to pay."""
        now = float(self._clock())
        # Never longer than a minute: the local clock may have been set back.
        start = min(max(now, self._free_at), now + 60_000)
        if start > now:
            self._sleep((start - now) / 1000)
        self._free_at = start + milliseconds
