"""What of others' words may be stored and shown: no secret of the environment, no control characters.

An exception of anybody's strategy or library may say anything: an address with a bot's token in it, or bytes
that rule a terminal. Whatever makes such a text part of a status, a log, an answer or a line takes it from
here, and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

HIDDEN = "***"
LONGEST = 500
"""Characters of what an exception says; a status keeps it at every step."""
SHORTEST = 4
"""Characters of what is hidden."""
_LAST_WORDS = ("KEY", "SECRET", "PASSWORD", "PASSPHRASE", "PASS", "TOKEN")
"""A variable whose name ends with one of these words is a secret, even if it is a number."""
_SECRET_WORD = re.compile(
    r"\w*(KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|TOKEN|CREDENTIAL|WEBHOOK)S?"
    r"|(?!ASK|BY|COM)\w*PASS|PWD|PAT|CREDS|JWT|MNEMONIC"
)
"""So is one with such a word anywhere in its name, …"""
_ABOUT = ("DIR", "FILE", "HOST", "ID", "NAME", "PATH", "PORT", "SOCK", "TTL", "TYPE")
"""… unless the last one says that it is only about a secret, …"""
_PLAIN = re.compile(r"true|false|yes|no|on|off|none|null|auto|default|\d{1,8}", re.IGNORECASE | re.ASCII)
"""… or it is such a value, which stands in every other sentence."""
_PLACES = ("HOME", "PWD")
"""Where people and this program have their files: a path in there is no secret."""
_PASSWORD = re.compile(r"://[^/\s:@]*:([^/\s]+)@|[?&;]password=([^&;\s]+)", re.IGNORECASE)
"""In the address of a proxy or a database."""
_IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+@")
_OPEN: list[str] = []
"""What this process hides, the longest first."""


def secrets_of(env: Mapping[str, str]) -> list[str]:
    """Return what of an environment may appear nowhere: its secrets, in all that they are spelled by."""
    places = tuple(place for name in _PLACES if len(place := env.get(name, "").strip().rstrip("/")) > 1)
    found = {
        text
        for name, value in env.items()
        for text in _secrets_in(name.upper(), value.strip())
        if text and text.rstrip("/") not in places and not text.startswith(tuple(f"{one}/" for one in places))
    }
    spelled = {form(text) for text in found for form in SPELLINGS}
    return sorted(spelled, key=lambda text: (-len(text), text))


def _secrets_in(name: str, value: str) -> list[str]:
    if _is_secret(name, value):
        return [value]
    # A proxy's address may leave out what it begins with.
    address = f"://{value}" if name.endswith("_PROXY") and "://" not in value else value
    return [one or other for one, other in _PASSWORD.findall(address)]


def _is_secret(name: str, value: str) -> bool:
    words = [word for part in re.split(r"[\W_]+", name) if (word := part.rstrip("0123456789"))]
    # A shell calls the folder that it is in PWD.
    if not words or words == ["PWD"] or words[-1] in _ABOUT:
        return False
    if words[-1] in _LAST_WORDS:
        return _PLAIN.fullmatch(value) is None or value.isdecimal()
    return any(map(_SECRET_WORD.fullmatch, words)) and _PLAIN.fullmatch(value) is None


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _flat(text: str) -> str:
    return " ".join(text.split())


SPELLINGS = (str, quote, _quoted, unquote, _escaped, _flat)
"""As it is, in addresses, in JSON, on one line."""


def hide(secrets: Iterable[str]) -> None:
    """Hide these from now on, and no others, in whatever this process says of a fault."""
    # Shorter ones would be found in every sentence.
    _OPEN[:] = sorted((one for one in secrets if len(one) >= SHORTEST), key=len, reverse=True)


def hidden(text: str) -> str:
    """Return a text without secrets and without characters that rule a terminal; its lines stay lines."""
    # Once before and once after: a secret may have such characters, and may be split by some.
    plain = "".join(map(_harmless, _without(text)))
    return _IN_ADDRESS.sub(f"{HIDDEN}@", _without(plain))


def _harmless(letter: str) -> str:
    return letter if letter.isprintable() or letter == "\n" else " " * letter.isspace()


def _without(text: str) -> str:
    for secret in _OPEN:
        text = text.replace(secret, HIDDEN)
    return text


def one_line(text: str, longest: int = LONGEST) -> str:
    """Return such a text on one line, cut where it is too long."""
    line = _flat(hidden(text))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def words_of(error: BaseException) -> str:
    """Return the kind of an exception and what it says, on one line."""
    try:
        text = str(error)
    except Exception:  # It is anybody's code, and whatever it raises is not this program's end.
        text = ""
    kind = type(error).__name__
    return one_line(f"{kind}: {text}" if text.strip() else kind)
