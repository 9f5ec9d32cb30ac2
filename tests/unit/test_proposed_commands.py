"""A command that a message proposes is whole: typed as printed it reaches the account that is meant."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace

import pytest

from core.live.standing import command, command_of
from core.live.status import Standing
from scripts import run_live

URL = "sqlite:////home/me/a b.db"


@pytest.mark.unmeasured
@pytest.mark.parametrize("account", ["paper", "a3"])
@pytest.mark.parametrize("db_url", [None, URL])
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("option", ["--resume", "--accept BTC/USDT", "--release halt", "--flatten", ""])
def test_a_command_parses_to_the_account_and_database_that_are_meant(
    account: str, db_url: str | None, once: bool, option: str
) -> None:
    typed = parsed(command(account, option, db_url=db_url, once=once))
    assert (typed.account, typed.db_url, typed.once) == (account, db_url, once)
    name, _, argument = option.removeprefix("--").partition(" ")
    assert not name or getattr(typed, name) == (argument or True)


def test_the_usual_account_and_database_are_not_named() -> None:
    assert command("paper", "--resume") == "run_live.py --resume"


def test_a_password_is_never_shown_and_the_command_reaches_no_other_database() -> None:
    line = command("a3", "--resume", db_url="postgresql://me:secret@host/db")
    assert line == "run_live.py --db-url URL --account a3 --resume"
    assert (
        parsed(command("a3", db_url="sqlite:////home/me@host/x.db")).db_url == "sqlite:////home/me@host/x.db"
    )


def test_what_keeps_orders_back_is_ended_on_its_own_account_and_database() -> None:
    one = Standing("halt", "", "doubled", command_of("--release halt", "a3"))
    typed = parsed(one.told(command("paper", db_url=URL, once=True)))
    assert (typed.account, typed.db_url, typed.once, typed.release) == ("a3", URL, True, "halt")


def parsed(text: str) -> Namespace:
    (line,) = re.findall(r"run_live\.py(.*)", text)
    return run_live.parse(shlex.split(line))
