"""One account over stored bars, compiled where it can be: the answer of core.backtest.replay, much sooner.

What the compiled account does not support is replayed step by step, and said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from core.backtest.compiled_account import CompiledAccount
from core.backtest.finish import finished
from core.backtest.replay import Replay, ReplayAccount, ReplayFeed, replay
from core.engine import Step
from core.risk.breakers import (
    DAILY_LOSS,
    DRAWDOWN,
    MONTHLY_LOSS,
    RECOVERY,
    RISK_UNKNOWN,
    WEEKLY_LOSS,
    RiskState,
)
from core.risk.endings import Release
from core.risk.jumps import FLASH_CRASH
from core.risk.limits import BREAKER_NAMES
from core.risk.pauses import (
    EXIT_PAUSE,
    LOSS_STREAK,
    LOW_PROFIT,
    RECENT_DRAWDOWN,
    STOP_GUARD,
    SYMBOL_LOSS,
    TRADES_A_DAY,
)
from core.risk_manager import RiskManager

FEW = 100_000
"""Bars decided on, below which no code is compiled for them."""
KNOWN = (
    *(DAILY_LOSS, WEEKLY_LOSS, MONTHLY_LOSS, DRAWDOWN, RISK_UNKNOWN, RECOVERY, FLASH_CRASH),
    *(EXIT_PAUSE, STOP_GUARD, LOW_PROFIT, RECENT_DRAWDOWN, TRADES_A_DAY),
    *(LOSS_STREAK, SYMBOL_LOSS),
)
"""The breakers of the compiled account."""
FEW_BARS = "so few bars are replayed sooner than the account is compiled"


class AccountRun(NamedTuple):
    """An account's replay, and how it was made."""

    replay: Replay
    slow: str
    """Why it was replayed step by step; blank when it was not."""


def run_account(
    feeds: Sequence[ReplayFeed],
    account: ReplayAccount,
    on_step: Callable[[Step], object] | None = None,
) -> AccountRun:
    """Run all feeds on one account; `on_step` is shown every step, which takes the slow way.

    Raises UsageError as `replay` does.
    """
    is_short = sum(feed.bars.ts.size for feed in feeds) < FEW
    why = not_compiled(feeds, account, on_step) or (FEW_BARS if is_short else "")
    if not why:
        compiled = CompiledAccount(feeds, account)
        why = compiled.run()
        if not why:
            return AccountRun(finished(compiled), "")
    return AccountRun(replay(feeds, account, on_step), why)


def not_compiled(
    feeds: Sequence[ReplayFeed], account: ReplayAccount, on_step: Callable[[Step], object] | None = None
) -> str:
    """Return why the compiled account cannot run these; blank when it can."""
    own = [feed.name for feed in feeds if isinstance(feed.strategy, type)]
    risk = account.risk
    reasons = {
        "a series has no bars": not feeds or not all(feed.bars.ts.size for feed in feeds),
        "every step is to be shown": on_step is not None,
        f"{', '.join(own)} has an on_bar of its own": bool(own),
        "paper.volume_pct limits what a bar fills": account.volume_share is not None,
        "a market has a smallest step of its own": risk is not None and bool(risk.markets),
        "risk goes on where it was": risk is not None and not _is_new(risk),
        "a breaker is new to it": BREAKER_NAMES != KNOWN,
        "a breaker ends 24 hours after it tripped": risk is not None and _ends_by_the_hour(risk),
    }
    return next((why for why, applies in reasons.items() if applies), "")


def _ends_by_the_hour(risk: RiskManager) -> bool:
    rows = [(row.ending.release, row.loss.setting) for row in risk.rows if row.loss is not None]
    return any(how is Release.DAY_AFTER and risk.threshold(name) is not None for how, name in rows)


def _is_new(risk: RiskManager) -> bool:
    # NaN is not equal to itself, so that two new states are not either.
    return repr(risk.state) == repr(RiskState())
