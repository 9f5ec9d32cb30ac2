"""A paper account as plain values, and back: what a restart finds again, to the last digit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from core.errors import UsageError
from core.lots import Lot
from core.orders import Approved, Intent, Purpose
from core.paper_gateway import PaperGateway
from core.portfolio import Result
from core.risk.breakers import RiskState
from core.session import Session

FORMAT = 1
"""Raised when what is kept changes its meaning."""


def snapshot(session: Session, gateway: PaperGateway) -> dict[str, Any]:
    """Return the account as values that JSON holds exactly: decimals as text, NaN as None."""
    portfolio = session.portfolio
    return {
        "format": FORMAT,
        "deposits": str(portfolio.deposits),
        "cash": str(portfolio.cash),
        "settled": portfolio.settled,
        "paper_cash": gateway.cash,
        "marks": dict(portfolio.marks),
        "results": {name: _result(result) for name, result in portfolio.results.items()},
        "lots": [
            {"strategy": strategy, "symbol": symbol, "lots": [_plain(lot) for lot in lots]}
            for strategy, symbol in portfolio.held()
            if (lots := portfolio.lots(strategy, symbol))
        ],
        "waiting": [
            {"intent": _plain(one.intent), "reserve": str(one.reserve)} for one in portfolio.pending.values()
        ],
        "risk": session.risk.state.to_dict(),
        "bars": session.counted(),
    }


def restore(session: Session, gateway: PaperGateway, plain: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Put an account back into a session that has its strategies; return each series' newest open time.

    Raises UsageError for a snapshot of another format, or when a strategy that holds something is missing.
    """
    if plain["format"] != FORMAT:
        raise UsageError(f"the account was kept in format {plain['format']}, this program reads {FORMAT}")
    portfolio = session.portfolio
    portfolio.deposits, portfolio.cash = Decimal(plain["deposits"]), Decimal(plain["cash"])
    portfolio.settled, gateway.cash = plain["settled"], plain["paper_cash"]
    portfolio.marks.update(plain["marks"])
    for symbol, price in plain["marks"].items():
        gateway.mark(symbol, price)
    for name, result in plain["results"].items():
        other = {asset: Decimal(fee) for asset, fee in result["other_fees"].items()}
        portfolio.results[name] = Result(Decimal(result["gross"]), Decimal(result["fees"]), other)
    frames = {(slot.strategy, slot.symbol): slot.timeframe for slot in session.slots}
    for held in plain["lots"]:
        _hold(session, gateway, held, frames)
    session.risk.state = RiskState.from_dict(plain["risk"])
    for waiting in plain["waiting"]:
        approved = Approved(_intent(waiting["intent"]), Decimal(waiting["reserve"]))
        portfolio.reserve(approved)
        if gateway.submit(approved) is not None:
            # The settings' market rules have changed since: nothing is kept for what cannot be done.
            portfolio.release(approved.intent.key)
    return session.recount(plain["bars"])


def _hold(
    session: Session, gateway: PaperGateway, held: Mapping[str, Any], frames: Mapping[tuple[str, str], str]
) -> None:
    whose = held["strategy"], held["symbol"]
    if whose not in frames:
        raise UsageError(
            f"the account holds {whose[1]} of {whose[0]}, which is not to trade it now: "
            f"let it, or begin another account with --account"
        )
    lots = [_lot(lot) for lot in held["lots"]]
    session.portfolio.adopt(*whose, lots)
    gateway.restore(frames[whose], whose, lots)


def _result(result: Result) -> dict[str, Any]:
    other = {asset: str(fee) for asset, fee in result.other_fees.items()}
    return {"gross": str(result.gross), "fees": str(result.fees), "other_fees": other}


def _plain(record: Lot | Intent) -> dict[str, Any]:
    values = ((field.name, getattr(record, field.name)) for field in fields(record) if field.init)
    return {name: _value(value) for name, value in values}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _lot(plain: Mapping[str, Any]) -> Lot:
    exact = {name: Decimal(plain[name]) for name in ("amount", "cost", "fees")}
    prices = {
        name: math.nan if plain[name] is None else plain[name] for name in ("stop", "take", "first_stop")
    }
    return Lot(**{**plain, **exact, **prices})


def _intent(plain: Mapping[str, Any]) -> Intent:
    exact = {name: Decimal(plain[name]) for name in ("amount", "price")}
    protective = {name: None if plain[name] is None else Decimal(plain[name]) for name in ("stop", "take")}
    return Intent(**{**plain, **exact, **protective, "purpose": Purpose(plain["purpose"])})
