"""Strategies see their past before they decide: the candles that each needs, and those of a partner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from core.backtest.plan import PlannedRun
from core.bookkeeper import KEPT
from core.candles.frames import frame_from_bars
from core.domain import FLAT, Bars, Series
from core.engine import LiveDecider, Session
from core.errors import NoDataError
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
    it has seen, ms UTC. Raises NoDataError when a series has too few.
    """
    since: dict[Series, int] = {}
    now = world.now()
    for member in wanted:
        series, step = Series(world.label, member.symbol, member.timeframe), timeframe_ms(member.timeframe)
        partner = Growing(KEPT)
        strategy = bind(load_strategy(member.strategy), partner)
        deciding = strategy.live({"params": dict(member.params)})
        known, closed = decided.get((member.symbol, member.timeframe)), on_grid(now, step)
        # Of a new series the newest closed bar is left for the loop, to be decided on if it closed just now,
        # but for an account that has been past that moment: its time does not run backwards.
        first = closed if been > closed else closed - step
        end = first if known is None else known + step
        bars = world.read(series, end - deciding.window * step, end)
        need = strategy.rule.longest(deciding.params) + 1
        if bars.close.size < need:
            raise NoDataError(
                f"{member.strategy} needs {need} closed {series} candles to begin, there are "
                f"{bars.close.size}{_too_old(world, series, end)}: load them with "
                "scripts/fetch_ohlcv_to_db.py or --refresh-from-ccxt"
            )
        deciding.set_position(member.symbol, FLAT)
        deciding.state[member.symbol]["df"] = frame_from_bars(bars)
        plan = Plan(member.timeframe, deciding.sizing, strategy.rule.is_ladder)
        session.add(member.strategy, member.symbol, plan, LiveDecider(member.symbol, deciding))
        session.portfolio.mark(member.symbol, float(bars.close[-1]))
        session.risk.remember(member.symbol, member.timeframe, bars)
        since[series] = int(bars.ts[-1])
        if strategy.rule.partner is not None:
            other = series._replace(symbol=strategy.rule.partner(member.symbol))
            newest = max(end, decided.get((other.symbol, other.timeframe), 0) + step)
            seen = world.read(other, end - deciding.window * step, newest)
            since.setdefault(other, _follow(session, partner, other, seen))
        if strategy.backtest is not None:
            checked_columns(strategy.rule, bars, deciding.params)
        say(f"{member.strategy} on {series}: warmed up with {bars.close.size:,} candles")
    return since


def _too_old(world: World, series: Series, end: int) -> str:
    """Return what to say of stored candles that end too early, blank where there are none."""
    if world.client is not None or not (older := world.read(series, 0, end).ts).size:
        return ""
    return f" up to now, the stored ones end {format_time(int(older[-1]))} UTC (--replay trades over those)"


def _follow(session: Session, partner: Growing, series: Series, seen: Bars) -> int:
    """Let a partner grow from the candles seen of it; return the newest. Raises NoDataError without any."""
    if not seen.ts.size:
        raise NoDataError(f"a strategy looks at {series} too, which has no candles: load them first")
    for ts, close in zip(seen.ts.tolist(), seen.close.tolist(), strict=True):
        partner.take(ts, close)
    session.follow(series.symbol, series.timeframe, partner.take)
    return int(seen.ts[-1])
