"""What --speed does to a loop: its clocks run as fast as those of the local exchange that it follows."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

from core.errors import UsageError
from core.exchange_client import ExchangeClient
from core.utils import Clock, now_ms, steady_ms


class Clocks(NamedTuple):
    """What a client tells time by, by the names that it takes them under."""

    clock: Clock
    ticks: Clock | None
    """None: this machine's own."""
    sleep: Callable[[float], None]


def pace_of(args: argparse.Namespace) -> float:
    """Return how many times as fast as a clock on the wall the exchange's time goes."""
    return args.speed if isinstance(args.speed, float) else 1.0


def clocks_of(pace: float) -> Clocks:
    """Return clocks that run `pace` times as fast as this machine's, from now on."""
    if pace == 1.0:
        return Clocks(now_ms, None, time.sleep)
    began = now_ms()
    return Clocks(
        lambda: began + int((now_ms() - began) * pace),
        lambda: int(steady_ms() * pace),
        lambda seconds: time.sleep(seconds / pace),
    )


def check_pace(args: argparse.Namespace, client: ExchangeClient | None) -> None:
    """Raise UsageError for a speed where time cannot be made to run: anywhere but at a local exchange."""
    if args.speed != "max" and (client is None or client.permission.network != "loopback"):
        raise UsageError(
            "--speed is of --replay, or of a local exchange that was started with the same one "
            "(run_exchange_sim.py --start-at TIME --speed N, EXCHANGE_BASE_URL): leave it out"
        )
