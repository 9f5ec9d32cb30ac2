"""cache_manager.py: sizes, soundness, and that nothing goes but the cache itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import cli
from core.cli import cache_command
from core.domain import Series
from core.kernel.disk_cache import _signature, key_file, signing_key
from scripts import cache_manager
from tests.markets import random_bars
from tests.stored import url_of

BTC = Series("binanceus", "BTC/USDT", "1h")
KERNEL = f"scan_X_False@{'0a' * 16}.signed.o"
OLD = f"scan.scan_X@{'0a' * 16}-84.py311.signed.nbi"


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of compiled code, signed by the user of this test."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    room = tmp_path / "kernels"
    room.mkdir()
    key = signing_key(key_file())
    assert key is not None
    for name in (KERNEL, f"sets@{'0b' * 16}.signed.o"):
        (room / name).write_bytes(_signature(key, name, b"code") + b"code")
    return room


@pytest.fixture
def columns(tmp_path: Path) -> Path:
    """Return the folder of kept candles, with one file."""
    from core.candles.column_cache import ColumnCache

    assert ColumnCache(tmp_path / "cache", "a.db").save(BTC, "0123abcd-7", random_bars(1, 500))
    return tmp_path / "cache"


def manage(tmp_path: Path, option: str) -> int:
    return cache_manager.main([option, "--db-url", url_of(tmp_path / "a.db")])


@pytest.mark.unmeasured
def test_the_status_says_how_much_and_where(
    tmp_path: Path, columns: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage(tmp_path, "--status") == 0
    size = sum(path.stat().st_size for path in columns.iterdir()) / 1e6
    assert capsys.readouterr().out == (
        f"candles: 1 file, {size:,.1f} MB, in {columns}\ncompiled code: 2 files, 0.0 MB, in {kernels}\n"
    )


def test_an_empty_cache_is_one_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "none"))
    for option in ("--status", "--check", "--clear"):
        assert manage(tmp_path, option) == 0
    assert "candles: 0 files, 0.0 MB" in capsys.readouterr().out
    assert cache_manager.main(["--status", "--db-url", "sqlite://"]) == 0
    assert "since the database is no file" in capsys.readouterr().out


def test_without_the_variable_compiled_code_lies_in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    assert cache_command.kernels_folder() == cli.ROOT / "data" / "cache" / "kernels"


@pytest.mark.unmeasured
def test_a_check_reads_every_file(
    tmp_path: Path, columns: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert manage(tmp_path, "--check") == 0
    assert "checked: all files are sound" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["flipped", "cut", "empty", "open to others", "kernel", "draft", "new"])
def test_what_is_not_sound_is_named(
    what: str, tmp_path: Path, columns: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bars,) = columns.iterdir()
    kernel, contents = kernels / KERNEL, bars.read_bytes()
    named = bars
    if what == "flipped":
        bars.write_bytes(contents[:-9] + b"\x01" + contents[-8:])
    elif what == "cut":
        bars.write_bytes(contents[:-4096])
    elif what == "empty":
        bars.write_bytes(b"")
    elif what == "open to others":
        bars.chmod(0o666)
    elif what == "kernel":
        named = kernel
        kernel.write_bytes(kernel.read_bytes() + b"more")
    elif what == "draft":
        named = kernels / f"{KERNEL}.tmp.{'0c' * 8}"
        named.write_bytes(b"half")
    else:
        named = bars.with_suffix(f".{'0d' * 8}.new")
        named.write_bytes(contents[:100])
    assert manage(tmp_path, "--check") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith(f"{named}: ")] == lines[:-1]
    assert "--clear removes it" in lines[-1]
    assert manage(tmp_path, "--clear") == 0
    assert not named.exists()


def test_compiled_code_whose_key_is_gone_is_not_sound_and_makes_no_new_key(
    tmp_path: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key_file().unlink()
    for number in range(2, 13):
        (kernels / f"scan_{number}_{KERNEL}").write_bytes(b"code")
    assert manage(tmp_path, "--check") == 1
    assert (told := capsys.readouterr().err).count("not signed by this user") == 10
    assert "… and 3 files more" in told
    assert not key_file().exists()


def test_clearing_removes_the_cache_and_nothing_else(
    tmp_path: Path, columns: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bars,) = columns.iterdir()
    precious = tmp_path / "precious.db"
    precious.write_bytes(bars.read_bytes())
    kept = [
        columns / "notes.txt",
        columns / "my_candles.bars",
        # A cache's name, and nothing that a cache has written.
        columns / f"mine-{'0e' * 8}.1-1.bars",
        kernels / "notes.o",
        kernels / "other" / KERNEL,
    ]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    link = columns / f"link-{'0f' * 8}.1-1.bars"
    link.symlink_to(precious)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / OLD).write_text("mine")
    (kernels / f"linked_{'2c' * 20}").symlink_to(elsewhere)
    assert manage(tmp_path, "--clear") == 0
    told = capsys.readouterr().out
    assert "candles: 1 file removed" in told
    assert "compiled code: 2 files removed" in told
    assert "never touched: " in told
    assert [path for path in kept if path.read_text() != "mine"] == []
    assert link.is_symlink()
    assert precious.exists()
    assert (elsewhere / OLD).exists()
    assert not bars.exists()


@pytest.mark.unmeasured
def test_what_older_versions_kept_goes_with_its_folder(tmp_path: Path, kernels: Path) -> None:
    room = kernels / f"kernel_{'1b' * 20}"
    room.mkdir()
    for name in (OLD, OLD.replace(".nbi", ".1.nbc")):
        (room / name).write_bytes(b"code")
    assert manage(tmp_path, "--clear") == 0
    assert not room.exists()


@pytest.mark.unmeasured
def test_a_folder_that_is_a_link_is_not_followed(
    tmp_path: Path, columns: Path, kernels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved"
    columns.rename(moved)
    columns.symlink_to(moved)
    assert manage(tmp_path, "--status") == 0
    assert "candles: 0 files, 0.0 MB" in (told := capsys.readouterr().out)
    assert "which is a link and never touched" in told
    assert manage(tmp_path, "--clear") == 0
    assert len(list(moved.iterdir())) == 1
    assert not kernels.exists()


def test_what_cannot_be_removed_is_counted(
    tmp_path: Path,
    columns: Path,
    kernels: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    errors: list[OSError] = [FileNotFoundError(), FileNotFoundError(), FileNotFoundError()]

    def refuse(path: Path) -> None:
        raise errors.pop() if errors else PermissionError()

    monkeypatch.setattr(Path, "unlink", refuse)
    # What another process removed meanwhile is removed.
    assert manage(tmp_path, "--clear") == 0
    assert "compiled code: 2 files removed" in capsys.readouterr().out
    assert manage(tmp_path, "--clear") == 0
    assert "0 files removed, 0.0 MB; 2 files could not be removed" in capsys.readouterr().out


def test_one_of_the_three_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--status", "--clear"]):
        with pytest.raises(SystemExit):
            cache_manager.main(words)
