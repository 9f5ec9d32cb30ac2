"""run_live.py --check and --live: what they show at the local exchange, and what keeps real money shut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from sqlalchemy import insert

from core.cli import real_money
from core.cli.real_money import again
from core.errors import DatabaseError, RefusedError, SettingsError, UsageError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET
from core.exchange_sim.faults import Fault
from core.exchange_sim.server import RunningSim, SimConfig, serve
from core.live.preflight import CheckLine, Colour
from core.live.real_key import one_database
from core.order_path.client_ids import account_name
from db.account_days import snapshots
from db.base import open_engine
from db.init_db import init_db
from db.live import start_run
from db.live_models import AccountSnapshot
from scripts import run_live
from tests.alert_help import TOKEN, HttpServer, MailServer, http_server, login, mail_server
from tests.exchange_help import MARKET, NOON, FakeTime
from tests.integration.test_guard import ANSWER, Sent, hosts, leaving
from tests.own_files import project_in
from tests.stored import HOUR, url_of
from tests.unit.test_preflight import GOOD

if TYPE_CHECKING:
    from sqlalchemy import Engine

TRADED = ["--symbol", "BTC/USDT", "--strategy", "TREND_EMA", "--timeframe", "1h"]
__all__ = ["ANSWER", "leaving"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_in(tmp_path, monkeypatch)
    monkeypatch.setenv("HOT_CRYPTO_DB_URL", url_of(tmp_path / "x.db"))
    monkeypatch.setenv("EXCHANGE_API_KEY", TEST_KEY)
    monkeypatch.setenv("EXCHANGE_API_SECRET", TEST_SECRET)
    return root


@pytest.fixture
def sim(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSim]:
    with serve(SimConfig(clock=FakeTime(NOON).clock)) as running:
        monkeypatch.setenv("EXCHANGE_BASE_URL", running.url)
        yield running


def change(project: Path, *pairs: tuple[str, str]) -> None:
    file = project / "config" / "live.yaml"
    text = file.read_text()
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after, 1)
    file.write_text(text)


def check(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Return the exit code of --check, and the colour and text of each line by its name."""
    code = run_live.main(["--check", "--orders", "exchange", *TRADED, "--json", *more])
    lines = json.loads(capsys.readouterr().out)
    return code, {one["name"]: (one["colour"], one["said"]) for one in lines}


@pytest.mark.unmeasured
def test_a_check_at_the_local_exchange_tells_what_it_saw_and_stores_nothing(
    sim: RunningSim, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = check(capsys)
    assert code == 0
    assert lines["network"] == ("green", "binanceus: loopback")
    assert lines["BTC/USDT"] == ("green", "open; smallest order 1.00 USDT")
    assert lines["fees"] == ("green", "taking costs 0.1 %, backtests count 0.1 %")
    assert lines["balance"] == ("green", "10,000.00 USDT are free")
    assert lines["foreign orders"] == ("green", "none")
    assert lines["alerts"] == ("amber", "nobody is told what is critical")
    assert lines["withdrawals"][0] == "amber"
    assert not (tmp_path / "x.db").exists()


HOOK, PASSWORD = "CANARY-of-a-webhook", "CANARY-of-a-mail-password"


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HttpServer, MailServer]]:
    """All three channels at local servers: critical goes to Telegram and e-mail, info to a webhook."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with http_server() as server, mail_server() as mails:
        told = {
            "CRITICAL": "telegram, email",
            "INFO": "webhook",
            "TELEGRAM_API": server.url,
            "WEBHOOK_URL": f"{server.url}/{HOOK}",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mails.port),
            "SMTP_SECURITY": "none",
            "SMTP_USER": "me",
            "SMTP_FROM": "a@example.org",
            "SMTP_TO": "a@example.org",
            "SMTP_PASSWORD": PASSWORD,
        }
        for name, value in told.items():
            monkeypatch.setenv(f"HOT_CRYPTO_ALERTS_{name}", value)
        monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
        monkeypatch.setenv("TELEGRAM_CHAT_ID", "77,78")
        yield server, mails


def test_each_channel_of_alerts_is_reached_and_gets_no_message(
    sim: RunningSim, channels: tuple[HttpServer, MailServer], capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = check(capsys)
    assert (code, lines["alerts"]) == (0, ("green", "email, telegram, webhook: reached"))
    server, mails = channels
    assert sorted(path.rpartition("/")[2] for path, _ in server.asked) == [
        *(HOOK, "getChat", "getChat", "getMe", "getMe")
    ]
    assert login("me", PASSWORD) in mails.words
    assert mails.mails == []


def test_a_critical_channel_that_does_not_let_in_is_red_and_another_is_amber_and_no_secret_is_told(
    sim: RunningSim, channels: tuple[HttpServer, MailServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server, mails = channels
    server.answer = lambda path, _: (503, b"") if HOOK in path else (200, {"ok": True})
    code, lines = check(capsys)
    assert (code, lines["alerts"]) == (0, ("amber", "webhook (127.0.0.1): it answered 503"))
    mails.replies["AUTH"] = f"535 not {PASSWORD}"
    assert run_live.main(["--check", "--orders", "exchange", *TRADED]) == 1
    said = capsys.readouterr()
    assert f"red    alerts          email (127.0.0.1:{mails.port}): the mail server answered 535" in said.out
    assert "webhook (127.0.0.1): it answered 503" in " ".join(said.out.split())
    assert "CANARY" not in said.out + said.err


def test_real_money_is_refused_where_what_is_critical_reaches_nobody(
    project: Path,
    channels: tuple[HttpServer, MailServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = list[str]()
    monkeypatch.setattr(real_money, "say", said.append)
    monkeypatch.setattr(real_money, "facts_of", lambda *args: GOOD._replace(channels=args[2].channels))
    channels[1].replies["CONNECT"] = "554 no"
    change(project, MEANT)
    args = run_live.parse(["--live", "--i-understand-the-risks", *TRADED])
    args.account, args.exchange = "live", "binanceus"
    client = SimpleNamespace(permission=SimpleNamespace(covers=lambda _: True))
    engine = init_db(url_of(project / "y.db"))
    with pytest.raises(RefusedError, match=r"not traded: 1 check is red \(alerts\)"):
        again(args, client, engine)  # type: ignore[arg-type]
    engine.dispose()
    (line,) = said
    assert line.startswith(f"red: alerts: email (127.0.0.1:{channels[1].port}): the mail server answered 554")


def test_a_channel_that_lacks_something_ends_a_check_as_it_ends_a_start(
    sim: RunningSim, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOT_CRYPTO_ALERTS_CRITICAL", "telegram")
    with pytest.raises(SettingsError, match="alerts go to telegram, and TELEGRAM_BOT_TOKEN is not set"):
        check(capsys)


@pytest.mark.unmeasured
def test_a_test_order_rests_is_seen_and_is_cancelled(
    sim: RunningSim, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = check(capsys, "--test-order")
    assert code == 0
    colour, said = lines["test order"]
    assert colour == "green"
    assert said.endswith(": seen, cancelled")
    assert check(capsys)[1]["foreign orders"] == ("green", "none")


def test_a_check_without_a_key_is_red(
    sim: RunningSim, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXCHANGE_API_KEY", "")
    assert run_live.main(["--check", "--orders", "exchange", *TRADED]) == 1
    out = capsys.readouterr().out
    assert "red    key" in out
    assert "put EXCHANGE_API_KEY and EXCHANGE_API_SECRET into .env" in " ".join(out.split())


def test_a_key_that_the_exchange_does_not_take_is_red(
    sim: RunningSim, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXCHANGE_API_SECRET", "another")
    code, lines = check(capsys)
    assert code == 1
    colour, said = lines["key"]
    assert colour == "red"
    assert "the key was not accepted" in said
    assert "another" not in str(lines)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--live"], "--live trades real money: type --i-understand-the-risks too"),
        (["--live", "--i-understand-the-risks"], "config/live.yaml: mode is paper"),
    ],
)
def test_real_money_wants_both_options_and_the_file(words: list[str], said: str, leaving: list[Sent]) -> None:
    with pytest.raises(UsageError) as error:
        run_live.main(words)
    assert str(error.value).startswith(said)
    assert leaving == []


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "words",
    [
        ["--i-understand-the-risks"],
        ["--live", "--orders", "exchange"],
        ["--live", "--cash", "5"],
        ["--test-order"],
        ["--check", "--once"],
        ["--check", "--status"],
        ["--check", "--pause"],
        ["--json"],
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_live.main(words)
    assert ended.value.code == 2


ARMED = ["--live", "--i-understand-the-risks", "--once", *TRADED]
MEANT = ("mode: paper ", "mode: live ")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("pairs", "more", "said"),
    [
        ([MEANT], ["--account", "other"], "--account other: config/live.yaml allows live alone"),
        ([MEANT], ["--exchange", "kraken"], "--exchange kraken: config/live.yaml allows binanceus alone"),
        (
            [MEANT, ("https://api.binance.us", "https://api.binance.com")],
            [],
            "binanceus: real_money must name the https address of real money that is called",
        ),
        (
            [MEANT, ("https://api.binance.us", "https://api.binance.us.evil.example")],
            [],
            "binanceus: real_money must name the https address of real money that is called",
        ),
    ],
)
def test_real_money_goes_to_the_account_exchange_and_address_of_the_file_alone(
    pairs: list[tuple[str, str]], more: list[str], said: str, project: Path, leaving: list[Sent]
) -> None:
    change(project, *pairs)
    with pytest.raises(UsageError) as error:
        run_live.main([*ARMED, *more])
    assert str(error.value).startswith(said)
    assert leaving == []


def test_real_money_does_not_go_to_a_local_exchange(sim: RunningSim, project: Path) -> None:
    change(project, MEANT)
    with pytest.raises(UsageError, match="EXCHANGE_BASE_URL sends everything elsewhere: unset it"):
        run_live.main(ARMED)


def test_a_missing_file_is_one_line(project: Path, leaving: list[Sent]) -> None:
    (project / "config" / "live.yaml").unlink()
    with pytest.raises(SettingsError, match=r"live\.yaml"):
        run_live.main(ARMED)
    assert leaving == []


def test_what_is_signed_for_real_money_goes_to_the_named_address_and_nothing_is_ordered(
    project: Path, leaving: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWER, "symbols", [MARKET])
    monkeypatch.setitem(ANSWER, "lastPrice", "50000")
    change(project, MEANT)
    with pytest.raises(RefusedError) as error:
        run_live.main(ARMED)
    assert str(error.value).startswith("real money is not traded: ")
    assert "withdrawals" in str(error.value)
    assert hosts(leaving) == {"api.binance.us"}
    assert {one.host for one in leaving} == {"api.binance.us"}


def test_a_run_keeps_its_configuration_and_paper_time_on_it_is_counted(
    sim: RunningSim, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_live.main(["--once", *TRADED]) == 0
    capsys.readouterr()
    engine = open_engine(url_of(tmp_path / "x.db"))
    with engine.connect() as connection:
        (kept,) = connection.exec_driver_sql("SELECT settings_json FROM live_runs").scalars()
    same = json.loads(kept)
    assert len(same["configuration"]) == 12
    for days, settings in ((20, same), (40, same | {"configuration": "another"})):
        run = start_run(engine, "paper", "paper", pid=1, code_version="x", settings=settings, now=0)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE live_runs SET beat_at = {days * 86_400_000} WHERE id = {run}")
    (taken,) = snapshots(engine, "paper", NOON - HOUR, NOON + HOUR)
    with engine.begin() as connection:
        hourly = [taken._replace(timestamp=HOUR * hour)._asdict() for hour in range(20 * 24)]
        connection.execute(insert(AccountSnapshot), hourly)
    engine.dispose()
    colour, said = check(capsys)[1]["paper record"]
    assert (colour, said[:16]) == ("green", "20.0 of 14 days ")
    _, lines = check(capsys, "--timeframe", "4h")
    assert lines["paper record"] == (
        "amber",
        "0.0 of 14 days with these rules, parameters, symbols and limits",
    )


def test_a_test_order_is_not_tried_where_something_is_red(
    sim: RunningSim, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = project / "config" / "settings.yaml"
    settings.write_text(settings.read_text().replace("  # max_order: 500 ", "  max_order: 0.5 "))
    code, lines = check(capsys, "--test-order")
    assert code == 1
    assert lines["BTC/USDT"][0] == "red"
    assert lines["test order"] == ("amber", "not tried: something else is red")


@pytest.mark.unmeasured
def test_an_order_of_somebody_else_is_seen(sim: RunningSim, capsys: pytest.CaptureFixture[str]) -> None:
    from core.exchange_client import ExchangeClient

    with ExchangeClient("binanceus", TEST_KEY, TEST_SECRET, base_url=sim.url) as client:
        client.create_order("BTC/USDT", "buy", "limit", "0.001", client.last_price("BTC/USDT") * 0.9)
    code, lines = check(capsys)
    assert lines["foreign orders"] == ("red", "1 open order on the account are not this program's")
    assert code == 1


def test_the_order_names_of_an_account_are_its_own(tmp_path: Path) -> None:
    from db.live_history import order_names

    engine = init_db(url_of(tmp_path / "new.db"))
    assert order_names(engine, "paper") == set()
    engine.dispose()


@pytest.mark.unmeasured
def test_an_account_on_paper_is_refused_at_an_exchange_before_anything_is_taken_over(
    sim: RunningSim, tmp_path: Path
) -> None:
    assert run_live.main(["--once", "--cash", "7000", *TRADED]) == 0

    def entries() -> int:
        engine = open_engine(url_of(tmp_path / "x.db"))
        with engine.connect() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM journal").scalar_one()
        engine.dispose()
        return int(count)

    before = entries()
    with pytest.raises(UsageError, match="the account trades on paper, not on exchange"):
        run_live.main(["--once", "--orders", "exchange", *TRADED])
    assert entries() == before


def test_a_test_order_whose_answer_is_lost_is_found_and_cancelled(
    sim: RunningSim, capsys: pytest.CaptureFixture[str]
) -> None:
    sim.set_faults((), (Fault("reset_after", path="order", method="POST", times=1),))
    code, lines = check(capsys, "--test-order")
    assert lines["test order"][0] == "green"
    assert code == 0
    assert check(capsys)[1]["foreign orders"] == ("green", "none")


def test_real_money_has_one_database(project: Path) -> None:
    change(project, MEANT)
    with pytest.raises(SystemExit) as ended:
        run_live.main([*ARMED, "--db-url", "sqlite:///other.db"])
    assert ended.value.code == 2


def test_a_key_trades_real_money_by_one_process_and_from_one_database(tmp_path: Path) -> None:
    first, second = tmp_path / "one.db", tmp_path / "two.db"
    with one_database(tmp_path / "data", "binanceus-1", second):
        """What was refused before it began has traded from nowhere."""
    with one_database(tmp_path / "data", "binanceus-1", first) as begin:
        begin()
        with (
            pytest.raises(RefusedError, match="another process trades real money with this key"),
            one_database(tmp_path / "data", "binanceus-1", first),
        ):
            pass
        with one_database(tmp_path / "data", "binanceus-2", second):
            pass
    with one_database(tmp_path / "data", "binanceus-1", first):
        pass
    with (
        pytest.raises(RefusedError, match=r"traded real money from \S+one\.db, where its days and losses"),
        one_database(tmp_path / "data", "binanceus-1", second),
    ):
        pass
    (tmp_path / "file").touch()
    with (
        pytest.raises(DatabaseError, match="real money needs it"),
        one_database(tmp_path / "file", "binanceus-1", first),
    ):
        pass


@pytest.mark.unmeasured
def test_a_second_database_is_refused_before_anything_is_asked_of_the_exchange(
    project: Path, leaving: list[Sent]
) -> None:
    change(project, MEANT)
    with one_database(project / "data", account_name("binanceus", TEST_KEY), project / "other.db") as begin:
        begin()
    with pytest.raises(RefusedError, match=r"this key traded real money from \S+other\.db"):
        run_live.main([*ARMED])
    assert leaving == []


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [MEANT, ("account: live ", "account: other ")],
        [MEANT, ("exchange: binanceus ", "exchange: binance ")],
        [MEANT, ("https://api.binance.us", "https://api.binance.com")],
    ],
)
def test_a_reload_reads_the_file_again_and_refuses_another_account_exchange_or_address(
    pairs: list[tuple[str, str]], project: Path
) -> None:
    change(project, *pairs)
    args = run_live.parse(["--live", "--i-understand-the-risks", *TRADED])
    args.account, args.exchange = "live", "binanceus"
    client = SimpleNamespace(permission=SimpleNamespace(covers=lambda url: url == "https://api.binance.us"))
    with pytest.raises(UsageError, match="another mode, account, exchange or address than the loop began"):
        again(args, client, cast("Engine", None))  # type: ignore[arg-type]


def test_a_reload_makes_all_checks_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    change(project, MEANT)
    args = run_live.parse(["--live", "--i-understand-the-risks", *TRADED])
    args.account, args.exchange = "live", "binanceus"
    client = SimpleNamespace(permission=SimpleNamespace(covers=lambda _: True))
    red = CheckLine("stops", Colour.RED, "stops do not rest")
    monkeypatch.setattr(real_money, "checked", lambda *_: [red])
    with pytest.raises(RefusedError, match=r"1 check is red \(stops\)"):
        again(args, client, cast("Engine", None))  # type: ignore[arg-type]
    assert again(run_live.parse(TRADED), None, cast("Engine", None)).orders == "paper"
