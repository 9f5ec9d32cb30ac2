"""Calling the exchange: reads are tried again with growing pauses, orders are sent once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Literal, NamedTuple, TypeVar

from core.errors import AuthenticationError, ExchangeError, ExchangeUnreachableError, RateLimitedError
from core.exchange.clock import ExchangeClock
from core.exchange.errors import (
    Attempt,
    Failure,
    Remedy,
    translate_order,
    translate_read,
    unusable_order_answer,
)
from core.exchange.rate_limit import RateLimiter
from core.exchange.transport import Transport

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a user should know although the call goes on."""

    kind: Literal["retry", "clock", "history", "refused"]
    text: str


Notify = Callable[[Notice], None]


def log_notice(notice: Notice) -> None:
    """Write a notice into the log."""
    logging.getLogger(__name__).warning("%s", notice.text)


def clock_is_off(exchange: str, ahead: int) -> Notice:
    """Return what to say of this machine's clock, so many ms ahead of an exchange's."""
    side = "ahead of" if ahead > 0 else "behind"
    text = f"this machine's clock is {abs(ahead) / 1000:.1f} s {side} {exchange}'s; corrected for"
    return Notice("clock", text)


def clock_moved(exchange: str, step: int, *, tells_time: bool) -> Notice:
    """Return what to say when this machine's clock was set by so many ms, or it slept."""
    told = "is asked again" if tells_time else "cannot be asked: candles close by the earlier clock"
    text = f"this machine's clock moved by {step / 1000:+.1f} s (set, or asleep): {exchange}'s time {told}"
    return Notice("clock", text)


class RetryPolicy(NamedTuple):
    """How often and how patiently a read is repeated."""

    tries: int = 4
    base: float = 0.5
    """Seconds before the second try; doubled before each further one."""
    most: float = 30.0
    """Longest pause in seconds."""
    patience: float = 120.0
    """The longest silence that is waited for; beyond it RateLimitedError."""
    jitter: Callable[[], float] = SystemRandom().random
    """Returns 0 … 1; half of each pause depends on it, so that clients do not come back in step."""

    def pause(self, tries: int) -> float:
        """Return the seconds to wait after so many failed tries."""
        return float(min(self.most, self.base * 2 ** (tries - 1)) * (0.5 + 0.5 * self.jitter()))


RATE_PAUSE_FACTOR = 10.0
"""A venue that wants silence without saying how long gets so much more than the usual pause."""


class Caller:
    """Runs one exchange object's calls one at a time and turns its errors into this project's."""

    def __init__(
        self,
        attempt: Attempt,
        transport: Transport,
        limiter: RateLimiter,
        clock: ExchangeClock,
        retries: RetryPolicy,
        sleep: Callable[[float], None],
        notify: Notify,
    ) -> None:
        self._attempt = attempt
        self._transport = transport
        self._limiter = limiter
        self._clock = clock
        self._retries = retries
        self._sleep = sleep
        self._notify = notify
        # ccxt keeps its last request and its nonce in the object: two threads would mix them up.
        self._lock = threading.RLock()

    def read(self, action: str, call: Callable[[], T], *, is_brief: bool = False) -> T:
        """Return what a call that changes nothing returns; `action` names it in the error.

        `is_brief`: tried once and waited for only briefly, for an order of another thread may wait meanwhile.
        Raises ExchangeError once it is clear that trying again does not help.
        """
        tries, measured = 0, False
        while True:
            tries += 1
            outcome = self._try(action, call, is_brief=is_brief)
            if not isinstance(outcome, Failure):
                return outcome
            if is_brief:
                raise outcome.error
            again_late = outcome.remedy is Remedy.CLOCK and measured
            if outcome.remedy is Remedy.NOTHING or again_late or tries >= self._retries.tries:
                raise _counted(outcome.error, tries)
            if outcome.remedy is Remedy.SILENCE and _wanted_silence(outcome) > self._retries.patience:
                raise _with(
                    outcome.error, f"more than the {self._retries.patience:.0f} s this waits; try later"
                )
            measured = measured or outcome.remedy is Remedy.CLOCK
            self._remedy(outcome, tries)

    def order(self, action: str, call: Callable[[], T]) -> T:
        """Return what a call that places or cancels an order returns; it is made once, whatever happens.

        Raises ExchangeError when nothing was sent or the venue refused, OrderUnknownError otherwise.
        """
        attempt = self._attempt._replace(action=action)
        with self._lock:
            before = self._transport.sent
            try:
                return call()
            except ExchangeError as error:
                sent = self._transport.sent > before
                failure = unusable_order_answer(attempt, _reason(error)) if sent else error
            except Exception as error:  # whatever ccxt raises: unless it is a clear refusal, nobody knows
                sent = self._transport.sent > before
                failure = translate_order(error, attempt, self._transport.answer, sent=sent)
        if isinstance(failure, AuthenticationError):
            self._clock.forget()
        raise failure

    def _try(self, action: str, call: Callable[[], T], *, is_brief: bool) -> T | Failure:
        try:
            # A long silence is waited for here, where it keeps no other thread's order from its answer.
            self._limiter.acquire({})
        except RateLimitedError as error:
            return Failure(error)
        with self._lock:
            before = self._transport.sent
            try:
                with self._transport.patience(is_brief=is_brief):
                    return call()
            except ExchangeError as error:
                again = type(error) is ExchangeUnreachableError
                return Failure(error, Remedy.AGAIN if again else Remedy.NOTHING)
            except Exception as error:  # a foreign answer can raise anything inside ccxt
                attempt = self._attempt._replace(action=action)
                sent = self._transport.sent > before
                return translate_read(error, attempt, self._transport.answer, sent=sent)

    def _remedy(self, failure: Failure, tries: int) -> None:
        if failure.remedy is Remedy.CLOCK:
            self._clock.forget()
            self._clock.now()
            return
        pause = self._retries.pause(tries)
        if failure.remedy is Remedy.SILENCE:
            pause = _wanted_silence(failure) or pause * RATE_PAUSE_FACTOR
            # The limiter waits, so that nothing else of this client goes out meanwhile.
            self._limiter.silence(pause)
        self._notify(
            Notice(
                "retry", f"{failure.error}; trying again in {pause:.1f} s ({tries} of {self._retries.tries})"
            )
        )
        if failure.remedy is Remedy.AGAIN:
            self._sleep(pause)


def _counted(error: ExchangeError, tries: int) -> ExchangeError:
    return _with(error, f"tried {tries} times") if tries > 1 else error


def _with(error: ExchangeError, remark: str) -> ExchangeError:
    error.args = (f"{error}; {remark}",)
    return error


def _wanted_silence(failure: Failure) -> float:
    """Return the seconds the venue wants, 0 when it does not say."""
    return getattr(failure.error, "retry_after", None) or 0.0


def _reason(error: ExchangeError) -> str:
    return str(error).partition(": ")[2]
