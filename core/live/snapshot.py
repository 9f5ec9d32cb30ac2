"""An account as plain values, and back: what a restart finds again, to the last digit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from core.account.lots import Lot, number_of
from core.account.orders import Approved, Intent, Purpose
from core.account.values import Held, LastExit, Result
from core.engine import FLATTEN, Session
from core.errors import UsageError
from core.portfolio import DUST
from core.risk.breakers import RiskState
from core.risk.limits import BREAKERS
from core.utils import float_text

FORMAT = 2
"""Raised when what is kept changes its meaning."""


def snapshot(session: Session, fills: int = 0, venue: str = "paper", claims: int = 0) -> dict[str, Any]:
    """Return the account as values that JSON holds exactly: decimals as text, NaN as None.

    `fills`: so many of the journal's are in it; `venue`: where it trades; `claims`: so many takings.
    """
    portfolio = session.portfolio
    return {
        "format": FORMAT,
        "venue": venue,
        "fills": fills,
        "claims": claims,
        "taken": str(portfolio.taken),
        "deposits": str(portfolio.deposits),
        "cash": str(portfolio.cash),
        "settled": portfolio.settled,
        "marks": dict(portfolio.marks),
        "results": {name: _result(result) for name, result in portfolio.results.items()},
        "records": [[*held, *record] for held, record in portfolio.records.items()],
        "exits": [[*held, last.bar, float_text(last.result)] for held, last in portfolio.exits.items()],
        "lots": [
            # Those of none too, since sums in float64 depend on the order of what is added up.
            {
                "strategy": strategy,
                "symbol": symbol,
                "lots": [_plain(lot) for lot in portfolio.lots(strategy, symbol)],
            }
            for strategy, symbol in portfolio.held()
        ],
        "waiting": [
            {
                "intent": _plain(one.intent),
                "reserve": str(one.reserve),
                "left": str(one.left),
                "waited": session.desk.waited(one.intent),
            }
            for one in portfolio.pending.values()
        ],
        "risk": session.risk.state.to_dict(BREAKERS),
        "bars": session.counted(),
        "series": [[*held, frame] for held, (_, frame) in session.books.series_of.items()],
        "to_close": sorted((*held, why) for held, why in session.to_close.items()),
    }


class Restored(NamedTuple):
    """What is left to be done with a snapshot."""

    newest: dict[tuple[str, str], int]
    """Open time of the newest bar that was decided on, by symbol and timeframe."""
    waiting: list[Approved]
    """What was approved and not done, in the order of approval."""
    fills: int
    """So many of the journal's are in it."""
    claims: int = 0
    """So many of what others took are in it."""
    waited: Mapping[str, int] = MappingProxyType({})
    """By key of what waits: for how many bars it has waited for its price."""


def check_venue(plain: Mapping[str, Any], venue: str) -> None:
    """Raise UsageError where who fills a stored account's orders is not who is to fill them now."""
    if plain["venue"] != venue:
        raise UsageError(
            f"the account trades on {plain['venue']}, not on {venue}: choose --orders {plain['venue']}, or "
            "another --account"
        )


def restore(
    session: Session, plain: Mapping[str, Any], venue: str = "paper", start: str = "run_live.py --once"
) -> Restored:
    """Put an account back into a session that has its strategies; `start`: how one look at it is typed.

    Raises UsageError for a snapshot of another format or venue, or when a strategy that holds something is
    missing.
    """
    if plain["format"] != FORMAT:
        raise UsageError(
            f"the account was kept in format {plain['format']}, this program reads {FORMAT}: "
            "begin another account with --account"
        )
    check_venue(plain, venue)
    portfolio = session.portfolio
    portfolio.deposits, portfolio.cash = Decimal(plain["deposits"]), Decimal(plain["cash"])
    portfolio.settled = plain["settled"]
    # An account of before 2026-12 knows of nothing that was taken.
    portfolio.taken = Decimal(plain.get("taken", "0"))
    portfolio.marks.update(plain["marks"])
    for strategy, symbol, *record in plain["records"]:
        portfolio.records[strategy, symbol] = (record[0], record[1], record[2], record[3])
    # One of before then has closed nothing that it remembers.
    for strategy, symbol, bar, made in plain.get("exits", ()):
        portfolio.exits[strategy, symbol] = LastExit(bar, float(made))
    for name, result in plain["results"].items():
        other = {asset: Decimal(fee) for asset, fee in result["other_fees"].items()}
        portfolio.results[name] = Result(Decimal(result["gross"]), Decimal(result["fees"]), other)
    # An account of before 2026-12 does not say on which bars it trades.
    frames = {(strategy, symbol): frame for strategy, symbol, frame in plain.get("series", ())}
    for held in plain["lots"]:
        _hold(session, held, frames, start)
    # One of before breakers closed anything does not say why.
    for strategy, symbol, *why in plain.get("to_close", ()):
        session.to_close[strategy, symbol] = why[0] if why else FLATTEN
    session.risk.state = RiskState.from_dict(plain["risk"], BREAKERS)
    waiting = [Approved(_intent(one["intent"]), Decimal(one["reserve"])) for one in plain["waiting"]]
    for approved, one in zip(waiting, plain["waiting"], strict=True):
        intent = approved.intent
        _check_trades(session, "has an order in", intent.strategy, intent.symbol, intent.timeframe, start)
        portfolio.reserve(approved)
        portfolio.pending[approved.intent.key].left = Decimal(one["left"])
    waited = {
        approved.intent.key: one.get("waited", 0)
        for approved, one in zip(waiting, plain["waiting"], strict=True)
    }
    newest = session.recount(plain["bars"])
    return Restored(newest, waiting, plain["fills"], plain.get("claims", 0), waited)


def _hold(session: Session, held: Mapping[str, Any], frames: Mapping[Held, str], start: str) -> None:
    whose = held["strategy"], held["symbol"]
    if held["lots"] and whose[0] != DUST:
        _check_trades(session, "holds", *whose, frames.get(whose), start)
    session.portfolio.adopt(*whose, [_lot(lot) for lot in held["lots"]])


def _check_trades(
    session: Session, what: str, strategy: str, symbol: str, timeframe: str | None, start: str
) -> None:
    """Raise UsageError unless a strategy trades a symbol, on the same bars: its own would be forgotten."""
    series = session.books.series_of.get((strategy, symbol))
    if series is None:
        raise UsageError(
            f"the account {what} {symbol} of {strategy}, which is not to trade it now: name {strategy} and "
            f"{symbol} too (--strategy, --symbol), or begin another account with --account"
        )
    if timeframe not in (None, series[1]):
        raise UsageError(
            f"the account {what} {symbol} of {strategy} on {timeframe}, and {series[1]} is asked for: "
            f"go on with --timeframe {timeframe}, or close it first: "
            f"{start} --flatten --timeframe {timeframe}"
        )


def _result(result: Result) -> dict[str, Any]:
    other = {asset: str(fee) for asset, fee in result.other_fees.items()}
    return {"gross": str(result.gross), "fees": str(result.fees), "other_fees": other}


def _plain(record: Lot | Intent) -> dict[str, Any]:
    values = ((field.name, getattr(record, field.name)) for field in fields(record) if field.init)
    return {name: _value(value) for name, value in values}


def _value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if not isinstance(value, float) or math.isfinite(value):
        return value
    # What a rule remembers may be infinite, which JSON does not know.
    return None if math.isnan(value) else float_text(value)


def _lot(plain: Mapping[str, Any]) -> Lot:
    exact = {name: Decimal(plain[name]) for name in ("amount", "cost", "fees")}
    prices = {
        name: math.nan if plain[name] is None else float(plain[name])
        for name in ("stop", "take", "first_stop")
    }
    return Lot(**{**plain, **exact, **prices, "note": number_of(_note(plain))})


def _intent(plain: Mapping[str, Any]) -> Intent:
    exact = {name: Decimal(plain[name]) for name in ("amount", "price")}
    named = ("stop", "take", "limit", "trigger")
    protective = {name: None if plain.get(name) is None else Decimal(plain[name]) for name in named}
    others = {"purpose": Purpose(plain["purpose"]), "note": _note(plain)}
    return Intent(**{**plain, **exact, **protective, **others})


def _note(plain: Mapping[str, Any]) -> float | None:
    """Return what is to be remembered; one of before 2026-12 remembers nothing."""
    note = plain.get("note")
    return None if note is None else float(note)
