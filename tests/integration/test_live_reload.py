"""Other parameters, strategies and limits in a running loop; what cannot be is refused, nothing changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.account.lots import Lot
from core.cli import live_terms
from core.cli.live_terms import client_of, read_settings, terms_of, world_of
from core.cli.replay_command import members
from core.domain import Bar
from core.errors import NoDataError
from core.exchange_sim.server import SimConfig, serve
from core.live import reload
from core.live.account import Opening, open_account
from core.live.loop import Command, Loop
from core.live.paper_desk import PaperDesk
from core.live.reload import Reloading, code_of, stored_weights, weighted
from db.init_db import init_db
from scripts import run_live
from strategies.trend_ema import TrendEmaLive
from tests.exchange_help import NOON, FakeTime
from tests.own_files import project_in
from tests.stored import url_of

HOUR = 3_600_000
BTC = ("TREND_EMA", "BTC/USDT")


def command(name: str, argument: str) -> Command:
    return Command(1, name, argument)


class Running:
    """A loop on the local exchange, its files, and what it is told."""

    def __init__(self, root: Path, time: FakeTime, loop: Loop) -> None:
        self.root, self.time, self.loop = root, time, loop

    def change(self, *pairs: tuple[str, str], file: str = "strategies.yaml") -> None:
        path = self.root / "config" / file
        text = path.read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(text)

    def reload(self, policy: str = "keep") -> str:
        return self.loop.carry_out(command("reload", policy), self.time.now)

    def step(self, hours: int = 1) -> None:
        self.time.now += hours * HOUR
        self.loop.step(self.time.now)

    def hold(self) -> None:
        """Let TREND_EMA hold some bitcoin."""
        portfolio = self.loop.session.portfolio
        price = portfolio.marks["BTC/USDT"]
        given: dict[str, Any] = {"fees": Decimal(0), "entry_time": NOON, "entry_bar": 0, "share": 1.0}
        stop, take = price * 0.5, price * 2
        one = Lot(
            "1-0",
            1,
            Decimal("0.01"),
            Decimal("0.01") * Decimal(str(price)),
            **given,
            stop=stop,
            take=take,
            first_stop=stop,
        )
        portfolio.adopt(*BTC, [one])

    @property
    def slots(self) -> list[tuple[str, str, str]]:
        return [slot[:3] for slot in self.loop.session.slots]

    def params(self, held: tuple[str, str] = BTC) -> Any:
        (slot,) = (slot for slot in self.loop.session.slots if slot[:2] == held)
        return slot.decider.strategy.params  # type: ignore[attr-defined]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    root = project_in(tmp_path, monkeypatch)
    time = FakeTime(NOON)
    with serve(SimConfig(clock=time.clock)) as sim, ExitStack() as opened:
        monkeypatch.setenv("EXCHANGE_BASE_URL", sim.url)
        words = ["--symbol", "BTC/USDT", "--timeframe", "1h", "--db-url", url_of(tmp_path / "live.db")]
        args = run_live.parse(words)
        settings = read_settings(args)
        engine = init_db(settings.db.url)
        opened.callback(engine.dispose)
        world = world_of(args, settings, engine, client_of(args, settings, opened))
        world = world._replace(now=time.clock)
        given = Opening(terms_of(args, settings), engine, world, opened, threading.Event(), print)
        loop, _ = open_account(given)
        loop.reload = Reloading(given, loop, lambda: terms_of(args, read_settings(args)))
        loop.step(time.now)
        yield Running(root, time, loop)


@pytest.mark.unmeasured
def test_nothing_changed_is_said(running: Running) -> None:
    assert running.reload() == "no strategy changed; limits are those of the settings now"


@pytest.mark.unmeasured
def test_other_parameters_decide_from_the_next_bar_on_and_positions_stay(running: Running) -> None:
    running.hold()
    before = running.slots
    assert running.params().ema_fast == 20
    running.change(("ema_fast: 20 ", "ema_fast: 10 "))
    assert running.reload().startswith("changed TREND_EMA on BTC/USDT; limits")
    assert running.slots == before
    assert running.params().ema_fast == 10
    assert len(running.loop.session.portfolio.lots(*BTC)) == 1
    running.step()
    assert running.loop.session.risk.state.quarantined == {}


@pytest.mark.unmeasured
def test_positions_of_what_changes_are_closed_if_that_is_wanted(running: Running) -> None:
    running.hold()
    running.change(("ema_fast: 20 ", "ema_fast: 10 "))
    assert running.reload("flatten").endswith("closing 1 position at the next price")
    (waiting,) = running.loop.session.portfolio.pending.values()
    assert (waiting.intent.strategy, waiting.intent.reason) == ("TREND_EMA", "flatten")


@pytest.mark.unmeasured
def test_strategies_come_and_go(running: Running) -> None:
    running.change(
        ("squeeze_breakout:\n  enabled: true", "squeeze_breakout:\n  enabled: false"),
        ("sma_cross:\n  enabled: false", "sma_cross:\n  enabled: true"),
    )
    said = running.reload()
    assert said.startswith("added SMA_CROSS on BTC/USDT; dropped SQZ_BO on BTC/USDT; limits")
    names = [name for name, _, _ in running.slots]
    assert "SMA_CROSS" in names
    assert "SQZ_BO" not in names
    running.step(2)
    assert running.loop.session.risk.state.quarantined == {}


def test_who_holds_something_is_not_dropped_before_it_is_closed(running: Running) -> None:
    running.hold()
    running.change(("trend_ema:\n  enabled: true", "trend_ema:\n  enabled: false"))
    before = running.slots
    assert "TREND_EMA holds or orders BTC/USDT and is not to trade it any more" in running.reload()
    assert running.slots == before
    assert "dropped TREND_EMA" in running.reload("flatten")


@pytest.mark.unmeasured
def test_other_limits_hold_at_once(running: Running) -> None:
    running.change(("max_daily_loss_pct: 3.0", "max_daily_loss_pct: 2.0"), file="settings.yaml")
    running.change(("max_positions: 20 ", "max_positions: 1 "), file="settings.yaml")
    running.change(("correlation_bars: 100 ", "correlation_bars: 40 "), file="settings.yaml")
    running.change(("  # volume_pct: 10 ", "  volume_pct: 10 "), file="settings.yaml")
    risk, desk = running.loop.session.risk, running.loop.desk
    assert isinstance(desk, PaperDesk)
    before = desk.market.model.volume_share
    running.reload()
    assert (risk.max_daily_loss_pct, risk.limits.max_positions) == (2.0, 1)
    assert (before, desk.market.model.volume_share) == (None, 0.1)
    for n in range(100):
        risk.closes.add("X/USDT", "1h", n, 1.0)
    assert np.isnan(risk.closes.at("X/USDT", range(100))).sum() == 100 - 41


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ema_fast: 20 ", "ema_fast: twenty ", "ema_fast"),
        ("trend_ema:", "trend_emma:", "trend_emma"),
        ("  enabled: true\n", "  enabled: [\n", "strategies.yaml"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_the_old_rules_go_on(
    running: Running, old: str, new: str, said: str
) -> None:
    before = running.slots
    running.change((old, new))
    outcome = running.reload()
    assert outcome.startswith("refused: ")
    assert said in outcome
    assert "\n" not in outcome
    assert outcome.endswith("everything stays as it is")
    assert running.slots == before
    assert running.params().ema_fast == 20
    running.step()
    assert running.loop.session.risk.state.quarantined == {}


@pytest.mark.unmeasured
def test_a_rule_that_raises_is_refused(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError("a rule went wrong")

    running.change(("ema_fast: 20 ", "ema_fast: 10 "))
    monkeypatch.setattr(TrendEmaLive, "signals", broken)
    said = running.reload()
    assert said.startswith("refused: TREND_EMA cannot decide: ZeroDivisionError: a rule went wrong")
    assert running.params().ema_fast == 20


@pytest.mark.unmeasured
def test_changed_code_is_taken_by_a_restart_only(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "trend_ema.py").write_text("one")
    before = code_of(folder)
    (folder / "trend_ema.py").write_text("two")
    assert code_of(folder) != before
    monkeypatch.setattr(reload, "STRATEGIES", folder)
    assert "changed since the loop began, and code is taken by a restart" in running.reload()


@pytest.mark.unmeasured
def test_a_strategy_that_looks_at_a_second_symbol_comes_and_goes_with_it(running: Running) -> None:
    def followed() -> list[str]:
        return [series.symbol for series in running.loop.feed.series]

    assert followed() == ["BTC/USDT"]
    running.change(("pairs:\n  enabled: false", "pairs:\n  enabled: true"))
    assert "added PAIRS on BTC/USDT" in running.reload()
    assert followed() == ["BTC/USDT", "ETH/USDT"]
    (slot,) = (slot for slot in running.loop.session.slots if slot.strategy == "PAIRS")
    ((symbol, timeframe, take),) = slot.followed
    growing = take.__self__  # type: ignore[attr-defined]
    newest = int(growing.bars.ts[-1])
    running.loop.session.on_bars(
        [Bar(symbol, timeframe, newest + HOUR, newest + 2 * HOUR, 1, 2, 0.5, 1.5, 7)]
    )
    assert (symbol, growing.bars.close[-1], growing.bars.volume[-1]) == ("ETH/USDT", 1.5, 7)
    running.change(("hedge_period: 120", "hedge_period: 90"))
    assert "changed PAIRS on BTC/USDT" in running.reload()
    assert followed() == ["BTC/USDT", "ETH/USDT"]
    assert len(running.loop.session._followers["ETH/USDT", "1h"]) == 1
    running.change(("pairs:\n  enabled: true", "pairs:\n  enabled: false"))
    assert "dropped PAIRS on BTC/USDT" in running.reload()
    assert followed() == ["BTC/USDT"]
    running.step()


@pytest.mark.unmeasured
def test_another_currency_needs_a_restart(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = members
    monkeypatch.setattr(
        live_terms,
        "members",
        lambda *given: [one._replace(symbol="BTC/EUR") for one in original(*given)],
    )
    assert "another currency" in running.reload()
    monkeypatch.setattr(live_terms, "members", lambda *_: [])
    assert "no strategy has a symbol" in running.reload()


def test_a_timeframe_changes_while_nothing_is_held(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    original: Callable[..., Any] = members
    monkeypatch.setattr(
        live_terms,
        "members",
        lambda *given: [
            one._replace(timeframe="2h") if one.strategy == "TREND_EMA" else one for one in original(*given)
        ],
    )
    running.hold()
    refused = running.reload()
    assert "TREND_EMA holds BTC/USDT and cannot change its timeframe: run_live.py --db-url sqlite:" in refused
    assert refused.partition("run_live.py")[2].endswith("live.db --flatten first; everything stays as it is")
    running.loop.session.portfolio.adopt(*BTC, [])
    assert running.reload().startswith("changed TREND_EMA on BTC/USDT")
    assert ("TREND_EMA", "BTC/USDT", "2h") in running.slots
    running.step(2)
    assert running.loop.session.risk.state.quarantined == {}


ENSEMBLE = ("ENSEMBLE", "BTC/USDT")


@pytest.fixture
def together(running: Running) -> Running:
    """Return a loop of which an ensemble is part."""
    running.change(("ensemble:\n  enabled: false", "ensemble:\n  enabled: true"))
    assert "added ENSEMBLE on BTC/USDT" in running.reload()
    assert isinstance(running.loop.reload, Reloading)
    running.loop.set_weight = running.loop.reload.set_weight
    return running


def test_a_weight_is_set_within_bounds_and_found_again_by_reloads_and_restarts(together: Running) -> None:
    def outcome(argument: str) -> str:
        return together.loop.carry_out(command("set-weight", argument), together.time.now)

    assert outcome("ENSEMBLE.turtle_weight=0.5") == (
        "ENSEMBLE.turtle_weight is 0.5 now; changed ENSEMBLE on BTC/USDT"
    )
    assert together.params(ENSEMBLE).turtle_weight == 0.5
    for argument, why in (
        ("ENSEMBLE.turtle_weight=1.5", "ENSEMBLE.turtle_weight is 0.5, and changes by 0.5 at a time at most"),
        ("ENSEMBLE.turtle_weight=-0.1", "wanted a number from 0 to 100, got -0.1"),
        ("ENSEMBLE.turtle_weight=much", "wanted ENSEMBLE.turtle_weight=NUMBER"),
        ("ENSEMBLE.risk_per_trade=0.01", "is no weight of this loop; weights are: ENSEMBLE.trend_ema_weight"),
        ("TREND_EMA.ema_fast=5", "is no weight of this loop"),
        ("", "is no weight of this loop"),
    ):
        said = outcome(argument)
        assert said.startswith("refused: ")
        assert why in said
    assert together.reload() == "no strategy changed; limits are those of the settings now"
    assert together.params(ENSEMBLE).turtle_weight == 0.5
    reloading = together.loop.reload
    assert isinstance(reloading, Reloading)
    stored = stored_weights(reloading._given.engine, "paper")
    assert stored == {"ENSEMBLE.turtle_weight": 0.5}
    wanted = weighted(reloading._read(), stored).members
    assert [one.params["turtle_weight"] for one in wanted if one.strategy == "ENSEMBLE"] == [0.5]


@pytest.mark.unmeasured
def test_a_weight_that_cannot_be_carried_out_changes_nothing(
    together: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise NoDataError("no candles")

    monkeypatch.setattr(reload, "warmed_up", broken)
    said = together.loop.carry_out(command("set-weight", "ENSEMBLE.turtle_weight=0.5"), together.time.now)
    assert said == "refused: no candles; everything stays as it is"
    assert together.params(ENSEMBLE).turtle_weight == 1.0


@pytest.mark.unmeasured
def test_a_loop_without_an_ensemble_has_no_weights(running: Running) -> None:
    heavier = command("set-weight", "ENSEMBLE.turtle_weight=0.5")
    assert running.loop.carry_out(heavier, 0) == "refused: this loop's weights cannot be set"
    assert isinstance(running.loop.reload, Reloading)
    running.loop.set_weight = running.loop.reload.set_weight
    assert "weights are: none" in running.loop.carry_out(heavier, 0)
