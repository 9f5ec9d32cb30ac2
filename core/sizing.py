"""Sizing: how many units a wanted entry is, decided at the close, in absolute units.

The formula is the specification's, `floor(equity * risk_per_trade / risk_per_unit)`, with a lot other than
1 so that bitcoin can be traded on a small account, and capped by what cash can pay. Any strategy may be sized
by a stake in place of its stop, by its volatility, by half of Kelly's fraction and by the regime besides:
each is a parameter of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from core.domain import LOT, Bound, Costs, Decision, FloatArray, Refusal, is_priced


class Sizing(NamedTuple):
    """How much a strategy may commit; all fractions of equity."""

    risk_per_trade: float = 0.01
    """Equity lost when the stop is hit at its price, before costs."""
    max_exposure: float = 0.95
    """Notional of the whole allocation, costs included. Below 1, so that an open above the close can
    still be paid."""
    lot: float = LOT
    """Base units; sizes are whole multiples of it."""
    vol_target: float = 0.0
    """Annual volatility that a position is to have at most; 0: size does not look at volatility."""
    kelly_cap: float = 0.0
    """Most of equity that half of Kelly's fraction may risk; 0: the risk is `risk_per_trade`."""
    kelly_trades: float = 30.0
    """Closed trades with a stop before Kelly's fraction counts."""
    stake: float = 0.0
    """Part of equity that a whole target costs, whatever its stop; 0: the stop says."""
    stake_money: float = 0.0
    """The same in quote currency; with both the smaller counts."""
    volatility: float = math.nan
    """Of the market at this close, annual; NaN while unknown."""
    fit: float = 1.0
    """Part of its size that an entry keeps in the present regime, 0 to 1; NaN while unknown."""


class Choices(NamedTuple):
    """How entries are sized, for any strategy; parameters beside the rule's own."""

    max_exposure: float = 0.95
    vol_target: float = 0.0
    vol_period: int = 30
    """Bars that volatility is measured over."""
    kelly_cap: float = 0.0
    kelly_trades: int = 30
    stake: float = 0.0
    stake_money: float = 0.0
    regime_cut: float = 0.0
    """Part of its size that an entry loses in a wild market; half as much in one without direction."""
    regime_trend: float = 1.0
    """Part of its size that an entry keeps in a trend, up or down, whatever the cut …"""
    regime_range: float = 1.0
    """… without direction …"""
    regime_high_vol: float = 1.0
    """… and in a wild market."""

    @property
    def looks_at_regime(self) -> bool:
        """Whether the size depends on the regime."""
        kept = self.regime_trend, self.regime_range, self.regime_high_vol
        return self.regime_cut > 0 or min(kept) < 1


CHOICE_BOUNDS = {
    "max_exposure": (0.01, 0.99),
    "vol_target": (0.0, 10.0),
    "vol_period": (2.0, 2000.0),
    "kelly_cap": (0.0, 0.2),
    "kelly_trades": (1.0, 10_000.0),
    "stake": (0.0, 0.99),
    "stake_money": (0.0, 1e12),
    "regime_cut": (0.0, 1.0),
    "regime_trend": (0.0, 1.0),
    "regime_range": (0.0, 1.0),
    "regime_high_vol": (0.0, 1.0),
}
"""Smallest and largest value of each of the Choices."""

NAMED_CHOICES: Mapping[str, Mapping[str, float]] = {
    "fixed-risk": {
        "vol_target": 0.0,
        "kelly_cap": 0.0,
        "stake": 0.0,
        "stake_money": 0.0,
        "regime_cut": 0.0,
        "regime_trend": 1.0,
        "regime_range": 1.0,
        "regime_high_vol": 1.0,
    },
    "vol-target": {"vol_target": 0.15},
    "half-kelly": {"kelly_cap": 0.05},
    "stake": {"stake": 0.1},
    "regime": {"regime_cut": 0.5},
}
"""Ways of sizing by name, with what each usually is."""

PLAIN = Choices()
"""Entries risk `risk_per_trade`, as the specification says."""

SAME_MONEY = 1e-9
"""Part by which two sums of money differ that are one amount, rounded."""

KELLY_FLOOR = 0.25
"""Part of `risk_per_trade` that Kelly's fraction leaves a losing strategy, whose record would else never
change again."""


class Gauges(NamedTuple):
    """What sizing looks at in the market, at each close; as long as the bars, or one value for all."""

    volatility: FloatArray
    fit: FloatArray


class Capital(NamedTuple):
    """What sizing needs to know of the account, at the close."""

    equity: float
    """Cash and open positions at the close, quote currency; less the commission of what is closed at the same
    open."""
    cash: float
    """What is not bound in open positions, with what those bring that are closed at the same open."""
    wins: float = 0.0
    """The strategy's own closed trades that began with a stop: how many won …"""
    losses: float = 0.0
    """… and did not."""
    gained: float = 0.0
    """Their results added up, each as a multiple of what its stop risked: of those that won …"""
    lost: float = 0.0
    """… and of the others, positive."""


class Sized(NamedTuple):
    """A size in base units, or the reason there is none."""

    units: float
    refusal: Refusal
    bound: Bound
    """What kept it from being larger."""


def size_entry(want: Decision, close: float, account: Capital, sizing: Sizing, costs: Costs) -> Sized:
    """Return the unsigned size of an entry, rounded down to the lot; `close` may be the price it waits for.

    With a stake it costs the target's share of that. Else with a stop the size risks `risk_per_trade` of
    equity, or what half of Kelly's fraction says; without one it is the target's share of `max_exposure`. All
    are capped by that share, by free cash and by `vol_target`, and cut to what fits the regime. Nothing is
    entered while a measure asked for is unknown.
    """
    side = 1.0 if want.target > 0 else -1.0
    fill = close * (1 + side * costs.spread)
    # One that waits for a price has to enclose that too, whatever the spread.
    if not brackets(want, side, fill) or (is_priced(want) and not brackets(want, side, close)):
        return Sized(0.0, Refusal.BRACKET, Bound.NONE)
    share = abs(want.target)
    unit_cost = fill + close * costs.commission
    payable, free = share * sizing.max_exposure * account.equity, sizing.max_exposure * account.cash
    # With all of equity free the two are one amount, added up in another order.
    bound = Bound.CASH if free < payable * (1 - SAME_MONEY) else Bound.EXPOSURE
    payable = min(payable, free)
    # Neither is below 0.
    if sizing.stake + sizing.stake_money > 0:
        staked = share * stake_of(account.equity, sizing)
        bound = Bound.STAKE if staked < payable else bound
        payable = min(payable, staked)
    units = payable / unit_cost
    if not math.isnan(want.stop):
        risky = share * risk_of(account, sizing) * account.equity / abs(close - want.stop)
        if risky < units:
            units, bound = risky, Bound.KELLY if is_kelly(account, sizing) else Bound.RISK
    if sizing.vol_target > 0:
        steady = steadied(units, share * account.equity / unit_cost, sizing)
        bound = Bound.VOLATILITY if steady < units else bound
        units = steady
    whole = round_down(units, sizing.lot)
    units = round_down(units * sizing.fit, sizing.lot)
    if units > 0:
        return Sized(units, Refusal.NONE, Bound.REGIME if sizing.fit < 1 else bound)
    return Sized(0.0, Refusal.REGIME if sizing.fit < 1 and whole > 0 else Refusal.LOT, Bound.NONE)


def dear_from(account: Capital, sizing: Sizing, costs: Costs) -> float:
    """Return a close above which no entry of a whole allocation or less is worth a lot, by 1 % at least.

    There `size_entry` refuses what brackets its price for LOT: that much sooner can a loop know it.
    """
    return 1.01 * sizing.max_exposure * account.equity / (sizing.lot * (1 - costs.spread))


def steadied(units: float, whole: float, sizing: Sizing) -> float:
    """Return at most the part of `whole` units whose volatility is the target; 0 while it is unknown.

    Volatility targeting: exposure = target / realised volatility (Moreira and Muir, 2017).
    """
    if not sizing.volatility >= 0:
        return 0.0
    if whole * sizing.vol_target < units * sizing.volatility:
        return whole * sizing.vol_target / sizing.volatility
    return units


def risk_of(account: Capital, sizing: Sizing) -> float:
    """Return the part of equity that an entry may lose at its stop.

    Half of Kelly's fraction p - (1 - p) / b of the closed trades, where p is the part that won and b what
    they won on average against what the others lost (Kelly, 1956; Thorp, 2006).
    """
    if not is_kelly(account, sizing):
        return sizing.risk_per_trade
    count = account.wins + account.losses
    least = min(KELLY_FLOOR * sizing.risk_per_trade, sizing.kelly_cap)
    if account.gained <= 0:
        return least
    won = account.wins / count
    # (1 - p) / b, with b = (gained / wins) / (lost / losses); no loss, no deduction.
    half = 0.5 * (won - account.lost * account.wins / (account.gained * count))
    return min(max(half, least), sizing.kelly_cap)


def is_staked(sizing: Sizing) -> bool:
    """Tell whether entries cost a stake, whatever their stop."""
    return sizing.stake > 0 or sizing.stake_money > 0


def stake_of(equity: float, sizing: Sizing) -> float:
    """Return what a whole target costs where there is a stake, quote currency."""
    if sizing.stake <= 0:
        return sizing.stake_money
    part = sizing.stake * equity
    return part if sizing.stake_money <= 0 else min(part, sizing.stake_money)


def by_stake(sizing: Sizing) -> Sizing:
    """Return the sizing, without a risk of its own where a stake takes its place.

    What an account lets an entry lose at its stop (`max_risk_per_trade`) holds for a stake too.
    """
    return sizing._replace(risk_per_trade=math.inf) if is_staked(sizing) else sizing


def is_kelly(account: Capital, sizing: Sizing) -> bool:
    """Tell whether Kelly's fraction is wanted, and known from enough trades."""
    return sizing.kelly_cap > 0 and account.wins + account.losses >= sizing.kelly_trades


def multiple(side: float, entry: float, leave: float, stop: float, commission: float) -> float:
    """Return a trade's result after fees as a multiple of what its first stop risked; NaN without a stop."""
    risked = abs(entry - stop)
    if not risked > 0:
        return math.nan
    return (side * (leave - entry) - commission * (leave + entry)) / risked


def gain(side: float, entry: float, leave: float, commission: float) -> float:
    """Return a trade's result after the commission of both sides, as a fraction of its entry price."""
    return (side * (leave - entry) - commission * (leave + entry)) / entry


def at_close(sizing: Sizing, volatility: float, fit: float) -> Sizing:
    """Return the sizing with the market's measures at a close."""
    return Sizing(
        sizing.risk_per_trade,
        sizing.max_exposure,
        sizing.lot,
        sizing.vol_target,
        sizing.kelly_cap,
        sizing.kelly_trades,
        sizing.stake,
        sizing.stake_money,
        volatility,
        fit,
    )


def at_bar(sizing: Sizing, measured: Gauges, i: int) -> Sizing:
    """Return the sizing with the market's measures at the close of bar i."""
    volatility, fit = measured
    known, suited = min(i, volatility.size - 1), min(i, fit.size - 1)
    return at_close(sizing, volatility[known], fit[suited])


def brackets(want: Decision, side: float, fill: float) -> bool:
    """Tell whether stop and take, where set, are positive and enclose the fill price."""
    below, above = (want.stop, want.take) if side > 0 else (want.take, want.stop)
    return not (below <= 0 or below >= fill or above <= fill)


def round_down(units: float, lot: float) -> float:
    """Return the largest multiple of `lot` not above `units`; 0 for anything not positive and finite."""
    if not 0 < units < math.inf:
        return 0.0
    return math.floor(units / lot) * lot
