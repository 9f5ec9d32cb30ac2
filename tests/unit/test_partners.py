"""Other series that a rule looks at: which they may be, what of them is known when, what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.fast_backtester import run_fast
from core.backtest.partners import OtherSeries, looked_at, partner_bars, partners_of
from core.backtest.plan import PlannedRun
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.cli.trial_journal import RunLook, partner_windows, specs_tried
from core.domain import Bar, Bars, Costs, Series
from core.engine import Followed, LiveDecider, Session
from core.errors import NoDataError, UsageError
from core.execution import Executor
from core.live.feed import Feed
from core.live.warming import check_reach
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.proof.markets import companions
from core.results.runs import LookedAt, RunSpec, describe_data
from core.risk_manager import wide_open
from core.utils import format_time
from db import trials
from db.init_db import init_db
from strategies.longer import longer
from strategies.pairing import Growing, PartnerBars, Partners, as_of, bind, bound_rule, partner_of
from strategies.registry import Strategy, load_strategy, use_folder
from strategies.rule import StrategyRule
from tests.markets import HOUR, random_bars
from tests.stored import url_of

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "examples" / "strategies"
DAY = 24 * HOUR
ETH = Series("made-up", "ETH/USDT", "1h")
BTC, BTC_DAY = ETH._replace(symbol="BTC/USDT"), Series("made-up", "BTC/USDT", "1d")
MARKET = random_bars(4, 1600)


@pytest.fixture(autouse=True, scope="module")
def examples() -> Iterator[None]:
    assert use_folder(str(FOLDER)) == ()
    yield
    use_folder(None)


def example() -> tuple[Strategy, Partners]:
    """Return the example with two partners on different timeframes, and candles for them."""
    strategy = load_strategy("PARTNER")
    others = companions(strategy.rule, ETH, MARKET)
    assert others is not None
    return strategy, others


def naming(*named: object) -> StrategyRule:
    wanted: Any = named[0] if len(named) == 1 and isinstance(named[0], str) else list(named)
    return replace(load_strategy("PARTNER").rule, partner=lambda _: wanted)


def test_partners_are_symbols_on_the_own_timeframe_and_pairs_on_another() -> None:
    rule = naming("btc-usdt", ("BTC/USDT", "1D"), ("ETH/USDT", "4h"))
    assert looked_at(rule, ETH).pairs == (BTC, BTC_DAY, ETH._replace(timeframe="4h"))
    assert looked_at(naming("BTC/USDT"), ETH).pairs == (BTC,)
    assert looked_at(load_strategy("TREND_EMA").rule, ETH).each == ()


@pytest.mark.parametrize(
    ("named", "line"),
    [
        (
            ["ETH/USDT"],
            "PARTNER on ETH/USDT 1h is its own partner: name another symbol, or a longer timeframe",
        ),
        ([("ETH/USDT", "1h")], "PARTNER on ETH/USDT 1h is its own partner"),
        (
            [("BTC/USDT", "15m")],
            "PARTNER: its partner BTC/USDT has 15m bars, shorter than its own 1h: name 1h",
        ),
        ([("BTC/USDT", "1M")], "PARTNER: its partner .* no timeframe '1M': months differ in length"),
        ([("BTC", "1d")], "PARTNER: its partner .* wanted a symbol such as BTC/USDT, got 'BTC'"),
        ([7], 'PARTNER: a partner is a symbol or a pair such as .*"1d".*, got 7'),
        ([("BTC/USDT", "1h", 3)], "PARTNER: a partner is a symbol or a pair"),
        ([(3, "1h")], "PARTNER: a partner is a symbol or a pair"),
        (["BTC/USDT", "BTC/USDT"], "PARTNER: wanted different partners, got one of them twice"),
        ([], "PARTNER: wanted different partners, got none"),
    ],
)
def test_what_cannot_be_a_partner_is_said_in_a_line(named: list[object], line: str) -> None:
    with pytest.raises(UsageError, match=line) as told:
        looked_at(naming(*named), ETH)
    assert "\n" not in str(told.value)


def test_of_a_longer_timeframe_only_what_had_closed_is_known() -> None:
    day = longer(MARKET, "1d")
    seen = as_of(MARKET.ts, HOUR, PartnerBars("BTC/USDT", "1d", DAY, day.bars))
    for i in range(MARKET.ts.size):
        end = int(MARKET.ts[i]) + HOUR
        closed = [k for k, ts in enumerate(day.bars.ts.tolist()) if ts + DAY <= end]
        assert seen.known[i] == (closed[-1] if closed else -1)
    assert seen.is_fresh[seen.known >= 0].all()
    high = seen.at(seen.bars.high)
    assert np.isnan(high[seen.known < 0]).all()
    assert (high[seen.known >= 0] == day.bars.high[seen.known[seen.known >= 0]]).all()


def test_a_partner_s_day_that_is_missing_is_not_fresh_once_it_should_have_closed() -> None:
    day = longer(MARKET, "1d").bars
    without = Bars(np.delete(day.ts, 5), *(np.delete(column, 5) for column in day[1:]))
    seen = as_of(MARKET.ts, HOUR, PartnerBars("BTC/USDT", "1d", DAY, without))
    gone = int(day.ts[5])
    ends = MARKET.ts + HOUR
    assert (seen.is_fresh == 0)[(ends > gone + DAY) & (ends < gone + 2 * DAY)].all()
    assert (seen.is_fresh == 1)[(ends > gone + 2 * DAY)].all()


def test_what_opened_before_the_first_bar_is_not_looked_at() -> None:
    seen = as_of(MARKET.ts[700:], HOUR, PartnerBars("BTC/USDT", "1h", HOUR, MARKET))
    assert seen.bars.ts[0] == MARKET.ts[700]
    nothing = as_of(MARKET.ts[:0], HOUR, PartnerBars("BTC/USDT", "1h", HOUR, MARKET))
    assert (nothing.bars.ts.size, nothing.close.size) == (0, 0)


@pytest.mark.unmeasured
@given(st.integers(1000, 1500))
def test_poisoned_candles_after_a_bar_s_close_change_no_column_up_to_it(cut: int) -> None:
    strategy, others = example()
    end = int(MARKET.ts[cut]) + HOUR
    poisoned = [
        Bars(one.bars.ts, *(np.where(one.bars.ts + one.step > end, 1e9, column) for column in one.bars[1:]))
        for one in others.each
    ]
    clean, wrong = (
        bound_rule(strategy.rule, found).columns(MARKET, strategy.rule.params())
        for found in (others, others.with_bars(poisoned))
    )
    for name, one, other in zip(clean._fields, clean, wrong, strict=True):
        assert np.array_equal(one[: cut + 1], other[: cut + 1], equal_nan=True), name
    assert not np.array_equal(clean.rises[cut + 1 :], wrong.rises[cut + 1 :])


class Stored:
    """A source of candles of these series."""

    exchange = "made-up"

    def __init__(self, **bars: Bars) -> None:
        self._bars = bars

    def get_bars(self, symbol: str, timeframe: str, *_: object, start: int, end: int) -> Bars:
        found = self._bars.get(f"{symbol[:3]}_{timeframe}")
        if found is None:
            raise NoDataError("no such candles")
        first, last = np.searchsorted(found.ts, [start, end])
        return found.until(int(last)).since(int(first))


def test_all_series_that_are_not_stored_are_named_with_the_command_that_loads_them() -> None:
    source: Any = Stored()
    with pytest.raises(NoDataError) as told:
        partner_bars(source, "PARTNER", ETH, MARKET)
    first = format_time(int(MARKET.ts[0]))[:10]
    after = format_time(int(MARKET.ts[-1]) + DAY)[:10]
    assert str(told.value) == (
        "PARTNER on ETH/USDT looks at BTC/USDT 1h, BTC/USDT 1d too, and made-up has no candles of that here "
        "for this time: load them with scripts/fetch_ohlcv_to_db.py --exchange made-up --symbol BTC/USDT "
        f"--timeframe 1h,1d --since {first} --until {after}"
    )
    source = Stored(BTC_1h=MARKET, BTC_1d=longer(MARKET, "1d").bars)
    found = partner_bars(source, "PARTNER", ETH, MARKET.since(100))
    assert found is not None
    assert [(one.symbol, one.timeframe) for one in found.each] == [("BTC/USDT", "1h"), ("BTC/USDT", "1d")]
    assert found.pairs[0].bars.ts[0] == MARKET.ts[100]


def test_a_search_s_journal_names_the_bars_of_each_partner_that_it_looked_at() -> None:
    _, others = example()
    part = MARKET.until(800)
    windows = partner_windows({ETH: part}, {ETH: others})
    assert [(one.symbol, one.timeframe) for one in windows] == [("BTC/USDT", "1h"), ("BTC/USDT", "1d")]
    assert all(one.start >= part.ts[0] and one.end <= part.ts[-1] for one in windows)
    assert partner_windows({ETH: MARKET.until(0)}, {ETH: others}) == []


def test_one_replay_of_a_rule_that_ranks_its_symbols_is_one_run_of_each(tmp_path: Path) -> None:
    bars = {BTC: MARKET, ETH: random_bars(5, 1500)}

    def look(series: Series, other: Series) -> RunLook:
        seen = LookedAt(other, describe_data(bars[other].until(1400), other), 1400, is_ranked=True)
        spec = RunSpec(series, "ROTATION", {"hold_count": 1}, Costs(), 10_000.0)
        return spec, describe_data(bars[series], series), [seen]

    (entry,) = specs_tried("replay", [look(BTC, ETH), look(ETH, BTC)])
    seen = [(one.series, one.bars) for one in entry.windows]
    assert seen == [(one, bars[one].ts.size) for one in (ETH, BTC)]
    engine = init_db(url_of(tmp_path / "trials.db"))
    trials.append(engine, entry)
    for window in entry.windows:
        counted = trials.count_trials(engine, "ROTATION", [window])
        assert (counted.different, counted.by_command) == (1, {"replay": 1})
    engine.dispose()
    other = replace(look(BTC, ETH)[0], params={"hold_count": 2}), *look(BTC, ETH)[1:]
    assert len(specs_tried("replay", [look(BTC, ETH), other])) == 2


@pytest.mark.unmeasured
def test_a_result_names_both_partners_and_how_far_they_reach() -> None:
    strategy, others = example()
    spec = RunSpec(ETH, "PARTNER", {}, Costs(0.001), 10_000.0)
    found = run_fast(MARKET, spec, partners=others)
    assert [(one.series, one.is_ranked) for one in found.partners] == [(BTC, False), (BTC_DAY, False)]
    hours, days = found.partners
    assert (hours.covered, hours.data.bars) == (MARKET.ts.size, MARKET.ts.size)
    assert 0 < days.covered < MARKET.ts.size
    assert days.data.bars == others.pairs[1].bars.ts.size
    assert len({hours.data.sha256, days.data.sha256, found.data.sha256}) == 3
    assert strategy.rule.looks_elsewhere


def rows(series: Series, bars: Bars, step: int) -> list[Bar]:
    table = zip(*(column.tolist() for column in bars), strict=True)
    return [Bar(*series[1:], row[0], row[0] + step, *row[1:]) for row in table]


@pytest.mark.unmeasured
def test_a_session_that_sees_all_of_them_close_trades_as_the_backtest_does() -> None:
    strategy, others = example()
    costs = Costs(0.001)
    wanted = replay(
        [ReplayFeed("PARTNER", bind(strategy, others), {}, "ETH/USDT", "1h", MARKET)],
        ReplayAccount(10_000.0, costs),
    )
    found = looked_at(strategy.rule, ETH)
    growing = {series: Growing(1700) for series in found.each}
    live = bind(strategy, partners_of(ETH, found, growing))
    portfolio, risk = Portfolio(10_000.0), wide_open(costs)
    desk = PaperFills(portfolio.settled, costs, risk.markets)
    session = Session(Executor(portfolio, risk, desk, costs))
    plan = SimpleNamespace(timeframe="1h", sizing=live.rule.sizing(live.rule.params()), is_ladder=False)
    followed = [Followed(*series[1:], one.take) for series, one in growing.items()]
    decider = LiveDecider("ETH/USDT", live.live({"params": {}}))
    decider.strategy.window = 1700
    session.add("PARTNER", "ETH/USDT", plan, decider, followed)  # type: ignore[arg-type]
    at: dict[int, list[Bar]] = {}
    for series, bars, step in (
        (ETH, MARKET, HOUR),
        (BTC, others.pairs[0].bars, HOUR),
        (BTC_DAY, others.pairs[1].bars, DAY),
    ):
        for bar in rows(series, bars, step):
            at.setdefault(bar.end, []).append(bar)
    trades: list[Any] = []
    for end in sorted(end for end in at if end <= MARKET.ts[-1] + HOUR):
        trades += session.on_bars(at[end]).trades
    trades += session.on_events(desk.close_at_the_end(), int(MARKET.ts[-1]) + HOUR).trades
    assert len(trades) > 10
    assert tuple(trades) == wanted.trades["PARTNER"]


class Market:
    """What a venue shows, by series and open time."""

    def __init__(self) -> None:
        self.opens: dict[Series, list[int]] = {}

    def show(self, series: Series, ts: int) -> None:
        self.opens.setdefault(series, []).append(ts)

    def read(self, series: Series, start: int, end: int) -> Bars:
        ts = np.array([one for one in self.opens.get(series, ()) if start <= one < end], np.int64)
        return Bars(ts, *np.ones((5, ts.size)))


MIDNIGHT = 1_700_000_000_000 // DAY * DAY


def waiting(market: Market, wait_ms: int = 30_000) -> Feed:
    first = MIDNIGHT + 22 * HOUR
    feed = Feed(market.read, [ETH, BTC_DAY], {ETH: first - HOUR, BTC_DAY: MIDNIGHT - DAY}, wait_ms)
    feed.wait_for({ETH: [BTC_DAY]})
    return feed


def test_a_bar_waits_for_a_longer_bar_only_where_both_close() -> None:
    market = Market()
    feed = waiting(market)
    market.show(ETH, MIDNIGHT + 22 * HOUR)
    assert len(feed.poll(MIDNIGHT + 23 * HOUR).bars) == 1
    market.show(ETH, MIDNIGHT + 23 * HOUR)
    assert feed.poll(MIDNIGHT + DAY).bars == ()
    market.show(BTC_DAY, MIDNIGHT)
    assert {bar.timeframe for bar in feed.poll(MIDNIGHT + DAY + 1000).bars} == {"1h", "1d"}


def test_a_bar_waits_as_long_as_the_setting_says_and_no_later_bar_makes_it_wait_longer() -> None:
    market = Market()
    feed = waiting(market, 2 * HOUR)
    for hour in (22, 23, 24):
        market.show(ETH, MIDNIGHT + hour * HOUR)
    # The day is missing: its bar of 22 h needs none, those of 23 and 24 wait.
    assert [bar.ts for bar in feed.poll(MIDNIGHT + 25 * HOUR).bars] == [MIDNIGHT + 22 * HOUR]
    assert feed.poll(MIDNIGHT + 26 * HOUR).bars == ()
    assert [bar.ts for bar in feed.poll(MIDNIGHT + 26 * HOUR + 1).bars] == [MIDNIGHT + 23 * HOUR]
    assert [bar.ts for bar in feed.poll(MIDNIGHT + 27 * HOUR + 1).bars] == [MIDNIGHT + 24 * HOUR]


def test_without_a_wait_a_bar_is_decided_on_at_once() -> None:
    market = Market()
    feed = waiting(market, 0)
    market.show(ETH, MIDNIGHT + 22 * HOUR)
    market.show(ETH, MIDNIGHT + 23 * HOUR)
    assert len(feed.poll(MIDNIGHT + DAY + 1).bars) == 2


def test_the_partner_of_every_symbol_is_another() -> None:
    assert {partner_of(symbol) for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT")} == {"ETH/USDT", "BTC/USDT"}


def test_a_live_window_without_room_for_a_whole_bar_of_a_partner_is_refused_before_it_trades() -> None:
    others = OtherSeries((Series("x", "BTC/USDT", "1h"), Series("x", "BTC/USDT", "1d")))
    hourly = PlannedRun("ETH/USDT", "1h", "MINE", {})
    # Of 47 hours one whole day is among them, whenever they begin.
    check_reach(hourly, 47, others)
    with pytest.raises(UsageError, match=r"46 bars: too few .* BTC/USDT 1d, which takes 47"):
        check_reach(hourly, 46, others)
    with pytest.raises(UsageError, match=r"ETH/USDT 1m looks back on 841 .* which takes 2,879"):
        check_reach(hourly._replace(timeframe="1m"), 841, others)
    check_reach(hourly, 1, OtherSeries((Series("x", "BTC/USDT", "1h"),)))
