"""What an account trades by, as one hash: rules, parameters, symbols and limits. A paper record is of one."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from core.backtest.plan import PlannedRun
from core.live.terms import AccountTerms
from core.risk.limits import ENDINGS
from strategies.registry import load_strategy


def configuration_of(terms: AccountTerms) -> str:
    """Return 12 hex digits of the SHA-256 over rules' sources, parameters, symbols, timeframes and limits.

    How orders are executed is part of it where they do not all go at the market.
    """
    members = sorted(
        [one.strategy, one.symbol, one.timeframe, {**_defaults(one), **one.params}, *sorted(one.universe)]
        for one in terms.members
    )
    modules = {name for one in terms.members for name in load_strategy(one.strategy).modules}
    sources = {name: _hash(Path(str(sys.modules[name].__file__)).read_bytes()) for name in sorted(modules)}
    given = asdict(terms.risk.limits)
    # What is left out ends as it did before there was a choice, so that records of then are of the same.
    usual = {name for name in ENDINGS if given[name] is None}
    limits = {
        "risk": terms.risk.risk_per_trade,
        "day": terms.risk.daily_loss_pct,
        **{name: value for name, value in given.items() if name not in usual},
    }
    parts: list[object] = [members, sources, limits]
    if terms.algorithms:
        parts.append([dict(terms.algorithms), terms.algo_terms])
    text = json.dumps(parts, sort_keys=True, default=float)
    return _hash(text.encode())[:12]


def _defaults(member: PlannedRun) -> Mapping[str, float]:
    """Return a rule's defaults; a class with an on_bar of its own has none."""
    strategy = load_strategy(member.strategy)
    return {} if strategy.backtest is None else strategy.rule.defaults


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
