"""The two ways a rule is run: bar by bar for paper and live, and on Backtesting.py (`BacktestStrategy`).

Both are thin: they hand `decide` two rows and the position, and carry out what it wants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from core.domain import (
    FLAT,
    NAN,
    Decision,
    PositionView,
)
from core.errors import UsageError
from core.regime.conditions import gauges
from core.regime.conditions import history as gauges_history
from core.sizing import PLAIN, Sizing
from strategies.backtesting_strategy import BacktestStrategy
from strategies.rule import StrategyRule, is_ready, row
from strategies.rule_check import check_decision, check_rule_source, require
from strategies.signal_meaning import sizing_of
from strategies.signals import (
    adjusted,
    priced,
    protection,
    reason_word,
    remembered,
    side_name,
    signal_risk,
    sizing_words,
    withdrawing,
)
from strategies.window import SymbolState, bars_of

__all__ = ["BacktestStrategy", "BaseStrategy", "StrategySignal"]

WINDOW = 500
"""Candles that a strategy with an on_bar of its own sees."""


@dataclass(frozen=True, slots=True)
class StrategySignal:
    """What a live strategy wants done at the next open."""

    symbol: str
    action: str
    """OPEN_LONG, CLOSE_LONG, OPEN_SHORT, CLOSE_SHORT or HOLD."""
    risk_r: float = 1.0
    """Multiple of the strategy's risk per trade."""
    extra: dict[str, Any] | None = None
    """stop, take, rr_ratio, reason, target (-1 … 1 of the allocation, once this is done), note; `level` on a
    ladder; `portion` (0 … 1) of the position where a CLOSE is of a part, `add` where an OPEN adds to one."""


class BaseStrategy:
    """A strategy bar by bar: candles in, signals out. Knows no exchange, database or clock.

    It has a `rule`, which decides, or an `on_bar` of its own, which then decides alone: such a strategy runs
    in backtest, replay and paper, but there is one way to run it, so that it cannot be proven three ways.

    `state[symbol]` holds `df`, the recent candles (UTC index, open … volume), and `position`, the
    PositionView that whoever keeps the account sets through `set_position`.
    """

    rule: ClassVar[StrategyRule]

    def __init__(self, config: dict[str, Any]) -> None:
        """Take one entry of strategies.yaml; `params` may be missing. Raises UsageError."""
        self.config = config
        self.state: dict[str, dict[str, Any]] = {}
        self.sizing = Sizing()
        """How its entries are sized."""
        own = config.get("params") or {}
        self._sized = {name for name in own if name in Sizing._fields}
        self.params: Any = own
        self.choices, self.window, self._memory = PLAIN, WINDOW, WINDOW
        if hasattr(self, "rule"):
            require(check_rule_source(self.rule))
            self.params, self.choices = self.rule.make_params(own), self.rule.make_choices(own)
            self._memory = self.rule.memory(self.params)
            self.window = max(self._memory, gauges_history(self.choices))
            self.sizing = self.rule.sizing(self.params, self.choices)
        elif self.has_own_on_bar():
            self.sizing = sizing_of(own, self.sizing)
        else:
            raise UsageError(
                f"{type(self).__name__} decides nothing: give it a rule, or an on_bar of its own"
            )

    @classmethod
    def has_own_on_bar(cls) -> bool:
        """Tell whether it decides in an on_bar of its own, which cannot be proven three ways."""
        return cls.on_bar is not BaseStrategy.on_bar

    def set_position(self, symbol: str, position: PositionView) -> None:
        """Tell the strategy what it holds; positions come from fills, never from its own signals."""
        self._of(symbol)["position"] = position

    def on_bar(self, symbol: str, candle: dict[str, Any]) -> StrategySignal:
        """Return all that this closed candle asks for as one signal, HOLD when nothing is to be done.

        An OPEN while the other side is held asks to close that first; on a ladder `extra["levels"]` are all
        the rungs wanted. An entry says how it is sized where that is not the usual way.
        """
        signal = self._ruled(symbol, candle)[-1]
        if not signal.action.startswith("OPEN"):
            return signal
        sized = sizing_words(self.sizing, self._sized)
        if self.choices != PLAIN:
            sized["volatility"], sized["fit"] = self.measured(symbol)
        return replace(signal, extra={**(signal.extra or {}), **sized})

    def signals(self, symbol: str, candle: dict[str, Any]) -> list[StrategySignal]:
        """Take one closed candle (time, open, high, low, close, volume); return one signal or more.

        What an engine calls. Raises UsageError when an on_bar returns anything but a signal.
        """
        if not self.has_own_on_bar():
            return self._ruled(symbol, candle)
        self._see(symbol, candle)
        signal = self.on_bar(symbol, candle)
        if not isinstance(signal, StrategySignal):
            raise UsageError(
                f"{type(self).__name__}.on_bar: wanted a StrategySignal (HOLD for nothing), got {signal!r}"
            )
        return [signal]

    def _ruled(self, symbol: str, candle: dict[str, Any]) -> list[StrategySignal]:
        """Return the signals of the rule."""
        self._see(symbol, candle)
        want = self.decision(symbol)
        if want is None:
            return [StrategySignal(symbol, "HOLD", extra={"reason": "warm-up"})]
        actions = self._actions(self._of(symbol)["position"], want)
        return [StrategySignal(symbol, action, signal_risk(action, why), why) for action, why in actions]

    def _see(self, symbol: str, candle: dict[str, Any]) -> None:
        """Add a candle to `df`, if it is not there yet."""
        self._of(symbol).add(candle, self.window)

    def decision(self, symbol: str) -> Decision | None:
        """Return what the rule wants at the newest candle, None while warming up.

        Raises UsageError for what no rule may want.
        """
        state = self._of(symbol)
        bars = bars_of(state)
        if bars.ts.size < 2:
            return None
        # Older ones say nothing to the newest rows.
        bars = bars.since(max(0, bars.ts.size - self._memory))
        columns = self.rule.newest_columns(bars, self.params)
        prev, now = row(columns, -2), row(columns, -1)
        if not (is_ready(prev) and is_ready(now)):
            return None
        held = state["position"]
        want = self.rule.decide(now, prev, held, self.params)
        check_decision(self.rule, want, held, int(bars.ts[-1]))
        return want

    def measured(self, symbol: str) -> tuple[float, float]:
        """Return the market's volatility and fit at the newest candle, for sizing: core.regime.conditions."""
        if self.choices == PLAIN:
            return 1.0, 1.0
        found = gauges(bars_of(self._of(symbol)), self.choices)
        return found.volatility.item(-1), found.fit.item(-1)

    def _actions(self, held: PositionView, want: Decision) -> list[tuple[str, dict[str, Any]]]:
        side = (want.target > 0) - (want.target < 0)
        if side == held.side:
            return [adjusted(held, want) if side else ("HOLD", withdrawing(held, want))]
        why = {"reason": reason_word(want.reason), "target": want.target}
        close = [(f"CLOSE_{side_name(held.side)}", why)] if held.side else []
        entry = protection(want) | remembered(NAN, want) | priced(want) | why
        if hasattr(self.params, "rr_ratio"):
            entry["rr_ratio"] = self.params.rr_ratio
        return close + ([(f"OPEN_{side_name(side)}", entry)] if side else [])

    def _of(self, symbol: str) -> SymbolState:
        state = self.state.get(symbol)
        if not isinstance(state, SymbolState):
            state = self.state[symbol] = SymbolState(state or {})
        state.setdefault("position", FLAT)
        return state
