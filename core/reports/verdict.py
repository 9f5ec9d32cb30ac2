"""What a verification found, as a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import IO

from core.proof.verify import Verification
from core.reports.table import print_table


def print_verdicts(
    verdicts: Sequence[Verification], *, wide: bool = False, file: IO[str] | None = None
) -> None:
    """Print one row per strategy and symbol, then the differences, if there are any."""
    out = file or sys.stdout
    headings = ["symbol", "tf", "strategy", "result", "trades", "differences", "checks"]
    times = ["backtesting s", "fast s", "live s", "live bars/s"]
    cells = [_cells(verdict) for verdict in verdicts]
    print_table([*headings, *times], cells, left=4, spare=(times[-1], *times), wide=wide, file=out)
    for verdict in verdicts:
        for line in verdict.differences:
            out.write(f"{verdict.spec.series} {verdict.spec.strategy}: {line}\n")
    equal = sum(not verdict.differences for verdict in verdicts)
    trades = sum(len(verdict.runs[0].trades) for verdict in verdicts)
    out.write(f"\n{equal} of {len(verdicts)} equal three ways to the last bit; {trades:,} trades compared\n")


def _cells(verdict: Verification) -> list[str]:
    first, live = verdict.runs[0], verdict.runs[-1]
    return [
        verdict.spec.series.symbol,
        verdict.spec.series.timeframe,
        verdict.spec.strategy,
        "DIFFERENT" if verdict.differences else "equal",
        f"{len(first.trades):,}",
        str(len(verdict.differences)),
        f"{verdict.checks:,}",
        *(f"{run.seconds:.3f}" for run in verdict.runs),
        f"{live.equity.size / live.seconds:,.0f}",
    ]
