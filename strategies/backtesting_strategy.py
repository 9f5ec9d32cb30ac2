"""A rule on Backtesting.py: each bar is decided on by the rule and carried out by its broker.

Thin: it hands `decide` two rows and the position, and orders what it wants. `strategies.base` offers it
under the specification's name.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from core import fills
from core.domain import (
    FLAT,
    MOST_LOTS,
    NAN,
    NEVER,
    SAME_TARGET,
    Bars,
    Bound,
    Costs,
    Decision,
    PositionView,
    Reason,
    Refusal,
    entry_price,
    is_priced,
)
from core.fills import exit_reason
from core.regime.conditions import gauges
from core.sizing import Capital, at_close, gain, multiple, round_down, size_entry
from strategies.lean_backtesting import Strategy
from strategies.open_trades import EntryTag, OpenTrades
from strategies.priced_entries import PricedEntries
from strategies.rule import StrategyRule, first_decision
from strategies.rule_check import check_decision, checked_columns, soundness_of
from strategies.signals import (
    rungs_of,
)

ALL_RUNGS = -1  # As bits: all of them.


_NOTHING = FLAT[: FLAT._fields.index("since_exit")]


def _first_value(column: Any) -> int:
    return int(np.isnan(column.astype(float)).argmin())


def _is_kept(held: PositionView, want: Decision) -> bool:
    """Tell whether a decision leaves stop, take and note as they are."""
    # Written out, as it is asked at every bar; NaN is not equal to itself.
    return (
        (want.stop == held.stop or want.stop is held.stop)
        and (want.take == held.take or want.take is held.take)
        and (want.note == held.note or want.note is held.note)
    )


class BacktestStrategy(Strategy):
    """A rule on Backtesting.py.

    Parameters are class attributes under their own names, so `Backtest.run(ema_fast=10)` and `optimize`
    work. `unit` is FractionalBacktest's `fractional_unit` (prices arrive multiplied by it), 1 on a plain
    Backtest; `commission` and `spread` repeat the broker's, which sizing must know.
    """

    rule: ClassVar[StrategyRule]
    unit: float = 1.0
    commission: float = 0.0
    spread: float = 0.0

    def __init_subclass__(cls) -> None:
        for name, default in cls.rule.defaults.items():
            setattr(cls, name, default)

    def init(self) -> None:
        """Compute the columns and bind them, so that Backtesting.py starts after their warm-up."""
        self._broker.trades = OpenTrades(self._broker.trades)
        given = {name: getattr(self, name) for name in self.rule.defaults}
        self._chosen, choices = self.rule.make_params(given), self.rule.make_choices(given)
        self._sizing = self.rule.sizing(self._chosen, choices)._replace(lot=self.unit)
        self._costs = Costs(self.commission, self.spread)
        bars = self._bars()
        self._measured = gauges(bars, choices)
        columns = checked_columns(self.rule, bars, self._chosen)
        shown = [
            self.I(lambda v=values: v, name=name)
            for name, values in zip(columns._fields, columns, strict=True)
            if not any(values is series for series in bars)
        ]
        # All are drawn. What is bound is cut anew at every bar: the one that warms up longest does for all.
        if shown:
            self.column = max(shown, key=_first_value)
        self._rows = list(
            map(type(columns)._make, zip(*(column.tolist() for column in columns), strict=True))
        )
        self._decide, self._is_ladder = self.rule.decide, self.rule.is_ladder
        self._stamps, self._is_sound = bars.ts, soundness_of(self.rule)
        self._close = bars.close.tolist()
        self.first_decision = first_decision(columns)
        self.asked: set[EntryTag] = set()
        self.refused: list[tuple[int, Refusal]] = []
        self.bounds: dict[EntryTag, Bound] = {}
        """What binds each entry that was ordered."""
        self.exits: dict[tuple[EntryTag, int], Reason] = {}
        self.first_stops: dict[EntryTag, float] = {}
        self._shares: dict[EntryTag, float] = {}
        self._notes: dict[EntryTag, float] = {}
        self._last: tuple[Any, int, float] = (None, NEVER, NAN)
        self._priced = PricedEntries(self)
        self._waiting = self._priced.wanted
        self._record = fills.open_book(0.0)
        self._counted = 0

    def next(self) -> None:
        """Decide at this bar's close and order for the next open."""
        i = len(self.data) - 1
        if self._waiting:
            self._priced.pass_bar(i)
        held = self._held(i)
        want = self._decide(self._rows[i], self._rows[i - 1], held, self._chosen)
        if not self._is_sound(want, held):
            check_decision(self.rule, want, held, int(self._stamps[i]))
        if self._waiting and want.reason != Reason.HOLD:
            self._priced.withdraw()
        if self._is_ladder:
            self._follow_ladder(i, held, want)
        elif (want.target > 0) - (want.target < 0) != held.side:
            self._exit(i, exit_reason(want.reason, want.target != 0, Reason.REVERSE), ALL_RUNGS)
            if want.target != 0:
                self._enter(i, want, [0], ALL_RUNGS)
        elif held.side:
            self._protect(held, want)
            self._resize(i, held, want)

    def _bars(self) -> Bars:
        import pandas as pd

        data, unit = self.data, self.unit
        opens, highs, lows, closes = (
            np.asarray(column) / unit for column in (data.Open, data.High, data.Low, data.Close)
        )
        stamps = pd.DatetimeIndex(data.index).to_numpy().astype("datetime64[ms]").astype(np.int64)
        return Bars(stamps, opens, highs, lows, closes, np.asarray(data.Volume) * unit)

    def _held(self, i: int) -> PositionView:
        # Not `self.trades`, which makes a tuple.
        trades: list[Any] = self._broker.trades
        since, result = self._last_exit(i)
        if not trades:
            # Not by name, and not by `_make`: this is asked at every bar.
            seen = (*_NOTHING, since, result, NAN, len(self._waiting))
            return FLAT if since == NEVER and not self._waiting else tuple.__new__(PositionView, seen)
        first, unit, rungs = trades[0], self.unit, 0
        side = 1 if first.size > 0 else -1
        entry, share = first.entry_price, self._shares[first.tag]
        if len(trades) > 1:
            # Loops: from Python 3.12 on sum() of floats rounds in another way than the other drivers.
            size, cost, share = 0.0, 0.0, 0.0
            for trade in trades:
                size += trade.size
                cost += trade.size * trade.entry_price
                share += self._shares[trade.tag]
            entry = cost / size
        if self._is_ladder:
            for trade in trades:
                rungs |= 1 << trade.tag.rung
        stop, take = first.sl, first.tp
        stop, take = NAN if stop is None else stop / unit, NAN if take is None else take / unit
        held = side, float(entry / unit), stop, take, i - first.entry_bar, rungs, side * share
        return PositionView(
            *held, trades[-1].entry_price / unit, since, result, self._notes[first.tag], len(self._waiting)
        )

    def _last_exit(self, i: int) -> tuple[int, float]:
        """Return bars since a trade was last closed, and what it made: LEFT_BAR, LEFT_WITH of core.fills."""
        # Not `closed_trades`, which makes a tuple of all of them.
        closed: list[Any] = self._broker.closed_trades
        if not closed:
            return NEVER, NAN
        last, unit = closed[-1], self.unit
        if last is not self._last[0]:
            side = 1.0 if last.size > 0 else -1.0
            made = gain(side, last.entry_price / unit, last.exit_price / unit, self.commission)
            self._last = last, last.exit_bar, made
        return i - self._last[1], self._last[2]

    def _follow_ladder(self, i: int, held: PositionView, want: Decision) -> None:
        if closing := held.rungs & ~want.rungs:
            self._exit(i, exit_reason(want.reason, want.rungs != 0, Reason.REDUCE), closing)
        if opening := rungs_of(want.rungs & ~held.rungs):
            share = want.target / len(rungs_of(want.rungs))
            self._enter(i, want._replace(target=share), opening, closing)

    def _resize(self, i: int, held: PositionView, want: Decision) -> None:
        more = abs(want.target) - abs(held.target)
        if more > SAME_TARGET:
            self._enter(i, want._replace(target=held.side * more), [0], 0)
        elif more < -SAME_TARGET:
            self._reduce(i, -more)

    def _enter(self, i: int, want: Decision, rungs: list[int], closing: int) -> None:
        at, lots = entry_price(want, self._close[i]), len(self.trades)
        worth, cash = self._after_exits(i, closing)
        sizing = at_close(self._sizing, self._measured.volatility.item(i), self._measured.fit.item(i))
        record = self._counted_up()
        for rung in rungs:
            account = Capital(worth, cash, *record)
            units, refusal, bound = size_entry(want, at, account, sizing, self._costs)
            if lots >= MOST_LOTS:
                refusal = Refusal.LOTS
            if refusal:
                self.refused.append((i, refusal))
                continue
            order = self.buy if want.target > 0 else self.sell
            lot = EntryTag(i, rung)
            self.bounds[lot] = bound
            self.asked.add(lot)
            self.first_stops[lot], self._shares[lot] = want.stop, abs(want.target)
            self._notes[lot] = want.note
            if is_priced(want):
                self._priced.ask(order, units / self.unit, want, lot)
            else:
                bracket = {"sl": self._scaled(want.stop), "tp": self._scaled(want.take)}
                order(size=units / self.unit, tag=lot, **bracket)
            cash -= units * at
            lots += 1

    def _counted_up(self) -> list[float]:
        """Return the record of the closed trades, as core.fills keeps it."""
        closed, unit = self.closed_trades, self.unit
        for trade in closed[self._counted :]:
            prices = trade.entry_price / unit, trade.exit_price / unit, self.first_stops[trade.tag]
            side = 1.0 if trade.size > 0 else -1.0
            fills.count_trade(self._record, multiple(side, *prices, self.commission))
        self._counted = len(closed)
        head: list[float] = self._record[0, fills.WINS : fills.LOST + 1].tolist()
        return head

    def _exit(self, i: int, reason: int, rungs: int) -> None:
        # Each close order goes to the head of the queue: reversed, the oldest trade is closed first.
        for trade in reversed(self.trades):
            if rungs & 1 << trade.tag.rung:
                trade.close()
                self.exits[trade.tag, i + 1] = Reason(reason)

    def _reduce(self, i: int, share: float) -> None:
        """Close lots that stand for this share of the allocation, oldest first, the last one in part."""
        closing: list[tuple[Any, float]] = []
        left = share
        for trade in self.trades:
            of_lot = self._shares[trade.tag]
            if left <= SAME_TARGET:
                break
            if of_lot - left <= SAME_TARGET:
                closing.append((trade, 1.0))
                left -= of_lot
                continue
            size = abs(trade.size) * self.unit
            if part := round_down(size * (left / of_lot), self.unit):
                closing.append((trade, part / size))
                self._shares[trade.tag] = of_lot - left
            break
        for trade, portion in reversed(closing):
            trade.close(portion)
            self.exits[trade.tag, i + 1] = Reason.REDUCE

    def _protect(self, held: PositionView, want: Decision) -> None:
        if len(self._broker.trades) == 1 and _is_kept(held, want):
            return
        stop, take = self._scaled(want.stop), self._scaled(want.take)
        for trade in self.trades:
            self._notes[trade.tag] = want.note
        # All or none, so that the queue keeps its order: stops newest lot first, takes oldest first.
        if any(trade.sl != stop for trade in self.trades):
            for trade in self.trades:
                trade.sl = stop
        if any(trade.tp != take for trade in self.trades):
            for trade in self.trades:
                trade.tp = take

    def _free_cash(self, i: int) -> float:
        bound = 0.0
        for trade in self.trades:
            bound += abs(trade.size) * self.unit * self._close[i]
        return float(self.equity - bound)

    def _after_exits(self, i: int, closing: int) -> tuple[float, float]:
        """Return equity and free cash as the exits of these rungs leave them: core.fills.after_exits."""
        worth, free = float(self.equity), self._free_cash(i)
        for trade in self.trades:
            if closing & 1 << trade.tag.rung:
                notional = abs(trade.size) * self.unit * self._close[i]
                worth -= notional * self.commission
                free += notional - notional * self.commission
        return worth, free

    def _scaled(self, price: float) -> float | None:
        # One that is not above 0 is never reached (core.soundness), and Backtesting.py takes none.
        return price * self.unit if price > 0 else None
