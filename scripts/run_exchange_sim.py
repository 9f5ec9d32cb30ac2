"""Run the local exchange: Binance.US and Kraken on 127.0.0.1, with generated or stored candles."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.errors import UsageError
from core.exchange_sim.accounts import AccountConfig, parse_balances
from core.utils import format_time, now_ms, parse_time

if TYPE_CHECKING:
    from core.exchange_sim.candles import CandleSource
    from core.utils import Clock

EXAMPLES = """\
  run_exchange_sim.py                                    generated candles, the same for the same seed
  run_exchange_sim.py --faults 0.05                      5 % of the requests go wrong
  run_exchange_sim.py --faults status:path=klines:times=2:status=502,delay:seconds=3
  run_exchange_sim.py --cash 500 --balance BTC=0.1 --trading-faults 0.1
  run_exchange_sim.py --trading-faults reset_after:path=order:method=POST,late:seconds=3
  run_exchange_sim.py --source db --start-at 2024-01-01  stored candles, as if it were 2024-01-01
  run_exchange_sim.py --source csv --file btc.csv --symbol BTC/USDT --timeframe 1h
"""


class Served(NamedTuple):
    """Where the candles come from, in words, and a series to fetch."""

    source: "CandleSource"
    words: str
    symbol: str = "BTC/USDT"
    timeframe: str = "1h"


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    args = parse(argv)
    from threading import Event

    from core.exchange_sim.faults import Faults, parse_faults
    from core.exchange_sim.server import SimConfig, serve
    from core.exchange_sim.synthetic import SyntheticSource

    faults = parse_faults(args.faults, args.seed) if args.faults is not None else ()
    trading: Faults = ()
    if args.trading_faults is not None:
        trading = parse_faults(args.trading_faults, args.seed, trading=True)
    account = AccountConfig(args.api_key, args.api_secret, parse_balances(args.cash, args.balance))
    made_up = f"SYNTHETIC candles: generated from seed {args.seed}, not from any market"
    served = stored(args) if args.source != "synthetic" else Served(SyntheticSource(args.seed), made_up)
    source = served.source
    clock = now_ms if args.start_at is None else clock_from(args, source)
    with serve(
        SimConfig(args.port, args.seed, source, (), clock, faults, trading, account, args.state)
    ) as sim:
        try:
            print(banner(sim.url, served, account), flush=True)
            Event().wait()
        except KeyboardInterrupt:
            print(f"stopped after {len(sim.requests)} requests", file=sys.stderr)
    return cli.INTERRUPTED


def clock_from(args: argparse.Namespace, source: "CandleSource") -> "Clock":
    """Return the exchange's clock. Raises UsageError for a start that the candles are not of."""
    from core.exchange_sim.replay import replay_clock

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
    owned = ", ".join(f"{amount:f} {asset}" for asset, amount in account.balances.items())
    return (
        f"local exchange (Binance.US, Kraken) at {url}\n{served.words}\n"
        f"test account (Binance.US): {owned}\n"
        f"         EXCHANGE_API_KEY={account.key} EXCHANGE_API_SECRET={account.secret}\n"
        f"use it:  EXCHANGE_BASE_URL={url} python scripts/fetch_ohlcv_to_db.py "
        f"--symbol {served.symbol} --timeframe {served.timeframe}\nstop it: Ctrl-C"
    )


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "--port",
        type=partial(cli.whole, 0, 65_535),
        default=8090,
        help="0: any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=cli.positive, default=7, help="of candles, book and faults (default: 7)"
    )
    parser.add_argument(
        "--source", choices=("synthetic", "db", "csv"), default="synthetic", help="of candles"
    )
    parser.add_argument("--faults", metavar="SPEC", help="share of requests (0.05), or a list; see examples")
    parser.add_argument("--trading-faults", metavar="SPEC", help="the same for orders; kinds of their own")
    parser.add_argument("--cash", default="10000", help="USDT of the test account (default: %(default)s)")
    parser.add_argument(
        "--balance",
        metavar="ASSET=AMOUNT",
        action="append",
        default=[],
        help="of the test account; repeat it",
    )
    parser.add_argument("--api-key", default="local-exchange-test-key", help="of the test account")
    parser.add_argument("--api-secret", default="local-exchange-test-secret", help="of the test account")
    parser.add_argument("--state", type=cli.path, metavar="PATH", help="a file to keep the test account in")
    parser.add_argument("--start-at", metavar="TIME", help="exchange time at the start, UTC (default: now)")
    parser.add_argument("--speed", type=float, help="of exchange time after --start-at (default: 1)")
    parser.add_argument("--db-url", help="db: the database (default: HOT_CRYPTO_DB_URL, then settings.yaml)")
    parser.add_argument(
        "--exchange",
        type=cli.exchange_label,
        help="db: whose candles (default: exchange.name in settings.yaml)",
    )
    parser.add_argument(
        "--file", type=cli.path, action="append", default=[], help="csv: a candle file; repeat it"
    )
    parser.add_argument("--symbol", action="append", default=[], help="csv: one for each file")
    parser.add_argument("--timeframe", action="append", default=[], help="csv: one for each file")
    parser.add_argument("--timezone", type=cli.zone, help="csv: of times that name none, such as UTC")
    args = parser.parse_args(argv)
    _check(args)
    return args


def _check(args: argparse.Namespace) -> None:
    given = len(args.file), len(args.symbol), len(args.timeframe)
    if args.source == "csv" and (not args.file or len(set(given)) > 1):
        raise UsageError("--source csv wants --file, --symbol and --timeframe, each once for every file")
    if args.source != "csv" and (any(given) or args.timezone):
        raise UsageError("--file, --symbol, --timeframe and --timezone are for --source csv")
    if args.source != "db" and (args.db_url or args.exchange):
        raise UsageError("--db-url and --exchange are for --source db")
    if args.speed is not None and not args.start_at:
        raise UsageError("--speed is for --start-at")
    if args.speed is not None and not 0 < args.speed <= 100_000:
        raise UsageError(f"--speed wants a number above 0, up to 100000, got {args.speed}")


if __name__ == "__main__":
    cli.run(main)
