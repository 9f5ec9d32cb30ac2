"""Compiled code on disk: found again by what it was made from, and never trusted when it is not whole."""

from __future__ import annotations

import hmac
import subprocess
import sys
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import pytest

from core.kernel import compiler, disk_cache
from core.kernel.disk_cache import end_turn, fingerprint, key_file, signing_key, take_turn
from core.kernel.entries import Kernel
from core.kernel.pieces import Piece


class Point(NamedTuple):
    x: float = 1.0


class Point2(NamedTuple):
    x: float = 2.0


class Kind(IntEnum):
    ONE = 1


class OtherKind(IntEnum):
    ONE = 2


def twice(x: int) -> int:
    return 2 * x


def thrice(x: int) -> int:
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
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of what is compiled, as it is."""
    names: list[str] = []
    compile_it = compiler.object_code

    def counted(part: Piece, count: int) -> bytes:
        names.append(part.function.__name__)
        return compile_it(part, count)

    monkeypatch.setattr(compiler, "object_code", counted)
    return names


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(function: Any = twice, name: str = "TWICE") -> int:
    """Return what a new process would have of 2: a function that is not compiled yet."""
    return Kernel(name, Piece(function, {}))(2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (twice, thrice),
        (1.0, 2.0),
        (Point, Point2),
        (Kind, OtherKind),
        (Kind.ONE, OtherKind.ONE),
        (np.zeros(2000), np.append(np.zeros(1999), 1.0)),
        (np, pytest),
        (None, 0),
        (cache(twice), cache(thrice)),
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


def test_an_attribute_stands_for_no_global_and_a_name_beyond_the_256th_counts() -> None:
    def of(inner: Any, text: str) -> str:
        scope: dict[str, Any] = {"__builtins__": {}}
        exec(text, scope)
        return fingerprint(FunctionType(scope["f"].__code__, {"INNER": inner, "other": 0}, "f"))

    attribute = "def f(x): return x.INNER"
    assert of(1, attribute) == of(2, attribute)
    many = "def f(x):\n" + "".join(f"    x.a{number}\n" for number in range(300)) + "    return INNER"
    assert of(1, many) == of(1, many) != of(2, many)


def test_a_default_changes_a_fingerprint() -> None:
    plain = FunctionType(twice.__code__, {}, "twice", (1.0,))
    other = FunctionType(twice.__code__, {}, "twice", (2.0,))
    assert fingerprint(plain) != fingerprint(other)


def test_functions_that_call_each_other_have_a_fingerprint() -> None:
    names: dict[str, Any] = {}
    names["INNER"] = FunctionType(named.__code__, names, "named")
    assert len(fingerprint(names["INNER"])) == 32


@pytest.mark.unmeasured
def test_nothing_is_kept_without_a_folder(monkeypatch: pytest.MonkeyPatch, made: list[str]) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    assert run() == run() == 4
    assert len(made) == 2


@pytest.mark.unmeasured
def test_the_next_process_finds_what_was_compiled(folder: Path, made: list[str]) -> None:
    assert run() == run() == 4
    assert len(made) == 1


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
    run()
    (before,) = files(folder)
    assert run(thrice) == 6
    (after,) = files(folder)
    assert after != before


def test_a_name_that_begins_as_another_leaves_that_alone(folder: Path) -> None:
    run(thrice, "TWICE_MORE")
    run()
    assert len(files(folder)) == 2


@pytest.mark.parametrize("damage", [b"", b"\x80\x04garbage"])
def test_what_is_damaged_is_compiled_afresh(folder: Path, made: list[str], damage: bytes) -> None:
    run()
    (file,) = files(folder)
    file.write_bytes(damage)
    assert run() == run() == 4
    assert len(made) == 2


def signed_by(key: bytes, name: str, kept: bytes) -> bytes:
    return hmac.digest(key, name.encode() + b"\0" + kept, "sha256") + kept


def planted(folder: Path, by: str) -> None:
    """Put another function's code where TWICE is kept, signed by whom is said."""
    run(thrice, "THRICE")
    (file,) = files(folder)
    forged = file.read_bytes()[32:]
    file.unlink()
    run()
    (file,) = files(folder)
    own = signing_key(key_file()) or b""
    contents = {
        "nobody": b"0" * 32 + forged,
        "another": signed_by(b"k" * 32, file.name, forged),
        "another name": signed_by(own, "other" + file.name, forged),
        "this user": signed_by(own, file.name, forged),
    }
    file.write_bytes(contents[by])


@pytest.mark.unmeasured
@pytest.mark.parametrize("by", ["nobody", "another", "another name"])
def test_a_file_that_this_user_did_not_sign_runs_no_code(folder: Path, by: str) -> None:
    planted(folder, by)
    assert run() == 4


def test_a_file_that_this_user_signed_is_run_so_the_test_above_can_fail(folder: Path) -> None:
    planted(folder, "this user")
    assert run() == 6


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
    assert run() == 4
    assert not files(folder)


def test_without_a_home_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert signing_key(tmp_path / "file" / "kernels.key") is None


def test_a_full_disk_keeps_nobody_from_computing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_cache, "_replace", full)
    assert run() == 4


def test_a_folder_that_cannot_be_made_keeps_nobody_from_computing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "kernels"))
    assert run() == 4
