from __future__ import annotations

import json

import pytest

from core.errors import UsageError
from core.exchange_sim.faults import (
    BODY_KINDS,
    CANDLE_KINDS,
    CONNECTION_KINDS,
    KINDS,
    ORDER_KINDS,
    TRADING_KINDS,
    Fault,
    FaultPlan,
    FaultSchedule,
    instead,
    parse_faults,
    plan_of,
    spoiled,
    trading_schedule,
)
from core.exchange_sim.venue import SimAnswer, SimRequest, as_json
from tests.sim import NOON

KLINES, TIME, OHLC = "/api/v3/klines", "/api/v3/time", "/0/public/OHLC"
ROWS = [[n, "10.0", "12.0", "9.0", "11.0", "5.0"] for n in range(10)]
SOUND = as_json(ROWS)._replace(headers=(("X-MBX-USED-WEIGHT", "1"),))


def met(plan: FaultPlan, *paths: str) -> list[str]:
    return [fault.kind if (fault := plan.next(path)) else "" for path in paths]


def after(kind: str, answer: SimAnswer = SOUND, seed: int = 1, **how: float) -> SimAnswer:
    fault = Fault(kind, **how)  # type: ignore[arg-type]
    return spoiled(fault, answer, None, seed)


def rows_after(kind: str, seed: int = 1) -> list[list[object]]:
    rows: list[list[object]] = json.loads(after(kind, seed=seed).body)
    return rows


def test_a_listed_fault_meets_matching_requests_so_often_and_no_more() -> None:
    plan = plan_of([Fault("status", path="klines", times=2)])
    assert met(plan, KLINES, TIME, KLINES, KLINES) == ["status", "", "status", ""]


def test_a_listed_fault_can_let_some_requests_pass_first() -> None:
    plan = plan_of([Fault("html", path="klines", after=2)])
    assert met(plan, KLINES, TIME, KLINES, KLINES, KLINES) == ["", "", "", "html", ""]


def test_of_two_faults_for_one_request_the_first_comes_first() -> None:
    plan = plan_of([Fault("html"), Fault("empty", times=2)])
    assert met(plan, TIME, TIME, TIME, TIME) == ["html", "empty", "empty", ""]


def test_faults_of_candles_wait_for_candles() -> None:
    plan = plan_of([Fault("missing")])
    assert met(plan, TIME, KLINES, OHLC) == ["", "missing", ""]


def test_the_same_seed_and_requests_meet_the_same_faults() -> None:
    paths = [KLINES, TIME] * 200
    one, two, other = (met(plan_of(FaultSchedule(seed, 0.3)), *paths) for seed in (7, 7, 8))
    assert one == two != other
    assert 80 < sum(kind != "" for kind in one) < 160
    assert not set(one[1::2]) & set(CANDLE_KINDS)
    assert set(one) - {""} == set(KINDS)


def test_a_schedule_of_candle_faults_leaves_other_requests_alone() -> None:
    assert met(plan_of(FaultSchedule(7, 1.0, ("stale",))), TIME) == ["stale"]
    assert met(plan_of(FaultSchedule(7, 1.0, ("missing",))), TIME, KLINES) == ["", "missing"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_status_comes_with_a_page_in_html(status: int) -> None:
    answer = after("status", status=status)
    assert (answer.status, answer.content_type) == (status, "text/html")
    assert answer.headers == SOUND.headers


def test_a_rate_limit_says_when_to_come_back_in_each_venues_words() -> None:
    fault = Fault("rate_limit", seconds=3.0)
    us, kraken = (instead(fault, SimRequest("GET", path, {}), NOON) for path in (KLINES, OHLC))
    assert (us.status, us.headers) == (429, (("Retry-After", "3"),))
    assert json.loads(us.body) == {"code": -1003, "msg": "Too many requests."}
    assert json.loads(kraken.body) == {"error": ["EGeneral:Too many requests"]}


def test_bodies_that_are_not_the_answer() -> None:
    assert after("html").content_type == "text/html"
    assert after("html").status == 200
    assert after("empty").body == b""
    assert SOUND.body.startswith(after("cut_json").body)
    assert len(after("cut_json").body) == len(SOUND.body) // 2


def test_a_stale_answer_is_the_previous_one_to_the_same_question() -> None:
    old = as_json([["old"]])
    assert spoiled(Fault("stale"), SOUND, old, 1).body == old.body
    assert spoiled(Fault("stale"), SOUND, None, 1) == SOUND


@pytest.mark.parametrize("kind", CONNECTION_KINDS)
def test_faults_of_the_connection_leave_the_answer_alone(kind: str) -> None:
    assert after(kind) == SOUND


@pytest.mark.parametrize("seed", range(8))
def test_missing_candles_are_one_to_three_in_the_middle(seed: int) -> None:
    kept = [row[0] for row in rows_after("missing", seed)]
    gone = sorted(set(range(10)) - set(kept))
    assert 1 <= len(gone) <= 3
    assert gone == list(range(gone[0], gone[-1] + 1))
    assert (kept[0], kept[-1]) == (0, 9)


@pytest.mark.parametrize("seed", range(8))
def test_a_duplicate_candle_stands_beside_its_twin(seed: int) -> None:
    stamps = [row[0] for row in rows_after("duplicate", seed)]
    assert sorted(stamps) == stamps  # type: ignore[type-var]
    assert (len(stamps), len(set(stamps))) == (11, 10)


def test_garbage_spoils_one_value_of_one_row_in_many_ways() -> None:
    found = set()
    for seed in range(60):
        changed = [
            (old, new) for old, new in zip(ROWS, rows_after("garbage", seed), strict=True) if old != new
        ]
        assert len(changed) == 1
        old, new = changed[0]
        found |= {str(b) for a, b in zip(old, new, strict=True) if a != b}
    assert found == {"NaN", "0.00000000", "-1.00000000", "garbage", "0.00000001", "None"}


def test_krakens_candles_are_spoiled_too() -> None:
    answer = as_json({"error": [], "result": {"last": 5, "XXBTZUSD": ROWS}})
    body = json.loads(after("missing", answer).body)
    assert len(body["result"]["XXBTZUSD"]) < 10
    assert body["result"]["last"] == 5


def test_too_few_candles_and_refusals_are_not_spoiled() -> None:
    for answer in (as_json(ROWS[:2]), as_json({"error": ["EQuery:Unknown asset pair"]}), as_json({}, 400)):
        assert after("garbage", answer) == answer


def test_a_number_on_the_command_line_is_a_share_of_the_requests() -> None:
    assert parse_faults("0.05", 7) == FaultSchedule(7, 0.05)


def test_a_list_on_the_command_line_names_kinds_and_options() -> None:
    assert parse_faults("status:path=klines:times=2:status=502,delay:seconds=0.5:after=1", 7) == (
        Fault("status", path="klines", times=2, status=502),
        Fault("delay", seconds=0.5, after=1),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2", "a share of requests from 0 to 1, got 2.0"),
        ("stauts", "did you mean status?"),
        ("status:tmies=2", "unknown fault option 'tmies': did you mean times?"),
        ("status:times=two", "fault option times wants a number, got 'two'"),
        ("nan", "a share of requests from 0 to 1, got nan"),
    ],
)
def test_a_wrong_list_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_faults(text, 7)
    assert "\n" not in str(refused.value)


def test_an_unknown_kind_in_a_schedule_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown fault 'nix'"):
        FaultSchedule(7, 0.1, ("nix",))


def test_a_fault_can_be_for_one_method() -> None:
    plan = plan_of([Fault("unknown", path="order", method="POST")])
    assert [plan.next("/api/v3/order", method) is None for method in ("GET", "POST", "POST")] == [
        True,
        False,
        True,
    ]
    assert parse_faults("late:method=POST", 7) == (Fault("late", method="POST"),)


def test_trading_faults_meet_orders_beside_other_faults() -> None:
    plan = plan_of([Fault("html", times=3)], trading_schedule(1.0, 7))
    found = met(plan, "/api/v3/order", KLINES, "/api/v3/openOrders", "/api/v3/account")
    assert found[1] == found[3] == "html"
    assert set(found[::2]) <= set(TRADING_KINDS)
    assert "twice" not in TRADING_KINDS


def test_a_ban_says_until_when_in_header_and_text() -> None:
    answer = instead(Fault("ban", seconds=90), SimRequest("POST", "/api/v3/order", {}), NOON)
    assert (answer.status, answer.headers) == (418, (("Retry-After", "90"),))
    assert json.loads(answer.body)["code"] == -1003
    assert f"banned until {NOON + 90_000}" in json.loads(answer.body)["msg"]


def test_trouble_before_processing_looks_like_trouble_after_it() -> None:
    request = SimRequest("POST", "/api/v3/order", {})
    before, processed = (
        instead(Fault("status_before", status=502), request, NOON),
        after("status", status=502),
    )
    assert before == processed._replace(headers=())
    assert json.loads(instead(Fault("clock"), request, NOON).body)["code"] == -1021


def test_an_unknown_outcome_has_its_code() -> None:
    answer = after("unknown")
    assert (answer.status, json.loads(answer.body)["code"]) == (503, -1007)


def test_a_foreign_answer_is_another_orders_and_only_orders_are_renamed() -> None:
    mine = {"orderId": 5, "clientOrderId": "mine", "status": "NEW"}
    said = json.loads(after("foreign", as_json(mine)).body)
    assert said == {"orderId": 6, "clientOrderId": "somebody-elses", "status": "NEW"}
    for answer in (SOUND, as_json({"code": -1})):
        assert after("foreign", answer) == answer


def test_faults_of_orders_leave_the_answer_alone_that_the_server_sends_as_it_is() -> None:
    for kind in set(ORDER_KINDS) - {"unknown", "foreign"}:
        assert after(kind) == SOUND


def test_every_kind_is_of_the_connection_the_body_or_the_candles() -> None:
    assert sorted(KINDS) == sorted({*CONNECTION_KINDS, *BODY_KINDS, *CANDLE_KINDS})
