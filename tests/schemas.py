"""What is written as JSON, held against its schema under docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

DOCS = Path(__file__).resolve().parents[1] / "docs"


def schema_of_status() -> dict[str, Any]:
    """Return the schema of what --status --json writes."""
    found: dict[str, Any] = json.loads((DOCS / "status.schema.json").read_text())
    return found


def checked_status(text: str) -> dict[str, Any]:
    """Return a status that was written. Raises jsonschema.ValidationError where it breaks the schema."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.validate(document, schema_of_status())
    return document
