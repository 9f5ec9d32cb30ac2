"""Write docs/strategies.md from the strategies' docstrings, with one chart each on the demo's candles."""

import re
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

if TYPE_CHECKING:
    from core.domain import Bars
    from core.settings import Settings

EXAMPLES = """\
  make_docs.py            all of it, about a minute
  make_docs.py --no-charts
"""
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
below may be given to any strategy besides its own; each of them makes an entry smaller, but for `kelly_cap`,
which takes the place of `risk_per_trade`.

An entry is refused, and counted under "entries refused", when stop and take-profit do not enclose the close
with the spread in it or one of them is not above zero (`bracket`: SUPERTREND's line, or the middle band that
MR_BB and VOL_HUNTER aim at, may be nearer than the spread), when it rounds down to nothing (`lot`), when cash
cannot pay it at the open (`cash`), and when an account holds all the lots it keeps (`lots`).

| parameter | default | allowed | what it does |
|---|---|---|---|
"""
MEANINGS = {
    "max_exposure": "most of equity that a position's notional may be, costs included",
    "vol_target": "annual volatility that a position is to have at most; 0: off",
    "vol_period": "bars that volatility is measured over",
    "kelly_cap": "most of equity that half of Kelly's fraction may risk; 0: off",
    "kelly_trades": "closed trades with a stop before Kelly's fraction counts",
    "regime_cut": "part of its size that an entry loses in a wild market, half of it in a range",
}
"""Of the parameters that any strategy may be given."""
SHOWN, MOST = 180, 7
"""Bars on a chart, and trades on it at most if there is a choice."""
BARS = 4_000
"""Bars a strategy runs over for its chart."""
END = 1_767_225_600_000
"""2026-01-01, where the demo's candles end."""


def main(argv: list[str] | None = None) -> int:
    """Parse, write."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--no-charts", action="store_true", help="the text alone")
    parser.add_argument("--folder", default=str(cli.ROOT / "docs"), help="where they go (default docs)")
    args = parser.parse_args(argv)
    from strategies.registry import REGISTRY

    folder, settings = Path(args.folder), shipped_settings()
    cli.write_output(str(folder / "strategies.md"), document(settings))
    if not args.no_charts:
        with cli.progress("charts", len(REGISTRY)) as advance:
            for name, module in REGISTRY.items():
                cli.write_output(str(folder / "strategies" / f"{module}.svg"), chart(name, settings))
                advance()
    return 0


def shipped_settings() -> "Settings":
    """Return config/*.yaml as they are, whatever the environment says."""
    from core.settings import load_settings

    return load_settings(cli.ROOT / "config", {})


def document(settings: "Settings") -> str:
    """Return the text of docs/strategies.md."""
    from strategies.registry import REGISTRY

    contents = "\n".join(f"- [{name}](#{name.lower()}): {parts_of(name)['what']}" for name in REGISTRY)
    return "\n".join([HEAD, contents, sizes(), *(section(name, settings) for name in REGISTRY)])


def sizes() -> str:
    """Return how entries are sized, and the parameters of it."""
    from core.sizing import CHOICE_BOUNDS, Choices

    rows = []
    for name, default in Choices._field_defaults.items():
        low, high = CHOICE_BOUNDS[name]
        rows.append(f"| `{name}` | {default:g} | {low:g} to {high:g} | {MEANINGS[name]} |")
    return SIZES + "\n".join(rows) + "\n"


def section(name: str, settings: "Settings") -> str:
    """Return what there is to say of one strategy."""
    from strategies.registry import REGISTRY, load_strategy

    module, rule, parts = REGISTRY[name], load_strategy(name).rule, parts_of(name)
    timeframe = settings.strategies[module].timeframe
    lines = [f"\n## {name}\n", f"`strategies/{module}.py`, {timeframe}. {parts['title']}: {parts['what']}.\n"]
    lines += [f"- **{word}**: {parts[word]}" for word in ("Entry", "Exit", "Source")]
    lines += [f"\n![{name} on made-up candles](strategies/{module}.svg)\n"]
    lines += [f"{rule.params.__doc__}\n", "| parameter | default | allowed |", "|---|---|---|"]
    for param, default in rule.params._field_defaults.items():
        low, high = rule.bounds_of(param)
        lines.append(f"| `{param}` | {default:g} | {low:g} to {high:g} |")
    return "\n".join(lines) + "\n"


def parts_of(name: str) -> dict[str, str]:
    """Return a docstring's parts: title, what, Entry, Exit, Source."""
    from strategies.registry import REGISTRY

    doc = import_module(f"strategies.{REGISTRY[name]}").__doc__ or ""
    first, _, rest = doc.partition("\n")
    title, _, what = first.partition(f" ({name}): ")
    # Each begins at the margin; what goes on is indented.
    found = re.findall(r"^(Entry|Exit|Source) +(.*(?:\n .*)*)", rest, re.MULTILINE)
    parts = {word: " ".join(text.split()).removesuffix(".") + "." for word, text in found}
    return {"title": title, "what": what.strip().removesuffix("."), **parts}


def chart(name: str, settings: "Settings") -> str:
    """Return a strategy's picture."""
    from core.backtest.fast_backtester import run_fast
    from core.domain import Costs, Series
    from core.reports.svg import busiest, trades_svg
    from core.results.runs import RunSpec
    from strategies.registry import REGISTRY

    entry = settings.strategies[REGISTRY[name]]
    bars, partner = (demo_bars(symbol, entry.timeframe) for symbol in ("BTC/USDT", "ETH/USDT"))
    series = Series("binanceus-synthetic", "BTC/USDT", entry.timeframe)
    spec = RunSpec(series, name, dict(entry.params), Costs(0.001, 0.0), 10_000.0)
    result = run_fast(bars, spec, partner=partner)
    shown = busiest(bars, result.records, SHOWN, MOST)
    bounds = ", ".join(f"{bound} {count}" for bound, count in Counter(result.bounds).most_common())
    return trades_svg(shown, result.records, f"{name} on {series}; all its entries were bound by: {bounds}")


def demo_bars(symbol: str, timeframe: str) -> "Bars":
    """Return the newest of the demo's candles."""
    from core.exchange_sim.candles import Interval, aggregate
    from core.exchange_sim.synthetic import SyntheticSource
    from core.utils import timeframe_ms
    from scripts.demo import SEED

    step, hour = timeframe_ms(timeframe), 3_600_000
    candles = SyntheticSource(SEED).candles(symbol, hour, END - BARS * step, END)
    return aggregate(candles, Interval(step)).bars()


if __name__ == "__main__":
    cli.run(main)
