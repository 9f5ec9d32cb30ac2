"""What a file's volume counts: the asset traded, or the currency that prices are in.

Stored volume is in base units. A file says what it has by the column's name (`Volume BTC`), by its kind
(Yahoo's is in dollars), or not at all; then its size tells: what no market has ever turned over in a day, or
what differs from candles that are stored already by the price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from core.candles.dialects import Dialect, VolumeUnit
from core.domain import Bars, FloatArray
from core.errors import NoDataError
from core.symbols import DOLLARS, OTHER_NAMES, Pair

DAY = 86_400_000
_MOST_PER_DAY = {**dict.fromkeys((*DOLLARS, "EUR", "GBP"), 5e10), "BTC": 1e7, "ETH": 2e8}
"""More than any market has turned over in a day, in the quote currency; others are not judged."""
_NEIGHBOURS = 50
"""Bars on each side of a change of unit that are looked at, five at least."""

_FROM_PRICE = 100.0
"""Below this price base and quote are too close to be told from each other by size."""

_BASE = ("volume_crypto", "base_volume", "volume_base", "volumefrom", "volume_from")
_QUOTE = ("volume_currency", "quote_volume", "volume_quote", "quote_asset_volume", "volumeto", "turnover")


class Volume(NamedTuple):
    """Which column is the volume."""

    place: int
    unit: VolumeUnit
    note: str = ""


def volume_column(names: Sequence[str], plain: Sequence[str], dialect: Dialect, pair: Pair | None) -> Volume:
    """Return where the volume is and what it counts. Raises NoDataError when there is none for this pair."""
    of_base = _place(plain, (*(_names_of(pair.base) if pair else ()), *_BASE))
    of_quote = _place(plain, (*(_quotes(pair.quote) if pair else ()), *_QUOTE))
    if of_base is not None:
        return Volume(of_base, "base", f"volume is taken from {names[of_base].strip()!r}")
    others = [name for name in names if name.strip().lower().startswith("volume") and pair]
    if dialect.name == "CryptoDataDownload" and of_quote is None and len(others) > 1:
        raise NoDataError(
            f"no volume in {pair.base if pair else ''}: there are {', '.join(map(str.strip, others))}; "
            "is it another market's file?"
        )
    if "volume" in plain:
        beside = "base" if of_quote is not None and dialect.volume == "unsaid" else dialect.volume
        return Volume(plain.index("volume"), beside)
    if of_quote is not None:
        return Volume(of_quote, "quote")
    raise NoDataError("no column for volume")


def in_base(bars: Bars) -> Bars:
    """Return bars whose volume, which is in the quote currency, is divided by each bar's mean price."""
    mean = (bars.open + bars.high + bars.low + bars.close) / 4
    with np.errstate(all="ignore"):
        return bars._replace(volume=bars.volume / mean)


def implausible_turnover(bars: Bars, step: int, quote: str) -> float | None:
    """Return the median turnover of a day, in the quote currency, if no market has ever had that much."""
    most = _MOST_PER_DAY.get(quote)
    if most is None or not len(bars.ts):
        return None
    turnover = float(np.median(_filled(bars.volume * bars.close))) * DAY / step
    return turnover if turnover > most else None


def change_of_unit(bars: Bars) -> int | None:
    """Return the row from which on volumes differ from those before by about the price, None for no row.

    A market's own trade does not grow a thousandfold from one bar to the next and stay so; prices below 1,000
    are not judged.
    """
    price = float(np.median(bars.close)) if bars.close.size else 0.0
    if price < 10 * _FROM_PRICE:
        return None
    size = np.log(np.maximum(bars.volume, 1e-12))
    jumps = np.flatnonzero(np.abs(np.diff(size)) > math.log(price / 10)) + 1
    for row in jumps.tolist():
        before, after = size[max(0, row - _NEIGHBOURS) : row], size[row : row + _NEIGHBOURS]
        if min(before.size, after.size) >= 5:
            change = abs(float(np.median(after) - np.median(before)))
            if abs(change - math.log(price)) < math.log(3):
                return int(row)
    return None


def differs_by_price(bars: Bars, step: int, known: Bars, known_step: int) -> bool:
    """Tell whether these volumes are nearer to the price times those of `known` bars than to the same.

    Both are of one market; they are compared over the time that both have.
    """
    first, end = max(bars.ts[0], known.ts[0]), min(bars.ts[-1] + step, known.ts[-1] + known_step)
    ours, theirs = _per_ms(bars, step, first, end), _per_ms(known, known_step, first, end)
    price = float(np.median(bars.close))
    if not ours or not theirs or price < _FROM_PRICE:
        return False
    ratio = math.log(ours / theirs)
    return abs(ratio - math.log(price)) < abs(ratio)


def _per_ms(bars: Bars, step: int, first: int, end: int) -> float:
    """Return the mean volume per ms of the bars that lie in [first, end)."""
    inside = bars.volume[(bars.ts >= first) & (bars.ts + step <= end)]
    return float(inside.mean()) / step if inside.size else 0.0


def _filled(values: FloatArray) -> FloatArray:
    some: FloatArray = values[values > 0]
    return some if some.size else np.zeros(1)


def _names_of(asset: str) -> list[str]:
    spelled = [asset, *(other for other, usual in OTHER_NAMES.items() if usual == asset)]
    return [name for one in spelled for name in (f"volume_{one.lower()}", f"{one.lower()}_volume")]


def _quotes(quote: str) -> list[str]:
    alike = sorted(DOLLARS) if quote in DOLLARS else []
    return [name for one in (quote, *alike) for name in _names_of(one)]


def _place(plain: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((plain.index(name) for name in wanted if name in plain), None)
