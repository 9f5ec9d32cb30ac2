"""What of a running loop is worth a message: each thing once, and once more when it is over."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from core.account.lots import Trade
from core.account.orders import Executed, Taken
from core.alerts.levels import KINDS, AlertLevel, Message
from core.alerts.watch import LASTS, LOST, NEAR, Watch
from core.cli import ROOT
from core.engine import Step
from core.errors import ExchangeUnreachableError
from core.live.status import AccountStatus, DeskStatus, PositionStatus, Standing
from core.order_path.alerts import Alert
from core.risk.use import LimitUse
from tests.account_help import D, fill_of, intent
from tests.status_help import CALM, FEED, NOON

AWAY = ExchangeUnreachableError("binanceus: no answer")
SILENT = FEED._replace(stale=True)
DESK = DeskStatus(journal=0, fills=0, disagreements=())


class World:
    """A watch, and what it told."""

    def __init__(self) -> None:
        self.told: list[Message] = []
        self.watch = Watch(self.told.append, 1.0)

    def sees(self, status: AccountStatus) -> list[tuple[str, str]]:
        """Return kind and text of what a status brings."""
        self.told.clear()
        self.watch.on_status(status)
        return [(one.kind, one.text) for one in self.told]


def standing(kind: str, ref: str = "") -> AccountStatus:
    return CALM._replace(desk=DESK._replace(standing=(Standing(kind, ref, "because", "--release halt"),)))


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (CALM._replace(breakers={"drawdown": "9 %"}), "breaker", "breaker drawdown tripped: 9 %"),
        (CALM._replace(quarantined={"A": "x"}), "quarantined", "A failed and enters nothing any more: x"),
        (CALM._replace(paused="by me"), "paused", "entries are paused: by me"),
        (CALM._replace(feeds=(SILENT,)), "feed", f"{FEED.series}: the feed is silent; nothing is entered"),
        (standing("halt"), "halt", "halt: because"),
        (standing("hold", "BTC/USDT"), "hold", "hold BTC/USDT: because"),
        (standing("exits", "BTC/USDT"), "exits", "exits BTC/USDT: because"),
    ],
)
def test_what_stands_in_the_way_is_told_once_and_again_when_it_is_over(
    status: AccountStatus, kind: str, text: str
) -> None:
    world = World()
    assert world.sees(CALM) == []
    assert world.sees(status) == [(kind, text)]
    assert world.told[0].level is KINDS[kind].level
    assert world.sees(status) == []
    assert world.sees(CALM) == [("over", f"no longer: {text}")]
    assert world.sees(status) == [(kind, text)]


def test_what_stands_at_the_start_is_told_then() -> None:
    assert World().sees(standing("halt")) == [("halt", "halt: because")]


def test_what_a_person_ordered_is_no_trouble() -> None:
    assert World().sees(standing("flatten", "BTC/USDT")) == []


def test_books_and_exchange_that_differ_are_told_when_it_lasts() -> None:
    world, differs = World(), CALM._replace(desk=DESK._replace(disagreements=("BTC +1", "ETH -2")))
    assert world.sees(differs) == []
    assert world.sees(differs._replace(time=NOON + LASTS - 1)) == []
    told = world.sees(differs._replace(time=NOON + LASTS))
    assert told == [("difference", "books and exchange differ: BTC +1; ETH -2")]
    assert world.told[0].level is AlertLevel.CRITICAL
    assert world.sees(CALM) == [("over", "no longer: books and exchange differ: BTC +1; ETH -2")]
    assert world.sees(differs._replace(time=NOON + 9 * LASTS)) == []


def held(price: float | None, **given: Any) -> AccountStatus:
    values: dict[str, Any] = {"side": "long", "entry_price": 100.0, "stop": 90.0, **given}
    position = PositionStatus(
        strategy="A", symbol="BTC/USDT", amount=D("0.5"), price=price, take=None, open_profit=None, **values
    )
    return CALM._replace(positions=(position,))


def test_a_position_near_its_stop_is_told_once_however_the_price_goes_to_and_fro() -> None:
    world = World()
    assert world.sees(held(100 - 10 * NEAR + 0.01)) == []
    ((kind, text),) = world.sees(held(100 - 10 * NEAR))
    assert kind == "near_stop"
    assert text == "A long 0.5 BTC/USDT is near its stop: now 92, stop 90, entered at 100"
    for price in (93.0, 91.0, 94.5, 91.5, 95.0, 92.0):
        assert world.sees(held(price)) == []
    # More than half of the way back it is away, and that is told to nobody.
    assert world.sees(held(95.01)) == []
    assert [kind for kind, _ in world.sees(held(91.0))] == ["near_stop"]


def test_of_a_position_that_is_closed_nothing_is_told_of_its_stop_any_more() -> None:
    world = World()
    assert [kind for kind, _ in world.sees(held(91.0))] == ["near_stop"]
    assert world.sees(CALM) == []
    assert [kind for kind, _ in world.sees(held(91.0))] == ["near_stop"]


def test_a_price_that_is_missing_for_a_while_tells_a_near_stop_no_second_time() -> None:
    world = World()
    world.sees(held(91.0))
    assert world.sees(held(None)) == []
    assert world.sees(held(91.0)) == []


def test_a_short_position_is_near_its_stop_from_below() -> None:
    assert World().sees(held(107.9, side="short", stop=110.0)) == []
    assert [kind for kind, _ in World().sees(held(108.0, side="short", stop=110.0))] == ["near_stop"]


@pytest.mark.parametrize(
    "status",
    [held(None), held(91.0, stop=None), held(91.0, entry_price=None), held(105.5, stop=105.0)],
)
def test_a_stop_that_is_not_known_or_protects_a_profit_is_not_near(status: AccountStatus) -> None:
    assert World().sees(status) == []


def test_a_limit_of_which_most_is_used_is_told() -> None:
    world = World()
    uses = LimitUse("max_exposure_pct", 48.0, 60.0), LimitUse("max_positions", 19, 20)
    text = "max_exposure_pct: 48.0 of 60 percent are used"
    assert world.sees(CALM._replace(uses=uses)) == [("near_limit", text)]
    assert world.sees(CALM._replace(uses=())) == [("over", "max_exposure_pct is no longer near its limit")]
    assert World().sees(CALM._replace(uses=(LimitUse("max_exposure_pct", 47.9, 60.0),))) == []


def step_of(**given: Any) -> Step:
    return Step(NOON, 10_000.0, **given)


def told_of(step: Step) -> list[tuple[str, str, AlertLevel]]:
    world = World()
    world.watch.on_step(step)
    return [(one.kind, one.text, one.level) for one in world.told]


def test_fills_are_told_each_for_itself() -> None:
    world, wanted = World(), intent(amount=D("0.5"))
    fills = tuple(Executed(wanted, fill_of(wanted, "100", id=str(n))) for n in range(2))
    world.watch.on_step(step_of(fills=fills))
    text = "A buy 0.5 BTC/USDT at 100 (entry)"
    assert [(one.kind, one.text, one.level) for one in world.told] == [("fill", text, AlertLevel.INFO)] * 2
    assert len({one.subject for one in world.told}) == 2


@pytest.mark.parametrize(
    ("side", "price", "is_told"),
    [
        ("buy", "101", False),
        ("buy", "101.01", True),
        ("sell", "99", False),
        ("sell", "98.99", True),
        ("buy", "50", False),
        ("sell", "150", False),
    ],
)
def test_a_fill_that_is_much_worse_than_its_orders_price_is_told(
    side: Any, price: str, is_told: bool
) -> None:
    wanted = intent(side=side)
    found = told_of(step_of(fills=(Executed(wanted, fill_of(wanted, price)),)))
    assert [kind for kind, *_ in found] == (["slippage", "fill"] if is_told else ["fill"])
    if price == "101.01":
        assert found[0][1] == "A buy 1 BTC/USDT at 101.01 instead of 100, 1.01 % worse"


def trade(reason: str) -> Trade:
    return Trade(
        strategy="A",
        symbol="BTC/USDT",
        side=1,
        amount=D(1),
        entry_time=NOON,
        exit_time=NOON + 1,
        entry_bar=NOON,
        exit_bar=NOON,
        entry_price=100.0,
        exit_price=90.0,
        gross=D(-10),
        fees=D("0.2"),
        reason=reason,
    )


@pytest.mark.parametrize(
    ("reason", "kind"), [("stop", "stop"), ("trail", "stop"), ("take", "trade"), ("rule", "trade")]
)
def test_a_stop_that_closed_a_position_is_a_warning_and_any_other_end_is_not(reason: str, kind: str) -> None:
    text = f"A BTC/USDT closed: -10.20 USDT after fees ({reason})"
    assert told_of(step_of(trades=(trade(reason),))) == [(kind, text, KINDS[kind].level)]


def test_what_others_took_is_told() -> None:
    taken = Taken(strategy="A", symbol="BTC/USDT", amount=D(1), proceeds=Decimal("99"), cause="sold")
    ((kind, text, _),) = told_of(step_of(taken=(taken,)))
    assert (kind, text) == ("taken", "A BTC/USDT: others took 1 (sold), 99 came to cash")


@pytest.mark.parametrize(
    "kind", ["unknown", "refused", "retried", "foreign", "adjusted", "lost", "never heard of"]
)
def test_events_of_the_order_path_have_the_level_of_the_table_or_of_who_tells_them(kind: str) -> None:
    world = World()
    world.watch.on_alert(Alert(kind, "BTC/USDT", "text"), NOON)
    world.watch.on_alert(Alert(kind, "BTC/USDT", "text", critical=True), NOON)
    known = kind if kind in KINDS else "adjusted"
    assert [(one.kind, one.level) for one in world.told] == [
        (known, KINDS[known].level),
        (known, AlertLevel.CRITICAL),
    ]


@pytest.mark.parametrize("kind", ["halt", "hold", "exits"])
def test_what_the_status_tells_as_long_as_it_stands_is_not_told_twice(kind: str) -> None:
    world = World()
    world.watch.on_alert(Alert(kind, "", "text", critical=True), NOON)
    assert world.told == []


def test_an_exchange_that_does_not_answer_is_told_and_that_it_is_lost_and_that_it_is_back() -> None:
    world = World()
    world.watch.on_exchange(None, NOON)
    for time in (0, 1_000, LOST, LOST + 1, LOST + 2):
        world.watch.on_exchange(AWAY, NOON + time)
    world.watch.on_exchange(None, NOON + 2 * LOST)
    world.watch.on_exchange(None, NOON + 2 * LOST + 1)
    assert [(one.kind, one.level, one.time - NOON) for one in world.told] == [
        ("exchange", AlertLevel.WARNING, 0),
        ("exchange_lost", AlertLevel.CRITICAL, LOST + 1),
        ("over", AlertLevel.WARNING, 2 * LOST),
    ]
    assert world.told[1].text == "the exchange has not answered for 5 minutes: binanceus: no answer"


def test_the_page_on_alerts_has_every_kind_with_its_level() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    rows = [f"| `{name}` | {kind.level.value.upper()} | {kind.meaning} |" for name, kind in KINDS.items()]
    assert "\n".join(rows) in page


def test_every_event_that_the_order_path_tells_and_all_that_stands_in_the_way_has_a_kind() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "core").rglob("*.py")]
    told = {kind for text in sources for kind in re.findall(r"\bAlert\(\s*\"([a-z_]+)\"", text)}
    stands = {kind for text in sources for kind in re.findall(r"\bStanding\(\s*\"([a-z_]+)\"", text)}
    assert {"lost", "taken", "exchange"} <= told
    assert {"halt", "hold", "exits", "difference"} <= stands
    # What a person ordered closed is no trouble.
    assert (told | stands) - KINDS.keys() == {"flatten"}
