"""What is printed of limits: with the status, before a replay and below it."""

from __future__ import annotations

import pytest

from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.cli.live_status import show_limits
from core.cli.replay_command import limits_of, print_replay
from core.domain import Costs
from core.risk.breakers import Trip
from core.risk.limits import Limits
from core.risk_manager import RiskManager
from strategies.registry import load_strategy
from tests.markets import random_bars
from tests.status_help import CALM, STATUS

FREE = Costs(0.0, 0.0)


def test_the_status_shows_limits_and_what_they_cut(capsys: pytest.CaptureFixture[str]) -> None:
    show_limits(STATUS)
    show_limits(CALM)
    assert capsys.readouterr().out == (
        "  limit: A asks for 3 %\n  entries cut since the start: 1,200 of A by exposure\n"
    )


def test_a_replay_says_its_limits_first_and_then_what_bound_and_cut(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bars = random_bars(2, 600, volatility=0.01)
    feeds = [ReplayFeed("HIGH_RISK", load_strategy("HIGH_RISK"), {}, "BTC/USDT", "1h", bars)]
    limits = Limits(max_risk_per_trade=0.02, max_symbol_exposure_pct=50, allow_short=True)
    account = ReplayAccount(10_000.0, FREE, RiskManager(0.01, None, limits, FREE))
    assert limits_of(feeds, account)[1:] == [
        "HIGH_RISK asks for 3 % of equity at risk and gets 2 %",
        "HIGH_RISK may hold 95 % of equity, risk.max_symbol_exposure_pct leaves 50 %: larger entries are cut",
    ]
    assert limits_of(feeds, account._replace(risk=None)) == []
    run = replay(feeds, account)
    cut = run.cuts["HIGH_RISK"]["symbol_exposure"]
    assert cut == run.bounds["HIGH_RISK"]["symbol_exposure"] > 0
    print_replay(run, 10_000.0)
    out = capsys.readouterr().out
    assert f"HIGH_RISK: entries bound by {run.bounds['HIGH_RISK']['risk']} risk, {cut} symbol_exposure" in out
    assert f"HIGH_RISK: entries cut by the account's {cut:,} symbol_exposure" in out
    # What each of the two words means stands before both.
    assert out.index("bound by: the one thing that set an entry's size") < out.index(
        "HIGH_RISK: entries bound"
    )
    tripped = run._replace(trips=tuple(("daily_loss", Trip(0, f"trip {n}")) for n in range(13)))
    print_replay(tripped, 10_000.0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["breaker daily_loss tripped 1970-01-01 00:00 UTC: trip 9", "… and 3 more"]
