"""run_live.py and its alerts, with a local exchange, Telegram and mail server: what is told, and to whom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import cli
from core.alerts.lane import Missed, as_stored, from_stored
from core.cli import generate_command, live_alerts, live_channels, live_chat, live_command
from core.cli.live_alerts import NO_ALARMS, STATE, alarms_of
from core.cli.live_chat import LoopDesk
from core.cli.live_ending import Asked, Ending
from core.errors import DatabaseError, ExchangeUnreachableError, SettingsError, UsageError
from core.exchange.calls import Notice
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live.status import to_document
from core.order_path.alerts import Alert
from core.results.measures import DAY
from core.settings import AlertSettings, environment
from core.settings.kinds import CHANNELS
from core.utils import now_ms
from db import live
from db.init_db import init_db
from scripts import generate_report, run_live
from tests.alert_help import TOKEN, HttpServer, http_server, mail_server
from tests.exchange_help import NOON, FakeTime
from tests.own_files import project_in
from tests.status_help import CALM, STATUS
from tests.stored import url_of

TRADED = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]
KEPT = ["--use-sql", "--refresh-from-ccxt"]
OK = {"ok": True, "result": []}
BOT = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": "77"}
HOOK, SECRET = "HOT_CRYPTO_ALERTS_WEBHOOK_URL", "CANARY"


@pytest.fixture
def time() -> FakeTime:
    return FakeTime(NOON)


@pytest.fixture
def sim(time: FakeTime, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=time.clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        yield running


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_in(tmp_path, monkeypatch)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    with http_server(lambda *_: (200, OK)) as server:
        monkeypatch.setenv("HOT_CRYPTO_ALERTS_TELEGRAM_API", server.url)
        for level in ("INFO", "WARNING", "CRITICAL"):
            monkeypatch.setenv(f"HOT_CRYPTO_ALERTS_{level}", "telegram")
        for name, value in BOT.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path / "live.db")


def once(url: str, *more: str) -> int:
    return run_live.main(["--once", *TRADED, *KEPT, "--db-url", url, *more])


def texts(server: HttpServer) -> str:
    return "\n".join(str(document["text"]) for path, document in server.asked if "sendMessage" in path)


@pytest.mark.unmeasured
def test_with_no_channel_nothing_is_started_and_nothing_said(
    sim: RunningSim, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in BOT.items():
        monkeypatch.setenv(name, value)
    before = set(threading.enumerate())
    assert once(url) == 0
    assert alarms_of(AlertSettings(), environment(cli.ROOT), "paper", once=False) is NO_ALARMS
    assert {one.name for one in set(threading.enumerate()) - before if "alerts" in one.name} == set()
    assert "alert" not in capsys.readouterr().err


@pytest.mark.unmeasured
def test_a_pause_is_told_and_no_secret_is_in_log_database_or_output(
    sim: RunningSim, telegram: HttpServer, url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert once(url, "--pause") == 0
    assert "entries are paused: paused by command" in texts(telegram)
    assert {path for path, _ in telegram.asked} == {f"/bot{TOKEN}/sendMessage"}
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.unmeasured
def test_an_outage_ends_nothing_and_what_was_not_sent_is_told_by_the_next_start(
    sim: RunningSim, telegram: HttpServer, url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    telegram.answer = lambda *_: (502, {"description": TOKEN})
    assert once(url, "--pause") == 0
    assert (
        "an alert by telegram could not be sent, it is tried again: it answered 502" in capfd.readouterr().err
    )
    engine = init_db(url)
    assert from_stored(live.read_state(engine, "paper")[STATE]).number == 1
    assert SECRET.encode() not in (tmp_path / "live.db").read_bytes()
    telegram.asked.clear()
    telegram.answer = lambda *_: (200, OK)
    assert once(url, "--resume") == 0
    assert "1 message could not be sent since" in texts(telegram)
    assert "entries are paused: paused by command" in texts(telegram)
    assert from_stored(live.read_state(engine, "paper")[STATE]) == Missed()
    telegram.asked.clear()
    assert once(url) == 0
    assert telegram.asked == []
    engine.dispose()


def test_a_loop_takes_commands_of_a_chat_and_tells_its_start_and_its_end(
    sim: RunningSim, telegram: HttpServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_command, "POLL", 0.01)
    monkeypatch.setattr(live_channels, "now_ms", lambda: NOON)
    engine = init_db(url)

    def answer(path: str, document: Any) -> tuple[int, Any]:
        if path.endswith("getUpdates"):
            message = {"date": NOON // 1000, "chat": {"id": 77}, "text": "/pause"}
            new = [{"update_id": 5, "message": message}] if document["offset"] < 6 else []
            if not new:
                telegram.released.wait(10)
            return 200, {"ok": True, "result": new}
        if "entries are paused; exits and stops go on" in document.get("text", ""):
            live.give_command(engine, "paper", "stop", "", "test", now_ms())
        return 200, OK

    telegram.answer = answer
    assert run_live.main([*TRADED, *KEPT, "--db-url", url, "--plain"]) == 0
    telegram.released.set()
    text = texts(telegram)
    assert "the loop begins, orders: paper" in text
    assert "entries are paused; exits and stops go on" in text
    assert "the loop ended: told to stop" in text
    assert live.was_given(engine, "paper", "telegram, update 5")
    engine.dispose()


def test_the_daily_report_is_sent_in_the_morning_and_the_command_writes_the_same(
    sim: RunningSim,
    time: FakeTime,
    telegram: HttpServer,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOT_CRYPTO_ALERTS_REPORT", "telegram")
    monkeypatch.setattr(generate_command, "now_ms", lambda: NOON + DAY)
    assert once(url) == 0
    assert "Daily Report" not in texts(telegram)
    time.now += DAY
    for _ in range(2):
        assert once(url) == 0
    (sent,) = [document["text"] for _, document in telegram.asked if "Daily Report" in document["text"]]
    capsys.readouterr()
    assert generate_report.main(["--daily", "--db-url", url]) == 0
    assert capsys.readouterr().out == f"{sent}\n"
    assert sent.startswith("📊 Daily Report — 2024-01-01\n\n💰 Portfolio: $10,000.00 (+$0.00 / +0.00%)")
    assert SECRET not in sent


@pytest.mark.unmeasured
def test_an_error_that_ends_the_loop_is_told(telegram: HttpServer, url: str, sim: RunningSim) -> None:
    once(url)
    engine = init_db(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE live_state SET value_json = '{}' WHERE name = 'session'")
    engine.dispose()
    with pytest.raises(DatabaseError):
        once(url)
    assert "🚨" in texts(telegram)
    assert "the loop ended: failed: the state session of account paper was changed" in texts(telegram)


@pytest.mark.unmeasured
def test_a_start_that_was_typed_wrongly_is_not_told(sim: RunningSim, telegram: HttpServer, url: str) -> None:
    once(url)
    telegram.asked.clear()
    with pytest.raises(UsageError):
        once(url, "--cash", "700")
    assert telegram.asked == []


def hooked(server: HttpServer, tmp_path: Path) -> list[dict[str, Any]]:
    """Let every hook tell something through a webhook; return the messages that it got."""
    settings = AlertSettings(info="webhook", warning="webhook", critical="webhook")
    alarms = alarms_of(settings, {HOOK: server.url}, "paper", once=False)
    engine = init_db(url_of(tmp_path / "hooks.db"))
    with alarms.sending(engine):
        alarms.on_notice(Notice("clock", "this machine's clock moved"))
        alarms.on_notice(Notice("retry", "not told"))
        alarms.on_lock("the database is locked")
        alarms.on_alert(Alert("lost", "k", "an order is lost", critical=True))
        alarms.on_exchange(ExchangeUnreachableError("no answer"), NOON)
        alarms.on_status(STATUS)
        alarms.on_end("told to stop", None, is_open=True)
        alarms.on_end("failed: no answer", ExchangeUnreachableError("no answer"), is_open=True)
        alarms.on_end("failed: damaged", DatabaseError("damaged"), is_open=False)
        alarms.on_end("interrupted", KeyboardInterrupt(), is_open=True)
    engine.dispose()
    return [one for _, document in server.asked for one in document["messages"]]


def test_every_hook_of_a_loop_reaches_the_channel_with_its_kind(tmp_path: Path) -> None:
    with http_server(lambda *_: (200, {})) as server:
        messages = hooked(server, tmp_path)
    kinds = [(one["kind"], one["level"]) for one in messages]
    assert kinds[:4] == [
        ("clock", "warning"),
        ("locked", "warning"),
        ("lost", "critical"),
        ("exchange", "warning"),
    ]
    assert ("halt", "critical") in kinds
    assert [one["text"] for one in messages if one["kind"] in ("end", "failed", "damage")] == [
        "the loop ended: told to stop",
        "the loop ended: failed: no answer",
        "the loop ended: failed: damaged",
        "the loop ended: interrupted",
    ]


def test_another_account_than_the_usual_one_is_named_in_every_message(tmp_path: Path) -> None:
    settings = AlertSettings(info="webhook", critical="webhook")
    with http_server(lambda *_: (200, {})) as server:
        env = {HOOK: server.url}
        alarms = alarms_of(settings, env, "second", once=False)
        engine = init_db(url_of(tmp_path / "hooks.db"))
        with alarms.sending(engine):
            alarms.on_start("the loop begins")
        engine.dispose()
    ((_, document),) = server.asked
    assert document["messages"][0]["text"] == "second: the loop begins"


def test_a_secret_that_an_error_repeats_is_in_no_message(tmp_path: Path) -> None:
    with http_server(lambda *_: (200, {})) as server:
        env = {HOOK: server.url, "EXCHANGE_API_KEY": "CANARY-key", "EXCHANGE_API_SECRET": ""}
        alarms = alarms_of(AlertSettings(critical="webhook"), env, "second", once=False)
        engine = init_db(url_of(tmp_path / "hooks.db"))
        with alarms.sending(engine):
            alarms.on_alert(Alert("lost", "k", "no order for CANARY-key at all", critical=True))
        engine.dispose()
    ((_, document),) = server.asked
    assert document["messages"][0]["text"] == "second: no order for *** at all"
    assert SECRET not in str(document)


def test_a_loop_that_hangs_is_told_before_its_process_ends() -> None:
    settings, codes = AlertSettings(critical="webhook"), list[int]()
    with http_server(lambda *_: (200, {})) as server:
        env = {HOOK: server.url}
        alarms = alarms_of(settings, env, "paper", once=False)
        assert alarms._box is not None
        alarms._box.start()
        Ending(Asked(), codes.append, alarms).hung()
    assert codes == [70]
    assert server.asked[0][1]["messages"][0]["kind"] == "hung"


def test_mail_goes_to_the_server_of_the_settings_with_the_password_of_the_environment(tmp_path: Path) -> None:
    with mail_server() as server:
        settings = AlertSettings(
            critical="email",
            smtp_host="127.0.0.1",
            smtp_port=server.port,
            smtp_security="none",
            smtp_from="a@example.org",
            smtp_to="b@example.org",
        )
        alarms = alarms_of(settings, {}, "paper", once=False)
        engine = init_db(url_of(tmp_path / "hooks.db"))
        with alarms.sending(engine):
            alarms.on_end("failed: x", DatabaseError("x"), is_open=True)
        engine.dispose()
    assert "CRITICAL: the loop ended: failed: x" in server.mails[0].replace("\n ", " ")


MAILED = {"smtp_host": "h", "smtp_from": "a@b", "smtp_to": "a@b"}


@pytest.mark.parametrize(
    ("channel", "given", "env", "said"),
    [
        ("telegram", {}, {}, "TELEGRAM_BOT_TOKEN is not set: put what @BotFather gave you into .env (see"),
        ("telegram", {}, {"TELEGRAM_BOT_TOKEN": TOKEN}, "TELEGRAM_CHAT_ID is not set: put the numbers"),
        ("telegram", {}, {**BOT, "TELEGRAM_BOT_TOKEN": f"{TOKEN}/x"}, "TELEGRAM_BOT_TOKEN is no token"),
        ("telegram", {}, {**BOT, "TELEGRAM_CHAT_ID": "@CANARY"}, "TELEGRAM_CHAT_ID: wanted numbers of chats"),
        ("webhook", {}, {}, "HOT_CRYPTO_ALERTS_WEBHOOK_URL is not set: put its address into .env"),
        ("webhook", {}, {HOOK: "ftp://CANARY"}, "wanted an address that begins with https"),
        ("email", {}, {}, "alerts.smtp_host, alerts.smtp_from, alerts.smtp_to is not set: set"),
        ("email", {**MAILED, "smtp_user": "me", "smtp_security": "none"}, {}, "none would send the password"),
        ("email", {**MAILED, "smtp_user": "me"}, {}, "ALERTS_SMTP_PASSWORD is not set: put the password of"),
    ],
)  # fmt: skip
def test_a_channel_that_lacks_something_says_what(
    channel: str, given: dict[str, str], env: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        alarms_of(AlertSettings(critical=channel, **given), env, "paper", once=False)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.exit_code == 2
    assert channel in CHANNELS


class Answering:
    """Lets a loop answer, as far as a chat can tell."""

    def __init__(self, url: str) -> None:
        self.engine = init_db(url)
        self.desk = LoopDesk(self.engine, "paper")

    def run(self, status: dict[str, Any] | None) -> None:
        run = live.start_run(self.engine, "paper", "paper", pid=1, code_version="x", settings={}, now=1)
        live.record(self.engine, run, status=status, now=2)


def test_a_chat_is_told_how_the_account_stands(url: str) -> None:
    world = Answering(url)
    assert world.desk.status() == "paper: it has not said anything yet"
    assert world.desk.positions() == "paper: nothing is held"
    world.run(to_document(STATUS))
    assert world.desk.status().splitlines() == [
        "paper: equity 10,012.50, cash 9,000.25, 2 positions, as of 2023-11-14 22:13 UTC",
        "breaker daily_loss: 3 % lost",
        "MR_BB failed: ValueError",
        "entries are paused: by me",
        "binanceus BTC/USDT 1h is silent",
        "hold BTC/USDT: others sold",
        "halt : doubled",
        "books and exchange: BTC +1",
    ]
    assert world.desk.positions().splitlines() == [
        "TREND_EMA long 0.5 BTC/USDT at 43,210.5, now 0.123456, stop none, open profit 12.50",
        "TREND_EMA long 0.5 BTC/USDT at 43,210.5, now none, stop none, open profit none",
    ]
    world.run({"time": "nonsense"})
    for told in (world.desk.status(), world.desk.positions()):
        assert told.startswith("the status cannot be read: the status")
    world.engine.dispose()


def test_a_command_of_a_chat_is_stored_once_and_waits_for_the_loop(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Answering(url)
    world.run(to_document(CALM))
    monkeypatch.setattr(live_chat, "ANSWER", 0.0)
    assert world.desk.give("flatten", 8).startswith("flatten waits: the loop has not answered")
    assert world.desk.give("flatten", 8) == "flatten was given already"
    (waiting,) = live.waiting_commands(world.engine, "paper")
    assert (waiting.name, waiting.argument, waiting.origin) == ("flatten", "", "telegram, update 8")
    live.take_command(world.engine, waiting.id, "closing 1 position", 3)
    monkeypatch.setattr(live, "was_given", lambda *_: False)
    monkeypatch.setattr(live, "give_command", lambda *_: waiting.id)
    assert world.desk.give("flatten", 8) == "closing 1 position"

    def locked(*_: object) -> int:
        raise DatabaseError("locked")

    monkeypatch.setattr(live, "give_command", locked)
    assert world.desk.give("flatten", 9) == "flatten was not given: locked"
    world.engine.dispose()


def test_what_could_not_be_sent_is_kept_as_far_as_the_database_takes_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    monkeypatch.setattr(live_alerts, "note", noted.append)
    engine = init_db(url)
    live.keep_state(engine, "paper", STATE, as_stored(Missed(3, NOON, ("a",))), 1)

    def broken(*_: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(live, "keep_state", broken)
    with http_server(lambda *_: (500, {})) as server:
        env = {HOOK: server.url}
        with alarms_of(AlertSettings(critical="webhook"), env, "paper", once=False).sending(engine):
            pass
    assert noted[0].startswith("alerts that could not be sent: 3 messages could not be sent since 2024")
    assert noted[1] == "which alerts could not be sent is not stored: the disk is full"
    engine.dispose()
