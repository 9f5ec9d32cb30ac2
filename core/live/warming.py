"""Strategies see their past before they decide: the candles that each needs, and those that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from core.backtest.partners import OtherSeries, looked_at, partners_of
from core.backtest.plan import PlannedRun
from core.candles.frames import frame_from_bars
from core.domain import FLAT, Bar, Series
from core.engine import Followed, LiveDecider, Session
from core.errors import NoDataError, UsageError
from core.execution import Plan
from core.live.world import World
from core.utils import format_time, on_grid, timeframe_ms
from strategies.pairing import Growing, bind
from strategies.registry import load_strategy
from strategies.rule_check import checked_columns


def warmed_up(
    session: Session,
    wanted: Iterable[PlannedRun],
    world: World,
    decided: Mapping[tuple[str, str], int],
    say: Callable[[str], object],
    been: int = 0,
) -> dict[Series, int]:
    """Add every strategy, with the candles that it decides the next one on; return the newest of each.

    `decided`: the newest bar that the account has seen, by symbol and timeframe; `been`: the newest time that
    it has seen, ms UTC. Raises NoDataError when a series has too few, UsageError as `check_reach`.
    """
    since: dict[Series, int] = {}
    now = world.now()
    for member in wanted:
        series, step = Series(world.label, member.symbol, member.timeframe), timeframe_ms(member.timeframe)
        loaded, config = load_strategy(member.strategy), {"params": dict(member.params)}
        others = looked_at(loaded.rule, series, member.universe)
        most = 2 * loaded.live(config).window if others.each else 0
        growing = {other: Growing(most) for other in others.each}
        strategy = bind(loaded, partners_of(series, others, growing) if growing else None)
        deciding = strategy.live(config)
        check_reach(member, deciding.window, others)
        known, closed = decided.get((member.symbol, member.timeframe)), on_grid(now, step)
        # Of a new series the newest closed bar is left for the loop, to be decided on if it closed just now,
        # but for an account that has been past that moment: its time does not run backwards.
        first = closed if been > closed else closed - step
        end = first if known is None else known + step
        bars = world.read(series, end - deciding.window * step, end)
        need, size = strategy.rule.longest(deciding.params) + 1, bars.close.size
        if size < need:
            raise NoDataError(_too_few(member.strategy, need, size, series) + _too_old(world, series, end))
        deciding.set_position(member.symbol, FLAT)
        deciding.state[member.symbol]["df"] = frame_from_bars(bars)
        plan = Plan(member.timeframe, deciding.sizing, strategy.rule.is_ladder)
        for other, its in growing.items():
            until = max(end, decided.get((other.symbol, other.timeframe), 0) + timeframe_ms(other.timeframe))
            since.setdefault(other, _grow(its, other, world, int(bars.ts[0]), until))
        followed = [Followed(*other[1:], its.take) for other, its in growing.items()]
        session.add(member.strategy, member.symbol, plan, LiveDecider(member.symbol, deciding), followed)
        session.portfolio.mark(member.symbol, float(bars.close[-1]))
        session.risk.remember(member.symbol, member.timeframe, bars)
        since[series] = int(bars.ts[-1])
        if strategy.backtest is not None:
            checked_columns(strategy.rule, bars, deciding.params)
        say(f"{member.strategy} on {series}: warmed up with {size:,} candles")
    return since


def _too_few(strategy: str, need: int, size: int, series: Series) -> str:
    return (
        f"{strategy} needs {need} closed {series} candles to begin, there are {size}: load them with "
        "scripts/fetch_ohlcv_to_db.py or --refresh-from-ccxt"
    )


def check_reach(member: PlannedRun, window: int, others: OtherSeries) -> None:
    """Raise UsageError for a partner of which a live window of so many bars never holds a whole one for sure.

    A backtest, which knows all bars, would trade on it.
    """
    step = timeframe_ms(member.timeframe)
    for other in others.pairs:
        need = -(-2 * timeframe_ms(other.timeframe) // step) - 1
        if window < need:
            raise UsageError(
                f"{member.strategy} on {member.symbol} {member.timeframe} looks back on {window:,} bars: "
                f"too few for a whole one of {other.symbol} {other.timeframe}, which takes {need:,}. "
                "Let `history` of its rule return as many, or trade it on a longer timeframe"
            )


def _too_old(world: World, series: Series, end: int) -> str:
    """Return what to say of stored candles that end too early, blank where there are none."""
    if world.client is not None or not (older := world.read(series, 0, end).ts).size:
        return ""
    return f"; the stored ones end {format_time(int(older[-1]))} UTC, --replay trades over those"


def _grow(growing: Growing, series: Series, world: World, start: int, until: int) -> int:
    """Let another series grow from its candles of this time; return the newest.

    Raises NoDataError when there are none.
    """
    step = timeframe_ms(series.timeframe)
    # One more than counts, so that there is one where its bars are longer than all of this time.
    seen = world.read(series, start - step, until)
    if not seen.ts.size:
        raise NoDataError(f"a strategy looks at {series} too, which has no candles: load them first")
    for ts, *values in zip(*(column.tolist() for column in seen), strict=True):
        growing.take(Bar(series.symbol, series.timeframe, ts, ts + step, *values))
    return int(seen.ts[-1])
