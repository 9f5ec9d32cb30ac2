"""Trades on a stretch of bars as a small SVG picture; no library here draws one without a browser."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from core.domain import Bars
from core.results.runs import TradeRecord
from core.utils import format_time

WIDTH, HEIGHT = 760, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 14, 24
WON, LOST, PRICE, RANGE, INK = "#26a269", "#c01c28", "#1a5fb4", "#b0b0b0", "#444444"


class Frame:
    """Where bars and prices are on the picture."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.low, self.high = float(bars.low.min()), float(bars.high.max())
        self.place = {stamp: i for i, stamp in enumerate(bars.ts.tolist())}

    def x(self, i: int) -> str:
        """Return the middle of a bar."""
        step = (WIDTH - LEFT - RIGHT) / self.bars.ts.size
        return f"{LEFT + (i + 0.5) * step:.1f}"

    def y(self, price: float) -> str:
        """Return the height of a price."""
        share = (price - self.low) / (self.high - self.low or 1.0)
        return f"{HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM):.1f}"


def trades_svg(bars: Bars, trades: Iterable[TradeRecord], title: str) -> str:
    """Return the picture: ranges and closes, and a line for each trade that is wholly on these bars."""
    frame = Frame(bars)
    shown = [trade for trade in trades if trade.entry_ts in frame.place and trade.exit_ts in frame.place]
    parts = [*_ground(frame, title), *_price(frame), *(_trade(frame, trade) for trade in shown)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    return head + 'font-family="sans-serif" font-size="11">\n' + "\n".join(parts) + "\n</svg>\n"


def busiest(bars: Bars, trades: Sequence[TradeRecord], length: int, most: int) -> Bars:
    """Return `length` bars with as many whole trades as there are, up to `most`; the first such stretch."""
    best, found = 0, -1
    for start in range(0, max(1, bars.ts.size - length + 1), length // 6):
        begin, end = int(bars.ts[start]), int(bars.ts[min(start + length, bars.ts.size) - 1])
        count = min(most, sum(begin < trade.entry_ts and trade.exit_ts < end for trade in trades))
        if count > found:
            best, found = start, count
    return bars.since(best).until(length)


def _ground(frame: Frame, title: str) -> list[str]:
    first, last = (format_time(int(frame.bars.ts[i])) for i in (0, -1))
    line = HEIGHT - BOTTOM
    return [
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{LEFT} {TOP}V{line}H{WIDTH - RIGHT}" fill="none" stroke="{INK}"/>',
        *(_text(LEFT - 6, frame.y(price), "end", f"{price:,.6g}") for price in (frame.low, frame.high)),
        _text(LEFT, HEIGHT - 8, "start", first),
        _text(WIDTH - RIGHT, HEIGHT - 8, "end", f"{last} UTC"),
    ]


def _price(frame: Frame) -> list[str]:
    bars = frame.bars
    spans = zip(bars.high.tolist(), bars.low.tolist(), strict=True)
    ranges = "".join(f"M{frame.x(i)} {frame.y(high)}V{frame.y(low)}" for i, (high, low) in enumerate(spans))
    closes = " ".join(f"{frame.x(i)},{frame.y(close)}" for i, close in enumerate(bars.close.tolist()))
    return [
        f'<path d="{ranges}" stroke="{RANGE}" stroke-width="1.5"/>',
        f'<polyline points="{closes}" fill="none" stroke="{PRICE}" stroke-width="1"/>',
    ]


def _trade(frame: Frame, trade: TradeRecord) -> str:
    color, is_long = WON if trade.pnl > 0 else LOST, trade.side == "LONG"
    start, end = ((frame.x(frame.place[ts])) for ts in (trade.entry_ts, trade.exit_ts))
    entry, leave = frame.y(trade.entry_price), frame.y(trade.exit_price)
    tip = "l-5 9h10z" if is_long else "l-5 -9h10z"
    told = escape(f"{trade.side} {trade.entry_price:,.6g} to {trade.exit_price:,.6g}: {trade.reason}")
    return (
        f'<g stroke="{color}" fill="{color}"><title>{told}</title>'
        f'<path d="M{start} {entry}L{end} {leave}" stroke-width="2"/>'
        f'<path d="M{start} {entry}{tip}"/><circle cx="{end}" cy="{leave}" r="3.5" fill="white"/></g>'
    )


def _text(x: int, y: int | str, anchor: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{INK}">{escape(text)}</text>'
