"""The terms of an account are frozen values, made of arguments and settings alone."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from core import cli
from core.cli.live_terms import terms_of
from core.errors import UsageError
from core.live.modes import AT_EXCHANGE, ON_PAPER, mode_of, mode_text, orders_of
from core.live.terms import AccountTerms
from core.settings import load_settings
from scripts import run_live


def terms(*words: str) -> AccountTerms:
    changed = {"HOT_CRYPTO_RISK_MAX_DAILY_LOSS_PCT": "2", "HOT_CRYPTO_DB_URL": "sqlite:///some.db"}
    return terms_of(run_live.parse(list(words)), load_settings(cli.ROOT / "config", changed))


@pytest.mark.parametrize(
    ("orders", "network", "mode", "shown"),
    [
        (ON_PAPER, "", "paper", "paper"),
        (ON_PAPER, "real money", "paper", "paper"),
        (AT_EXCHANGE, "loopback", "local exchange", "local exchange"),
        (AT_EXCHANGE, "test network", "test network", "test network"),
        (AT_EXCHANGE, "real money", "real money", "real money"),
    ],
)
def test_a_run_is_called_by_what_fills_its_orders(orders: str, network: str, mode: str, shown: str) -> None:
    assert mode_of(orders, network) == mode
    assert mode_text(mode) == shown
    assert orders_of(mode) == (mode if mode == "real money" else orders)


def test_a_stored_run_that_was_called_live_traded_no_real_money() -> None:
    assert (mode_text("live"), orders_of("live")) == ("local exchange or test network", AT_EXCHANGE)


@pytest.mark.unmeasured
def test_terms_are_what_was_typed_and_set() -> None:
    typed = ["--strategy", "TREND_EMA,MR_BB", "--symbol", "ETH/USDT,BTC/USDT", "--account", "mine"]
    one = terms(*typed, "--orders", "exchange", "--once", "--cash", "500")
    assert (one.name, one.db_url, one.orders, one.once) == ("mine", "sqlite:///some.db", AT_EXCHANGE, True)
    assert (one.symbols, one.quote) == (["BTC/USDT", "ETH/USDT"], "USDT")
    assert [(run.strategy, run.symbol) for run in one.members] == [
        ("TREND_EMA", "ETH/USDT"),
        ("TREND_EMA", "BTC/USDT"),
        ("MR_BB", "ETH/USDT"),
        ("MR_BB", "BTC/USDT"),
    ]
    assert one.is_cash_named
    assert (one.costs.commission, one.costs.spread) == (0.001, 0.0)
    assert one.risk.manager(one.costs).max_daily_loss_pct == 2.0


@pytest.mark.unmeasured
def test_nothing_typed_is_a_paper_account_with_the_settings_cash() -> None:
    one = terms()
    assert (one.name, one.orders, one.cash, one.is_cash_named) == ("paper", ON_PAPER, 10_000.0, False)
    assert (one.once, one.accept_restore, one.volume_share) == (False, False, None)
    with pytest.raises(FrozenInstanceError):
        one.cash = 1.0  # type: ignore[misc]


@pytest.mark.unmeasured
def test_an_account_counts_in_one_currency() -> None:
    one = terms("--symbol", "BTC/USDT,ETH/BTC")
    with pytest.raises(UsageError, match="priced in BTC, USDT: trade each currency on its own --account"):
        _ = one.quote
    with pytest.raises(UsageError, match="priced in none"):
        _ = replace(one, members=()).quote
