"""A page that stands alone: template, style, programs, one chart library and its numbers in one file.

Text reaches a page as JSON only and is shown as text, so nothing in it can be markup; a page's own policy
forbids it to ask any computer for anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any


def page(title: str, document: Mapping[str, Any], *, styles: Iterable[str], programs: Iterable[str]) -> str:
    """Return a page that draws a document; `styles` and `programs` are files of this folder.

    Raises ValueError for NaN and infinity in the document.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    parts = {
        "title": escape(title),
        "style": "".join(map(asset, ("uplot.min.css", "page.css", *styles))),
        "licence": asset("uplot.LICENSE"),
        "chart": asset("uplot.min.js"),
        "program": "".join(map(asset, ("chart.js", *programs))),
        # Without a `<` nothing in it ends the element that holds it.
        "document": text.replace("<", "\\u003c"),
    }
    return Template(asset("page.html")).substitute(parts)


@cache
def asset(name: str) -> str:
    """Return a file of this folder."""
    return (Path(__file__).parent / name).read_text("utf-8")
