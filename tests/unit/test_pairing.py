"""A second symbol's closes, joined by time; the line between two symbols."""

from __future__ import annotations

import numpy as np
import pytest

from core.account.lots import Trade
from core.backtest.fast_backtester import run_fast
from core.backtest.partners import partner_bars
from core.backtest.replay import ReplayAccount, ReplayFeed, replay
from core.backtester import run_backtest
from core.cli.backtest_command import partner_lines
from core.domain import Bar, Bars, Costs, Series
from core.engine import Followed, LiveDecider, Session
from core.errors import UsageError
from core.execution import Executor, Plan
from core.kernel.scan import scan_of
from core.multi_backtester import Job
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.proof.verify import verify
from core.reports.document import run_document
from core.results.runs import RunSpec
from core.risk_manager import wide_open
from strategies.indicators_more import residual
from strategies.pairing import Growing, Joined, PartnerBars, as_of, bind, partner_of
from strategies.registry import load_strategy
from tests.lively import LIVELY, paired, partner
from tests.markets import HOUR, make_bars, random_bars

FLAT = (100.0, 100.0, 100.0, 100.0)


def closes(*values: float) -> Bars:
    bars = make_bars(*[FLAT] * len(values))
    return bars._replace(close=np.array(values))


def joined(bars: Bars, other: Bars) -> Joined:
    return as_of(bars.ts, HOUR, PartnerBars("BTC/USDT", "1h", HOUR, other))


def test_bitcoin_is_everybody_s_partner_and_ether_bitcoin_s() -> None:
    assert partner_of("ETH/USDT") == "BTC/USDT"
    assert partner_of("BTC/USD") == "ETH/USD"
    assert partner_of("SOL/USDT:USDT") == "BTC/USDT:USDT"


def test_a_bar_knows_the_partner_s_last_close_and_none_before_its_first() -> None:
    bars, other = closes(1, 2, 3, 4, 5), closes(10, 20, 30, 40, 50)
    kept = np.array([1, 3])
    gappy = Bars(other.ts[kept], *(column[kept] for column in other[1:]))
    assert np.array_equal(joined(bars, gappy).close, [np.nan, 20, 20, 40, 40], equal_nan=True)
    assert np.isnan(joined(bars, other.until(0)).close).all()


def test_a_partner_that_is_older_than_a_bar_is_not_fresh() -> None:
    bars, other = closes(*range(1, 9)), closes(*range(10, 90, 10))
    kept = np.array([1, 2, 6])
    gappy = Bars(other.ts[kept], *(column[kept] for column in other[1:]))
    assert joined(bars, gappy).is_fresh.tolist() == [0, 1, 1, 1, 0, 0, 1, 1]
    assert not joined(bars, other.until(0)).is_fresh.any()


@pytest.mark.unmeasured
def test_a_partner_that_died_enters_nothing_and_closes_what_is_held() -> None:
    bars, params = random_bars(2, 400), LIVELY["PAIRS"]
    other = partner(bars)
    dead = other.until(200)
    last = int(dead.ts[-1])
    runs = [run_backtest(bars, spec(params), partners=paired(it)).records for it in (other, dead)]
    assert sum(trade.entry_ts > last + 2 * HOUR for trade in runs[0]) > 10
    # Decided at most a bar after its last, filled at the bar after that.
    assert max(trade.entry_ts for trade in runs[1]) <= last + 3 * HOUR
    assert max(trade.exit_ts for trade in runs[1]) <= last + 5 * HOUR
    assert [t for t in runs[0] if t.exit_ts <= last] == [t for t in runs[1] if t.exit_ts <= last]
    assert (
        verify(bars, spec(params), bind(load_strategy("PAIRS"), paired(dead)), sampled=20).differences == ()
    )


@pytest.mark.unmeasured
def test_a_result_says_what_there_was_of_the_partner() -> None:
    bars, params = random_bars(2, 400), LIVELY["PAIRS"]
    other = partner(bars).until(200)
    for run in (run_backtest, run_fast):
        found = run(bars, spec(params), partners=paired(other))
        (entry,) = run_document([found])["runs"]
        (its,) = entry["partners"]
        assert (its["symbol"], its["timeframe"], its["covered"], its["ranked"]) == (
            "BTC/USDT",
            "1h",
            200,
            False,
        )
        assert (its["bars"], its["end"]) == (200, int(other.ts[-1]))
    plain = RunSpec(Series("binanceus", "ETH/USDT", "1h"), "TREND_EMA", {}, Costs(0.001), 10_000.0)
    assert "partners" not in run_document([run_fast(bars, plain)])["runs"][0]


def test_a_command_prints_what_there_is_of_the_partner() -> None:
    bars = random_bars(2, 400)
    (line,) = partner_lines(Job(bars, spec({}), None, paired(partner(bars).until(200))))
    assert "PAIRS on ETH/USDT looks at BTC/USDT 1h: 200 bars" in line
    assert f"known at 200 of its own {bars.ts.size}; where over a bar old" in line
    assert partner_lines(Job(bars, spec({}), None, None)) == []


def spec(params: dict[str, float]) -> RunSpec:
    return RunSpec(Series("binanceus", "ETH/USDT", "1h"), "PAIRS", params, Costs(0.001), 10_000.0)


def test_later_candles_of_the_partner_change_nothing() -> None:
    bars, other = random_bars(1, 200), partner(random_bars(1, 200))
    rule = bind(load_strategy("PAIRS"), paired(other)).rule
    cut = bind(load_strategy("PAIRS"), paired(other.until(150))).rule
    params = rule.make_params({"hedge_period": 30})
    for whole, part in zip(rule.columns(bars, params), cut.columns(bars.until(150), params), strict=True):
        assert np.array_equal(whole[:150], part, equal_nan=True)


def test_a_partner_that_grows_is_one_that_was_there() -> None:
    bars, other = random_bars(1, 200), partner(random_bars(1, 200))
    growing = Growing(100)
    rule = bind(load_strategy("PAIRS"), paired(growing)).rule
    whole = bind(load_strategy("PAIRS"), paired(other)).rule
    params = rule.make_params({"hedge_period": 30})
    for bar in rows("BTC/USDT", other):
        growing.take(bar)
        growing.take(bar._replace(ts=bar.ts - HOUR, close=1.0))
    assert growing.bars.ts.size == 100
    for whole_column, column in zip(other, growing.bars, strict=True):
        assert np.array_equal(whole_column[-100:], column)
    found, wanted = (one.columns(bars.since(bars.ts.size - 100), params) for one in (rule, whole))
    assert found.z[-1] == wanted.z[-1]


def test_a_strategy_that_was_given_no_partner_says_so() -> None:
    spec = RunSpec(Series("binanceus", "ETH/USDT", "1h"), "PAIRS", {}, Costs(), 1000.0)
    with pytest.raises(UsageError, match="PAIRS looks at other symbols"):
        run_backtest(random_bars(1, 300), spec)


def test_one_that_needs_none_stays_as_it_is() -> None:
    plain = load_strategy("TREND_EMA")
    assert bind(plain, paired(random_bars(1, 30))) is plain
    assert bind(load_strategy("PAIRS"), None).rule is load_strategy("PAIRS").rule


def test_every_binding_decides_with_the_same_compiled_code() -> None:
    one, other = (bind(load_strategy("PAIRS"), paired(random_bars(seed, 50))) for seed in (1, 2))
    assert one.rule is not other.rule
    kinds = (type(one.rule.columns(random_bars(1, 50), one.rule.params())), one.rule.params)
    assert scan_of(one.rule, *kinds) is scan_of(other.rule, *kinds)
    assert one.backtest.rule is one.rule
    assert one.live.rule is one.rule


class Source:
    """Answers with what it was asked for."""

    asked: list[object] = []

    def get_bars(self, *given: object, **options: object) -> Bars:
        self.asked.append((given, options))
        return random_bars(1, 10)


def test_the_partner_s_candles_are_asked_for_where_a_strategy_has_one() -> None:
    source, bars = Source(), closes(1, 2, 3)
    series = Series("binanceus", "ETH/USDT", "1h")
    assert partner_bars(source, "TREND_EMA", series, bars) is None  # type: ignore[arg-type]
    assert partner_bars(source, "PAIRS", series, bars) is not None  # type: ignore[arg-type]
    span = {"start": int(bars.ts[0]), "end": int(bars.ts[-1]) + 1}
    assert source.asked == [(("BTC/USDT", "1h", None), span)]


def test_the_residual_is_that_of_a_least_squares_line() -> None:
    bars = random_bars(3, 120)
    other = partner(bars).close
    found = residual(other, bars.close, 30, 0.0)
    assert np.isnan(found[:29]).all()
    for i in (29, 64, bars.ts.size - 1):
        x, y = np.log(other[i - 29 : i + 1]), np.log(bars.close[i - 29 : i + 1])
        away = y - np.polyval(np.polyfit(x, y, 1), x)
        assert found[i] == pytest.approx(away[-1] / away.std(), rel=1e-6)


def test_there_is_no_residual_without_a_line() -> None:
    rise = np.arange(1.0, 41.0)
    noise = 100 + np.random.default_rng(1).normal(0, 1, 40)
    assert (residual(rise, np.full(40, 60_000.37), 10, 0.0)[9:] == 0).all()
    assert (residual(np.full(40, 60_000.37), noise, 10, 0.01)[9:] == 0).all()
    assert (residual(rise, rise**2, 10, 0.0)[9:] == 0).all()
    assert np.isnan(residual(rise[:5], rise[:5], 10, 0.0)).all()
    behind = np.concatenate([[np.nan] * 5, noise[5:]])
    assert np.flatnonzero(~np.isnan(residual(behind, noise, 10, 0.0)))[0] == 14


@pytest.mark.unmeasured
def test_a_session_that_sees_both_close_trades_as_its_backtest_does() -> None:
    bars, costs, params = random_bars(2, 400), Costs(0.001), LIVELY["PAIRS"]
    other = partner(bars)
    whole = bind(load_strategy("PAIRS"), paired(other))
    wanted = replay(
        [ReplayFeed("PAIRS", whole, params, "ETH/USDT", "1h", bars)], ReplayAccount(10_000.0, costs)
    )
    growing = Growing(900)
    live = bind(load_strategy("PAIRS"), paired(growing))
    portfolio, risk = Portfolio(10_000.0), wide_open(costs)
    desk = PaperFills(portfolio.settled, costs, risk.markets)
    session = Session(Executor(portfolio, risk, desk, costs))
    plan = Plan("1h", live.rule.sizing(live.rule.make_params(params)), is_ladder=False)
    followed = [Followed("BTC/USDT", "1h", growing.take)]
    session.add("PAIRS", "ETH/USDT", plan, LiveDecider("ETH/USDT", live.live({"params": params})), followed)
    trades: list[Trade] = []
    for own, its in zip(rows("ETH/USDT", bars), rows("BTC/USDT", other), strict=True):
        trades += session.on_bars([own, its]).trades
    trades += session.on_events(desk.close_at_the_end(), int(bars.ts[-1]) + HOUR).trades
    assert len(trades) > 20
    assert tuple(trades) == wanted.trades["PAIRS"]


def rows(symbol: str, bars: Bars) -> list[Bar]:
    table = zip(*(column.tolist() for column in bars), strict=True)
    return [Bar(symbol, "1h", row[0], row[0] + HOUR, *row[1:]) for row in table]
