"""A small right configuration to spoil, for the tests of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import SettingsError
from core.settings import load_settings

SETTINGS = """\
exchange:
  name: binanceus
  sandbox: false
risk:
  default_risk_per_trade: 0.01
  max_daily_loss_pct: 3
backtest:
  default_cash: 10000
  commission_pct: 0.1
"""
STRATEGIES = """\
trend_ema:
  enabled: true
  symbols: [BTC/USDT]
  timeframe: 4h
  params: {ema_fast: 20, atr_stop_mult: 1.5}
"""
MARKETS = "- {symbol: BTC/USDT, timeframe: 4h}\n"


def problems(config: Path, env: Mapping[str, str] | None = None, **options: Any) -> list[str]:
    """Return the problem lines, without the head line that counts them."""
    with pytest.raises(SettingsError) as caught:
        load_settings(config, env or {}, **options)
    assert caught.value.exit_code == 2
    lines = str(caught.value).split("\n  ")
    if len(lines) > 1:
        assert lines[0] == f"{len(lines) - 1} problems in the settings:"
    return lines[1:] or lines


def write_config(folder: Path) -> Path:
    """Write the three files into `folder`/config and return that directory."""
    config = folder / "config"
    config.mkdir()
    (config / "settings.yaml").write_text(SETTINGS)
    (config / "strategies.yaml").write_text(STRATEGIES)
    (config / "markets.yaml").write_text(MARKETS)
    return config
