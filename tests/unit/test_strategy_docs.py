"""docs/strategies.md says what the strategies' files say, and has a picture of each."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from core.cli import docs_command
from core.domain import Bars
from core.reports import strategy_docs
from core.reports.svg import busiest, trades_svg
from core.results.runs import TradeRecord
from scripts import make_docs
from strategies.registry import REGISTRY
from tests.markets import HOUR, make_bars, random_bars

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_committed_text_is_what_make_docs_writes() -> None:
    assert (DOCS / "strategies.md").read_text(encoding="utf-8") == strategy_docs.document(
        docs_command.shipped_runs()
    ), "run make docs"


@pytest.mark.parametrize("module", REGISTRY.values())
def test_every_strategy_has_a_picture_that_a_browser_can_read(module: str) -> None:
    text = (DOCS / "strategies" / f"{module}.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    assert 0 < text.count("<circle") < 60
    assert len(text) < 30_000


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in (DOCS / "strategies").iterdir()} == set(REGISTRY.values())


@pytest.mark.parametrize("name", REGISTRY)
def test_every_part_of_a_docstring_is_found(name: str) -> None:
    parts = strategy_docs.parts_of(name)
    assert set(parts) == {"title", "what", "Entry", "Exit", "Source"}
    assert all(len(part) > 8 for word, part in parts.items() if word != "title")
    assert all("\n" not in part for part in parts.values())


def a_trade(bars: Bars, entry: int, leave: int, pnl: float) -> TradeRecord:
    return TradeRecord(
        "LONG" if pnl > 0 else "SHORT",
        1.0,
        int(bars.ts[entry]),
        int(bars.ts[leave]),
        float(bars.open[entry]),
        float(bars.close[leave]),
        pnl,
        0.0,
        0.0,
        0.0,
        "stop <&>",
    )


def test_a_trade_is_drawn_where_it_was() -> None:
    bars = make_bars(*[(100.0, 110.0, 90.0, 105.0)] * 10)
    text = trades_svg(bars, [a_trade(bars, 2, 7, 5.0), a_trade(bars, 1, 4, -5.0)], "A <title>")
    root = ET.fromstring(text)
    circles = [node for node in root.iter() if node.tag.endswith("circle")]
    assert len(circles) == 2
    # Ten bars between 64 and 748: the middle of the eighth, and 105 at a quarter of the height.
    assert (circles[0].get("cx"), circles[0].get("cy")) == ("577.0", "74.5")
    assert "A &lt;title&gt;" in text
    assert text == trades_svg(bars, [a_trade(bars, 2, 7, 5.0), a_trade(bars, 1, 4, -5.0)], "A <title>")


def test_a_trade_that_is_not_wholly_there_is_left_out() -> None:
    bars = random_bars(1, 100)
    assert "<circle" not in trades_svg(bars.since(10), [a_trade(bars, 5, 20, 1.0)], "t")


def test_bars_that_stand_still_are_a_line() -> None:
    bars = make_bars(*[(100.0, 100.0, 100.0, 100.0)] * 5)
    assert "nan" not in trades_svg(bars, [], "t")


def test_the_stretch_with_most_trades_is_shown() -> None:
    bars = random_bars(1, 400)
    trades = [a_trade(bars, i, i + 3, 1.0) for i in range(200, 250, 10)]
    shown = busiest(bars, trades, 60, 7)
    assert shown.ts.size == 60
    assert shown.ts[0] < bars.ts[200]
    assert shown.ts[-1] > bars.ts[243]
    assert busiest(bars.until(20), [], 60, 7).ts.size == bars.until(20).ts.size
    assert np.all(np.diff(shown.ts) >= HOUR)


def test_the_text_alone_can_be_written(tmp_path: Path) -> None:
    assert make_docs.main(["--no-charts", "--folder", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["strategies.md"]


def test_text_and_charts_go_to_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_command, "REGISTRY", {"PAIRS": "pairs"})
    monkeypatch.setattr(strategy_docs, "BARS", 600)
    assert make_docs.main(["--folder", str(tmp_path)]) == 0
    assert "## PAIRS" in (tmp_path / "strategies.md").read_text()
    assert "<svg" in (tmp_path / "strategies" / "pairs.svg").read_text()


@pytest.mark.unmeasured
def test_a_chart_is_made_of_the_demo_s_candles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strategy_docs, "BARS", 400)
    [text] = [strategy_docs.chart(run) for run in docs_command.shipped_runs() if run.strategy == "TREND_EMA"]
    assert "TREND_EMA on binanceus-synthetic BTC/USDT 4h" in text
    assert "bound by: risk" in text or "bound by: exposure" in text
    assert "2025-12-31" in text or "2025-1" in text
