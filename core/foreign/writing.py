"""A rule's file, written from what was read of a freqtrade class."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.errors import UsageError, number
from core.figures import how_many
from core.foreign.facts import ClassFacts, Tuned
from core.foreign.formulas import added, joined, longest
from core.foreign.reading import Made, Reading

ENDLESS = 9.99
"""A profit that nobody waits for: a table that begins with it is none."""
WIDE = (0.001, 0.999)


class LeavingTerms(NamedTuple):
    """How a class leaves its positions."""

    stop: float | None
    """Part of the price."""
    table: tuple[tuple[float, float], ...]
    """Profits that are enough, by bars held."""
    bars: int | None
    """Bars after which all is closed."""
    is_trailing: bool
    trail: float | None
    offset: float
    waits: bool
    """Whether it trails only once the offset is reached."""
    wants_profit: bool
    least: float
    leaves: bool
    """Whether exit signals count."""


def terms_of(facts: ClassFacts, minutes: int, *, is_short: bool) -> LeavingTerms:
    """Return how a class leaves its positions; `minutes` is the length of a candle."""
    table, bars = _table(facts.value("minimal_roi", otherwise={}), minutes, is_short=is_short)
    stop = _number(facts, "stoploss")
    return LeavingTerms(
        stop=None if stop is None else abs(stop),
        table=table,
        bars=bars,
        is_trailing=facts.value("trailing_stop") is True,
        trail=_number(facts, "trailing_stop_positive"),
        offset=_number(facts, "trailing_stop_positive_offset") or 0.0,
        waits=facts.value("trailing_only_offset_is_reached") is True,
        wants_profit=facts.value("exit_profit_only", "sell_profit_only") is True,
        least=_number(facts, "exit_profit_offset", "sell_profit_offset") or 0.0,
        leaves=facts.value("use_exit_signal", "use_sell_signal", otherwise=True) is not False,
    )


def _number(facts: ClassFacts, *names: str) -> float | None:
    """Return one of these attributes. Raises UsageError for what is no number."""
    found = facts.value(*names)
    return None if found is None else float(number(f"{facts.name}.{names[0]}", found))


def _table(
    roi: object, minutes: int, *, is_short: bool
) -> tuple[tuple[tuple[float, float], ...], int | None]:
    """Return the table in bars, and the bar of a profit that is any loss: there all is closed."""
    if not isinstance(roi, Mapping):
        return (), None
    try:
        rows = sorted((float(age) / minutes, float(profit)) for age, profit in roi.items())
    except (TypeError, ValueError):
        raise UsageError(f"minimal_roi: wanted minutes and fractions, got {roi!r}") from None
    last = next((int(age) for age, profit in rows if profit <= -1), None)
    kept = [(age, min(profit, 0.99) if is_short else profit) for age, profit in rows if profit > -1]
    return () if all(profit > ENDLESS for _, profit in kept) else tuple(kept), last


def source_of(reading: Reading, name: str, where: str, minutes: int) -> str:
    """Return the text of a rule's file."""
    terms = terms_of(reading.facts, minutes, is_short="enter_short" in reading.signals)
    signals = [key for key in reading.signals if terms.leaves or not key.startswith("exit")]
    body = [
        f"TABLE = {terms.table}\n{_DOC}" if terms.table else "",
        _params(reading, terms),
        _columns(reading, terms, signals),
        _decide(terms, signals),
        _rule(reading, terms, name, signals),
    ]
    text = "\n\n\n".join(part for part in body if part) + "\n"
    # The gaps are a part of what stands above.
    head = "\n\n".join(part for part in (_head(reading, terms, name, where, text), _gaps(reading)) if part)
    return f"{head}\n\n{'' if text.startswith('TABLE') else chr(10)}{text}"


_DOC = '"""Profits that are enough, by bars held."""'


def _endings(terms: LeavingTerms, signals: Sequence[str], sides: Sequence[str]) -> list[str]:
    """Return what ends a position, in words, the stop last."""
    by_signal = [side for side in sides if f"exit_{side}" in signals]
    found = (
        [] if not by_signal else ["a signal" if by_signal == list(sides) else f"a signal ({by_signal[0]})"]
    )
    found += ["TABLE of profits by age"] if terms.table else []
    found += [f"after {terms.bars} bars"] if terms.bars is not None else []
    return [
        *found,
        "no stop" if terms.stop is None else "the stop, which trails" if terms.is_trailing else "the stop",
    ]


def _head(reading: Reading, terms: LeavingTerms, name: str, where: str, text: str) -> str:
    sides = [side for side in ("long", "short") if f"enter_{side}" in reading.signals]
    exits = _endings(terms, [key for key in reading.signals if terms.leaves], sides)
    missing = len(reading.gaps)
    partly = f", but for {how_many(missing, 'part')}" if missing else ""
    own = ("NAN", "Bars", "Decision", "FloatArray", "PositionView", "Reason", "enter", "flat", "hold", "move")
    lines = [f"from core.domain import {', '.join(one for one in own if _is_in(one, text))}"]
    lines += [f"from {module} import {', '.join(some)}" for module, some in _helpers(reading, text).items()]
    return "\n".join(
        [
            f'"""{name}: {reading.facts.name}, written for freqtrade and translated{partly}.',
            "",
            f"Entry   {' or '.join(sides)}, by the signals below.",
            f"Exit    {', '.join(exits)}.",
            f"Source  {_plain(where)}; read by import_freqtrade.py, which runs nothing of it.",
            '"""',
            "",
            "from __future__ import annotations",
            "",
            "from typing import Generic, NamedTuple",
            "",
            *(["import numpy as np", ""] if _is_in("np", text) else []),
            *lines,
        ]
    )


def _helpers(reading: Reading, text: str) -> dict[str, list[str]]:
    """Return what a rule imports besides value types, by module."""
    known = {one.rpartition(".")[::2] for one in reading.translation.imports}
    known |= {("strategies.exits", name) for name in ("best", "profit", "roi", "trail")}
    known |= {("strategies.rule", name) for name in ("NO_STOP", "StrategyRule", "T")}
    known.add(("strategies.indicators_more", "signal"))
    names: dict[str, list[str]] = {}
    for module, name in sorted(known):
        if _is_in(name, text):
            names.setdefault(module, []).append(name)
    return names


def _is_in(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def _plain(text: str) -> str:
    """Return a text that ends no docstring."""
    return text.replace("\\", "/").replace('"', "'")


def _gaps(reading: Reading) -> str:
    if not reading.gaps:
        return ""
    rows = [
        textwrap.fill(f"NOT TRANSLATED, {gap}", 108, initial_indent="# ", subsequent_indent="#   ")
        for gap in reading.gaps
    ]
    return "\n".join(rows)


def _params(reading: Reading, terms: LeavingTerms) -> str:
    fields = [f"    {name}: {_kind(reading, name)}" for name in reading.translation.used]
    if terms.stop is not None:
        fields.append(f"    stop_ratio: float = {terms.stop!r}")
    if terms.is_trailing and terms.trail is not None:
        fields.append(f"    trail_ratio: float = {float(terms.trail)!r}")
        fields.append(f"    offset_ratio: float = {float(terms.offset)!r}")
    fields.append("    # Part of equity that an entry costs; freqtrade has it in its configuration.")
    fields.append("    stake: float = 0.3")
    doc = '    """Its parameters, each at the default that it had."""'
    return "\n".join(["class Params(NamedTuple):", doc, "", *fields])


def _kind(reading: Reading, name: str) -> str:
    default = reading.facts.tuned[name].default
    return f"{type(default).__name__} = {default!r}"


def _needed(reading: Reading, signals: Sequence[str]) -> list[Made]:
    """Return the variables that signals read, directly or not, in their order."""
    wanted = {name for key in signals for one in reading.signals[key] for name in one.reads}
    found: list[Made] = []
    for made in reversed(reading.made):
        if made.name in wanted:
            wanted |= set(made.formula.reads)
            found.append(made)
    return found[::-1]


def _columns(reading: Reading, terms: LeavingTerms, signals: Sequence[str]) -> str:
    prices = ["close", *(["high", "low"] if terms.is_trailing else [])]
    head = ["class Columns(NamedTuple, Generic[T]):", '    """What the decision reads, per bar."""', ""]
    head += [f"    {name}: T" for name in (*prices, *signals)]
    body = ["def columns(bars: Bars, p: Params) -> Columns[FloatArray]:"]
    body.append('    """Compute all bars at once."""')
    body += [f"    {made.name} = {made.formula.text}" for made in _needed(reading, signals)]
    for key in signals:
        found = reading.signals[key]
        one = joined(" | ".join(f"({formula.text})" for formula in found), *found)
        text = one.text if "bars" in one.text or one.reads else f"np.full(bars.ts.size, {one.text})"
        body.append(f"    {key} = signal({', '.join([text, *one.reads])})")
    values = [*(f"bars.{name}" for name in prices), *signals]
    body.append(f"    return Columns({', '.join(values)})")
    return "\n".join([*head, "", "", *body])


def _decide(terms: LeavingTerms, signals: Sequence[str]) -> str:
    lines = [
        "def decide(now: Columns[float], prev: Columns[float], held: PositionView, p: Params) -> Decision:",
        '    """Return the position wanted from the next open on."""',
    ]
    for side, other in (("long", "short"), ("short", "long")):
        if f"enter_{side}" in signals:
            lines += _entry(terms, signals, side, other)
    for side, sign in (("long", ">"), ("short", "<")):
        if f"exit_{side}" in signals and f"enter_{side}" in signals:
            profit = f" and profit(held, now.close) > {terms.least!r}" if terms.wants_profit else ""
            lines.append(
                f"    if held.side {sign} 0 and now.exit_{side} > 0 and now.enter_{side} <= 0{profit}:"
            )
            lines.append("        return flat(Reason.RULE)")
    if terms.bars is not None:
        lines.append(f"    if held.side != 0 and held.bars_held + 1 >= {terms.bars}:")
        lines.append("        return flat(Reason.TIME)")
    return "\n".join([*lines, *_manage(terms), "    return hold(held)"])


def _entry(terms: LeavingTerms, signals: Sequence[str], side: str, other: str) -> list[str]:
    against = [name for name in (f"exit_{side}", f"enter_{other}") if name in signals]
    tests = ["held.side == 0", f"now.enter_{side} > 0", *(f"now.{name} <= 0" for name in against)]
    back, ahead = ("-", "+") if side == "long" else ("+", "-")
    stop = "NAN" if terms.stop is None else f"now.close * (1 {back} p.stop_ratio)"
    begins = bool(terms.table) and terms.table[0][0] <= 0 < terms.table[0][1]
    take = f"now.close * (1 {ahead} roi(0, TABLE))" if begins else "NAN"
    target = "1.0" if side == "long" else "-1.0"
    return [f"    if {' and '.join(tests)}:", f"        return enter({target}, {stop}, {take})"]


def _manage(terms: LeavingTerms) -> list[str]:
    """Return what moves stop and take while something is held."""
    moved, lines = [], []
    if terms.is_trailing and terms.stop is not None:
        lines += ["        top, stop = best(held, now.high, now.low), held.stop"]
        ahead = "held.side * (top - held.entry_price) {} p.offset_ratio * held.entry_price"
        if terms.trail is None:
            lines.append("        stop = trail(held, top, p.stop_ratio * top)")
        elif terms.waits:
            lines.append(f"        if {ahead.format('>=')}:")
            lines.append("            stop = trail(held, top, p.trail_ratio * top)")
        else:
            lines.append(f"        away = p.trail_ratio if {ahead.format('>')} else p.stop_ratio")
            lines.append("        stop = trail(held, top, away * top)")
        moved += ["stop=stop", "note=top"]
    if terms.table:
        lines.append("        # Of the next bar, at whose open the position is one bar older.")
        lines.append("        take = held.entry_price * (1 + held.side * roi(held.bars_held + 1, TABLE))")
        moved.append("take=take")
    if not moved:
        return []
    return ["    if held.side != 0:", *lines, f"        return move(held, {', '.join(moved)})"]


def _rule(reading: Reading, terms: LeavingTerms, name: str, signals: Sequence[str]) -> str:
    window, memory = "2", "0"
    for key in signals:
        for one in reading.signals[key]:
            window, memory = longest(window, one.window), longest(memory, one.memory)
    history = added(window, "2") if memory == "0" else f"{window} + 40 * ({memory}) + 200"
    bounds = {key: (float(one.low), float(one.high)) for key, one in _tuned(reading).items()}
    if terms.stop is not None:
        bounds["stop_ratio"] = (min(WIDE[0], terms.stop), max(WIDE[1], terms.stop))
    if terms.is_trailing and terms.trail is not None:
        bounds |= {"trail_ratio": (0.0001, 0.999), "offset_ratio": (0.0, 10.0)}
    lines = [
        "RULE = StrategyRule(",
        f'    name="{name}",',
        "    params=Params,",
        "    columns=columns,",
        "    decide=decide,",
        f"    longest=lambda p: {added(window, memory)},",
        f"    history=lambda p: {history},",
        f"    bounds={bounds!r},",
        *(["    stop=NO_STOP,"] if terms.stop is None else []),
        *([f"    untranslated={len(reading.gaps)},"] if reading.gaps else []),
        ")",
    ]
    return "\n".join(lines)


def _tuned(reading: Reading) -> dict[str, Tuned]:
    return {name: reading.facts.tuned[name] for name in reading.translation.used}
