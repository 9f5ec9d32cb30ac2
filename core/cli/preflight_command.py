"""What run_live.py --check does: everything that has to be in order before orders go to an exchange."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from contextlib import ExitStack

from sqlalchemy import Engine

from core.cli.live_terms import client_of, read_settings, terms_of
from core.cli.real_money import arm, checked
from core.errors import NoDatabaseError, UsageError
from core.exchange_client import ExchangeClient
from core.live.facts import test_order
from core.live.modes import AT_EXCHANGE, REAL_MONEY
from core.live.preflight import CheckLine, Colour, refusals
from core.live.terms import AccountTerms
from core.order_path.lock import holder
from core.reports.table import room
from db.base import database_file, open_engine


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; return 1 if one is red."""
    armed = arm(args)
    args.orders = AT_EXCHANGE
    settings = read_settings(args)
    terms = terms_of(args, settings)
    with ExitStack() as stack:
        client = client_of(args, settings, stack, real_money=armed.address if armed else None)
        if client is None:
            raise UsageError("--check asks the exchange: leave --use-sql out, or refresh from it")
        engine = _database(terms, stack)
        lines = checked(client, engine, terms, settings, armed)
        if args.test_order:
            lines.append(_try_an_order(args, client, engine, terms, lines))
    if args.json:
        print(json.dumps([one._asdict() for one in lines], indent=2))
    else:
        show(lines, terms.name)
    return 1 if refusals(lines) else 0


def show(lines: Sequence[CheckLine], account: str) -> None:
    """Print the checks, and how many of each colour there are."""
    name = max(len(line.name) for line in lines)
    for line in lines:
        start = f"{line.colour:<6} {line.name:<{name}}  "
        text = line.said + (f": {line.remedy}" if line.remedy else "")
        print(textwrap.fill(start + text, room(), subsequent_indent=" " * len(start)))
    counts = {colour: sum(line.colour is colour for line in lines) for colour in Colour}
    print(f"account {account}: " + ", ".join(f"{count} {colour}" for colour, count in counts.items()))


def _database(terms: AccountTerms, stack: ExitStack) -> Engine | None:
    """Return the account's database, None before there is one: a check makes none."""
    try:
        engine = open_engine(terms.db_url)
    except NoDatabaseError:
        return None
    stack.callback(engine.dispose)
    return engine


def _try_an_order(
    args: argparse.Namespace,
    client: ExchangeClient,
    engine: Engine | None,
    terms: AccountTerms,
    lines: Sequence[CheckLine],
) -> CheckLine:
    """Return how a test order went. Raises UsageError where money is real and that was not confirmed."""
    file = None if engine is None else database_file(engine)
    if client.permission.network == REAL_MONEY and not args.i_understand_the_risks:
        raise UsageError("--test-order places an order with real money: type --i-understand-the-risks too")
    if file is not None and holder(file, terms.name) is not None:
        return CheckLine(
            "test order", Colour.AMBER, "not tried: a loop runs on this account", "stop it first"
        )
    if refusals(list(lines)):
        return CheckLine("test order", Colour.AMBER, "not tried: something else is red", "see to that first")
    return test_order(client, terms.symbols[0])
