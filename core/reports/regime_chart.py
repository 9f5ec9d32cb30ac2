"""Regimes over price, one HTML page that needs no network: candles on coloured ground, the measures below."""

from __future__ import annotations

from math import isfinite

from core.domain import Bars, FloatArray, Series
from core.reports.html import page
from core.reports.packing import packed_bars
from core.utils import format_time, timeframe_ms

COLORS = {"RANGE": "#8a8f98", "TREND_UP": "#26a269", "TREND_DOWN": "#c01c28", "HIGH_VOL": "#e5a50a"}

RegimeSpan = tuple[int, int, str]
"""First bar, last bar, label."""


def regime_html(
    series: Series, bars: Bars, spans: list[RegimeSpan], measures: dict[str, FloatArray], *, note: str = ""
) -> str:
    """Return the page; `measures` are drawn in one chart each, by name. `note` stands in the heading."""
    step = timeframe_ms(series.timeframe)
    span = f"{format_time(int(bars.ts[0]))} to {format_time(int(bars.ts[-1]))} UTC"
    document = {
        "note": note,
        "about": f"{bars.ts.size:,} bars, {span}",
        "candles": {"name": str(series), "symbol": series.symbol, "step": step, **packed_bars(bars)},
        "colors": COLORS,
        "spans": [[int(bars.ts[first]), int(bars.ts[last]) + step, label] for first, last, label in spans],
        "measures": {
            name: [round(value, 5) if isfinite(value) else None for value in values.tolist()]
            for name, values in measures.items()
        },
    }
    return page(f"HOT-Crypto regimes {series}", document, styles=(), programs=("candles.js", "regimes.js"))
