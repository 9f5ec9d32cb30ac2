"""Compiled code on disk: found again by what it was made from, and never trusted when it is not whole."""

from __future__ import annotations

import hmac
import pickle
import subprocess
import sys
from enum import IntEnum
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import config, njit

from core.kernel import disk_cache
from core.kernel.disk_cache import end_turn, fingerprint, keep, key_file, signing_key, take_turn


class Point(NamedTuple):
    x: float = 1.0


class Point2(NamedTuple):
    x: float = 2.0


class Kind(IntEnum):
    ONE = 1


class OtherKind(IntEnum):
    ONE = 2


def twice(x: float) -> float:
    return 2 * x


def thrice(x: float) -> float:
    return 3 * x


def named(inner: Any, x: float) -> Any:
    # `inner` is a global of the copies that `made_of` makes.
    return INNER(x)  # type: ignore[name-defined] # noqa: F821


def made_of(inner: Any) -> Any:
    return FunctionType(named.__code__, {"INNER": inner}, "named")


def nested(xs: list[float]) -> list[float]:
    return [INNER(x) for x in xs]  # type: ignore[name-defined] # noqa: F821


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def kept_twice() -> Any:
    """Return what a new process would have: a compiled function that has compiled nothing yet."""
    return keep(njit(twice), "TWICE")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (twice, thrice),
        (njit(twice), njit(thrice)),
        (1.0, 2.0),
        (Point, Point2),
        (Kind, OtherKind),
        (Kind.ONE, OtherKind.ONE),
        (np.zeros(2000), np.append(np.zeros(1999), 1.0)),
        (np, pytest),
        (None, 0),
        (made_of(1), made_of(2)),
    ],
)
def test_whatever_a_function_reaches_changes_its_fingerprint(one: object, other: object) -> None:
    assert fingerprint(made_of(one)) == fingerprint(made_of(one))
    assert fingerprint(made_of(one)) != fingerprint(made_of(other))


def test_a_name_inside_a_comprehension_counts_too() -> None:
    def of(inner: Any) -> str:
        return fingerprint(FunctionType(nested.__code__, {"INNER": inner}, "nested"))

    assert of(1) == of(1) != of(2)


def test_a_default_and_what_it_is_made_from_besides_change_a_fingerprint() -> None:
    plain = FunctionType(twice.__code__, {}, "twice", (1.0,))
    other = FunctionType(twice.__code__, {}, "twice", (2.0,))
    assert fingerprint(plain) != fingerprint(other)
    assert fingerprint(twice) != fingerprint(twice, thrice)


def test_functions_that_call_each_other_have_a_fingerprint() -> None:
    names: dict[str, Any] = {}
    names["INNER"] = FunctionType(named.__code__, names, "named")
    assert len(fingerprint(names["INNER"])) == 32


def test_nothing_is_kept_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    fast = kept_twice()
    assert fast(2.0) == 4.0
    assert not fast.stats.cache_path


def test_the_next_process_finds_what_was_compiled(folder: Path) -> None:
    first, second = kept_twice(), kept_twice()
    assert first(2.0) == second(2.0) == 4.0
    assert sum(second.stats.cache_hits.values()) == 1
    assert not second.stats.cache_misses


OTHER = """
from core.kernel.disk_cache import take_turn
print(take_turn("0123456789"), flush=True)
input()
"""


def test_what_another_process_compiles_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_cache, "WAIT", 0.0)
    assert signing_key(key_file()) is not None
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", OTHER], **piped) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "True\n"
        assert not take_turn("0123456789")
        assert take_turn("ABCDEF0123")
        other.communicate("\n")
    assert take_turn("0123456789")
    end_turn("0123456789")
    end_turn("ABCDEF0123")


def test_another_function_of_that_name_is_compiled_and_takes_its_place(folder: Path) -> None:
    kept_twice()(2.0)
    before = files(folder)
    other = keep(njit(thrice), "TWICE")
    assert other(2.0) == 6.0
    assert len(before) == 2
    assert set(files(folder)).isdisjoint(before)


def test_a_name_that_begins_as_another_leaves_that_alone(folder: Path) -> None:
    keep(njit(thrice), "TWICE_MORE")(2.0)
    kept_twice()(2.0)
    assert len(files(folder)) == 4


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [b"", b"\x80\x04garbage"])
def test_what_is_damaged_is_compiled_afresh(folder: Path, ending: str, damage: bytes) -> None:
    kept_twice()(2.0)
    for path in files(folder):
        if path.suffix == ending:
            path.write_bytes(damage)
    assert kept_twice()(2.0) == 4.0
    third = kept_twice()
    assert third(2.0) == 4.0
    assert sum(third.stats.cache_hits.values()) == 1


class Planted:
    """Something that runs code when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


def signed_by(key: bytes, name: str, kept: bytes) -> bytes:
    return hmac.digest(key, name.encode() + b"\0" + kept, "sha256") + kept


@pytest.mark.parametrize("by", ["nobody", "another", "another_name"])
@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_a_file_that_this_user_did_not_sign_runs_no_code_and_changes_no_number(
    folder: Path, tmp_path: Path, ending: str, by: str
) -> None:
    kept_twice()(2.0)
    trace = tmp_path / "trace"
    forged = pickle.dumps(Planted(trace))
    own = signing_key(key_file()) or b""
    for path in files(folder):
        if path.suffix == ending:
            path.write_bytes(
                {
                    "nobody": forged,
                    "another": signed_by(b"k" * 32, path.name, forged),
                    "another_name": signed_by(own, "other" + path.name, forged),
                }[by]
            )
    assert kept_twice()(2.0) == 4.0
    assert not trace.exists()
    again = kept_twice()
    assert again(2.0) == 4.0
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_file_that_this_user_signed_is_run_so_the_test_above_can_fail(folder: Path, tmp_path: Path) -> None:
    kept_twice()(2.0)
    own = signing_key(key_file()) or b""
    trace = tmp_path / "trace"
    for path in files(folder):
        path.write_bytes(signed_by(own, path.name, pickle.dumps(Planted(trace))))
    assert kept_twice()(2.0) == 4.0
    assert trace.exists()


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "state" / "hot-crypto" / "kernels.key"
    key = signing_key(file)
    assert key is not None
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]
    signing_key.cache_clear()
    assert signing_key(file) == key


@pytest.mark.parametrize("spoil", [lambda file: file.chmod(0o644), lambda file: file.write_bytes(b"short")])
def test_a_key_that_others_may_know_signs_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    signing_key(key_file())
    spoil(key_file())
    signing_key.cache_clear()
    assert signing_key(key_file()) is None
    fast = kept_twice()
    assert fast(2.0) == 4.0
    assert not fast.stats.cache_path


def test_without_a_home_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert signing_key(tmp_path / "file" / "kernels.key") is None


def test_a_full_disk_keeps_nobody_from_computing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    fast = kept_twice()
    monkeypatch.setattr(fast._cache._cache_file, "save", full)
    assert fast(2.0) == 4.0


def test_a_folder_that_cannot_be_made_keeps_nobody_from_computing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numba.core import caching

    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert kept_twice()(2.0) == 4.0
