"""One connection and its streams: whatever happens, a gap is told and it is dialled again (W1 to W20)."""

from __future__ import annotations

import asyncio

import pytest

from core.streams.hints import ORDERS
from core.streams.line import ChannelRefusedError, StreamError, Timing
from tests.stream_help import BTC, ETH, ORDER, OWN, QUICK, Act, Rig, bar


@pytest.mark.parametrize(
    "end", [ConnectionResetError(), StreamError("no answer"), ValueError("bad frame"), "end"], ids=repr
)
def test_w3_however_a_connection_ends_a_gap_is_told_and_it_is_dialled_again(end: Act) -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [[bar(1), end], [bar(2)]]})
        await rig.run(
            lambda: bar(2).ts in {one.ts for one in rig.inbox._candles.get(("BTC/USDT", "1m"), {}).values()}
        )
        hints, gaps = rig.told()
        assert [one.ts for one in hints] == [bar(2).ts]  # type: ignore[union-attr]
        assert [gap.channels for gap in gaps] == [(BTC,)]
        assert rig.source.drops == 1
        assert rig.source.closes == 1

    asyncio.run(scenario())


def test_what_broke_a_connection_is_said_in_words_of_this_program_alone() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [[ValueError("wss://stream/listen-key-canary")], [StreamError("no answer")]]})
        await rig.run(lambda: rig.source.drops == 2)
        _, gaps = rig.told()
        assert [gap.why for gap in gaps] == ["the stream ended", "no answer"]

    asyncio.run(scenario())


def test_w1_a_message_that_cannot_be_read_replaces_a_connection_whose_task_waits_for_ever() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [["hang"], [bar(2), "hang"]]})
        rig.source.then = lambda: rig.line.break_off("a message could not be read")
        await rig.run(lambda: rig.source.drops >= 1 and len(rig.source.watched) >= 2)
        _, gaps = rig.told()
        assert gaps[0].why == "a message could not be read"

    asyncio.run(scenario())


def test_w4_a_stream_without_data_is_replaced_whatever_its_connection_says() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [["connect", bar(1), "connect", "hang"]]})
        rig.source.then = lambda: setattr(rig, "now", rig.now + 10)
        await rig.run(lambda: rig.source.drops >= 1)
        _, gaps = rig.told()
        assert gaps[0].why == "no data of BTC/USDT 1m"

    asyncio.run(scenario())


def test_w4_one_mute_stream_among_talking_ones_is_noticed() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [[bar(1), "hang"]], ETH: [["hang"]]})
        rig.now = 5
        rig.source.then = lambda: setattr(rig, "now", rig.now + 10)
        await rig.run(lambda: rig.source.drops >= 1)
        _, gaps = rig.told()
        assert "ETH/USDT" in gaps[0].why

    asyncio.run(scenario())


def test_a_quiet_market_is_given_twice_the_time_after_each_connection_that_brought_nothing() -> None:
    rig = None

    async def scenario() -> None:
        nonlocal rig
        rig = Rig({BTC: []}, Timing(silence=10.0, most_silence=35.0))
        assert rig.line._patience() == 10.0
        for patience in (20.0, 35.0, 35.0):
            rig.line._mute[BTC] += 1
            assert rig.line._patience() == patience
        rig.line._take([bar(1)])
        assert rig.line._patience() == 10.0

    asyncio.run(scenario())


def test_orders_come_seldom_so_their_silence_says_nothing() -> None:
    async def scenario() -> None:
        rig = Rig({OWN: []})
        assert rig.line._patience() is None

    asyncio.run(scenario())


def test_w7_a_stream_that_the_venue_refuses_is_off_and_the_others_go_on() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [[bar(1), "hang"]], ETH: [[ChannelRefusedError("the venue does not offer it")]]})
        await rig.run(lambda: any(one.refused for one in rig.line.states()) and rig.line.is_connected)
        letters = rig.inbox.take()
        assert letters.gaps == ()
        assert letters.notes == (
            "the stream of ETH/USDT 1m is off, REST goes on: the venue does not offer it",
        )
        assert {one.channel: one.refused for one in rig.line.states()}[BTC] == ""
        assert rig.source.drops == 0

    asyncio.run(scenario())


def test_a_line_whose_streams_are_all_refused_ends() -> None:
    async def scenario() -> None:
        rig = Rig({ETH: [[ChannelRefusedError("no")]]})
        async with asyncio.timeout(5):
            await rig.line.run(rig.stop)
        assert rig.source.closes == 1

    asyncio.run(scenario())


@pytest.mark.unmeasured
def test_w6_a_connection_that_flaps_is_dialled_sixty_times_in_five_minutes_and_no_more() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [[StreamError("closed")]] * 1000})
        await rig.run(lambda: rig.budget.is_spent)
        assert rig.budget.total == 60
        rig.now += 150_000
        assert not rig.budget.may_dial()
        rig.now += 150_000
        assert rig.budget.may_dial()

    asyncio.run(scenario())


def test_w20_a_line_ends_soon_while_it_waits_for_its_turn_to_dial() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [[StreamError("closed", pause=3600.0)]]}, QUICK._replace(glance=3600.0))
        await rig.run(lambda: rig.source.drops == 1)
        rig = Rig({BTC: []}, QUICK._replace(glance=3600.0))
        for _ in range(60):
            rig.budget.dial()
        await rig.run(lambda: True)
        assert rig.source.watched == []

    asyncio.run(scenario())


def test_w20_a_connection_that_cannot_be_closed_does_not_keep_the_end_waiting() -> None:
    async def scenario() -> None:
        rig = Rig({BTC: [["hang"]]})
        rig.source.hang_on_close = True
        await rig.run(lambda: rig.source.watched == [BTC])
        assert rig.source.closes == 1

    asyncio.run(scenario())


def test_a_task_is_never_cancelled_while_its_connection_lives() -> None:
    async def scenario() -> None:
        rig = Rig({OWN: [["connect", "hang"]], BTC: [[bar(n) for n in range(50)] + ["hang"]]})
        await rig.run(lambda: rig.line.states()[1].last_at is not None and rig.source.cancelled == [])
        assert sorted(one.kind for one in rig.source.cancelled) == ["candles", ORDERS]

    asyncio.run(scenario())


def test_an_order_is_handed_on_at_once() -> None:
    async def scenario() -> None:
        rig = Rig({OWN: [[ORDER, "hang"]]})
        await rig.run(lambda: rig.line.states()[0].last_at is not None)
        assert rig.told()[0] == [ORDER]

    asyncio.run(scenario())


def test_a_connection_that_lived_long_is_dialled_again_without_a_long_pause() -> None:
    async def scenario() -> None:
        rig = Rig({OWN: [["connect", "hang"]] * 3})
        rig.line.fails = 7

        def end() -> None:
            rig.now += 10_000
            rig.line.break_off("its key expired")

        rig.source.then = end
        await rig.run(lambda: rig.source.drops == 1)
        assert rig.line.fails == 1

    asyncio.run(scenario())
