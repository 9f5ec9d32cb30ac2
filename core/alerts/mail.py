"""Messages as e-mail, by SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, NamedTuple

from core.alerts.lane import Letter, NotSentError
from core.alerts.levels import AlertLevel
from core.alerts.line import TimedLine

TIMEOUT = 30.0
"""Seconds that a mail may take, all of it."""
WELL = 250
"""What a mail server answers to what it does."""


class MailTerms(NamedTuple):
    """Where mail goes in, from whom and to whom; the password is a secret."""

    host: str
    port: int
    security: str
    """starttls, tls or none."""
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: str = ""


class MailChannel:
    """Sends messages as one e-mail each time."""

    def __init__(self, terms: MailTerms, account: str, timeout: float = TIMEOUT) -> None:
        """Take where it goes and whose messages they are."""
        self._terms, self._account, self._timeout = terms, account, timeout

    @property
    def where(self) -> str:
        """Return the mail server and its port."""
        return f"{self._terms.host}:{self._terms.port}"

    def reach(self) -> None:
        """See that the mail server lets this program in; no mail is begun. Raises NotSentError."""
        self._talk(_ask)

    def send(self, letters: Sequence[Letter]) -> None:
        """Send these. Raises NotSentError."""
        mail = self._mail(letters)
        self._talk(lambda server: server.send_message(mail))

    def _talk(self, say: Callable[[smtplib.SMTP], object]) -> None:
        """Say something to the server once it has let this program in. Raises NotSentError."""
        line, terms = TimedLine(), self._terms

        def talk() -> None:
            with _opened(terms, self._timeout, line) as server:
                if terms.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if terms.user:
                    server.login(terms.user, terms.password)
                say(server)

        with self._told():
            line.within(self._timeout, talk)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what goes wrong in the block as NotSentError, without what is secret of it."""
        try:
            yield
        except smtplib.SMTPResponseException as error:
            final = 500 <= error.smtp_code < 600 and not isinstance(error, smtplib.SMTPConnectError)
            raise NotSentError(f"the mail server answered {error.smtp_code}", is_final=final) from None
        except smtplib.SMTPRecipientsRefused:
            raise NotSentError("the mail server takes nothing for alerts.smtp_to", is_final=True) from None
        except smtplib.SMTPNotSupportedError:
            raise NotSentError(
                "the mail server cannot do what alerts.smtp_security or smtp_user asks"
            ) from None
        except ssl.SSLError:
            raise NotSentError("the mail server's certificate is not trusted, or it speaks no TLS") from None
        except ValueError:
            # Python's own words repeat the letter, which may be one of the password.
            what = "a name, password or address has letters that the mail server cannot take"
            raise NotSentError(what, is_final=True) from None
        except (OSError, smtplib.SMTPException) as error:
            # Of a greeting that does not come smtplib says this as well, in words alone.
            is_late = "timed out" in str(error)
            why = f"the mail server did not take it in {self._timeout:g} s"
            raise NotSentError(why if is_late else "no connection to the mail server") from None

    def _mail(self, letters: Sequence[Letter]) -> EmailMessage:
        worst = max(letters, key=lambda one: list(AlertLevel).index(one.message.level)).message
        first = worst.text.split("\n")[0][:80]
        more = f" (+{len(letters) - 1})" if len(letters) > 1 else ""
        mail = EmailMessage()
        mail["Subject"] = f"[HOT-Crypto {self._account}] {worst.level.value.upper()}: {first}{more}"
        mail["From"], mail["To"] = self._terms.sender, ", ".join(self._terms.to)
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="hot-crypto.invalid")
        text = "\n\n".join(one.line() for one in letters)
        # Seven bits: not every server takes more.
        mail.set_content(f"{text}\n", cte="quoted-printable")
        return mail


def _ask(server: smtplib.SMTP) -> None:
    code, said = server.noop()
    if code != WELL:
        raise smtplib.SMTPResponseException(code, said)


def _opened(terms: MailTerms, seconds: float, line: TimedLine) -> smtplib.SMTP:
    """Return the server, by a connection of the line."""

    class Plain(smtplib.SMTP):
        def _get_socket(self, *to: Any) -> socket.socket:
            connection: socket.socket = super()._get_socket(*to)  # type: ignore[misc]
            return line.opened(connection)

    # Its own connection is the other's below, before TLS begins.
    class Tls(smtplib.SMTP_SSL, Plain):
        pass

    if terms.security == "tls":
        return Tls(terms.host, terms.port, timeout=seconds, context=ssl.create_default_context())
    return Plain(terms.host, terms.port, timeout=seconds)
