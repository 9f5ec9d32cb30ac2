"""What faults do to streams, without a socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.exchange_sim import stream_faults
from core.exchange_sim.stream_faults import KINDS, StreamFault, StreamSchedule, parse_stream_faults
from core.exchange_sim.stream_spoiler import NO_TEXT, SocketFrame
from tests.exchange_help import FakeTime
from tests.sim import HOUR, MINUTE, NOON
from tests.unit.test_sim_account_streams import events_of, kinds, private_stream, trader, user_stream
from tests.ws_help import Wire, public_streams, streaming

TRADES = "/ws/btcusdt@trade"


def spoiled(*faults: StreamFault, path: str = TRADES) -> Wire:
    return Wire(public_streams(faults=faults), path, NOON)


def sound(minutes: int = 1) -> list[str]:
    return [frame.text for frame in spoiled().frames(NOON + minutes * MINUTE)]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("fault", "frame"),
    [
        (StreamFault("wrong_type"), SocketFrame("[]")),
        (StreamFault("bad_utf8"), SocketFrame(raw=NO_TEXT)),
        (StreamFault("close", code=1008), SocketFrame(close=1008)),
        (StreamFault("close"), SocketFrame(close=1012)),
        (StreamFault("reset"), SocketFrame(end="reset")),
        (StreamFault("fin"), SocketFrame(end="fin")),
    ],
)
def test_one_message_is_replaced_and_the_next_is_sound(fault: StreamFault, frame: SocketFrame) -> None:
    wire = spoiled(fault)
    assert wire.frames(NOON + MINUTE) == [frame, *map(SocketFrame, sound()[1:])]
    assert wire.streams.faults.met == [fault.kind]


def test_a_message_is_cut_lost_or_doubled() -> None:
    whole = sound()
    half = whole[0][: len(whole[0]) // 2]
    for kind, first in (("cut_json", [half]), ("lost", []), ("doubled", [whole[0]] * 2)):
        assert [one.text for one in spoiled(StreamFault(kind)).frames(NOON + MINUTE)] == first + whole[1:]


def test_every_third_message_can_be_lost() -> None:
    wire = spoiled(StreamFault("lost", every=3, after=1, times=2))
    whole = sound()
    assert [one.text for one in wire.frames(NOON + MINUTE)] == [
        row for place, row in enumerate(whole) if place not in (3, 6)
    ]


def test_two_messages_change_places() -> None:
    wire, whole = spoiled(StreamFault("swapped", after=1)), sound()
    assert [one.text for one in wire.frames(NOON + MINUTE)] == [
        *(whole[0], whole[2], whole[1]),
        *whole[3:],
    ]


def test_a_channel_goes_mute_while_others_go_on() -> None:
    wire = spoiled(StreamFault("mute", channel="trade", after=3), path="/ws/btcusdt@trade/btcusdt@kline_1m")
    said = [row["e"] for minute in range(1, 9) for row in wire.at(NOON + minute * MINUTE)]
    assert said.count("trade") == 3
    assert said.count("kline") == 16


def test_a_mute_channel_speaks_again_when_its_time_is_over() -> None:
    wire = spoiled(StreamFault("mute", seconds=90))
    assert wire.at(NOON + MINUTE) == []
    assert wire.at(NOON + MINUTE + 1000) == []
    assert wire.at(NOON + 4 * MINUTE) != []


def test_thousands_of_messages_can_come_at_once() -> None:
    wire, whole = spoiled(StreamFault("held", count=40)), sound(4)
    assert [wire.frames(NOON + minute * MINUTE) for minute in (1, 2)] == [[], []]
    assert [one.text for one in wire.frames(NOON + 4 * MINUTE)] == whole


def test_another_channel_or_venue_meets_nothing() -> None:
    for fault in (StreamFault("lost", channel="kline"), StreamFault("lost", venue="kraken")):
        assert [one.text for one in spoiled(fault).frames(NOON + MINUTE)] == sound()


def test_answers_heartbeats_and_status_meet_only_what_names_them() -> None:
    ask = {"method": "subscribe", "params": {"channel": "trade", "symbol": ["LTC/USD"]}}
    wire = spoiled(StreamFault("lost", times=9), path="/v2")
    assert [row["channel"] for row in wire.take()] == ["status"]
    assert wire.say(ask)[0]["success"] is True
    named = spoiled(StreamFault("lost", channel="status"), StreamFault("lost", channel="reply"), path="/v2")
    assert named.take() == []
    assert named.say(ask) == []
    assert named.say({"method": "ping"})[0]["method"] == "pong"


def test_a_subscription_is_refused_or_not_heard_or_not_answered() -> None:
    trade = {"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USD"]}, "req_id": 3}
    wire = spoiled(
        StreamFault("refused", channel="trade"),
        StreamFault("unheard", after=1),
        StreamFault("no_ack", after=2),
        path="/v2",
    )
    wire.take()
    (refusal,) = wire.say(trade)
    assert (refusal["success"], refusal["error"], refusal["req_id"]) == (
        *(False, "Currency pair not supported BTC/USD"),
        3,
    )
    assert wire.say(trade) == []
    assert wire.at(NOON + MINUTE) == []
    assert wire.say(trade) == []
    assert [row["channel"] for row in wire.at(NOON + 2 * MINUTE)] == ["trade"]
    us = spoiled(StreamFault("refused", channel="@trade"), path="/ws/0")
    asked = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 5}
    assert us.say(asked)[0]["error"]["code"] == 2
    assert us.say(asked) == [{"result": None, "id": 5}]


def test_a_token_is_refused_once() -> None:
    time = FakeTime()
    with streaming(clock=time.clock, stream_faults=[StreamFault("refused", channel="executions")]) as sim:
        exchange = trader(sim, time, "kraken")
        one, two = (private_stream(sim, exchange, "executions").all for _ in range(2))
        exchange.session.close()
    assert one[-1]["error"] == "ESession:Invalid session"
    assert two[-1]["type"] == "snapshot"


def test_connections_flap_and_pings_stay_unanswered() -> None:
    streams = public_streams(faults=[StreamFault("close", channel="connection", times=3, code=1001)])
    ends = [Wire(streams, "/v2", NOON).connection.take()[0].close for _ in range(4)]
    assert ends == [1001, 1001, 1001, 0]
    assert streams.dials == ["/v2"] * 4
    deaf = spoiled(StreamFault("no_pong"), path="/v2")
    deaf.take()
    assert deaf.say({"method": "ping"}) == []
    assert not deaf.connection.spoiler.answers_pings


def test_a_fill_is_told_before_the_execution_that_made_it() -> None:
    time = FakeTime()
    faults = [StreamFault("swapped", channel="executions", says="trade")]
    with streaming(clock=time.clock, stream_faults=faults) as sim:
        exchange = trader(sim, time, "kraken")
        stream = private_stream(sim, exchange, "executions")
        exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        messages = stream.news()
        exchange.session.close()
    assert [one["exec_type"] for one in events_of(messages)] == ["pending_new", "new", "filled", "trade"]
    assert [one["sequence"] for one in messages] == [2, 3, 5, 4]


def test_events_of_several_kinds_come_in_one_message() -> None:
    time = FakeTime()
    faults = [StreamFault("mixed", channel="executions", says="trade")]
    with streaming(clock=time.clock, stream_faults=faults) as sim:
        exchange = trader(sim, time, "kraken")
        stream = private_stream(sim, exchange, "executions")
        for _ in range(2):
            exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        messages = stream.news()
        exchange.session.close()
    assert [[event["exec_type"] for event in one["data"]] for one in messages[:4]] == [
        *(["pending_new"], ["new"], ["trade", "filled"], ["pending_new"]),
    ]
    assert [one["sequence"] for one in messages] == list(range(2, 2 + len(messages)))


@pytest.mark.parametrize(("kind", "numbers"), [("jump", [2, 10, 11, 12]), ("restart", [2, 1, 2, 3])])
def test_the_numbers_of_messages_leap_or_begin_anew(kind: str, numbers: list[int]) -> None:
    time = FakeTime()
    with streaming(clock=time.clock, stream_faults=[StreamFault(kind, says="new")]) as sim:
        exchange = trader(sim, time, "kraken")
        stream = private_stream(sim, exchange, "executions")
        exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        messages = stream.news()
        exchange.session.close()
    # `pending_new` says "new" nowhere as a word of its own.
    assert [one["sequence"] for one in messages] == numbers


def binance_account(fault: StreamFault) -> tuple[list[Any], list[Any], list[str]]:
    """Return what a stream tells of two orders while a fault is there, and what a new one does afterwards."""
    time = FakeTime()
    with streaming(clock=time.clock, stream_faults=[fault]) as sim:
        exchange = trader(sim, time)
        stream = user_stream(sim, exchange)
        for _ in range(2):
            exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        told = stream.news()
        other = user_stream(sim, exchange)
        exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        stream.news()
        exchange.session.close()
        return told, other.news(), sim.streams.faults.met


def test_a_listen_key_ends_and_nobody_is_told() -> None:
    told, again, met = binance_account(StreamFault("key_ended", after=2))
    assert kinds(told) == ["executionReport NEW NEW", "executionReport TRADE FILLED"]
    assert kinds(again)[0] == "executionReport NEW NEW"
    assert met == ["key_ended"]


def test_a_stream_is_terminated_and_silent_from_then_on() -> None:
    told, again, _ = binance_account(StreamFault("terminated", channel="executionReport", after=1))
    assert kinds(told) == ["executionReport NEW NEW", "eventStreamTerminated"]
    assert len(again) > 2


def test_the_venue_shuts_down_with_a_word_before_it() -> None:
    wire = spoiled(StreamFault("shutdown", after=1, seconds=600))
    said = wire.at(NOON + MINUTE)
    assert [row["e"] for row in said][:3] == ["trade", "serverShutdown", "trade"]
    wire.at(NOON + 10 * MINUTE)
    assert [one.close for one in wire.frames(NOON + 11 * MINUTE)][-1] == 1001


def test_what_only_one_venue_has_meets_nothing_at_the_other() -> None:
    for kind in ("mixed", "jump", "restart", "key_ended", "terminated"):
        assert [one.text for one in spoiled(StreamFault(kind)).frames(NOON + MINUTE)] == sound()


def test_faults_at_random_are_the_same_for_the_same_seed_and_leave_answers_alone() -> None:
    def session(seed: int) -> tuple[list[SocketFrame], list[str]]:
        wire = Wire(public_streams(faults=StreamSchedule(seed, 0.3)), "/ws/0", NOON)
        asked = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}
        assert wire.say(asked) == [{"result": None, "id": 1}]
        return wire.frames(NOON + HOUR), wire.streams.faults.met

    one, two, other = session(3), session(3), session(4)
    assert one == two != other
    assert len(set(one[1])) > 5


def test_a_command_line_says_what_goes_wrong() -> None:
    assert parse_stream_faults("0.02", 5) == StreamSchedule(5, 0.02)
    assert parse_stream_faults("mute:channel=trade:seconds=2.5,close:code=1001:after=2:times=3", 5) == (
        StreamFault("mute", channel="trade", seconds=2.5),
        StreamFault("close", code=1001, after=2, times=3),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mut", "unknown stream fault 'mut'"),
        ("2", "share of messages from 0 to 1, got 2"),
        ("nan", "share of messages from 0 to 1"),
        ("lost:foo=1", "unknown fault option 'foo'"),
        ("lost:every=0", "stream fault option every wants 1 to"),
        ("lost:times=x", "fault option times wants a number, got 'x'"),
        ("lost:times=1:times=2", "is given twice"),
        ("lost:venue=gemini", "venue wants binanceus or kraken, got 'gemini'"),
        ("close:code=99", "code wants 1000 to 4999, got 99"),
        ("mute:seconds=-1", "seconds wants 0 to"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_stream_faults(text, 5)


def test_a_schedule_wants_faults_of_messages() -> None:
    with pytest.raises(UsageError, match="unknown stream fault 'refused'"):
        StreamSchedule(1, 0.1, ("refused",))


def test_every_kind_is_described_and_tested() -> None:
    text = Path(__file__).read_text("utf-8")
    for kind in KINDS:
        assert kind in (stream_faults.__doc__ or "")
        assert f'"{kind}"' in text


def test_a_plan_can_be_changed_while_it_runs() -> None:
    time = FakeTime()
    with streaming(clock=time.clock) as sim:
        exchange = trader(sim, time)
        stream = user_stream(sim, exchange)
        sim.set_stream_faults([StreamFault("lost", channel="executionReport")])
        exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        assert kinds(stream.news())[0] == "executionReport TRADE FILLED"
        sim.set_stream_faults([])
        sim.end_listen_key()
        exchange.create_order("BTC/USDT", "market", "buy", 0.001)
        assert stream.news() == []
        exchange.session.close()
    assert json.dumps(sim.streams.faults.met) == '["lost"]'
