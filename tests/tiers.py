"""How much a test tries: a sample in `make test`, all of it in `make test-statistics`.

A test that is marked `statistics` tries hundreds of markets, schedules or kills there. One that is marked
`programs` starts whole programs, most of them to kill them, and belongs to `make test-programs` alone.
"""

from __future__ import annotations

import os

import pytest

WHOLE = os.environ.get("WHOLE_TESTS") == "1"

statistics = pytest.mark.statistics
programs = pytest.mark.programs


def tries(whole: int, sample: int) -> int:
    """Return how many to try."""
    return whole if WHOLE else sample
