"""An account as it trades, on a terminal: equity, positions, last signals and refusals, the feeds' lag."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from core.figures import NONE, amount, exact, money, price
from core.live.status import AccountStatus, DeskStatus, FeedStatus, PositionStatus, WaitingStatus
from core.symbols import pair_of
from core.utils import format_time

KEPT = 200
"""Newest events that are remembered: as many are shown as the terminal has room for."""
LEAST = 5
"""Rows that events get at least, however much the account holds."""
_GOOD, _BAD, _DIM = "green", "red", "dim"


class Screen:
    """Shows an account on a terminal as long as the block runs."""

    def __init__(self, title: str, console: Console | None = None, start: str = "run_live.py") -> None:
        # How a command begins that reaches the account's database.
        self._start = start
        self._title = title
        self._said: deque[str] = deque(maxlen=KEPT)
        self._status: AccountStatus | None = None
        self._console = console or Console(stderr=True)
        # Drawn when something is new, not by a thread of its own: what is shown was true together.
        self._live = Live(console=self._console, auto_refresh=False, screen=False)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        """Show a line under what is known of the account."""
        self._said.append(line)
        self._draw()

    def show(self, status: AccountStatus) -> None:
        """Show how the account stands."""
        self._status = status
        self._draw()

    def _draw(self) -> None:
        self._live.update(
            drawn(self._title, self._status, self._said, self._console, self._start), refresh=True
        )


def drawn(
    title: str,
    status: AccountStatus | None,
    said: Sequence[str],
    console: Console,
    start: str = "run_live.py",
) -> RenderableType:
    """Return the picture of an account: how it stands, None before it is known, and as many lines as fit.

    A line that is wider than the terminal goes on in the next row, and nothing of it is cut.
    """
    parts: list[RenderableType] = [Text(title, style="bold")]
    if status is not None:
        parts += [_head(status), *_positions(status.positions), *_waiting(status.open_orders)]
        parts += _trouble(status, start)
        parts += [Text(line, style=_DIM) for line in outside_lines(status.desk)]
        room = console.height - _rows(console, parts) - LEAST - 1
        parts += _feeds(status.feeds, room)
    return Group(*parts, *_newest(said, console.height - _rows(console, parts) - 1, console))


def outside_lines(desk: DeskStatus | None) -> Iterator[str]:
    """Yield a line for each asset and open order on the exchange's account and not of this one."""
    for text in (desk and desk.foreign_orders) or ():
        yield f"open order of somebody else: {text}"
    for one in (desk and desk.outside) or ():
        worth = "of unknown value" if one.value is None else f"worth {money(one.value)}"
        place = "missing at the exchange" if one.amount < 0 else "held outside the account"
        yield f"{place}: {exact(one.amount.copy_abs())} {one.asset}, {worth}"


def _rows(console: Console, parts: Sequence[RenderableType]) -> int:
    return len(console.render_lines(Group(*parts)))


def _newest(said: Sequence[str], room: int, console: Console) -> list[Text]:
    """Return the newest lines, oldest first, that fit into so many rows, LEAST at least."""
    lines: list[Text] = []
    left = max(room, LEAST)
    for line in reversed(said):
        text = Text(line, overflow="fold")
        rows = text.wrap(console, console.width, overflow="fold")
        if len(rows) > left and lines:
            break
        left -= len(rows)
        lines.insert(0, text)
    return lines


def _head(status: AccountStatus) -> Text:
    profits = [held.open_profit for held in status.positions if held.open_profit is not None]
    currency = status.currency
    line = Text(f"{format_time(status.time)} UTC   equity {_money(status.equity, currency)}   ")
    line.append(f"cash {amount(float(status.cash), currency)}   open profit ")
    open_profit = sum(profits, 0.0)
    return line.append(amount(open_profit, currency, sign=True), style=_colour(open_profit))


def _positions(positions: Sequence[PositionStatus]) -> Iterable[RenderableType]:
    if not positions:
        yield Text("no position", style=_DIM)
        return
    table = _table("strategy", "symbol", "side", "amount", "entry", "price", "stop", "take", "open profit")
    for held in positions:
        profit = held.open_profit
        prices = map(price, (held.entry_price, held.price, held.stop, held.take))
        shown = Text(_signed(profit, pair_of(held.symbol).quote), style=_colour(profit or 0.0))
        table.add_row(held.strategy, held.symbol, held.side, exact(held.amount), *prices, shown)
    yield table


def _waiting(orders: Sequence[WaitingStatus]) -> Iterable[RenderableType]:
    for order in orders:
        yield Text(f"waiting: {order.side} {exact(order.amount)} ({order.key})", style="cyan")


def _trouble(status: AccountStatus, start: str) -> Iterable[RenderableType]:
    for name, why in {**status.breakers, **status.quarantined}.items():
        yield Text(f"{name}: {why}", style=_BAD)
    if status.paused:
        yield Text(f"entries are paused: {status.paused}", style="yellow")
    for one in status.desk.standing if status.desk else ():
        yield Text(one.told(start), style="yellow")


def _feeds(feeds: Sequence[FeedStatus], room: int) -> Iterable[RenderableType]:
    """Yield a row for each feed, or a line for all that are well when there is no room for so many."""
    if len(feeds) + 1 > room:
        well = [feed for feed in feeds if not feed.stale]
        feeds = [feed for feed in feeds if feed.stale]
        yield Text(f"{len(well)} feeds are up to date, {len(feeds)} are silent", style=_BAD if feeds else "")
    if feeds:
        yield _feed_table(feeds)


def _feed_table(feeds: Sequence[FeedStatus]) -> RenderableType:
    table = _table("feed", "newest candle", "behind")
    for feed in feeds:
        newest = "none yet" if feed.last is None else f"{format_time(feed.last)} UTC"
        behind = f"{feed.behind_ms / 1000:,.0f} s"
        style = _BAD if feed.stale else ""
        table.add_row(feed.series, newest, f"{behind}, SILENT" if feed.stale else behind, style=style)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style=_DIM)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _money(value: float | None, currency: str) -> str:
    return NONE if value is None else amount(value, currency)


def _signed(value: float | None, currency: str) -> str:
    return "" if value is None else money(value, currency, sign=True)


def _colour(value: float) -> str:
    return _BAD if value < 0 else _GOOD if value > 0 else ""
