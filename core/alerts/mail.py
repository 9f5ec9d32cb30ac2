"""Messages as e-mail, by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import NamedTuple

from core.alerts.lane import Letter, NotSentError
from core.alerts.levels import AlertLevel

TIMEOUT = 20.0
"""Seconds that each word of the server may take."""
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
        with self._server() as server:
            code, said = server.noop()
            if code != WELL:
                raise smtplib.SMTPResponseException(code, said)

    def send(self, letters: Sequence[Letter]) -> None:
        """Send these. Raises NotSentError."""
        with self._server() as server:
            server.send_message(self._mail(letters))

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        """Yield the server once it has let this program in; what goes wrong in the block is told alike."""
        try:
            with self._opened() as server:
                if self._terms.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self._terms.user:
                    server.login(self._terms.user, self._terms.password)
                yield server
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
            why = f"the mail server said nothing for {self._timeout:g} s"
            raise NotSentError(why if is_late else "no connection to the mail server") from None

    def close(self) -> None:
        """Nothing is open between two mails."""

    def _opened(self) -> smtplib.SMTP:
        terms = self._terms
        if terms.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(terms.host, terms.port, timeout=self._timeout, context=context)
        return smtplib.SMTP(terms.host, terms.port, timeout=self._timeout)

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
