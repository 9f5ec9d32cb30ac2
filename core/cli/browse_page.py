"""The browsing page: what a person picks, and what is drawn of it. `st` is Streamlit, which is optional."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from core import cli
from core.arguments import Parser
from core.backtest.plan import check_params, enabled_names
from core.backtest_persistence import StoredRun, list_runs, load_run
from core.cli import browse_work, options
from core.cli.browse_work import Curve, Picked, Ranking
from core.cli.sweep_command import swept_sets, verdict
from core.domain import Series
from core.errors import HotCryptoError, UsageError
from core.page.guard import LOCAL
from core.reports.table import HEADINGS
from core.settings import Settings
from core.symbols import pair_of
from core.utils import format_time
from db.base import open_engine
from db.init_db import get_db_url
from db.status import SYNTHETIC_NOTE, is_synthetic
from db.stored_series import SeriesRange, stored_ranges
from strategies.registry import known

LISTED = 200
"""Saved runs that are listed, the newest ones."""
COMPARED = 6
"""Saved runs side by side at most: more columns nobody reads."""
ENGINES = {"backtesting": "Backtesting.py", "fast": "compiled, for very many candles"}
COUNTED = "Every set that is run here counts among the trials (`show_trials.py`), saved or not."
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|$~:<>&-])")


class PageParser(Parser):
    """A parser whose errors are shown on the page, where none could be printed."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        wanted = "`--db-url URL`, `--strategies-file PATH` or `--strategies-dir FOLDER`"
        raise UsageError(f"after `--`: `{message}`; wanted {wanted}")


def show(st: Any, typed: Sequence[str]) -> None:
    """Draw the page once, with the arguments typed after `--`; what is wrong is a line on it."""
    st.set_page_config(page_title="HOT-Crypto: browse", layout="wide")
    st.title("Candles and saved runs")
    guarded(st, lambda: _draw(st, typed))


def guarded(place: Any, draw: Callable[[], object]) -> None:
    """Draw; an error of the program becomes one line there."""
    try:
        draw()
    except HotCryptoError as error:
        place.error(plain(as_labelled(str(error))))


def as_labelled(text: str) -> str:
    """Return a message without the dashes of options, which are fields here; commands keep them."""
    parts = cli.as_typed(" ".join(text.split())).split("`")
    parts[::2] = [re.sub(r"(?<![\w-])--(?=[a-z])", "", part) for part in parts[::2]]
    return "`".join(parts)


def plain(text: str) -> str:
    """Return text as it is: nothing in it is markup, whoever wrote it."""
    return _MARKUP.sub(r"\\\1", text)


def parsed(typed: Sequence[str]) -> argparse.Namespace:
    """Return the arguments after `--`. Raises UsageError for others."""
    parser = PageParser(prog="dashboard_streamlit.py", add_help=False, allow_abbrev=False)
    options.add_db_url(parser)
    options.add_strategies_file(parser)
    args: argparse.Namespace = parser.parse_args(typed)
    return args


def _draw(st: Any, typed: Sequence[str]) -> None:
    address = st.get_option("server.address")
    if address not in LOCAL:
        # Whoever reached it could save runs: another machine comes in through a tunnel.
        shown = address or "every address"
        raise UsageError(
            f"this page is for this machine alone, and was started for {shown}: "
            "start it with `make dashboard`, or `--server.address 127.0.0.1`"
        )
    if "settings" not in st.session_state:
        args = parsed(typed)
        # Read once for each visitor: what is odd in them is said where the page was started.
        st.session_state["settings"] = cli.load_settings(
            {"db.url": args.db_url}, check_params, args.strategies_file, args.strategies_dir
        )
    settings: Settings = st.session_state["settings"]
    places = st.tabs(["Backtest", "Sweep", "Saved runs"])
    ranges = _stored(settings)
    picked: list[Picked] = []
    if ranges:
        guarded(st.sidebar, lambda: picked.append(_picked(st.sidebar, ranges, settings)))
    for place, draw in zip(places, (_backtest, _sweep), strict=False):
        with place:
            if picked:
                guarded(st, lambda draw=draw: draw(st, picked[0], settings))  # type: ignore[misc]
            else:
                st.info(
                    plain("no candles are stored: fetch_ohlcv_to_db.py or import_ohlcv_to_db.py loads some")
                )
    with places[2]:
        guarded(st, lambda: _saved(st, settings))


def _stored(settings: Settings) -> list[SeriesRange]:
    engine = open_engine(settings.db.url or get_db_url())
    try:
        return stored_ranges(engine)
    finally:
        engine.dispose()


def _picked(side: Any, ranges: Sequence[SeriesRange], settings: Settings) -> Picked:
    """Draw the fields of what to run on; return what is in them."""
    series: Series = side.selectbox("Candles", [one.series for one in ranges], format_func=str, key="series")
    stored = next(one for one in ranges if one.series == series)
    side.caption(
        f"{stored.rows:,} stored, {format_time(stored.first)} to {format_time(stored.last)} UTC (open times)"
    )
    if is_synthetic(series):
        side.caption(plain(SYNTHETIC_NOTE))
    start = side.text_input("Start, UTC", key="start", placeholder="2024-01-31 or with T12:00; empty: all")
    end = side.text_input("End, UTC", key="end", placeholder="candles that open before it; empty: all")
    names = list(known())
    first = next(iter(enabled_names(settings, on_broken=lambda _: None)), names[0])
    strategy = side.selectbox("Strategy", names, index=names.index(first), key="strategy")
    quote = pair_of(series.symbol).quote
    default = settings.backtest.costs
    cash = side.number_input(
        plain(f"Cash at the start, {quote}"), value=float(settings.backtest.default_cash), key="cash"
    )
    rates = {"min_value": 0.0, "max_value": 0.05, "step": 0.0001, "format": "%.5f"}
    commission = side.number_input(
        "Commission, rate a side (0.001 is 0.1 %)", value=default[0], key="commission", **rates
    )
    spread = side.number_input(
        "Spread, rate of price, paid on entry", value=default[1], key="spread", **rates
    )
    return Picked(series, strategy, start, end, cash, commission, spread)


def _parameters(st: Any, picked: Picked, settings: Settings) -> None:
    """Draw which parameters the strategy has."""
    with st.expander(plain(f"Parameters of {picked.strategy}")):
        st.dataframe(browse_work.parameters(picked.strategy, settings), hide_index=True)


def _backtest(st: Any, picked: Picked, settings: Settings) -> None:
    _parameters(st, picked, settings)
    typed = st.text_input("Changed parameters", key="params", placeholder="ema_fast=10 ema_slow=40")
    engine = st.radio("Engine", list(ENGINES), format_func=ENGINES.get, key="engine", horizontal=True)
    if st.button("Run the backtest", key="run", type="primary"):
        # What is on the page is never another run's than the one that was asked for last.
        st.session_state.pop("ran", None)
        with st.spinner("running"):
            st.session_state["ran"] = [*browse_work.backtest(picked, typed, engine, settings), None]
    st.caption(plain(COUNTED))
    if "ran" in st.session_state:
        _result(st, settings)


def _result(st: Any, settings: Settings) -> None:
    """Draw the run that was made last, and save it if that is asked for."""
    bars, result, notes, run_id = st.session_state["ran"]
    if run_id is None and st.button("Save this run", key="save"):
        run_id = st.session_state["ran"][-1] = browse_work.save(result, settings)
    if run_id is not None:
        st.success(f"saved as run {run_id}")
    st.subheader(plain(f"{result.spec.strategy} on {result.spec.series}"))
    if is_synthetic(result.spec.series):
        st.warning(plain(SYNTHETIC_NOTE))
    _lines(st, [*browse_work.about(result), *notes])
    figures = browse_work.figures({result.spec.strategy: result.summary})
    st.dataframe(figures, hide_index=True, height="content")
    _lines(st, browse_work.none_because([result.summary]))
    pair = pair_of(result.spec.series.symbol)
    _chart(st, browse_work.equity_lines(bars, result), f"equity, {pair.quote}")
    st.caption(f"{len(result.records):,} trades")
    _trades(st, browse_work.trade_table(result.records, result.spec.series.symbol))


def _sweep(st: Any, picked: Picked, settings: Settings) -> None:
    _parameters(st, picked, settings)
    typed = st.text_input("Values to try", key="space", placeholder="ema_fast=10:30:5 ema_slow=40,50,60")
    left, middle, right = st.columns(3)
    ranked = [name for name in HEADINGS if name not in ("buy_hold_return_pct", "daily_returns")]
    figure = left.selectbox(
        "Ranked by", ranked, index=ranked.index("sharpe_ratio"), format_func=HEADINGS.get, key="figure"
    )
    fewest = middle.number_input("Fewest trades of a ranked set", min_value=1, value=30, key="fewest")
    unseen = right.number_input(
        "Newest part kept unseen, %", min_value=0.0, max_value=90.0, value=options.UNSEEN, key="unseen"
    )
    if st.button("Run the sweep", key="sweep", type="primary"):
        st.session_state.pop("swept", None)
        with st.spinner("running"):
            ranking = Ranking(figure, fewest, unseen)
            st.session_state["swept"] = browse_work.sweep(picked, typed, ranking, settings)
    st.caption(plain(COUNTED))
    if "swept" not in st.session_state:
        return
    plan, found, notes = st.session_state["swept"]
    st.subheader(plain(f"{len(plan.asked.sets):,} sets of {plan.asked.strategy}"))
    swept = swept_sets(plan, found)
    if swept.note:
        st.warning(plain(swept.note))
    _lines(st, [*swept.about, *notes])
    if found.ranked:
        st.dataframe(browse_work.best_sets(plan, found), hide_index=True, height="content")
    _lines(st, map(as_labelled, verdict(plan, found)))


def _saved(st: Any, settings: Settings) -> None:
    """Draw the list of saved runs, and those chosen side by side."""
    runs = list_runs(settings.db.url, limit=LISTED)
    if not runs:
        st.info(
            "no saved runs: *Save this run* saves one, `run_backtest.py --all --use-sql --persist` several"
        )
        return
    st.dataframe(browse_work.saved_table(runs), hide_index=True)
    names = {run.run_id: browse_work.title(run) for run in runs}
    chosen = st.multiselect(
        f"Side by side, {COMPARED} at most",
        list(names),
        format_func=lambda run_id: names.get(run_id, str(run_id)),
        max_selections=COMPARED,
        key="compared",
    )
    if chosen:
        _compared(st, [load_run(run_id, settings.db.url) for run_id in chosen])


def _compared(st: Any, runs: Sequence[StoredRun]) -> None:
    figures = browse_work.figures({browse_work.title(run): run.summary for run in runs})
    st.dataframe(figures, hide_index=True, height="content")
    _lines(st, browse_work.none_because([run.summary for run in runs]))
    st.dataframe(browse_work.inputs_table(runs), hide_index=True, height="content")
    lines = [line for run in runs if (line := browse_work.closed_line(run)) is not None]
    if lines:
        _chart(st, lines, "closed profit, % of first cash", is_stepped=True)
    for run in runs:
        with st.expander(plain(f"{len(run.trades):,} trades of run {browse_work.title(run)}")):
            _trades(st, browse_work.trade_table(run.trades, run.series.symbol))


def _lines(st: Any, lines: Iterable[str]) -> None:
    # Two spaces end a line in Markdown.
    st.caption("  \n".join(map(plain, lines)))


def _trades(st: Any, table: Any) -> None:
    # Streamlit would cut numbers at four decimals, which is all that a cheap coin has.
    numbers = [name for name in table.columns if "," in name]
    config = {name: st.column_config.NumberColumn(format="plain") for name in numbers}
    st.dataframe(table, hide_index=True, column_config=config)


def _chart(st: Any, lines: Sequence[Curve], unit: str, *, is_stepped: bool = False) -> None:
    """Draw lines over UTC, whatever the browser's own time zone is."""
    mark = {"type": "line", "strokeWidth": 1.5, **({"interpolate": "step-after"} if is_stepped else {})}
    st.vega_lite_chart(
        browse_work.drawn(lines),
        {
            "mark": mark,
            "height": 340,
            "encoding": {
                "x": {"field": "time", "type": "temporal", "scale": {"type": "utc"}, "title": "time, UTC"},
                "y": {"field": "value", "type": "quantitative", "scale": {"zero": False}, "title": unit},
                "color": {
                    "field": "line",
                    "type": "nominal",
                    "title": None,
                    "legend": {"orient": "top", "labelLimit": 0},
                },
            },
        },
    )
