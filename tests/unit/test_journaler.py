"""A day in words: from the facts alone, and a model's words only where every figure of theirs is a fact."""

from __future__ import annotations

from typing import Any

import pytest

from llm.journaler import (
    BEGUN,
    MOST_WORDS,
    NOTHING_SAID,
    PROMPT,
    Day,
    FactsJournaler,
    StrategyDay,
    day_of,
    foreign_figures,
)

DAY = Day(
    start=1_771_459_200_000,
    equity_open=12_322.82,
    equity_close=12_450.32,
    strategies=(
        StrategyDay("MR_BB", 2, -4.5, 1.0, wins=0, losses=2),
        StrategyDay("GRID_LR", 14, 95.2, 5.0, wins=13, losses=1),
        StrategyDay("IDLE", 0, 0.0, 0.4),
    ),
    refused=1_200,
    currency="USDT",
    first="2026-02-19",
    last="2026-02-19",
    drawdown=0.008,
    fees=(("USDT", "6.4"), ("BNB", "0.01")),
)
FACTS = (
    "On 2026-02-19 the account paper went from 12,322.82 to 12,450.32 USDT (+127.50, +1.03 %); its deepest "
    "fall was 0.80 %.\n"
    "GRID_LR closed 14 trades, 13 won and 1 lost, and made +95.20 USDT after fees.\n"
    "MR_BB closed 2 trades, 0 won and 2 lost, and made -4.50 USDT after fees.\n"
    "Fees were 6.40 USDT, 0.010000 BNB.\n"
    "1,200 decisions were refused."
)


def test_without_a_model_the_facts_are_put_into_sentences() -> None:
    assert FactsJournaler().summarise(DAY) == FACTS


def test_what_is_not_there_is_not_told() -> None:
    calm = Day(0, 1.0, 1.0, (), currency="BTC", first="1970-01-01", last="1970-01-03", account="other")
    assert FactsJournaler().summarise(calm) == (
        "From 1970-01-01 to 1970-01-03 the account other went from 1.000000 to 1.000000 BTC "
        "(+0.000000, +0.00 %); its deepest fall was 0.00 %.\nNo trade was closed."
    )
    unknown = Day(0, 0.0, 0.0, (), first="1970-01-01", last="1970-01-01", is_known=False)
    assert FactsJournaler().summarise(unknown).endswith("there is nothing to tell.")


def test_a_models_words_come_after_the_facts_and_are_marked() -> None:
    asked: list[str] = []

    def model(prompt: str) -> str:
        asked.append(prompt)
        return "  A good day: GRID_LR made 95.2 and equity rose by 1.03 %, to 12450.32.\x1b[31m\n"

    told = FactsJournaler(model).summarise(DAY)
    words = "A good day: GRID_LR made 95.2 and equity rose by 1.03 %, to 12450.32.[31m"
    # What is left of the mark for a colour has a figure of its own.
    assert told.startswith(f"{FACTS}\n(a model's words were left out")
    assert asked == [PROMPT + FACTS]
    clean = FactsJournaler(lambda _: words.removesuffix("[31m")).summarise(DAY)
    assert clean == f"{FACTS}\n{BEGUN}\n{words.removesuffix('[31m')}"


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        ("It made 96.20.", "96.20."),
        ("Up 127.5 of 13,000", "13,000"),
        ("7 trades", "7"),
        ("a loss of 0.81 %", "0.81"),
    ],
)
def test_words_with_a_figure_that_is_no_fact_are_left_out_as_a_whole(said: str, figure: str) -> None:
    told = FactsJournaler(lambda _: f"All fine. {said}").summarise(DAY)
    why = f"(a model's words were left out: they had figures that the facts have not, such as {figure})"
    assert told == f"{FACTS}\n{why}"


def test_a_figure_is_the_same_however_it_is_written() -> None:
    assert foreign_figures("12450.32, 12,450.320 and 6.4; 1200.", FACTS) == []


def test_a_model_that_says_nothing_or_too_much() -> None:
    assert FactsJournaler(lambda _: " \n\x00 ").summarise(DAY) == f"{FACTS}\n{NOTHING_SAID}"
    told = FactsJournaler(lambda _: "word " * 5_000).summarise(DAY)
    assert len(told) <= len(FACTS) + len(BEGUN) + 2 + MOST_WORDS


def test_a_reports_document_is_read_as_a_day() -> None:
    document: dict[str, Any] = {
        "first": "2026-02-19",
        "last": "2026-02-19",
        "equity_open": 100.0,
        "equity_close": None,
        "strategies": [
            {"strategy": "A", "trades": 1, "net": "1.25", "fees": "0.1", "wins": 1, "losses": 0, "fills": 2}
        ],
        "refused": 3,
        "account": "paper",
        "currency": "USDT",
        "max_drawdown_pct": 0.8,
        "fees": {"USDT": "0.1"},
    }
    day = day_of(document)
    assert (day.start, day.is_known, day.drawdown, day.fees) == (DAY.start, False, 0.008, (("USDT", "0.1"),))
    assert day.strategies == (StrategyDay("A", 1, 1.25, 0.1, wins=1, losses=0),)
    assert day_of(document | {"equity_close": 101.0, "max_drawdown_pct": None}).is_known
