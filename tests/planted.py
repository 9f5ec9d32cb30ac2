"""Made-up candles with an edge of known size, or with none, and what a search on them is judged as.

`python -m tests.planted` prints the power curve: how often the verdict says "an edge", by the true annual
Sharpe ratio of the best set and by the share of bars that are kept back. `python -m tests.planted noise`
prints what it says where there is none.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from core.domain import Bars, Costs, FloatArray, Series
from core.optimise.daily import Stretch, daily_runs, day_ends
from core.optimise.judging import JudgedSearch, gather, gather_walk
from core.optimise.search import Question
from core.optimise.walk_forward import WalkTerms, walk_forward
from core.proof.markets import HOUR, START
from core.verdict.judge import Verdict, judge
from core.verdict.sharpe import sharpes_of_all
from core.verdict.shuffling import shuffled_bars
from strategies.registry import load_strategy

YEARS = 5
BARS = YEARS * 365 * 24
STRATEGY, COSTS, CASH = "SMA_CROSS", Costs(0.0005, 0.0), 10_000.0
SERIES = Series("made", "BTC/USDT", "1h")
SETS = [
    {"sma_fast": float(fast), "sma_slow": float(slow), "atr_stop_mult": 6.0}
    for fast in range(5, 55, 5)
    for slow in range(60, 260, 10)
]
"""Two hundred."""
TEN_THOUSAND = [
    {"sma_fast": float(fast), "sma_slow": float(slow), "atr_stop_mult": 6.0}
    for fast in range(2, 52)
    for slow in range(55, 255)
]
STAY = 240
"""Bars that the market drifts one way, in the mean."""
VOLATILITY = 0.006
"""Of a bar's return."""
EDGES = {0.5: 0.0355, 1.0: 0.048, 1.5: 0.058, 2.0: 0.067, 2.5: 0.0755, 3.0: 0.0835}
"""By the true annual Sharpe ratio of the best of SETS after costs: how far a bar drifts, in units of its
volatility. Measured by `calibrated` on 40 times five years, which leaves an error of 0.07."""
SHARE = 0.4
"""Newest bars that are kept back."""


def planted(seed: int, edge: float) -> Bars:
    """Return five years of hours that drift one way for some days, then the other."""
    random = np.random.default_rng(seed)
    turns = np.cumsum(random.random(BARS) < 1 / STAY) % 2
    side = np.where(turns == 0, 1.0, -1.0) * random.choice([-1.0, 1.0])
    return _bars(random, random.standard_normal(BARS) * VOLATILITY + side * edge * VOLATILITY)


def random_walk(seed: int) -> Bars:
    """Return five years of hours without anything in them."""
    return planted(seed, 0.0)


def garch(seed: int) -> Bars:
    """Return five years of hours whose volatility comes in clusters and whose direction nobody knows.

    GARCH(1, 1) with the persistence of real markets, 0.99, and fat tails.
    """
    random = np.random.default_rng(seed)
    shocks = random.standard_t(5, BARS) / np.sqrt(5 / 3)
    steps, variance = np.empty(BARS), VOLATILITY**2
    for bar in range(BARS):
        steps[bar] = np.sqrt(variance) * shocks[bar]
        variance = 0.01 * VOLATILITY**2 + 0.07 * steps[bar] ** 2 + 0.92 * variance
    return _bars(random, np.clip(steps, -0.2, 0.2))


def shuffled(seed: int) -> Bars:
    """Return candles that had a great edge, shuffled."""
    return shuffled_bars(planted(seed, 0.12), seed)


NOISE: dict[str, Callable[[int], Bars]] = {"random walk": random_walk, "GARCH": garch, "shuffled": shuffled}


def _bars(random: np.random.Generator, steps: FloatArray) -> Bars:
    closes = 30_000 * np.exp(np.cumsum(steps))
    opens = np.concatenate([[30_000.0], closes[:-1]])
    reach = np.exp(np.abs(random.standard_normal((2, BARS))) * VOLATILITY / 2)
    highs, lows = np.maximum(opens, closes) * reach[0], np.minimum(opens, closes) / reach[1]
    return Bars(START + HOUR * np.arange(BARS), opens, highs, lows, closes, np.ones(BARS))


def judged(
    bars: Bars, share: float = SHARE, sets: list[dict[str, float]] = SETS, threads: int | None = 1
) -> Verdict:
    """Return the verdict on the set with the best Sharpe ratio on the older bars."""
    cut = int(bars.ts[round(bars.ts.size * (1 - share))])
    old = Stretch(bars.until(int(np.searchsorted(bars.ts, cut))), "1h")
    ends = day_ends(int(bars.ts[0]), cut)
    seen = daily_runs(old, load_strategy(STRATEGY).rule, sets, COSTS, CASH, ends, threads).returns
    best = int(np.nan_to_num(sharpes_of_all(seen), nan=-np.inf).argmax())
    return judge(
        gather(JudgedSearch(STRATEGY, {SERIES: bars}, cut, sets, best, COSTS, CASH), threads=threads)
    )


def walked(bars: Bars) -> Verdict:
    """Return the verdict on a walk forward of eight tests after a year."""
    asked = Question(STRATEGY, SETS, COSTS, CASH)
    walk = walk_forward({SERIES: bars}, asked, WalkTerms(), threads=1)
    return judge(gather_walk({SERIES: bars}, asked, walk))


def calibrated(edge: float, times: int = 40) -> float:
    """Return the true annual Sharpe ratio of the best of SETS: of mean and variance over so many markets."""
    moments, rule = [], load_strategy(STRATEGY).rule
    for seed in range(times):
        bars = planted(1_000_000 + seed, edge)
        ends = day_ends(int(bars.ts[0]), int(bars.ts[-1]) + HOUR)
        returns = daily_runs(Stretch(bars, "1h"), rule, SETS, COSTS, CASH, ends, 1).returns
        moments.append(np.stack([returns.mean(axis=1), returns.var(axis=1)]))
    mean, variance = np.mean(moments, axis=0)
    return float((mean / np.sqrt(variance)).max() * np.sqrt(365))


def tally(verdicts: Iterator[Verdict]) -> tuple[int, Counter[str]]:
    """Return how many say an edge, and what decided the others."""
    found = Counter(verdict.decided_by for verdict in verdicts)
    return found.pop("all", 0), found


def main(what: str, times: int) -> None:
    """Write the power curve to stdout, or what is said of noise."""
    if what == "noise":
        for name, make in NOISE.items():
            _say(name, times, (judged(make(seed)) for seed in range(times)))
        return
    for sharpe, edge in EDGES.items():
        for share in (0.3, 0.4, 0.5):
            verdicts = (judged(planted(seed, edge), share) for seed in range(times))
            _say(f"Sharpe {sharpe}, {share:.0%} unseen", times, verdicts)
        _say(f"Sharpe {sharpe}, walk forward", times, (walked(planted(seed, edge)) for seed in range(times)))


def _say(what: str, times: int, verdicts: Iterator[Verdict]) -> None:
    edges, why = tally(verdicts)
    sys.stdout.write(f"{what}: {edges} of {times} an edge; else {dict(why)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "power", int(sys.argv[2]) if len(sys.argv) > 2 else 100)
