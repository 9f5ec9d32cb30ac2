"""From what pydantic found to lines a person can act on: place, key, value given, what is allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from core.settings.kinds import Section
from core.settings.models import unknown_key
from core.settings.strict_yaml import Document, KeyPath, dotted

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=Section)

SECRET_KEY = re.compile(r"api_?key|secret|passw|passphrase|private_?key|token|credential", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"(?<!sqlite)://.*@|password=", re.IGNORECASE)
MASK = re.compile(r".*@|(?<=password=)[^&]*", re.IGNORECASE | re.DOTALL)
"""Wider than the search: a mistyped URL must not show its password either."""


def check_form(model: type[M], path: KeyPath, doc: Document, problems: list[str]) -> M | None:
    """Return the part of the document at `path` as a model; otherwise add its problems and return None."""
    data = _at(doc.data, path)
    if data is not None and not isinstance(data, dict):
        wanted = f"the keys {', '.join(model.model_fields)}"
        problems.append(_not_allowed(doc, path, data, wanted))
        return None
    try:
        return model.model_validate(data or {})
    except ValidationError as error:
        problems += [_line(model, path, found, doc) for found in error.errors(include_url=False)]
        return None


def without_secrets(doc: Document, problems: list[str]) -> Document:
    """Return the document without what looks like a secret; each is a problem, its value never shown."""
    return doc._replace(data=_cleaned(doc.data, (), doc, problems))


def shown_value(value: object) -> str:
    """Return a value for a message: short, on one line, passwords in URLs masked."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(MASK.sub("***", value) if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def not_a_mapping(doc: Document, wanted: str) -> str:
    """Return the line for a file whose top level is of the wrong kind."""
    return f"{doc.place(())}: {shown_value(doc.data)} is not allowed at the top: wanted {wanted}"


def _at(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else data[part]
    return data


def _line(model: type[Section], path: KeyPath, found: ErrorDetails, doc: Document) -> str:
    where = (*path, *found["loc"])
    key = str(found["loc"][0])
    if found["type"] == "extra_forbidden":
        return f"{doc.place(where)}: {dotted(path)}: {unknown_key(key, model)}"
    wanted = str(model.model_fields[key].description)
    if found["type"] == "missing":
        return f"{doc.place(where)}: {dotted(where)} is missing: wanted {wanted}"
    if found["type"] == "value_error":
        wanted = str(found["ctx"]["error"])
    return _not_allowed(doc, where, found["input"], wanted)


def _not_allowed(doc: Document, path: KeyPath, value: object, wanted: str) -> str:
    return f"{doc.place(path)}: {dotted(path)}: {shown_value(value)} is not allowed: wanted {wanted}"


def _cleaned(value: Any, path: KeyPath, doc: Document, problems: list[str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_cleaned(part, (*path, i), doc, problems) for i, part in enumerate(value))
    if not isinstance(value, dict):
        return value
    secret = [key for key, part in value.items() if _is_secret(key, part)]
    problems += [
        f"{doc.place((*path, key))}: {dotted((*path, key))}: a secret does not belong here: "
        "put it into .env (see .env.example) and take it out of this file"
        for key in secret
    ]
    return {
        key: _cleaned(part, (*path, key), doc, problems) for key, part in value.items() if key not in secret
    }


def _is_secret(key: str, value: object) -> bool:
    has_password = isinstance(value, str) and PASSWORD_IN_URL.search(value) is not None
    return has_password or SECRET_KEY.search(key) is not None
