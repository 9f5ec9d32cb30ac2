"""docs/status.schema.json says what a status says: every field, and nothing that is not one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest

from core.cli.live_status import Life, document_of
from core.live.status import VERSION, AccountStatus, to_document
from db.live import RunState
from tests.schemas import checked_status, schema_of_status
from tests.status_help import CALM, DESK, STATUS


def run(status: AccountStatus | None = None) -> RunState:
    stored = {} if status is None else to_document(status)
    return RunState(1, "paper", "paper", 7, 1_000, None, None, 2_000, stored)


def written(status: AccountStatus | None, damage: tuple[str, ...] = ()) -> dict[str, Any]:
    return document_of(run(status), damage, Life(is_running=True, is_gone=False))


def records(kind: Any) -> Iterator[Any]:
    """Yield the records that a status is made of, itself first."""
    if hasattr(kind, "_fields"):
        yield kind
        for one in get_type_hints(kind).values():
            yield from records(one)
    for one in get_args(kind):
        yield from records(one)


@pytest.mark.parametrize("kind", sorted(set(records(AccountStatus)), key=str))
def test_the_schema_has_every_field_of_a_record_and_no_other(kind: Any) -> None:
    described = schema_of_status()["$defs"][kind.__name__]
    assert list(described["properties"]) == list(kind._fields)
    # What is None by default is left out where there is no such thing.
    always = [name for name in kind._fields if kind._field_defaults.get(name, 0) is not None]
    assert described["required"] == always
    assert described["additionalProperties"] is False


@pytest.mark.unmeasured
@pytest.mark.parametrize("status", [STATUS, CALM, STATUS._replace(desk=DESK._replace(outside=None)), None])
def test_every_status_keeps_to_the_schema(status: AccountStatus | None) -> None:
    document = checked_status(json.dumps(written(status, ("journal: entry 3 was changed",))))
    assert document["version"] == VERSION == schema_of_status()["properties"]["version"]["const"]
    assert document["damage"] == ["journal: entry 3 was changed"]
    assert (document["status"] is None) == (status is None)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("where", "value"),
    [("cash", 3.5), ("cash", "1e5"), ("feeds", None), ("equity", "10"), ("more", 1), ("paused", None)],
)
def test_a_value_of_another_kind_breaks_it(where: str, value: object) -> None:
    document = written(STATUS)
    document["status"][where] = value
    with pytest.raises(jsonschema.ValidationError):
        checked_status(json.dumps(document))
