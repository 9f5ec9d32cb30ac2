"""Rows of a JSON file, read piece by piece: an array of arrays or of objects, alone or inside an object."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

from core.errors import NoDataError

_PIECE = 1 << 20
"""Characters read at once; such files have one line."""
_LONGEST = 1 << 16
"""Characters of what stands before the first row, or of one row."""
_START = re.compile(r"\[\s*(?=[\[{])")
_END = {"]": re.compile(r"\]\s*\]"), "}": re.compile(r"\}\s*\]")}
"""The last row's end and the array's."""


def json_rows(stream: TextIO) -> Iterator[list[Any]]:
    """Yield lists of rows, each a list or a dict, numbers as they are written.

    Raises NoDataError when there are none, one cannot be read, or the file is cut.
    """
    text, piece = "", ""
    while not (start := _START.search(text)):
        text += (piece := _next(stream, text))
        if not piece:
            raise NoDataError("there is no array of rows in it")
    text = text[start.end() :]
    closing = "]" if text[0] == "[" else "}"
    while not (end := _END[closing].search(text)):
        if (cut := text.rfind(closing) + 1) and not text.lstrip().startswith("]"):
            yield _decoded(text[:cut])
            text = text[cut:]
        if text.lstrip().startswith("]"):
            return
        text += (piece := _next(stream, text))
        if not piece:
            raise NoDataError("it ends in the middle of its rows, and nothing of it was loaded")
    yield _decoded(text[: end.start() + 1])


def _next(stream: TextIO, text: str) -> str:
    """Return what follows. Raises NoDataError when a row does not end."""
    if len(text) > _LONGEST:
        raise NoDataError(f"{_LONGEST} characters and no row among them: this is no file of candles")
    return stream.read(_PIECE)


def _decoded(text: str) -> list[Any]:
    body = text.lstrip(", \t\r\n")
    try:
        rows: list[Any] = json.loads(f"[{body}]", parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise NoDataError(f"its rows cannot be read ({error})") from error
    return rows
