"""What tests on short random markets need to know of each strategy: parameters with which it trades often,
how its trades end, and a partner's candles for one that looks at two symbols.
"""

from __future__ import annotations

from core.domain import Bars
from core.proof.markets import HOUR, companion
from strategies.pairing import Growing, PartnerBars, Partners, bind, partner_of
from strategies.registry import Strategy, load_strategy

partner = companion
OWN = "ETH/USDT"


def paired(other: Bars | Growing, own: str = OWN) -> Partners:
    """Return the hourly candles of the one partner that PAIRS and its like have on a symbol."""
    return Partners(own, HOUR, (PartnerBars(partner_of(own), "1h", HOUR, other),))


def strategy_for(name: str, bars: Bars) -> Strategy:
    """Return a strategy that can run on these bars, or on any part of them."""
    return bind(load_strategy(name), paired(companion(bars)))


LIVELY: dict[str, dict[str, float]] = {
    "SMA_CROSS": {"sma_fast": 5, "sma_slow": 15},
    "RSI_REVERSION": {"rsi_period": 7},
    "SUPERTREND": {"atr_period": 5, "band_mult": 1.5},
    "TURTLE": {"entry_period": 10, "exit_period": 5},
    "MOMENTUM": {
        "ema_fast": 4,
        "ema_slow": 9,
        "cross_period": 8,
        "trend_mult": 2,
        "rsi_margin": 0.0,
        "adx_min": 5.0,
        "volume_mult": 0.3,
        "take_ratio": 3.0,
        "time_period": 4,
    },
    "VOL_HUNTER": {"bb_std": 1.5, "rsi_low": 45.0, "rsi_high": 55.0},
    "RSI_DIVERGENCE": {"rsi_period": 5, "wing_period": 2, "atr_period": 5},
    "ICHIMOKU": {"conversion_period": 4, "base_period": 8, "span_period": 16},
    "DUAL_THRUST": {"session_bars": 8, "day_count": 2, "up_ratio": 0.3, "down_ratio": 0.3},
    "ADAPTIVE": {"ema_fast": 3, "ema_slow": 6, "noise_period": 30},
    "ENSEMBLE": {
        "trend_ema_weight": 2.0,
        "turtle_weight": 0.0,
        "macd_cross_weight": 0.0,
        "sqz_bo_weight": 0.0,
        "rsi_reversion_weight": 0.0,
        "vol_hunter_weight": 0.0,
        "change_ratio": 0.25,
        "agree_ratio": 0.5,
        "learn_ratio": 0.5,
        "learn_period": 30,
        "restart_period": 40,
        "rank_period": 40,
        "hurst_period": 32,
        "settle_bars": 1,
        "atr_stop_mult": 1.0,
    },
    "PAIRS": {
        "hedge_period": 20,
        "entry_z": 1.0,
        "exit_z": 0.2,
        "shared_min": 0.1,
        "time_period": 4,
        "atr_stop_mult": 1.0,
    },
}
"""What is left out trades often enough by itself."""

ENDS: dict[str, set[str]] = {
    "GRID_LR": {"take", "rule", "end"},
    "SMA_CROSS": {"stop", "reverse", "end"},
    "MACD_CROSS": {"stop", "reverse", "end"},
    "RSI_REVERSION": {"stop", "rule", "end"},
    "SUPERTREND": {"stop", "reverse", "end"},
    "TURTLE": {"stop", "trail", "end"},
    "MOMENTUM": {"stop", "trail", "take", "rule", "time", "end"},
    "TRIPLE_MOMENTUM": {"stop", "take", "rule", "end"},
    "VOL_HUNTER": {"stop", "take", "rule", "end"},
    "RSI_DIVERGENCE": {"stop", "take", "rule", "end"},
    "ICHIMOKU": {"stop", "rule", "end"},
    "VWAP_BOUNCE": {"stop", "take", "rule", "end"},
    "DUAL_THRUST": {"stop", "reverse", "end"},
    "ADAPTIVE": {"stop", "reverse", "end"},
    "ENHANCED": {"stop", "take", "rule", "end"},
    "HIGH_RISK": {"stop", "take", "rule", "end"},
    "ENSEMBLE": {"stop", "rule", "reduce", "end"},
    "PAIRS": {"stop", "rule", "time", "end"},
}
"""Every way in which its trades end; by default stop, take and the end of the data."""
