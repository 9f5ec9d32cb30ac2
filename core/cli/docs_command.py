"""What make_docs.py does: write the page of all strategies, at the timeframes that are shipped."""

from __future__ import annotations

import argparse
from pathlib import Path

from core import cli
from core.backtest.plan import PlannedRun, plan_runs
from core.reports.strategy_docs import chart, document
from core.settings import load_settings
from strategies.registry import REGISTRY


def run(args: argparse.Namespace) -> int:
    """Write the text, and a chart of each strategy unless they are left out."""
    folder, runs = Path(args.folder), shipped_runs()
    cli.write_output(str(folder / "strategies.md"), document(runs))
    if not args.no_charts:
        with cli.progress("charts", len(runs)) as advance:
            for one in runs:
                path = folder / "strategies" / f"{REGISTRY[one.strategy]}.svg"
                cli.write_output(str(path), chart(one), "")
                advance()
    return 0


def shipped_runs() -> list[PlannedRun]:
    """Return every strategy as config/*.yaml has it, whatever the environment says."""
    settings = load_settings(cli.ROOT / "config", {})
    return plan_runs(settings, strategies=list(REGISTRY), symbols=["BTC/USDT"])
