"""Messages to a webhook: one POST of JSON, whose `text` chat programs show as it is."""

from __future__ import annotations

from collections.abc import Sequence

from core.alerts.lane import Letter
from core.alerts.web import Web, check_taken, host_of

ELSEWHERE = range(300, 400)
"""Answers that send whoever asks somewhere else, where no message goes."""
AWAY = (407, 502, 503, 504)
"""Answers of who stands before a webhook and does not get through to it."""


class WebhookChannel:
    """Posts messages to one address, which is a secret."""

    def __init__(self, url: str, account: str, web: Web) -> None:
        """Take the address and whose messages they are."""
        self._url, self._account, self._web = url, account, web

    @property
    def where(self) -> str:
        """Return the address's host."""
        return host_of(self._url)

    def reach(self) -> None:
        """See that somebody answers there: whether a message is taken only a message shows.

        Raises NotSentError.
        """
        answer = self._web.options(self._url)
        if answer.status in ELSEWHERE or answer.status in AWAY:
            check_taken(answer)

    def send(self, letters: Sequence[Letter]) -> None:
        """Post these. Raises NotSentError."""
        messages = [
            {
                "kind": one.message.kind,
                "level": one.message.level.value,
                "time": one.message.time,
                "ref": one.message.ref,
                "text": one.message.text,
                "count": one.times,
            }
            for one in letters
        ]
        text = "\n\n".join(one.line() for one in letters)
        document = {"account": self._account, "text": text, "messages": messages}
        check_taken(self._web.post(self._url, document))
