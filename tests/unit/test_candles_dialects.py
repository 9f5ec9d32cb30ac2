"""Every kind of file that people have is read as it is: three rows of each give the same three bars."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.feather as pf
import pytest

from core.candles.columns import Options
from core.candles.dialects import DIALECTS, HEADLESS
from core.candles.files import CandleFile, read_candle_file
from core.candles.text import zone_named
from core.domain import Bars
from core.errors import NoDataError, UsageError
from tests.stored import same_bars

BTC_USD = Options("BTC/USD")
DAY = 86_400_000
FIRST = 1_571_184_000_000
"""2019-10-16 00:00 UTC."""
NOW = FIRST + 1000 * DAY
DAYS = Bars(
    FIRST + DAY * np.arange(3),
    np.array([8162.44, 7993.54, 8034.32]),
    np.array([8171.59, 8070.0, 8120.0]),
    np.array([7908.86, 7937.01, 7935.0]),
    np.array([7993.54, 8034.32, 7937.5]),
    np.array([8123.72, 1570.08, 4000.0]),
)
HOUR = 3_600_000


class Case(NamedTuple):
    name: str
    """How the file ends."""
    text: str
    said: str
    """Part of a note; empty when nothing needs to be said of the kind."""
    step: int = DAY
    volume: str = "given"
    """given: as in DAYS; converted: from the currency that prices are in."""
    options: Options = Options("BTC/USD")


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def table(form: str, step: int = DAY, *, newest_first: bool = False) -> list[str]:
    """Return a row of each bar; `form` may use s, ms, day, hour, pm, o, h, l, c, v and q (turnover)."""
    rows = []
    for n, (o, h, low, c, v) in enumerate(zip(*(column.tolist() for column in DAYS[1:]), strict=True)):
        ms = FIRST + n * step
        at = np.datetime64(ms, "ms").astype(object)
        day, hour, pm = (at.strftime(f) for f in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %I-%p"))
        q = v * (o + h + low + c) / 4
        named = {"o": o, "h": h, "l": low, "c": c, "v": v, "q": repr(q), "s": ms // 1000, "ms": ms}
        named |= {"day": day, "hour": hour, "pm": pm, "us": at.strftime("%b %d, %Y"), "qt": f"{q:,.6f}"}
        rows.append(form.format(**named))
    return rows[::-1] if newest_first else rows


BANNER = "https://www.CryptoDataDownload.com"
CSV = {
    "kraken": Case(".csv", lines(*table("{s},{o},{h},{l},{c},{v},25")), "taken for Kraken's OHLCVT"),
    "binance": Case(
        ".csv", lines(*table("{ms},{o},{h},{l},{c},{v},1,{q},3,0.5,0.7,0")), "taken for Binance's"
    ),
    "cdd banner, unix, newest first": Case(
        ".csv",
        lines(
            BANNER,
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD",
            *table("{s},{hour},BTC/USD,{o},{h},{l},{c},{v},{q}", newest_first=True),
        ),
        "volume is taken from 'Volume BTC'",
    ),
    "cdd with the quote first": Case(
        ".csv",
        lines(
            BANNER,
            "unix,date,symbol,open,high,low,close,Volume USD,Volume BTC",
            *table("{s},{hour},BTC/USD,{o},{h},{l},{c},{q},{v}"),
        ),
        "volume is taken from 'Volume BTC'",
    ),
    "cdd of the hours of 2019": Case(
        ".csv",
        lines(
            BANNER,
            "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD",
            *table("{pm},BTCUSD,{o},{h},{l},{c},{v},{q}", HOUR),
        ),
        "times that name no zone are taken as UTC",
        HOUR,
    ),
    "cdd of coinbase with a banner": Case(
        ".csv",
        lines(
            f"Created on 10-17-2019,{BANNER}",
            "date,symbol,open,high,low,close,volume_btc,volume",
            *table("{day},BTCUSD,{o},{h},{l},{c},{v},{q}"),
        ),
        "volume is taken from 'volume_btc'",
    ),
    "cdd of coinbase without": Case(
        ".csv",
        lines(
            "date,symbol,open,high,low,close,volume_btc,volume",
            *table("{day},BTCUSD,{o},{h},{l},{c},{v},{q}"),
        ),
        "read as CryptoDataDownload's",
    ),
    "cdd of gemini": Case(
        ".csv",
        lines(
            BANNER,
            "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume",
            *table("{ms},{hour},BTCUSD,{o},{h},{l},{c},{v}"),
        ),
        "read as CryptoDataDownload's",
    ),
    "cdd of binance, seconds and ms": Case(
        ".csv",
        lines(
            BANNER,
            "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount",
            *table("{ms},{hour},BTC/USDT,{o},{h},{l},{c},{v},{q},7")[:2],
            table("{s},{hour},BTC/USDT,{o},{h},{l},{c},{v},{q},7")[2],
        ),
        "read as CryptoDataDownload's",
        options=Options("BTC/USDT"),
    ),
    "dollar volume alone": Case(
        ".csv",
        lines(
            "date,symbol,open,high,low,close,Volume USD",
            *table("{day},BTCUSD,{o},{h},{l},{c},{q}"),
        ),
        "volume is in USD: divided by each bar's mean price",
        volume="converted",
    ),
    "kaggle's bitstamp": Case(
        ".csv",
        lines(
            "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price",
            *table("{s},{o},{h},{l},{c},{v},{q},{c}"),
            *(f"{FIRST // 1000 + n * 86400},NaN,NaN,NaN,NaN,NaN,NaN,NaN" for n in (3, 4)),
        ),
        "2 rows without numbers were left out: nothing was traded in them",
    ),
    "kaggle's newer bitstamp": Case(
        ".csv", lines("Timestamp,Open,High,Low,Close,Volume", *table("{s}.0,{o},{h},{l},{c},{v}")), "seconds"
    ),
    "tradingview": Case(
        ".csv",
        lines("time,open,high,low,close,Volume,Volume MA", *table("{s},{o},{h},{l},{c},{v},5")),
        "times are read as seconds",
    ),
    "tradingview in iso with a zone": Case(
        ".csv",
        lines("time,open,high,low,close,Volume", *table("{day}T02:00:00+02:00,{o},{h},{l},{c},{v}")),
        "times are read as text",
    ),
    "coinmarketcap": Case(
        ".csv",
        lines(
            '"timeOpen";"timeClose";"timeHigh";"timeLow";"name";"open";"high";"low";"close";"volume";'
            '"marketCap";"timestamp"',
            *table(
                '"{day}T00:00:00.000Z";"{day}T23:59:59.999Z";"{day}T07:00:00.000Z";"{day}T09:00:00.000Z";'
                '"2781";{o};{h};{l};{c};{q};144000000000;"{day}T23:59:59.999Z"',
                newest_first=True,
            ),
        ),
        "volume is in USD: divided by each bar's mean price",
        volume="converted",
    ),
    "coinmarketcap of kaggle": Case(
        ".csv",
        lines(
            "Date,Open,High,Low,Close,Volume,Market Cap",
            *table('"{us}",{o},{h},{l},{c},"{qt}","144,000,000,000"', newest_first=True),
        ),
        "read as CoinMarketCap's",
        volume="converted",
    ),
    "coinmarketcap by closes": Case(
        ".csv",
        lines(
            "SNo,Name,Symbol,Date,High,Low,Open,Close,Volume,Marketcap",
            *table("1,Bitcoin,BTC,{day} 23:59:59,{h},{l},{o},{c},{q},144000000000.0"),
        ),
        "times are a bar's last moment",
        volume="converted",
    ),
    "yahoo": Case(
        ".csv",
        lines(
            "Date,Open,High,Low,Close,Adj Close,Volume",
            *table("{day},{o},{h},{l},{c},{c},{q}"),
            "2019-10-19,null,null,null,null,null,null",
        ),
        "read as Yahoo Finance's",
        volume="converted",
    ),
    "yahoo by the hour": Case(
        ".csv",
        lines(
            "Datetime,Open,High,Low,Close,Adj Close,Volume",
            *table("{hour}+00:00,{o},{h},{l},{c},{c},{q}", HOUR),
        ),
        "read as Yahoo Finance's",
        HOUR,
        volume="converted",
    ),
    "yfinance": Case(
        ".csv",
        lines(
            "Price,Close,High,Low,Open,Volume",
            "Ticker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD",
            "Date,,,,,",
            *table("{day},{c},{h},{l},{o},{q}"),
        ),
        "read as Yahoo Finance (yfinance)'s",
        volume="converted",
    ),
    "times with UTC": Case(
        ".csv", lines("date,open,high,low,close,volume", *table("{hour} UTC,{o},{h},{l},{c},{v}")), "text"
    ),
    "local times of a zone": Case(
        ".csv",
        lines("date,open,high,low,close,volume", *table("{day} 02:00:00,{o},{h},{l},{c},{v}")),
        "times that name no zone are taken as Europe/Berlin",
        options=Options("BTC/USD", zone_named("Europe/Berlin")),
    ),
    "freqtrade's json": Case(
        ".json", f"[{','.join(table('[{ms},{o},{h},{l},{c},{v}]'))}]", "taken for freqtrade's"
    ),
    "coinbase's json": Case(
        ".json",
        f"[{','.join(table('[{s},{l},{h},{o},{c},{v}]', newest_first=True))}]",
        "taken for Coinbase's",
    ),
    "coinbase's json of objects": Case(
        ".json",
        '{"candles":['
        + ",".join(
            table('{{"start":"{s}","low":"{l}","high":"{h}","open":"{o}","close":"{c}","volume":"{v}"}}')
        )
        + "]}",
        "times are read as seconds",
    ),
    "kraken's json": Case(
        ".json",
        '{"error":[],"result":{"XXBTZUSD":['
        + ",".join(table('[{s},"{o}","{h}","{l}","{c}","8000.1","{v}",25]'))
        + '],"last":1571356800}}',
        "taken for Kraken's API",
    ),
    "binance's json": Case(
        ".json",
        "[" + ",".join(table('[{ms},"{o}","{h}","{l}","{c}","{v}",1,"{q}",3,"1","2","0"]')) + "]",
        "taken for Binance's",
    ),
}


def read(path: Path, case: Case) -> CandleFile:
    timeframe = {DAY: "1d", HOUR: "1h"}[case.step]
    return read_candle_file(path, timeframe, NOW, options=case.options)


@pytest.mark.parametrize("name", CSV)
def test_a_file_is_read_as_it_is_and_said_how(tmp_path: Path, name: str) -> None:
    case = CSV[name]
    path = tmp_path / f"a{case.name}"
    path.write_text(case.text)
    file = read(path, case)
    wanted = DAYS._replace(ts=FIRST + case.step * np.arange(3))
    assert file.refused == ()
    if case.volume == "converted":
        assert np.allclose(file.good.volume, wanted.volume, rtol=1e-9, atol=0)
        file = file._replace(good=file.good._replace(volume=wanted.volume))
    assert same_bars(file.good, wanted)
    assert any(case.said in note for note in file.notes)
    assert file.rows == 3 + file.blanks


def test_every_kind_in_the_tables_has_a_case_here() -> None:
    said = " ".join(case.said for case in CSV.values())
    texts = {case.text for case in CSV.values()}
    assert len(texts) == len(CSV)
    for name in {one.name for one in DIALECTS if one.name} - {"Kaggle's minutes of Bitstamp"}:
        assert f"{name}'s" in said
    for kind in HEADLESS:
        assert f"taken for {kind.name}" in said


def test_freqtrades_feather_is_read(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"date": pa.array(DAYS.ts, pa.timestamp("ms", "UTC"))}
    columns |= dict(zip(("open", "high", "low", "close", "volume"), DAYS[1:], strict=True))
    pf.write_feather(pa.table(columns), tmp_path / "BTC_USD-1d.feather")
    assert same_bars(read(tmp_path / "BTC_USD-1d.feather", CSV["kraken"]).good, DAYS)


HEAD = "date,open,high,low,close,volume\n"


def refused(tmp_path: Path, text: str, options: Options, name: str = "a.csv") -> str:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises((NoDataError, UsageError)) as error:
        read_candle_file(path, "1d", NOW, options=options)
    return str(error.value)


def test_hours_without_a_zone_are_refused_as_a_whole(tmp_path: Path) -> None:
    text = HEAD + lines(*table("{hour},{o},{h},{l},{c},{v}"))
    said = refused(tmp_path, text, Options("BTC/USD"))
    assert "time '2019-10-16 00:00:00' names no time zone: give timezone='UTC'" in said
    path = tmp_path / "a.csv"
    file = read_candle_file(path, "1d", NOW, options=Options("BTC/USD", UTC))
    assert same_bars(file.good, DAYS)
    assert "times that name no zone are taken as UTC" in file.notes


def test_a_volume_too_large_for_any_market_is_refused_unless_the_user_says_what_it_is(tmp_path: Path) -> None:
    # 65 million dollars look like 5e11 a day if they are taken for bitcoins at 8,000.
    text = HEAD + lines(*table("{day},{o},{h},{l},{c},{q}"))
    said = refused(tmp_path, text, Options("BTC/USD"))
    assert "the volume looks like USD, not BTC: times price it is" in said
    assert "volume='quote' converts it, volume='base' does not" in said
    path = tmp_path / "a.csv"
    converted = read_candle_file(path, "1d", NOW, options=Options("BTC/USD", None, "quote"))
    assert np.allclose(converted.good.volume, DAYS.volume, rtol=1e-9)
    taken = read_candle_file(path, "1d", NOW, options=Options("BTC/USD", None, "base"))
    assert taken.good.volume[0] > 6e7


def priced(volumes: list[float]) -> str:
    return HEAD + "".join(
        f"2019-{month:02}-{day:02},8000,8100,7900,8000,{volumes[28 * (month - 1) + day - 1]}\n"
        for month in range(1, 1 + len(volumes) // 28)
        for day in range(1, 29)
    )


def test_a_volume_that_changes_its_unit_within_a_file_is_refused(tmp_path: Path) -> None:
    mixed = priced([1500.0] * 28 + [1500.0 * 8000] * 28)
    said = refused(tmp_path, mixed, Options("BTC/USD", UTC))
    assert "the volume changes by about the price at 2019-02-01 00:00 UTC" in said
    path = tmp_path / "b.csv"
    # One wild bar, and a market that woke up, are no change of unit.
    for usual in (
        [1500.0] * 28 + [9e6] + [1500.0] * 27,
        [10.0] * 28 + [900.0] * 28,
    ):
        path.write_text(priced(usual))
        assert read_candle_file(path, "1d", NOW, options=Options("BTC/USD", UTC)).good.volume.size == 56


def test_a_column_named_for_the_asset_with_the_currencys_volumes_is_refused(tmp_path: Path) -> None:
    text = priced([1500.0 * 8000] * 28).replace("volume", "Volume BTC")
    assert "the volume looks like USD" in refused(tmp_path, text, Options("BTC/USD", UTC))
    said_so = Options("BTC/USD", UTC, "quote")
    assert read_candle_file(tmp_path / "a.csv", "1d", NOW, options=said_so).good.volume[0] == 1500.0


def test_another_markets_file_is_refused_by_its_symbol_or_its_volumes(tmp_path: Path) -> None:
    case = CSV["cdd banner, unix, newest first"]
    assert "has candles of 'BTC/USD': give them their own symbol, not 'ETH/USD'" in refused(
        tmp_path, case.text, Options("ETH/USD")
    )
    coinbase = CSV["cdd of coinbase without"].text
    said = refused(tmp_path, coinbase, Options("ETH/EUR"))
    assert "no volume in ETH: there are volume_btc, volume; is it another market's file?" in said
    (tmp_path / "a.csv").write_text(case.text.replace("BTC/USD", "BITSTAMP:XBTUSD"))
    assert len(read(tmp_path / "a.csv", case._replace(options=Options("BTC/USDT"))).good.ts) == 3


def test_a_file_of_another_dollars_market_says_so(tmp_path: Path) -> None:
    case = CSV["cdd banner, unix, newest first"]
    (tmp_path / "a.csv").write_text(case.text)
    said = "the file says BTC/USD: it is taken for BTC/USDT"
    assert said in read(tmp_path / "a.csv", case._replace(options=Options("BTC/USDT"))).notes
    assert not any("taken for" in note for note in read(tmp_path / "a.csv", case).notes)
    table = pa.table({"time": DAYS.ts, **DAYS._asdict(), "symbol": ["XBTUSD"] * 3}).drop_columns("ts")
    pf.write_feather(table, str(tmp_path / "a.feather"))
    assert said in read_candle_file(tmp_path / "a.feather", "1d", NOW, options=Options("BTC/USDT")).notes
    with pytest.raises(UsageError, match="has candles of 'XBTUSD'"):
        read_candle_file(tmp_path / "a.feather", "1d", NOW, options=Options("ETH/USD"))


def test_one_row_of_another_market_is_enough_to_refuse_a_file(tmp_path: Path) -> None:
    text = CSV["cdd banner, unix, newest first"].text
    head, _, last = text.rstrip("\n").rpartition("\n")
    assert "has candles of 'ETH/USD'" in refused(tmp_path, f"{head}\n{last.replace('BTC', 'ETH')}\n", BTC_USD)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("XBTUSD_1440.csv", "BTC/USD"),
        ("Binance_ETHUSDT_d.csv", "ETH/USDT"),
        ("BTC_USD-1d.csv", "BTC/USD"),
        ("BINANCE_BTCUSDT, 1D.csv", ""),
        ("btcusdt-1d-2019-10.csv", ""),
        ("daily.csv", ""),
    ],
)
def test_a_file_whose_name_speaks_of_another_market_is_noted(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text(priced([1500.0] * 28))
    notes = read_candle_file(tmp_path / name, "1d", NOW, options=Options("BTC/USDT", UTC)).notes
    expected = [f"the file says {said}: it is taken for BTC/USDT"] if said else []
    assert [note for note in notes if "taken for BTC" in note] == expected


def test_a_volume_in_another_dollar_is_noted(tmp_path: Path) -> None:
    text = (
        priced([1500.0] * 28).replace("volume", "Volume BTC,Volume USD").replace(",1500.0\n", ",1500.0,1\n")
    )
    (tmp_path / "a.csv").write_text(text)
    notes = read_candle_file(tmp_path / "a.csv", "1d", NOW, options=Options("BTC/USDT", UTC)).notes
    assert "the file counts in USD: it is taken for BTC/USDT" in notes


def test_the_base_of_one_market_is_the_quote_of_another(tmp_path: Path) -> None:
    text = lines(
        "unix,date,symbol,open,high,low,close,Volume ETH,Volume XRP",
        *(row.replace("BTC/USD", "ETH/XRP") for row in table("{s},{hour},BTC/USD,{o},{h},{l},{c},{v},{q}")),
    )
    (tmp_path / "a.csv").write_text(text)
    file = read_candle_file(tmp_path / "a.csv", "1d", NOW, options=Options("ETH/XRP"))
    assert same_bars(file.good, DAYS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "there is no array of rows in it"),
        ("{}", "there is no array of rows in it"),
        ("[[1,2,3]]", "its rows have 3 numbers: that is no order this program knows"),
        (f"[{table('[{ms},{o},{h},{l},{c},{v}]')[0]},[157", "it ends in the middle of its rows"),
        (f"[{table('[{ms},{o},{h},{l},{c},{v}]')[0]}", "it ends in the middle of its rows"),
        ("[[1,2,x]]", "its rows cannot be read"),
        ("[" * 200_000 + "]]", "its rows cannot be read"),
        ('[{"a":1}]', "no column for a time"),
    ],
)
def test_json_that_is_cut_or_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text, Options("BTC/USD"), "a.json")


def test_json_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.candles.json_rows._PIECE", 7)
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a": [], "rows": [[FIRST, 1, 2, 1, 2, 5], [FIRST + DAY, 1, 2, 1, 2, 5]]}))
    assert read_candle_file(path, "1d", NOW).good.ts.tolist() == [FIRST, FIRST + DAY]


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_one_endless_line_is_refused_before_it_fills_the_memory(tmp_path: Path, name: str) -> None:
    said = refused(tmp_path, "[" * 2_200_000 if name == "a.json" else "1" * 200_000, Options(), name)
    assert "this is no " in said


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.json.gz", "a.zip"])
def test_a_file_of_more_rows_than_any_market_has_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rows = [[FIRST + n * DAY, 1, 2, 1, 2, 5] for n in range(9)]
    text = json.dumps(rows) if "json" in name else HEAD + "".join(f"{str(row)[1:-1]}\n" for row in rows)
    path = tmp_path / name
    if name == "a.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert read_candle_file(path, "1d", NOW).good.ts.size == 9
    monkeypatch.setattr("core.candles.files.MOST_ROWS", 7)
    monkeypatch.setattr("core.candles.files._parts", lambda *_: pytest.fail("it was read"))
    with pytest.raises(
        UsageError, match=r"(9|10) rows are more than the 7 that one file may have .*: split it"
    ):
        read_candle_file(path, "1d", NOW)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,1,1,1,1,1", "time 1"),
        (f"{FIRST},-1,1,1,1,1", "open -1 is not a positive price"),
        (f"{FIRST},1,1,1,1,{{n}}", "is given more than once with different values"),
    ],
)
def test_a_file_of_rows_that_are_no_candles_is_refused_before_each_gets_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, said: str
) -> None:
    monkeypatch.setattr("core.candles.checks.MOST_REFUSED", 4)
    text = HEAD + "".join(row.format(n=n) + "\n" for n in range(5))
    line = refused(tmp_path, text, Options())
    assert "5 rows cannot be candles (" in line
    assert said in line
    assert line.endswith("is it another file?")


def test_rows_without_end_that_cannot_be_read_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.candles.files._MANY", 3)
    said = refused(tmp_path, HEAD + "x,1,1,1,1,1\n" * 9, Options())
    assert "9 rows cannot be read (from line 2 on: time 'x' is not a time" in said


def test_decimal_commas_are_named_and_never_taken_for_thousands(tmp_path: Path) -> None:
    semicolons = tmp_path / "semicolons.csv"
    rows = [f"{FIRST + n * DAY};1,5;2,5;1,25;2,0;3,0" for n in range(3)]
    semicolons.write_text(lines("time;open;high;low;close;volume", *rows))
    refused = read_candle_file(semicolons, "1d", NOW, options=BTC_USD).refused
    assert [one.line for one in refused] == [2, 3, 4]
    assert all("with a decimal comma: write " in one.reason for one in refused)
    commas = tmp_path / "commas.csv"
    commas.write_text(lines("time,open,high,low,close,volume", *(row.replace(";", ",") for row in rows)))
    refused = read_candle_file(commas, "1d", NOW, options=BTC_USD).refused
    assert {one.reason for one in refused} == {
        "has 11 fields instead of 6: are there decimal commas? write 1.5, not 1,5"
    }
    coins = tmp_path / "coins.csv"
    coins.write_text(
        lines(
            "Date,Open*,High,Low,Close**,Volume,Market Cap",
            '"Oct 16, 2019","8,162.44","8,171.59","7,908.86","7,993.54","8,123,720","1,000,000"',
            '"Oct 17, 2019","1,5","8,070.00","7,937.01","8,034.32","8,123,720","1,000,000"',
        )
    )
    read = read_candle_file(coins, "1d", NOW, options=Options("BTC/USD", volume="base"))
    assert read.good.open.tolist() == [8162.44]
    assert [one.reason for one in read.refused] == [
        "open '1,5' is not a number, but one with a decimal comma: write 1.5"
    ]
