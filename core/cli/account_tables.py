"""What an account made, as tables: a row per strategy, and its closed trades."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO

from core.account.money import minus, total
from core.figures import amount, money, price
from core.reports.table import number, print_table
from core.symbols import pair_of
from core.utils import format_time
from db.journal_rows import money_text
from db.live_history import ClosedTrade, PaidFee

ALL = "all"
"""What the last row of the results is called."""


def print_results(
    trades: Sequence[ClosedTrade], fees: Sequence[PaidFee], *, file: IO[str] | None = None
) -> None:
    """Print trades, profit and fees of every strategy that traded, and of all together.

    `fees` are those of closed trades, `fees paid` those of all fills, open positions included.
    """
    names = sorted({trade.strategy for trade in trades} | {fee.strategy for fee in fees})
    rows = []
    for name in names:
        own = [trade for trade in trades if trade.strategy == name]
        rows.append(_result(name, own, [fee for fee in fees if fee.strategy == name]))
    if len(names) > 1:
        rows.append(_result(ALL, trades, fees))
    headings = ("strategy", "fills", "trades", "win %", "gross", "fees", "profit", "fees paid")
    print_table(headings, rows, file=file)


def _result(name: str, trades: Sequence[ClosedTrade], fees: Sequence[PaidFee]) -> list[str]:
    gross, paid = total(trade.gross for trade in trades), total(trade.fees for trade in trades)
    won = sum(trade.gross > trade.fees for trade in trades)
    wins = number(100 * won / len(trades) if trades else None)
    currency = pair_of(trades[0].symbol).quote if trades else ""
    sums = (money(value, currency) for value in (gross, paid, minus(gross, paid)))
    return [name, f"{len(fees):,}", f"{len(trades):,}", wins, *sums, _by_asset(fees)]


def _by_asset(fees: Iterable[PaidFee]) -> str:
    """Return what was paid in each currency, such as `12.30 USDT, 0.01 BNB`."""
    paid = list(fees)
    assets = dict.fromkeys(one.asset for one in paid)
    sums = {asset: total(one.fee for one in paid if one.asset == asset) for asset in assets}
    return ", ".join(amount(paid_in, asset) for asset, paid_in in sums.items())


def print_closed_trades(
    trades: Iterable[ClosedTrade], *, wide: bool = False, file: IO[str] | None = None
) -> None:
    """Print one row per trade, in the order given; its profit is after fees."""
    headings = ["strategy", "symbol", "side", "exit (UTC)", "held", "reason"]
    headings += ["size", "entry price", "exit price", "profit"]
    rows = [
        [
            *(trade.strategy, trade.symbol, trade.side),
            *(format_time(trade.exit_ts), _held(trade), trade.reason, money_text(trade.amount)),
            *map(price, (trade.entry_price, trade.exit_price)),
            money(minus(trade.gross, trade.fees), pair_of(trade.symbol).quote),
        ]
        for trade in trades
    ]
    print_table(headings, rows, left=6, spare=("held",), wide=wide, file=file)


def _held(trade: ClosedTrade) -> str:
    """Return how long a trade lasted, in its largest unit that is not below one."""
    minutes = (trade.exit_ts - trade.entry_ts + 1) / 60_000
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes >= size:
            return f"{minutes / size:.3g} {unit}"
    return f"{minutes:.3g} min"
