"""What an account trades by, as one hash: rules, parameters, symbols and limits. A paper record is of one."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from core.live.terms import AccountTerms
from strategies.registry import load_strategy


def configuration_of(terms: AccountTerms) -> str:
    """Return 12 hex digits of the SHA-256 over rules' sources, parameters, symbols, timeframes and limits."""
    members = sorted(
        [one.strategy, one.symbol, one.timeframe, {**load_strategy(one.strategy).rule.defaults, **one.params}]
        if load_strategy(one.strategy).backtest is not None
        else [one.strategy, one.symbol, one.timeframe, dict(one.params)]
        for one in terms.members
    )
    modules = {name for one in terms.members for name in load_strategy(one.strategy).modules}
    sources = {name: _hash(Path(str(sys.modules[name].__file__)).read_bytes()) for name in sorted(modules)}
    limits = {
        "risk": terms.risk.risk_per_trade,
        "day": terms.risk.daily_loss_pct,
        **asdict(terms.risk.limits),
    }
    text = json.dumps([members, sources, limits], sort_keys=True, default=float)
    return _hash(text.encode())[:12]


def _hash(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
