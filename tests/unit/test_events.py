"""What a step brought, as events: a line for a person, a line of JSON in a file."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from core.account.lots import Trade
from core.account.orders import Approved, Cut, Executed, Fill, Intent, Purpose, RefusalReason, Refused, Taken
from core.domain import Bar
from core.engine import Step
from core.live.event_log import KEPT, EventLog
from core.live.events import Event, events_of, text_of
from core.risk.breakers import Trip

NOON = 1_700_000_000_000
INTENT = Intent(
    "TREND_EMA",
    "BTC/USDT",
    "1h",
    NOON,
    Purpose.ENTRY,
    "main",
    "buy",
    Decimal("0.5"),
    Decimal(100),
    "entry",
    NOON,
    NOON,
)
FILL = Fill(
    "paper", "BTC/USDT", "1", "c", "buy", Decimal("0.50"), Decimal("101.5"), Decimal("0.05"), "USDT", NOON
)
TRADE = Trade(
    "TREND_EMA",
    "BTC/USDT",
    1,
    Decimal("0.5"),
    NOON,
    NOON + 1,
    0,
    1,
    100.0,
    110.0,
    Decimal(5),
    Decimal("0.1"),
    "take",
)
BAR = Bar("BTC/USDT", "1h", NOON, NOON + 3_600_000, 1.0, 2.0, 0.5, 1.5, 9.0)
STEP = Step(
    NOON,
    10_005.0,
    bars=(BAR,),
    late=(BAR,),
    fills=(Executed(INTENT, FILL),),
    trades=(TRADE,),
    outcomes=(Approved(INTENT), Refused(INTENT, RefusalReason.EXPOSURE, "60 % wanted, 50 % allowed")),
    quarantined=("MR_BB",),
    tripped=(("daily_loss", Trip(NOON, "3.1 % lost today")),),
)


def test_a_step_is_told_in_the_order_in_which_it_happened() -> None:
    assert [text_of(event) for event in events_of(STEP, {"MR_BB": "KeyError: 7"})] == [
        "TREND_EMA buy 0.5 BTC/USDT at 101.5 (entry)",
        "TREND_EMA BTC/USDT closed: +4.90 USDT after fees (take)",
        "TREND_EMA BTC/USDT entry: buy 0.5 ordered (entry)",
        "TREND_EMA BTC/USDT entry refused, exposure: 60 % wanted, 50 % allowed",
        "BTC/USDT: a candle came after a later one, it is not traded on",
        "MR_BB failed and enters nothing any more, the others go on: KeyError: 7",
        "breaker daily_loss tripped: 3.1 % lost today",
        "equity 10,005.00 USDT",
    ]


def test_an_entry_that_a_limit_cut_says_so_and_what_was_wanted() -> None:
    whole = Approved(replace(INTENT, bound="risk"))
    cut = Approved(
        replace(INTENT, bound="symbol_exposure"), Decimal(50), Cut(RefusalReason.SYMBOL_EXPOSURE, Decimal(2))
    )
    told = list(events_of(Step(NOON, 1.0, outcomes=(whole, cut))))
    assert [(event["event"], event["bound"]) for event in told] == [
        ("order", "risk"),
        ("cut", "symbol_exposure"),
    ]
    assert text_of(told[1]) == (
        "TREND_EMA BTC/USDT entry: buy 0.5 ordered (entry), cut from 2 by symbol_exposure"
    )


def test_an_order_names_the_algorithm_that_executes_it() -> None:
    stop = Approved(replace(INTENT, purpose=Purpose.STOP, side="sell", reason="stop"))
    priced, other = Approved(replace(INTENT, limit=Decimal(90))), Approved(replace(INTENT, strategy="MR_BB"))
    less = replace(INTENT, bound="symbol_exposure")
    cut = Approved(less, Decimal(50), Cut(RefusalReason.SYMBOL_EXPOSURE, Decimal(2)))
    step = Step(NOON, 1.0, outcomes=(Approved(INTENT), cut, stop, priced, other))
    told = list(events_of(step, {}, {"TREND_EMA": "limit_chase"}))
    assert [event.get("execution") for event in told] == ["limit_chase", "limit_chase", None, None, None]
    assert text_of(told[0]) == "TREND_EMA BTC/USDT entry: buy 0.5 ordered by limit_chase (entry)"
    assert text_of(told[1]).startswith(
        "TREND_EMA BTC/USDT entry: buy 0.5 ordered by limit_chase (entry), cut"
    )
    assert text_of(told[2]) == "TREND_EMA BTC/USDT stop: sell 0.5 ordered (stop)"


def test_a_step_without_new_bars_says_nothing_of_equity() -> None:
    assert not list(events_of(Step(NOON, 1.0)))


def test_every_event_is_json_as_it_is_and_keeps_amounts_to_the_digit() -> None:
    events = [json.loads(json.dumps(event)) for event in events_of(STEP)]
    assert events[0]["amount"] == "0.5"
    assert all(isinstance(event["time"], int) for event in events)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "paper.jsonl"


def lines(path: Path) -> list[Event]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def record(now: int, event: Event | None = None) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "said %s", "args": ("so",), "created": now / 1000, "event": event})


def test_the_log_is_a_line_of_json_for_each_event_and_is_appended_to(path: Path) -> None:
    for now in (1, 2):
        log = EventLog(path, {"account": "paper"})
        log.handle(record(now, {"event": "equity", "time": NOON, "equity": 1.5}))
        log.close()
    assert lines(path) == [
        {"written": now, "account": "paper", "event": "equity", "time": NOON, "equity": 1.5} for now in (1, 2)
    ]


def test_what_is_no_event_is_a_notice(path: Path) -> None:
    log = EventLog(path, {})
    log.handle(record(7))
    log.close()
    assert lines(path) == [{"written": 7, "event": "notice", "text": "said so"}]


@pytest.mark.parametrize("secret", ["s3cr3t", 'with "quotes"', "ümlaut"])
def test_no_secret_reaches_the_log_wherever_it_stands(path: Path, secret: str) -> None:
    log = EventLog(path, {}, ["", secret])
    hidden = {"deep": [{"api_key": "other"}], "tuple": (secret,), "passwords": {"a": 1}}
    log.handle(record(1, {"event": "notice", "time": NOON, "text": f"said {secret}.", **hidden}))
    log.close()
    [event] = lines(path)
    assert event == {
        "written": 1,
        "event": "notice",
        "time": NOON,
        "text": "said ***.",
        "deep": [{"api_key": "***"}],
        "tuple": ["***"],
        "passwords": "***",
    }


def test_the_log_is_rotated_and_bounded(path: Path) -> None:
    log = EventLog(path, {}, most_bytes=200)
    for now in range(100):
        log.handle(record(now, {"event": "notice", "text": "x" * 50}))
    log.close()
    files = sorted(path.parent.iterdir())
    assert len(files) == KEPT + 1
    assert all(file.stat().st_size <= 200 for file in files)
    assert lines(path)[-1]["written"] == 99


def test_a_log_that_cannot_be_written_is_said_once_and_ends_nothing(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = EventLog(path, {})
    path.mkdir()
    for now in range(3):
        log.handle(record(now))
    log.close()
    assert caplog.messages == [f"the log file {path} cannot be written; going on without it"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without a full disk to write to")
def test_a_full_disk_is_said_once_and_ends_nothing_when_the_log_is_closed_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = EventLog(Path("/dev/full"), {})
    for now in range(3):
        log.handle(record(now))
    log.close()
    assert caplog.messages == ["the log file /dev/full cannot be written; going on without it"]


def test_what_shows_positions_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = EventLog(path, {}, most_bytes=200)
    for number in range(9):
        log.emit(record(number))
    log.close()
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) > 1


def test_what_others_took_is_told_without_zeros_at_its_end() -> None:
    taken = Taken("", "", Decimal("1000.5880000000000000"), Decimal("0E-8"), "withdrawal")
    (event,) = events_of(Step(0, 1.0, taken=(taken,)))
    assert text_of(event) == "account cash: others took 1000.588 (withdrawal), 0 came to cash"
