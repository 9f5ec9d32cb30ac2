"""Telegram's Bot API, as little as is needed: send a text, read what was written to the bot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.alerts.lane import Letter, NotSentError, cut
from core.alerts.levels import AlertLevel
from core.alerts.web import Web, WebAnswer, check_taken, host_of

HIDDEN = "***"
LONGEST = 4_000
"""UTF-16 units of a text; Telegram takes 4,096."""
SHOWN = 80
"""Characters of what Telegram says that are shown."""


class Bot:
    """One bot; its token is in every address, so nothing here says an address."""

    def __init__(self, api: str, token: str, web: Web) -> None:
        """Take the API's address and the bot's token."""
        self._base, self._token, self._web = f"{api}/bot{token}", token, web
        self.where = host_of(api)
        """The API's host."""

    def say(self, chat: str, text: str, *, silently: bool = False) -> None:
        """Send a text to a chat. Raises NotSentError."""
        fields = {"chat_id": chat, "text": cut(text, LONGEST), "disable_notification": silently}
        self._checked(self._web.post(f"{self._base}/sendMessage", fields))

    def name(self) -> str:
        """Return what the bot is called, blank where that is not told. Raises NotSentError."""
        found = self._checked(self._web.post(f"{self._base}/getMe", {})).get("result")
        return str(found.get("username", "")) if isinstance(found, dict) else ""

    def see(self, chat: str) -> None:
        """See that the token is a bot's and that the bot may write to a chat; nothing is written there.

        Raises NotSentError.
        """
        self.name()
        self._checked(self._web.post(f"{self._base}/getChat", {"chat_id": chat}))

    def updates(self, after: int, seconds: float) -> list[dict[str, Any]]:
        """Return what was written to the bot after an update, waiting so long for something.

        Raises NotSentError.
        """
        fields = {"offset": after + 1, "timeout": round(seconds), "allowed_updates": ["message"]}
        document = self._checked(self._web.post(f"{self._base}/getUpdates", fields, longer=seconds))
        found = document.get("result")
        if not isinstance(found, list):
            raise NotSentError("its answer has no updates in it")
        return [one for one in found if isinstance(one, dict) and type(one.get("update_id")) is int]

    def _checked(self, answer: WebAnswer) -> dict[str, Any]:
        document = answer.document()
        known = document if isinstance(document, dict) else {}
        told = str(known.get("description", "")).replace(self._token, HIDDEN)
        parameters = known.get("parameters")
        if isinstance(parameters, dict) and type(parameters.get("retry_after")) is int:
            answer = answer._replace(retry_after=str(parameters["retry_after"]))
        check_taken(answer, "".join(filter(str.isprintable, told))[:SHOWN])
        if known.get("ok") is not True:
            raise NotSentError("its answer is not Telegram's: look at alerts.telegram_api")
        return known


class TelegramChannel:
    """Sends messages to one chat."""

    def __init__(self, bot: Bot, chat: str) -> None:
        """Take the chat's number, or a channel's @name."""
        self._bot, self._chat = bot, chat

    @property
    def where(self) -> str:
        """Return the API's host."""
        return self._bot.where

    def reach(self) -> None:
        """See that the bot knows the chat. Raises NotSentError."""
        self._bot.see(self._chat)

    def send(self, letters: Sequence[Letter]) -> None:
        """Send these as one text, with a sound if one of them is critical. Raises NotSentError."""
        text = "\n\n".join(one.line() for one in letters)
        silently = all(one.message.level is not AlertLevel.CRITICAL for one in letters)
        self._bot.say(self._chat, text, silently=silently)
