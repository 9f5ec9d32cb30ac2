"""Run the local exchange: Binance.US and Kraken on 127.0.0.1, with generated or stored candles."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.errors import UsageError

KRAKEN_MODES = ("online", "limit_only", "post_only", "cancel_only", "maintenance")
EXAMPLES = """\
  run_exchange_sim.py                                    generated candles, the same for the same seed
  run_exchange_sim.py --faults 0.05                      5 % of the requests go wrong
  run_exchange_sim.py --faults status:path=klines:times=2:status=502,delay:seconds=3
  run_exchange_sim.py --cash 500 --balance BTC=0.1 --trading-faults 0.1
  run_exchange_sim.py --trading-faults reset_after:path=order:method=POST,late:seconds=3
  run_exchange_sim.py --stream-faults mute:channel=trade,close:code=1001:after=20:times=3
  run_exchange_sim.py --source db --start-at 2024-01-01  stored candles, as if it were 2024-01-01
  run_exchange_sim.py --source csv --file btc.csv --symbol BTC/USDT --timeframe 1h
"""


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    args = parse(argv)
    from core.cli import exchange_sim_command

    return exchange_sim_command.run(args)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument(
        "--port",
        type=cli.port,
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
    parser.add_argument("--stream-faults", metavar="SPEC", help="the same for messages over WebSocket")
    parser.add_argument("--kraken-mode", choices=KRAKEN_MODES, help="what Kraken takes (default: all)")
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
