"""The journaler: a day, or days, of an account in words, made of facts alone.

It is given the facts of a report (what scripts/generate_report.py writes as JSON), which come from the
database and hold no keys, no account numbers and no text from outside, and returns text for people. Without a
model that is a template. A model, if one is handed in, is a function from text to text: it is shown the
template and asked to put it better. Its words come after the template, are marked as a model's, and are left
out as a whole when they hold a figure that the facts do not. Nothing reads any of it back as data, so it can
neither order a trade nor change a setting or a number. Whoever shows it escapes it like text from outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from core.utils import parse_time

Model = Callable[[str], str]
"""Text in, text out."""

CASH = ("USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "DAI", "EUR", "GBP", "CHF", "CAD", "AUD")
"""Currencies that are counted in hundredths."""
MOST_WORDS = 2_000
"""Characters that are taken from a model."""
PROMPT = (
    "Below are the facts of a trading account, one sentence each. Write a short summary of them for its "
    "owner in plain English. Use no figure that is not in them, give no advice, and predict nothing.\n\n"
)
BEGUN = "In a model's words, its figures compared with those above:"
LEFT_OUT = "(a model's words were left out: they had figures that the facts have not, such as {figure})"
NOTHING_SAID = "(a model was asked and said nothing)"
_FIGURE = re.compile(r"[0-9][0-9,.]*")


@dataclass(frozen=True, slots=True)
class StrategyDay:
    """One strategy's day."""

    name: str
    trades: int
    """Trades closed on the day."""
    pnl: float
    """Quote currency, after fees."""
    fees: float
    """Quote currency."""
    drawdown: float = 0.0
    """Worst of the day, positive fraction."""
    wins: int = 0
    losses: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The facts of one day, or of several."""

    start: int
    """Midnight UTC, ms."""
    equity_open: float
    equity_close: float
    """Quote currency."""
    strategies: tuple[StrategyDay, ...]
    refused: int = 0
    """Orders that the risk manager refused."""
    account: str = "paper"
    currency: str = ""
    first: str = ""
    """The first day, such as 2026-02-19."""
    last: str = ""
    drawdown: float = 0.0
    """Of the account, positive fraction."""
    fees: tuple[tuple[str, str], ...] = ()
    """What was paid: currency, and the amount as text."""
    is_known: bool = True
    """Whether there was any equity."""


class Journaler(Protocol):
    """Puts a day into words."""

    def summarise(self, day: Day) -> str:
        """Return the summary as plain text, from the facts alone."""
        ...


class FactsJournaler:
    """Fills a template; what a model makes of it is added and marked."""

    def __init__(self, model: Model | None = None) -> None:
        """Take a model, None for none."""
        self._model = model

    def summarise(self, day: Day) -> str:
        """Return the summary as plain text, from the facts alone."""
        facts = "\n".join(sentences_of(day))
        if self._model is None:
            return facts
        said = _plain(self._model(PROMPT + facts))
        if not said:
            return f"{facts}\n{NOTHING_SAID}"
        if foreign := foreign_figures(said, facts):
            return f"{facts}\n{LEFT_OUT.format(figure=foreign[0])}"
        return f"{facts}\n{BEGUN}\n{said}"


def day_of(facts: Mapping[str, Any]) -> Day:
    """Return the facts of a report's JSON document."""
    return Day(
        start=parse_time(facts["first"]),
        equity_open=facts["equity_open"] or 0.0,
        equity_close=facts["equity_close"] or 0.0,
        strategies=tuple(
            StrategyDay(
                name=one["strategy"],
                trades=one["trades"],
                pnl=float(one["net"]),
                fees=float(one["fees"]),
                wins=one["wins"],
                losses=one["losses"],
            )
            for one in facts["strategies"]
        ),
        refused=facts["refused"],
        account=facts["account"],
        currency=facts["currency"],
        first=facts["first"],
        last=facts["last"],
        drawdown=(facts["max_drawdown_pct"] or 0.0) / 100,
        fees=tuple(facts["fees"].items()),
        is_known=facts["equity_open"] is not None and facts["equity_close"] is not None,
    )


def sentences_of(day: Day) -> list[str]:
    """Return what there is to say of a day, a sentence each."""
    when = f"On {day.first}" if day.first == day.last else f"From {day.first} to {day.last}"
    if not day.is_known:
        return [f"{when} no bar closed on the account {day.account}: there is nothing to tell."]
    moved = day.equity_close - day.equity_open
    share = f", {100 * moved / day.equity_open:+.2f} %" if day.equity_open > 0 else ""
    currency = f" {day.currency}" if day.currency else ""
    lines = [
        f"{when} the account {day.account} went from {_money(day.equity_open, day.currency)} to "
        f"{_money(day.equity_close, day.currency)}{currency} "
        f"({_money(moved, day.currency, '+')}{share}); its deepest fall was {100 * day.drawdown:.2f} %."
    ]
    traded = sorted((one for one in day.strategies if one.trades), key=lambda one: -one.pnl)
    for one in traded:
        lines.append(
            f"{one.name} closed {_many(one.trades, 'trade', 'trades')}, {one.wins:,} won and "
            f"{one.losses:,} lost, and made {_money(one.pnl, day.currency, '+')}{currency} after fees."
        )
    if not traded:
        lines.append("No trade was closed.")
    paid = ", ".join(f"{_money(float(amount), asset)} {asset}" for asset, amount in day.fees)
    if paid:
        lines.append(f"Fees were {paid}.")
    if day.refused:
        lines.append(f"{_many(day.refused, 'decision was', 'decisions were')} refused.")
    return lines


def foreign_figures(said: str, facts: str) -> list[str]:
    """Return the figures in a text that the facts do not have, however they are written."""
    known = set(map(_value, _FIGURE.findall(facts)))
    return [figure for figure in _FIGURE.findall(said) if _value(figure) not in known]


def _value(figure: str) -> str:
    """Return a figure without marks between thousands, and without what ends it."""
    text = figure.rstrip(".,").replace(",", "")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(text: str) -> str:
    """Return a model's text without what moves a cursor, and not too much of it."""
    kept = "".join(mark for mark in text if mark.isprintable() or mark == "\n")
    return kept.strip()[:MOST_WORDS].rstrip()


def _money(value: float, currency: str, sign: str = "") -> str:
    """Return an amount: two decimals of what counts in hundredths, six of a coin."""
    return f"{value:{sign},.{2 if not currency or currency in CASH else 6}f}"


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"
