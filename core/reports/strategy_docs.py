"""The page of all strategies: what their docstrings say, how they size entries, and a chart of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib import import_module

from core.backtest.fast_backtester import run_fast
from core.backtest.partners import looked_at, partners_of
from core.backtest.plan import PlannedRun
from core.domain import Bars, Costs, Series
from core.exchange_sim.candles import Interval, aggregate
from core.exchange_sim.synthetic import DEMO_SEED, SyntheticSource
from core.reports.svg import busiest, trades_svg
from core.results.runs import RunSpec
from core.sizing import CHOICE_BOUNDS, Choices
from core.utils import timeframe_ms
from strategies.registry import REGISTRY, load_strategy

HEAD = """\
# Strategies

Written by `make docs` from the files in `strategies/`; change those. Every strategy passes the same proof:
its trades on Backtesting.py, compiled and bar by bar are equal to the last bit. The charts show made-up
candles, the demo's (BTC/USDT of the local exchange), at the timeframe and with the parameters of
`config/strategies.yaml`: where a strategy trades, not whether it earns. A triangle is an entry, up for long
and down for short, a ring the exit; green won, red lost, after fees of 0.1 % a side. Its title
counts what bound the size of each entry: `exposure` means that less was at risk than `risk_per_trade`.
"""
SIZES = """\

## How entries are sized

An entry loses `risk_per_trade` of equity when its stop is hit at its price, before costs. It is cut to what
`max_exposure` allows of the whole position's notional, costs included, and to what free cash can pay, and
rounded down to the lot. Without a stop (GRID_LR alone) it is its share of `max_exposure`. What is closed at
the same open counts as cash, less the commission of closing it: a position that turns round is sized like an
entry from flat. The parameters
below may be given to any strategy besides its own; each of them makes an entry smaller, but for `kelly_cap`
and the two stakes, which take the place of `risk_per_trade`.

An entry is refused, and counted under "entries refused", when stop and take-profit do not enclose the close
with the spread in it or one of them is not above zero (`bracket`: SUPERTREND's line, or the middle band that
MR_BB and VOL_HUNTER aim at, may be nearer than the spread), when it rounds down to nothing (`lot`; `regime`
where only what the regime allows of it does), when cash cannot pay it at the open (`cash`), and when an
account holds all the lots it keeps (`lots`).

| parameter | default | allowed | what it does |
|---|---|---|---|
"""
MEANINGS = {
    "max_exposure": "most of equity that a position's notional may be, costs included",
    "vol_target": "annual volatility that a position is to have at most; 0: off",
    "vol_period": "bars that volatility is measured over",
    "kelly_cap": "most of equity that half of Kelly's fraction may risk; 0: off",
    "kelly_trades": "closed trades with a stop before Kelly's fraction counts",
    "stake": "part of equity that a whole entry costs, whatever its stop; 0: the stop says",
    "stake_money": "the same in quote currency; 0: off; with both the smaller counts",
    "regime_cut": "part of its size that an entry loses in a wild market, half of it in a range",
    "regime_trend": "part of its size that an entry keeps in a trend, up or down",
    "regime_range": "the same without direction",
    "regime_high_vol": "the same in a wild market",
}
"""Of the parameters that any strategy may be given."""
SHOWN, MOST = 180, 7
"""Bars on a chart, and trades on it at most if there is a choice."""
BARS = 4_000
"""Bars a strategy runs over for its chart."""
END = 1_767_225_600_000
"""2026-01-01, where the demo's candles end."""


def document(runs: Iterable[PlannedRun]) -> str:
    """Return the text of docs/strategies.md: a section for each run's strategy, at its timeframe."""
    runs = list(runs)
    names = [run.strategy for run in runs]
    contents = "\n".join(f"- [{name}](#{name.lower()}): {parts_of(name)['what']}" for name in names)
    return "\n".join([HEAD, contents, sizes(), *map(section, runs)])


def sizes() -> str:
    """Return how entries are sized, and the parameters of it."""
    rows = []
    for name, default in Choices._field_defaults.items():
        low, high = CHOICE_BOUNDS[name]
        rows.append(f"| `{name}` | {default:g} | {low:g} to {high:g} | {MEANINGS[name]} |")
    return SIZES + "\n".join(rows) + "\n"


def section(run: PlannedRun) -> str:
    """Return what there is to say of one strategy."""
    name, rule = run.strategy, load_strategy(run.strategy).rule
    module, parts = REGISTRY[name], parts_of(name)
    about = f"{run.timeframe}. {parts['title']}: {parts['what']}.\n"
    lines = [f"\n## {name}\n", f"`strategies/{module}.py`, {about}"]
    lines += [f"- **{word}**: {parts[word]}" for word in ("Entry", "Exit", "Source")]
    lines += [f"\n![{name} on made-up candles](strategies/{module}.svg)\n"]
    lines += [f"{rule.params.__doc__}\n", "| parameter | default | allowed |", "|---|---|---|"]
    for param, default in rule.params._field_defaults.items():
        low, high = rule.bounds_of(param)
        lines.append(f"| `{param}` | {default:g} | {low:g} to {high:g} |")
    return "\n".join(lines) + "\n"


def parts_of(name: str) -> dict[str, str]:
    """Return a docstring's parts: title, what, Entry, Exit, Source."""
    doc = import_module(f"strategies.{REGISTRY[name]}").__doc__ or ""
    first, _, rest = doc.partition("\n")
    title, _, what = first.partition(f" ({name}): ")
    # Each begins at the margin; what goes on is indented.
    found = re.findall(r"^(Entry|Exit|Source) +(.*(?:\n .*)*)", rest, re.MULTILINE)
    parts = {word: " ".join(text.split()).removesuffix(".") + "." for word, text in found}
    return {"title": title, "what": what.strip().removesuffix("."), **parts}


def chart(run: PlannedRun) -> str:
    """Return a strategy's picture."""
    series = Series("binanceus-synthetic", "BTC/USDT", run.timeframe)
    bars, found = demo_bars(*series[1:]), looked_at(load_strategy(run.strategy).rule, series, run.universe)
    partners = partners_of(series, found, {other: demo_bars(*other[1:]) for other in found.each})
    spec = RunSpec(series, run.strategy, dict(run.params), Costs(0.001, 0.0), 10_000.0)
    result = run_fast(bars, spec, partners=partners)
    shown = busiest(bars, result.records, SHOWN, MOST)
    bounds = ", ".join(f"{bound} {count}" for bound, count in Counter(result.bounds).most_common())
    return trades_svg(
        shown, result.records, f"{run.strategy} on {series}; all its entries were bound by: {bounds}"
    )


def demo_bars(symbol: str, timeframe: str) -> Bars:
    """Return the newest of the demo's candles."""
    step, hour = timeframe_ms(timeframe), 3_600_000
    candles = SyntheticSource(DEMO_SEED).candles(symbol, hour, END - BARS * step, END)
    return aggregate(candles, Interval(step)).bars()
