"""What a strategy is: one rule, of two pure functions over its own parameters and columns."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np

from core.domain import Bars, Decision, FloatArray, PositionView
from core.errors import NoDataError, UsageError, unknown_name
from core.sizing import CHOICE_BOUNDS, PLAIN, Choices, Sizing, by_stake, is_staked

T = TypeVar("T")
"""FloatArray for all bars of a column, float for one row."""

MEMORY = 40
"""Bars of history, in multiples of the longest period, after which a column no longer depends on where it
began: an EMA needs 20 spans to the last bit (measured)."""

WILDER = 60
"""The same for Wilder's smoothing (ATR, RSI, ADX), in multiples of its own period: up to 45 were seen on
1,200 real windows."""

PIECE = 4096
"""Bars looked at together when the end of a warm-up is searched."""

NO_STOP = "none"
"""What a rule says whose entries have no stop on purpose."""

TRADED: tuple[str, ...] = ()
"""The universe of a rule that ranks the symbols which it trades."""

COMMON_BOUNDS = {
    "_period": (2.0, 2000.0),
    "_fast": (2.0, 1999.0),
    "_slow": (3.0, 2000.0),
    "rsi_low": (1.0, 98.0),
    "rsi_high": (2.0, 99.0),
    "rsi_margin": (0.0, 49.0),
    "adx_min": (0.0, 99.0),
    "_mult": (0.05, 100.0),
    "_ratio": (0.001, 100.0),
    "_std": (0.05, 100.0),
    "risk_per_trade": (0.0001, 0.2),
    "max_exposure": (0.01, 0.99),
    "stake": CHOICE_BOUNDS["stake"],
    "stake_money": CHOICE_BOUNDS["stake_money"],
}
"""Smallest and largest value by the end of a parameter's name: one vocabulary for all rules."""


class Span(NamedTuple):
    """What a search tries of a parameter: `Annotated[int, Span(5, 50)]` beside its default says so.

    From the smallest to the largest value by the step. What has none stays as it is, unless a person says
    otherwise.
    """

    low: float
    high: float
    step: float = 1


class CandlesWrittenError(UsageError):
    """A rule's columns wrote to what they were given: its name, the place, what it did, what to do."""

    def __str__(self) -> str:
        return ": ".join(self.args)


def locked(bars: Bars) -> Bars:
    """Return the bars, which nobody can write any more: the run reads them after the rule has seen them."""
    for column in bars:
        column.setflags(write=False)
    return bars


@dataclass(frozen=True, slots=True, eq=False)
class StrategyRule:
    """One strategy. Backtest, sweep, paper and live call the same two functions. Equal only to itself."""

    name: str
    params: type[Any]
    """A NamedTuple of numbers with defaults. Fields named as in Sizing set the size."""
    columns: Callable[..., Any]
    """(bars, params) -> a NamedTuple of arrays as long as the bars; causal; NaN while warming up."""
    decide: Callable[[Any, Any, PositionView, Any], Decision]
    """(now, prev, held, params) -> Decision; two rows of the columns, pure arithmetic."""
    longest: Callable[[Any], int]
    """params -> the longest period, in bars."""
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Smallest and largest value, both allowed, of the parameters that COMMON_BOUNDS does not know."""
    orders: tuple[tuple[str, str], ...] = field(default=())
    """Pairs of parameters of which the first must be smaller than the second."""
    is_ladder: bool = False
    """A ladder holds numbered rungs, each a lot with its own take-profit."""
    history: Callable[[Any], int] | None = None
    """params -> bars that a live window needs, where that is not `MEMORY` times the longest period."""
    partner: Callable[[str], str | Sequence[str | tuple[str, str]]] | None = None
    """symbol -> another, whose candles `columns` takes as a third argument (strategies.pairing.Joined), or
    several, of which it takes a tuple: symbols, on the rule's own timeframe, and (symbol, timeframe)."""
    universe: Sequence[str] | None = None
    """The symbols that its own is ranked among, TRADED for those that the run or the account trades;
    `columns` takes them as its last argument (strategies.pairing.Universe)."""
    stop: str = "finite"
    """NO_STOP where entries may have none; else one without a finite stop is a mistake that is told."""
    untranslated: int = 0
    """Parts of what it was written from by import_freqtrade.py that are not in it: it is another strategy."""
    follows: tuple[str, ...] = ()
    """Other strategies, by name, whose rules this one runs."""
    newest: Callable[..., Any] | None = None
    """As `columns`, but of the last rows alone, two at least, where that takes much less: the same to the
    last bit, for a decision bar by bar reads no others."""

    @property
    def looks_elsewhere(self) -> bool:
        """Tell whether it looks at more candles than its own."""
        return self.partner is not None or self.universe is not None

    def make_params(self, given: Mapping[str, object]) -> Any:
        """Return the rule's own parameters with defaults filled in. Raises UsageError naming every problem.

        What is given besides may be Choices of sizing.
        """
        problems = self.check_params(given)
        if problems:
            raise UsageError("; ".join(problems))
        return self._built(given)

    def check_params(self, given: Mapping[str, object]) -> list[str]:
        """Return one line per problem: unknown name, not a number, out of bounds, wrong order."""
        problems = [line for name, value in given.items() for line in self.check_value(name, value)]
        return problems or [*self.order_problems(self._built(given)), *self._sizing_problems(given)]

    def check_value(self, name: str, value: object) -> list[str]:
        """Return what is wrong with one parameter's value, whatever the others are."""
        defaults = self.defaults
        if name not in defaults:
            return [f"{self.name}: {unknown_name('parameter', name, defaults)}"]
        kind = "a whole number" if isinstance(defaults[name], int) else "a number"
        low, high = self.bounds_of(name)
        wanted = f"{self.name}.{name}: wanted {kind} from {low:g} to {high:g}, got {value!r}"
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float | np.integer | np.floating)
            or not math.isfinite(value)
        ):
            return [wanted]
        whole = not isinstance(defaults[name], int) or float(value).is_integer()
        return [] if whole and low <= value <= high else [wanted]

    def bounds_of(self, name: str) -> tuple[float, float]:
        """Return the smallest and the largest allowed value of a parameter."""
        if name in CHOICE_BOUNDS and name not in self.params._fields:
            return CHOICE_BOUNDS[name]
        common = (bounds for ending, bounds in COMMON_BOUNDS.items() if name.endswith(ending))
        return self.bounds[name] if name in self.bounds else next(common)

    @property
    def spans(self) -> dict[str, Span]:
        """Return what a search tries of the parameters that say so, in their order."""
        hints = get_type_hints(self.params, include_extras=True)
        found = {name: getattr(hints.get(name), "__metadata__", ()) for name in self.params._fields}
        return {name: one for name, said in found.items() for one in said if isinstance(one, Span)}

    @property
    def defaults(self) -> dict[str, float]:
        """Return every parameter that may be given, the Choices of sizing too, with its default."""
        own = getattr(self.params, "_field_defaults", {})
        return {**Choices._field_defaults, **own}

    def make_choices(self, given: Mapping[str, object]) -> Choices:
        """Return how entries are sized, from the parameters that are not the rule's own."""
        own, defaults = self.params._fields, Choices._field_defaults
        chosen = {name: value for name, value in given.items() if name in defaults and name not in own}
        return Choices(**{name: type(defaults[name])(value) for name, value in chosen.items()})

    def complete(self, given: Mapping[str, object]) -> dict[str, float]:
        """Return the rule's own parameters and the Choices that are no default. Raises UsageError."""
        choices = self.make_choices(given)._asdict()
        chosen = {name: value for name, value in choices.items() if value != getattr(PLAIN, name)}
        return {**self.make_params(given)._asdict(), **chosen}

    def sizing(self, params: Any, choices: Choices = PLAIN) -> Sizing:
        """Return how entries are sized."""
        own = {name: getattr(params, name) for name in Sizing._fields if hasattr(params, name)}
        given = {name: float(getattr(choices, name)) for name in Sizing._fields if name in Choices._fields}
        return by_stake(Sizing(**{**given, **own}))

    def columns_of(self, bars: Bars, params: Any) -> Any:
        """Return all columns of bars that cannot be written any more. Raises CandlesWrittenError."""
        return self._computed(self.columns, bars, params)

    def newest_columns(self, bars: Bars, params: Any) -> Any:
        """Return columns whose last two rows are those of all columns; as `columns_of` besides."""
        return self._computed(self.newest or self.columns, bars, params)

    def _computed(self, columns: Callable[..., Any], bars: Bars, params: Any) -> Any:
        try:
            return columns(locked(bars), params)
        except ValueError as error:
            # NumPy has no kind of its own for it.
            if "read-only" not in str(error):
                raise
            frames = traceback.extract_tb(error.__traceback__)[1:]
        # The last line that is not a library's is the one that a person wrote.
        line = next((one for one in reversed(frames) if "site-packages" not in one.filename), None)
        place = f"columns, line {line.lineno}" if line else "columns"
        what = f"writes to the candles ({line.line})" if line else "writes to the candles"
        raise CandlesWrittenError(self.name, place, what, "write to a copy: bars.close.copy()")

    def memory(self, params: Any) -> int:
        """Return the bars a live window needs so that its last row equals the backtest's."""
        if self.history:
            return self.history(params)
        return max(MEMORY * self.longest(params), WILDER * getattr(params, "atr_period", 0))

    def order_problems(self, params: Any) -> list[str]:
        """Return one line per pair of parameters in the wrong order."""
        return [
            f"{self.name}: wanted {small} < {large}, got {low} and {high}"
            for small, large in self.orders
            if not (low := getattr(params, small)) < (high := getattr(params, large))
        ]

    def _sizing_problems(self, given: Mapping[str, object]) -> list[str]:
        sizing = self.sizing(self._built(given), self.make_choices(given))
        if not (is_staked(sizing) and sizing.kelly_cap > 0):
            return []
        return [
            f"{self.name}: kelly_cap sizes an entry by its stop, a stake whatever its stop: give one of them"
        ]

    def _built(self, given: Mapping[str, object]) -> Any:
        defaults = self.params._field_defaults
        own = {name: value for name, value in given.items() if name in defaults}
        return self.params(**{name: type(defaults[name])(value) for name, value in own.items()})


def row(columns: Any, i: int) -> Any:
    """Return the columns' values at bar i as the same NamedTuple, of Python floats."""
    return type(columns)(*[column.item(i) for column in columns])


def warm_up(columns: Any) -> int:
    """Return the first bar on which every column has a value; the length when there is none."""
    length = int(columns[0].size)
    # In pieces: the first one nearly always answers.
    for start in range(0, length, PIECE):
        ready = np.ones(min(PIECE, length - start), bool)
        for column in columns:
            ready &= ~np.isnan(column[start : start + PIECE])
        if ready.any():
            return start + int(ready.argmax())
    return length


def first_decision(columns: Any) -> int:
    """Return the first bar that is decided on: one after warm-up, so that `prev` has values too."""
    return warm_up(columns) + 1


def can_trade(length: int, warmed: int) -> bool:
    """Tell whether so many bars, warmed up at this one, have one to decide on and one after it to fill on."""
    return length >= warmed + 3


def check_enough_bars(bars: Bars, rule: StrategyRule, params: Any, first: int) -> None:
    """Raise NoDataError unless there is a bar to decide on and one after it to fill on.

    `first` is the first bar on which every column has a value.
    """
    have = bars.close.size
    if not can_trade(have, first):
        # More than there are, whatever the longest period says: not every column is warm after that.
        least = max(rule.longest(params) + 2, first + 3 if first < have else have + 1)
        raise NoDataError(f"{rule.name} needs at least {least} bars to warm up and trade, there are {have}")


def is_ready(values: tuple[float, ...] | FloatArray) -> bool:
    """Tell whether a row is past warm-up."""
    return not any(math.isnan(value) for value in values)
