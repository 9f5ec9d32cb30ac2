"""What an account trades on, as frozen values: whoever starts it makes them of arguments and settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from core.backtest.plan import PlannedRun
from core.domain import Costs
from core.errors import UsageError
from core.execution_algos.machines import USUAL_TERMS, AlgoTerms, machine_of
from core.execution_algos.values import Machine
from core.live.feed import GRACE
from core.live.modes import REAL_MONEY
from core.risk.limits import Limits
from core.risk.percents import PercentWarning
from core.risk_manager import RiskManager


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """The limits of an account."""

    risk_per_trade: float
    """Equity lost when a stop is hit, as a fraction, for whoever names no risk of its own."""
    daily_loss_pct: float
    """Percent of the day's first equity after which nothing is entered that day."""
    limits: Limits

    def manager(self, costs: Costs) -> RiskManager:
        """Return the risk manager of a new account."""
        with warnings.catch_warnings():
            # What looks like a fraction was said when the settings were read.
            warnings.simplefilter("ignore", PercentWarning)
            return RiskManager(self.risk_per_trade, self.daily_loss_pct, self.limits, costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What an account is opened with."""

    name: str
    db_url: str
    """Of its journal."""
    orders: str
    """ON_PAPER or AT_EXCHANGE."""
    members: tuple[PlannedRun, ...]
    """Which strategy trades what."""
    cash: float
    """What a new account begins with, quote currency."""
    is_cash_named: bool
    """Whether a person named it: only a new account takes it, and at an exchange it is all that is used."""
    costs: Costs
    risk: RiskTerms
    volume_share: float | None
    """Most of a bar's volume that an order on paper gets, as a fraction; None: all is filled."""
    partner_wait_ms: int = GRACE
    """How long a bar waits for those of the other series that its strategy looks at."""
    resting_stops: bool = True
    """Whether stops rest at an exchange that takes them."""
    stop_limit_gap_pct: float = 1.0
    """How far the limit of a stop that needs one lies below its price, percent of that."""
    stop_patience_seconds: float = 10.0
    """For so long may a stop that was reached stay unfilled before what is left is sold at the market."""
    losses_every_seconds: float = 0.0
    """Between two looks at losses by the prices of now; 0: when a bar closes or an order fills."""
    algorithms: Mapping[str, str] = field(default_factory=dict)
    """By strategy: how its entries and exits are executed, where that is not at the market."""
    algo_terms: AlgoTerms = USUAL_TERMS
    """How patient these are."""
    once: bool = False
    """One look at the market was asked for: what cannot be had soon is an error."""
    typed_url: str | None = None
    """The database as it was named on the command line, which commands to type name too."""
    is_real: bool = False
    """Whether orders go where money is real."""
    confirmed: str = ""
    """What a person wrote of why real money is traded without a record on paper; kept with the run."""
    accept_restore: bool = False
    """Begin on a backup: what the exchange did since is taken over first."""

    @property
    def machines(self) -> dict[str, Machine]:
        """Return what executes orders, by strategy; at the market what is not in it."""
        return {name: machine_of(algo, self.algo_terms) for name, algo in self.algorithms.items()}

    @property
    def typed_orders(self) -> str:
        """Return who fills the orders, as commands to type say it."""
        return REAL_MONEY if self.is_real else self.orders

    @property
    def symbols(self) -> list[str]:
        """Return the symbols that are traded."""
        return sorted({member.symbol for member in self.members})

    @property
    def quote(self) -> str:
        """Return the currency that the account counts in. Raises UsageError for several."""
        return quote_of(self.members)


def quote_of(members: Iterable[PlannedRun]) -> str:
    """Return the one currency that symbols are priced in. Raises UsageError for several, or none."""
    quotes = sorted({member.symbol.partition("/")[2] for member in members})
    if len(quotes) != 1:
        raise UsageError(
            f"one account counts in one currency, these symbols are priced in {', '.join(quotes) or 'none'}: "
            "trade each currency on its own --account"
        )
    return quotes[0]
