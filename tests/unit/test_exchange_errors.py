"""Every ccxt error becomes one of this project's, with a sentence that helps and holds no secret."""

from __future__ import annotations

import inspect
from importlib import import_module

import ccxt
import pytest

from core import errors
from core.exchange.errors import (
    Attempt,
    LastAnswer,
    Remedy,
    translate_order,
    translate_read,
    unusable_order_answer,
)

ATTEMPT = Attempt("binanceus", "read BTC/USDT 1h candles", ("my-key", "my-secret"))
ORDER = Attempt("binanceus", "place the market buy (client order id mine)", ("my-key", "my-secret"))
ALL = [kind for _, kind in inspect.getmembers(import_module("ccxt.base.errors"), inspect.isclass)]
URL = "https://api.binance.us/api/v3/account?timestamp=1&recvWindow=5000&signature=" + "ab12" * 16


def body(code: int, message: str, status: int = 400) -> LastAnswer:
    return LastAnswer(status, f'{{"code":{code},"msg":"{message}"}}')


@pytest.mark.parametrize(
    ("raised", "answer", "is_named"),
    [
        (ccxt.NetworkError, LastAnswer(), True),
        (ccxt.ExchangeNotAvailable, LastAnswer(404), True),
        (ccxt.ExchangeNotAvailable, LastAnswer(502), False),
        (ccxt.BadSymbol, LastAnswer(), False),
    ],
)
def test_an_address_that_the_user_gave_is_named_where_it_may_be_the_wrong_one(
    raised: type[Exception], answer: LastAnswer, is_named: bool
) -> None:
    attempt = ATTEMPT._replace(base_url="http://127.0.0.1:8090")
    said = str(translate_read(raised("x"), attempt, answer).error)
    hint = "; it was asked at http://127.0.0.1:8090 (EXCHANGE_BASE_URL, --base-url): is an exchange running"
    assert (hint in said) == is_named
    assert "asked at" not in str(translate_read(raised("x"), ATTEMPT, answer).error)


def test_an_answer_that_is_nested_without_end_has_no_words() -> None:
    failure = translate_read(ccxt.ExchangeNotAvailable("x"), ATTEMPT, LastAnswer(502, "[" * 200_000))
    assert isinstance(failure.error, errors.ExchangeUnreachableError)


@pytest.mark.parametrize("kind", ALL)
def test_every_ccxt_error_is_translated_for_reads_and_for_orders(kind: type[Exception]) -> None:
    failure = translate_read(kind("binanceus GET " + URL), ATTEMPT, LastAnswer())
    assert type(failure.error) is not errors.HotCryptoError
    assert str(failure.error).startswith("binanceus: cannot read BTC/USDT 1h candles: ")
    order = translate_order(kind("binanceus POST " + URL), ORDER, LastAnswer(), sent=True)
    assert isinstance(order, errors.OrderUnknownError)
    assert "client order id mine" in str(order)


@pytest.mark.parametrize(
    ("raised", "answer", "kind", "remedy"),
    [
        (ccxt.RequestTimeout, LastAnswer(), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (ccxt.NetworkError, LastAnswer(), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (ccxt.ExchangeNotAvailable, LastAnswer(502, "<html>"), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (ccxt.OnMaintenance, LastAnswer(503), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (ccxt.OperationFailed, body(-1001, "x"), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (ccxt.BadResponse, LastAnswer(200, "{}"), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (ccxt.ExchangeNotAvailable, LastAnswer(403), errors.ExchangeUnreachableError, Remedy.NOTHING),
        (ccxt.ExchangeNotAvailable, LastAnswer(404), errors.ExchangeUnreachableError, Remedy.NOTHING),
        (ccxt.ExchangeNotAvailable, LastAnswer(451), errors.ExchangeUnreachableError, Remedy.NOTHING),
        (ccxt.DDoSProtection, LastAnswer(429, "", 7.0), errors.RateLimitedError, Remedy.SILENCE),
        (ccxt.DDoSProtection, LastAnswer(418, "", 60.0), errors.RateLimitedError, Remedy.SILENCE),
        (ccxt.RateLimitExceeded, body(-1003, "x"), errors.RateLimitedError, Remedy.SILENCE),
        (ccxt.DDoSProtection, body(-2015, "x", 401), errors.AuthenticationError, Remedy.NOTHING),
        (ccxt.AuthenticationError, body(-1022, "x"), errors.AuthenticationError, Remedy.NOTHING),
        (ccxt.PermissionDenied, LastAnswer(403), errors.AuthenticationError, Remedy.NOTHING),
        (ccxt.InvalidNonce, body(-1021, "x"), errors.AuthenticationError, Remedy.CLOCK),
        (ccxt.BadSymbol, body(-1121, "x"), errors.UnsupportedError, Remedy.NOTHING),
        (ccxt.NotSupported, LastAnswer(), errors.UnsupportedError, Remedy.NOTHING),
        (ccxt.BadRequest, body(-1100, "x"), errors.ExchangeError, Remedy.NOTHING),
        (ccxt.ExchangeError, body(-9999, "x"), errors.ExchangeError, Remedy.NOTHING),
        (ccxt.ExchangeError, LastAnswer(200, "{}"), errors.ExchangeUnreachableError, Remedy.AGAIN),
        (
            ccxt.ExchangeError,
            LastAnswer(200, '{"error":["EService:Busy"]}'),
            errors.ExchangeUnreachableError,
            Remedy.AGAIN,
        ),
        (KeyError, LastAnswer(200, "{}"), errors.ExchangeUnreachableError, Remedy.AGAIN),
    ],
)
def test_a_failed_read_gets_its_error_and_its_remedy(
    raised: type[Exception], answer: LastAnswer, kind: type[Exception], remedy: Remedy
) -> None:
    failure = translate_read(raised("binanceus"), ATTEMPT, answer)
    assert type(failure.error) is kind
    assert failure.remedy is remedy


@pytest.mark.parametrize(
    ("raised", "words", "said"),
    [
        (ccxt.ExchangeNotAvailable, "EService:Unavailable", "it is out of service, as during maintenance"),
        (ccxt.ExchangeNotAvailable, "EService:Busy", "it is too busy"),
        (ccxt.OnMaintenance, "EService:Market in cancel_only mode", "maintenance, its market takes cancels"),
        (ccxt.OnMaintenance, "EService:Market in post_only mode", "takes limit orders that wait only"),
        (ccxt.ExchangeError, "EService:Market in limit_only mode", "takes limit orders only"),
        (ccxt.OnMaintenance, "", "it is under maintenance: wait until it is over"),
        (ccxt.ExchangeError, "EService:System maintenance", "it is under maintenance: wait"),
    ],
)
def test_maintenance_is_called_so_and_may_be_over_soon(
    raised: type[Exception], words: str, said: str
) -> None:
    """Kraken answers so with HTTP 200."""
    failure = translate_read(raised("kraken"), ATTEMPT, LastAnswer(200, f'{{"error":["{words}"]}}'))
    assert type(failure.error) is errors.ExchangeUnreachableError
    assert said in str(failure.error)
    assert "makes no sense" not in str(failure.error)
    assert failure.remedy is Remedy.AGAIN


def test_an_order_during_maintenance_is_unknown_until_it_is_looked_up() -> None:
    answer = LastAnswer(200, '{"error":["EService:Unavailable"]}')
    error = translate_order(ccxt.ExchangeNotAvailable("kraken"), ORDER, answer, sent=True)
    assert isinstance(error, errors.OrderUnknownError)
    assert "out of service, as during maintenance" in str(error)


def test_a_rate_limit_carries_the_wanted_silence() -> None:
    error = translate_read(ccxt.DDoSProtection("x"), ATTEMPT, LastAnswer(429, "", 7.0)).error
    assert isinstance(error, errors.RateLimitedError)
    assert error.retry_after == 7.0
    assert "it wants 7 s of silence" in str(error)


def test_a_page_of_html_is_not_quoted() -> None:
    page = "418 I'm a Teapot <html><h1>418</h1></html>"
    error = translate_read(ccxt.DDoSProtection(f"binanceus {page}"), ATTEMPT, LastAnswer(418, page)).error
    assert str(error) == "binanceus: cannot read BTC/USDT 1h candles: too many requests"


def test_a_broken_tls_line_is_no_refusal() -> None:
    error = ccxt.ExchangeError("binanceus GET " + URL)
    error.__cause__ = type("SSLError", (Exception,), {})()
    assert translate_read(error, ATTEMPT, LastAnswer()).remedy is Remedy.AGAIN


def test_what_fails_before_anything_is_sent_is_a_matter_of_the_key() -> None:
    failure = translate_read(ValueError("Incorrect padding"), ATTEMPT, LastAnswer(), sent=False)
    assert failure.remedy is Remedy.NOTHING
    assert "check the form of key and secret" in str(failure.error)


def test_the_sentence_quotes_the_venue_and_shortens_it() -> None:
    assert '(it says: "Invalid symbol.")' in str(
        translate_read(ccxt.BadSymbol("x"), ATTEMPT, body(-1121, "Invalid symbol.")).error
    )
    long = str(translate_read(ccxt.BadSymbol("x"), ATTEMPT, body(-1121, "word " * 100)).error)
    assert long.endswith('…")')
    assert len(long) < 300
    assert "\n" not in str(translate_read(ccxt.BadSymbol("x"), ATTEMPT, body(-1, "a\\nb")).error)


@pytest.mark.parametrize("text", ['["a"]', "<html>", "", "{}", "3"])
def test_a_body_that_is_no_error_is_not_quoted(text: str) -> None:
    assert "it says" not in str(translate_read(ccxt.BadRequest(URL), ATTEMPT, LastAnswer(400, text)).error)


def test_several_errors_of_kraken_are_joined() -> None:
    answer = LastAnswer(200, '{"error":["EQuery:Unknown asset pair","EGeneral:X"]}')
    assert "EQuery:Unknown asset pair, EGeneral:X" in str(
        translate_read(ccxt.BadSymbol(""), ATTEMPT, answer).error
    )


@pytest.mark.parametrize(
    "said",
    [
        "key my-key refused",
        "secret my-secret leaked",
        f"bad request {URL}",
        "signature=" + "ab12" * 16,
        "Signature: '" + "ab12" * 16 + "'",
    ],
)
@pytest.mark.parametrize("sent", [True, False])
def test_no_sentence_holds_key_secret_or_signature(said: str, *, sent: bool) -> None:
    for text in (
        str(translate_read(ccxt.BadRequest("x"), ATTEMPT, body(-1100, said)).error),
        str(translate_read(ccxt.BadRequest("binanceus " + said), ATTEMPT, LastAnswer(), sent=sent).error),
        str(translate_order(ccxt.InvalidOrder("x"), ORDER, body(-1013, said), sent=sent)),
        str(translate_order(ccxt.InvalidOrder(said), ORDER, LastAnswer(), sent=sent)),
    ):
        assert "my-key" not in text
        assert "my-secret" not in text
        assert "ab12ab12" not in text
        assert "recvWindow" not in text


def test_words_about_keys_that_are_no_keys_stay() -> None:
    said = "Signature for this request is not valid."
    error = translate_read(ccxt.AuthenticationError("x"), ATTEMPT, body(-1022, said)).error
    assert said in str(error)


@pytest.mark.parametrize(
    ("raised", "answer", "kind"),
    [
        (ccxt.InsufficientFunds, body(-2010, "insufficient balance"), errors.InsufficientFundsError),
        (ccxt.InvalidOrder, body(-1013, "Filter failure: LOT_SIZE"), errors.OrderRefusedError),
        (ccxt.BadRequest, body(-1013, "Filter failure: NOTIONAL"), errors.OrderRefusedError),
        (ccxt.OrderImmediatelyFillable, body(-2010, "would match"), errors.OrderRefusedError),
        (ccxt.MarketClosed, body(-1013, "Market is closed."), errors.OrderRefusedError),
        (ccxt.BadSymbol, body(-1121, "Invalid symbol."), errors.OrderRefusedError),
        (ccxt.OrderNotFound, body(-2011, "Unknown order sent."), errors.OrderRefusedError),
        (ccxt.AuthenticationError, body(-1022, "Signature"), errors.AuthenticationError),
        (ccxt.InvalidNonce, body(-1021, "Timestamp"), errors.AuthenticationError),
        (ccxt.DDoSProtection, LastAnswer(429, "", 9.0), errors.RateLimitedError),
        (ccxt.DDoSProtection, LastAnswer(418, "", 9.0), errors.RateLimitedError),
        (ccxt.RateLimitExceeded, body(-1015, "Too many new orders."), errors.RateLimitedError),
    ],
)
def test_an_order_is_refused_only_in_the_venues_own_words(
    raised: type[Exception], answer: LastAnswer, kind: type[Exception]
) -> None:
    assert type(translate_order(raised("x"), ORDER, answer, sent=True)) is kind


@pytest.mark.parametrize(
    ("raised", "answer"),
    [
        (ccxt.InvalidOrder, body(-2010, "Duplicate order sent.")),
        (ccxt.OperationFailed, body(-1000, "unknown")),
        (ccxt.OperationFailed, body(-1001, "disconnected")),
        (ccxt.OperationFailed, body(-1006, "unexpected")),
        (ccxt.RequestTimeout, body(-1007, "timeout")),
        (ccxt.BadRequest, body(-1007, "timeout")),
        (ccxt.OperationFailed, body(-1008, "overloaded")),
        (ccxt.InvalidOrder, body(-2010, "x", 500)),
        (ccxt.InvalidOrder, body(-2010, "x", 409)),
        (ccxt.InvalidOrder, LastAnswer(400, "<html>")),
        (ccxt.ExchangeError, body(-4242, "never heard of")),
        (ccxt.ExchangeNotAvailable, LastAnswer(503, "<html>")),
        (ccxt.NetworkError, LastAnswer()),
        (KeyError, LastAnswer(200, "{}")),
        (RuntimeError, LastAnswer()),
    ],
)
def test_after_anything_else_an_order_is_unknown(raised: type[Exception], answer: LastAnswer) -> None:
    error = translate_order(raised("x"), ORDER, answer, sent=True)
    assert type(error) is errors.OrderUnknownError
    assert "look it up, do not send it again" in str(error)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ccxt.NetworkError, errors.ExchangeUnreachableError),
        (ccxt.InvalidOrder, errors.OrderRefusedError),
        (ccxt.ArgumentsRequired, errors.OrderRefusedError),
        (ccxt.AuthenticationError, errors.AuthenticationError),
        (TypeError, errors.ExchangeUnreachableError),
    ],
)
def test_an_order_that_was_never_sent_is_not_unknown(raised: type[Exception], kind: type[Exception]) -> None:
    assert type(translate_order(raised("binanceus x"), ORDER, LastAnswer(), sent=False)) is kind


def test_an_answer_that_confirms_nothing_leaves_the_order_unknown() -> None:
    assert "the answer is empty; it may exist" in str(unusable_order_answer(ORDER, "the answer is empty"))
