"""The checks before orders go to an exchange: what is green, amber and red, and what refuses to begin."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli.real_money import Armed
from core.errors import SettingsError
from core.exchange.account_facts import KeyRights, binance_rights, kraken_rights
from core.live.preflight import (
    BACKUP_AGE,
    DAY,
    DISK,
    ChannelSeen,
    CheckLine,
    Colour,
    Facts,
    PaperRecord,
    Tradable,
    refusals,
)
from core.live.preflight import preflight as checks
from core.settings import RiskSettings, Settings, load_settings
from core.settings.real_money import Caps, RealMoney, load_real_money

ROOT = Path(__file__).resolve().parents[2]
GOOD = Facts(
    exchange="kraken",
    network="real money",
    has_key=True,
    quote="USDT",
    capital=500.0,
    order_cap=50.0,
    daily_loss_pct=2.0,
    commission=0.0026,
    confirmed=frozenset({"stops_need_this_program"}),
    rights=KeyRights(may_trade=True, may_withdraw=False, is_bound=True),
    status="ok",
    ahead_ms=-120,
    markets={"BTC/USDT": Tradable(is_listed=True, least=Decimal(5), has_stops=True)},
    taker_fee=Decimal("0.0026"),
    free=Decimal(600),
    foreign_orders=0,
    disk_free=DISK,
    backup_age_ms=BACKUP_AGE,
    channels=(ChannelSeen("telegram", is_critical=True), ChannelSeen("email", is_critical=False)),
    record=PaperRecord(14 * DAY),
)


def line(name: str, **changed: Any) -> CheckLine:
    """Return the one check of this name."""
    (found,) = [one for one in checks(GOOD._replace(**changed)) if one.name == name]
    return found


def test_where_all_is_in_order_all_is_green_and_stops_that_do_not_rest_are_amber() -> None:
    assert [one for one in checks(GOOD) if one.colour is not Colour.GREEN] == []
    none = {"BTC/USDT": Tradable(is_listed=True, least=Decimal(5))}
    for changed, words in (({"markets": none}, "for BTC/USDT"), ({"resting_stops": False}, "resting_stops")):
        found = line("stops", **changed)
        assert found.colour is Colour.AMBER
        assert words in found.said
        assert refusals(checks(GOOD._replace(**changed))) == []


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("network", {"network": "none"}),
        ("mode", {"is_meant": False}),
        ("key", {"has_key": False}),
        ("key", {"key_refused": "the key was not accepted"}),
        ("withdrawals", {"rights": KeyRights(True, True, True)}),
        ("withdrawals", {"rights": KeyRights(True, None, True)}),
        ("trading", {"rights": KeyRights(False, False, True)}),
        ("status", {"status": "maintenance"}),
        ("status", {"status": "cancel_only"}),
        ("clock", {"ahead_ms": None}),
        ("BTC/USDT", {"markets": {"BTC/USDT": Tradable(False, Decimal(5))}}),
        ("BTC/USDT", {"markets": {"BTC/USDT": Tradable(True, Decimal("50.01"))}}),
        ("BTC/USDT", {"capital": 4.0}),
        ("balance", {"free": None}),
        ("foreign orders", {"foreign_orders": 1}),
        ("foreign orders", {"foreign_orders": None}),
        ("breakers", {"daily_loss_pct": None}),
        ("order size", {"order_cap": None}),
        ("stops", {"confirmed": frozenset(), "resting_stops": False}),
        ("disk", {"disk_free": DISK - 1}),
        (
            "alerts",
            {"channels": (*GOOD.channels, ChannelSeen("webhook", True, "webhook (h): no connection"))},
        ),
        ("paper record", {"record": PaperRecord(14 * DAY - 1)}),
        ("paper record", {"record": None}),
        ("paper record", {"record": PaperRecord(20 * DAY, ("BTC: 1 in the books, 2 there",))}),
    ],
)
def test_real_money_is_refused_and_the_line_says_what_to_do(name: str, changed: dict[str, Any]) -> None:
    found = line(name, **changed)
    assert found.colour is Colour.RED
    assert found.said
    assert found.remedy
    assert refusals(checks(GOOD._replace(**changed))) == [found]


def test_a_key_counts_as_accepted_only_where_the_exchange_has_answered() -> None:
    assert line("key").said == "there is one, and it is accepted"
    assert line("key", free=None).said == "there is one"


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("addresses", {"rights": KeyRights(True, False, False)}),
        ("addresses", {"rights": KeyRights(True, False, None)}),
        ("status", {"status": None}),
        ("clock", {"ahead_ms": 501}),
        ("clock", {"ahead_ms": -501}),
        ("fees", {"taker_fee": Decimal("0.0027")}),
        ("fees", {"taker_fee": None}),
        ("balance", {"free": Decimal("499.99")}),
        ("backup", {"backup_age_ms": None}),
        ("backup", {"backup_age_ms": BACKUP_AGE + 1}),
        ("alerts", {"channels": ()}),
        ("alerts", {"channels": (ChannelSeen("email", is_critical=False),)}),
        (
            "alerts",
            {"channels": (*GOOD.channels, ChannelSeen("webhook", False, "webhook (h): no connection"))},
        ),
        ("paper record", {"record": None, "without_record": "the account of before was lost"}),
    ],
)
def test_what_can_wait_is_amber(name: str, changed: dict[str, Any]) -> None:
    assert line(name, **changed).colour is Colour.AMBER


def test_what_a_venue_does_not_tell_a_person_may_confirm() -> None:
    confirmed = GOOD.confirmed | {"key_cannot_withdraw", "key_is_bound_to_address"}
    lines = {
        one.name: one for one in checks(GOOD._replace(rights=KeyRights(True), confirmed=frozenset(confirmed)))
    }
    assert lines["withdrawals"] == CheckLine(
        "withdrawals", Colour.GREEN, "the key cannot withdraw: confirmed by you"
    )
    assert lines["addresses"].colour is Colour.GREEN


def test_what_a_person_confirmed_does_not_beat_what_the_venue_tells() -> None:
    confirmed = GOOD.confirmed | {"key_cannot_withdraw"}
    assert (
        line("withdrawals", rights=KeyRights(True, True), confirmed=frozenset(confirmed)).colour is Colour.RED
    )


def test_at_a_local_exchange_what_nobody_tells_refuses_nothing() -> None:
    facts = GOOD._replace(
        network="loopback", rights=KeyRights(), free=None, record=None, confirmed=frozenset(), order_cap=None
    )
    assert refusals(checks(facts)) == []


# What Kraken documents of GetApiKeyInfo, and Binance of account/apiRestrictions.
RIGHTS = (
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "query-ledger",
    "modify-trades",
    "close-trades",
)
KRAKEN = {"permissions": list(RIGHTS)}


@pytest.mark.parametrize(
    ("answer", "rights"),
    [
        ({"result": KRAKEN | {"ipAllowlist": ["203.0.113.7"]}}, KeyRights(True, False, True)),
        ({"result": KRAKEN | {"ipAllowlist": []}}, KeyRights(True, False, False)),
        ({"result": KRAKEN}, KeyRights(True, False, None)),
        ({"result": {"permissions": ["query-funds", "withdraw-funds"]}}, KeyRights(False, True, None)),
        ({"result": {"permissions": "all"}}, KeyRights()),
        ({"result": None}, KeyRights()),
        ({}, KeyRights()),
    ],
)
def test_kraken_tells_a_key_s_rights(answer: dict[str, Any], rights: KeyRights) -> None:
    assert kraken_rights(answer) == rights


BINANCE = {
    "ipRestrict": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableSpotAndMarginTrading": True,
}


@pytest.mark.parametrize(
    ("changed", "rights"),
    [
        ({}, KeyRights(True, False, True)),
        ({"enableWithdrawals": True}, KeyRights(True, True, True)),
        ({"enableInternalTransfer": True}, KeyRights(True, True, True)),
        ({"enableInternalTransfer": None}, KeyRights(True, None, True)),
        ({"ipRestrict": "yes", "enableSpotAndMarginTrading": False}, KeyRights(False, False, None)),
    ],
)
def test_binance_tells_a_key_s_rights(changed: dict[str, Any], rights: KeyRights) -> None:
    assert binance_rights(BINANCE | changed) == rights


CAPS = Caps(capital=500.0, max_order=40.0, max_orders_per_day=10, max_daily_loss_pct=2.0)


def test_entries_begin_small_and_grow_to_the_cap_in_equal_steps() -> None:
    caps = CAPS.model_copy(update={"ramp_days": 3, "ramp_start_pct": 25.0})
    assert [caps.order_cap(day) for day in (0, 1, 2, 3, 4, 400)] == [10.0, 20.0, 30.0, 40.0, 40.0, 40.0]
    assert CAPS.model_copy(update={"ramp_days": 0}).order_cap(0) == 40.0


@cache
def shipped() -> Settings:
    return load_settings(ROOT / "config", {})


def settings_with(**risk: Any) -> Settings:
    settings = shipped()
    given = {"default_risk_per_trade": 0.01, "max_daily_loss_pct": 3.0, **risk}
    return settings.model_copy(update={"risk": RiskSettings.model_validate(given)})


def file_with(caps: Caps) -> RealMoney:
    return RealMoney(
        mode="live", account="live", exchange="binanceus", address="https://api.binance.us", caps=caps
    )


@pytest.mark.unmeasured
@given(
    own=st.none() | st.floats(1, 1e6),
    a_day=st.none() | st.integers(1, 1000),
    loss=st.floats(0.1, 50),
    cap=st.floats(1, 1e6),
    most=st.integers(1, 1000),
    cap_loss=st.floats(0.1, 50),
    day=st.integers(0, 20),
)
def test_caps_make_every_limit_stricter_and_none_looser(
    own: float | None,
    a_day: int | None,
    loss: float,
    cap: float,
    most: int,
    cap_loss: float,
    day: int,
) -> None:
    caps = Caps(capital=1.0, max_order=cap, max_orders_per_day=most, max_daily_loss_pct=cap_loss)
    before = settings_with(
        max_order=own, max_orders_per_day=a_day, max_daily_loss_pct=loss, allow_short=True, max_positions=3
    )
    after = Armed(file_with(caps), day).settings(before).risk
    assert after.max_order is not None
    assert after.max_order <= min(cap, cap if own is None else own)
    assert after.max_orders_per_day == min(most, most if a_day is None else a_day)
    assert after.max_daily_loss_pct == min(loss, cap_loss)
    assert (after.allow_short, after.max_positions) == (False, 3)


@pytest.mark.parametrize(
    ("equity", "own", "share"),
    [
        (None, None, None),
        (400.0, 80.0, 80.0),
        (500.0, None, None),
        (1000.0, None, 50.0),
        (1000.0, 30.0, 30.0),
    ],
)
def test_an_account_that_is_worth_more_uses_no_more_than_its_capital(
    equity: float | None, own: float | None, share: float | None
) -> None:
    armed = Armed(file_with(CAPS), 0, equity)
    assert armed.settings(settings_with(max_exposure_pct=own)).risk.max_exposure_pct == share


def test_the_shipped_live_settings_are_for_paper_and_confirm_nothing() -> None:
    found = load_real_money(ROOT / "config")
    assert found.mode == "paper"
    assert not any(found.confirmed.model_dump().values())
    assert found.paper.without_it == ""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("mode: paper ", "mode: real ", "live.yaml:6: mode: 'real' is not allowed: wanted paper, or live"),
        ("address: https://", "address: http://", "wanted the exchange's own https address"),
        ("  max_order: 50 ", "  max_orders: 50 ", "did you mean max_order?"),
        ("  capital: 500 ", "  capital: 0 ", "caps.capital: 0 is not allowed: wanted above 0"),
        ("caps:", "cap:", "caps.capital is missing"),
        ("  days: 14", "  days: -1", "wanted 0 to 3650 (days)"),
        ("account: live ", "account: ../x ", "wanted a name such as live"),
        ("mode: paper ", "api_key: abc\nmode: paper ", "a secret does not belong here"),
    ],
)
def test_a_wrong_live_setting_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    text = (ROOT / "config" / "live.yaml").read_text()
    assert before in text
    (tmp_path / "live.yaml").write_text(text.replace(before, after, 1))
    with pytest.raises(SettingsError) as error:
        load_real_money(tmp_path)
    assert said in str(error.value)
