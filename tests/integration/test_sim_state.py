"""The local exchange ended and started again: the account is what it was, and what it would have become."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.account.messages import OrderRequest, Terms
from core.errors import OrderUnknownError, UsageError
from core.exchange_sim.accounts import TEST_KEY, TEST_SECRET, AccountConfig
from core.exchange_sim.faults import Fault
from core.exchange_sim.orders import OwnTrade
from core.exchange_sim.server import SimConfig, serve
from core.exchange_sim.synthetic import SyntheticSource
from tests.exchange_help import NOON, FakeTime, bench
from tests.sim import HOUR

D = Decimal
SOURCE = SyntheticSource(7)
SYMBOL = "BTC/USDT"
ACCOUNT = AccountConfig(balances={"USDT": D(10_000), "BTC": D(1)})


def books(config: SimConfig) -> Any:
    """Return everything the account is at the config's time."""
    with serve(config) as sim:
        found = sim.books()
    return found.wallet.all(), found.orders, found.trades, found.lists


def trade(config: SimConfig, time: FakeTime, first: int, count: int) -> dict[str, list[OwnTrade]]:
    """Place orders around the price, one every three minutes, and cancel some; two answers get lost."""
    with serve(config) as sim, bench(sim.url, time=time, api_key=TEST_KEY, api_secret=TEST_SECRET) as one:
        orders, price = one.client.orders, D("65500")
        sim.set_faults([Fault("reset_after", path="order", method="POST", times=2)])
        for n in range(first, first + count):
            side: Any = "buy" if n % 2 else "sell"
            away = D("1.002") if side == "sell" else D("0.998")
            if n % 4 == 3:
                wanted = OrderRequest(f"c{n}", SYMBOL, side, D("0.01"))
            else:
                wanted = OrderRequest(f"c{n}", SYMBOL, side, D("0.01"), Terms("limit", price * away))
            with suppress(OrderUnknownError):
                orders.place(wanted)
            time.now += 180_000
        for order in orders.open()[:2]:
            orders.cancel(SYMBOL, order.client_order_id)
        return {symbol: list(trades) for symbol, trades in sim.books().trades.items()}


def config_of(path: Path | None, time: FakeTime, **how: Any) -> SimConfig:
    return SimConfig(**{"source": SOURCE, "clock": time.clock, "account": ACCOUNT, "state": path, **how})


@pytest.mark.unmeasured
def test_a_restarted_exchange_has_the_same_account(tmp_path: Path) -> None:
    kept = FakeTime()
    path = tmp_path / "account"
    trade(config_of(path, kept), kept, 0, 12)
    alive = trade(config_of(path, kept), kept, 12, 12)
    kept.now = NOON + 12 * HOUR
    one, two = books(config_of(path, kept)), books(config_of(path, kept))
    assert one == two
    # What the second life saw before it ended is what the third remembers.
    assert {name: trades[: len(alive[name])] for name, trades in one[2].items()} == alive
    assert [order.client_id for order in one[1][SYMBOL].values()] == [f"c{n}" for n in range(24)]
    assert len(one[2][SYMBOL]) > 10


@pytest.mark.unmeasured
def test_half_a_line_is_a_change_that_was_never_answered(tmp_path: Path) -> None:
    time, path = FakeTime(), tmp_path / "account"
    trade(config_of(path, time), time, 0, 4)
    found, text = books(config_of(path, time)), path.read_text()
    path.write_text(text + '[17041104, "POST", "/api/v')
    assert books(config_of(path, time)) == found
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hello\n", "no state of this exchange"),
        ("hello", "no state of this exchange"),
        ('{"exchange": "csv"}\n', "no state of this exchange"),
    ],
)
def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "account"
    path.write_text(text)
    with pytest.raises(UsageError, match=why), serve(config_of(path, FakeTime())):
        pass
    assert path.read_text() == text


def test_the_state_of_another_seed_or_other_balances_is_refused(tmp_path: Path) -> None:
    path, time = tmp_path / "account", FakeTime()
    books(config_of(path, time))
    for how in ({"seed": 8}, {"account": AccountConfig()}):
        with (
            pytest.raises(UsageError, match="with this seed, these balances"),
            serve(config_of(path, time, **how)),
        ):
            pass


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "folder"):
        with (
            pytest.raises(UsageError, match="cannot keep the account in"),
            serve(config_of(path, FakeTime())),
        ):
            pass


def test_a_line_that_is_no_change_is_refused(tmp_path: Path) -> None:
    path, config = tmp_path / "account", config_of(tmp_path / "account", FakeTime())
    books(config)
    path.write_text(path.read_text() + "[1]\n")
    with pytest.raises(UsageError, match="a line of it is none of its own"), serve(config):
        pass


def test_a_restarted_exchange_knows_what_came_and_what_went(tmp_path: Path) -> None:
    time, path = FakeTime(), tmp_path / "account"
    with serve(config_of(path, time)) as sim:
        sim.credit(sim.deposit("SOL", "2", pending=True))
        sim.deposit("USDT", "5")
        found = sim.books().wallet.all()
    assert (found["SOL"].free, found["USDT"].free) == (D(2), D(10_005))
    assert books(config_of(path, time))[0] == found
