"""No secret of the environment and nothing that rules a terminal is in what an exception says here."""

from __future__ import annotations

import pytest

from core.secrecy import LONGEST, hidden, hide, one_line, secrets_of, words_of

ENV = {
    "TELEGRAM_BOT_TOKEN": "123456:CANARY-1/x",
    "MY_DATA_API_KEY": "CANARY-2",
    "HOT_CRYPTO_ALERTS_WEBHOOK_URL": "https://hooks.example/CANARY-3",
    "HTTPS_PROXY": "http://me:CANARY%204@proxy.example:3128",
    "all_proxy": "me:CANARY-5@proxy.example:3128",
    "HOT_CRYPTO_DB_URL": "postgresql+psycopg://trader:CANARY-6@db.example/account",
    "OTHER_DB": "postgresql://db.example/account?user=me&password=CANARY-7&sslmode=require",
    "PEM_SECRET": "CANARY-8\nof two lines",
    "EMPTY_TOKEN": "",
    "SHORT_TOKEN": "abc",
    "HOME": "/home/abcdef",
    "EXCHANGE_BASE_URL": "http://127.0.0.1:8090/@x",
}


@pytest.fixture(autouse=True)
def _hides() -> None:
    hide(secrets_of(ENV))


@pytest.mark.parametrize(
    "name",
    [
        "PGPASSWORD",
        "BINANCE_APIKEY",
        "MYSQL_PWD",
        "KRAKEN_API_KEY_2",
        "KRAKEN_API_KEY2",
        "apisecret",
        "apiSecret",
        "SLACK_WEBHOOK",
        "HOT_CRYPTO_ALERTS_WEBHOOK_URL",
        "AWS_CREDENTIALS",
        "GIT_CREDS",
        "GITHUB_PAT",
        "TLS_KEY_PEM",
        "BOT_TOKENS",
        "DBPASS",
        "my.api-key",
        "DJANGO_SECRET_KEY_BASE",
        "DB_PASSWD",
        "WALLET_MNEMONIC",
    ],
)
def test_a_secret_is_known_by_the_names_that_people_give_it(name: str) -> None:
    assert "CANARY-9 x" in secrets_of({name: "CANARY-9 x"})


@pytest.mark.parametrize(
    "value", ["true", "False", "no", "none", "auto", "/home/me", "/home/me/", "/home/me/key"]
)
def test_a_value_that_stands_in_every_other_sentence_is_no_secret(value: str) -> None:
    for name in ("USE_TOKEN", "API_KEYS", "GOOGLE_CREDENTIALS", "MYSQL_PWD"):
        assert secrets_of({"HOME": "/home/me", name: value}) == []


def test_a_number_is_a_secret_by_the_last_word_of_its_name_alone() -> None:
    assert secrets_of({"MAX_TOKENS": "4096", "KEY_BITS": "2048", "WEBHOOK_RETRIES": "1000"}) == []
    assert secrets_of({"DB_PASSWORD": "4096"}) == ["4096"]


@pytest.mark.parametrize(
    "name",
    [
        "HOME",
        "PWD",
        "OLDPWD",
        "PATH",
        "SSH_ASKPASS",
        "TOKEN_FILE",
        "AWS_ACCESS_KEY_ID",
        "KEYBOARD",
        "PATTERN",
        "2",
    ],
)
def test_a_name_that_only_looks_like_a_secrets_hides_nothing(name: str) -> None:
    assert secrets_of({name: "/usr/lib/something"}) == []


@pytest.mark.parametrize(
    "said",
    [
        "https://api.example/bot123456:CANARY-1/x/sendMessage",
        "/bot123456%3ACANARY-1%2Fx/",
        "key=CANARY-2",
        "Max retries exceeded with url: https://hooks.example/CANARY-3",
        "proxy http://me:CANARY%204@proxy.example:3128 and CANARY 4 itself",
        "CANARY-5 CANARY-6 CANARY-7",
        "CANARY-8\nof two lines, and CANARY-8 of two lines, and CANARY-8\\nof two lines",
        "CAN\x1bARY-2 and CANARY\u202e-2",
        "http://somebody:CANARY-of-another@example.org/x",
    ],
)
def test_a_secret_is_hidden_however_it_is_spelled(said: str) -> None:
    for text in (hidden(said), one_line(said), words_of(ConnectionError(said))):
        assert "CANARY" not in text
        assert "***" in text


def test_what_is_no_secret_stays_as_it_is() -> None:
    for text in ("abc at /home/abcdef", "http://127.0.0.1:8090/@x", "proxy.example", "a\nb", "über 5 µ"):
        assert hidden(text) == text


def test_no_text_rules_a_terminal() -> None:
    said = "red \x1b[31m\x07 back\b \r\x9b2J line\u2028end \ud800"
    for text in (hidden(said), words_of(ValueError(said))):
        assert text.isprintable()
    assert hidden("one\ttab\ntwo") == "one tab\ntwo"


def test_the_words_of_an_exception_are_one_line_of_bounded_length() -> None:
    assert words_of(ValueError("a\n  b\r\nc")) == "ValueError: a b c"
    assert words_of(ZeroDivisionError()) == "ZeroDivisionError"
    text = words_of(ValueError("x" * 9_000))
    assert (len(text), text[-1]) == (LONGEST, "…")


def test_an_exception_that_cannot_say_anything_has_its_kind() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert words_of(MuteError()) == "MuteError"
    assert words_of(type("\x1b[2J", (Exception,), {})("x")) == "[2J: x"
