"""Trading on the feed: the account's orders move with the market whenever somebody asks.

Nothing happens by itself. Before each request, and whenever a stream looks, the tape since the time before is
played to the open orders, trade by trade in the order of time, so that it makes no difference how often
anybody asks or how fast the clock runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from operator import itemgetter

from core.exchange_sim.accounts import AccountConfig
from core.exchange_sim.book import LEVELS, BookSide, book
from core.exchange_sim.candles import HOUR, MINUTE
from core.exchange_sim.feed import MarketFeed
from core.exchange_sim.markets import SimMarket, quoted
from core.exchange_sim.matching import Matching
from core.exchange_sim.orders import Depth, Level, Print, Seen
from core.exchange_sim.rules import MatchingRules
from core.exchange_sim.tape import Trades
from core.exchange_sim.venue import RequestRefused

SLICE = 6 * HOUR
"""So much of the tape is read at once."""
EVERY_TRADE = 2**31


class Trading:
    """One account on one feed."""

    def __init__(self, feed: MarketFeed, account: AccountConfig, rules: MatchingRules | None = None) -> None:
        self.account = account
        self.matching = Matching(account, self._depth, rules)
        self.is_halted = False
        """Whether nothing is matched, as in maintenance."""
        self._feed = feed
        self._played_to = 0

    def play(self, now: int) -> int:
        """Let the market move to `now`, ms UTC, and return the moment it stands at: never an earlier one."""
        while self._played_to < now:
            markets = {one.market.symbol: one.market for one in self.matching.open_orders()}
            if self.is_halted:
                markets = {}
            until = min(now, self._played_to + SLICE) if markets else now
            for market, seen in self._prints(list(markets.values()), until):
                self.matching.trade(market, seen)
            self._played_to = until
        return self._played_to

    def seen(self, market: SimMarket) -> Seen:
        """Return the market as it stands. Raises Refused when it never traded."""
        now = self._played_to
        newest = self._feed.last_bar(market, now)
        if not newest.ts.size:
            raise RequestRefused(-1013, "Market is closed.")
        last = _exact(float(newest.close[0]))
        recent = self._feed.window(market, now, now - 5 * MINUTE + 1)
        volume = float(recent.volume.sum())
        return Seen(now, last, _exact(float(recent.quote.sum()) / volume) if volume else last)

    def _prints(self, markets: list[SimMarket], until: int) -> list[tuple[SimMarket, Print]]:
        """Return what traded since the last request, up to `until` ms, in the order of time."""
        told = []
        for market in markets:
            trades = self._feed.trades_since(market, until, EVERY_TRADE, self._played_to + 1)
            told += [(market.symbol, one.time, market, one) for one in _prints(trades)]
        return [(market, one) for _, _, market, one in sorted(told, key=itemgetter(1, 0))]

    def _depth(self, market: SimMarket, now: int, last: Decimal) -> Depth:
        both = book(market, float(last), now, self._feed.seed, LEVELS)
        return Depth(_levels(both.bids), _levels(both.asks))


def _prints(trades: Trades) -> list[Print]:
    columns = (trades.ts.tolist(), trades.price.tolist(), trades.amount.tolist())
    return [Print(ts, _exact(price), _exact(amount)) for ts, price, amount in zip(*columns, strict=True)]


def _levels(side: BookSide) -> Iterator[Level]:
    """Yield the levels, best first; most orders look at few of them."""
    for price, amount in zip(side.price.tolist(), side.amount.tolist(), strict=True):
        yield Level(_exact(price), _exact(amount))


def _exact(value: float) -> Decimal:
    return Decimal(quoted(value))
