"""How orders are executed, by the settings: names, ranges, and what of it an account is opened with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from shutil import copytree

import pytest

from core import cli
from core.candles.frames import empty_bars
from core.cli.live_status import work_lines
from core.cli.live_terms import terms_of
from core.errors import SettingsError
from core.execution_algos.limit_chase import LimitChase
from core.execution_algos.machines import AlgoTerms
from core.live.configuration import configuration_of
from core.live.terms import AccountTerms
from core.live.world import World
from core.settings import load_settings
from scripts import run_live
from tests.status_help import DESK


def terms(folder: Path, execution: str, **changed: str) -> AccountTerms:
    """Return the terms of an account whose TREND_EMA executes so."""
    copytree(cli.ROOT / "config", folder, dirs_exist_ok=True)
    file = folder / "strategies.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("trend_ema:\n", f"trend_ema:\n  execution: {execution}\n", 1), "utf-8")
    names = {f"HOT_CRYPTO_EXECUTION_{name}".upper(): value for name, value in changed.items()}
    return terms_of(run_live.parse(["--strategy", "TREND_EMA,MR_BB"]), load_settings(folder, names))


def test_a_strategy_is_executed_as_its_settings_say_and_the_others_at_the_market(tmp_path: Path) -> None:
    changed = {"chase_wait_seconds": "4", "chase_until_seconds": "12.5", "split_impact_pct": "0.25"}
    one = terms(tmp_path, "limit_chase", **changed, twap_minutes="1.5")
    assert one.algorithms == {"TREND_EMA": "limit_chase"}
    assert one.machines == {"TREND_EMA": LimitChase(4_000, 12_500)}
    assert one.algo_terms == AlgoTerms(4_000, 12_500, Decimal("0.0025"), 5_000, 120_000, 5, 90_000)


@pytest.mark.unmeasured
def test_the_shipped_settings_are_the_algorithms_own() -> None:
    assert load_settings(cli.ROOT / "config", {}).execution.terms == AlgoTerms()


@pytest.mark.unmeasured
def test_the_market_is_the_default_and_no_other_configuration(tmp_path: Path) -> None:
    usual = terms(tmp_path / "a", "market")
    assert usual.algorithms == {}
    chase = terms(tmp_path / "b", "limit_chase")
    hurried = terms(tmp_path / "c", "limit_chase", chase_until_seconds="5")
    assert len({configuration_of(one) for one in (usual, chase, hurried)}) == 3
    plain = terms_of(
        run_live.parse(["--strategy", "TREND_EMA,MR_BB"]), load_settings(cli.ROOT / "config", {})
    )
    assert configuration_of(plain) == configuration_of(usual)


@pytest.mark.unmeasured
def test_an_algorithm_that_there_is_not_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"trend_ema\.execution.*iceberg.*market, limit_chase, split, twap"
    ):
        terms(tmp_path, "iceberg")


def test_a_world_of_stored_candles_has_no_book() -> None:
    assert World("x", lambda *_: empty_bars(), lambda: 0).book("BTC/USDT") is None


def test_the_status_says_how_orders_are_executed_and_how_far_they_are() -> None:
    assert work_lines(None) == []
    assert work_lines(DESK) == [
        "execution of TREND_EMA: limit_chase",
        "limit_chase: 0.25 of 1 executed by 2 orders, now maker 0.75 at 95 (k)",
    ]
    (work,) = DESK.works or ()
    assert work_lines(DESK._replace(works=(work._replace(resting="", orders=1),)))[1] == (
        "limit_chase: 0.25 of 1 executed by 1 order (k)"
    )
