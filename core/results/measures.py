"""The figures that a person reads: tables, documents, reports and sweeps show these, one definition each.

Equity is what the account is worth at a bar's close. A day is a calendar day, UTC, and its equity that of the
last bar closed by its end: a day without a bar carries the day before's. A daily return is one day's equity
over the day before's, less 1; the first day has none before it, the last counts as it stands. Markets that
never close have 365 days a year. There is no risk-free rate to take off.

- final equity: equity at the last bar's close, in the account's currency.
- return: final over first equity, less 1.
- annual return: (final over first equity) ^ (365 days / time from the first to the last close), less 1, the
  compound annual growth rate.
- volatility: sample deviation (n - 1) of daily returns, times √365.
- Sharpe ratio: mean over sample deviation of daily returns, times √365 (Sharpe, "The Sharpe Ratio", Journal
  of Portfolio Management, 1994; the annual figure as in Lo, "The Statistics of Sharpe Ratios", 2002).
- Sortino ratio: mean over downside deviation (root of the mean, over all days, of squared losses), times √365
  (Sortino and Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing, 1994).
- maximum drawdown: deepest fall of equity below an earlier peak, as a share of the peak.
- Calmar ratio: annual return over maximum drawdown (Young, "Calmar Ratio", Futures, 1991).
- profit factor: money won over money lost, of closed trades, after fees.
- win rate: share of closed trades that made money after fees.
- trades: closed round trips; what is open at the end is closed at the last close.
- days: daily returns that there were to compute from.
- buy and hold: all cash into the first bar's open, out at the last bar's close, spread and commission paid.
- exposure: share of bars on which a trade was open.

Fewer than 60 daily returns say nothing about a year: what is annual is then none. Something over nothing is
infinite, nothing over nothing none. Backtesting.py's figures (core.results.statistics) are defined
otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from core.domain import Bars, Costs, FloatArray, IntArray
from core.utils import over

DAY = 86_400_000
"""Milliseconds."""
YEAR = 365
"""Days."""
FEWEST = 60
"""Daily returns from which something annual is computed."""
CONSTANT = 1e-12
"""Daily returns that vary less, as a share of their mean, are all the same but for rounding."""

NO_TRADES = "no trades"

ANNUAL = ("annual_return_pct", "volatility_pct", "sharpe_ratio", "sortino_ratio", "calmar_ratio")
"""The figures that need `FEWEST` daily returns."""


DEFINED = {
    "final_equity": "final equity",
    "return_pct": "return",
    "buy_hold_return_pct": "buy and hold",
    "annual_return_pct": "annual return",
    "volatility_pct": "volatility",
    "max_drawdown_pct": "maximum drawdown",
    "sharpe_ratio": "Sharpe ratio",
    "sortino_ratio": "Sortino ratio",
    "calmar_ratio": "Calmar ratio",
    "win_rate_pct": "win rate",
    "profit_factor": "profit factor",
    "exposure_pct": "exposure",
    "trades_count": "trades",
    "daily_returns": "days",
}
"""Under which name each figure of Summary is defined above."""


class Summary(NamedTuple):
    """A run's figures; None where there is nothing to compute from, which `reasons` explains."""

    final_equity: float
    return_pct: float
    buy_hold_return_pct: float | None
    annual_return_pct: float | None
    volatility_pct: float | None
    max_drawdown_pct: float
    """Positive."""
    sharpe_ratio: float | None
    sortino_ratio: float | None
    calmar_ratio: float | None
    win_rate_pct: float | None
    profit_factor: float | None
    exposure_pct: float | None
    trades_count: int
    daily_returns: int | None
    """None for runs that were saved before these definitions."""


class RunTime(NamedTuple):
    """What the figures need to know about a run's time; made once for any number of runs on it."""

    day_ends: IntArray
    """For each calendar day, the last bar closed by its end."""
    years: float
    """From the first bar's close to the last one's."""


class Risk(NamedTuple):
    """What equity alone says; NaN where there is nothing to compute from."""

    annual_return: float
    volatility: float
    sharpe: float
    sortino: float
    calmar: float
    daily_returns: int


NO_RISK = Risk(math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def span_of(closes: IntArray) -> RunTime:
    """Return the calendar of bars that close at these times, ms UTC, ascending; there must be one."""
    # A bar that closes at midnight is the end of the day before.
    first, last = (closes[0] - 1) // DAY, (closes[-1] - 1) // DAY
    ends = np.searchsorted(closes, (np.arange(first, last + 1) + 1) * DAY, side="right") - 1
    return RunTime(ends, float(closes[-1] - closes[0]) / (YEAR * DAY))


def risk_of_equity(span: RunTime, equity: FloatArray, drawdown: float) -> Risk:
    """Return the annual figures of equity at each close, as fractions; `drawdown` is positive."""
    return risk_of_all(span, equity[None, :], [drawdown])[0]


def risk_of_all(span: RunTime, curves: FloatArray, drawdowns: Iterable[float]) -> list[Risk]:
    """Return the annual figures of several runs, whose equity are the rows of `curves`."""
    # Row by row in memory, or sums would add up in another order.
    days = np.take(curves, span.day_ends, axis=1)
    count = days.shape[1] - 1
    if count < FEWEST:
        return [NO_RISK._replace(daily_returns=count)] * days.shape[0]
    with np.errstate(all="ignore"):
        returns = days[:, 1:] / days[:, :-1] - 1
        found = zip(days.min(axis=1).tolist(), *_deviations(returns), drawdowns, strict=True)
    growth = zip(curves[:, 0].tolist(), curves[:, -1].tolist(), strict=True)
    return [
        NO_RISK._replace(annual_return=-1.0, daily_returns=count)
        if lowest <= 0
        else _risk((final / first) ** (1 / span.years) - 1, _ratios(*sums), drawdown, count)
        for (lowest, *sums, drawdown), (first, final) in zip(found, growth, strict=True)
    ]


def _risk(annual: float, daily: tuple[float, float, float], drawdown: float, count: int) -> Risk:
    return Risk(annual, *daily, over(annual, drawdown), count)


def ratios(returns: FloatArray) -> tuple[float, float, float]:
    """Return volatility, Sharpe and Sortino ratio, a year's, of two daily returns or more."""
    return ratios_of_all(returns[None, :])[0]


def ratios_of_all(returns: FloatArray) -> list[tuple[float, float, float]]:
    """Return what `ratios` returns of each row."""
    return [_ratios(*sums) for sums in zip(*_deviations(returns), strict=True)]


def definitions() -> dict[str, str]:
    """Return what each figure of Summary means, by its field's name, from this module's docstring."""
    listed = re.findall(r"^- ([^:]+): (.*(?:\n  .*)*)", __doc__ or "", re.MULTILINE)
    texts = {name: " ".join(text.split()) for name, text in listed}
    return {field: texts[name] for field, name in DEFINED.items() if name in texts}


def _deviations(returns: FloatArray) -> tuple[list[float], list[float], list[float]]:
    """Return mean, sample deviation and downside deviation of each row."""
    count = returns.shape[1]
    mean = returns.sum(axis=1) / count
    deviation = np.sqrt(((returns - mean[:, None]) ** 2).sum(axis=1) / (count - 1))
    downside = np.sqrt((np.minimum(returns, 0.0) ** 2).sum(axis=1) / count)
    return mean.tolist(), deviation.tolist(), downside.tolist()


def _ratios(mean: float, deviation: float, downside: float) -> tuple[float, float, float]:
    varies = deviation > CONSTANT * abs(mean)
    year = math.sqrt(YEAR)
    return deviation * year, over(mean, deviation if varies else 0.0) * year, over(mean, downside) * year


def max_drawdown(equity: FloatArray) -> float:
    """Return the deepest fall below an earlier peak as a fraction of it, positive; equity begins above 0."""
    return float((1 - equity / np.maximum.accumulate(equity)).max())


def profit_factor(pnl: FloatArray) -> float:
    """Return money won over money lost; infinite without a loss, NaN when nothing was won or lost."""
    return over(float(pnl[pnl > 0].sum()), -float(pnl[pnl < 0].sum()))


def win_rate(pnl: FloatArray) -> float:
    """Return the share of trades that made money; NaN without a trade."""
    return np.count_nonzero(pnl > 0) / pnl.size if pnl.size else math.nan


def hold_curve(bars: Bars, costs: Costs) -> FloatArray:
    """Return what buying at the first open is worth at each close, before it is sold; the cash is 1."""
    curve: FloatArray = bars.close / _paid(bars, costs)
    return curve


def buy_and_hold(bars: Bars, costs: Costs) -> float:
    """Return what buying at the first open and selling at the last close brings, costs paid; a fraction."""
    return float(bars.close[-1]) * (1 - costs.commission) / _paid(bars, costs) - 1


def _paid(bars: Bars, costs: Costs) -> float:
    """Return what a unit costs at the first open, spread and commission included."""
    return float(bars.open[0]) * (1 + costs.spread) * (1 + costs.commission)


def measure(
    span: RunTime, equity: FloatArray, pnl: FloatArray, hold: float, drawdown_pct: float, exposure_pct: float
) -> tuple[float, ...]:
    """Return the fields of Summary as numbers, NaN for none.

    `equity` at each close, `pnl` of each closed trade after fees, `hold` as `buy_and_hold`; the two
    percentages are positive.
    """
    trades = win_rate(pnl), profit_factor(pnl), pnl.size
    risk = risk_of_equity(span, equity, drawdown_pct / 100)
    return fields(float(equity[0]), float(equity[-1]), hold, (drawdown_pct, exposure_pct), trades, risk)


def fields(
    first: float,
    final: float,
    hold: float,
    shares: tuple[float, float],
    trades: tuple[float, float, int],
    risk: Risk,
) -> tuple[float, ...]:
    """Return the fields of Summary: `shares` are drawdown and exposure in percent, `trades` the part of them
    that won, their profit factor and their number.
    """
    return (
        final,
        (final - first) / first * 100,
        hold * 100,
        risk.annual_return * 100,
        risk.volatility * 100,
        shares[0],
        risk.sharpe,
        risk.sortino,
        risk.calmar,
        trades[0] * 100,
        trades[1],
        shares[1],
        trades[2],
        risk.daily_returns,
    )


def as_summary(values: Iterable[float]) -> Summary:
    """Return numbers as `measure` gives them as a Summary."""
    summary = Summary(*(None if math.isnan(value) else float(value) for value in values))  # type: ignore[arg-type]
    days = summary.daily_returns
    return summary._replace(
        trades_count=int(summary.trades_count), daily_returns=None if days is None else int(days)
    )


def reasons(summary: Summary) -> dict[str, str]:
    """Return why each figure that is None is none, by its name."""
    return {name: _reason(summary, name) for name, value in summary._asdict().items() if value is None}


def _reason(summary: Summary, name: str) -> str:
    if name == "win_rate_pct":
        return NO_TRADES
    if summary.daily_returns is None:
        return "an old run, not measured when it was saved (run_backtest.py --rerun measures it)"
    if name in ANNUAL:
        return _annual_reason(summary, summary.daily_returns)
    if name in ("buy_hold_return_pct", "exposure_pct"):
        return "not known without the candles of one series"
    return "nothing was won or lost" if summary.trades_count else NO_TRADES


def too_short(days: int | None) -> str:
    """Return why so many daily returns make no annual figure, blank if they do; None: not counted."""
    return "" if days is None or days >= FEWEST else f"needs {FEWEST} daily returns, there are {days}"


def _annual_reason(summary: Summary, days: int) -> str:
    if why := too_short(days):
        return why
    if summary.final_equity <= 0:
        return "the account was ruined"
    return "equity never changed from one day to the next" if summary.trades_count else NO_TRADES


def summary_json(summary: Summary) -> dict[str, float | str | None]:
    """Return the figures as JSON can hold them: an infinite one as the text `Infinity`."""
    return {name: _json_value(value) for name, value in summary._asdict().items()}


def summary_from_json(figures: Mapping[str, float | str | None]) -> Summary:
    """Return what `summary_json` was made from; a figure that is not in it is None."""
    values: dict[str, Any] = {name: figures.get(name) for name in Summary._fields}
    infinite = {name: float(value) for name, value in values.items() if isinstance(value, str)}
    return Summary(**{**values, **infinite})


def _json_value(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "Infinity" if value > 0 else "-Infinity"
