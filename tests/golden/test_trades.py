"""Every strategy does on the golden market what it did when its file was written."""

from __future__ import annotations

import json

import pytest

from strategies.registry import REGISTRY
from tests.golden.trades import HERE, golden_run, path_of

pytestmark = pytest.mark.unmeasured


@pytest.mark.parametrize("name", REGISTRY)
def test_the_golden_trades_are_made_again_to_the_last_bit(name: str) -> None:
    kept = json.loads(path_of(name).read_text(encoding="utf-8"))
    found = json.loads(json.dumps(golden_run(name)))
    assert found == kept
    assert len(kept["trades"]) > 5


def test_every_golden_file_belongs_to_a_strategy() -> None:
    assert {path.name for path in HERE.glob("*.json")} == {path_of(name).name for name in REGISTRY}
