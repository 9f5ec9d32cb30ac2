"""A status in which everything that one can hold is there, and one of an account at rest."""

from __future__ import annotations

from decimal import Decimal

from core.live.status import (
    AccountStatus,
    DeskStatus,
    FeedStatus,
    JournalOrder,
    Outside,
    PositionStatus,
    Standing,
    StopStatus,
    StreamChannelStatus,
    StreamStatus,
    WaitingStatus,
    WorkStatus,
)
from core.risk.use import LimitUse

NOON = 1_700_000_000_000
HELD = PositionStatus(
    strategy="TREND_EMA",
    symbol="BTC/USDT",
    side="long",
    amount=Decimal("0.5"),
    entry_price=43_210.5,
    price=0.123456,
    stop=None,
    take=50_000.0,
    open_profit=12.5,
)
FEED = FeedStatus("binanceus BTC/USDT 1h", NOON, 61_000, stale=False)
HOLD = Standing("hold", "BTC/USDT", "others sold", "--accept BTC/USDT")
DESK = DeskStatus(
    journal=7,
    fills=2,
    disagreements=("BTC +1",),
    head="ab12" * 16,
    standing=(HOLD, Standing("halt", "", "doubled", "--release halt")),
    orders=(JournalOrder("k", "open", Decimal("0.25")),),
    foreign_orders=("sell 1 ETH/USDT, order 7",),
    stops=(
        StopStatus("TREND_EMA", "BTC/USDT", "exchange", "", "12", Decimal(95), Decimal(94), Decimal("0.5")),
        StopStatus("MR_BB", "BTC/USDT", "program", "too small", "", Decimal(95), None, Decimal("0.5")),
    ),
    outside=(Outside("BTC", Decimal("0.5"), 36_000.0), Outside("DOGE", Decimal("-3"), None)),
    algorithms={"TREND_EMA": "limit_chase"},
    works=(WorkStatus("k", "limit_chase", Decimal("0.25"), Decimal(1), 2, "maker 0.75 at 95"),),
)
STREAMS = StreamStatus(
    mode="REST",
    why="too many connections",
    dials=61,
    gaps=60,
    differences=1,
    dropped=2,
    channels=(StreamChannelStatus("BTC/USDT 1h", NOON), StreamChannelStatus("orders", None, "not offered")),
)
STATUS = AccountStatus(
    time=NOON,
    equity=10_012.5,
    cash=Decimal("9000.25"),
    positions=(HELD, HELD._replace(open_profit=None, price=None)),
    open_orders=(WaitingStatus("k", "buy", Decimal(1)),),
    breakers={"daily_loss": "3 % lost"},
    paused="by me",
    quarantined={"MR_BB": "ValueError"},
    feeds=(FEED, FEED._replace(last=None, stale=True)),
    currency="",
    reserved=Decimal("1.50"),
    limits=("A asks for 3 %",),
    cuts={"A by exposure": 1_200},
    uses=(LimitUse("max_symbol_exposure_pct", 43.2, 50.0, "BTC/USDT"), LimitUse("max_positions", 1.0, 5.0)),
    desk=DESK,
    streams=STREAMS,
)
CALM = AccountStatus(
    time=NOON,
    equity=10_000.0,
    cash=Decimal(10_000),
    positions=(),
    open_orders=(),
    breakers={},
    paused="",
    quarantined={},
    feeds=(),
)
