"""A paper account on one symbol: the backtest's fill model, stepped bar by bar in plain Python."""

from __future__ import annotations

from core.domain import Costs, Decision, FloatArray, PositionView, Reason
from core.fills import (
    TRADES,
    OneBar,
    ask,
    ask_ladder,
    close_all,
    equity,
    fill,
    grown,
    has_room,
    make_trades,
    open_book,
    view,
    view_ladder,
)
from core.sizing import Sizing


class PaperAccount:
    """Carries out decisions as core.fills says; keeps cash, lots, closed trades and the equity curve."""

    def __init__(self, cash: float, sizing: Sizing, costs: Costs, *, is_ladder: bool = False) -> None:
        self.book = open_book(cash)
        self.curve: list[float] = []
        self.is_ruined = False
        self._trades = make_trades(64)
        self._sizing, self._costs = sizing, costs
        self._view, self._ask = (view_ladder, ask_ladder) if is_ladder else (view, ask)

    @property
    def trades(self) -> FloatArray:
        """The closed trades, shape (trades, 12), columns as in core.fills."""
        return self._trades[: int(self.book[0, TRADES])]

    @property
    def bar(self) -> int:
        """Number of the newest bar, counted from 0; -1 before the first."""
        return len(self.curve) - 1

    def on_bar(self, bar: OneBar) -> PositionView:
        """Fill what the bar fills and mark equity at its close; return the position at this close.

        When equity is gone everything is closed and later bars change nothing.
        """
        self.curve.append(0.0)
        if self.is_ruined:
            return self._view(self.book, self.bar)
        if not has_room(self.book, self._trades):
            self._trades = grown(self.book, self._trades)
        fill(self.book, self._trades, self.bar, bar, self._costs)
        worth = equity(self.book, bar.close)
        if worth <= 0:
            close_all(self.book, self._trades, self.bar, bar.close, Reason.RUIN, self._costs)
            self.is_ruined = True
        else:
            self.curve[-1] = worth
        return self._view(self.book, self.bar)

    def submit(self, want: Decision, close: float) -> None:
        """Order what is wanted, from the next open on; `close` is the newest bar's."""
        if not self.is_ruined:
            held = self._view(self.book, self.bar)
            self._ask(self.book, want, held, close, self._sizing, self._costs)

    def close_at_the_end(self, close: float) -> None:
        """Close what is open at the newest bar's close, as a backtest does when its data end."""
        if not self.is_ruined:
            close_all(self.book, self._trades, self.bar, close, Reason.END, self._costs)
            self.curve[-1] = float(self.book[0, 0])
