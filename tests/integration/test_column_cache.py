"""Processes that read, write and delete at once never see a mixture, an old state or an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.stored import bars_at, make_database, url_of
from tests.tiers import programs

ROOT = Path(__file__).resolve().parents[2]

READER = """
import sys
from pathlib import Path
from core import sql_data_source
from core.sql_data_source import SQLDataSource
from db.candles import read_bars
from tests.stored import SERIES
sql_data_source.CACHED_FROM = 1
url, last, seen, deleted = sys.argv[1], float(sys.argv[2]), 0.0, Path(sys.argv[3])
source = SQLDataSource(url)
while seen < last:
    before = read_bars(source.engine, SERIES).volume[0]
    volume = source.get_bars(SERIES.symbol, SERIES.timeframe).volume
    after = read_bars(source.engine, SERIES).volume[0]
    assert (volume == volume[0]).all(), "a mixture"
    assert before <= volume[0] <= after, "an old state"
    seen = float(volume[0])
    for path in deleted.glob("*"):
        path.unlink(missing_ok=True)
print("saw", seen)
"""

WRITER = """
import sys
from db.base import open_engine
from db.candles import upsert_bars
from tests.stored import SERIES, bars_at
engine = open_engine(sys.argv[1])
for volume in range(2, int(sys.argv[2]) + 1):
    upsert_bars(engine, SERIES, bars_at(*range(300), volume=float(volume)))
"""


def start(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@programs
def test_readers_beside_a_writer_see_each_state_whole_and_in_order(tmp_path: Path) -> None:
    url, last = url_of(make_database(tmp_path, bars_at(*range(300), volume=1.0))), 40
    nowhere = tmp_path / "nowhere"
    processes = [
        start(READER, url, last, nowhere),
        start(READER, url, last, tmp_path / "cache"),  # this one deletes the cache all the time
        start(WRITER, url, last),
    ]
    results = [process.communicate(timeout=60) for process in processes]
    assert results == [("saw 40.0\n", ""), ("saw 40.0\n", ""), ("", "")]
