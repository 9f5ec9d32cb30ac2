"""What was saved is mapped as it was, or not at all."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from core.candles import column_cache
from core.candles.column_cache import ColumnCache, shared
from core.domain import Bars, Series
from tests.stored import SERIES, bars_at, same_bars

REVISION = "0123abcd-7"


def ramp(rows: int) -> Bars:
    """Return bars of which no two numbers are equal."""
    ts, *columns = np.arange(6.0 * rows).reshape(6, rows) + 0.25
    return Bars(ts.astype(np.int64), *columns)


def every(step: int, bars: Bars) -> Bars:
    """Return some of the bars, as views whose numbers are not side by side."""
    return Bars(bars.ts[::step], *(column[::step] for column in bars[1:]))


@pytest.fixture
def cache(tmp_path: Path) -> ColumnCache:
    return ColumnCache(tmp_path / "cache", "a.db")


def the_file(cache: ColumnCache) -> Path:
    (file,) = cache.folder.iterdir()
    return file


@pytest.mark.parametrize("rows", [0, 1, 511, 512, 513, 3000])
def test_bars_come_back_bit_by_bit(cache: ColumnCache, rows: int) -> None:
    assert cache.load(SERIES, REVISION) is None
    assert cache.save(SERIES, REVISION, ramp(rows))
    found = cache.load(SERIES, REVISION)
    assert found is not None
    assert same_bars(found, ramp(rows))
    for column in found:
        assert column.flags.c_contiguous
        assert column.flags.aligned
        assert type(column) is np.ndarray


def test_awkward_numbers_and_strided_columns_keep_their_bits(cache: ColumnCache) -> None:
    bars = ramp(6)._replace(open=np.array([-0.0, 5e-324, np.nan, np.inf, 0.1 + 0.2, 1e300]))
    bars = every(2, bars)
    cache.save(SERIES, REVISION, bars)
    found = cache.load(SERIES, REVISION)
    assert found is not None
    assert same_bars(found, bars)


def test_mapped_bars_cannot_be_written(cache: ColumnCache) -> None:
    cache.save(SERIES, REVISION, ramp(5))
    found = cache.load(SERIES, REVISION)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found.close[0] = 1.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        found.close.flags.writeable = True


def test_another_revision_series_or_database_is_another_matter(cache: ColumnCache, tmp_path: Path) -> None:
    cache.save(SERIES, REVISION, ramp(5))
    assert cache.load(SERIES, "0123abcd-8") is None
    assert cache.load(SERIES._replace(symbol="BTC-USDT"), REVISION) is None
    assert ColumnCache(tmp_path / "cache", "b.db").load(SERIES, REVISION) is None


def test_a_new_revision_takes_the_place_of_the_old_and_of_drafts(cache: ColumnCache) -> None:
    cache.save(SERIES, "1-1", ramp(5))
    mapped = cache.load(SERIES, "1-1")
    prefix = the_file(cache).name.split(".", maxsplit=1)[0]
    (cache.folder / f"{prefix}.1-1.0a0b.new").write_bytes(b"left by a crash")
    other = Series("kraken", "BTC/USDT", "1h")
    cache.save(other, "1-1", ramp(6))
    cache.save(SERIES, "2-1", ramp(7))
    assert mapped is not None
    assert same_bars(mapped, ramp(5))  # still there for whoever has it open
    assert cache.load(SERIES, "1-1") is None
    assert cache.load(other, "1-1") is not None
    assert len(list(cache.folder.iterdir())) == 2


@pytest.mark.parametrize(
    "symbol",
    ["", "..", "../../x", "a/b\\c", "*?[x]", "x" * 5000, "BTC\0", "\ud800", "ÄÖ/π", ".", "a b\n"],
)
def test_any_name_makes_a_safe_file(cache: ColumnCache, symbol: str) -> None:
    series = Series(symbol, symbol, "1h")
    assert cache.save(series, REVISION, ramp(3))
    assert cache.save(series, "1-2", ramp(3))
    assert cache.load(series, "1-2") is not None
    assert the_file(cache).parent == cache.folder
    assert the_file(cache).name.isascii()


def test_names_that_look_alike_do_not_meet(cache: ColumnCache) -> None:
    alike = [
        Series("a", "b_c", "1h"),
        Series("a_b", "c", "1h"),
        Series("a", "b/c", "1h"),
        Series("A", "b c", "1h"),
    ]
    for rows, series in enumerate(alike):
        cache.save(series, REVISION, ramp(rows))
    assert [len(found.ts) for one in alike if (found := cache.load(one, REVISION))] == [0, 1, 2, 3]


def cut(content: bytearray) -> None:
    del content[-4096:]


def grown(content: bytearray) -> None:
    content.extend(bytes(4096))


def emptied(content: bytearray) -> None:
    content.clear()


def only_a_beginning(content: bytearray) -> None:
    del content[100:]


def not_even_a_header(content: bytearray) -> None:
    del content[10:]


def cut_within_a_number(content: bytearray) -> None:
    del content[-3:]


def zeroed(content: bytearray) -> None:
    content[4096:8192] = bytes(4096)


def pages_swapped(content: bytearray) -> None:
    content[4096:8192], content[8192:12288] = content[8192:12288], content[4096:8192]


def flipped(content: bytearray) -> None:
    content[5000] ^= 1


def other_magic(content: bytearray) -> None:
    content[0:4] = b"\x93NUM"


def other_rows(content: bytearray) -> None:
    content[48] ^= 1


def huge_rows(content: bytearray) -> None:
    content[48:56] = b"\xff" * 8


def other_crc(content: bytearray) -> None:
    content[60] ^= 1


def all_zero(content: bytearray) -> None:
    content[:] = bytes(len(content))


@pytest.mark.parametrize(
    "spoil",
    [
        cut,
        grown,
        emptied,
        only_a_beginning,
        not_even_a_header,
        cut_within_a_number,
        zeroed,
        pages_swapped,
        flipped,
        other_magic,
        other_rows,
        huge_rows,
        other_crc,
        all_zero,
    ],
)
def test_a_damaged_file_is_as_good_as_none_and_is_replaced(
    cache: ColumnCache, spoil: Callable[[bytearray], None]
) -> None:
    cache.save(SERIES, REVISION, ramp(1000))
    file = the_file(cache)
    content = bytearray(file.read_bytes())
    spoil(content)
    file.write_bytes(content)
    assert cache.load(SERIES, REVISION) is None
    assert cache.save(SERIES, REVISION, ramp(1000))
    assert cache.load(SERIES, REVISION) is not None


def test_a_file_that_others_can_write_or_own_is_not_read(
    cache: ColumnCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save(SERIES, REVISION, ramp(1000))
    assert the_file(cache).stat().st_mode & 0o777 == 0o600
    for mode in (0o620, 0o602):
        the_file(cache).chmod(mode)
        assert cache.load(SERIES, REVISION) is None
    the_file(cache).chmod(0o644)
    assert cache.load(SERIES, REVISION) is not None
    monkeypatch.setattr("core.candles.column_cache.os.geteuid", lambda: the_file(cache).stat().st_uid + 1)
    assert cache.load(SERIES, REVISION) is None


def test_the_file_of_another_series_under_this_name_is_refused(cache: ColumnCache) -> None:
    other = SERIES._replace(symbol="ETH/USDT")
    cache.save(SERIES, REVISION, ramp(3))
    mine = the_file(cache)
    cache.save(other, REVISION, ramp(4))
    (theirs,) = (path for path in cache.folder.iterdir() if path != mine)
    theirs.replace(mine)
    assert cache.load(SERIES, REVISION) is None


def test_where_nothing_can_be_written_nothing_is_saved(cache: ColumnCache) -> None:
    cache.folder.write_text("a file, not a folder")
    assert not cache.save(SERIES, REVISION, ramp(3))
    assert cache.load(SERIES, REVISION) is None


def test_a_directory_in_the_way_is_no_error(cache: ColumnCache) -> None:
    cache.save(SERIES, REVISION, ramp(3))
    file = the_file(cache)
    file.unlink()
    (file / "x").mkdir(parents=True)
    assert cache.load(SERIES, REVISION) is None
    assert not cache.save(SERIES, REVISION, ramp(3))
    assert cache.save(SERIES, "1-2", ramp(3))  # the directory cannot be removed, and need not be
    assert cache.load(SERIES, "1-2") is not None


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_no_draft(
    cache: ColumnCache, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(path: Path, identity: bytes, bars: Bars) -> None:
        path.write_bytes(identity)
        raise error

    monkeypatch.setattr(column_cache, "_write", fail)
    if isinstance(error, OSError):
        assert not cache.save(SERIES, REVISION, ramp(3))
    else:
        with pytest.raises(KeyboardInterrupt):
            cache.save(SERIES, REVISION, ramp(3))
    assert list(cache.folder.iterdir()) == []


def test_a_file_that_may_not_be_read_is_as_good_as_none(
    cache: ColumnCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.save(SERIES, REVISION, ramp(3))

    def refuse(*_: object) -> IO[Any]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert cache.load(SERIES, REVISION) is None


def test_another_process_gets_a_place_instead_of_a_copy(cache: ColumnCache) -> None:
    cache.save(SERIES, REVISION, ramp(5000))
    mapped = cache.load(SERIES, REVISION)
    assert mapped is not None
    for part in (mapped, mapped.since(10), mapped.until(7), mapped.until(900).since(100).since(1)):
        place = shared(part)
        assert place is not None
        sent = pickle.dumps(place)
        assert len(sent) < 500
        there = pickle.loads(sent).load()
        assert same_bars(there, part)
        assert there.close.base is not part.close.base


def test_bars_of_another_kind_have_no_place(cache: ColumnCache) -> None:
    cache.save(SERIES, REVISION, ramp(50))
    mapped = cache.load(SERIES, REVISION)
    assert mapped is not None
    assert shared(bars_at(0, 1)) is None
    assert shared(mapped.until(0)) is None
    assert shared(mapped._replace(low=mapped.high)) is None
    assert shared(mapped._replace(low=mapped.low.copy())) is None
    assert shared(mapped._replace(ts=mapped.ts.copy())) is None
    assert shared(every(2, mapped)) is None
    assert shared(every(-1, mapped)) is None
    raw = np.frombuffer(bytes(80), np.int64)
    assert shared(Bars(raw, *(raw.astype(float) for _ in range(5)))) is None


def test_a_place_whose_file_is_gone_or_another_holds_nothing(cache: ColumnCache) -> None:
    cache.save(SERIES, REVISION, ramp(50))
    mapped = cache.load(SERIES, REVISION)
    assert mapped is not None
    place = shared(mapped)
    assert place is not None
    file = the_file(cache)
    cache.save(SERIES, "2-2", ramp(60))
    assert place.load() is None
    the_file(cache).replace(file)
    assert place.load() is None
    assert same_bars(mapped, ramp(50))
