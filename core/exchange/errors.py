"""ccxt's errors turned into this project's: by class name, code and HTTP status, without importing ccxt.

The sentence of an error is put together here from the venue's own words (its JSON message, never its
URL), with key, secret and signature taken out, so that it can be logged and shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from core.errors import (
    AuthenticationError,
    ExchangeError,
    ExchangeUnreachableError,
    InsufficientFundsError,
    OrderRefusedError,
    OrderUnknownError,
    RateLimitedError,
    UnsupportedError,
)
from core.utils import json_of


class Remedy(Enum):
    """What may help against a failure of a read."""

    NOTHING = 0
    AGAIN = 1
    """The same request after a pause."""
    SILENCE = 2
    """The same request after the pause the venue wants."""
    CLOCK = 3
    """The same request after measuring the venue's clock."""


class Failure(NamedTuple):
    """An error to raise, and what could be done before raising it."""

    error: ExchangeError
    remedy: Remedy = Remedy.NOTHING


class LastAnswer(NamedTuple):
    """What is known of the last HTTP answer."""

    status: int | None = None
    text: str = ""
    retry_after: float | None = None
    """Seconds."""


class Attempt(NamedTuple):
    """What was tried, for the sentence."""

    venue: str
    action: str
    """As in `read BTC/USDT 1h candles`."""
    secrets: tuple[str, ...] = ()
    """Texts that must not appear."""
    base_url: str | None = None
    """Where the venue is asked instead of at its own address."""


class Cause(Enum):
    """Why a request failed."""

    RATE = "too many requests"
    CLOCK = "this machine's clock and the venue's disagree"
    NONCE = (
        "its nonce was not higher than the one before: another program uses this key, or the clock was set "
        "back; give each program a key of its own"
    )
    MODE = "its market does not take this now"
    KEY = "the key was not accepted; check EXCHANGE_API_KEY, EXCHANGE_API_SECRET and its permissions"
    PLACE = "the venue turns this address away"
    FUNDS = "the account cannot pay it"
    NAME = "the venue does not offer it"
    REFUSED = "the venue refused"
    LOCAL = "the request could not be made; check the form of key and secret"
    TROUBLE = "no usable answer"
    UNCLEAR = "the venue refused without a reason this program knows"


class _Case(NamedTuple):
    kinds: frozenset[str]
    """The names of the error's class and of its base classes."""
    broken: str
    """The name of the class of what caused it."""
    answer: LastAnswer
    code: str
    said: str
    """The venue's own words; empty when the body is not an error of its form."""
    sent: bool
    """Whether a request may have reached the venue."""


_SENT_ANYWAY = {"-1000", "-1001", "-1004", "-1006", "-1007", "-1008"}
"""Binance: it had trouble after the order may have been accepted."""
_KEY_CODES = {"-1002", "-1022", "-2008", "-2014", "-2015"}
_REFUSALS = {"InvalidOrder", "BadRequest", "ArgumentsRequired", "OperationRejected"}
_TRANSIENT_WORDS = ("EService:", "EGeneral:Internal error")
"""Kraken says these with HTTP 200; ccxt calls them a plain refusal."""
_KRAKEN_REFUSALS = ("EOrder:", "EGeneral:Invalid arguments", "EGeneral:Unknown order", "EFunding:")
_KRAKEN_KEYS = ("EAPI:Invalid signature", "EAPI:Invalid key", "EGeneral:Permission denied", "EAuth:")
_MODE = re.compile(r"\bMarket in (cancel|post|limit)_only mode")
_WARNING = re.compile(r"W[A-Z]\w+:")
_MAYBE_THERE = ("Duplicate", "Invalid arguments:cl_ord_id")
"""Say that an order of this name may be open."""
_BROKEN = {"SSLError", "ChunkedEncodingError", "ContentDecodingError"}
_PLACES = {
    403: "its firewall turns this address away: wait some minutes and ask less often",
    404: "there is nothing at this address",
    451: "it does not serve this country",
}

# The first that holds. The key comes before the rate: after one good call ccxt takes a revoked key for a
# flood of requests.
_CAUSES: tuple[tuple[Callable[[_Case], bool], Cause], ...] = (
    (lambda case: case.answer.status in (418, 429), Cause.RATE),
    (lambda case: "EAPI:Invalid nonce" in case.said, Cause.NONCE),
    (lambda case: case.code == "-1021" or "InvalidNonce" in case.kinds, Cause.CLOCK),
    (lambda case: case.code in _KEY_CODES or "AuthenticationError" in case.kinds, Cause.KEY),
    (lambda case: case.said.startswith(_KRAKEN_KEYS), Cause.KEY),
    (lambda case: case.said.startswith("EService:") and _MODE.search(case.said) is not None, Cause.MODE),
    (lambda case: bool(case.kinds & {"RateLimitExceeded", "DDoSProtection"}), Cause.RATE),
    (lambda case: case.answer.status in _PLACES and "OperationFailed" in case.kinds, Cause.PLACE),
    (lambda case: "InsufficientFunds" in case.kinds or "Insufficient funds" in case.said, Cause.FUNDS),
    (lambda case: bool(case.kinds & {"BadSymbol", "NotSupported"}), Cause.NAME),
    (lambda case: bool(case.kinds & _REFUSALS), Cause.REFUSED),
    (lambda case: case.said.startswith("EQuery:Unknown asset"), Cause.NAME),
    (lambda case: case.said.startswith(_KRAKEN_REFUSALS), Cause.REFUSED),
    (lambda case: "BaseError" not in case.kinds and not case.sent, Cause.LOCAL),
    # What is not ccxt's own error came up while it took apart an answer that was not what it looked like.
    (lambda case: "BaseError" not in case.kinds or "OperationFailed" in case.kinds, Cause.TROUBLE),
    # A warning of Kraken's has a result beside it.
    (lambda case: _WARNING.match(case.said) is not None, Cause.TROUBLE),
    (lambda case: case.broken in _BROKEN or case.said.startswith(_TRANSIENT_WORDS), Cause.TROUBLE),
    # ccxt could not make sense of an answer that is no refusal.
    (lambda case: case.sent and not case.said, Cause.TROUBLE),
)
_READ_ERRORS: Mapping[Cause, tuple[type[ExchangeError], Remedy]] = MappingProxyType(
    {
        Cause.CLOCK: (AuthenticationError, Remedy.CLOCK),
        Cause.NONCE: (AuthenticationError, Remedy.AGAIN),
        Cause.MODE: (ExchangeUnreachableError, Remedy.AGAIN),
        Cause.KEY: (AuthenticationError, Remedy.NOTHING),
        Cause.PLACE: (ExchangeUnreachableError, Remedy.NOTHING),
        Cause.NAME: (UnsupportedError, Remedy.NOTHING),
        Cause.TROUBLE: (ExchangeUnreachableError, Remedy.AGAIN),
    }
)
_ORDER_ERRORS: Mapping[Cause, type[ExchangeError]] = MappingProxyType(
    {
        Cause.CLOCK: AuthenticationError,
        # Nothing was taken, and the same order may be later.
        Cause.MODE: ExchangeUnreachableError,
        Cause.KEY: AuthenticationError,
        Cause.FUNDS: InsufficientFundsError,
        Cause.NAME: OrderRefusedError,
        Cause.REFUSED: OrderRefusedError,
    }
)


def translate_read(error: Exception, attempt: Attempt, answer: LastAnswer, *, sent: bool = True) -> Failure:
    """Return this project's error for a failed read, and the remedy to try first."""
    case = _case(error, answer, sent=sent)
    cause = _cause(case)
    said = f"{_sentence(cause, case)}{_where(cause, case, attempt)}"
    sentence = f"{_wanted(attempt)}{said}{_words(error, case, attempt)}"
    if cause is Cause.RATE:
        return Failure(RateLimitedError(sentence, answer.retry_after), Remedy.SILENCE)
    kind, remedy = _READ_ERRORS.get(cause, (ExchangeError, Remedy.NOTHING))
    return Failure(kind(sentence), remedy)


def translate_order(error: Exception, attempt: Attempt, answer: LastAnswer, *, sent: bool) -> ExchangeError:
    """Return this project's error for a failed order: refused, or unknown when in any doubt.

    `sent` says whether the request may have reached the venue. If it did, only a refusal in the venue's
    own words is one; after anything else the order may exist.
    """
    case = _case(error, answer, sent=sent)
    cause = _cause(case)
    start, words = _wanted(attempt), _words(error, case, attempt)
    if cause is Cause.RATE and _is_definite(case):
        return RateLimitedError(f"{start}{_sentence(cause, case)}{words}", answer.retry_after)
    if cause in _ORDER_ERRORS and (not sent or _is_definite(case)):
        return _ORDER_ERRORS[cause](f"{start}{_sentence(cause, case)}{words}")
    if not sent:
        return ExchangeUnreachableError(f"{start}{_sentence(cause, case)}; nothing was sent{words}")
    return OrderUnknownError(
        f"{start}{_sentence(Cause.TROUBLE, case)}; it may exist: look it up, do not send it again{words}"
    )


def unusable_order_answer(attempt: Attempt, why: str) -> OrderUnknownError:
    """Return the error for an order that was answered, but not by its own confirmation."""
    return OrderUnknownError(f"{_wanted(attempt)}{why}; it may exist: look it up, do not send it again")


def _is_definite(case: _Case) -> bool:
    status = case.answer.status
    if status in (418, 429):
        return True
    answered = status is not None and status < 500 and status not in (408, 409) and bool(case.said)
    return (
        answered and case.code not in _SENT_ANYWAY and not any(words in case.said for words in _MAYBE_THERE)
    )


def _case(error: Exception, answer: LastAnswer, *, sent: bool) -> _Case:
    kinds = frozenset(kind.__name__ for kind in type(error).__mro__)
    return _Case(kinds, type(error.__cause__).__name__, answer, *_read_body(answer.text), sent)


def _cause(case: _Case) -> Cause:
    return next((cause for holds, cause in _CAUSES if holds(case)), Cause.UNCLEAR)


def _wanted(attempt: Attempt) -> str:
    return f"{attempt.venue}: cannot {attempt.action}: "


def _sentence(cause: Cause, case: _Case) -> str:
    answer = case.answer
    if cause is Cause.RATE and answer.retry_after is not None:
        return f"too many requests: it wants {answer.retry_after:.0f} s of silence"
    if cause is Cause.PLACE and answer.status is not None:
        return _PLACES[answer.status]
    return _trouble(case) if cause in (Cause.TROUBLE, Cause.MODE) else str(cause.value)


def _trouble(case: _Case) -> str:
    status = case.answer.status
    if words := _service(case):
        return words
    if status is not None and status >= 400:
        return f"it answered HTTP {status}"
    if "RequestTimeout" in case.kinds:
        return "no complete answer in time"
    if status is not None or "BaseError" not in case.kinds:
        return "the answer was cut off or makes no sense"
    return "no connection, or it broke off"


def _where(cause: Cause, case: _Case, attempt: Attempt) -> str:
    """Return the address that was asked, where the user has named it and it may be the wrong one."""
    status = case.answer.status
    is_doubtful = status == 404 or (cause is Cause.TROUBLE and status is None)
    if attempt.base_url is None or not is_doubtful:
        return ""
    return (
        f"; it was asked at {attempt.base_url} (EXCHANGE_BASE_URL, --base-url): is an exchange running there?"
    )


def _service(case: _Case) -> str:
    """Return what the venue says about its own state, blank when it says nothing."""
    if mode := _MODE.search(case.said):
        return f"it is under maintenance, its market takes {_MODES[mode[1]]} only: wait until it is over"
    if "OnMaintenance" in case.kinds or "maintenance" in case.said.lower():
        return "it is under maintenance: wait until it is over"
    if case.said.startswith("EService:Unavailable"):
        return "it is out of service, as during maintenance: wait, and look at its status page"
    return "it is too busy" if case.said.startswith("EService:Busy") else ""


def _read_body(text: str) -> tuple[str, str]:
    """Return the code and the message in an error body of Binance's or Kraken's form, else blanks."""
    try:
        body = json_of(text)
    except ValueError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    said = body.get("msg") or body.get("message") or body.get("error") or ""
    if isinstance(said, list):
        said = ", ".join(map(str, said))
    return str(body.get("code", "")), str(said)


def _words(error: Exception, case: _Case, attempt: Attempt) -> str:
    said = case.said
    if not said and "BaseError" in case.kinds and not any(mark in str(error) for mark in ("://", "<")):
        # ccxt's own words about its arguments; what it says about a request holds the signed URL or a page.
        said = str(error).removeprefix(attempt.venue)
    for secret in filter(None, attempt.secrets):
        said = said.replace(secret, "***")
    said = _SIGNED.sub(r"\1 ***", _ADDRESS.sub("(address)", said))
    said = " ".join(said.split())
    return f' (it says: "{said if len(said) <= _LONGEST else said[:_LONGEST] + "…"}")' if said else ""


_LONGEST = 160
_MODES = {"cancel": "cancels", "post": "limit orders that wait", "limit": "limit orders"}
_ADDRESS = re.compile(r"\w+://\S+")
_SIGNED = re.compile(r"(?i)\b(signature|api-?key|api-sign|x-mbx-apikey)\b\W*[=:]\W*[\w%+/=-]+")
