"""Regimes over price, one HTML page that needs no network: candles on coloured ground, the measures below."""

from __future__ import annotations

from html import escape
from typing import Any

from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import LayoutDOM
from bokeh.models.annotations import BoxAnnotation
from bokeh.models.widgets import Div
from bokeh.resources import INLINE

from core.domain import Bars, FloatArray, Series
from core.reports.chart import draw_candles, draw_line, new_figure
from core.utils import format_time

COLORS = {"RANGE": "#d0d0d0", "TREND_UP": "#26a269", "TREND_DOWN": "#c01c28", "HIGH_VOL": "#e5a50a"}

RegimeSpan = tuple[int, int, str]
"""First bar, last bar, label."""


def regime_html(
    series: Series, bars: Bars, spans: list[RegimeSpan], measures: dict[str, FloatArray], *, note: str = ""
) -> str:
    """Return the page; `measures` are drawn in one plot each, by name. `note` stands in the heading."""
    price = new_figure("price, quote currency", 420)
    draw_candles(price, bars)
    plots: list[LayoutDOM] = [Div(text=_heading(series, bars, note)), price]
    for span in spans:
        price.add_layout(_ground(bars, span))
    for name, values in measures.items():
        plot = new_figure(name, 150, x_range=price.x_range)
        draw_line(plot, bars.ts, values, "#1a5fb4")
        plots.append(plot)
    return file_html(
        column(*plots, sizing_mode="stretch_width"), INLINE, title=f"HOT-Crypto regimes {series}"
    )


def _heading(series: Series, bars: Bars, note: str) -> str:
    names = " ".join(
        f'<span style="background:{color}66;padding:0 6px">{name}</span>' for name, color in COLORS.items()
    )
    span = f"{format_time(int(bars.ts[0]))} to {format_time(int(bars.ts[-1]))} UTC"
    return f"<b>{escape(str(series))}</b> {escape(note)}<br>{bars.ts.size:,} bars, {span}<br>{names}"


def _ground(bars: Bars, span: RegimeSpan) -> Any:
    first, last, label = span
    stop = bars.ts[min(last + 1, bars.ts.size - 1)]
    return BoxAnnotation(
        left=int(bars.ts[first]), right=int(stop), fill_color=COLORS[label], fill_alpha=0.3, level="underlay"
    )
