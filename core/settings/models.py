"""The settings' sections: every key, its unit and what it may be. The descriptions are the error messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, get_args

from pydantic import AfterValidator, Field

from core.domain import Costs
from core.errors import unknown_name
from core.execution_algos.machines import ALGORITHMS, MARKET_ALGO
from core.risk.limits import Limits
from core.settings.execution import ExecutionSettings
from core.settings.kinds import (
    A_SYMBOL,
    AlertRoute,
    ApiUrl,
    BaseUrl,
    ClockTime,
    ClosingWord,
    Count,
    DbUrl,
    EndsWord,
    Exposure,
    MailAddresses,
    Minutes,
    Number,
    Percent,
    Section,
    SizePart,
    SmallCount,
    Switch,
    Symbol,
    Timeframe,
    WaitingWord,
    distinct,
)
from core.utils import TIMEFRAMES


class ExchangeSettings(Section):
    """Where candles come from."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", description="a ccxt id such as binanceus")]
    sandbox: Switch
    base_url: Annotated[
        BaseUrl | None,
        Field(description="an address such as http://127.0.0.1:8090, or nothing"),
    ] = None
    """Instead of the venue's own address; none for the real venue."""
    partner_wait_seconds: Annotated[Number, Field(ge=0, le=600, description="seconds from 0 to 600")] = 30.0
    """How long a bar waits for the bars of other series that its strategy looks at."""


class DbSettings(Section):
    """Where candles and results are kept."""

    url: Annotated[
        DbUrl | None,
        Field(repr=False, description="a URL such as sqlite:///data/hot_crypto.db, or nothing"),
    ] = None
    """SQLAlchemy URL; none for the default of db.init_db. Not in the repr: it may hold a password."""


class RiskSettings(Section):
    """Limits of the account."""

    default_risk_per_trade: Annotated[
        float, Field(gt=0, le=0.05, description="above 0 and at most 0.05 (a fraction: 0.01 is 1 %)")
    ]
    """Equity lost when a stop is hit, as a fraction, for whoever names no risk of its own; no upper limit."""
    max_daily_loss_pct: Annotated[float, Field(ge=0.1, le=50, description="0.1 to 50 (percent: 3 is 3 %)")]
    """Percent of the day's first equity after which no trade is opened until the next UTC day."""
    max_risk_per_trade: Annotated[
        float | None, Field(gt=0, le=1, description="above 0 to 1 (a fraction: 0.02 is 2 %), or nothing")
    ] = None
    """The most equity that any strategy's entry may risk at its stop, as a fraction; none: its own rule."""
    max_drawdown_pct: Percent = None
    """Percent below the highest equity at which no trade is opened until the breaker is reset."""
    max_exposure_pct: Exposure = None
    """Notional of all positions and open orders, long and short added up, in percent of equity."""
    max_symbol_exposure_pct: Exposure = None
    """The same of one symbol."""
    max_strategy_exposure_pct: Exposure = None
    """The same of one strategy."""
    max_order: Annotated[
        float | None, Field(gt=0, le=1e12, description="above 0 to 1e12 (quote currency), or nothing")
    ] = None
    """The most notional of one entry, in what the account counts in."""
    max_positions: Count = None
    """Positions open or asked for, counted by strategy and symbol."""
    cash_reserve_pct: Annotated[
        float | None, Field(ge=0, le=100, description="0 to 100 (percent of equity), or nothing")
    ] = None
    """Percent of equity that stays free cash."""
    cool_down_minutes: Annotated[
        float | None, Field(ge=0, le=100_000, description="0 to 100000 (minutes), or nothing")
    ] = None
    """How long a strategy enters nothing after it lost."""
    max_orders_per_minute: Count = None
    max_orders_per_day: Count = None
    """Entries approved, of all strategies together; the day is the UTC day."""
    min_notional: Annotated[
        float | None, Field(ge=0, le=1e9, description="0 to 1e9 (min_notional_currency), or nothing")
    ] = None
    """Smallest entry, besides the market's own smallest."""
    min_notional_currency: Annotated[
        str, Field(pattern=r"^[A-Z0-9]{1,20}$", description="a currency such as USDT")
    ] = "USDT"
    """What min_notional counts in; entries priced in another are held to the market's smallest alone."""
    price_band_pct: Percent = None
    """How far an entry's price may be from the last one."""
    allow_short: Switch = False
    """Whether what is not owned may be sold; only a margin market allows it."""
    correlation_cut: Annotated[
        float | None, Field(ge=0, le=1, description="0 to 1 (a fraction: 0.5 is half), or nothing")
    ] = None
    """Part of its size that an entry loses when another symbol held moves exactly with it."""
    correlation_bars: Annotated[
        int, Field(ge=30, le=5000, description="30 to 5000 (bars of the strategy's timeframe)")
    ] = 100
    """Returns that the correlation is measured over."""
    exit_pause_minutes: Annotated[
        float | None, Field(ge=0, le=1_000_000, description="0 to 1000000 (minutes), or nothing")
    ] = None
    """How long a strategy does not enter a symbol again that it left, whether it won or lost."""
    stop_guard_stops: Count = None
    """Losing stops of a strategy in so many minutes, after which it enters nothing for a while."""
    stop_guard_minutes: Minutes = 1440.0
    stop_guard_pause_minutes: Minutes = 240.0
    stop_guard_each_symbol: Switch = False
    """Whether stops are counted, and entries paused, symbol by symbol."""
    low_profit_pct: Annotated[
        float | None, Field(ge=-100, le=100, description="-100 to 100 (percent), or nothing")
    ] = None
    """What a strategy's trades in a symbol are to make in so many minutes, added up; with less it pauses."""
    low_profit_trades: SmallCount = 2
    """Fewer trades than this pause nothing."""
    low_profit_minutes: Minutes = 1440.0
    low_profit_pause_minutes: Minutes = 240.0
    recent_drawdown_pct: Percent = None
    """How far the results of a strategy's trades in so many minutes, added up, may fall; then it pauses."""
    recent_drawdown_trades: SmallCount = 2
    recent_drawdown_minutes: Minutes = 1440.0
    recent_drawdown_pause_minutes: Minutes = 240.0
    recent_drawdown_each_symbol: Switch = True
    max_trades_per_symbol_day: Count = None
    """Trades of a strategy in a symbol on a UTC day, after which it does not enter it until the next."""
    max_weekly_loss_pct: Percent = None
    """Percent of the week's first equity (from Monday, UTC) at which directional positions are closed; no
    trade is opened until the next week."""
    max_monthly_loss_pct: Percent = None
    """Percent of the calendar month's first equity at which everything is closed; no trade is opened until
    the breaker is reset."""
    loss_streak_losses: Count = None
    """Losses of a strategy one after the other, in so many minutes; then it enters nothing for a while."""
    loss_streak_minutes: Minutes = 10_080.0
    loss_streak_pause_minutes: Minutes = 240.0
    loss_streak_each_symbol: Switch = False
    max_symbol_loss_pct: Percent = None
    """Percent of the day's first equity that a symbol's trades of a UTC day may lose, of all strategies
    together; then nobody enters it until the next."""
    recovery_cut: Annotated[
        float | None, Field(ge=0, le=1, description="0 to 1 (a fraction: 0.5 is half), or nothing")
    ] = None
    """Part of its size that any entry loses for a while after a loss that had tripped a breaker ended."""
    recovery_minutes: Minutes = 2_880.0
    regime_trend: SizePart = 1.0
    """Part of its size that any entry keeps while its symbol is in a trend, up or down …"""
    regime_range: SizePart = 1.0
    """… without direction …"""
    regime_high_vol: SizePart = 1.0
    """… and wild; so is what a strategy may hold there at most. A strategy's own smaller part holds."""
    max_position_pct: Exposure = None
    """Notional of one strategy in one symbol, open orders too, in percent of equity."""
    max_correlated_exposure_pct: Exposure = None
    """The same of a symbol and all others held that move with it, of all strategies."""
    correlated_above: Annotated[
        float, Field(gt=0, le=1, description="above 0 to 1 (a correlation: 0.7 is a close one)")
    ] = 0.7
    """The correlation from which two symbols count together, over correlation_bars."""
    flash_crash_ranges: Annotated[
        float | None, Field(ge=1, le=1000, description="1 to 1000 (times the usual range), or nothing")
    ] = None
    """A bar that goes further from the close before it than so many times the median range of 24 bars pauses
    its symbol for all."""
    flash_crash_apart_pct: Percent = None
    """So does one whose return is so far from the median of the other symbols' at that time, in percent."""
    flash_crash_pause_minutes: Minutes = 240.0
    daily_loss_closes: ClosingWord = None
    """What the breaker closes when it trips; left out: nothing. The others: docs/live.md …"""
    daily_loss_waiting: WaitingWord = None
    """… what becomes of entries that wait for a price; left out: they are withdrawn …"""
    daily_loss_ends: EndsWord = None
    """… and what ends it; left out: the next UTC day."""
    weekly_loss_closes: ClosingWord = None
    weekly_loss_waiting: WaitingWord = None
    weekly_loss_ends: EndsWord = None
    monthly_loss_closes: ClosingWord = None
    monthly_loss_waiting: WaitingWord = None
    monthly_loss_ends: EndsWord = None
    drawdown_closes: ClosingWord = None
    drawdown_waiting: WaitingWord = None
    drawdown_ends: EndsWord = None

    @property
    def regimes(self) -> dict[str, float]:
        """The parts of their size that entries keep, by the names of core.sizing.Choices."""
        return {name: getattr(self, name) for name in ("regime_trend", "regime_range", "regime_high_vol")}

    @property
    def limits(self) -> Limits:
        """The limits besides the daily loss, as the risk manager takes them."""
        return Limits(**{limit.name: getattr(self, limit.name) for limit in fields(Limits)})


class BacktestSettings(Section):
    """Assumptions of a backtest."""

    default_cash: Annotated[float, Field(gt=0, le=1e12, description="above 0 to 1e12 (quote currency)")]
    commission_pct: Annotated[float, Field(ge=0, le=5, description="0 to 5 (percent: 0.1 is 0.1 %)")]
    """Percent of notional, charged on entry and on exit."""
    spread_pct: Annotated[float, Field(ge=0, le=5, description="0 to 5 (percent: 0.05 is 0.05 %)")] = 0.0
    """Percent of price, charged on entry."""

    @property
    def costs(self) -> Costs:
        """The costs as rates: 0.1 % is 0.001."""
        return Costs(self.commission_pct / 100, self.spread_pct / 100)


class LiveSettings(Section):
    """How orders at an exchange are handled, read when an account starts."""

    resting_stops: Switch = True
    """Whether stops rest at an exchange that takes them; else the program alone watches."""
    stop_limit_gap_pct: Annotated[Number, Field(ge=0.1, le=20, description="0.1 to 20 (percent)")] = 1.0
    """How far the limit of a stop that needs one lies below its price."""
    stop_patience_seconds: Annotated[Number, Field(ge=1, le=300, description="1 to 300 (seconds)")] = 10.0
    """For so long may a stop that was reached stay unfilled; then what is left is sold at the market."""
    losses_every_seconds: Annotated[
        Number,
        Field(ge=0, le=3600, description="0 to 3600 (seconds; 0: when a bar closes or an order fills)"),
    ] = 0.0
    """How often losses are looked at between bars, by the prices of now. A replay has none of these looks."""


class PaperSettings(Section):
    """Assumptions of paper trading and replays, besides those of a backtest."""

    volume_pct: Annotated[
        float | None,
        Field(gt=0, le=100, description="above 0 to 100 (percent of volume), or nothing"),
    ] = None
    """Most of a bar's volume that one order gets; the rest of it is cancelled. None: all is filled."""

    @property
    def volume_share(self) -> float | None:
        """The same as a fraction."""
        return None if self.volume_pct is None else self.volume_pct / 100


class AlertSettings(Section):
    """Which messages go where; keys, tokens and passwords of it are in the environment."""

    info: AlertRoute = None
    """Channels of fills, closed positions, start and end; none: nowhere but in the report."""
    warning: AlertRoute = None
    critical: AlertRoute = None
    report: AlertRoute = None
    """Channels of the daily report."""
    report_time: Annotated[ClockTime, Field(description="a time of day, UTC, such as 08:00")] = "08:00"
    """When the report of the day before is sent, UTC."""
    slippage_pct: Annotated[
        float, Field(gt=0, le=100, description="above 0 to 100 (percent of the order's price)")
    ] = 1.0
    """A fill that is worse than its order's price by more is told."""
    telegram_commands: Switch = True
    """Whether commands are taken from TELEGRAM_CHAT_ID."""
    telegram_api: Annotated[ApiUrl, Field(description="an address such as https://api.telegram.org")] = (
        "https://api.telegram.org"
    )
    smtp_host: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$", description="a mail server's name, or nothing")
    ] = None
    smtp_port: Annotated[int, Field(ge=1, le=65_535, description="1 to 65535")] = 587
    smtp_security: Annotated[
        str, Field(pattern="^(starttls|tls|none)$", description="starttls, tls (port 465) or none")
    ] = "starttls"
    smtp_user: Annotated[
        str | None, Field(pattern=r"^\S{1,320}$", description="a user's name, or nothing")
    ] = None
    smtp_from: MailAddresses = None
    smtp_to: MailAddresses = None

    @property
    def routes(self) -> dict[str, tuple[str, ...]]:
        """The channels by what goes to them: info, warning, critical, report."""
        named = {"info": self.info, "warning": self.warning, "critical": self.critical, "report": self.report}
        return {name: tuple(text.split(",")) for name, text in named.items() if text is not None}


class StrategySettings(Section):
    """One entry of strategies.yaml."""

    enabled: Switch
    symbols: Annotated[
        tuple[Symbol, ...],
        AfterValidator(distinct),
        Field(min_length=1, description="a list of symbols, such as [BTC/USDT, ETH/USDT]"),
    ]
    timeframe: Annotated[Timeframe, Field(description=f"one of {', '.join(TIMEFRAMES)}")]
    params: Annotated[
        Mapping[str, Number], Field(description="parameter names, each with a finite number")
    ] = {}
    """What differs from the rule's defaults; which names exist and how far they go is the rule's business."""
    universe: Annotated[
        tuple[Symbol, ...],
        AfterValidator(distinct),
        Field(description="a list of symbols, such as [BTC/USDT, ETH/USDT]"),
    ] = ()
    """The symbols that a rule which ranks compares; none: those that it trades, or that its file names."""
    execution: Annotated[
        str,
        Field(pattern=f"^({'|'.join(ALGORITHMS)})$", description=f"one of {', '.join(ALGORITHMS)}"),
    ] = MARKET_ALGO
    """How its entries and exits are executed at an exchange; what protects goes at the market."""


class MarketSettings(Section):
    """One series of candles to load."""

    symbol: Annotated[Symbol, Field(description=A_SYMBOL)]
    timeframe: Annotated[Timeframe, Field(description=f"one of {', '.join(TIMEFRAMES)}")]


class Settings(Section):
    """All settings."""

    exchange: ExchangeSettings
    db: DbSettings
    risk: RiskSettings
    backtest: BacktestSettings
    paper: PaperSettings = PaperSettings()
    live: LiveSettings = LiveSettings()
    execution: ExecutionSettings = ExecutionSettings()
    alerts: AlertSettings = AlertSettings()
    strategies: Mapping[str, StrategySettings]
    """By the strategy's module name, in the order of the file."""
    markets: tuple[MarketSettings, ...]


SECTIONS: dict[str, type[Section]] = {
    "exchange": ExchangeSettings,
    "db": DbSettings,
    "risk": RiskSettings,
    "backtest": BacktestSettings,
    "paper": PaperSettings,
    "live": LiveSettings,
    "execution": ExecutionSettings,
    "alerts": AlertSettings,
}
"""The sections of settings.yaml."""


def env_names() -> dict[str, tuple[str, str]]:
    """Return every environment variable that sets a key of settings.yaml, with that section and key."""
    names = {
        f"HOT_CRYPTO_{section}_{key}".upper(): (section, key)
        for section, model in SECTIONS.items()
        for key in model.model_fields
    }
    return {"EXCHANGE_BASE_URL": ("exchange", "base_url"), **names}


def is_text(section: str, key: str) -> bool:
    """Tell whether a key of settings.yaml holds text rather than a number, true or false."""
    return _holds_text(SECTIONS[section].model_fields[key].annotation)


def _holds_text(kind: object) -> bool:
    return kind is str or any(map(_holds_text, get_args(kind)))


def unknown_key(key: str, model: type[Section]) -> str:
    """Return the line for a key that a section does not have."""
    return unknown_name("key", key, model.model_fields)
