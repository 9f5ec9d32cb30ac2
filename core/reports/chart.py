"""Runs as one self-contained HTML page: price with trades, equity, drawdown. Needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, HoverTool, LayoutDOM, NumeralTickFormatter, TabPanel, Tabs
from bokeh.models.widgets import Div
from bokeh.palettes import Category10
from bokeh.plotting import figure
from bokeh.resources import INLINE

from core.domain import Bars, FloatArray, IntArray, Series
from core.results.measures import hold_curve
from core.results.runs import BacktestResult
from core.utils import format_time

MAX_POINTS = 4000
"""Bars and equity points drawn per chart; longer series are drawn in groups of bars."""
UP, DOWN = "#26a269", "#c01c28"


class Charted(NamedTuple):
    """The runs on one series, and its candles."""

    series: Series
    bars: Bars
    results: Sequence[BacktestResult]


def chart_html(charts: Sequence[Charted], *, note: str = "") -> str:
    """Return a page with one tab per series. `note` stands above it (SYNTHETIC, say)."""
    panels = [TabPanel(title=str(chart.series), child=_page(chart)) for chart in charts]
    heading = Div(text=f"<b>HOT-Crypto backtests</b> {escape(note)}", styles={"font-size": "120%"})
    page = column(heading, Tabs(tabs=panels, sizing_mode="stretch_width"), sizing_mode="stretch_width")
    return file_html(page, INLINE, title="HOT-Crypto backtests")


def _page(chart: Charted) -> LayoutDOM:
    price = new_figure("price, quote currency", 380)
    draw_candles(price, chart.bars)
    price.yaxis.formatter = NumeralTickFormatter(format="0,0.[00000]")
    equity = new_figure("equity / initial cash", 240, x_range=price.x_range, y_axis_type="log")
    equity.yaxis.formatter = NumeralTickFormatter(format="0.[00]")
    drawdown = new_figure("drawdown", 160, x_range=price.x_range)
    drawdown.yaxis.formatter = NumeralTickFormatter(format="0 %")
    drawdown.y_range.flipped = True
    held = hold_curve(chart.bars, chart.results[0].spec.costs)
    draw_line(equity, chart.bars.ts, held, "#999999", "buy and hold")
    for i, result in enumerate(chart.results):
        color, name = Category10[10][i % 10], result.spec.strategy
        draw_line(equity, chart.bars.ts, result.equity / result.spec.cash, color, name)
        draw_line(drawdown, chart.bars.ts, 1 - result.equity / np.maximum.accumulate(result.equity), color)
        _draw_trades(price, result, color, visible=i == 0)
    for plot in (price, equity):
        plot.legend.click_policy = "hide"
        plot.legend.location = "top_left"
        plot.legend.background_fill_alpha = 0.7
    return column(Div(text=_caption(chart)), price, equity, drawdown, sizing_mode="stretch_width")


def _caption(chart: Charted) -> str:
    data = chart.results[0].data
    drawn = -(-data.bars // MAX_POINTS)
    grouped = f", drawn in groups of {drawn} bars" if drawn > 1 else ""
    span = f"{format_time(data.start)} to {format_time(data.end)} UTC"
    return f"{data.bars:,} bars, {data.gaps:,} missing, {span}{grouped}. Click a name to show or hide it."


def new_figure(label: str, height: int, **options: Any) -> Any:
    """Return an empty plot over time; `height` in pixels."""
    return figure(
        height=height,
        x_axis_type="datetime",
        y_axis_label=label,
        sizing_mode="stretch_width",
        tools="xpan,xwheel_zoom,box_zoom,reset,save",
        active_scroll="xwheel_zoom",
        output_backend="webgl",
        **options,
    )


def draw_candles(plot: Any, bars: Bars) -> None:
    """Draw bars as candles, in groups where there are more than MAX_POINTS."""
    starts = _group_starts(bars.ts.size)
    ends = np.append(starts[1:], bars.ts.size) - 1
    opens, closes = bars.open[starts], bars.close[ends]
    source = ColumnDataSource(
        {
            "ts": bars.ts[starts],
            "open": opens,
            "close": closes,
            "high": np.maximum.reduceat(bars.high, starts),
            "low": np.minimum.reduceat(bars.low, starts),
            "color": np.where(closes >= opens, UP, DOWN),
        }
    )
    width = 0.7 * float(np.diff(bars.ts[starts]).min(initial=86_400_000))
    plot.segment("ts", "high", "ts", "low", source=source, color="color")
    plot.vbar("ts", width, "open", "close", source=source, color="color")


def _draw_trades(plot: Any, result: BacktestResult, color: str, *, visible: bool) -> None:
    records = result.records
    source = ColumnDataSource({name: [record._asdict()[name] for record in records] for name in _HOVER})
    source.data["color"] = [UP if record.pnl > 0 else DOWN for record in records]
    name = f"{result.spec.strategy} trades"
    line = plot.segment(
        "entry_ts",
        "entry_price",
        "exit_ts",
        "exit_price",
        source=source,
        color="color",
        line_width=3,
        legend_label=name,
        visible=visible,
    )
    mark = plot.scatter(
        "entry_ts", "entry_price", source=source, size=4, color=color, legend_label=name, visible=visible
    )
    tips = [(label, f"@{name}{{{form}}}" if form else f"@{name}") for name, (label, form) in _HOVER.items()]
    plot.add_tools(
        HoverTool(
            renderers=[line, mark],
            tooltips=tips,
            formatters={"@entry_ts": "datetime", "@exit_ts": "datetime"},
        )
    )


_HOVER = {
    "side": ("side", ""),
    "entry_ts": ("entry", "%F %H:%M"),
    "exit_ts": ("exit", "%F %H:%M"),
    "entry_price": ("entry price", "0,0.00[000000]"),
    "exit_price": ("exit price", "0,0.00[000000]"),
    "size": ("size", "0,0.000000"),
    "pnl": ("pnl", "0,0.00"),
    "reason": ("ended by", ""),
}


def draw_line(plot: Any, ts: IntArray, values: FloatArray, color: str, name: str | None = None) -> None:
    """Draw a line through the last value of each group of bars."""
    starts = _group_starts(ts.size)
    last = np.append(starts[1:], ts.size) - 1
    legend = {"legend_label": name} if name else {}
    plot.line(ts[last], values[last], color=color, line_width=1.5, **legend)


def _group_starts(length: int) -> IntArray:
    """Return the first row of each group of bars drawn as one."""
    return np.arange(0, length, -(-length // MAX_POINTS), dtype=np.int64)
