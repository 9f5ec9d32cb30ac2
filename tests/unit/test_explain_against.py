"""An account's trades beside a run's: why nothing was entered, and a trade in a run's words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.cli.explain_against import record_of, refusals
from db.live_history import ClosedTrade

HOUR = 3_600_000
ROWS = [
    {"bar_ts": 3 * HOUR, "outcome": "cash", "detail": {"why": "not enough cash"}},
    {"bar_ts": 5 * HOUR, "outcome": "daily_loss", "detail": {}},
    {"bar_ts": 7 * HOUR, "outcome": "approved", "detail": {}},
]


@pytest.mark.parametrize(
    ("bar", "open_since", "why"),
    [
        (4, None, "refused: not enough cash"),
        (4, 1, "refused: not enough cash"),
        (6, None, "refused: daily_loss"),
        (8, None, None),
        (8, 8, "still open there"),
        (8, 9, None),
    ],
)
def test_what_was_refused_at_the_close_before_is_why(
    bar: int, open_since: int | None, why: str | None
) -> None:
    since = None if open_since is None else open_since * HOUR
    assert refusals(ROWS, HOUR, since)(bar * HOUR) == why


def test_an_accounts_trade_is_told_as_a_runs_after_fees() -> None:
    trade = ClosedTrade(
        strategy="X",
        symbol="BTC/USDT",
        side="SHORT",
        amount=Decimal("0.5"),
        entry_ts=HOUR,
        exit_ts=2 * HOUR,
        entry_price=100.0,
        exit_price=90.0,
        gross=Decimal("5"),
        fees=Decimal("0.095"),
        reason="take",
    )
    found = record_of(trade)
    assert (found.side, found.size, found.fees, found.reason) == ("SHORT", 0.5, 0.095, "take")
    assert (found.pnl, found.pnl_pct) == pytest.approx((4.905, 9.81))
