"""Trading real money: what a person has to say before it is done, and the stricter limits it is done with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from core import cli
from core.cli.live_output import say
from core.cli.live_status import status_of_run
from core.cli.live_terms import read_settings, terms_of
from core.errors import RefusedError, UsageError
from core.exchange_client import ExchangeClient
from core.figures import how_many
from core.live.configuration import configuration_of
from core.live.facts import Meant, facts_of
from core.live.modes import AT_EXCHANGE, REAL_MONEY
from core.live.preflight import ChannelSeen, CheckLine, Colour, preflight, refusals
from core.live.real_key import one_database
from core.live.standing import USUAL
from core.live.terms import AccountTerms
from core.order_path.client_ids import account_name
from core.settings import Settings, environment
from core.settings.real_money import RealMoney, load_real_money
from core.utils import now_ms
from db import live
from db.live_history import run_spans

DAY = 86_400_000


class Armed(NamedTuple):
    """What config/live.yaml says, for a run that was asked for by both options."""

    file: RealMoney
    day: int = 0
    """How many whole days ago the account first traded real money."""
    equity: float | None = None
    """What the account was worth when it last said so, quote units; None for a new one."""

    @property
    def address(self) -> str:
        """The one address that requests are signed for."""
        return self.file.address

    def settings(self, settings: Settings) -> Settings:
        """Return settings whose limits are at least as strict as the caps."""
        return settings.model_copy(update={"risk": _stricter(settings, self)})


def arm(args: argparse.Namespace) -> Armed | None:
    """Return what to trade real money with, None when it was not asked for; set the options that follow.

    Raises UsageError where one of the three confirmations is missing or says another thing.
    """
    if not args.live:
        return None
    if not (args.i_understand_the_risks or args.check):
        raise UsageError(
            "--live trades real money: type --i-understand-the-risks too, after run_live.py --check --live "
            "has shown no red line"
        )
    file = load_real_money(cli.ROOT / "config")
    if file.mode != "live" and not args.check:
        raise UsageError("config/live.yaml: mode is paper: --live wants mode: live there")
    for option, typed, said in (
        ("--account", None if args.account == USUAL else args.account, file.account),
        ("--exchange", args.exchange, file.exchange),
    ):
        if typed is not None and typed != said:
            raise UsageError(f"{option} {typed}: config/live.yaml allows {said} alone: change one of them")
    if environment(cli.ROOT).get("EXCHANGE_BASE_URL", "").strip():
        raise UsageError(
            "--live goes to the exchange itself, and EXCHANGE_BASE_URL sends everything elsewhere: unset it "
            "in the terminal and in .env"
        )
    args.account, args.exchange, args.orders = file.account, file.exchange, AT_EXCHANGE
    return Armed(file)


def begun(armed: Armed, engine: Engine) -> Armed:
    """Return it with the day that its account is in, and what the account was worth last."""
    account = armed.file.account
    spans = [one for one in run_spans(engine, account) if one.mode == REAL_MONEY]
    first = min((one.since for one in spans), default=None)
    if first is None:
        return armed
    run = live.newest_run(engine, account)
    status = None if run is None else status_of_run(run)
    equity = None if status is None else status.equity
    return armed._replace(day=max(0, now_ms() - first) // DAY, equity=equity)


def held_alone(armed: Armed, file: Path) -> AbstractContextManager[Callable[[], object]]:
    """Return what holds the right to trade real money with the key, and notes that this database does."""
    key = environment(cli.ROOT).get("EXCHANGE_API_KEY", "").strip()
    return one_database(cli.ROOT / "data", account_name(armed.file.exchange, key), file)


def real_terms(
    armed: Armed,
    args: argparse.Namespace,
    client: ExchangeClient,
    engine: Engine,
    begin: Callable[[], object] = lambda: None,
) -> AccountTerms:
    """Return the terms that real money is traded on, the caps in them, once every check was made.

    `begin` is called when none is against it.
    Raises RefusedError when one of them is red.
    """
    settings = read_settings(args)
    lines = checked(client, engine, terms_of(args, settings), settings, armed)
    for line in lines:
        if line.colour is not Colour.GREEN:
            say(f"{line.colour}: {line.name}: {line.said}" + (f": {line.remedy}" if line.remedy else ""))
    if red := refusals(lines):
        raise RefusedError(
            f"real money is not traded: {how_many(len(red), 'check is', 'checks are')} red "
            f"({', '.join(line.name for line in red)}): run_live.py --check --live shows all"
        )
    begin()
    terms = terms_of(args, begun(armed, engine).settings(settings))
    if "session" not in live.read_state(engine, terms.name):
        terms = replace(terms, cash=armed.file.caps.capital, is_cash_named=True)
    return replace(terms, confirmed=armed.file.paper.without_it)


def again(args: argparse.Namespace, client: ExchangeClient | None, engine: Engine) -> AccountTerms:
    """Return an account's terms as the files say now; where money is real, all is checked as at a start.

    Raises UsageError where live.yaml names another account, exchange or address than the loop began with.
    """
    if not args.live or client is None:
        return terms_of(args, read_settings(args))
    file = load_real_money(cli.ROOT / "config")
    if (file.mode, file.account, file.exchange) != ("live", args.account, args.exchange) or not (
        client.permission.covers(file.address)
    ):
        raise UsageError(
            "config/live.yaml has another mode, account, exchange or address than the loop began with: "
            "stop it, and start anew"
        )
    return real_terms(Armed(file), args, client, engine)


def checked(
    client: ExchangeClient,
    engine: Engine | None,
    terms: AccountTerms,
    settings: Settings,
    armed: Armed | None,
) -> list[CheckLine]:
    """Return all checks; `terms` and `settings` are those of before the caps.

    Raises SettingsError for a channel of alerts that lacks something.
    """
    if armed is not None and engine is not None:
        armed = begun(armed, engine)
    channels = _channels(settings, terms.name)
    return preflight(facts_of(client, engine, wanted_of(terms, settings, armed, channels)))


def _channels(settings: Settings, account: str) -> tuple[ChannelSeen, ...]:
    if not settings.alerts.routes:
        return ()
    # Who names no channel waits for none of this to be imported.
    from core.cli.live_channels import reached

    return reached(settings.alerts, environment(cli.ROOT), account)


def wanted_of(
    terms: AccountTerms, settings: Settings, armed: Armed | None, channels: tuple[ChannelSeen, ...]
) -> Meant:
    """Return what is to be checked; `terms` and `settings` are those of before the caps."""
    risk = (settings if armed is None else armed.settings(settings)).risk
    plain = Meant(
        account=terms.name,
        symbols=tuple(terms.symbols),
        quote=terms.quote,
        capital=terms.cash,
        order_cap=risk.max_order,
        daily_loss_pct=risk.max_daily_loss_pct,
        commission=terms.costs.commission,
        configuration=configuration_of(terms),
        resting_stops=terms.resting_stops,
        channels=channels,
    )
    if armed is None:
        return plain
    file = armed.file
    return plain._replace(
        capital=file.caps.capital,
        is_meant=file.mode == "live",
        confirmed=frozenset(name for name, yes in file.confirmed.model_dump().items() if yes),
        record_account=file.paper.account,
        record_days=file.paper.days,
        without_record=file.paper.without_it,
    )


def _stricter(settings: Settings, armed: Armed) -> object:
    risk, caps = settings.risk, armed.file.caps
    # An account that is worth more, by profits or a cap that was lowered, uses no more than the capital.
    share = 100 * caps.capital / armed.equity if armed.equity and armed.equity > caps.capital else None
    return risk.model_copy(
        update={
            "max_order": _least(risk.max_order, caps.order_cap(armed.day)),
            "max_orders_per_day": _least(risk.max_orders_per_day, caps.max_orders_per_day),
            "max_daily_loss_pct": min(risk.max_daily_loss_pct, caps.max_daily_loss_pct),
            "max_exposure_pct": risk.max_exposure_pct
            if share is None
            else _least(risk.max_exposure_pct, share),
            "allow_short": False,
        }
    )


def _least(own: float | None, cap: float) -> float:
    return cap if own is None else min(own, cap)
