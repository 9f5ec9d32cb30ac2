"""explain.py as a user calls it: finer candles, another run, an account."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.backtest.fast_backtester import run_fast
from core.backtest_persistence import load_run, save_result
from core.domain import Bars, Costs, Series
from core.errors import NoDataError, RefusedError, UsageError
from core.figures import how_many
from core.proof.rerun import first_entry
from core.results.runs import RunSpec, TradeRecord
from core.sql_data_source import SQLDataSource
from db.base import open_engine
from db.candles import upsert_bars
from scripts.explain import main
from strategies.registry import load_strategy
from tests.markets import HOUR, START
from tests.stored import MINUTE, make_database, run_sql, url_of
from tests.traded import trade

LATE = START + 10_000 * HOUR
BTC = Series("x", "BTC/USDT", "1h")
PARAMS = {
    "ema_fast": 5,
    "ema_slow": 12,
    "atr_period": 7,
    "atr_stop_mult": 0.4,
    "rr_ratio": 1.0,
    "risk_per_trade": 0.01,
}
COSTS = Costs(0.001, 0.0)


def minute_bars(hours: int = 300) -> Bars:
    """Return minutes of a price that wanders upwards."""
    random = np.random.default_rng(3)
    steps = random.normal(0.00003, 0.0009, hours * 60)
    close = 100 * np.exp(np.cumsum(steps))
    opens = np.concatenate([[100.0], close[:-1]])
    reach = 1 + np.abs(random.normal(0, 0.0003, (2, close.size)))
    ts = START + MINUTE * np.arange(close.size)
    return Bars(
        ts,
        opens,
        np.maximum(opens, close) * reach[0],
        np.minimum(opens, close) / reach[1],
        close,
        np.ones(close.size),
    )


MINUTES = minute_bars()


def hours_of(fine: Bars) -> Bars:
    """Return the hours that these minutes make."""
    highs, lows = fine.high.reshape(-1, 60).max(axis=1), fine.low.reshape(-1, 60).min(axis=1)
    return Bars(fine.ts[::60], fine.open[::60], highs, lows, fine.close[59::60], np.ones(highs.size))


HOURS = hours_of(MINUTES)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a database with a run, its hours, and all but the last 50 hours' minutes."""
    path = make_database(tmp_path)
    engine = open_engine(url_of(path))
    upsert_bars(engine, BTC, HOURS, clock=lambda: LATE)
    upsert_bars(engine, BTC._replace(timeframe="1m"), MINUTES.until(250 * 60), clock=lambda: LATE)
    engine.dispose()
    save(path)
    return path


def save(path: Path, costs: Costs = COSTS, **params: float) -> int:
    spec = RunSpec(BTC, "TREND_EMA", {**PARAMS, **params}, costs, 10_000.0)
    return save_result(run_fast(HOURS, spec), url_of(path))


def truly(record: TradeRecord, stop: float, take: float) -> str:
    """Return how a long trade ended, minute by minute, or `?`."""
    for i in np.flatnonzero((MINUTES.ts >= record.exit_ts) & (MINUTES.ts < record.exit_ts + HOUR)).tolist():
        if MINUTES.low[i] <= stop and MINUTES.high[i] >= take:
            return "?"
        if MINUTES.low[i] <= stop:
            return "stop"
        if MINUTES.high[i] >= take:
            return "take"
    return "?"


@pytest.mark.unmeasured
def test_every_trade_gets_what_the_minutes_say(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "why.json"
    assert main(["1", "--db-url", url_of(database), "--json", str(file)]) == 0
    shown, document = capsys.readouterr().out, json.loads(file.read_text())
    records = load_run(1, url_of(database)).trades
    assert len(document["trades"]) == len(records) > 30
    end = MINUTES.ts[250 * 60]
    for record, row in zip(records, document["trades"], strict=True):
        if record.reason not in ("stop", "take"):
            continue
        if record.exit_ts >= end:
            assert row["cause"] == "finer candles are missing"
            assert row["truth"]["note"] == "60 of 60"
        elif (found := truly(record, row["stop"], row["take"])) != "?":
            assert row["truth"]["reason"] == found
    otherwise = [row for row in document["trades"] if row["cause"] == "the take came first"]
    assert otherwise
    assert all(row["truth"]["difference"] > 0 for row in otherwise)
    total = document["total"]
    assert total.startswith(f"of {len(records)} trades ")
    assert total.split(";")[0] in " ".join(shown.split())
    assert f"{len(otherwise):,}  the take came first" in shown
    missing = [row for row in document["trades"] if row["cause"] == "finer candles are missing"]
    said = f"1m candles are missing in bars of {how_many(len(missing), 'trade')} between "
    assert said in " ".join(shown.split())
    # Once in the counts and in no row.
    assert shown.count("finer candles are missing") == 1


def test_only_so_many_rows_are_shown_and_the_rest_counted(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["1", "--db-url", url_of(database), "--trades", "1"]) == 0
    assert "more: --trades" in capsys.readouterr().out
    assert main(["1", "--db-url", url_of(database), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize("detail", ["1h", "4h", "7m"])
def test_a_timeframe_that_does_not_fill_the_bars_is_said(database: Path, detail: str) -> None:
    with pytest.raises(UsageError, match=r"such as 1m|unknown timeframe"):
        main(["1", "--db-url", url_of(database), "--detail", detail])


@pytest.mark.unmeasured
def test_finer_candles_that_were_never_stored_are_said(database: Path) -> None:
    with pytest.raises(NoDataError, match="no stored candles of x BTC/USDT 5m"):
        main(["1", "--db-url", url_of(database), "--detail", "5m"])


def test_a_run_that_comes_out_otherwise_now_is_not_explained(database: Path) -> None:
    run_sql(database, "update backtest_trades set size = size + 1 where id = 3")
    with pytest.raises(RefusedError, match="comes out otherwise now"):
        main(["1", "--db-url", url_of(database)])


@pytest.mark.unmeasured
def test_a_run_that_is_not_there_is_said(database: Path) -> None:
    with pytest.raises(NoDataError, match="there is no run 9"):
        main(["9", "--db-url", url_of(database)])


def test_a_run_beside_itself_is_equal_and_beside_another_is_not(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["1", "--against", "1", "--db-url", url_of(database)]) == 0
    count = len(load_run(1, url_of(database)).trades)
    assert f"{count} of {count} trades are equal; run 1 made 0.00 USDT more" in capsys.readouterr().out
    save(database, Costs(0.002, 0.0))
    file = tmp_path / "pairs.json"
    assert main(["1", "--against", "2", "--db-url", url_of(database), "--json", str(file)]) == 0
    assert "another size" in capsys.readouterr().out
    document = json.loads(file.read_text())
    assert document["other"] == "run 2"
    made = sum(trade.pnl for trade in load_run(2, url_of(database)).trades)
    before = sum(trade.pnl for trade in load_run(1, url_of(database)).trades)
    assert sum(pair["difference"] for pair in document["pairs"]) == pytest.approx(made - before)
    assert main(["1", "--against", "2", "--db-url", url_of(database), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["one"] == "run 1"


def test_runs_of_two_symbols_are_not_compared(database: Path) -> None:
    save(database)
    run_sql(database, "update backtest_runs set symbol = 'ETH/USDT' where id = 2")
    with pytest.raises(UsageError, match="wanted two runs of one symbol"):
        main(["1", "--against", "2", "--db-url", url_of(database)])


def test_a_run_knows_when_it_could_enter_first(database: Path) -> None:
    stored = load_run(1, url_of(database))
    assert stored.data is not None
    rule = load_strategy(stored.strategy).rule
    source = SQLDataSource(url_of(database), stored.series.exchange)
    bars = source.get_bars(stored.series.symbol, "1h", start=stored.data.start, end=stored.data.end + 1)
    columns = rule.columns(bars, rule.make_params(stored.spec.params if stored.spec else {}))
    warm = max(int(np.flatnonzero(~np.isnan(column))[0]) for column in columns)
    assert warm > 5
    # The row before a decision's is warm too, and it fills at the open after it.
    assert first_entry(stored, url_of(database)) == bars.ts[warm + 2]
    assert min(trade.entry_ts for trade in stored.trades) >= bars.ts[warm + 2]


def as_scripted(database: Path) -> None:
    """Let the run's trades be the account's, but for the last one, at another price for the second."""
    run_sql(
        database,
        "update backtest_runs set strategy_name = 'SCRIPTED' where id = 1",
        "delete from backtest_trades where id > 4",
        *(
            f"update backtest_trades set side = 'LONG', entry_ts = {START + HOUR * entry}, "
            f"exit_ts = {START + HOUR * stop}, entry_price = {price}, exit_price = 100 where id = {number}"
            for number, entry, stop, price in (
                (1, 4, 7, 100),
                (2, 9, 12, 99),
                (3, 15, 17, 102),
                (4, 1, 2, 100),
            )
        ),
    )


def test_a_run_beside_an_account_names_why_each_trade_differs(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trade(database)
    as_scripted(database)
    assert main(["1", "--against", "paper", "--db-url", url_of(database)]) == 0
    shown = capsys.readouterr().out
    for cause in (
        "another size",
        "entered at another price",
        "still open there",
    ):
        assert f"1  {cause}" in shown
    # What the run traded before there was an account is no difference between the two.
    assert "0 of 3 trades are equal; account paper made" in shown
    assert "not compared: 1 trade of run 1, " in shown
    assert "from a time that account paper is not of" in " ".join(shown.split())
    assert "before account paper began" not in shown


@pytest.mark.unmeasured
def test_an_account_that_never_traded_that_is_said(database: Path) -> None:
    trade(database)
    with pytest.raises(NoDataError, match="account paper never traded TREND_EMA on BTC/USDT"):
        main(["1", "--against", "paper", "--db-url", url_of(database)])
    with pytest.raises(UsageError, match="unknown account 'other': known: paper"):
        main(["1", "--against", "other", "--db-url", url_of(database)])


def test_an_account_on_another_timeframe_than_the_run_is_one_line(database: Path) -> None:
    trade(database)
    as_scripted(database)
    run_sql(database, "update backtest_runs set timeframe = '4h' where id = 1")
    said = (
        "--against paper: it trades SCRIPTED on BTC/USDT 1h, and run 1 is of 4h: "
        "name a run on the account's timeframe"
    )
    with pytest.raises(UsageError, match=said):
        main(["1", "--against", "paper", "--db-url", url_of(database)])


def test_detail_and_against_are_not_for_one_call(database: Path) -> None:
    with pytest.raises(SystemExit):
        main(["1", "--against", "2", "--detail", "1m"])
