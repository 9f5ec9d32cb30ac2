"""The channels that the settings name, made of the settings and of the secrets in the environment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Engine

from core.alerts.chat import Chat
from core.alerts.lane import Channel, Lane
from core.alerts.mail import MailChannel, MailTerms
from core.alerts.reach import troubles
from core.alerts.telegram import Bot, TelegramChannel
from core.alerts.web import Web
from core.alerts.webhook import WebhookChannel
from core.cli.live_chat import LoopDesk
from core.cli.live_output import say
from core.errors import SettingsError
from core.live.preflight import ChannelSeen
from core.secrecy import one_line
from core.settings import BOT_CHATS, BOT_TOKEN, SMTP_PASSWORD, WEBHOOK_URL, AlertSettings
from core.utils import now_ms

HERE = ("127.0.0.1", "localhost", "::1")
"""This machine, to which a password may go as it is."""


def lanes_of(settings: AlertSettings, env: Mapping[str, str], account: str) -> dict[str, list[Lane]]:
    """Return the lanes of each route. Raises SettingsError for a channel that lacks something."""
    lanes = {
        name: [Lane(name, one, time.monotonic, say) for one in made]
        for name, made in _channels(settings, env, account).items()
    }
    return {
        route: [lane for name in named for lane in lanes[name]] for route, named in settings.routes.items()
    }


def reached(settings: AlertSettings, env: Mapping[str, str], account: str) -> tuple[ChannelSeen, ...]:
    """Return whether each channel that the settings name answers; nothing is sent by any.

    Raises SettingsError for a channel that lacks something.
    """
    made = [(name, one) for name, ones in _channels(settings, env, account).items() for one in ones]
    critical = settings.routes.get("critical", ())
    return tuple(
        ChannelSeen(name, name in critical, one_line(f"{name} ({one.where}): {why}") if why else "")
        for (name, one), why in zip(made, troubles([one for _, one in made]), strict=True)
    )


def chat_of(settings: AlertSettings, env: Mapping[str, str], account: str) -> Callable[[Engine], Chat] | None:
    """Return what makes the reader of commands, None where none are taken."""
    if not settings.telegram_commands or all("telegram" not in route for route in settings.routes.values()):
        return None
    return partial(_chat, _bot(settings, env), _chats(env), account)


def _chat(bot: Bot, chats: list[str], account: str, engine: Engine) -> Chat:
    return Chat(bot, chats, LoopDesk(engine, account), now_ms, say)


def _channels(settings: AlertSettings, env: Mapping[str, str], account: str) -> dict[str, list[Channel]]:
    """Return all channels by their names: of Telegram one for each chat."""
    names = sorted({name for route in settings.routes.values() for name in route})
    return {name: _channels_named(name, settings, env, account) for name in names}


def _channels_named(
    name: str, settings: AlertSettings, env: Mapping[str, str], account: str
) -> list[Channel]:
    if name == "telegram":
        # The token first: who has neither begins with it.
        _bot(settings, env)
        return [TelegramChannel(_bot(settings, env), chat) for chat in _chats(env)]
    if name == "webhook":
        return [WebhookChannel(_webhook_url(env), account, Web())]
    return [MailChannel(_mail_terms(settings, env), account)]


def _bot(settings: AlertSettings, env: Mapping[str, str]) -> Bot:
    token = _needed(BOT_TOKEN, env, "telegram", "what @BotFather gave you")
    if not token.isascii() or not token.isprintable() or set(token) & set("/?#% "):
        raise SettingsError(
            f"{BOT_TOKEN} is no token: wanted what @BotFather gave you, such as 123456:ABC-DEF"
        )
    return Bot(settings.telegram_api, token, Web())


def _chats(env: Mapping[str, str]) -> list[str]:
    text = _needed(BOT_CHATS, env, "telegram", "the numbers of your chats")
    chats = [chat.strip() for chat in text.split(",")]
    if not all(chat.removeprefix("-").isdecimal() and chat.isascii() for chat in chats):
        raise SettingsError(
            f"{BOT_CHATS}: wanted numbers of chats, such as 123456789 or -100123456789,123456789"
        )
    return list(dict.fromkeys(chats))


def _webhook_url(env: Mapping[str, str]) -> str:
    url = _needed(WEBHOOK_URL, env, "webhook", "its address")
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https") or not rest.strip("/") or " " in url:
        raise SettingsError(f"{WEBHOOK_URL}: wanted an address that begins with https:// or http://")
    return url


def _mail_terms(settings: AlertSettings, env: Mapping[str, str]) -> MailTerms:
    host, sender, to = settings.smtp_host, settings.smtp_from, settings.smtp_to
    if host is None or sender is None or to is None:
        wanted = {"smtp_host": host, "smtp_from": sender, "smtp_to": to}
        missing = ", ".join(f"alerts.{name}" for name, value in wanted.items() if value is None)
        raise SettingsError(f"alerts go to email, and {missing} is not set: set it in config/settings.yaml")
    if settings.smtp_user is not None and settings.smtp_security == "none" and host not in HERE:
        raise SettingsError(
            f"alerts.smtp_security: none would send the password to {host} for all to read: set starttls or "
            "tls"
        )
    password = env.get(SMTP_PASSWORD, "").strip()
    if settings.smtp_user is not None and not password:
        _needed(SMTP_PASSWORD, env, "email", "the password of alerts.smtp_user")
    return MailTerms(
        host=host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=sender,
        to=tuple(to.split(",")),
        user=settings.smtp_user or "",
        password=password,
    )


def _needed(name: str, env: Mapping[str, str], channel: str, what: str) -> str:
    text = env.get(name, "").strip()
    if not text:
        raise SettingsError(
            f"alerts go to {channel}, and {name} is not set: put {what} into .env (see .env.example), "
            f"or take {channel} out of the section alerts in config/settings.yaml"
        )
    return text
