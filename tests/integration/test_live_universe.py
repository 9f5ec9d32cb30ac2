"""A whole loop at the local exchange whose rules rank symbols and look at partners, some of them late."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import cli
from core.backtest.partners import looked_at, partners_of
from core.backtest.plan import PlannedRun
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.cli import live_terms
from core.cli.live_pace import Clocks
from core.cli.live_terms import client_of, read_settings, terms_of, world_of
from core.domain import Bars, Costs, Series
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET
from core.exchange_sim.server import SimConfig, serve
from core.live import account
from core.live.account import Opening, open_account
from core.live.feed import Read
from core.live.loop import Loop
from core.order_path.policy import Policy
from db.init_db import init_db
from scripts import run_live
from strategies.pairing import bind
from strategies.registry import Strategy, load_strategy, use_folder
from tests.exchange_help import NOON, FakeTime
from tests.stored import url_of

HOUR = 3_600_000
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "strategies"
ENTRIES = """\
rotation:
  enabled: true
  symbols: [BTC/USDT, DOGE/USDT, ETH/USDT, SOL/USDT]
  timeframe: 1h
  params: {momentum_period: 3, hold_count: 1, stake: 0.3}
partner:
  enabled: true
  symbols: [DOGE/USDT, ETH/USDT]
  timeframe: 1h
  params: {ma_period: 4, partner_period: 6, atr_period: 2, atr_stop_mult: 9, stake: 0.15}
"""
WITHOUT_LIMITS = (
    ("max_daily_loss_pct: 3.0", "max_daily_loss_pct: 50"),
    ("max_drawdown_pct: 25", "max_drawdown_pct: 90"),
    ("correlation_cut: 0.5", "correlation_cut: 0"),
)
Made = tuple[str, str, int, str]
"""Strategy, symbol, hour after noon in which the bar decided on opened, entry or exit."""


class Running:
    """A loop with orders at the local exchange, which dies and begins again."""

    read: Read
    """The exchange's candles, none of them late."""
    members: tuple[PlannedRun, ...]

    def __init__(self, time: FakeTime, url: str, folder: Path) -> None:
        self.time, self.url, self.sol_late = time, url, 20
        self.lines: list[str] = []
        self.words = ["--strategy", "ROTATION,PARTNER", "--strategies-dir", str(folder), "--db-url", url]
        self.opened = ExitStack()
        self.loop = self.begin()

    def begin(self) -> Loop:
        args = run_live.parse([*self.words, "--orders", "exchange", "--account", "local"])
        settings = read_settings(args)
        engine = init_db(settings.db.url)
        self.opened.callback(engine.dispose)
        world = world_of(args, settings, engine, client_of(args, settings, self.opened))
        terms, self.read = terms_of(args, settings), world.read
        self.members = terms.members

        def late(series: Series, start: int, end: int) -> Bars:
            found = self.read(series, start, end)
            published = self.time.now - HOUR - 1000 * self.sol_late
            is_sol = series.symbol == "SOL/USDT"
            return found.until(int(np.searchsorted(found.ts, published, side="right"))) if is_sol else found

        world = world._replace(now=self.time.clock, read=late)
        given = Opening(terms, engine, world, self.opened, threading.Event(), self.lines.append)
        return open_account(given)[0]

    def die(self) -> None:
        """Come back without having ended."""
        self.opened.close()
        self.loop = self.begin()

    def hour(self, *seconds: int) -> None:
        """Look at these seconds of the next hour."""
        self.time.now = (self.time.now // HOUR + 1) * HOUR
        for after in np.diff(seconds, prepend=0).tolist():
            self.later(after)

    def later(self, seconds: int) -> None:
        """Look so many seconds later."""
        self.time.now += 1000 * seconds
        self.loop.step(self.time.now)

    def decided(self) -> list[Made]:
        """Return every decision; none was refused."""
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
            rows = connection.execute("SELECT strategy, symbol, bar_ts, action, outcome FROM live_decisions")
            found = rows.fetchall()
        assert {row[4] for row in found} == {"approved"}
        return sorted(
            (name, symbol, (ts - NOON) // HOUR, what.split()[0]) for name, symbol, ts, what, _ in found
        )

    def strategy(self, member: PlannedRun, without: str = "") -> tuple[Strategy, Bars]:
        """Return a member's strategy and its own candles, with all that there are but one symbol's last."""
        known: dict[Series, Bars] = {}

        def bars(series: Series) -> Bars:
            if series not in known:
                found = self.read(series, NOON - 720 * HOUR, self.time.now)
                known[series] = found.until(found.ts.size - (series.symbol == without))
            return known[series]

        own, strategy = Series("binanceus-synthetic", member.symbol, "1h"), load_strategy(member.strategy)
        others = looked_at(strategy.rule, own, member.universe)
        return bind(strategy, partners_of(own, others, {one: bars(one) for one in others.each})), bars(own)

    def replayed(self) -> list[Made]:
        """Return what a replay of the exchange's candles decides, which begins where the loop did."""
        feeds = []
        for member in self.members:
            bound, bars = self.strategy(member)
            rule = replace(bound.rule, columns=from_the_beginning(bound.rule.columns))
            bound = bound._replace(rule=rule)
            feeds.append(ReplayFeed(member.strategy, bound, member.params, member.symbol, "1h", bars))
        found: list[Made] = []
        for name, trades in replay(feeds, ReplayAccount(10_000, Costs())).trades.items():
            for one in trades:
                # Decided at the close of the bar before.
                found.append((name, one.symbol, (one.entry_time - NOON) // HOUR - 1, "entry"))
                if one.reason != "end":
                    found.append((name, one.symbol, (one.exit_time - NOON) // HOUR - 1, "exit"))
        return sorted(found)

    def place(self, member: PlannedRun, without: str = "") -> float:
        """Return the place of a member's symbol at the last close, among those that are there."""
        strategy, bars = self.strategy(member, without)
        columns = strategy.rule.columns(bars, strategy.rule.make_params(member.params))
        return float(columns.place[-1])


def from_the_beginning(columns: Callable[..., Any]) -> Callable[..., Any]:
    """Return columns that know nothing before the loop began, so that nothing is held then."""

    def later(bars: Bars, params: Any) -> Any:
        found = columns(bars, params)
        return type(found)(*(np.where(bars.ts < NOON - 2 * HOUR, np.nan, column) for column in found))

    return later


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    root, folder = tmp_path / "project", tmp_path / "mine"
    shutil.copytree(cli.ROOT / "config", root / "config")
    monkeypatch.setattr(cli, "ROOT", root)
    settings = root / "config" / "settings.yaml"
    text = settings.read_text()
    for old, new in WITHOUT_LIMITS:
        assert old in text
        text = text.replace(old, new)
    settings.write_text(text)
    folder.mkdir()
    for name in ("rotation.py", "partner.py"):
        shutil.copy(EXAMPLES / name, folder)
    # Long, so that a request which is tried again on a busy machine lasts no longer.
    monkeypatch.setenv("HOT_CRYPTO_EXCHANGE_PARTNER_WAIT_SECONDS", "300")
    (folder / "strategies.yaml").write_text(ENTRIES)
    time = FakeTime(NOON + 30_000)
    monkeypatch.setattr(live_terms, "clocks_of", lambda _: Clocks(time.local, time.clock, time.sleep))
    monkeypatch.setattr(account, "EXCHANGE_POLICY", Policy(settle_ms=0))
    monkeypatch.setenv("EXCHANGE_API_KEY", TEST_KEY)
    monkeypatch.setenv("EXCHANGE_API_SECRET", TEST_SECRET)
    with serve(SimConfig(clock=time.clock)) as sim:
        monkeypatch.setenv("EXCHANGE_BASE_URL", sim.url)
        running = Running(time, url_of(tmp_path / "live.db"), folder)
        yield running
        running.opened.close()
    use_folder(None)


def test_a_loop_at_an_exchange_ranks_and_looks_at_partners_as_a_replay_does(running: Running) -> None:
    running.loop.step(running.time.now)
    for number in range(8):
        # SOL's candle is not there at the first look, and all others wait for it.
        running.hour(1, 60)
        if number == 4:
            running.die()
    wanted = running.replayed()
    assert running.decided() == wanted
    assert [sum(name == one[0] for one in wanted) for name in ("ROTATION", "PARTNER")] == [7, 4]


@pytest.mark.unmeasured
def test_a_candle_that_comes_later_than_it_is_waited_for_is_missing_from_the_others_ranks(
    running: Running,
) -> None:
    rotation = running.members[:4]
    running.loop.step(running.time.now)
    begun = running.decided()
    assert ("ROTATION", "SOL/USDT", -1, "entry") in begun
    running.sol_late = 400
    running.hour(1, 150)
    assert running.decided() == begun
    running.later(160)
    # SOL is the strongest still; without its candle somebody else is.
    assert [running.place(one) for one in rotation if one.symbol == "SOL/USDT"] == [1.0]
    places = {one.symbol: running.place(one, without="SOL/USDT") for one in rotation}
    (strongest,) = (symbol for symbol, place in places.items() if place == 1.0 and symbol != "SOL/USDT")
    late = "decided on without SOL/USDT 1h, which had not come 300 s after its close"
    assert [line.split(": ", 1)[1] for line in running.lines if "without" in line] == [late] * 3
    running.later(120)
    assert [one for one in running.decided() if one[0] == "ROTATION"] == [
        ("ROTATION", strongest, 0, "entry"),
        ("ROTATION", "SOL/USDT", -1, "entry"),
    ]
