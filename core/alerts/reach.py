"""Whether channels can be reached: all are asked at once, nothing is sent, none is waited for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from core.alerts.lane import Channel, trouble_of

SECONDS = 5.0
"""That a channel has for all of it: a name that is looked up, a connection, its answers."""


def troubles(channels: Sequence[Channel], seconds: float = SECONDS) -> list[str]:
    """Return why each channel was not reached, blank for one that was."""
    found = [f"no answer in {seconds:g} s"] * len(channels)

    def ask(number: int) -> None:
        why = ""
        try:
            channels[number].reach()
        except Exception as error:  # Whatever a library raises at what a server says.
            why = str(trouble_of(error))
        found[number] = why

    # A name that is looked up has no time limit of its own, so the program must be able to end without it.
    threads = [
        threading.Thread(target=ask, args=(number,), name="alerts reach", daemon=True)
        for number in range(len(channels))
    ]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return found.copy()
