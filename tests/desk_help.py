"""A paper account with a journal, as one process has it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.domain import Costs
from core.engine import Session
from core.execution import Executor
from core.live.paper_desk import PaperDesk, paper_desk
from core.live.snapshot import Restored, restore, snapshot
from core.order_path.alerts import Alert
from core.order_path.path import OrderPath
from core.order_path.policy import Policy
from core.order_path.working import WorkTerms
from core.paper.fills import PaperFills
from core.portfolio import Portfolio
from core.risk_manager import RiskManager, wide_open
from db.journal import Journal, memory_journal
from tests.markets import START

CASH = Decimal(10_000)


class Account:
    """One paper account of one process."""

    def __init__(
        self,
        journal: Journal | None = None,
        risk: RiskManager | None = None,
        costs: Costs | None = None,
        settle_ms: int = 0,
        works: WorkTerms | None = None,
    ) -> None:
        self.costs, risk = costs or Costs(0.001), risk or wide_open()
        self.journal = journal or memory_journal("test")
        self.events: list[Alert] = []
        self.model = PaperFills(float(CASH), self.costs, risk.markets, keep_trades=False)
        claim = self.journal.claimed()
        instance = "test-1" if claim is None else claim.instance
        self.desk: PaperDesk = paper_desk(
            lambda exchange: OrderPath(
                self.journal,
                exchange,
                instance,
                notify=self.events.append,
                policy=Policy(settle_ms=settle_ms),
            ),
            self.model,
            works,
        )
        self.session = Session(
            Executor(Portfolio(CASH, commission=self.costs.commission), risk, self.desk, self.costs)
        )

    def open(self, kept: Mapping[str, Any] | None = None, now: int = START) -> Restored | None:
        """Take the account up once its session has its strategies."""
        restored = None if kept is None else restore(self.session, kept)
        self.desk.at(now)
        symbols = dict.fromkeys(slot.symbol for slot in self.session.slots)
        self.desk.open(self.session, symbols, {"USDT": CASH}, restored)
        return restored

    def snapshot(self) -> dict[str, Any]:
        """Return the account as it is kept."""
        return snapshot(self.session, self.desk.applied)

    def positions(self) -> dict[tuple[str, str], Decimal]:
        """Return what the session holds, signed, by strategy and symbol."""
        portfolio = self.session.portfolio
        held = {(name, symbol): portfolio.amount(symbol, name) for name, symbol in portfolio.held()}
        return {key: amount for key, amount in held.items() if amount}
