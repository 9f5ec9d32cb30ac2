"""How an account stands, read from its session, desk and feed: the one place that makes a status."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from core.engine import Session
from core.live.feed import Lag
from core.live.status import (
    AccountStatus,
    DeskStatus,
    FeedStatus,
    PositionStatus,
    StreamStatus,
    WaitingStatus,
)
from core.portfolio import DUST
from core.risk.notes import notes
from core.risk.use import LimitUse
from core.symbols import pair_of


def status_of(
    session: Session,
    desk: DeskStatus,
    lags: Iterable[Lag],
    cuts: Mapping[str, int],
    now: int,
    streams: StreamStatus | None = None,
) -> AccountStatus:
    """Return how the account of a session stands; `cuts` counts entries by strategy and limit."""
    portfolio, state = session.portfolio, session.risk.state
    return AccountStatus(
        time=now,
        equity=_number(portfolio.get_equity(portfolio.marks)),
        cash=portfolio.cash,
        currency=session.currency,
        reserved=portfolio.reserved,
        positions=tuple(_position(*held, session) for held in portfolio.held() if portfolio.lots(*held)),
        open_orders=tuple(
            WaitingStatus(key, waiting.intent.side, waiting.intent.amount)
            for key, waiting in portfolio.pending.items()
        ),
        breakers=session.risk.standing(now),
        limits=tuple(limits_of(session)),
        cuts=dict(cuts),
        uses=_uses(session, now),
        paused=state.paused,
        quarantined=dict(state.quarantined),
        feeds=tuple(FeedStatus(str(lag.series), lag.last, lag.behind_ms, lag.is_stale) for lag in lags),
        desk=desk,
        streams=streams,
    )


def limits_of(session: Session) -> list[str]:
    """Return what the account's limits mean for its strategies, a line each."""
    risk, portfolio = session.risk, session.portfolio
    sizings = {name: plan.sizing for name, plan in session.executor.plans.items()}
    quotes = {pair_of(slot.symbol).quote for slot in session.slots} or {"USDT"}
    equity = portfolio.get_equity(portfolio.marks)
    return notes(risk.limits, sizings, risk.markets, equity, min(quotes))


def _uses(session: Session, now: int) -> tuple[LimitUse, ...]:
    portfolio = session.portfolio
    # Without a price of what is held nothing can be said of it.
    is_known = math.isfinite(portfolio.get_equity(portfolio.marks))
    return session.risk.uses(portfolio.snapshot(), now) if is_known else ()


def _position(strategy: str, symbol: str, session: Session) -> PositionStatus:
    portfolio = session.portfolio
    held = portfolio.view(strategy, symbol)
    amount = portfolio.amount(symbol, strategy)
    mark = portfolio.marks.get(symbol, held.entry_price)
    # Dust keeps the lots of where it is from; nobody watches their prices.
    stop, take = (math.nan, math.nan) if strategy == DUST else (held.stop, held.take)
    return PositionStatus(
        strategy,
        symbol,
        "long" if held.side > 0 else "short",
        amount.copy_abs(),
        _number(held.entry_price),
        _number(mark),
        _number(stop),
        _number(take),
        _number(float(amount) * (mark - held.entry_price)),
    )


def _number(value: float) -> float | None:
    # NaN is not JSON.
    return value if math.isfinite(value) else None
