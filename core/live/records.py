"""The loop's records in the database: one transaction a step, so that a kill loses a step or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine

from core.account.lots import Trade
from core.account.orders import Executed
from core.engine import Step
from core.live.day_book import DayBook
from core.live.decision_log import DecisionLine
from core.live.loop import Command
from core.live.status import AccountStatus, to_document
from core.utils import Clock
from db import live
from db.journal_rows import money_text

COMMAND_LIFE = 120_000
"""Milliseconds in which a command is carried out, or never."""
ONE_LOOK = "one look was asked for"
"""Why a run ended that was to look once (`run_live.py --once`)."""
OnKept = Callable[[Step, AccountStatus], object]
"""Takes a step, and how the account stands after it."""


def untold(step: Step, status: AccountStatus) -> None:
    """Tell nobody."""
    del step, status


class RunBook:
    """Records of one run on one account."""

    def __init__(
        self,
        engine: Engine,
        account: str,
        run_id: int,
        snapshot: Callable[[], Any],
        clock: Clock | None = None,
        days: DayBook | None = None,
        on_kept: OnKept = untold,
    ) -> None:
        """Take what returns the account's state as plain values; it is kept with every step.

        `clock` (ms UTC) is that of whoever gives commands; without it none is too old. `days` keeps hours and
        days. `on_kept` takes each step once it is kept, and before anything that it approved is sent.
        """
        self.run_id = run_id
        self._engine, self._account, self._snapshot = engine, account, snapshot
        self._clock, self._days, self._on_kept = clock, days, on_kept

    def commands(self) -> Sequence[Command]:
        """Return the commands to carry out, oldest first; those that waited for too long are closed."""
        waiting = live.waiting_commands(self._engine, self._account)
        now = 0 if self._clock is None else self._clock()
        fresh = [command for command in waiting if now - command.created_at <= COMMAND_LIFE]
        for command in waiting[: len(waiting) - len(fresh)]:
            age = (now - command.created_at) / 1000
            live.take_command(self._engine, command.id, f"expired: it waited for {age:,.0f} s", now)
        return [Command(one.id, one.name, one.argument) for one in fresh]

    def answer(self, command: Command, outcome: str, now: int) -> None:
        """Keep what came of a command, and the state it left."""
        self._record(taken={command.id: outcome}, now=now)

    def keep(self, decided: Sequence[DecisionLine], step: Step, status: AccountStatus, now: int) -> None:
        """Keep one step, whole or not at all."""
        self._record(
            decisions=[live.DecisionRow(*one) for one in decided],
            equity=[live.EquityRow(step.time, step.equity, float(status.cash))] if step.bars else [],
            fills=[self._fill(event) for event in step.fills],
            trades=[self._trade(trade) for trade in step.trades],
            status=to_document(status),
            now=now,
        )
        self._on_kept(step, status)

    def beat(self, status: AccountStatus, now: int) -> None:
        """Keep how the account stands."""
        live.record(self._engine, self.run_id, status=to_document(status), now=self._written(now))
        # Not with a step, whose orders are about to leave: a day's figures can take a second.
        if self._days is not None:
            self._days.look(status)

    def _record(self, *, now: int, **what: Any) -> None:
        state = {(self._account, "session"): self._snapshot()}
        live.record(self._engine, self.run_id, state=state, now=self._written(now), **what)

    def _written(self, now: int) -> int:
        """Return when something is stored: by this machine's clock, for the exchange's may be another's."""
        return now if self._clock is None else self._clock()

    def _fill(self, event: Executed) -> dict[str, Any]:
        fill = event.fill
        return {
            "account": self._account,
            "exchange": fill.exchange,
            "symbol": fill.symbol,
            "fill_id": fill.id,
            "strategy": event.intent.strategy,
            "side": fill.side,
            "amount": money_text(fill.amount),
            "price": money_text(fill.price),
            "fee": money_text(fill.fee),
            "fee_asset": fill.fee_asset,
            "ts": fill.time,
            "reason": fill.reason or event.intent.reason,
        }

    def _trade(self, trade: Trade) -> dict[str, Any]:
        return {
            "account": self._account,
            "strategy": trade.strategy,
            "symbol": trade.symbol,
            "side": "LONG" if trade.side > 0 else "SHORT",
            "amount": money_text(trade.amount),
            "entry_ts": trade.entry_time,
            "exit_ts": trade.exit_time,
            "entry_price": trade.entry_price,
            "exit_price": trade.exit_price,
            "gross": money_text(trade.gross),
            "fees": money_text(trade.fees),
            "reason": trade.reason,
        }
