"""Settings in percent, and what in them looks like a fraction: 0.03 where 3 was meant."""

from __future__ import annotations

from collections.abc import Mapping

from core.risk.limits import BREAKERS

LIKE_A_FRACTION: Mapping[str, float] = {
    **{row.loss.setting: row.loss.like_a_fraction for row in BREAKERS if row.loss is not None},
    "low_profit_pct": 0.05,
    "recent_drawdown_pct": 0.9,
    "max_symbol_loss_pct": 0.4,
    "flash_crash_apart_pct": 0.4,
    "max_exposure_pct": 1.0,
    "max_symbol_exposure_pct": 1.0,
    "max_strategy_exposure_pct": 1.0,
    "max_position_pct": 1.0,
    "max_correlated_exposure_pct": 1.0,
    "cash_reserve_pct": 0.9,
    "price_band_pct": 0.4,
    "volume_pct": 0.9,
    "commission_pct": 0.009,
    "spread_pct": 0.001,
    "slippage_pct": 0.009,
    "stop_limit_gap_pct": 0.2,
    "split_impact_pct": 0.01,
}
"""Every setting in percent, with the largest value that is more likely a fraction than a percentage."""


class PercentWarning(UserWarning):
    """A percentage that looks like a fraction."""


def percent_notes(values: Mapping[str, object], section: str = "") -> list[str]:
    """Return a line for each percentage that looks like a fraction; `values` by the names of settings."""
    given = ((name, values.get(name), most) for name, most in LIKE_A_FRACTION.items())
    return [
        f"{section}{name} is in percent: {value:g} is taken as {value:g} %; "
        f"if {100 * value:g} % is meant, write {100 * value:g}"
        for name, value, most in given
        if isinstance(value, int | float) and 0 < value <= most
    ]
