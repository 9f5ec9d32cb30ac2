"""What a value of the settings may be: its type, with the check and the words of its error message."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator

from core.errors import UsageError
from core.risk.endings import ClosingScope, Release, WaitingRule
from core.symbols import symbol_name
from core.utils import TIMEFRAMES, timeframe_name

DB_URL = re.compile(r"sqlite(\+\w+)?://(/.*)?|(?!sqlite)[a-z0-9]+(\+\w+)?://.+")
A_SYMBOL = "BASE/QUOTE, such as BTC/USDT"
CHANNELS = ("telegram", "webhook", "email")
"""Ways to reach a person."""


def _symbol(text: str) -> str:
    try:
        return symbol_name(text)
    except UsageError as error:
        raise ValueError(str(error).removeprefix("wanted ")) from None


def _timeframe(text: str) -> str:
    try:
        return timeframe_name(text)
    except UsageError as error:
        reason = f" ({error})" if str(error).startswith("no ") else ""
        raise ValueError(f"one of {', '.join(TIMEFRAMES)}{reason}") from None


def distinct(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Return the symbols as they are. Raises ValueError where one is named twice."""
    if len(set(symbols)) < len(symbols):
        raise ValueError("each symbol once")
    return symbols


def _number(value: Any) -> int | float:
    # pydantic would take True for 1.
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("a finite number")
    return value  # type: ignore[no-any-return]


def _db_url(text: str) -> str:
    if not DB_URL.fullmatch(text):
        raise ValueError("a URL such as sqlite:///data/hot_crypto.db, with three slashes for SQLite")
    return text


def _base_url(text: str) -> str:
    if not _is_origin(text):
        raise ValueError("http:// or https://, a host and at most a port, such as http://127.0.0.1:8090")
    return text.rstrip("/")


def _api_url(text: str) -> str:
    url = _base_url(text)
    if url.startswith("http:") and urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(
            "https://, since the bot's token is in every request; http:// for this machine alone"
        )
    return url


def _channels(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(CHANNELS) or len(set(names)) < len(names):
        raise ValueError(f"one or more of {', '.join(CHANNELS)}, each once, with commas between them")
    return ",".join(names)


def _addresses(text: str) -> str:
    names = [name.strip() for name in text.split(",")]
    if not all(re.fullmatch(r"[^\s@,<>\"]+@[^\s@,<>\"]+", name) for name in names):
        raise ValueError("an address such as me@example.org, or several with commas between them")
    return ",".join(names)


def _clock_time(text: str) -> str:
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise ValueError("a time of day, UTC, such as 08:00")
    return text


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and not extra


Symbol = Annotated[str, AfterValidator(_symbol)]
Timeframe = Annotated[str, AfterValidator(_timeframe)]
Number = Annotated[int | float, PlainValidator(_number)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
ApiUrl = Annotated[str, AfterValidator(_api_url)]
DbUrl = Annotated[str, AfterValidator(_db_url)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]

SizePart = Annotated[float, Field(ge=0, le=1, description="0 to 1 (a fraction: 0.6 is 60 %)")]
Percent = Annotated[float | None, Field(ge=0.1, le=100, description="0.1 to 100 (percent), or nothing")]
Exposure = Annotated[
    float | None, Field(gt=0, le=1000, description="above 0 to 1000 (percent of equity), or nothing")
]
Count = Annotated[
    int | None, Field(ge=1, le=1_000_000, description="1 to 1000000 (a whole number), or nothing")
]
Minutes = Annotated[float, Field(gt=0, le=1_000_000, description="above 0 to 1000000 (minutes)")]
SmallCount = Annotated[int, Field(ge=1, le=10_000, description="1 to 10000 (a whole number)")]


def _one_of(words: Iterable[str]) -> Any:
    """Return the field of a word that may be left out."""
    known = tuple(words)
    return Field(pattern=f"^({'|'.join(known)})$", description=f"one of {', '.join(known)}, or left out")


ClosingWord = Annotated[str | None, _one_of(ClosingScope)]
WaitingWord = Annotated[str | None, _one_of(WaitingRule)]
EndsWord = Annotated[str | None, _one_of(Release)]
Switch = Annotated[bool, Field(description="true or false")]

_A_ROUTE = Field(description=f"one or more of {', '.join(CHANNELS)}, with commas between them, or nothing")
AlertRoute = Annotated[Annotated[str, AfterValidator(_channels)] | None, _A_ROUTE]
_MAIL = "an address such as me@example.org, or nothing"
MailAddresses = Annotated[Annotated[str, AfterValidator(_addresses)] | None, Field(description=_MAIL)]


class Section(BaseModel):
    """What all parts of the settings are: frozen, strict, without unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )
