"""The settings of how orders are executed: how patient each algorithm is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from core.account.money import percent_of
from core.execution_algos.machines import AlgoTerms
from core.settings.kinds import Number, Section


class ExecutionSettings(Section):
    """How patient the algorithms are that strategies.yaml names by `execution`."""

    chase_wait_seconds: Annotated[Number, Field(ge=1, le=300, description="1 to 300 (seconds)")] = 10.0
    """limit_chase: so long a maker's order rests before it goes a tick nearer."""
    chase_until_seconds: Annotated[Number, Field(ge=1, le=1800, description="1 to 1800 (seconds)")] = 30.0
    """limit_chase: then what is left goes at the market."""
    split_impact_pct: Annotated[Number, Field(ge=0.01, le=5, description="0.01 to 5 (percent)")] = 0.1
    """split: a slice is what the book offers within so many percent of the best price."""
    split_pause_seconds: Annotated[Number, Field(ge=1, le=300, description="1 to 300 (seconds)")] = 5.0
    split_until_seconds: Annotated[Number, Field(ge=1, le=3600, description="1 to 3600 (seconds)")] = 120.0
    """split: then an exit sells the rest at the market, and an entry is content with what it has."""
    twap_slices: Annotated[int, Field(ge=2, le=100, description="2 to 100")] = 5
    twap_minutes: Annotated[Number, Field(ge=0.1, le=240, description="0.1 to 240 (minutes)")] = 5.0
    """twap: within this time all slices leave."""

    @property
    def terms(self) -> AlgoTerms:
        """The same in ms and fractions."""
        return AlgoTerms(
            chase_wait_ms=round(1000 * self.chase_wait_seconds),
            chase_until_ms=round(1000 * self.chase_until_seconds),
            impact=percent_of(self.split_impact_pct, 1.0),
            split_pause_ms=round(1000 * self.split_pause_seconds),
            split_until_ms=round(1000 * self.split_until_seconds),
            twap_slices=self.twap_slices,
            twap_over_ms=round(60_000 * self.twap_minutes),
        )
