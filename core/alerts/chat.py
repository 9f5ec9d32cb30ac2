"""Commands that a person writes to the Telegram bot: from allowed chats, and each of them once.

They are carried out as those of run_live.py are: stored, taken by the loop, answered with what came of it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection
from typing import Any, Protocol

from core.alerts.lane import pause_after, trouble_of
from core.alerts.telegram import Bot
from core.figures import how_many
from core.utils import Clock

WAITS = 25.0
"""Seconds that Telegram waits for something to say."""
IDLE = 1.0
"""Seconds after an answer with nothing in it."""
OLDEST, AHEAD = 120_000, 60_000
"""Milliseconds after which what was written is carried out no more; by which its clock may be ahead."""
GIVEN = ("pause", "resume", "flatten")
"""Commands that the loop carries out."""
HELP = "commands, each alone in a message of your own: /status /positions /pause /resume /flatten"
"""What is answered to anything else that begins as a command does."""
_COMMAND = re.compile(r"/([a-z]+)(?:@([a-z0-9_]+))?", re.ASCII | re.IGNORECASE)
"""All of a command: a word, and maybe the name of the bot that is meant."""


class ChatDesk(Protocol):
    """What answers a person."""

    def status(self) -> str:
        """Return how the account stands."""
        ...

    def positions(self) -> str:
        """Return what it holds."""
        ...

    def give(self, name: str, update: int) -> str:
        """Store a command for the loop, once for each update; return what came of it."""
        ...


class Chat:
    """Reads what is written to a bot and answers."""

    def __init__(
        self, bot: Bot, chats: Collection[str], desk: ChatDesk, clock: Clock, say: Callable[[str], object]
    ) -> None:
        """Take the chats that are listened to; `clock` (ms UTC) says what is too old."""
        self.unknown = 0
        """Messages from other chats."""
        self._bot, self._chats, self._desk = bot, frozenset(chats), desk
        self._clock, self._say = clock, say
        self._newest, self._fails = 0, 0
        self._name: str | None = None
        self._ended = threading.Event()

    def step(self, waits: float = WAITS) -> float:
        """Answer what was written; return how many seconds to wait before the next look."""
        try:
            if self._name is None:
                self._name = self._bot.name().lower()
            updates = self._bot.updates(self._newest, waits)
            for update in updates:
                self._newest = max(self._newest, update["update_id"])
                self._take(update)
        except Exception as error:  # Whatever an answer or an update brings about, there is a next look.
            trouble = trouble_of(error)
            if not self._fails:
                self._say(f"commands by telegram are not read for now: {trouble}")
            self._fails += 1
            return max(pause_after(self._fails), trouble.wait)
        if self._fails:
            self._say("commands by telegram are read again")
        self._fails = 0
        # A server that does not wait must not be asked without a pause.
        return 0.0 if updates else IDLE

    def start(self) -> None:
        """Look from a thread of its own until `end`."""

        def work() -> None:
            while not self._ended.is_set():
                self._ended.wait(self.step())

        threading.Thread(target=work, name="alerts chat", daemon=True).start()

    def end(self) -> None:
        """Look no longer; what is being waited for is not waited for."""
        self._ended.set()

    def _take(self, update: dict[str, Any]) -> None:
        message = update.get("message")
        chat = message.get("chat") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(chat, dict):
            return
        number, text, date = str(chat.get("id")), message.get("text"), message.get("date")
        if number not in self._chats:
            self.unknown += 1
            if self.unknown == 1:
                self._say(
                    "a chat that is not allowed wrote to the telegram bot: it is ignored, as others are"
                )
            return
        # Other text is talk, which a command may begin like: "Flatten the curve", "resume".
        if isinstance(text, str) and text.startswith("/") and type(date) is int:
            # Of a forwarded message nobody knows whether who sent it on means it.
            is_own = not any(key.startswith("forward_") for key in message)
            command = self._command(text) if is_own else ""
            self._bot.say(number, self._answer(command, date * 1000, update["update_id"]))

    def _command(self, text: str) -> str:
        """Return the command that a text is, blank for one with more in it or for another bot."""
        found = _COMMAND.fullmatch(text.strip())
        if found is None or (found[2] and found[2].lower() != self._name):
            return ""
        return found[1].lower()

    def _answer(self, name: str, written_at: int, update: int) -> str:
        if name == "status":
            others = how_many(self.unknown, "message")
            ignored = f"\n{others} of other chats ignored" if self.unknown else ""
            return self._desk.status() + ignored
        if name == "positions":
            return self._desk.positions()
        if name not in GIVEN:
            return HELP
        age = self._clock() - written_at
        if age > OLDEST:
            return f"/{name} was written {age // 1000:,} s ago and is not carried out: write it again"
        if age < -AHEAD:
            return f"/{name} is dated {-age // 1000:,} s ahead and is not carried out: look at the clocks"
        return self._desk.give(name, update)
