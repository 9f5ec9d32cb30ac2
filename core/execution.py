"""From what a strategy wants to orders that may be sent: signal, intent, approval, desk.

What a decision means for the lots held, which of them close, in which order, how large an entry is, is
core.fills.ask, the backtest's own, run on the account as it stands. Each row it asks for becomes an intent
with a name made of what it is for, so that the same decision seen twice is one order.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from core import fills
from core.account.desk import OrderDesk
from core.account.lots import Lot
from core.account.money import minus, price_of
from core.account.orders import Approved, Intent, Protection, Purpose, RefusalReason, Refused
from core.bookkeeper import Booked, Bookkeeper
from core.candles.candle_series import CandleSeries
from core.domain import (
    NAN,
    REASON_WORDS,
    Costs,
    Decision,
    FloatArray,
    PositionView,
    Reason,
    changes,
    enters,
    same,
)
from core.errors import UsageError, unknown_name
from core.intents import Demand, Moment, closing_of, entry_of, not_sized, note_of
from core.paper.fills import PaperFills
from core.portfolio import MANUAL, Portfolio
from core.risk.present import AT_THE_CLOSE
from core.risk_manager import RiskManager
from core.sizing import Sizing, at_close
from strategies.signal_checks import ACTIONS, check_signal
from strategies.signal_meaning import check_entry, contradicts, decision_of, sizing_of

if TYPE_CHECKING:
    from strategies.base import StrategySignal

Outcome = Approved | Refused


class Plan(NamedTuple):
    """How a strategy trades, as far as orders are concerned."""

    timeframe: str
    sizing: Sizing = Sizing()
    is_ladder: bool = False


class Executor:
    """Turns signals and decisions into orders at a desk. No I/O, no clock."""

    def __init__(
        self,
        portfolio: Portfolio,
        risk_manager: RiskManager,
        desk: OrderDesk | None = None,
        costs: Costs | None = None,
        plans: Mapping[str, Plan] | None = None,
        *,
        live: bool = False,
    ) -> None:
        """Trade for strategies by name in `plans`; without a desk, on paper.

        `live` says that orders are to leave for somewhere: raises UsageError where they would be filled on
        paper. It changes nothing else, for what becomes of an order is the desk's.
        """
        self.portfolio, self.risk = portfolio, risk_manager
        self.costs = costs or Costs()
        self.desk: OrderDesk = desk or PaperFills(portfolio.settled, self.costs, risk_manager.markets)
        self._paper = self.desk if isinstance(self.desk, PaperFills) else None
        """What fills on paper by itself, and can take back what waits; None where orders leave."""
        if live and self._paper is not None:
            raise UsageError(
                "live trading was wanted, but orders would be filled on paper: hand over a desk that "
                "takes them to where they go, or leave live out"
            )
        self.plans = dict(plans or {})
        self.books = Bookkeeper(portfolio, risk_manager)
        self._has_plans = bool(plans)
        self._unplanned: dict[str, bool] = {}
        """Strategies that only their signals tell of, and whether they are ladders."""
        self._candles = CandleSeries()

    def execute_signal(
        self, symbol: str, signal: StrategySignal, latest_candle: Mapping[str, Any], strategy_name: str
    ) -> list[Outcome]:
        """Order what one signal of this candle wants, for the next open; return what was approved or not.

        What a signal means is in strategies.signal_meaning; one that asks for what is so already orders
        nothing. A CLOSE by a strategy that holds nothing there closes what `Portfolio.open_long` or
        `open_short` opened.
        The newest signal of a candle counts: a CLOSE takes back an entry that waits for the next open, and an
        OPEN what waits against it; what was taken back is returned as refused.
        A strategy that is not in `plans` risks the risk manager's default, or what the signal's extra says by
        the names of core.sizing.Sizing. `latest_candle` has `time` (ms UTC, or a time with a zone) and
        `close`. Raises UsageError for a wrong action, an entry that nothing sizes, what a signal's extra or a
        candle cannot be, a strategy that is not in `plans` if there are any, and where `on_candle` was left
        out.
        """
        check_signal(signal)
        if signal.symbol != symbol:
            raise UsageError(
                f"a signal of {signal.symbol} was to be executed for {symbol}: hand over its own"
            )
        is_waiting = any(one.intent.symbol == symbol for one in self.portfolio.pending.values())
        plan = self._planned(strategy_name, symbol, signal)
        opened, closed, close = self._candles.close(symbol, latest_candle, is_waiting=is_waiting)
        check_entry(signal, close)
        self.portfolio.mark(symbol, close)
        self._take_over(symbol)
        taken_back = self._take_back(strategy_name, signal)
        if taken_back and signal.action.startswith("CLOSE"):
            holder = strategy_name
        else:
            holder = self._holder(strategy_name, symbol, signal.action)
        if holder == MANUAL:
            self.plans[MANUAL] = Plan(plan.timeframe)
        held, extra = self.position(holder, symbol), signal.extra or {}
        measured = float(extra.get("volatility", 1.0)), float(extra.get("fit", 1.0))
        want = decision_of([signal], held, close)
        done = self.execute(holder, symbol, want, held, Moment(opened, close, closed, *measured))
        return [*taken_back, *done]

    def on_candle(self, symbol: str, candle: Mapping[str, Any]) -> Booked:
        """Take one closed candle (time, open … volume): fill what waits for its open, watch stops and takes.

        Books the fills and tells the risk manager. To be called with every candle of a symbol, before a
        strategy looks at it; one that was seen already changes nothing. Raises UsageError for one out of its
        order.
        """
        bar = self._candles.bar(symbol, candle)
        self._take_over(symbol)
        new, _ = self.books.sorted_out([bar])
        self.books.see(new)
        return self.books.take(self.desk.booked(self.desk.market.on_bars(new)), bar.end)

    def position(self, strategy_name: str, symbol: str) -> PositionView:
        """Return what a strategy holds of a symbol at the newest candle, for BaseStrategy.set_position."""
        number = self.books.newest(symbol, self._candles.likely(symbol))
        return self.portfolio.view(strategy_name, symbol, max(0, number))

    def execute(
        self, strategy: str, symbol: str, want: Decision, held: PositionView, moment: Moment
    ) -> list[Outcome]:
        """Order what a decision wants at this close; return what was approved and refused, exits first."""
        plan = self._plan(strategy)
        if not self.changes(strategy, symbol, want, held):
            return []
        is_new = bool(held.waiting) and want.reason != Reason.HOLD
        why = "the strategy wants another thing before its price came"
        taken_back = self.withdraw(strategy, symbol, why) if is_new else []
        book = self.portfolio.account_of(strategy, symbol)
        ask = fills.ask_ladder if plan.is_ladder else fills.ask
        kept = 1.0
        if enters(want, held, plan.is_ladder):
            entry = symbol, 1 if want.target > 0 else -1
            kept = self.risk.part_kept(entry, self.portfolio.sides(), plan.timeframe, moment.now)
        part = self.risk.part_allowed(moment.now)
        sizing = at_close(self.sizing(plan), moment.volatility, moment.fit * kept * part)
        ask(book, want, held, moment.close, sizing, self.costs)
        self._move(strategy, symbol, book)
        demand = Demand(strategy, symbol, plan.timeframe, want, moment, kept, part)
        lots = self.portfolio.lots(strategy, symbol)
        exits = (self._exit(demand, book[fills.HELD + i], lot) for i, lot in enumerate(lots))
        outcomes = taken_back + [outcome for outcome in exits if outcome]
        for row in book[fills.WANTED : fills.WANTED + int(book[0, fills.ASKED])]:
            outcomes += self._send(entry_of(demand, row, is_ladder=plan.is_ladder), moment)
        return outcomes + not_sized(demand, book)

    def changes(self, strategy: str, symbol: str, want: Decision, held: PositionView) -> bool:
        """Tell whether a decision asks for anything but what is held and waits, each lot looked at."""
        is_ladder = self._plan(strategy).is_ladder
        is_uneven = not is_ladder and self.portfolio.is_uneven(strategy, symbol)
        return changes(want, held, is_ladder) or is_uneven

    def withdraw(self, strategy: str, symbol: str, why: str) -> list[Outcome]:
        """Withdraw what waits for its price; return it as refused."""
        old = self.portfolio.waiting(strategy, symbol)
        if old:
            lots = self.portfolio.lots(strategy, symbol)
            self.desk.withdraw((strategy, symbol), {intent.key for intent in old}, lots)
        for intent in old:
            self.portfolio.release(intent.key)
        return [Refused(intent, RefusalReason.WITHDRAWN, why) for intent in old]

    def flatten(self, strategy: str, symbol: str, moment: Moment, reason: str = "flatten") -> list[Outcome]:
        """Order everything closed that a strategy holds of a symbol, as a person or a breaker may wish."""
        plan = self._plan(strategy)
        demand = Demand(strategy, symbol, plan.timeframe, Decision(0.0), moment)
        outcomes: list[Outcome] = []
        for lot in self.portfolio.lots(strategy, symbol):
            intent = closing_of(demand, lot, self._open(demand, lot), Purpose.FLATTEN, reason)
            outcomes += self._send(intent, moment) if intent.amount > 0 else []
        return outcomes

    def _planned(self, strategy: str, symbol: str, signal: StrategySignal) -> Plan:
        """Return how a strategy trades, as its signal says where no plan was handed over."""
        if self._has_plans or (strategy in self.plans and strategy not in self._unplanned):
            plan = self._plan(strategy)
            self._candles.timeframe(symbol, plan.timeframe)
            return plan
        extra = signal.extra or {}
        if "level" in extra or "levels" in extra:
            self._unplanned[strategy] = True
        sizing = sizing_of(extra, Sizing(self.risk.default_risk_per_trade))
        is_ladder = self._unplanned.setdefault(strategy, False)
        self.plans[strategy] = Plan(self._candles.timeframe(symbol), sizing, is_ladder)
        return self.plans[strategy]

    def _take_back(self, strategy: str, signal: StrategySignal) -> list[Outcome]:
        """Withdraw what waits for the next open and this newer signal no longer wants; return it as refused.

        Raises UsageError where it is on its way already, or only a part of what waits is to be closed.
        """
        symbol, waiting = signal.symbol, list(self.portfolio.pending.values())
        mine = [
            one.intent for one in waiting if (one.intent.strategy, one.intent.symbol) == (strategy, symbol)
        ]
        old = [intent for intent in mine if contradicts(signal, intent)]
        if not old:
            return []
        if self._paper is None:
            raise UsageError(
                f"{signal.action} of {symbol}: an order of {strategy} is on its way there: wait for what "
                "comes of it, and say it at the next candle"
            )
        keys = {intent.key for intent in old}
        self._paper.withdraw((strategy, symbol), keys, self.portfolio.lots(strategy, symbol))
        for key in keys:
            self.portfolio.release(key)
        why = f"taken back by {signal.action} before the open that it waited for"
        return [Refused(intent, RefusalReason.WITHDRAWN, why) for intent in old]

    def _holder(self, strategy: str, symbol: str, action: str) -> str:
        """Return whose position a signal is about: what was opened by hand, if that alone can be closed."""
        side = ACTIONS[action]
        own, by_hand = (self.portfolio.view(name, symbol).side for name in (strategy, MANUAL))
        return MANUAL if action.startswith("CLOSE") and own != side == by_hand else strategy

    def _take_over(self, symbol: str) -> None:
        """Let the paper exchange know what was opened and closed by hand."""
        lots = self.portfolio.lots(MANUAL, symbol)
        if self._paper is not None and (lots or (MANUAL, symbol) in self.portfolio.held()):
            held = MANUAL, symbol
            self._paper.mark(symbol, self.portfolio.marks[symbol])
            for refused in self._paper.take_over(self._candles.timeframe(symbol), held, lots):
                self.portfolio.release(refused.intent.key)
            self._paper.cash = self.portfolio.settled

    def _plan(self, strategy: str) -> Plan:
        if strategy not in self.plans:
            raise UsageError(unknown_name("strategy", strategy, self.plans))
        return self.plans[strategy]

    def sizing(self, plan: Plan) -> Sizing:
        """Return the strategy's sizing, with no more at risk than the account allows."""
        most, sizing = self.risk.limits.max_risk_per_trade, plan.sizing
        if most is None:
            return sizing
        return sizing._replace(
            risk_per_trade=min(sizing.risk_per_trade, most), kelly_cap=min(sizing.kelly_cap, most)
        )

    def _move(self, strategy: str, symbol: str, book: FloatArray) -> None:
        lots = self.portfolio.lots(strategy, symbol)
        pairs = list(zip(book[fills.HELD :], lots, strict=False))
        is_moved = not all(
            same(row[fills.STOP], lot.stop) and same(row[fills.TAKE], lot.take) for row, lot in pairs
        )
        if is_moved or not all(same(row[fills.NOTE], lot.note) for row, lot in pairs):
            row = book[fills.HELD]
            stop, take = price_of(float(row[fills.STOP])), price_of(float(row[fills.TAKE]))
            move = Protection(strategy, symbol, stop, take, note_of(row))
            self.portfolio.protect(move)
            if is_moved:
                self.desk.protect(move)

    def _exit(self, demand: Demand, row: FloatArray, lot: Lot) -> Outcome | None:
        if row[fills.EXIT] == 0.0:
            return None
        asked = Decimal(float(row[fills.EXIT_SIZE]))
        is_whole = row[fills.EXIT_SIZE] >= abs(lot.size)
        amount = min(lot.amount if is_whole else asked, self._open(demand, lot))
        reason, share = REASON_WORDS[int(row[fills.EXIT])], float(row[fills.SHARE])
        intent = closing_of(demand, lot, amount, Purpose.EXIT, reason, share)
        sent = self._send(intent, demand.moment) if amount > 0 else []
        return sent[0] if sent else None

    def _open(self, demand: Demand, lot: Lot) -> Decimal:
        """Return how much of a lot is not for sale yet: no more is sold than is held."""
        return minus(lot.amount, self.portfolio.closing(demand.strategy, demand.symbol, lot))

    def _send(self, intent: Intent, moment: Moment) -> list[Outcome]:
        """Have an intent approved, keep cash for it and hand it over; nothing if that was done before."""
        if intent.key in self.portfolio.pending:
            return []
        mark = self.portfolio.marks.get(intent.symbol, NAN)
        account = self.portfolio.snapshot((intent.strategy, intent.symbol))
        present = moment.present if intent.purpose is Purpose.ENTRY else AT_THE_CLOSE
        outcome = self.risk.approve(intent, account, mark, moment.now, present)
        if isinstance(outcome, Approved):
            self.portfolio.reserve(outcome)
            refused = self.desk.submit(outcome)
            if refused:
                self.portfolio.release(intent.key)
                return [refused]
        return [outcome]
