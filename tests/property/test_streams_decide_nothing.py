"""A loop with streams decides and fills what it does without: they only say when to look."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.live.hearing import Hearing
from core.streams.hints import Hint, OrderHint, StreamGap, candle
from core.streams.inbox import Inbox
from tests.markets import HOUR, START
from tests.stream_help import BTC, OWN
from tests.tiers import tries
from tests.unit.test_loop import World

BARS = 20
ORDERS = {3: 1.0, 6: 3.0, 9: 1.0, 11: 1.0, 15: 3.0}
"""What the scripted strategy wants at which bar."""
WORDS = st.one_of(
    st.tuples(st.just("candle"), st.integers(-2, 3), st.floats(1, 1e6), st.booleans()),
    st.tuples(st.just("order"), st.integers(0, 5), st.just(0.0), st.booleans()),
    st.tuples(st.just("gap"), st.integers(0, 1), st.just(0.0), st.booleans()),
)


def told(world: World) -> tuple[Any, ...]:
    """Return what was decided and what came of it."""
    fills = [(one.fill.price, one.fill.amount) for step in world.memory.steps for one in step.fills]
    trades = [trade for step in world.memory.steps for trade in step.trades]
    return list(world.memory.decided), fills, trades, world.session.portfolio.cash


def say(inbox: Inbox, bar: int, word: tuple[str, int, float, bool]) -> None:
    kind, number, value, flag = word
    if kind == "gap":
        inbox.put_gap(StreamGap("line", (OWN if number else BTC,), "closed"))
        return
    numbers = (value, value, value, value, 1.0)
    hint: Hint = OrderHint(str(number), "", "BTC/USDT", "fill" if flag else "")
    if kind == "candle":
        hint = candle("BTC/USDT", "1h", START + (bar + number) * HOUR, numbers, is_final=flag)
    inbox.put([hint])


@settings(max_examples=tries(25, 7), deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, HOUR - 1), WORDS), max_size=4), max_size=BARS))
def test_whatever_streams_say_the_same_is_decided_filled_and_traded(
    said: list[list[tuple[int, tuple[str, int, float, bool]]]],
) -> None:
    plain, hinted = World(ORDERS), World(ORDERS)
    inbox = Inbox()
    hinted.loop.hearing = Hearing(inbox, lambda: 0)
    for bar in range(2, BARS):
        plain.at(bar, late=1_000)
        hinted.at(bar)
        for moment, word in sorted(said[bar] if bar < len(said) else []):
            # A hint wakes the loop in the middle of a bar.
            say(inbox, bar, word)
            hinted.at(bar, late=moment)
    assert told(hinted) == told(plain)
    assert len(told(plain)[1]) > 2
