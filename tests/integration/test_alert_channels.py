"""Telegram, webhook and e-mail against local servers: what arrives, outages, and no secret told."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from core.alerts.chat import HELP, IDLE, OLDEST, Chat
from core.alerts.lane import FIRST, Lane, Letter, NotSentError, length_of
from core.alerts.lane import LONGEST as LONGEST_PAUSE
from core.alerts.levels import message
from core.alerts.line import TimedLine
from core.alerts.mail import MailChannel, MailTerms
from core.alerts.reach import troubles
from core.alerts.telegram import LONGEST, Bot, TelegramChannel
from core.alerts.web import LARGEST, Web
from core.alerts.webhook import WebhookChannel
from tests.alert_help import (
    TOKEN,
    HttpServer,
    Noted,
    Ticking,
    dripping,
    http_server,
    login,
    mail_server,
    warning,
)
from tests.exchange_help import NOON

DEEP = b"[" * 200_000
"""No document at all to Python, which raises another error for it than for other nonsense."""
OK = {"ok": True, "result": {}}
HOOK = "/services/CANARY-of-a-webhook"
PASSWORD = "CANARY-of-a-mail-password"
LETTERS = [Letter(warning("near its stop", "BTC/USDT"), 3), Letter(message("halt", "halted <b>&", NOON))]
TEXT = "⚠️ 2024-01-01 12:00 UTC near its stop (and 2 more like it)\n\n🚨 2024-01-01 12:00 UTC halted <b>&"


@pytest.fixture(autouse=True)
def _nothing_secret_is_told(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)
    yield
    said = capfd.readouterr()
    assert "CANARY" not in caplog.text + said.out + said.err


def telegram(url: str, timeout: float = 5.0) -> TelegramChannel:
    return TelegramChannel(Bot(url, TOKEN, Web(timeout)), "77")


def webhook(url: str, timeout: float = 5.0) -> WebhookChannel:
    return WebhookChannel(f"{url}{HOOK}", "paper", Web(timeout))


both = pytest.mark.parametrize("channel", [telegram, webhook])


def error_of(send: Callable[[], object]) -> NotSentError:
    with pytest.raises(NotSentError) as caught:
        send()
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "CANARY" not in shown
    return caught.value


def test_telegram_gets_one_text_with_a_sound_for_what_is_critical() -> None:
    with http_server(lambda *_: (200, OK)) as server:
        channel = telegram(server.url)
        channel.send(LETTERS)
        channel.send(LETTERS[:1])
    fields = {"chat_id": "77", "text": TEXT, "disable_notification": False}
    assert server.asked[0] == (f"/bot{TOKEN}/sendMessage", fields)
    assert server.asked[1][1]["disable_notification"] is True


def test_a_text_that_telegram_would_refuse_for_its_length_is_cut() -> None:
    with http_server(lambda *_: (200, OK)) as server:
        Bot(server.url, TOKEN, Web()).say("1", "x" * 5_000)
        Bot(server.url, TOKEN, Web()).say("1", "🚨" * 3_000)
        telegram(server.url).send([Letter(message("halt", "🚨" * 3_000, NOON))])
    plain, pictures, whole = (asked["text"] for _, asked in server.asked)
    assert len(plain) == LONGEST
    # A picture counts as two, and none is cut in two.
    assert pictures == "🚨" * 1_999 + "…"
    assert length_of(whole) <= LONGEST
    assert whole.endswith("…")


def test_a_webhook_gets_the_text_and_each_message_as_data() -> None:
    with http_server(lambda *_: (204, b"")) as server:
        webhook(server.url).send(LETTERS)
    ((path, document),) = server.asked
    assert path == HOOK
    assert (document["account"], document["text"]) == ("paper", TEXT)
    assert document["messages"] == [
        {
            "kind": "near_stop",
            "level": "warning",
            "time": NOON,
            "ref": "BTC/USDT",
            "text": "near its stop",
            "count": 3,
        },
        {
            "kind": "halt",
            "level": "critical",
            "time": NOON,
            "ref": "",
            "text": "halted <b>&",
            "count": 1,
        },
    ]


@both
@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        (500, False),
        (503, False),
        (429, False),
        (408, False),
        (400, True),
        (401, True),
        (404, True),
        (302, True),
    ],
)
def test_an_answer_that_is_no_yes_says_whether_it_is_worth_trying_again(
    channel: Any, status: int, is_final: bool
) -> None:
    with http_server(lambda *_: (status, {"ok": False, "description": f"no: {TOKEN}"})) as server:
        server.headers = {"Location": f"{server.url}/elsewhere", "Retry-After": "12"}
        error = error_of(lambda: channel(server.url).send(LETTERS))
    assert (error.is_final, error.wait) == (is_final, 12)
    assert str(error).startswith(f"it answered {status}")
    assert len(server.asked) == 1


def test_telegrams_own_word_on_how_long_to_wait_counts() -> None:
    answer = {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 31}}
    with http_server(lambda *_: (429, answer)) as server:
        error = error_of(lambda: telegram(server.url).send(LETTERS))
    assert (str(error), error.wait) == ("it answered 429, Too Many Requests", 31)


def test_an_answer_of_somebody_else_than_telegram_is_told() -> None:
    for answer in (b"<html>login</html>", b"", {"ok": False}, [1], DEEP, b'{"ok": ' + DEEP):
        with http_server(lambda *_, answer=answer: (200, answer)) as server:
            error = error_of(lambda url=server.url: telegram(url).send(LETTERS))  # type: ignore[misc]
        assert "look at alerts.telegram_api" in str(error)


@both
def test_a_refused_connection_and_one_that_is_hung_up_are_tried_again(channel: Any) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = error_of(lambda: channel(f"http://127.0.0.1:{port}").send(LETTERS))
    assert (str(error), error.is_final) == ("no connection", False)

    def hang_up(*_: object) -> tuple[int, Any]:
        raise ConnectionError

    with http_server(hang_up) as server:
        assert str(error_of(lambda: channel(server.url).send(LETTERS))) == "no connection"


@both
def test_a_server_that_hangs_is_given_up_after_the_time_out(channel: Any) -> None:
    with http_server() as server:
        server.answer = lambda *_: (200, server.released.wait() and OK)
        error = error_of(lambda: channel(server.url, 0.05).send(LETTERS))
        server.released.set()
    assert (str(error), error.is_final) == ("no answer in 0.05 s", False)


DRIPS = {
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "a body in chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"x"),
    "a promise": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_is_given_up_at_the_deadline_and_its_connection_ends(
    drip: tuple[bytes, bytes],
) -> None:
    with dripping(*drip) as (port, gone):
        error = error_of(lambda: webhook(f"http://127.0.0.1:{port}", 0.3).send(LETTERS))
        assert gone.wait(10)
    assert (str(error), error.is_final) == ("no answer in 0.3 s", False)


def test_telegram_that_drips_does_not_keep_the_reader_of_commands() -> None:
    said = list[str]()
    with dripping(*DRIPS["a body"]) as (port, gone):
        bot = Bot(f"http://127.0.0.1:{port}", TOKEN, Web(0.3))
        assert Chat(bot, ["77"], Desk(), lambda: NOON, said.append).step(0) == FIRST
        assert gone.wait(10)
    assert said == ["commands by telegram are not read for now: no answer in 0.3 s"]


def test_tls_that_drips_is_given_up_at_the_deadline_and_its_connection_ends() -> None:
    # The begin of a long record of a handshake.
    for send in (
        lambda port: webhook(f"https://127.0.0.1:{port}", 0.3).send(LETTERS),
        lambda port: mail(port, 0.3, security="tls").send(LETTERS),
    ):
        with dripping(b"\x16\x03\x03\x40\x00", b"\x02") as (port, gone):
            assert "in 0.3 s" in str(error_of(lambda send=send, port=port: send(port)))  # type: ignore[misc]
            assert gone.wait(10)


@pytest.mark.parametrize("drop", [b"220-hello\r\n", b"2"])
def test_a_mail_server_that_drips_is_given_up_at_the_deadline_tried_again_and_said(drop: bytes) -> None:
    said = list[str]()
    with dripping(b"", drop) as (port, gone):
        lane = Lane("email", mail(port, 0.3), Ticking(), said.append)
        lane.put(LETTERS[1].message)
        assert lane.step() == FIRST
        assert gone.wait(10)
    why = "the mail server did not take it in 0.3 s"
    assert said == [f"an alert by email could not be sent, it is tried again: {why}"]
    assert len(lane.waiting()) == 1


def test_an_answer_that_never_ends_is_not_read_to_its_end() -> None:
    with http_server(lambda *_: (200, b"x" * (LARGEST + 1))) as server:
        error = error_of(lambda: Web().post(f"{server.url}{HOOK}", {}))
    assert str(error) == "its answer is longer than 1,000,000 bytes"


def test_what_connects_after_the_deadline_is_hung_up_before_it_says_anything() -> None:
    line, may_go, went = TimedLine(), threading.Event(), Future[bytes]()
    here, there = socket.socketpair()

    def slow_name() -> None:
        may_go.wait(10)
        with pytest.raises(TimeoutError):
            line.opened(here)
        went.set_result(there.recv(1))

    with there:
        with pytest.raises(TimeoutError):
            line.within(0.05, slow_name)
        may_go.set()
        assert went.result(10) == b""


def test_an_address_that_is_none_is_no_connection() -> None:
    for address in ("http://[::1", "http://127.0.0.1:99999/CANARY", "nonsense CANARY"):
        assert str(error_of(lambda address=address: Web().post(address, {}))) == "no connection"  # type: ignore[misc]


def mail(port: int, timeout: float = 5.0, **given: Any) -> MailChannel:
    terms = MailTerms(
        **{
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "sender": "bot@example.org",
            "to": ("a@example.org", "b@example.org"),
            "user": "me",
            "password": PASSWORD,
            **given,
        }
    )
    return MailChannel(terms, "paper", timeout)


def test_a_mail_has_the_worst_in_its_subject_and_all_in_its_text() -> None:
    with mail_server() as server:
        mail(server.port).send(LETTERS)
    assert login("me", PASSWORD) in server.words
    assert [word for word in server.words if word.startswith(("mail", "rcpt"))] == [
        "mail FROM:<bot@example.org>",
        "rcpt TO:<a@example.org>",
        "rcpt TO:<b@example.org>",
    ]
    found = email.message_from_string(server.mails[0], policy=email.policy.default)
    assert found["Subject"] == "[HOT-Crypto paper] CRITICAL: halted <b>& (+1)"
    assert found["To"] == "a@example.org, b@example.org"
    assert found.get_content().replace("\r\n", "\n") == TEXT + "\n"


def test_a_text_of_many_lines_makes_no_header_of_its_own() -> None:
    with mail_server() as server:
        mail(server.port, user="").send([Letter(message("failed", "one\nBcc: x@example.org", NOON))])
    found = email.message_from_string(server.mails[0], policy=email.policy.default)
    assert (found["Bcc"], found["Subject"]) == (None, "[HOT-Crypto paper] CRITICAL: one")


@pytest.mark.parametrize(
    ("word", "reply", "said", "is_final"),
    [
        ("CONNECT", "554 no", "the mail server answered 554", False),
        ("AUTH", f"535 wrong {PASSWORD}", "the mail server answered 535", True),
        ("AUTH", "454 later", "the mail server answered 454", False),
        ("RCPT", "550 nobody", "the mail server takes nothing for alerts.smtp_to", True),
        (".", "451 later", "the mail server answered 451", False),
        ("DATA", "554 spam", "the mail server answered 554", True),
        ("EHLO", "250 local", "the mail server cannot do what alerts.smtp_security or smtp_user asks", False),
    ],
)
def test_what_a_mail_server_says_instead_of_yes(word: str, reply: str, said: str, is_final: bool) -> None:
    with mail_server() as server:
        server.replies[word] = reply
        error = error_of(lambda: mail(server.port).send(LETTERS))
    assert (str(error), error.is_final) == (said, is_final)


def test_letters_that_a_mail_server_cannot_take_are_told_without_repeating_them() -> None:
    with mail_server() as server:
        error = error_of(lambda: mail(server.port, password="CANARY-ß").send(LETTERS))
    assert (str(error), error.is_final) == (
        "a name, password or address has letters that the mail server cannot take",
        True,
    )


def test_a_mail_server_that_hangs_is_gone_or_speaks_no_tls() -> None:
    with mail_server() as server:
        server.replies["CONNECT"] = "hang"
        assert "did not take it in 0.05 s" in str(error_of(lambda: mail(server.port, 0.05).send(LETTERS)))
    assert "no connection" in str(error_of(lambda: mail(server.port).send(LETTERS)))
    with mail_server() as server:
        assert "cannot do what" in str(error_of(lambda: mail(server.port, security="starttls").send(LETTERS)))
        error = error_of(lambda: mail(server.port, security="tls").send(LETTERS))
        assert "speaks no TLS" in str(error)


def test_telegram_is_reached_by_asking_for_the_bot_and_the_chat() -> None:
    with http_server(lambda *_: (200, OK)) as server:
        telegram(server.url).reach()
        assert server.asked == [(f"/bot{TOKEN}/getMe", {}), (f"/bot{TOKEN}/getChat", {"chat_id": "77"})]
        no_token = {"ok": False, "description": f"Unauthorized: {TOKEN}"}
        server.answer = lambda *_: (401, no_token)
        assert str(error_of(telegram(server.url).reach)) == "it answered 401, Unauthorized: ***"
        no_chat = {"ok": False, "description": "Bad Request: chat not found"}
        server.answer = lambda path, _: (200, OK) if path.endswith("/getMe") else (400, no_chat)
        assert str(error_of(telegram(server.url).reach)) == "it answered 400, Bad Request: chat not found"
    assert all("send" not in path for path, _ in server.asked)


@pytest.mark.parametrize("status", [200, 204, 401, 404, 405, 500, 501])
def test_a_webhook_is_reached_where_somebody_answers_whatever_is_said(status: int) -> None:
    with http_server(lambda *_: (status, b"")) as server:
        webhook(server.url).reach()
    assert (server.methods, server.asked) == (["OPTIONS"], [(HOOK, None)])


@pytest.mark.parametrize("status", [301, 302, 407, 502, 503, 504])
def test_who_stands_before_a_webhook_and_does_not_get_through_is_not_it(status: int) -> None:
    with http_server(lambda *_: (status, b"")) as server:
        server.headers = {"Location": f"{server.url}/elsewhere"}
        assert str(error_of(webhook(server.url).reach)) == f"it answered {status}"
    assert len(server.asked) == 1


def test_a_mail_server_is_reached_by_logging_in_and_no_mail_is_begun() -> None:
    with mail_server() as server:
        mail(server.port).reach()
    assert [word.split()[0].upper() for word in server.words] == ["EHLO", "AUTH", "NOOP", "QUIT"]
    assert login("me", PASSWORD) in server.words


@pytest.mark.parametrize(
    ("word", "reply", "said"),
    [
        ("CONNECT", "554 no", "the mail server answered 554"),
        ("AUTH", f"535 wrong {PASSWORD}", "the mail server answered 535"),
        ("NOOP", f"421 {PASSWORD}", "the mail server answered 421"),
        ("EHLO", "250 local", "the mail server cannot do what alerts.smtp_security or smtp_user asks"),
    ],
)
def test_a_mail_server_that_does_not_let_in_is_not_reached(word: str, reply: str, said: str) -> None:
    with mail_server() as server:
        server.replies[word] = reply
        assert str(error_of(mail(server.port).reach)) == said


def test_all_channels_are_asked_at_once_and_none_that_hangs_is_waited_for_longer_than_stated() -> None:
    with http_server() as server, mail_server() as mails:
        server.answer = lambda *_: (200, server.released.wait() and OK)
        mails.replies["CONNECT"] = "hang"
        assert (
            troubles([telegram(server.url), webhook(server.url), mail(mails.port)], 0.05)
            == ["no answer in 0.05 s"] * 3
        )
    others = Noted(), Noted(NotSentError("it answered 500"))
    assert troubles([*others, telegram(server.url)]) == ["", "it answered 500", "no connection"]


def test_channels_that_wait_for_each_other_are_all_reached() -> None:
    both = threading.Barrier(2)

    class Meets(Noted):
        def reach(self) -> None:
            both.wait(5)

    assert troubles([Meets(), Meets()]) == ["", ""]


def test_where_a_channel_goes_is_told_without_what_is_secret_of_it() -> None:
    address = f"https://me:{PASSWORD}@hooks.example.org:8443{HOOK}?key=CANARY"
    assert WebhookChannel(address, "paper", Web()).where == "hooks.example.org"
    assert WebhookChannel("http://[::1", "paper", Web()).where == ""
    assert telegram("http://127.0.0.1:1").where == "127.0.0.1"
    assert mail(25, host="smtp.example.org").where == "smtp.example.org:25"


class Desk:
    """Answers a person, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, int]] = []

    def status(self) -> str:
        return "all well"

    def positions(self) -> str:
        return "nothing is held"

    def give(self, name: str, update: int) -> str:
        self.given.append((name, update))
        return f"{name}: done"


def written(update: int, text: object, chat: object = 77, age: int = 0) -> dict[str, Any]:
    return {
        "update_id": update,
        "message": {"date": NOON // 1000 - age, "chat": {"id": chat}, "text": text},
    }


class Telegram:
    """The updates that a local Bot API has, and the replies that it was given."""

    def __init__(self, *updates: Any) -> None:
        self.updates, self.replies, self.offsets = list(updates), list[tuple[str, str]](), list[int]()

    def __call__(self, path: str, document: Any) -> tuple[int, Any]:
        if path.endswith("/sendMessage"):
            self.replies.append((document["chat_id"], document["text"]))
            return 200, OK
        if path.endswith("/getMe"):
            return 200, {"ok": True, "result": {"username": "My_bot"}}
        self.offsets.append(document["offset"])
        return 200, {"ok": True, "result": [one for one in self.updates if self._is_new(one, document)]}

    @staticmethod
    def _is_new(one: Any, document: Any) -> bool:
        return not isinstance(one, dict) or one.get("update_id", 0) >= document["offset"]


def chat_of(server: HttpServer, desk: Desk, said: list[str]) -> Chat:
    return Chat(Bot(server.url, TOKEN, Web()), ["77", "-100"], desk, lambda: NOON, said.append)


def test_commands_of_an_allowed_chat_are_carried_out_once_and_answered() -> None:
    api, desk, said = Telegram(*(written(n, text) for n, text in enumerate(TYPED, 1))), Desk(), list[str]()
    with http_server(api) as server:
        chat = chat_of(server, desk, said)
        assert [chat.step(0), chat.step(0)] == [0.0, IDLE]
    assert desk.given == [("pause", 3), ("resume", 4), ("flatten", 5)]
    assert [text for _, text in api.replies] == [
        "all well",
        "nothing is held",
        "pause: done",
        "resume: done",
        "flatten: done",
        HELP,
    ]
    assert {number for number, _ in api.replies} == {"77"}
    assert api.offsets == [1, len(TYPED) + 1]
    assert said == []


TYPED = ["/status", "/positions@my_bot", "/pause", "/RESUME", "/flatten@MY_BOT", "hello", "/stop", ""]


@pytest.mark.parametrize(
    "text",
    [
        "Flatten the curve, they say :)",
        "flatten",
        "resume",
        "Pause for thought: should we add ETH?",
        "FLATTEN?",
        "we could /flatten",
    ],
)
def test_a_sentence_that_begins_like_a_command_is_none_and_gets_no_answer(text: str) -> None:
    api, desk = Telegram(written(1, text)), Desk()
    with http_server(api) as server:
        chat_of(server, desk, []).step(0)
    assert (desk.given, api.replies) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "/flatten later maybe, not now",
        "/flatten\nnot",
        "/flatten@some_other_bot",
        "/flatten@my_bot now",
        "/flatten@",
        "/flatten.",
        "//flatten",
        "/ﬂatten",
        "/",
    ],
)
def test_a_command_with_more_in_it_or_for_another_bot_is_not_carried_out(text: str) -> None:
    api, desk = Telegram(written(1, text)), Desk()
    with http_server(api) as server:
        chat_of(server, desk, []).step(0)
    assert (desk.given, api.replies) == ([], [("77", HELP)])


@pytest.mark.parametrize("forwarded", [{"forward_origin": {"type": "user"}}, {"forward_date": NOON // 1000}])
def test_a_forwarded_command_is_not_carried_out(forwarded: dict[str, Any]) -> None:
    update = written(1, "/flatten")
    update["message"] |= forwarded
    api, desk = Telegram(update), Desk()
    with http_server(api) as server:
        chat_of(server, desk, []).step(0)
    assert (desk.given, api.replies) == ([], [("77", HELP)])


def test_a_bot_whose_name_is_not_told_takes_commands_without_one() -> None:
    api, desk = Telegram(written(1, "/pause@my_bot"), written(2, "/pause")), Desk()
    with http_server(
        lambda path, asked: (200, OK) if path.endswith("/getMe") else api(path, asked)
    ) as server:
        chat_of(server, desk, []).step(0)
    assert desk.given == [("pause", 2)]


def test_other_chats_are_ignored_and_counted() -> None:
    others = [written(1, "/flatten", 78), written(2, "/status", "78"), written(3, "/status", None)]
    api, desk, said = Telegram(*others, written(4, "/status", -100)), Desk(), list[str]()
    with http_server(api) as server:
        chat = chat_of(server, desk, said)
        chat.step(0)
    assert (desk.given, chat.unknown) == ([], 3)
    assert api.replies == [("-100", "all well\n3 messages of other chats ignored")]
    assert said == ["a chat that is not allowed wrote to the telegram bot: it is ignored, as others are"]


def test_what_is_no_message_is_passed_over() -> None:
    odd: list[Any] = [
        {"update_id": 9},
        {"update_id": 10, "message": {"chat": 3}},
        {"update_id": 11, "message": {"chat": {"id": 77}, "date": "x", "text": "/flatten"}},
        {"update_id": 12, "message": {"chat": {"id": 77}, "date": NOON // 1000, "photo": []}},
    ]
    api, desk = Telegram(*odd), Desk()
    with http_server(api) as server:
        chat = chat_of(server, desk, [])
        chat.step(0)
        api.updates += [7, {"update_id": "8"}]
        chat.step(0)
    assert (desk.given, api.replies, api.offsets) == ([], [], [1, 13])


def test_a_command_that_was_written_long_ago_is_not_carried_out() -> None:
    seconds = OLDEST // 1000
    api, desk = Telegram(written(1, "/flatten", age=seconds), written(2, "/flatten", age=seconds + 1)), Desk()
    with http_server(api) as server:
        chat_of(server, desk, []).step(0)
    assert desk.given == [("flatten", 1)]
    assert api.replies[1][1] == "/flatten was written 121 s ago and is not carried out: write it again"


def test_a_command_from_the_future_is_not_carried_out() -> None:
    api, desk = Telegram(written(1, "/flatten", age=-60), written(2, "/flatten", age=-61)), Desk()
    with http_server(api) as server:
        chat_of(server, desk, []).step(0)
    assert desk.given == [("flatten", 1)]
    assert api.replies[1][1] == "/flatten is dated 61 s ahead and is not carried out: look at the clocks"


def test_neither_an_answer_without_end_nor_a_desk_that_fails_ends_the_reading_of_commands() -> None:
    class Failing(Desk):
        def status(self) -> str:
            raise KeyError("CANARY")

    words = "its answer is not Telegram's: look at alerts.telegram_api"
    api, desk, said = Telegram(written(1, "/status"), written(2, "/pause")), Failing(), list[str]()
    with http_server(lambda *_: (200, DEEP)) as server:
        chat = chat_of(server, desk, said)
        assert chat.step(0) == FIRST
        server.answer = api
        assert [chat.step(0), chat.step(0)] == [2 * FIRST, 0.0]
    assert desk.given == [("pause", 2)]
    assert said == [
        f"commands by telegram are not read for now: {words}",
        "commands by telegram are read again",
    ]


def test_an_outage_of_weeks_does_not_end_the_reading_of_commands() -> None:
    class Away:
        def name(self) -> str:
            return "my_bot"

        def updates(self, *_: object) -> list[Any]:
            raise NotSentError("away")

    said = list[str]()
    chat = Chat(Away(), ["77"], Desk(), lambda: NOON, said.append)  # type: ignore[arg-type]
    assert [chat.step(0) for _ in range(3_000)][-1] == LONGEST_PAUSE
    assert len(said) == 1


def test_an_outage_of_telegram_is_said_once_and_waited_for() -> None:
    api, desk, said = Telegram(), Desk(), list[str]()
    with http_server(lambda *_: (502, {})) as server:
        chat = chat_of(server, desk, said)
        assert [chat.step(0), chat.step(0)] == [FIRST, 2 * FIRST]
        server.answer = api
        assert chat.step(0) == IDLE
        server.answer = lambda *_: (200, {"ok": True, "result": 7})
        assert chat.step(0) == FIRST
    assert said == [
        "commands by telegram are not read for now: it answered 502",
        "commands by telegram are read again",
        "commands by telegram are not read for now: its answer has no updates in it",
    ]


def test_the_thread_that_reads_commands_ends_when_it_is_told() -> None:
    api, desk = Telegram(written(1, "/pause")), Desk()
    with http_server() as server:
        chat = chat_of(server, desk, [])

        def answer(path: str, document: Any) -> tuple[int, Any]:
            if path.endswith("/sendMessage"):
                chat.end()
                server.released.set()
            return api(path, document)

        server.answer = answer
        chat.start()
        assert server.released.wait(10)
    assert desk.given == [("pause", 1)]
    assert json.dumps(api.replies)
