"""What show_ensemble.py shows: each member's weight, how often it votes, and what it earned."""

from __future__ import annotations

import argparse

import numpy as np

from core import cli
from core.account.money import total
from core.backtest.fast_backtester import run_fast
from core.backtest.plan import check_params
from core.cli import backtest_command
from core.cli.trial_journal import record_results
from core.ensemble.ensemble import combine, weights_of
from core.figures import money
from core.multi_backtester import Job
from core.reports.table import print_table
from core.results.attribution import attribute
from core.results.runs import BacktestResult
from core.symbols import pair_of
from strategies.registry import load_strategy


def run(args: argparse.Namespace) -> int:
    """Load, run, print."""
    args.strategy, args.sizing = ["ENSEMBLE"], []
    overrides = backtest_command.overrides(args)
    settings = cli.load_settings(overrides, check_params, args.strategies_file, args.strategies_dir)
    jobs, _ = backtest_command.planned_jobs(args, settings)
    record_results("ensemble", [show(job) for job in jobs], settings.db.url)
    return 0


def show(job: Job) -> BacktestResult:
    """Print one row per member and their sum; return the run."""
    currency = pair_of(job.spec.series.symbol).quote
    result = run_fast(*job)
    params = load_strategy("ENSEMBLE").rule.make_params(result.spec.params)
    found, weights = combine(job.bars, params), weights_of(params)
    earned = attribute(result.records, job.bars, found)
    known = ~np.isnan(found.whole)
    rows = [
        [
            name,
            f"{weights[name]:g}",
            f"{100 * (part[known] > 0).mean():.0f}",
            f"{100 * (part[known] < 0).mean():.0f}",
            f"{np.abs(part[known]).mean():.3f}",
            money(earned[name], currency),
        ]
        for name, part in zip(found.names, found.parts, strict=True)
    ]
    whole = np.abs(found.whole[known]).mean()
    rows.append(["together", "", "", "", f"{whole:.3f}", money(total(earned.values()), currency)])
    print(f"{job.spec.series}: {job.bars.ts.size:,} bars, {len(result.records):,} trades\n")
    print_table(["member", "weight", "long %", "short %", "mean part", f"earned {currency}"], rows)
    print()
    return result
