"""What run_live.py does: the loop itself, and commands for it."""

from __future__ import annotations

import argparse
import getpass
import platform
import shlex
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Engine

from core import cli
from core.cli import outputs
from core.cli.live_alerts import NO_ALARMS, Alarms, alarms_of
from core.cli.live_chat import ANSWER, answer_to
from core.cli.live_ending import Asked, Ended, Ending, listen, silent_end
from core.cli.live_health import healthy
from core.cli.live_output import Show, say, shown, tell_step
from core.cli.live_pace import pace_of
from core.cli.live_recall import keep, look_of, recall, start_of
from core.cli.live_status import existing, head_of, newest_run, show
from core.cli.live_streams import Listening, heard, listening_of
from core.cli.live_terms import client_of, read_settings, terms_of, world_of
from core.cli.real_money import again, arm, held_alone, real_terms
from core.engine import Step
from core.errors import ExchangeError, RefusedError, UsageError
from core.live.account import Opening, open_account
from core.live.hearing import Hearing
from core.live.loop import Loop
from core.live.real_money import refuse_real_money
from core.live.records import COMMAND_LIFE, ONE_LOOK, RunBook
from core.live.reload import Reloading, stored_weights, weighted
from core.live.standing import command as whole
from core.live.status import AccountStatus
from core.live.status_of import limits_of
from core.live.terms import AccountTerms
from core.live.watchdog import Watchdog
from core.live.world import World
from core.order_path.lock import holder
from core.reports.screen import outside_lines
from core.settings import Settings, environment
from core.utils import format_time, now_ms
from db import live
from db.base import database_file
from db.init_db import init_db
from db.patience import Patience, patient

POLL = 1.0
"""Seconds between two looks: a command is carried out within two."""
LEAST_POLL = 0.1
"""The same at an exchange whose time runs fast: each of its bars is to be seen before the next one closes."""
HANGS = 120.0
"""Seconds after which a loop that says nothing is ended."""
LOCKED = 90.0
"""Seconds for which a loop holds what it is about to store while another program writes; less than HANGS."""
REFUSED = "refused"
"""How the outcome of a command begins that changed nothing."""


def trade(args: argparse.Namespace, command: str | None = None) -> int:
    """Follow the market until a command or a signal ends it, after this command; return the exit code.

    Raises KeyboardInterrupt when Ctrl-C ended it before it traded.
    """
    wish_to_end = listen()
    try:
        return _trade(args, command, wish_to_end)
    except KeyboardInterrupt:
        if wish_to_end.code(once=args.once):
            raise
        return 0


def _trade(args: argparse.Namespace, command: str | None, wish_to_end: Asked) -> int:
    armed = arm(args)
    recalled = recall(args) if args.once else ""
    settings = read_settings(args)
    terms = terms_of(args, settings)
    if args.log_file is not None:
        outputs.check_appended(args.log_file)
    with ExitStack() as stack:
        stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        alarms = alarms_of(settings.alerts, environment(cli.ROOT), args.account, once=args.once)
        client = client_of(args, settings, stack, alarms.on_notice, armed.address if armed else None)
        refuse_real_money(terms.orders, client, is_meant=terms.is_real)
        opened, engine, file = _database(settings, stack, alarms.on_lock)
        show_now = stack.enter_context(healthy(args, client, stack.enter_context(shown(args, file))))
        stack.enter_context(alarms.sending(opened))
        ending = stack.enter_context(Ending(wish_to_end, alarms=alarms))
        if holder(file, args.account) is None and (line := silent_end(live.newest_run(engine, args.account))):
            say(line)
            alarms.say("silent_end", line)
        if recalled:
            say(f"going on with what account {args.account} last ran on: {recalled}")
        if armed is not None and client is not None:
            terms = real_terms(armed, args, client, engine, stack.enter_context(held_alone(armed, file)))
        terms = weighted(terms, stored_weights(engine, terms.name))
        world = world_of(args, settings, engine, client)
        opening = Opening(terms, engine, world, stack, wish_to_end, say, alarms.on_alert, told_by(alarms))
        loop, book = open_account(opening)
        keep(engine, args)
        for line in (*outside_lines(loop.desk.status()), *limits_of(loop.session)):
            say(line)
        reloading = Reloading(opening, loop, lambda: again(args, client, engine))
        loop.reload, loop.set_weight = reloading, reloading.set_weight
        command_id = None if command is None else store(engine, args, command)
        ending.record = lambda why: live.end_run(engine, book.run_id, why, now_ms())
        alarms.on_start(f"the loop begins, orders: {terms.orders}")
        stack.enter_context(alarms.listening(opened))
        streams = stack.enter_context(heard(listening_of(args, client), loop, wish_to_end.nudge))
        pause = pause_of(pace_of(args))
        ended = follow(loop, world, ending, show_now, once=args.once, pause=pause, streams=streams)
        ending.why = ended.why
        left = _show_end(args, terms, engine, loop, book)
        outcome = None if command_id is None else live.outcome_of(engine, command_id)
    return ended.code or (1 if left or (outcome and outcome.startswith(REFUSED)) else 0)


def _database(
    settings: Settings, stack: ExitStack, on_lock: Callable[[str], object]
) -> tuple[Engine, Engine, Path]:
    """Return the account's database, the same waiting for other programs, and its file."""
    opened = init_db(settings.db.url)
    stack.callback(opened.dispose)
    engine = patient(opened, Patience(LOCKED, on_lock, time.monotonic))
    file = database_file(engine)
    if file is None:
        raise UsageError("an account is kept in a file: name a database other than memory")
    return opened, engine, file


def _show_end(
    args: argparse.Namespace, terms: AccountTerms, engine: Engine, loop: Loop, book: RunBook
) -> list[str]:
    """Show and keep how the account stands at the end; return what is not closed after one look."""
    desk = loop.desk.status()
    say(f"the journal ends at entry {desk.journal:,}{head_of(desk)}")
    book.beat(loop.status(loop.looked_at), now_ms())
    show(loop.status(loop.looked_at), terms.name, start_of(args, terms.typed_orders, is_running=False))
    left = loop.not_closed() if args.once else []
    for line in left:
        say(f"not closed yet: {line}; look again: {look_of(args, engine, '')}".rstrip())
    return left


def pause_of(pace: float) -> float:
    """Return the seconds between two looks at an exchange whose time runs `pace` times as fast."""
    return max(LEAST_POLL, POLL / pace) if pace > 1 else POLL


def follow(
    loop: Loop,
    world: World,
    ending: Ending,
    show_now: Show,
    *,
    once: bool,
    pause: float = POLL,
    streams: Listening | None = None,
) -> Ended:
    """Step until a command, a signal or `once` ends it, with so many seconds between; return why."""
    asked = ending.asked
    dog = Watchdog(HANGS, ending.hung, time.monotonic)
    dog.watch(HANGS / 10)
    try:
        while True:
            if streams is not None:
                streams.look(loop)
            _look(loop, world, ending.alarms, once=once)
            status = loop.status(loop.looked_at)
            show_now(status)
            ending.alarms.on_status(status)
            dog.alive()
            if loop.is_stopped:
                return Ended("told to stop")
            if once:
                return Ended(ONE_LOOK)
            if asked.wait(loop.hearing.pause(loop.looked_at, pause)):
                return Ended(f"interrupted by {asked.by}", asked.code(once=once))
    except KeyboardInterrupt:
        why = f"interrupted by {asked.by} while the exchange did not answer"
        return Ended(why, asked.code(once=once))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        dog.end()


def told_by(alarms: Alarms) -> Callable[[Step, AccountStatus], None]:
    """Return what tells a step that is kept, before anything is told of the orders that it sends."""

    def told(step: Step, status: AccountStatus) -> None:
        tell_step(step, status)
        alarms.on_step(step)

    return told


def _look(loop: Loop, world: World, alarms: Alarms = NO_ALARMS, *, once: bool) -> None:
    """Take one step; an exchange out of reach now may be back later, and its feed is stale until then.

    While it does not tell its time nothing counts as closed; commands and stops go on.

    Raises ExchangeError when there is no later.
    """
    try:
        now, trouble = _time(world, loop.hearing)
        loop.step(now, is_sure=trouble is None)
        if trouble := trouble or loop.trouble:
            raise trouble
        alarms.on_exchange(None, now)
    except ExchangeError as error:
        alarms.on_exchange(error, world.about())
        if once:
            raise
        say(f"{error}; going on")


def _time(world: World, hearing: Hearing) -> tuple[int, ExchangeError | None]:
    """Return the exchange's time, or about what it is and why it is not known."""
    hearing.hear()
    try:
        now = world.now()
        return (world.asked() if hearing.is_ahead(now) else now), None
    except ExchangeError as error:
        return world.about(), error


def give(args: argparse.Namespace, name: str) -> int:
    """Give the running loop of an account a command and wait a little for its answer.

    Raises RefusedError when no loop runs, UsageError when there is no such account.
    """
    engine = existing(args)
    newest_run(engine, args)
    file = database_file(engine)
    if file is not None and holder(file, args.account) is None:
        look = "" if name == "stop" else look_of(args, engine, _typed(args, name))
        more = look and f"; with one look at the market: {look}"
        raise RefusedError(f"no loop runs on account {args.account}: nothing was done{more}")
    command = store(engine, args, name)
    outcome = answer_to(engine, command)
    if outcome is None:
        ends = format_time(now_ms() + COMMAND_LIFE)
        look = whole(args.account, "--status", db_url=args.db_url)
        raise RefusedError(
            f"the loop of account {args.account} has not answered in {ANSWER:.0f} s; it may carry the "
            f"command out until {ends} UTC, later never: {look} shows the newest command"
        )
    print(outcome)
    return 1 if outcome.startswith(REFUSED) else 0


def store(engine: Engine, args: argparse.Namespace, name: str) -> int:
    """Store a command for the loop of an account; return its number."""
    argument = argument_of(args)
    origin = f"{getpass.getuser()}@{platform.node()}"[:64]
    return live.give_command(engine, args.account, name.replace("_", "-"), argument, origin, now_ms())


def argument_of(args: argparse.Namespace) -> str:
    """Return what a command is about, blank when it needs nothing."""
    given = (args.reset_breaker, args.reload, args.set_weight, args.accept, args.release)
    return next(filter(None, given), "")


def _typed(args: argparse.Namespace, name: str) -> str:
    """Return a command as it is typed."""
    argument = shlex.quote(given) if (given := argument_of(args)) else ""
    return " ".join(filter(None, (f"--{name.replace('_', '-')}", argument)))
