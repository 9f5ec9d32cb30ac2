"""Whether an order may be sent: the only place that approves an entry.

Exits have their own lane: whatever is tripped, paused or unknown, what makes a position smaller is approved.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.account.money import NOTHING, decimal_of, minus, plus, times, to_step
from core.account.orders import Approved, Cut, Intent, Purpose, RefusalReason, Refused, Side
from core.account.values import Snapshot
from core.domain import Bar, Bars, Costs
from core.errors import RefusedError, UsageError, number, unknown_name
from core.risk import breakers
from core.risk.breakers import MINUTE, RECOVERY, RISK_UNKNOWN, RiskState
from core.risk.correlation import NewestCloses, part_kept
from core.risk.jumps import USUAL, JumpWatch, jump_terms, paused_by
from core.risk.limits import (
    ANY_MARKET,
    BREAKER_NAMES,
    BREAKERS,
    CHECKS,
    DAY_EQUITY,
    SMALLEST,
    Entry,
    Limits,
    MarketDemands,
    active_pauses,
    alike_in,
    cut_of,
)
from core.risk.pauses import Closed
from core.risk.percents import PercentWarning, percent_notes
from core.risk.present import AT_THE_CLOSE, Present
from core.risk.use import LimitUse, orders_of, uses
from core.sizing import gain, round_down
from core.utils import format_time, timeframe_ms

if TYPE_CHECKING:
    from core.account.lots import Trade

Objection = tuple[RefusalReason, str]
STOPS = ("stop", "trail")
"""What a trade is called that a stop ended."""


class RiskManager:
    """Sizes positions, approves and refuses orders, and remembers losses. No I/O, no clock."""

    def __init__(
        self,
        default_risk_per_trade: float = 0.01,
        max_daily_loss_pct: float | None = 3.0,
        limits: Limits | None = None,
        costs: Costs | None = None,
        markets: Mapping[str, MarketDemands] | None = None,
        state: RiskState | None = None,
    ) -> None:
        """Take the risk per trade as a fraction of equity, the daily loss in percent, None for no limit.

        `costs` are what an order binds besides its notional; `state` is what a former run remembered. Warns
        (PercentWarning) of a percentage that looks like a fraction, raises UsageError for what is no number,
        a risk that is not above 0 and at most 1, and a limit below 0.
        """
        self.default_risk_per_trade = number(
            "default_risk_per_trade", default_risk_per_trade, most=1, above=0
        )
        self.max_daily_loss_pct = max_daily_loss_pct
        self.limits = limits or Limits()
        self._settings = {"max_daily_loss_pct": max_daily_loss_pct, **asdict(self.limits)}
        for name, value in self._settings.items():
            if value is not None and not isinstance(value, bool | str):
                number(name, value, -100 if name == "low_profit_pct" else 0)
        self.rows = breakers.with_endings(BREAKERS, self._settings)
        """The breakers, each with the ending that settings give it."""
        self._pauses = active_pauses(self._settings)
        self.jump_terms, self._jumps = jump_terms(self._settings), JumpWatch()
        for line in percent_notes(self._settings):
            warnings.warn(line, PercentWarning, stacklevel=2)
        self.state = state or RiskState()
        self.markets = dict(markets or {})
        self.closes = NewestCloses(self.limits.correlation_bars)
        """Of the bars seen, for what moves together."""
        self._commission = (costs or Costs()).commission
        commission, spread = map(decimal_of, costs or Costs())
        paid = plus(Decimal(1), commission)
        # A buyer pays the spread, a seller gets so much less, which binds the less.
        self._rates: dict[Side, Decimal] = {"buy": plus(paid, spread), "sell": minus(paid, spread)}

    def threshold(self, setting: str) -> float | None:
        """Return the loss at which a breaker trips, percent, by the name of its setting; None for none."""
        limit: float | None = self._settings[setting]
        return limit

    def take_settings(self, other: RiskManager) -> None:
        """Limit as another one does from now on; what was remembered and what is known of markets stays."""
        self.default_risk_per_trade = other.default_risk_per_trade
        self.max_daily_loss_pct, self.limits = other.max_daily_loss_pct, other.limits
        self._settings, self._pauses, self.jump_terms = other._settings, other._pauses, other.jump_terms
        self.rows = other.rows
        self.closes.keep(other.limits.correlation_bars)

    def compute_position_size(
        self, equity: float, atr_value: float, atr_stop_mult: float, risk_r: float = 1.0
    ) -> int:
        """Return the whole units that lose `risk_r` times the risk per trade at a stop that many ATRs away.

        0 when any of the numbers is not positive and finite. Raises UsageError for what is no number.
        """
        _check(equity=equity, atr_value=atr_value, atr_stop_mult=atr_stop_mult, risk_r=risk_r)
        risk, distance = equity * self.default_risk_per_trade * risk_r, atr_value * atr_stop_mult
        return int(round_down(risk / distance, 1.0)) if risk > 0 and distance > 0 else 0

    def uses(self, account: Snapshot, now: int) -> tuple[LimitUse, ...]:
        """Return how much of each limit that is set an account uses."""
        return uses(self.limits, self._settings, self.state, account, now, self.closes)

    def can_open_new_trade(self, equity: float) -> bool:
        """Tell whether this equity, open profit in it, is still above the day's and the drawdown's limit.

        Raises UsageError for what is no number.
        """
        _check(equity=equity)
        self.mark(self.state.time, equity)
        return self._objection_of_account() is None

    def register_trade_pnl(self, pnl: float, equity_before: float, strategy: str = "") -> None:
        """Note a closed trade's profit after fees and the equity before it; a loss begins a cool-down.

        A profit or an equity that is not finite stops entries. Raises UsageError for what is no number.
        """
        _check(pnl=pnl, equity_before=equity_before)
        if not math.isfinite(pnl):
            why = f"a trade of {strategy or 'the account'} has the profit {pnl}"
            self.state = breakers.tripped(self.state, RISK_UNKNOWN, why)
            return
        if not breakers.has_begun(self.state):
            self.mark(self.state.time, equity_before)
        if pnl < 0:
            self.state = self.state._replace(losses={**self.state.losses, strategy: self.state.time})
        self.mark(self.state.time, equity_before + pnl)

    def close(self, trade: Trade) -> None:
        """Note a closed trade for the breakers that look at these: they may pause its strategy's entries."""
        if self._pauses:
            profit = gain(trade.side, trade.entry_price, trade.exit_price, self._commission)
            whole = self.state.bases.get(DAY_EQUITY, math.nan)
            part = profit * float(trade.amount) * trade.entry_price / whole if whole > 0 else math.nan
            is_stop = trade.reason in STOPS
            one = Closed(self.state.time, trade.strategy, trade.symbol, profit, is_stop, part)
            self.state = breakers.closed(self.state, one, self._pauses)

    def looks_back(self) -> int:
        """Return for how many milliseconds a closed trade can matter to a pause; 0 where there is none."""
        return sum(max(times) for times in zip(*(one.terms[1:3] for one in self._pauses), strict=True))

    def mark(self, time: int, equity: float) -> None:
        """Take news of the account's equity, open profit in it, at an exchange time; trip what it trips."""
        state = breakers.marked(self.state, time, equity, self.rows)
        self.state = breakers.judged(state, self._settings, self.rows)

    def moved(self, by: float) -> None:
        """Take it that so much equity came or went by others' doing: no breaker counts it."""
        self.state = breakers.moved(self.state, by)

    def see(self, bar: Bar) -> None:
        """Note a closed bar's close, if what moves together matters, and how far it went."""
        if self.jump_terms.are_on:
            self._jumps.add(bar, self.jump_terms)
        if self._compares:
            self.closes.add(bar.symbol, bar.timeframe, bar.end, bar.close)

    def judge_jumps(self) -> None:
        """Pause the symbols that jumped in the bars seen since the last time: all that closed at one time."""
        if not self.jump_terms.are_on:
            return
        if found := self._jumps.judged(self.jump_terms):
            new = {symbol: paused_by(symbol, end, self.jump_terms) for symbol, end in found.items()}
            self.state = self.state._replace(jumps={**self.state.jumps, **new})

    def remember(self, symbol: str, timeframe: str, bars: Bars) -> None:
        """Note the closes of bars that were there before the first one seen."""
        if self.jump_terms.are_on:
            step = timeframe_ms(timeframe)
            for values in zip(*(column[-USUAL - 1 :].tolist() for column in bars), strict=True):
                self._jumps.remember(Bar(symbol, timeframe, values[0], values[0] + step, *values[1:]))
        if self._compares:
            newest = bars.since(max(0, bars.ts.size - self.limits.correlation_bars - 1))
            step = timeframe_ms(timeframe)
            for ts, close in zip(newest.ts.tolist(), newest.close.tolist(), strict=True):
                self.closes.add(symbol, timeframe, ts + step, close)

    @property
    def _compares(self) -> bool:
        """Whether any limit looks at what moves together."""
        return bool(self.limits.correlation_cut) or self.limits.max_correlated_exposure_pct is not None

    def part_kept(self, entry: tuple[str, int], held: Mapping[str, int], timeframe: str, now: int) -> float:
        """Return the part of its size that an entry (symbol, side) keeps beside what is held, by symbol."""
        cut = self.limits.correlation_cut
        return part_kept(self.closes, cut, entry, held, timeframe, now) if cut and held else 1.0

    def part_allowed(self, now: int) -> float:
        """Return the part of its size that any entry keeps at this time: less for a while after a loss."""
        ends = self._recovers_until()
        return 1.0 if ends is None or now >= ends else 1.0 - (self.limits.recovery_cut or 0.0)

    def standing(self, now: int) -> dict[str, str]:
        """Return what is tripped, paused, or makes entries smaller, why, and until when."""
        found, ends = breakers.standing_at(self.state, now, self.rows), self._recovers_until()
        if ends is None or now >= ends:
            return found
        part = 100 * self.part_allowed(now)
        return {**found, RECOVERY: f"entries are {part:g} % of their size before {format_time(ends)} UTC"}

    def _recovers_until(self) -> int | None:
        """Return when entries are whole again, ms UTC; None where no loss has ended, or it is off."""
        if not self.limits.recovery_cut or self.state.ended == breakers.NEVER:
            return None
        return self.state.ended + round(self.limits.recovery_minutes * MINUTE)

    def reset_breaker(self, name: str) -> None:
        """Reset one breaker.

        Raises UsageError for a name that is none, RefusedError where settings are to be changed first.
        """
        if name not in BREAKER_NAMES:
            raise UsageError(unknown_name("breaker", name, BREAKER_NAMES))
        if why := breakers.kept_by_settings(self.state, name, self._settings, self.rows):
            raise RefusedError(why)
        self.state = breakers.reset(self.state, name, BREAKERS)

    def pause(self, why: str) -> None:
        """Refuse all entries until `resume`."""
        self.state = self.state._replace(paused=why)

    def resume(self) -> None:
        """Allow entries again; breakers stay as they are."""
        self.state = self.state._replace(paused="")

    def halt(self, symbol: str, why: str | None) -> None:
        """Refuse entries in one symbol until this is called with None."""
        self.state = self.state._replace(halted=_with(self.state.halted, symbol, why))

    def quarantine(self, strategy: str, why: str | None) -> None:
        """Refuse one strategy's entries until this is called with None."""
        self.state = self.state._replace(quarantined=_with(self.state.quarantined, strategy, why))

    def approve(
        self, intent: Intent, account: Snapshot, mark: float, now: int, present: Present = AT_THE_CLOSE
    ) -> Approved | Refused:
        """Return an order that may be sent, its amount rounded down to the market's step, or why not.

        `mark` is the symbol's last known price, `present` what is known besides it. The caller reserves what
        is approved before it asks again.
        """
        market = self.markets.get(intent.symbol, ANY_MARKET)
        amount = to_step(intent.amount, market.step)
        intent = intent if amount == intent.amount else replace(intent, amount=amount)
        if intent.purpose is not Purpose.ENTRY:
            return self._exit(intent, market)
        notional = times(intent.amount, intent.price)
        price = present.prices.get(intent.symbol, mark)
        together = alike_in(self.closes, self.limits, intent, account, now)
        entry = Entry(intent, notional, self.rate(intent.side), account, price, market, together)
        objection = self._objection(entry, now, present)
        if objection:
            return Refused(intent, *objection)
        outcome = self.within_limits(entry)
        rated = self.limits.max_orders_per_minute is not None or self.limits.max_orders_per_day is not None
        if rated and isinstance(outcome, Approved):
            self.state = self.state._replace(orders=(*self.state.orders, now))
        return outcome

    def within_limits(self, entry: Entry) -> Approved | Refused:
        """Return what the limits of money leave of an entry to which there is no other objection."""
        limit, amount = cut_of(entry, self.limits)
        intent = entry.intent
        cut = None if limit is None else Cut(limit, intent.amount)
        left = intent if limit is None else replace(intent, amount=amount, bound=limit.value)
        notional = times(amount, intent.price)
        too_small = self._too_small(entry._replace(intent=left, notional=notional), cut)
        if too_small:
            return Refused(intent, *too_small)
        return Approved(left, times(notional, entry.rate), cut)

    def rate(self, side: Side) -> Decimal:
        """Return what a quote unit of an order binds, costs included."""
        return self._rates[side]

    def _too_small(self, left: Entry, cut: Cut | None) -> Objection | None:
        """Return what is against what is left of an entry once the limits have cut it."""
        for reason, check in SMALLEST:
            if detail := check(left, self.limits):
                return (reason, detail) if cut is None else (cut.limit, f"cut to what it allows: {detail}")
        return None

    def _exit(self, intent: Intent, market: MarketDemands) -> Approved | Refused:
        if intent.amount > 0:
            return Approved(intent, NOTHING)
        return Refused(intent, RefusalReason.LOT, f"less than one step of {market.step} is held")

    def _objection(self, entry: Entry, now: int, present: Present) -> Objection | None:
        intent = entry.intent
        first = (
            self._objection_of_person(intent, now, present)
            or self._objection_of_account(entry.account.equity)
            or self._objection_of_time(intent.strategy, now)
            or breakers.pausing(self.state, intent.strategy, intent.symbol, now, BREAKERS)
            or _objection_of_price(intent, present)
        )
        if first:
            return first
        found = ((reason, check(entry, self.limits)) for reason, check in CHECKS)
        return next(((reason, detail) for reason, detail in found if detail), None)

    def _objection_of_person(self, intent: Intent, now: int, present: Present) -> Objection | None:
        """Return what a person, a failure or an old decision has against an entry."""
        state = self.state
        # At the very moment at which the next bar has closed its decision holds, not this one.
        if now > intent.valid_until or present.clock >= intent.valid_until:
            late = (max(now, present.clock) - intent.valid_until) / 1000
            return RefusalReason.EXPIRED, f"too late: the next bar closed {late:,.0f} s ago"
        if state.paused:
            return RefusalReason.PAUSED, state.paused
        if intent.symbol in state.halted:
            return RefusalReason.PAUSED, f"{intent.symbol} is halted: {state.halted[intent.symbol]}"
        if intent.strategy in state.quarantined:
            return RefusalReason.QUARANTINED, state.quarantined[intent.strategy]
        if intent.symbol in present.silent:
            return RefusalReason.STALE, f"prices of {intent.symbol} are too old"
        return None

    def _objection_of_account(self, equity: float | None = None) -> Objection | None:
        """Return what the account's equity and the breakers have against any entry."""
        equity = self.state.equity if equity is None else equity
        trips = self.state.trips
        if not math.isfinite(equity):
            return RefusalReason.RISK_UNKNOWN, f"equity is {equity}: a price is missing or wrong"
        if RISK_UNKNOWN in trips:
            return RefusalReason.RISK_UNKNOWN, trips[RISK_UNKNOWN].detail
        if equity <= 0:
            return RefusalReason.CASH, f"equity is {equity:.2f}: nothing is left to trade with"
        for name, reason, *_ in BREAKERS if trips else ():
            if name in trips:
                return reason, trips[name].detail
        return None

    def _objection_of_time(self, strategy: str, now: int) -> Objection | None:
        """Return what a recent loss and recent orders have against an entry."""
        limits = self.limits
        lost = self.state.losses.get(strategy)
        pause = (limits.cool_down_minutes or 0) * MINUTE
        if lost is not None and now < lost + pause:
            return RefusalReason.COOL_DOWN, f"{strategy} lost {max(0, now - lost) / MINUTE:.0f} min ago"
        minute, day = limits.max_orders_per_minute, limits.max_orders_per_day
        recent, today = orders_of(self.state, now) if self.state.orders else (0, 0)
        if minute is not None and recent >= minute:
            return RefusalReason.ORDER_RATE, f"{recent} orders in the last minute, allowed are {minute}"
        if day is not None and today >= day:
            return RefusalReason.ORDER_RATE, f"{today} orders today, allowed are {day}"
        return None


def _objection_of_price(intent: Intent, present: Present) -> Objection | None:
    """Return what a price newer than the decision has against an entry: stop or take lies behind it."""
    price = present.prices.get(intent.symbol)
    if price is None:
        return None
    low, high = (intent.stop, intent.take) if intent.side == "buy" else (intent.take, intent.stop)
    if (low is None or float(low) < price) and (high is None or price < float(high)):
        return None
    return RefusalReason.BRACKET, f"the price is {price:g} by now, beyond the stop or the take"


def _check(**given: object) -> None:
    """Raise UsageError unless all are numbers; NaN is one that is not known, which refuses by itself."""
    for name, value in given.items():
        number(name, value, or_unknown=True)


def _with(known: Mapping[str, str], name: str, why: str | None) -> dict[str, str]:
    rest = {other: text for other, text in known.items() if other != name}
    return rest if why is None else {**rest, name: why}


def wide_open(costs: Costs | None = None) -> RiskManager:
    """Return a risk manager that limits nothing but cash: what a backtest has."""
    return RiskManager(1.0, None, Limits(allow_short=True), costs)


def protected(protections: Mapping[str, Any], costs: Costs) -> RiskManager:
    """Return a risk manager with these limits and cash alone: `protections` by their names in PROTECTIONS."""
    return RiskManager(1.0, None, Limits(allow_short=True, **protections), costs)
