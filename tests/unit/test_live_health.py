"""What is wrong with an account by what its loop said: each reason, each note, and the same as metrics."""

from __future__ import annotations

import math
import re

import pytest

from core.live.health import STALLED, Health, health_of
from core.live.metrics import Looked, metrics_text
from core.live.status import AccountStatus, FeedStatus, Standing
from tests.prometheus import families
from tests.status_help import CALM, DESK, NOON, STATUS

HOUR, MINUTE = 3_600_000, 60_000
FRESH = FeedStatus("binanceus BTC/USDT 1h", NOON - HOUR, 0, stale=False)
FULL = STATUS._replace(positions=STATUS.positions[:1], feeds=STATUS.feeds[:1])
"""A strategy holds a symbol once."""
WELL = CALM._replace(feeds=(FRESH,), desk=DESK._replace(disagreements=(), standing=()))


def standing(*kept: Standing) -> AccountStatus:
    return WELL._replace(desk=DESK._replace(disagreements=(), standing=kept))


def test_an_account_whose_loop_looks_and_trades_is_healthy() -> None:
    assert health_of(WELL, 0) == Health((), ())
    assert health_of(WELL, 0).is_healthy
    assert health_of(CALM, STALLED).is_healthy


def test_a_loop_that_has_not_looked_yet_or_looks_no_more_is_not() -> None:
    assert health_of(None, 0).reasons == ("it has not looked at the market yet",)
    assert health_of(WELL, STALLED + 1000).reasons == ("it has not looked at the market for 61 s",)
    assert health_of(CALM, 300_000).reasons == ("it has not looked at the market for 5 min",)


@pytest.mark.parametrize(
    ("opened_ago", "silent", "late"),
    [(HOUR, 0, ""), (2 * HOUR + 30 * MINUTE, 30_000, ""), (2 * HOUR + 30 * MINUTE, 30_001, "30 min late")],
)
def test_a_candle_may_be_late_for_half_a_bar_and_half_a_minute(
    opened_ago: int, silent: int, late: str
) -> None:
    status = WELL._replace(feeds=(FRESH._replace(last=NOON - opened_ago),))
    wanted = (f"binanceus BTC/USDT 1h: the newest candle is {late}",) if late else ()
    assert health_of(status, silent).reasons == wanted


def test_a_series_without_any_candle_is_a_reason() -> None:
    none = WELL._replace(feeds=(FRESH._replace(last=None, stale=True),))
    assert health_of(none, 0).reasons == ("binanceus BTC/USDT 1h: no candle yet",)


def test_a_halt_exits_that_are_refused_and_books_that_differ_are_reasons() -> None:
    kept = standing(
        Standing("halt", "", "doubled", "--release halt"),
        Standing("exits", "BTC/USDT", "refused 8 times", ""),
    )
    assert health_of(kept, 0).reasons == (
        "halt: doubled (ends by --release halt)",
        "exits BTC/USDT: refused 8 times",
    )
    differ = WELL._replace(desk=DESK._replace(disagreements=("BTC +1",), standing=()))
    assert health_of(differ, 0).reasons == ("books and exchange differ: BTC +1",)


def test_what_a_loop_does_on_purpose_is_a_note() -> None:
    status = standing(Standing("hold", "BTC/USDT", "others sold", "--accept BTC/USDT"))._replace(
        paused="by me", equity=None, breakers={"drawdown": "25 % lost"}, quarantined={"MR_BB": "ValueError"}
    )
    assert health_of(status, 0) == Health(
        (),
        (
            "equity is not known: a price of what is held is missing",
            "entries are paused: by me",
            "breaker drawdown is tripped: 25 % lost",
            "MR_BB failed and enters nothing: ValueError",
            "hold BTC/USDT: others sold (ends by --accept BTC/USDT)",
        ),
    )


def looked(status: AccountStatus | None, silent_ms: int = 1_500) -> Looked:
    return Looked('my "own"\\', "paper", status, silent_ms, 12)


def value(text: str, name: str, **labels: str) -> float:
    found = families(text)[f"hot_crypto_{name}"].samples
    return found[tuple(sorted({"account": 'my "own"\\', **labels}.items()))]


def test_metrics_say_what_the_status_says() -> None:
    text = metrics_text(looked(FULL))
    assert value(text, "equity", currency="") == 10_012.5
    assert value(text, "cash", currency="") == 9_000.25
    assert value(text, "look_age_seconds") == 1.5
    assert value(text, "looks_total") == 12
    assert value(text, "healthy") == 0
    assert value(text, "info", mode="paper") == 1
    assert value(text, "breaker_tripped", breaker="daily_loss") == 1
    assert value(text, "breaker_tripped", breaker="drawdown") == 0
    assert value(text, "entries_cut_total", strategy="A", limit="exposure") == 1_200
    assert value(text, "limit_used_ratio", limit="max_positions") == 0.2
    assert value(text, "orders_kept_back", kind="halt") == 1
    assert value(text, "orders_kept_back", kind="exits") == 0
    assert value(text, "books_agree") == 0
    assert value(text, "journal_entries_total") == 7
    assert value(text, "status_timestamp_seconds") == NOON / 1000
    assert metrics_text(looked(WELL)).count("hot_crypto_healthy{") == 1


def test_a_short_position_has_a_negative_amount_and_a_late_candle_its_lag() -> None:
    short = STATUS.positions[0]._replace(side="short")
    feed = FRESH._replace(last=NOON - 3 * HOUR)
    text = metrics_text(looked(STATUS._replace(positions=(short,), feeds=(feed,))))
    assert value(text, "position_amount", strategy="TREND_EMA", symbol="BTC/USDT") == -0.5
    assert value(text, "position_open_profit", strategy="TREND_EMA", symbol="BTC/USDT") == 12.5
    assert value(text, "feed_lag_seconds", series="binanceus BTC/USDT 1h") == 3601.5


@pytest.mark.parametrize("status", [FULL, WELL, CALM, None])
def test_metrics_keep_to_the_format_and_its_conventions(status: AccountStatus | None) -> None:
    found = families(metrics_text(looked(status)))
    assert len(found) > 3
    for name, family in found.items():
        assert re.fullmatch(r"hot_crypto_[a-z_]+[a-z]", name)
        assert family.help.endswith(".")
        # A counter ends in _total, as nothing else does.
        assert (family.kind == "counter") == name.endswith("_total")
        assert all(dict(labels)["account"] for labels in family.samples)
    if status is None:
        assert "hot_crypto_equity" not in found


def test_what_has_no_number_is_written_as_the_format_has_it() -> None:
    full = STATUS.uses[1]._replace(most=0.0)
    text = metrics_text(looked(WELL._replace(uses=(full,), equity=math.inf)))
    assert math.isnan(value(text, "limit_used_ratio", limit="max_positions"))
    assert 'hot_crypto_equity{account="my \\"own\\"\\\\",currency=""} +Inf' in text


@pytest.mark.parametrize(
    "text",
    [
        "a 1",
        "# TYPE a gauge\nb 1\n",
        "# TYPE a gauge\na{x=1} 1\n",
        "# TYPE a gauge\na 1\na 1\n",
        '# TYPE a gauge\na{b="\\x"} 1\n',
        "# TYPE a thing\n",
        "# TYPE a gauge\n# TYPE b gauge\na 1\n",
        "# TYPE a gauge\na one\n",
    ],
)
def test_the_reader_of_the_format_takes_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        families(text)
