"""Protections: freqtrade's documented examples worked out by hand, on candles of an hour."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from core.account.lots import Trade
from core.account.orders import Approved, RefusalReason
from core.domain import Costs
from core.risk.breakers import RiskState, standing_at
from core.risk.limits import BREAKERS, Limits, active_pauses, protections_of
from core.risk.pauses import row_of
from core.risk_manager import RiskManager, protected
from tests.account_help import SYMBOL, intent, snapshot

HOUR = 3_600_000
MIDNIGHT = 1_700_006_400_000
OTHER = "ETH/USDT"
CANDLES = 60.0
"""Minutes."""


class Bot:
    """One strategy's account, told of trades by the hour they were closed in."""

    def __init__(self, limits: Limits, commission: float = 0.0) -> None:
        self.risk = RiskManager(1.0, None, limits, Costs(commission))

    def closes(self, hour: float, percent: float, reason: str = "rule", symbol: str = SYMBOL) -> None:
        """Close a trade at this hour that made so much."""
        self.risk.mark(MIDNIGHT + round(hour * HOUR), 10_000.0)
        money = Decimal(0)
        prices = 100.0, 100.0 + percent
        self.risk.close(Trade("A", symbol, 1, Decimal(1), 0, 0, 0, 1, *prices, money, money, reason))

    def answer(self, hour: float, symbol: str = SYMBOL, strategy: str = "A") -> str:
        """Return why nothing is entered at this hour, or nothing."""
        now = MIDNIGHT + round(hour * HOUR)
        wanted = intent(symbol=symbol, strategy=strategy, created_at=now, valid_until=now + HOUR)
        found = self.risk.approve(wanted, snapshot(), 100.0, now)
        return "" if isinstance(found, Approved) else found.reason.value


def guard(stops: int) -> Limits:
    """Return a stop-guard that looks back 24 candles and pauses for four."""
    return Limits(
        stop_guard_stops=stops, stop_guard_minutes=24 * CANDLES, stop_guard_pause_minutes=4 * CANDLES
    )


def test_a_symbol_that_was_left_is_not_entered_for_two_candles() -> None:
    # CooldownPeriod, stop_duration_candles 2.
    bot = Bot(Limits(exit_pause_minutes=2 * CANDLES))
    bot.closes(9, +1.0)
    assert [bot.answer(hour) for hour in (9, 10, 11)] == ["exit_pause", "exit_pause", ""]
    assert bot.answer(9, OTHER) == ""
    assert bot.answer(9, strategy="B") == ""


def test_four_losing_stops_in_24_candles_stop_all_symbols_for_four() -> None:
    # StoplossGuard: lookback_period_candles 24, trade_limit 4, stop_duration_candles 4, only_per_pair false.
    bot = Bot(guard(4))
    for hour, percent, reason, symbol in (
        (1, -1.0, "stop", SYMBOL),
        (5, -1.0, "trail", OTHER),
        (6, +2.0, "trail", SYMBOL),  # It won.
        (7, -3.0, "rule", SYMBOL),  # No stop.
        (10, -1.0, "stop", SYMBOL),
    ):
        bot.closes(hour, percent, reason, symbol)
        assert bot.answer(hour) == ""
    bot.closes(24, -1.0, "stop", OTHER)
    assert [bot.answer(hour, OTHER) for hour in (24, 27, 28)] == ["stop_guard", "stop_guard", ""]
    assert bot.answer(27) == "stop_guard"


def test_stops_older_than_the_span_are_forgotten() -> None:
    bot = Bot(guard(2))
    bot.closes(1, -1.0, "stop")
    bot.closes(25, -1.0, "stop")
    assert bot.answer(25) == ""
    bot.closes(48, -1.0, "stop")
    assert bot.answer(48) == "stop_guard"


def test_a_winning_trade_does_not_prolong_a_pause_for_stops() -> None:
    bot = Bot(guard(1))
    bot.closes(2, -1.0, "stop")
    bot.closes(5, +1.0)
    assert [bot.answer(5), bot.answer(6)] == ["stop_guard", ""]


def test_stops_may_be_counted_symbol_by_symbol() -> None:
    bot = Bot(Limits(stop_guard_stops=2, stop_guard_each_symbol=True))
    bot.closes(1, -1.0, "stop", OTHER)
    bot.closes(2, -1.0, "stop")
    assert (bot.answer(2), bot.answer(2, OTHER)) == ("", "")
    bot.closes(3, -1.0, "stop")
    assert (bot.answer(3), bot.answer(3, OTHER)) == ("stop_guard", "")


def test_a_pair_that_made_less_than_two_percent_in_six_candles_is_locked_for_an_hour() -> None:
    # LowProfitPairs: lookback_period_candles 6, trade_limit 2, stop_duration 60, required_profit 0.02.
    bot = Bot(
        Limits(
            low_profit_pct=2.0,
            low_profit_trades=2,
            low_profit_minutes=6 * CANDLES,
            low_profit_pause_minutes=60.0,
        )
    )
    bot.closes(1, -5.0)
    assert bot.answer(1) == ""
    bot.closes(3, +7.5, symbol=OTHER)
    bot.closes(4, +6.5)
    # -5 + 6.5 is 1.5.
    assert [bot.answer(hour) for hour in (4, 4.5, 5)] == ["low_profit", "low_profit", ""]
    assert bot.answer(4, OTHER) == ""
    bot.closes(9.5, +1.0)
    # 6.5 and 1: the first is too old.
    assert bot.answer(9.5) == ""


def test_a_fall_of_summed_profits_by_more_than_allowed_pauses() -> None:
    # MaxDrawdown: lookback_period_candles 48, trade_limit 20 (here 4), stop_duration_candles 12, 0.2.
    bot = Bot(
        Limits(
            recent_drawdown_pct=20.0,
            recent_drawdown_trades=4,
            recent_drawdown_minutes=48 * CANDLES,
            recent_drawdown_pause_minutes=12 * CANDLES,
            recent_drawdown_each_symbol=False,
        )
    )
    for hour, percent in ((1, 10.0), (2, -15.0), (3, 4.0)):
        bot.closes(hour, percent)
    assert bot.answer(3) == ""
    bot.closes(4, -8.9, symbol=OTHER)
    # 10, -5, -1, -9.9: 19.9 below the highest.
    assert bot.answer(4) == ""
    bot.closes(5, -0.2)
    assert [bot.answer(hour, OTHER) for hour in (5, 16, 17)] == ["recent_drawdown", "recent_drawdown", ""]


def test_a_fall_from_the_beginning_counts_from_nothing() -> None:
    bot = Bot(Limits(recent_drawdown_pct=5.0, recent_drawdown_trades=1))
    bot.closes(1, -5.1)
    assert (bot.answer(1), bot.answer(1, OTHER)) == ("recent_drawdown", "")


def test_a_symbol_is_traded_so_often_on_a_utc_day() -> None:
    bot = Bot(Limits(max_trades_per_symbol_day=2))
    bot.closes(-1, 1.0)
    bot.closes(2, 1.0)
    assert bot.answer(2) == ""
    bot.closes(20, 1.0)
    assert [bot.answer(20), bot.answer(20, OTHER), bot.answer(23.5), bot.answer(24)] == [
        "trades_a_day",
        "",
        "trades_a_day",
        "",
    ]


def test_profits_are_after_both_commissions() -> None:
    bot = Bot(Limits(low_profit_pct=0.9, low_profit_trades=1), commission=0.001)
    bot.closes(1, +1.0)
    # 1 less 0.1 and 0.101.
    assert bot.answer(1) == "low_profit"
    assert (
        "made 0.80 %, wanted are 0.9 %"
        in standing_at(bot.risk.state, MIDNIGHT + HOUR, BREAKERS)[f"low_profit of A in {SYMBOL}"]
    )


def test_a_restart_finds_trades_and_pauses_as_they_were() -> None:
    bot = Bot(Limits(exit_pause_minutes=120.0, stop_guard_stops=2))
    bot.closes(1, -1.0, "stop")
    stored = json.dumps(bot.risk.state.to_dict(BREAKERS))
    bot.risk.state = RiskState.from_dict(json.loads(stored), BREAKERS)
    assert bot.answer(2) == "exit_pause"
    bot.closes(4, -1.0, "stop")
    assert bot.answer(7) == "stop_guard"
    old = {name: value for name, value in json.loads(stored).items() if name not in ("closed", "pauses")}
    assert RiskState.from_dict(old, BREAKERS).pauses == {}


def test_what_is_over_is_not_said_and_a_pause_ends_by_its_row_s_name() -> None:
    bot = Bot(Limits(exit_pause_minutes=60.0))
    bot.closes(1, 1.0)
    assert list(standing_at(bot.risk.state, MIDNIGHT + HOUR, BREAKERS)) == [f"exit_pause of A in {SYMBOL}"]
    assert standing_at(bot.risk.state, MIDNIGHT + 2 * HOUR, BREAKERS) == {}
    assert row_of(f"exit_pause of A in {SYMBOL}") == "exit_pause"
    bot.risk.reset_breaker("exit_pause")
    assert bot.answer(1) == ""


def test_no_trade_is_remembered_where_nothing_pauses() -> None:
    bot = Bot(Limits(cool_down_minutes=60.0))
    bot.closes(1, -1.0, "stop")
    assert bot.risk.state.closed == ()
    assert active_pauses({}) == ()
    assert bot.risk.looks_back() == 0


def test_a_backtest_takes_what_the_settings_change() -> None:
    assert protections_of(Limits(cool_down_minutes=0.0, max_positions=3)) == {}
    given = {"cool_down_minutes": 30.0, "stop_guard_stops": 2, "stop_guard_each_symbol": True}
    assert protections_of(Limits(max_drawdown_pct=9.0, **given)) == given  # type: ignore[arg-type]
    assert protected(given, Costs()).limits == Limits(allow_short=True, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("row", [row for row in BREAKERS if row.pause is not None])
def test_every_pause_has_a_reason_of_its_own_name(row: object) -> None:
    assert RefusalReason(row.name) is row.reason  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:.*is in percent")
def test_what_a_symbol_lost_the_day_before_does_not_count() -> None:
    bot = Bot(Limits(max_symbol_loss_pct=0.015))
    # A loss of 1 on 10,000 is 0.01 %.
    bot.closes(20, -1.0)
    bot.closes(25, -1.0)
    assert bot.answer(25) == ""
    bot.closes(26, -1.0)
    assert [bot.answer(26), bot.answer(26, OTHER), bot.answer(26, strategy="B"), bot.answer(48)] == [
        *("symbol_loss", ""),
        *("symbol_loss", ""),
    ]
