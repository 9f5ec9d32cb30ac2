"""What a strategy looks at besides its own candles: which series these are, and their bars from a source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from core.domain import Series
from core.errors import NoDataError, UsageError
from core.results.runs import BacktestResult, LookedAt, describe_data
from core.symbols import symbol_name
from core.utils import format_time, timeframe_ms, timeframe_name
from strategies.pairing import PartnerBars, Partners, as_of
from strategies.registry import load_strategy

if TYPE_CHECKING:
    from core.data_source import DataSource
    from core.domain import Bars
    from strategies.pairing import Growing
    from strategies.rule import StrategyRule


DAY = 86_400_000
"""Milliseconds."""


class OtherSeries(NamedTuple):
    """The series that a strategy looks at on one symbol, its own left out."""

    pairs: tuple[Series, ...] = ()
    universe: tuple[Series, ...] = ()

    @property
    def each(self) -> tuple[Series, ...]:
        """Return all of them."""
        return self.pairs + self.universe


def looked_at(rule: StrategyRule, series: Series, universe: Sequence[str] = ()) -> OtherSeries:
    """Return what a rule looks at besides this series; `universe` are the symbols that it is ranked among.

    Raises UsageError for a partner that cannot be one, and for a universe of one symbol.
    """
    return OtherSeries(_pairs(rule, series), _universe(rule, series, universe))


def partner_bars(
    source: DataSource, strategy: str, series: Series, bars: Bars, universe: Sequence[str] = ()
) -> Partners | None:
    """Return the candles, as old as these, of what a strategy looks at besides them; None if at nothing.

    `universe` are the symbols that its own is ranked among. Raises NoDataError that names each series which
    has none, UsageError as `looked_at`.
    """
    rule = load_strategy(strategy).rule
    if not rule.looks_elsewhere:
        return None
    found = looked_at(rule, series, universe)
    span = {"start": int(bars.ts[0]), "end": int(bars.ts[-1]) + 1}
    loaded: dict[Series, Bars] = {}
    missing = []
    for other in found.each:
        try:
            loaded[other] = source.get_bars(other.symbol, other.timeframe, None, **span)
        except NoDataError:
            missing.append(other)
    if missing:
        end = int(bars.ts[-1]) + timeframe_ms(series.timeframe)
        raise NoDataError(f"{strategy} on {series.symbol} looks at {_not_there(missing, span['start'], end)}")
    return partners_of(series, found, loaded)


def partners_of(series: Series, found: OtherSeries, bars: Any) -> Partners:
    """Return what is bound to a strategy on this series; `bars` holds Bars or Growing of each series."""

    def made(others: Iterable[Series]) -> tuple[PartnerBars, ...]:
        return tuple(_made(other, bars[other]) for other in others)

    return Partners(series.symbol, timeframe_ms(series.timeframe), made(found.pairs), made(found.universe))


def describe_partners(bars: Bars, series: Series, partners: Partners | None) -> tuple[LookedAt, ...]:
    """Return what there is of all that a run of these bars looks at besides them."""
    found: list[LookedAt] = []
    if partners is None:
        return ()
    for other in partners.each:
        its = series._replace(symbol=other.symbol, timeframe=other.timeframe)
        covered = int((as_of(bars.ts, partners.step, other).age < other.step).sum())
        is_ranked = any(other is one for one in partners.universe)
        found.append(LookedAt(its, describe_data(other.bars, its), covered, is_ranked))
    return tuple(found)


def partnered(result: BacktestResult, bars: Bars, partners: Partners | None) -> BacktestResult:
    """Return a result that says which candles it looked at besides its own."""
    return replace(result, partners=describe_partners(bars, result.spec.series, partners))


def _made(series: Series, bars: Bars | Growing) -> PartnerBars:
    return PartnerBars(series.symbol, series.timeframe, timeframe_ms(series.timeframe), bars)


def _not_there(missing: Sequence[Series], start: int, end: int) -> str:
    """Return what candles are missing from `start` to `end`, ms UTC, and how to load them."""
    names = ", ".join(f"{one.symbol} {one.timeframe}" for one in missing)
    symbols = ",".join(dict.fromkeys(one.symbol for one in missing))
    frames = ",".join(dict.fromkeys(one.timeframe for one in missing))
    venue = missing[0].exchange.removesuffix("-synthetic").removesuffix("-replay").removesuffix("-sandbox")
    return (
        f"{names} too, and {missing[0].exchange} has no candles of that here for this time: load them with "
        f"scripts/fetch_ohlcv_to_db.py --exchange {venue} --symbol {symbols} --timeframe {frames} "
        f"--since {format_time(start)[:10]} --until {format_time(end + DAY - 1)[:10]}"
    )


def _pairs(rule: StrategyRule, series: Series) -> tuple[Series, ...]:
    if rule.partner is None:
        return ()
    named = rule.partner(series.symbol)
    wanted = [_pair(rule, series, one) for one in ([named] if isinstance(named, str) else named)]
    for one in wanted:
        if one == series:
            raise UsageError(
                f"{rule.name} on {series.symbol} {series.timeframe} is its own partner: name another symbol, "
                f"or a longer timeframe of it"
            )
        if timeframe_ms(one.timeframe) < timeframe_ms(series.timeframe):
            raise UsageError(
                f"{rule.name}: its partner {one.symbol} has {one.timeframe} bars, shorter than its own "
                f"{series.timeframe}: name {series.timeframe} or a longer one"
            )
    if len(set(wanted)) < len(wanted) or not wanted:
        what = "one of them twice" if wanted else "none"
        raise UsageError(f"{rule.name}: wanted different partners, got {what}")
    return tuple(wanted)


def _pair(rule: StrategyRule, series: Series, one: object) -> Series:
    """Return the series that a rule names. Raises UsageError for what names none."""
    try:
        if isinstance(one, str):
            return series._replace(symbol=symbol_name(one))
        names: Any = one
        symbol, timeframe = names
        return Series(series.exchange, symbol_name(symbol), timeframe_name(timeframe))
    except (TypeError, ValueError, AttributeError):
        raise UsageError(
            f'{rule.name}: a partner is a symbol or a pair such as ("BTC/USDT", "1d"), got {one!r}'
        ) from None
    except UsageError as error:
        raise UsageError(f"{rule.name}: its partner {one!r}: {error}") from None


def _universe(rule: StrategyRule, series: Series, universe: Sequence[str]) -> tuple[Series, ...]:
    if rule.universe is None:
        return ()
    symbols = list(dict.fromkeys(universe or [symbol_name(one) for one in rule.universe]))
    if symbols and series.symbol not in symbols:
        raise UsageError(
            f"{rule.name} trades {series.symbol}, which is not in its universe {', '.join(symbols)}: add it "
            "to `universe` there, or leave it out of --symbol"
        )
    if len(symbols) < 2:
        raise UsageError(
            f"{rule.name} ranks symbols against each other: wanted two or more, got {series.symbol} alone: "
            "name more with --symbol, or `universe` of its entry in strategies.yaml"
        )
    return tuple(series._replace(symbol=one) for one in symbols if one != series.symbol)
