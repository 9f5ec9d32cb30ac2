"""What is wrong with a rule, said before it runs: one finding a line, with the place and what to do.

`check_module` looks at a strategy's file (names, parameters, the source of `decide`, global state),
`check_columns` at a rule's columns and decisions on candles, and `check_rule` at all of it, the compiler's
view included. Every way to a rule goes through them: the registry, the classes a rule is run by, and
`checked_columns`, which the engines take columns from. What is decided on the bars that were not looked at
before, `check_decision` and its compiled like look at while the rule runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.domain import FLAT, Bars, Decision, PositionView
from core.errors import HotCryptoError, UsageError
from core.secrecy import words_of
from core.soundness import MOST, has_sound_price, is_sound, is_sound_ladder, is_sound_stopless
from strategies import pairing
from strategies.pairing import PartnerBars, Partners, bound_rule
from strategies.rule import NO_STOP, CandlesWrittenError, StrategyRule, row, warm_up
from strategies.rule_purity import impure
from strategies.rule_source import lengths, parameters, reads, source, spans

if TYPE_CHECKING:
    from strategies.registry import Strategy

SAMPLED = 300
"""Bars at whose close decisions are looked at, evenly spread."""
MADE_UP = 500
"""Bars past the history that a rule needs, of the candles made up where none are given."""

MADE_UP_UNIVERSE = 3
"""Other symbols that a rule is checked among."""


class Finding(NamedTuple):
    """One thing that is wrong with a rule."""

    rule: str
    place: str
    """Parameter, column, line of `decide`, bar."""
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.problem}: {self.remedy}"


def require(findings: Iterable[Finding]) -> None:
    """Raise UsageError with all of these in one line, if there are any."""
    if lines := [str(finding) for finding in findings]:
        raise UsageError("; ".join(lines))


def check_rule(strategy: Strategy, bars: Bars | None = None, params: Any = None) -> tuple[Finding, ...]:
    """Return all that is wrong with a strategy, with these parameters on these candles.

    Without candles they are made up, and so is what else it looks at. Later checks are left out where earlier
    ones find something, which would only be found again.
    """
    rule = strategy.rule
    if found := check_rule_source(rule):
        return found
    given = rule.params() if params is None else params
    candles = made_up(rule.memory(given) + MADE_UP) if bars is None else bars
    if rule.looks_elsewhere and not _is_bound(rule):
        rule = bound_rule(rule, _made_up_partners(rule, candles))
    return check_columns(rule, given, candles, is_thorough=True)


def check_module(module: ModuleType, name: str | None = None) -> tuple[Finding, ...]:
    """Return what is wrong with a strategy's file, before anything is run; `name` is what it is known as."""
    if found := _of_name(module, name):
        return found
    label, missing = name or module.RULE.name, []
    for ending, base in (("Backtest", "BacktestStrategy"), ("Live", "BaseStrategy")):
        if class_of(module, ending) is None:
            what = f"no class of RULE has a name that ends in {ending}"
            missing.append(
                Finding(label, "classes", what, f"add class My{ending}({base}) with rule = RULE in it")
            )
    return (*missing, *check_rule_source(module.RULE))


def check_rule_file(module: ModuleType, name: str) -> tuple[Finding, ...]:
    """Return what is wrong with a file of a person's own, whose classes are made where it has none."""
    return _of_name(module, name) or check_rule_source(module.RULE)


def _of_name(module: ModuleType, name: str | None) -> tuple[Finding, ...]:
    label = name or module.__name__.rpartition(".")[2]
    rule = getattr(module, "RULE", None)
    if not isinstance(rule, StrategyRule):
        return (Finding(label, "file", "has no RULE", "end it with RULE = StrategyRule(...)"),)
    if name is not None and rule.name != name:
        return (Finding(label, "RULE", f"is named {rule.name!r}", f"give it name={name!r}"),)
    return ()


def class_of(module: ModuleType, ending: str) -> Any:
    """Return the module's class that runs its RULE and whose name ends so, None without any."""
    classes = (value for value in vars(module).values() if getattr(value, "rule", None) is module.RULE)
    return next((kind for kind in classes if kind.__name__.endswith(ending)), None)


@cache
def check_rule_source(rule: StrategyRule) -> tuple[Finding, ...]:
    """Return what is wrong with a rule's parameters, the source of `decide`, and the names that it reads."""
    read = () if _is_bound(rule) else tuple(impure(rule))
    wrong = tuple(parameters(rule))
    # Of parameters that are wrong nothing more is asked.
    searched = () if wrong else (*spans(rule), *lengths(rule))
    findings = *wrong, *searched, *source(rule), *read, *reads("decide", rule.decide)
    return tuple(Finding(rule.name, *finding) for finding in findings)


def checked_columns(rule: StrategyRule, bars: Bars, params: Any) -> Any:
    """Return a rule's columns of these bars. Raises UsageError when the rule is wrong, or wrong on them."""
    if rule.decide not in _sampled:
        require(check_rule_source(rule))
    columns = _columns(rule, bars, params)
    if _are_findings(columns):
        require(columns)
    require(check_values(rule, params, bars, columns))
    if rule.decide not in _sampled:
        require(_of_decisions(rule, params, bars, columns))
        _sampled.add(rule.decide)
    return columns


_sampled: set[Callable[..., Any]] = set()
"""What was found right on a sample of some run's bars: the run itself looks at each decision it makes."""


def check_computed(rule: StrategyRule, params: Any, bars: Bars, columns: Any) -> list[Finding]:
    """Return what is wrong with columns that are at hand, and with what is decided on them."""
    return check_values(rule, params, bars, columns) or _of_decisions(rule, params, bars, columns)


def check_columns(
    rule: StrategyRule,
    params: Any,
    bars: Bars,
    *,
    is_thorough: bool = False,
) -> tuple[Finding, ...]:
    """Return what is wrong with a rule's columns and decisions on these bars.

    `is_thorough`: ask twice too, whether something besides bars and parameters counts, and let the compiler
    see `decide`.
    """
    columns = _columns(rule, bars, params)
    if _are_findings(columns):
        return tuple(columns)
    found = check_computed(rule, params, bars, columns)
    if found or not is_thorough:
        return tuple(found)
    return (*_state(rule, params, bars, columns), *_compiled(rule, params, columns))


def soundness_of(rule: StrategyRule) -> Callable[[Decision, PositionView], bool]:
    """Return what tells whether a decision of a rule may be acted on; it runs compiled too."""
    if rule.stop == NO_STOP:
        return is_sound_stopless
    return is_sound_ladder if rule.is_ladder else is_sound


def check_decision(rule: StrategyRule, want: Any, held: PositionView, time: int) -> None:
    """Raise UsageError unless a rule may decide this; `time` is the bar's open time, ms UTC."""
    if line := _decision(rule, want, held):
        require([Finding(rule.name, _at(time), *line)])


def made_up(length: int) -> Bars:
    """Return candles of 1h that nobody traded: a walk with quiet and wild spells, the same every time."""
    rng = np.random.default_rng(20_240_229)
    spell = np.repeat(rng.choice([0.002, 0.01, 0.03], length // 50 + 1), 50)[:length]
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1, length) * spell - spell**2 / 2))
    opens = np.concatenate([[100.0], close[:-1]])
    reach = np.abs(rng.normal(0, 0.5, (2, length))) * spell
    high, low = np.maximum(opens, close) * (1 + reach[0]), np.minimum(opens, close) * (1 - reach[1])
    stamps = 1_700_006_400_000 + 3_600_000 * np.arange(length, dtype=np.int64)
    return Bars(stamps, opens, high, low, close, rng.lognormal(3, 1, length))


def _columns(rule: StrategyRule, bars: Bars, params: Any) -> Any:
    """Return the columns, or findings where there are none."""
    try:
        return rule.columns_of(bars, params)
    except CandlesWrittenError as error:
        return [Finding(*error.args)]
    except HotCryptoError:
        raise
    except (Exception, SystemExit) as error:  # A rule is anybody's code, whatever it raises is its mistake.
        return [_raised(rule, "columns", error, f"on {bars.close.size:,} bars")]


def _raised(rule: StrategyRule, place: str, error: BaseException, when: str) -> Finding:
    kind, _, text = words_of(error).partition(": ")
    return Finding(rule.name, place, f"raises {kind} {when}: {text}", "mend it")


def _are_findings(columns: Any) -> bool:
    return isinstance(columns, list)


def check_values(rule: StrategyRule, params: Any, bars: Bars, columns: Any) -> list[Finding]:
    """Return what is wrong with columns that are at hand: their kind, their length, a gap in them."""
    if not isinstance(columns, tuple) or not getattr(columns, "_fields", ()):
        what = f"returns a {type(columns).__name__}"
        return [Finding(rule.name, "columns", what, "return Columns(...), a NamedTuple of arrays")]
    named = list(zip(columns._fields, columns, strict=True))  # type: ignore[attr-defined]
    lines = [(name, line) for name, column in named if (line := _shape(column, bars.close.size))]
    if not lines:
        lines = [
            (name, line) for name, column in named if (line := _gap(rule, params, bars, columns, column))
        ]
    return [Finding(rule.name, f"column {name}", *line) for name, line in lines]


def _shape(column: Any, length: int) -> tuple[str, str] | None:
    kind = type(column)
    if kind.__module__.startswith("pandas"):
        return f"is a pandas {kind.__name__}", "add .to_numpy()"
    if kind is not np.ndarray:
        return f"is a {kind.__name__}", "return a numpy array as long as the bars"
    if column.dtype != np.float64:
        return f"holds {column.dtype}", "add .astype(float)"
    if column.shape != (length,):
        return f"has the shape {column.shape}, there are {length} bars", "return one value for each bar"
    return None


def _gap(
    rule: StrategyRule, params: Any, bars: Bars, columns: Any, column: np.ndarray[Any, Any]
) -> tuple[str, str] | None:
    first = warm_up(columns)
    # The least of some numbers is one of them, unless one is missing.
    if first < column.size and not math.isnan(column[first:].min()):
        return None
    missing = np.isnan(column)
    if missing.all() and column.size > rule.memory(params):
        return f"has no value on any of {column.size:,} bars", "look for a NaN that is carried on"
    if first < column.size and missing[first:].any():
        i = first + int(missing[first:].argmax())
        if missing[i:].all():
            what = f"has no value on the last {column.size - i:,} bars: it looks ahead"
            return what, "take no later bar's value: no shift(-1), no roll(-1)"
        when = f"has no value at bar {i} ({int(bars.ts[i])}), after all columns had one at bar {first}"
        return when, "give it one there, such as 0 or the last one"
    return None


def _of_decisions(rule: StrategyRule, params: Any, bars: Bars, columns: Any) -> list[Finding]:
    first, length = warm_up(columns) + 1, bars.close.size
    count = min(SAMPLED, length - first)
    places = np.unique(np.linspace(first, length - 1, count).astype(np.int64)) if count > 0 else np.arange(0)
    for i, now, prev in zip(places.tolist(), _rows(columns, places), _rows(columns, places - 1), strict=True):
        for held in _positions(float(bars.close[i])):
            try:
                line = _decision(rule, rule.decide(now, prev, held, params), held)
            except Exception as error:  # As in _columns.
                return [_raised(rule, "decide", error, f"at bar {i}")]
            if line:
                return [Finding(rule.name, _at(int(bars.ts[i])), *line)]
    return []


def _rows(columns: Any, places: np.ndarray[Any, Any]) -> list[Any]:
    """Return the same as `row` at each of these bars, in a third of the time."""
    return [type(columns)(*values) for values in zip(*(c[places].tolist() for c in columns), strict=True)]


def _at(time: int) -> str:
    """Return the place of a decision, by its bar's open time, ms UTC."""
    return f"decide at {np.datetime64(time, 'ms').astype('M8[m]')} UTC".replace("T", " ", 1)


def _positions(price: float) -> tuple[PositionView, ...]:
    return (
        FLAT,
        FLAT._replace(since_exit=2, last_result=-0.01),
        PositionView(1, price, 0.9 * price, 1.1 * price, 3, 0b10, 1.0, price, 5, 0.01, price),
        PositionView(-1, price, 1.1 * price, 0.9 * price, 3, 0b10, -1.0, price, 5, -0.01, price),
    )


def _decision(rule: StrategyRule, want: Any, held: PositionView) -> tuple[str, str] | None:
    if not isinstance(want, Decision):
        return f"returns {want!r}", "return enter(...), hold(held) or flat(...)"
    if not has_sound_price(want):
        what = f"waits for limit {want.limit:g}, trigger {want.trigger:g}, {want.valid_bars} bars"
        return what, "one of both, a price above 0, for at least 1 bar"
    if not abs(want.target) <= MOST:
        return f"wants the target {want.target:g}", "from -1 to 1: the size is risk_per_trade's"
    if not is_sound_stopless(want._replace(stop=math.nan), held):
        return f"wants the take {want.take:g}", "a price above 0, or none"
    if not soundness_of(rule)(want, held):
        is_moved = want.target * held.side > 0
        what = f"{'wants' if is_moved else 'enters with'} the stop {want.stop:g}"
        return what, "give it a price" if is_moved else "give enter() a price, or the rule stop=NO_STOP"
    return None


def _state(rule: StrategyRule, params: Any, bars: Bars, columns: Any) -> Iterator[Finding]:
    again = _columns(rule, bars, params)
    if _are_findings(again):
        yield from again
        return
    for name, one, other in zip(columns._fields, columns, again, strict=True):
        if not np.array_equal(one, other, equal_nan=True):
            remedy = "let bars and parameters alone decide"
            yield Finding(rule.name, f"column {name}", "is another one when computed again", remedy)


def _compiled(rule: StrategyRule, params: Any, columns: Any) -> Iterator[Finding]:
    # The compiler takes a second to import: only a thorough check pays it.
    from core.kernel.scan import compiled

    i = min(warm_up(columns) + 1, columns[0].size - 1)
    given = row(columns, i), row(columns, i - 1), FLAT, params
    try:
        compiled(rule.decide)(*given)
    except Exception as error:  # Of the compiler's many, none says more than that it could not.
        yield _raised(rule, "decide", error, "when compiled")


def _is_bound(rule: StrategyRule) -> bool:
    # The columns of a rule that is bound to other candles are made in strategies.pairing.
    return rule.columns.__module__ == pairing.__name__


def _made_up_partners(rule: StrategyRule, candles: Bars) -> Partners:
    """Return other series for a rule to look at: the candles, backwards, raised a little for each further."""
    symbol, step = "BTC/USDT", int(candles.ts[1] - candles.ts[0]) if candles.ts.size > 1 else 1
    back = [column[::-1].copy() for column in candles[1:]]
    named = () if rule.partner is None else rule.partner(symbol)
    count = 1 if isinstance(named, str) else len(named)
    others = [
        PartnerBars(f"OTHER{k}/USDT", "", step, Bars(candles.ts, *(column + k for column in back)))
        for k in range(max(count, MADE_UP_UNIVERSE))
    ]
    return Partners(symbol, step, tuple(others[:count]), tuple(others[:MADE_UP_UNIVERSE]))
