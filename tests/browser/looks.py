"""What every page must have, looked at in the page itself: contrast, labels, room, one heading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHECKS = Path(__file__).with_suffix(".js").read_text("utf-8")


def faults(tab: Any) -> list[str]:
    """Return what is wrong with a page for somebody who cannot see well, has no mouse, or a small screen."""
    found: list[str] = tab.evaluate(CHECKS)
    return found
