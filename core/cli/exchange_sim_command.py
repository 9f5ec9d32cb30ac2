"""What run_exchange_sim.py does: choose the candles, the clock and the account, and serve until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
from threading import Event
from typing import NamedTuple

from core import cli
from core.errors import UsageError
from core.exchange_sim import server
from core.exchange_sim.accounts import AccountConfig, parse_balances
from core.exchange_sim.candles import CandleSource
from core.exchange_sim.faults import Faults, parse_faults
from core.exchange_sim.kraken_gate import kraken_secret
from core.exchange_sim.replay import replay_clock
from core.exchange_sim.stream_faults import parse_stream_faults
from core.exchange_sim.synthetic import SyntheticSource
from core.figures import exact
from core.utils import Clock, format_time, now_ms, parse_time


class Served(NamedTuple):
    """Where the candles come from, in words, and a series to fetch."""

    source: CandleSource
    words: str
    symbol: str = "BTC/USDT"
    timeframe: str = "1h"


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    faults = parse_faults(args.faults, args.seed) if args.faults is not None else ()
    trading: Faults = ()
    if args.trading_faults is not None:
        trading = parse_faults(args.trading_faults, args.seed, trading=True)
    account = AccountConfig(args.api_key, args.api_secret, parse_balances(args.cash, args.balance))
    made_up = f"SYNTHETIC candles: generated from seed {args.seed}, not from any market"
    served = stored(args) if args.source != "synthetic" else Served(SyntheticSource(args.seed), made_up)
    source = served.source
    clock = now_ms if args.start_at is None else clock_from(args, source)
    config = server.SimConfig(
        port=args.port,
        seed=args.seed,
        source=source,
        clock=clock,
        faults=faults,
        trading_faults=trading,
        account=account,
        state=args.state,
        stream_faults=parse_stream_faults(args.stream_faults, args.seed) if args.stream_faults else (),
    )
    with server.serve(config) as sim:
        if args.kraken_mode is not None:
            sim.set_status(args.kraken_mode)
        try:
            print(banner(sim.url, served, account), flush=True)
            Event().wait()
        except KeyboardInterrupt:
            print(f"stopped after {len(sim.requests)} requests", file=sys.stderr)
    return cli.INTERRUPTED


def clock_from(args: argparse.Namespace, source: CandleSource) -> Clock:
    """Return the exchange's clock. Raises UsageError for a start that the candles are not of."""
    start, spans = parse_time(args.start_at), [source.span(market.symbol) for market in source.markets()]
    first, last = min(first for first, _ in spans), max(last for _, last in spans)
    if not first < start <= last:
        raise UsageError(
            f"--start-at {args.start_at}: wanted a time between {format_time(first)} and {format_time(last)} "
            "UTC, which the candles are of"
        )
    return replay_clock(start, speed=1.0 if args.speed is None else args.speed)


def stored(args: argparse.Namespace) -> Served:
    """Return the candles of a database or of files."""
    from core.exchange_sim.stored import from_database, from_files
    from db.init_db import get_db_url

    if args.source == "db":
        settings = cli.load_settings({"db.url": args.db_url})
        exchange = args.exchange or settings.exchange.name
        source, what = from_database(settings.db.url or get_db_url(), exchange), f"of {exchange}"
    else:
        source, refused = from_files(
            zip(args.file, args.symbol, args.timeframe, strict=True), now_ms(), args.timezone
        )
        what = "of files" + (f", {refused} bad rows left out" if refused else "")
    spans = source.spans()
    lines = (f"  {s.symbol} {s.timeframe}: {format_time(s.first)} to {format_time(s.end)}" for s in spans)
    return Served(source, "\n".join((f"stored candles {what}:", *lines)), spans[0].symbol, spans[0].timeframe)


def banner(url: str, served: Served, account: AccountConfig) -> str:
    """Return what to print once requests are answered."""
    owned = ", ".join(f"{exact(amount)} {asset}" for asset, amount in account.balances.items())
    return (
        f"local exchange (Binance.US, Kraken) at {url}\n"
        f"WebSockets at ws{url.removeprefix('http')}/ws (Binance.US), /v2 and /auth/v2 (Kraken)\n"
        f"{served.words}\n"
        f"test account at each: {owned}\n"
        f"         EXCHANGE_API_KEY={account.key} EXCHANGE_API_SECRET={account.secret}\n"
        f"Kraken:  EXCHANGE_API_SECRET={kraken_secret(account)}\n"
        f"use it:  EXCHANGE_BASE_URL={url} python scripts/fetch_ohlcv_to_db.py "
        f"--symbol {served.symbol} --timeframe {served.timeframe}\nstop it: Ctrl-C"
    )
