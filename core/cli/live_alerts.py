"""What a running loop tells people who do not look: by the channels of the settings, or by none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from core.alerts.lane import as_stored, from_stored
from core.alerts.levels import Message
from core.alerts.mailbox import Mailbox
from core.alerts.watch import Watch
from core.cli.live_output import note, say
from core.engine import Step
from core.errors import DatabaseError, ExchangeError, HotCryptoError, RefusedError, UsageError
from core.exchange.calls import Notice
from core.live.standing import USUAL
from core.live.status import AccountStatus
from core.order_path.alerts import Alert
from core.secrecy import HIDDEN, secrets_of
from core.settings import AlertSettings
from core.utils import now_ms
from db import live

if TYPE_CHECKING:
    from core.alerts.chat import Chat
    from core.cli.live_reports import DailyReport

DRAIN = 5.0
"""Seconds that the end of a loop waits for what is still to be sent."""
LAST_DRAIN = 1.5
"""Those of a process that hangs."""
STATE = "alerts"
"""Under this name the state of an account says what could not be sent."""


class Alarms:
    """What the parts of a loop tell; with no channel each of these does nothing."""

    def __init__(
        self,
        account: str,
        box: Mailbox | None = None,
        slippage_pct: float = 1.0,
        chat: Callable[[Engine], Chat] | None = None,
        report_time: str | None = None,
        *,
        once: bool = False,
        secrets: Sequence[str] = (),
    ) -> None:
        """Take where messages go, None for nowhere, what reads commands, and when the daily report is sent.

        `once`: this is but one look. Of `secrets` none may appear in a message.
        """
        self._secrets = secrets
        self._account, self._box, self._chat, self._once = account, box, chat, once
        self._report_time = report_time
        self._daily: DailyReport | None = None
        self._watch = None if box is None else Watch(self._put, slippage_pct)

    def say(self, kind: str, text: str) -> None:
        """Tell something now."""
        if self._watch is not None:
            self._watch.say(kind, text, now_ms())

    def _put(self, message: Message) -> None:
        text = message.text if self._account == USUAL else f"{self._account}: {message.text}"
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        message = message._replace(text=text)
        if self._box is not None:
            self._box.put(message)

    def on_start(self, text: str) -> None:
        """Tell that the loop begins."""
        if not self._once:
            self.say("start", text)

    def on_step(self, step: Step) -> None:
        """Tell what a step brought."""
        if self._watch is not None:
            self._watch.on_step(step)

    def on_status(self, status: AccountStatus) -> None:
        """Tell what changed in how the account stands."""
        if self._watch is not None:
            self._watch.on_status(status)
        if self._daily is not None:
            self._daily.look(status)

    def on_alert(self, alert: Alert) -> None:
        """Tell an event of the order path."""
        if self._watch is not None:
            self._watch.on_alert(alert, now_ms())

    def on_notice(self, notice: Notice) -> None:
        """Write what the exchange's client says to the log, and tell what is of the clock."""
        say(notice.text)
        if self._watch is not None and notice.kind == "clock":
            self._watch.say("clock", notice.text, now_ms())

    def on_lock(self, line: str) -> None:
        """Write to the log and tell that another program holds the database, or no longer."""
        say(line)
        self.say("locked", line)

    def on_exchange(self, error: ExchangeError | None, now: int) -> None:
        """Take whether the exchange answered."""
        if self._watch is not None:
            self._watch.on_exchange(error, now)

    def on_end(self, why: str, error: BaseException | None, *, is_open: bool) -> None:
        """Tell that the loop ends, and why; a start that was refused is seen by whoever typed it."""
        if isinstance(error, UsageError | RefusedError) and not is_open:
            return
        is_ordered = error is None or isinstance(error, KeyboardInterrupt)
        if is_ordered and self._once:
            return
        kind = "end" if is_ordered else "damage" if isinstance(error, DatabaseError) else "failed"
        self.say(kind, f"the loop ended: {why}")

    def on_hang(self, why: str) -> None:
        """Tell that the process is ended because its loop hangs, and wait a little until that is sent."""
        self.say("hung", f"the loop ended: {why}")
        if self._box is not None:
            self._box.end(LAST_DRAIN)

    @contextmanager
    def sending(self, engine: Engine) -> Iterator[None]:
        """Send until the block ends; what was not sent then is told by the next start."""
        if self._box is None:
            yield
            return
        # Of damage somebody will be told, so nothing of it may keep this from starting.
        with suppress(DatabaseError):
            self._box.owe(from_stored(live.read_state(engine, self._account).get(STATE)))
        self._box.start()
        self._daily = self._daily_report(engine, self._box)
        try:
            yield
        finally:
            missed = self._box.end(DRAIN)
            if missed.number:
                note(f"alerts that could not be sent: {missed.letter().message.text}")
            try:
                if missed.number or STATE in live.read_state(engine, self._account):
                    live.keep_state(engine, self._account, STATE, as_stored(missed), now_ms())
            except HotCryptoError as error:
                note(f"which alerts could not be sent is not stored: {error}")

    def _daily_report(self, engine: Engine, box: Mailbox) -> DailyReport | None:
        if self._report_time is None:
            return None
        from core.cli.live_reports import DailyReport

        return DailyReport(engine, self._account, self._report_time, box.put)

    @contextmanager
    def listening(self, engine: Engine) -> Iterator[None]:
        """Take commands by Telegram until the block ends, where a bot is named for that."""
        if self._chat is None or self._once:
            yield
            return
        chat = self._chat(engine)
        chat.start()
        try:
            yield
        finally:
            chat.end()


NO_ALARMS = Alarms("")


def alarms_of(settings: AlertSettings, env: Mapping[str, str], account: str, *, once: bool) -> Alarms:
    """Return what tells people by the channels that the settings name.

    Raises SettingsError for a channel that lacks something, and says what; never the thing itself.
    """
    if not settings.routes:
        return NO_ALARMS
    # Who names no channel waits for none of this to be imported.
    from core.cli.live_channels import chat_of, lanes_of

    box = Mailbox(lanes_of(settings, env, account))
    at = settings.report_time if settings.report is not None else None
    chat, secrets = chat_of(settings, env, account), secrets_of(env)
    return Alarms(account, box, settings.slippage_pct, chat, at, once=once, secrets=secrets)
