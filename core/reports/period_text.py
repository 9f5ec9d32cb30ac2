"""A report of an account's days as a message: the same text in a chat and on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from core.figures import NONE, amount, exact, how_many, money, price
from core.live.period import Period
from core.live.status import PositionStatus
from core.results.days import DayResult
from core.results.measures import DAY
from core.symbols import DOLLARS, pair_of
from core.utils import format_time

YES, NO = "✅", "❌"
UNKNOWN = "not known"
NOT_CLOSED = "Not from closed trades (open profit, fees of what is open, deposits)"
"""What makes a breakdown by strategy add up to the change of equity."""
TITLES = {"daily": "Daily Report", "weekly": "Weekly Report", "range": "Report"}


def report_text(period: Period, journal: str = "") -> str:
    """Return a report; `journal` is told at its end."""
    parts = [
        [f"📊 {title_of(period)}"],
        [f"💰 Portfolio: {portfolio_line(period)}"],
        ["Strategy Breakdown:", *_indented(_strategies(period))],
        *([["📅 Days:", *_indented(_days(period))]] if len(period.days) > 1 else []),
        ["📈 Open Positions:", *_indented(position_lines(period))],
        ["⚡ Risk Status:", *_indented(f"{name}: {text}" for name, text in risk_lines(period))],
        [f"🔄 {_hours(period)} Stats:", *_indented(f"{name}: {text}" for name, text in stat_lines(period))],
        *([["📝 Journal:", *_indented(journal.splitlines())]] if journal else []),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def title_of(period: Period) -> str:
    """Return what a report is called: its kind, its days, whose it is if that is not the usual account."""
    span = period.span
    when = span.first if span.kind == "daily" else f"{span.first} to {span.last}"
    whose = "" if period.account == "paper" else f" ({period.account})"
    return f"{TITLES[span.kind]} — {when}{'' if period.is_over else ', so far'}{whose}"


def cash(value: float | Decimal | None, currency: str, *, sign: bool = False) -> str:
    """Return an amount as people write it: $1,234.50, +$3.20, 0.512345 BTC."""
    if value is None:
        return UNKNOWN
    if currency not in DOLLARS:
        return amount(value, currency, sign=sign)
    text = money(value, currency, sign=sign)
    return f"{text[0]}${text[1:]}" if text[0] in "+-" else f"${text}"


def percent(value: float | None) -> str:
    """Return a change in percent with its sign."""
    return UNKNOWN if value is None else f"{value:+.2f}%"


def change(opening: float | None, closing: float | None) -> float | None:
    """Return by how many percent equity changed."""
    return None if opening is None or closing is None or opening <= 0 else 100 * (closing / opening - 1)


def portfolio_line(period: Period) -> str:
    """Return what the account is worth at the end, and by how much that is more than at the beginning."""
    opening, closing = period.opening, period.closing
    if opening is None or closing is None:
        return f"{UNKNOWN}: no bar has closed on this account by then"
    earned = cash(closing - opening, period.currency, sign=True)
    return f"{cash(closing, period.currency)} ({earned} / {percent(change(opening, closing))})"


def outcome(result: DayResult) -> str:
    """Return how many trades were won and lost."""
    even = result.trades - result.wins - result.losses
    parts = [how_many(result.wins, "win"), how_many(result.losses, "loss", "losses")]
    return ", ".join([*parts, f"{even:,} even"] if even else parts)


def _strategies(period: Period) -> Iterator[str]:
    names = [*(one.strategy for one in period.results), *period.idle]
    width = max(map(len, names), default=0) + 1
    for one in period.results:
        made = cash(one.net, period.currency, sign=True)
        yield f"{one.strategy + ':':<{width}} {made} ({outcome(one)})"
    for name in period.idle:
        yield f"{name + ':':<{width}} {cash(0.0, period.currency, sign=True)} (no trades)"
    if (rest := not_closed(period)) is not None:
        yield f"{NOT_CLOSED}: {rest}"
    elif not names:
        yield NONE


def not_closed(period: Period) -> str | None:
    """Return what equity changed by beside closed trades; None where that is nothing, or not known."""
    rest = period.not_closed
    return cash(rest, period.currency, sign=True) if rest else None


def _days(period: Period) -> Iterator[str]:
    for day in period.days:
        moved = percent(change(day.opening, day.closing))
        yield f"{day.date}: {cash(day.closing, period.currency)} ({moved}), {how_many(day.trades, 'trade')}"


def position_lines(period: Period) -> Iterator[str]:
    """Yield what is held, a line each."""
    if period.status is None:
        yield "not kept for past days"
        return
    for held in period.status.positions:
        yield f"{held.strategy}: {position_text(held, period.currency)}"
    if not period.status.positions:
        yield NONE
    if not period.span.start <= period.status.time < period.span.end:
        yield f"(as of {format_time(period.status.time)} UTC)"


def position_text(held: PositionStatus, currency: str) -> str:
    """Return a position: side, amount, entry, stop and value."""
    value = None if held.price is None else float(held.amount) * held.price
    stop = f"stop: {price(held.stop)}" if held.stop is not None else "no stop"
    entered = price(held.entry_price) or UNKNOWN
    base = pair_of(held.symbol).base
    worth = cash(value, currency)
    return f"{held.side.upper()} {exact(held.amount)} {base} @ {entered} ({stop}, value: {worth})"


def risk_lines(period: Period) -> Iterator[tuple[str, str]]:
    """Yield what is used of the limits, by name."""
    uses = {use.limit: use for use in period.status.uses} if period.status else {}
    exposure, reserve = _shares(period)
    limit = uses.get("max_exposure_pct")
    yield "Total exposure", _share(period, exposure, limit and (limit.used, limit.most, "limit"))
    moved = change(period.opening, period.closing)
    if period.span.kind == "daily":
        loss = uses.get("max_daily_loss_pct")
        if loss is None or moved is None:
            yield "Daily P&L", percent(moved)
        else:
            yield "Daily P&L", _checked(percent(moved), f"limit: -{loss.most:g}%", moved > -loss.most)
        yield "Weekly P&L", percent(change(period.week_opening, period.closing))
    else:
        yield "P&L", percent(moved)
    yield "Max drawdown", UNKNOWN if period.drawdown_pct is None else f"{period.drawdown_pct:.2f}%"
    limit = uses.get("cash_reserve_pct")
    yield "Reserve cash", _share(period, reserve, limit and (100 - limit.used, 100 - limit.most, "min"))
    if period.status is not None and (trips := period.status.breakers):
        yield "Breakers", f"{', '.join(trips)} {NO}"


def _shares(period: Period) -> tuple[float | None, float | None]:
    """Return exposure and free cash in percent of equity, by the status or the last snapshot."""
    status, kept = period.own_status, period.snapshot
    if status is not None and status.equity:
        held = sum(float(one.amount) * (one.price or one.entry_price or 0.0) for one in status.positions)
        free = float(status.cash) - float(status.reserved)
        return 100 * held / status.equity, 100 * free / status.equity
    if kept is not None and kept.total_balance_usd > 0:
        whole = kept.total_balance_usd
        return 100 * kept.in_positions_usd / whole, 100 * kept.free_balance_usd / whole
    return None, None


def _share(period: Period, share: float | None, limit: tuple[float, float, str] | None) -> str:
    """Return a share of equity beside its limit (used now, its bound, word); of past days that of then."""
    is_now = period.own_status is not None
    if limit is not None and is_now:
        share = limit[0]
    if share is None:
        return UNKNOWN
    source = "" if is_now else "last snapshot"
    if limit is None:
        return f"{share:.0f}% ({source or 'no limit'})"
    _, bound, word = limit
    is_kept = share >= bound if word == "min" else share <= bound
    return _checked(f"{share:.0f}%", ", ".join(filter(None, (f"{word}: {bound:g}%", source))), is_kept)


def _checked(used: str, limit: str, is_kept: bool) -> str:  # noqa: FBT001 - it is shown, not chosen by
    return f"{used} ({limit}) {YES if is_kept else NO}"


def stat_lines(period: Period) -> Iterator[tuple[str, str]]:
    """Yield what was done, by name."""
    total, seconds = period.total, period.fill_seconds
    yield "Total trades", f"{total.trades:,} ({how_many(total.fills, 'fill')})"
    yield "Avg fill time", "none (no exchange filled an order)" if seconds is None else f"{seconds:.1f}s"
    yield (
        "Total fees",
        ", ".join(cash(paid, asset) for asset, paid in period.fees.items()) or cash(0.0, period.currency),
    )
    yield "Refused", how_many(period.refused, "entry", "entries")


def _hours(period: Period) -> str:
    span = period.span
    return "24h" if span.kind == "daily" else f"{(span.end - span.start) // DAY}d"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]
