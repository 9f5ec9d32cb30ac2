"""The verdict on a parameter set: an edge, no edge, or not enough data, and what decided it.

It says "an edge" only if all of this holds; the first that does not decides and is named.

1. Enough: so many unseen days that a Sharpe ratio of 3 would be found four times in five, and 30 trades.
2. Unseen: on days on which nothing was chosen its Sharpe ratio is above 0, 95 % sure (probabilistic Sharpe
   ratio with skew, tails and autocorrelation); after n looks at the same days, 1 - 5 %/n sure.
3. Luck: over all days, at most 5 % that the best of all tries without an edge looks as good
   (core.verdict.reality_check.luck, with N).
4. Deflated: its Sharpe ratio is more probably than not above that of the luckiest of N tries.
5. Costs: with costs doubled it still earns.
6. Market: over all days it earns more than holding at the same risk.
7. Overfitting: of the best sets of one half of the days at most half are below the middle on the other half,
   or at most a quarter lose there: where all sets are good, which is the best is chance and no harm. This one
   can only say no: on a random walk it is good by chance. It is not asked of a walk forward, which lives by
   choosing.
8. If they are known: random entries (at most 5 %), shuffled bars (at most 5 %), neighbours that earn too.

Tests 2 and 3 are each wrong at most once in twenty where there is nothing, and both must be passed.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from core.domain import FloatArray
from core.errors import UsageError
from core.figures import how_often
from core.verdict.benchmarks import hold_at_equal_risk
from core.verdict.cross_validation import overfitting, paths
from core.verdict.reality_check import luck, superior_ability
from core.verdict.resampling import bands
from core.verdict.sharpe import (
    SURE,
    SharpeSample,
    deflated_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_deviation,
    sharpe_sample,
    sharpes_of_all,
    shortest_track_record,
)
from core.verdict.shuffling import shuffled_trades

YEAR = 365
"""Days: these markets never close."""
CHANCE = 1 - SURE
"""Probability of luck that is accepted."""
FINDABLE = 3.0
"""Annual Sharpe ratio that the unseen days must be long enough to find."""
FEWEST_TRADES = 30
"""On all days together."""
HALF, QUARTER = 0.5, 0.25
"""Probability of overfitting, and of a loss where the best was not chosen, that are accepted."""
UNSEEN, CHOSEN_ON, ALL = "unseen", "chosen on", "all"
"""Days that are looked at."""
GROUPS, FEWEST_PATH_DAYS = 6, 60
"""Parts of the days for combinatorial paths, of which each way tests two; and from how many days on."""
BLOCKS = 12
"""Parts that the days are cut into for the probability of overfitting: 924 ways."""


class Answer(Enum):
    """What the verdict is."""

    EDGE = "edge"
    NO_EDGE = "no edge"
    NOT_ENOUGH = "not enough data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict is made from. Returns are daily, fractions after costs; none is NaN."""

    seen: FloatArray
    """Of every try whose returns are known, on the days on which one was chosen; shape (tries, days)."""
    chosen: int
    """The row of the one that was chosen."""
    unseen: FloatArray
    """Of the chosen one on the days after, on which nothing was chosen; or stitched from a walk forward,
    whose first fit is then `seen`. Shape (days,)."""
    hold: FloatArray
    """Of buying and holding, on all these days, seen and unseen; shape (days,)."""
    tries: int
    """N: sets ever tried on these days, by any command; at least the rows of `seen`."""
    trades: int
    """Closed by the chosen one, on all these days."""
    doubled: float
    """What the chosen one earns on all these days with costs doubled, a fraction."""
    looks: int = 1
    """Times that the unseen days were looked at, this one included."""
    random_entries: float | None = None
    """Probability of core.verdict.benchmarks.random_entries; None if it was not looked at."""
    shuffled: float | None = None
    """Probability of core.verdict.shuffling.chance_of_shuffled; None if it was not looked at."""
    walked: bool = False
    """`unseen` comes from a walk forward. It lives by choosing, so whether choosing works needs no other
    test, least of all one on its first fit alone."""
    trade_returns: FloatArray | None = None
    """Of the chosen one's trades on all these days, fractions of equity; None if they are not known."""
    plateau: float | None = None
    """Score of core.verdict.benchmarks.plateau; None if it was not looked at."""
    series: int = 1
    """Series that are one account, each with the same share every day."""


@dataclass(frozen=True, slots=True)
class Hurdle:
    """One thing that an edge must pass."""

    name: str
    passed: bool
    value: float
    limit: float
    text: str
    """What was found, a part of a sentence."""
    found: str
    """The value as people read it."""
    wanted: str
    """What it must be, with the limit."""
    days: str
    """Which days were looked at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of the chosen set."""

    answer: Answer
    sentence: str
    decided_by: str
    """The name of the test that decided: the first that was not passed, or `all`."""
    tests: tuple[Hurdle, ...]
    not_asked: dict[str, str] = field(default_factory=dict)
    """Why what might have been asked was not, by the test's name."""
    figures: dict[str, float] = field(default_factory=dict)
    """What was computed on the way; Sharpe ratios are a year's, lengths are in days."""


def judge(evidence: Evidence, seed: int = 1) -> Verdict:
    """Return the verdict; the same evidence and seed give the same one. Raises UsageError for wrong
    evidence."""
    require_sound(evidence)
    figures: dict[str, float] = {}
    tests = tuple(_tests(evidence, seed, figures))
    figures |= besides(evidence, seed)
    left = not_asked(evidence, {test.name for test in tests})
    failed = next((test for test in tests if not test.passed), None)
    if failed is None:
        texts = [test.text for test in tests if test.name in ("unseen", "luck", "costs")]
        return Verdict(Answer.EDGE, f"An edge: {'; '.join(texts)}.", "all", tests, left, figures)
    answer = Answer.NOT_ENOUGH if failed.name in ("days", "trades") else Answer.NO_EDGE
    begin = {Answer.NOT_ENOUGH: "Not enough data", Answer.NO_EDGE: "No edge"}[answer]
    return Verdict(answer, f"{begin}: {failed.text}.", failed.name, tests, left, figures)


def require_sound(evidence: Evidence) -> None:
    """Raise UsageError unless shapes, counts and numbers of the evidence fit each other."""
    seen, unseen, hold = evidence.seen, evidence.unseen, evidence.hold
    if seen.ndim != 2 or seen.shape[1] < 2 or unseen.ndim != 1 or unseen.size < 2:
        raise UsageError("verdict: wanted two seen days or more for each try, and two unseen ones")
    days = seen.shape[1] + unseen.size
    if hold.shape != (days,):
        raise UsageError(f"verdict: wanted holding's returns on all {days} days, got {hold.size}")
    if not 0 <= evidence.chosen < seen.shape[0] <= evidence.tries or evidence.looks < 1:
        raise UsageError(
            f"verdict: wanted a chosen row of {seen.shape[0]}, as many tries and one look or more, got row "
            f"{evidence.chosen}, {evidence.tries} tries, {evidence.looks} looks"
        )
    if not all(np.isfinite(part).all() for part in (seen, unseen, hold)):
        raise UsageError("verdict: wanted returns that are numbers, got NaN or infinity")


def _tests(evidence: Evidence, seed: int, figures: dict[str, float]) -> Iterator[Hurdle]:
    yield from _enough(evidence)
    whole = np.concatenate([evidence.seen[evidence.chosen], evidence.unseen])
    yield _unseen(evidence, figures)
    yield _luck(evidence, seed, figures)
    yield _deflated(evidence, whole, figures)
    earned = evidence.doubled
    text = f"with costs doubled it {_earns(earned)}"
    yield Hurdle("costs", earned > 0, earned, 0.0, text, _percent(earned), "more than 0 %", ALL)
    yield _market(evidence, whole, figures)
    if not evidence.walked and evidence.seen.shape[0] > 1 and evidence.seen.shape[1] >= 2 * BLOCKS:
        yield _overfitting(evidence, figures)
    yield from _more(evidence)


def _enough(evidence: Evidence) -> Iterator[Hurdle]:
    days, wanted = evidence.unseen.size, fewest_days()
    yield Hurdle(
        "days",
        days >= wanted,
        days,
        wanted,
        f"{days:,} days on which nothing was chosen, wanted {wanted:,}: on fewer, even a very good rule (a "
        f"Sharpe ratio of {FINDABLE:g}) is missed too often",
        f"{days:,} days",
        f"at least {wanted:,}",
        UNSEEN,
    )
    trades = evidence.trades
    yield Hurdle(
        "trades",
        trades >= FEWEST_TRADES,
        trades,
        FEWEST_TRADES,
        f"{trades:,} closed trades, wanted {FEWEST_TRADES}: a few trades say nothing",
        f"{trades:,} closed",
        f"at least {FEWEST_TRADES}",
        ALL,
    )


def fewest_days() -> int:
    """Return the unseen days on which a Sharpe ratio of FINDABLE is found four times in five."""
    return math.ceil(shortest_track_record(FINDABLE / math.sqrt(YEAR)))


def _unseen(evidence: Evidence, figures: dict[str, float]) -> Hurdle:
    sample = sharpe_sample(evidence.unseen)
    sure, wanted = _or_zero(probabilistic_sharpe(sample, at=0.0)), 1 - CHANCE / evidence.looks
    annual, earned = unseen_figures(evidence)
    figures |= {"unseen_sharpe": annual, "unseen_return": earned, "unseen_sure": sure}
    figures["days_needed"] = minimum_track_record(sample, sure=wanted)
    days = evidence.unseen.size
    made = f"it made {_percent(earned)}" if earned > 0 else f"it did not earn, {_percent(earned)}"
    what = f"on {days:,} days that it was not chosen on {made} at a Sharpe ratio of {annual:.2f}"
    if evidence.series > 1:
        what += f" (its {evidence.series} series as one account, the same share each)"
    looked = f", looked at {how_often(evidence.looks)}" if evidence.looks > 1 else ""
    text = f"{what}{looked}: {share(sure)} sure that it is more than luck, {share(wanted)} wanted"
    asked = f"at least {share(wanted)}"
    return Hurdle("unseen", sure >= wanted, sure, wanted, text, f"{share(sure)} sure", asked, UNSEEN)


def unseen_figures(evidence: Evidence) -> tuple[float, float]:
    """Return the annual Sharpe ratio and the return of the unseen days, as a table of that run has them.

    A run's first day has no day before it and so no daily return there (core.results.measures); the first of
    a walk forward's stitched days has.
    """
    days = evidence.unseen if evidence.walked else evidence.unseen[1:]
    annual = _or_zero(sharpe_sample(days).sharpe) * math.sqrt(YEAR)
    return annual, float(np.prod(1 + evidence.unseen)) - 1


def _luck(evidence: Evidence, seed: int, figures: dict[str, float]) -> Hurdle:
    chance = luck(evidence.seen, evidence.chosen, evidence.unseen, evidence.tries, seed=seed)
    figures["luck"] = chance
    text = (
        f"the best of {evidence.tries:,} tries without an edge looks as good {_often(chance)}, "
        f"wanted at most {_often(CHANCE)}"
    )
    return _by_chance("luck", chance, text, ALL)


def _deflated(evidence: Evidence, whole: FloatArray, figures: dict[str, float]) -> Hurdle:
    sample = sharpe_sample(whole)
    probability = _or_zero(_deflated_by(evidence, sample))
    figures |= {"sharpe": _or_zero(sample.sharpe) * math.sqrt(YEAR), "deflated": probability}
    text = (
        f"its Sharpe ratio of {figures['sharpe']:.2f} over all days is no better than what the luckiest of "
        f"{evidence.tries:,} tries makes ({share(probability)} sure that it is)"
    )
    asked, found = f"more than {share(HALF)}", f"{share(probability)} sure"
    return Hurdle("deflated", probability > HALF, probability, HALF, text, found, asked, ALL)


def _deflated_by(evidence: Evidence, sample: SharpeSample) -> float:
    """Return the deflated Sharpe ratio over all days, of which only the seen ones were chosen on."""
    days = evidence.seen.shape[1]
    known = sharpes_of_all(evidence.seen)
    known = known[np.isfinite(known)]
    # Luck cannot spread tries further than their standard error: what they differ by besides is no luck.
    spread = sharpe_deviation(sample._replace(length=days), at=0.0)
    if known.size > 1:
        spread = min(spread, float(known.std(ddof=1)))
    return deflated_sharpe(sample, evidence.tries, spread * days / sample.length)


def _market(evidence: Evidence, whole: FloatArray, figures: dict[str, float]) -> Hurdle:
    held = hold_at_equal_risk(whole, evidence.hold)
    ahead = float((whole - held).mean()) * YEAR
    figures["ahead_of_market"] = ahead
    text = f"over all days it earns {_percent(ahead)} a year against holding the market at the same risk"
    return Hurdle("market", ahead > 0, ahead, 0.0, text, f"{_percent(ahead)} a year", "more than 0 %", ALL)


def _overfitting(evidence: Evidence, figures: dict[str, float]) -> Hurdle:
    found = overfitting(evidence.seen, BLOCKS)
    figures |= {"overfitting": found.probability, "loss_elsewhere": found.loss}
    text = (
        f"the best set of one half of the days is below the middle on the other half "
        f"{share(found.probability)} of the time and loses there {share(found.loss)} of the time"
    )
    passed = found.probability <= HALF or found.loss <= QUARTER
    said = f"{share(found.probability)}, loss {share(found.loss)}"
    asked = f"at most {share(HALF)}, or loss {share(QUARTER)}"
    return Hurdle("overfitting", passed, found.probability, HALF, text, said, asked, CHOSEN_ON)


def _by_chance(name: str, chance: float, text: str, days: str) -> Hurdle:
    """Return a test that is passed where luck comes to as much seldom enough."""
    asked = f"at most {share(CHANCE)}"
    return Hurdle(name, chance <= CHANCE, chance, CHANCE, text, share(chance), asked, days)


def _more(evidence: Evidence) -> Iterator[Hurdle]:
    chance = evidence.random_entries
    if chance is not None:
        text = f"random entries as many and as long earn as much {_often(chance)}"
        yield _by_chance("random entries", chance, text, ALL)
    chance = evidence.shuffled
    if chance is not None:
        text = f"the same search on shuffled bars finds something as good {_often(chance)}"
        yield _by_chance("shuffled bars", chance, text, CHOSEN_ON)
    score = evidence.plateau
    if score is not None and not math.isnan(score):
        text, asked = f"its neighbours make {share(score)} of its figure", "more than 0 %"
        yield Hurdle("neighbours", score > 0, score, 0.0, text, f"{share(score)} of it", asked, CHOSEN_ON)


def not_asked(evidence: Evidence, asked: Container[str]) -> dict[str, str]:
    """Return why each test that is not among those asked was left out, by its name."""
    walked = "a walk forward lives by choosing"
    reasons = {
        "overfitting": walked if evidence.walked else "one set, or too few days",
        "random entries": "of a search's best set alone",
        "shuffled bars": "--shuffles runs the search on them",
        "neighbours": "no set one step away in one parameter was tried; a grid tries them all",
    }
    return {name: why for name, why in reasons.items() if name not in asked}


def besides(evidence: Evidence, seed: int = 1) -> dict[str, float]:
    """Return what decides nothing and is good to know, by name.

    `superior` and `reality_check`: probabilities that the best try on the seen days is luck. `path_sharpe`
    and `losing_paths`: the middle annual Sharpe ratio of combinatorial paths, the share of those that lose.
    `sharpe_low` and `sharpe_high`: the annual one of the unseen days nine times in ten; `drawdown_high` the
    drawdown that one in twenty has there; `drawdown_shuffled` the one that one in twenty orders of all trades
    has.
    """
    seen, unseen, year = evidence.seen, evidence.unseen, math.sqrt(YEAR)
    ability, band = superior_ability(seen, seed=seed), bands(unseen, seed=seed)
    found = {
        "superior": ability.consistent,
        "reality_check": ability.white,
        "sharpe_low": band["sharpe"].low * year,
        "sharpe_high": band["sharpe"].high * year,
        "drawdown_high": band["drawdown"].high,
    }
    if seen.shape[1] >= FEWEST_PATH_DAYS:
        sharpes = np.nan_to_num(sharpes_of_all(paths(seen, GROUPS, 2, held=1, embargo=1))) * year
        found |= {"path_sharpe": float(np.median(sharpes)), "losing_paths": float((sharpes <= 0).mean())}
    if evidence.trade_returns is not None and evidence.trade_returns.size:
        orders = shuffled_trades(evidence.trade_returns, seed=seed)
        found["drawdown_shuffled"] = float(np.quantile(orders, SURE))
    return found


def _earns(earned: float) -> str:
    return (
        f"still earns {share(earned)} over all days"
        if earned > 0
        else f"loses {share(-earned)} over all days"
    )


def _often(chance: float) -> str:
    if chance >= 0.995:
        return "always"
    if chance <= 0.001:
        return "at most once in 1,000"
    return f"once in {1 / chance:.0f}" if chance <= 0.2 else f"{share(chance)} of the time"


def share(value: float) -> str:
    """Return a fraction as people read it: `16.6 %`."""
    return f"{100 * value:,.1f} %"


def _percent(value: float) -> str:
    """Return a gain or loss as the tables of runs have it, with its sign: `+16.56 %`."""
    return f"{100 * value:+,.2f} %"


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
