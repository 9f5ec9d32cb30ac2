"""One channel's messages: a bounded queue, duplicates folded, tried again with growing pauses.

`step` does what is due at a time, so that a test needs neither thread nor sleep; `start` calls it from a
thread of its own. Whoever puts a message never waits for the network: no lock is held while one is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from core.alerts.levels import AlertLevel, Message
from core.errors import HotCryptoError
from core.figures import how_many
from core.utils import format_time

MOST = 200
"""Messages that wait for one channel."""
FOLD = 300.0
"""Seconds after a message in which others of its subject are counted and told together."""
TRIES = 6
"""A message is given up after so many; then it is listed with those that could not be sent."""
FIRST, LONGEST = 2.0, 300.0
"""Seconds until the second try, doubled up to this."""
TOGETHER = 20
"""Messages that are sent at once, if …"""
ROOM = 3_500
"""… so many characters hold them, as `length_of` counts; one that is longer is cut."""
LISTED = 10
"""Missed messages that are told one by one; more are counted."""
LINE = 120
"""Characters of each."""


class NotSentError(HotCryptoError):
    """A channel did not take a message; the text has no address and no secret in it."""

    def __init__(self, why: str, *, is_final: bool = False, wait: float = 0.0) -> None:
        """Take whether trying the same again is in vain, and how many seconds of silence are wanted."""
        super().__init__(why)
        self.is_final, self.wait = is_final, wait


def pause_after(fails: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    # Without a bound days of failures would be a number too large for a float.
    return min(FIRST * 2.0 ** min(fails - 1, 16), LONGEST)


def trouble_of(error: Exception) -> NotSentError:
    """Return an error as one of sending; of any other its kind alone, for its text may hold a secret."""
    if isinstance(error, NotSentError):
        return error
    return NotSentError(f"a fault of this program ({type(error).__name__})")


class Letter(NamedTuple):
    """A message as it is sent, and how many others like it are folded into it."""

    message: Message
    times: int = 1

    def line(self) -> str:
        """Return it as a person reads it."""
        more = f" (and {how_many(self.times - 1, 'more like it', 'more like it')})" if self.times > 1 else ""
        if self.message.kind == "report":
            return cut(self.message.text, ROOM)
        when = "" if self.message.kind == "missed" else f"{_when(self.message.time)} "
        return f"{MARKS[self.message.level]} {when}{cut(self.message.text, ROOM)}{more}"


MARKS = {AlertLevel.INFO: "📊", AlertLevel.WARNING: "⚠️", AlertLevel.CRITICAL: "🚨"}
"""How a message of each level begins."""


class Channel(Protocol):
    """A way to reach a person."""

    @property
    def where(self) -> str:
        """Return the host that it goes to; of a secret address no more."""
        ...

    def reach(self) -> None:
        """See that it would be let in where it goes, and send nothing. Raises NotSentError."""
        ...

    def send(self, letters: Sequence[Letter]) -> None:
        """Send these, all or none. Raises NotSentError."""
        ...


class Missed(NamedTuple):
    """Messages that could not be sent."""

    number: int = 0
    since: int = 0
    """When the first of them was to be told, ms UTC."""
    lines: tuple[str, ...] = ()
    """The first of them."""

    def with_more(self, letters: Sequence[Letter]) -> Missed:
        """Return it with messages added."""
        since = min((one.message.time for one in letters), default=self.since)
        return Missed(
            self.number + sum(one.times for one in letters),
            min(self.since, since) if self.number else since,
            (*self.lines, *(cut(one.line().split("\n")[0], LINE) for one in letters))[:LISTED],
        )

    def less(self, told: Missed) -> Missed:
        """Return it without those of before, which have been told."""
        rest = Missed(self.number - told.number, self.since, self.lines[len(told.lines) :])
        return rest if rest.number else Missed()

    def letter(self) -> Letter:
        """Return what is said of them once somebody listens again."""
        what = how_many(self.number, "message")
        rest = self.number - len(self.lines)
        lines = "".join(f"\n{line}" for line in self.lines) + (f"\n… and {rest:,} more" if rest > 0 else "")
        text = f"{what} could not be sent since {_when(self.since)}:{lines}"
        return Letter(Message("missed", text, self.since, level=AlertLevel.WARNING))


@dataclass(slots=True)
class _Waiting:
    letter: Letter
    due: float
    tries: int = 0


class Lane:
    """The messages of one channel."""

    def __init__(
        self, name: str, channel: Channel, clock: Callable[[], float], say: Callable[[str], object]
    ) -> None:
        """Take a clock in seconds that nobody sets; `say` takes lines for the log."""
        self.name = name
        self.missed = Missed()
        """What is to be told once the channel works again."""
        self._channel, self._clock, self._say = channel, clock, say
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._sent_at: dict[tuple[str, str], float] = {}
        self._fails, self._pause_until = 0, 0.0
        self._news, self._ends = threading.Condition(), False
        self._thread: threading.Thread | None = None

    def put(self, message: Message) -> None:
        """Take a message, at once; where there is no room the least of the oldest is missed."""
        with self._news:
            same = self._waiting.get(message.subject)
            if same is not None:
                count = same.letter.times + 1
                worst = max(message.level, same.letter.message.level, key=list(AlertLevel).index)
                same.letter = Letter(message._replace(level=worst), count)
            else:
                self._make_room()
                now = self._clock()
                due = max(now, self._sent_at.get(message.subject, -FOLD) + FOLD)
                self._waiting[message.subject] = _Waiting(Letter(message), due)
            self._news.notify()

    def waiting(self) -> list[Letter]:
        """Return what is not sent, oldest first."""
        with self._news:
            return [one.letter for one in self._waiting.values()]

    def step(self, *, at_once: bool = False) -> float | None:
        """Send what is due; return in how many seconds there is more to do, None for not before a message.

        `at_once`: nothing is waited for, since the program ends.
        """
        now = self._clock()
        if now < self._pause_until and not at_once:
            return self._pause_until - now
        with self._news:
            due = _fitting([one for one in self._waiting.values() if at_once or one.due <= now])
            letters = [one.letter for one in due]
            missed = self.missed
        if due or missed.number:
            self._send(due, letters, missed)
        with self._news:
            if self.missed.number or any(one.due <= now for one in self._waiting.values()):
                return max(0.0, self._pause_until - self._clock())
            return min((one.due - now for one in self._waiting.values()), default=None)

    def start(self) -> None:
        """Send from a thread of its own until `end`."""
        self._thread = threading.Thread(target=self._work, name=f"alerts {self.name}", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Ask the thread to send what there is, once, and to end."""
        with self._news:
            self._ends = True
            self._news.notify()

    def end(self, seconds: float) -> Missed:
        """Wait so long for what is still to be sent; return what was not."""
        self.hurry()
        if self._thread is not None:
            self._thread.join(seconds)
        with self._news:
            left, self._waiting = [one.letter for one in self._waiting.values()], {}
            missed, self.missed = self.missed.with_more(left), Missed()
        return missed

    def careful_step(self, *, at_once: bool = False) -> float | None:
        """Do a step; whatever goes wrong in it is a failure like others, after which there is a next one."""
        try:
            return self.step(at_once=at_once)
        except Exception as error:  # A slip of this program: who waits for messages must get the next ones.
            self._failed([], trouble_of(error))
            with self._news:
                return max(0.0, self._pause_until - self._clock())

    def _work(self) -> None:
        while True:
            pause = self.careful_step()
            with self._news:
                if not self._ends and (pause is None or pause > 0):
                    self._news.wait(pause)
                if self._ends:
                    break
        is_first = True
        while (self._waiting or self.missed.number) and (is_first or not self._fails):
            is_first = False
            self.careful_step(at_once=True)

    def _send(self, due: list[_Waiting], letters: list[Letter], missed: Missed) -> None:
        try:
            self._channel.send([*([missed.letter()] if missed.number else []), *letters])
        except Exception as error:  # Whatever a library raises at what a server says.
            self._failed(due, trouble_of(error))
            return
        with self._news:
            if self._fails:
                self._say(f"alerts by {self.name} arrive again")
            self._fails, self._pause_until = 0, 0.0
            self.missed = self.missed.less(missed)
            self._took(due, letters)

    def _took(self, due: list[_Waiting], letters: list[Letter]) -> None:
        now = self._clock()
        for one, letter in zip(due, letters, strict=True):
            subject = letter.message.subject
            self._sent_at[subject] = now
            if self._waiting.get(subject) is not one:
                continue
            # What came while it was sent is told later.
            if more := one.letter.times - letter.times:
                one.letter, one.due, one.tries = one.letter._replace(times=more), now + FOLD, 0
            else:
                del self._waiting[subject]
        self._sent_at = {subject: at for subject, at in self._sent_at.items() if now - at < FOLD}

    def _failed(self, due: list[_Waiting], error: NotSentError) -> None:
        with self._news:
            if not self._fails:
                self._say(f"an alert by {self.name} could not be sent, it is tried again: {error}")
            self._fails += 1
            self._pause_until = self._clock() + max(pause_after(self._fails), error.wait)
            given_up = []
            for one in due:
                one.tries += 1
                if error.is_final or one.tries >= TRIES:
                    given_up.append(one.letter)
                    self._waiting.pop(one.letter.message.subject, None)
            if given_up:
                self.missed = self.missed.with_more(given_up)

    def _make_room(self) -> None:
        while len(self._waiting) >= MOST:
            least = min(
                self._waiting.values(), key=lambda one: list(AlertLevel).index(one.letter.message.level)
            )
            del self._waiting[least.letter.message.subject]
            self.missed = self.missed.with_more([least.letter])


def _fitting(due: list[_Waiting]) -> list[_Waiting]:
    """Return as many of these as are sent together, one at least."""
    count, room = 0, ROOM
    for one in due[:TOGETHER]:
        room -= length_of(one.letter.line()) + 2
        if count and room < 0:
            break
        count += 1
    return due[:count]


def _when(time: int) -> str:
    """Return a time that a person reads; one that no calendar has as it is."""
    try:
        return f"{format_time(time)} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{time} ms"


def length_of(text: str) -> int:
    """Return how many UTF-16 units a text has: Telegram counts them, and a picture has two."""
    return len(_units(text)) // 2


def cut(text: str, most: int) -> str:
    """Return a text of so many UTF-16 units at most."""
    if length_of(text) <= most:
        return text
    # Of a picture that is cut in two nothing is left.
    return _units(text)[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def as_stored(missed: Missed) -> dict[str, object]:
    """Return what could not be sent as plain values, for the next start to tell."""
    return {"number": missed.number, "since": missed.since, "lines": list(missed.lines)}


def from_stored(plain: object) -> Missed:
    """Return what `as_stored` was made of; nothing for anything else."""
    if not isinstance(plain, dict):
        return Missed()
    number, since, lines = (plain.get(name) for name in Missed._fields)
    if type(number) is not int or type(since) is not int or not isinstance(lines, list):
        return Missed()
    return Missed(number, since, tuple(map(str, lines[:LISTED])))
