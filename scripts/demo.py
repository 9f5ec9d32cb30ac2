"""Show the whole way on generated candles: local exchange, real ccxt, database, backtests, report.

Needs no network and no key, and touches nothing outside data/demo/. Everything it runs is printed as the
command you could type. `make demo` calls it.
"""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli

EXAMPLES = """\
  demo.py                    a few seconds
  demo.py --folder /tmp/hot  keep its database and report somewhere else
"""
SYMBOLS = "BTC/USDT,ETH/USDT"
LABEL = "binanceus-synthetic"
SINCE, UNTIL = "2023-01-01", "2026-01-01"


def main(argv: list[str] | None = None) -> int:
    """Parse, then run the steps; each is a script's own main."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    parser.add_argument("--folder", default="data/demo", help="where its database and report go")
    folder = cli.ROOT / parser.parse_args(argv).folder
    db_url, report = f"sqlite:///{_shown(folder / 'demo.db')}", _shown(folder / "report.html")

    from core.exchange_sim.server import SimConfig, serve
    from core.exchange_sim.synthetic import DEMO_SEED
    from db import init_db
    from scripts import db_status, fetch_ohlcv_to_db, run_backtest, show_runs

    _run("python -m db.init_db", init_db.main, "--db-url", db_url)
    with serve(SimConfig(seed=DEMO_SEED)) as exchange:
        print(
            f"\n# the local exchange serves SYNTHETIC candles at {exchange.url} (seed {DEMO_SEED}, no market)"
        )
        span = ["--since", SINCE, "--until", UNTIL]
        options = ["--symbol", SYMBOLS, "--timeframe", "4h", *span, "--base-url", exchange.url]
        _run("scripts/fetch_ohlcv_to_db.py", fetch_ohlcv_to_db.main, *options, "--db-url", db_url)
    _run("scripts/db_status.py", db_status.main, "--db-url", db_url)
    compared = ["--all", "--use-sql", "--exchange", LABEL, "--persist", "--report", report, "--force"]
    _run("scripts/run_backtest.py", run_backtest.main, *compared, "--db-url", db_url)
    proved = ["--verify", "--all", "--symbol", "BTC/USDT", "--limit", "500"]
    stored = ["--use-sql", "--exchange", LABEL, "--db-url", db_url]
    _run("scripts/run_backtest.py", run_backtest.main, *proved, *stored)
    _run("scripts/show_runs.py", show_runs.main, "1", "--trades", "5", "--db-url", db_url)
    print(
        f"\n# done. Look at the report: open {report} in a browser\n"
        "# one strategy:    .venv/bin/python scripts/run_backtest.py --strategy TREND_EMA "
        f"--param ema_fast=10 --use-sql --exchange {LABEL} --db-url {db_url}\n"
        f"# the same again:  .venv/bin/python scripts/run_backtest.py --rerun 1 --db-url {db_url}\n"
        f"# every saved run: .venv/bin/python scripts/show_runs.py --db-url {db_url}\n"
        f"# in a browser:    .venv/bin/python scripts/start_dashboard.py --db-url {db_url}\n"
        "# live, on paper: make demo-live (local exchange, loop and page together)"
    )
    return 0


def _run(name: str, step: Callable[[list[str]], int], *argv: str) -> None:
    command = name if name.startswith("python") else f"python {name}"
    print(f"\n$ {command} {shlex.join(argv)}", flush=True)
    code = step(list(argv))
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        sys.exit(code)


def _shown(path: Path) -> str:
    """Return the path as a user would type it: relative if this folder is the project's, else in full."""
    here = Path.cwd() == cli.ROOT and path.is_relative_to(cli.ROOT)
    return str(path.relative_to(cli.ROOT)) if here else str(path)


if __name__ == "__main__":
    cli.run(main)
