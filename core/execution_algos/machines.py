"""The algorithms by name, and their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from core.execution_algos.limit_chase import LimitChase
from core.execution_algos.market import AtMarket
from core.execution_algos.split import SplitByDepth
from core.execution_algos.twap import TimedSlices
from core.execution_algos.values import Machine

AlgoName = Literal["market", "limit_chase", "split", "twap"]
MARKET_ALGO: Final = "market"


class AlgoTerms(NamedTuple):
    """How patient each algorithm is."""

    chase_wait_ms: int = 10_000
    chase_until_ms: int = 30_000
    impact: Decimal = Decimal("0.001")
    """A fraction of the best price."""
    split_pause_ms: int = 5_000
    split_until_ms: int = 120_000
    twap_slices: int = 5
    twap_over_ms: int = 300_000


USUAL_TERMS: Final = AlgoTerms()
_MAKERS: Mapping[str, Callable[[AlgoTerms], Machine]] = MappingProxyType(
    {
        MARKET_ALGO: lambda _: AtMarket(),
        "limit_chase": lambda terms: LimitChase(terms.chase_wait_ms, terms.chase_until_ms),
        "split": lambda terms: SplitByDepth(terms.impact, terms.split_pause_ms, terms.split_until_ms),
        "twap": lambda terms: TimedSlices(terms.twap_slices, terms.twap_over_ms),
    }
)
ALGORITHMS: Final = tuple(_MAKERS)


def machine_of(name: str, terms: AlgoTerms) -> Machine:
    """Return the algorithm of this name. Raises KeyError for none of ALGORITHMS."""
    return _MAKERS[name](terms)
