"""Trade on paper: all enabled strategies on one account, with its risk limits; or replay stored candles."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core import cli
from core.cli import live_options

EXAMPLES = """\
  run_live.py --use-sql --refresh-from-ccxt            follow the market, keeping its candles
  run_live.py --health-port                            the same, with /health and /metrics on port 8081
  run_live.py --once                                   one look at the market, then end
  run_live.py --replay --start 2024-01-01 --exchange binance
  run_live.py --replay --strategy TREND_EMA,MR_BB --symbol BTC/USDT --cash 5000
  run_live.py --status                                 how the account stands, also while it runs
  run_live.py --pause | --resume | --flatten | --stop  a command for the running loop
  run_live.py --reset-breaker daily_loss
  run_live.py --accept BTC/USDT | --release halt       what --status says is held up goes on
  run_live.py --reload                                 strategies.yaml has changed; positions stay
  run_live.py --check --orders exchange | --live       what is in order before orders go there
  run_live.py --live --i-understand-the-risks          real money: docs/live.md first
  run_live.py --once --flatten                         a command without a running loop
  run_live.py --accept-restore                         after backup_database.py --restore

The loop ends after its step, state saved: with Ctrl-C (exit code 130), SIGTERM or SIGHUP (0), --stop (0).
"""


def main(argv: list[str] | None = None) -> int:
    """Parse, then replay, trade on paper, give the loop a command, or show how it stands."""
    args = parse(argv)
    if args.replay:
        from core.cli import replay_command

        return replay_command.run(args)
    if args.check:
        from core.cli import preflight_command

        return preflight_command.run(args)
    if args.status:
        from core.cli import live_status

        return live_status.show_status(args)
    from core.cli import live_command

    name = live_options.command_of(args)
    if name is None or args.once:
        return live_command.trade(args, name)
    return live_command.give(args, name)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the arguments."""
    parser = cli.parser(__doc__ or "", EXAMPLES)
    live_options.add(parser)
    args = parser.parse_args(argv)
    live_options.check(parser, args)
    return args


if __name__ == "__main__":
    cli.run(main)
