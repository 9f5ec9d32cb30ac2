"""What run_live.py opens an account with, made of its arguments, the settings and the environment."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import ExitStack

from sqlalchemy import Engine

from core import cli
from core.backtest.plan import PlannedRun, check_params
from core.cli.live_output import say
from core.cli.live_pace import check_pace, clocks_of, pace_of
from core.cli.replay_command import members, overrides, risk_terms
from core.exchange.calls import Notice, Notify, RetryPolicy
from core.exchange_client import ExchangeClient
from core.execution_algos.machines import MARKET_ALGO
from core.live.modes import AT_EXCHANGE
from core.live.terms import AccountTerms
from core.live.world import World, exchange_world, stored_world
from core.settings import Settings, environment
from db.init_db import get_db_url
from strategies.registry import known

TIMEOUT = 5.0
"""Seconds that a complete answer of the exchange may take."""
SILENCE = 20.0
"""Seconds of silence that are waited for inside one look: stops and commands wait as long."""


def read_settings(args: argparse.Namespace) -> Settings:
    """Return the settings as the files, the environment and the command line say now."""
    return cli.load_settings(overrides(args), check_params, args.strategies_file, args.strategies_dir)


def terms_of(args: argparse.Namespace, settings: Settings) -> AccountTerms:
    """Return the terms of the account that was asked for."""
    chosen = tuple(members(args, settings))
    return AccountTerms(
        name=args.account,
        db_url=settings.db.url or get_db_url(),
        typed_url=args.db_url,
        orders=args.orders,
        members=chosen,
        cash=settings.backtest.default_cash,
        is_cash_named=args.cash is not None,
        is_real=args.live,
        costs=settings.backtest.costs,
        risk=risk_terms(settings),
        volume_share=settings.paper.volume_share,
        partner_wait_ms=round(1000 * settings.exchange.partner_wait_seconds),
        resting_stops=settings.live.resting_stops,
        stop_limit_gap_pct=settings.live.stop_limit_gap_pct,
        stop_patience_seconds=settings.live.stop_patience_seconds,
        losses_every_seconds=settings.live.losses_every_seconds,
        algorithms=algorithms_of(chosen, settings),
        algo_terms=settings.execution.terms,
        once=args.once,
        accept_restore=args.accept_restore,
    )


def algorithms_of(chosen: Iterable[PlannedRun], settings: Settings) -> dict[str, str]:
    """Return how these strategies' orders are executed, where that is not at the market."""
    found = {}
    for one in chosen:
        entry = settings.strategies.get(known()[one.strategy])
        if entry is not None and entry.execution != MARKET_ALGO:
            found[one.strategy] = entry.execution
    return found


def client_of(
    args: argparse.Namespace,
    settings: Settings,
    opened: ExitStack,
    notify: Notify | None = None,
    real_money: str | None = None,
) -> ExchangeClient | None:
    """Return the client of the exchange that is traded at; None where stored candles are all that is wanted.

    It has a key only if orders go to the exchange; of real money, `real_money` alone is signed for.
    """
    if args.use_sql and not args.refresh_from_ccxt:
        check_pace(args, None)
        return None
    name = args.exchange or settings.exchange.name
    sandbox = settings.exchange.sandbox and name == settings.exchange.name
    known = environment(cli.ROOT) if args.orders == AT_EXCHANGE else {}
    keys = known.get("EXCHANGE_API_KEY", ""), known.get("EXCHANGE_API_SECRET", "")
    base = settings.exchange.base_url or ""
    client = ExchangeClient(
        *(name, *keys, sandbox),
        base_url=base,
        real_money=real_money,
        notify=notify or _heard,
        timeout=TIMEOUT,
        retries=RetryPolicy(patience=SILENCE),
        **clocks_of(pace_of(args))._asdict(),
    )
    check_pace(args, client)
    return opened.enter_context(client)


def world_of(
    args: argparse.Namespace, settings: Settings, engine: Engine, client: ExchangeClient | None
) -> World:
    """Return where candles come from: the database, the database kept up to date, or the exchange."""
    if client is None:
        return stored_world(args.exchange or settings.exchange.name, engine)
    return exchange_world(client, engine if args.refresh_from_ccxt else None)


def _heard(notice: Notice) -> None:
    say(notice.text)
