"""A reader of Prometheus' text format, written from its description and sharing nothing with what writes it.

https://prometheus.io/docs/instrumenting/exposition_formats/: it takes what the description allows and raises
ValueError for all else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{(|{LABEL}(?:,{LABEL})*,?)\}})? ([^ ]+)(?: (-?[0-9]+))?")
KINDS = ("counter", "gauge", "histogram", "summary", "untyped")
WORDS = {"+Inf": "inf", "-Inf": "-inf", "NaN": "nan"}


class Family(NamedTuple):
    """A metric with its samples, by their labels."""

    kind: str
    help: str
    samples: dict[tuple[tuple[str, str], ...], float]


def families(text: str) -> dict[str, Family]:
    """Return the metrics of a text by name."""
    if text and not text.endswith("\n"):
        raise ValueError("the last line must end with a line feed")
    found: dict[str, Family] = {}
    newest, helps = "", dict[str, str]()
    for line in text.split("\n")[:-1]:
        if not line:
            continue
        if match := re.fullmatch(rf"# HELP ({NAME}) ((?:[^\\]|\\\\|\\n)*)", line):
            if match[1] in helps:
                raise ValueError(f"two HELP lines of {match[1]}")
            helps[match[1]] = match[2]
        elif match := re.fullmatch(rf"# TYPE ({NAME}) (\w+)", line):
            if match[1] in found or match[2] not in KINDS:
                raise ValueError(f"a second TYPE, or none that is known: {line}")
            newest = match[1]
            found[newest] = Family(match[2], helps.get(newest, ""), {})
        elif line.startswith("#"):
            continue
        else:
            _sample(line, newest, found)
    return found


def _sample(line: str, newest: str, found: Mapping[str, Family]) -> None:
    match = SAMPLE.fullmatch(line)
    if match is None:
        raise ValueError(f"no sample: {line}")
    if match[1] != newest:
        raise ValueError(f"all lines of a metric must stand together, after its TYPE: {line}")
    labels = tuple(sorted((name, _plain(value)) for name, value in re.findall(LABEL, match[2] or "")))
    if len({name for name, _ in labels}) < len(labels) or labels in found[newest].samples:
        raise ValueError(f"a label or a sample stands there twice: {line}")
    found[newest].samples[labels] = float(WORDS.get(match[7], match[7]))


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), value)
