"""No way around the guard: whatever the settings say, signed requests reach play money alone.

Every combination of settings, flags and environment makes its client, which then tries every signed call, as
it is meant and behind its back, on a transport that records what would have left.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from core import cli
from core.account.messages import OrderRequest
from core.cli import live_terms
from core.cli.live_terms import client_of
from core.errors import HotCryptoError, NotPermittedError, OrderUnknownError, UsageError
from core.exchange.rate_limit import RateLimiter
from core.exchange_client import ExchangeClient
from core.live.real_money import refuse_real_money
from core.settings import Settings, load_settings
from scripts import run_live
from tests.exchange_help import KEY, NOON, bench, said, tiny_exchange
from tests.own_files import project_in
from tests.stored import url_of

SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
NAMES = ("binanceus", "binance", "kraken", "okx")
REAL = {
    "binanceus": "https://api.binance.us",
    "binance": "https://api.binance.com",
    "kraken": "https://api.kraken.com",
    "okx": "https://www.okx.com",
}
LOCAL = ("http://127.0.0.1:8090", "http://localhost:8090", "http://[::1]:8090")
LOOK_ALIKE = (
    *("http://127.0.0.1.evil.com", "http://localhost.evil.com:8090", "http://127.0.0.1:8090@evil.com"),
    *(
        "http://127.1:8090",
        "http://10.0.0.1:8090",
        "http://me:word@127.0.0.1:8090",
        "http://127.0.0.1\\.evil.com",
    ),
)
BASES = ("", *LOCAL, *REAL.values(), *LOOK_ALIKE)
PLAY = {"127.0.0.1", "localhost", "::1", "testnet.binance.vision"}
ANSWER = {
    "serverTime": NOON,
    "code": "0",
    "error": [],
    "data": [{"ts": str(NOON)}],
    "result": {"unixtime": 1},
}


class Sent(NamedTuple):
    """One request that would have left."""

    host: str
    signed: bool
    via: object
    """The proxies it would have gone through."""


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Record what would leave, below everything that checks it, and whether it is signed, judged anew."""
    record: list[Sent] = []

    def send(_: Any, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        text = f"{request.url} {request.body!r} {dict(request.headers)}"
        signed = any(mark in text for mark in (KEY, "signature", "API-Sign", "OK-ACCESS"))
        record.append(Sent(urlsplit(request.url or "").hostname or "", signed, kwargs.get("proxies")))
        answer = requests.Response()
        answer.status_code, answer._content, answer.url = 200, json.dumps(ANSWER).encode(), request.url or ""
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", send)
    # Nobody is asked: no question is kept back or waits for the one before.
    monkeypatch.setattr(RateLimiter, "acquire", lambda *_: None)
    return record


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = project_in(tmp_path, monkeypatch)
    monkeypatch.setenv("EXCHANGE_API_KEY", KEY)
    monkeypatch.setenv("EXCHANGE_API_SECRET", SECRET)
    return root


def hosts(record: list[Sent]) -> set[str]:
    return {one.host for one in record if one.signed}


def try_everything(client: ExchangeClient) -> None:
    """Make every signed call, as it is meant and behind the client's back."""
    client._call._sleep = lambda _: None
    exchange = client._exchange
    exchange.throttle = lambda *_: None
    there = {
        "id": "BTCUSDT",
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "type": "spot",
        "spot": True,
    }
    exchange.set_markets([exchange.safe_market_structure({**there, "active": True})])
    client._markets._loaded_at = client._ticks()
    every: list[Callable[[], object]] = [
        client.get_balance,
        lambda: client.create_order("BTC/USDT", "buy", "limit", 1, 100),
        lambda: client.cancel_order("1", "BTC/USDT"),
        client.get_open_orders,
        client.orders.balances,
        client.orders.transfers,
        client.orders.open,
        lambda: client.orders.find("BTC/USDT", "mine"),
        lambda: client.orders.cancel("BTC/USDT", "mine"),
        lambda: client.orders.fills("BTC/USDT", after_id="T1"),
        lambda: client.orders.newest_fill("BTC/USDT"),
        lambda: client.orders.place(OrderRequest("mine", "BTC/USDT", "buy", Decimal(1))),
    ]
    raw: list[Callable[[], object]] = [
        exchange.fetch_balance,
        lambda: exchange.create_order("BTC/USDT", "market", "buy", 1),
        lambda: exchange.cancel_order("1", "BTC/USDT"),
        lambda: exchange.withdraw("BTC", 1, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        lambda: exchange.request("order", ["private"], "POST", {"symbol": "BTCUSDT"}),
        lambda: exchange.request("balance", ["fapiPrivateV2"], "GET"),
        lambda: exchange.request("capital/withdraw/apply", ["sapi"], "POST", {"coin": "BTC"}),
    ]
    for call in every:
        _try(call)
    exchange.apiKey, exchange.secret, exchange.password = KEY, SECRET, "word"
    for call in raw:
        _try(call)
    # Let ccxt go where it would: to money, and through a proxy.
    if exchange.isSandboxModeEnabled:
        exchange.set_sandbox_mode(False)
    exchange.urls["api"] = type(exchange)().urls["api"]
    exchange.httpsProxy = "http://proxy.evil.com:3128"
    for call in raw:
        _try(call)


def _try(call: Callable[[], object]) -> None:
    with suppress(Exception):
        call()


class Wish(NamedTuple):
    """One combination."""

    name: str
    sandbox: str
    base: str
    flag: str | None
    orders: str


def settings_of(wish: Wish, root: Path) -> Settings:
    env = {"HOT_CRYPTO_EXCHANGE_NAME": wish.name, "HOT_CRYPTO_EXCHANGE_SANDBOX": wish.sandbox}
    return load_settings(root / "config", {**env, "EXCHANGE_BASE_URL": wish.base})


def wishes() -> Iterator[Wish]:
    orders = ("paper", "exchange")
    for wish in itertools.product(NAMES, ("true", "false"), BASES, (None, *NAMES), orders):
        yield Wish(*wish)


@pytest.mark.unmeasured  # 1,200 times the same lines, which the other tests here measure.
def test_no_combination_of_settings_flags_and_environment_signs_for_real_money(
    leaving: list[Sent], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[tuple[str, ...], Settings | None] = {}
    clients: dict[object, ExchangeClient] = {}

    def once(*args: Any, **kwargs: Any) -> ExchangeClient:
        which = (*args, kwargs["base_url"])
        if which not in clients:
            clients[which] = ExchangeClient(*args, **kwargs)
            try_everything(clients[which])
        return clients[which]

    monkeypatch.setattr(live_terms, "ExchangeClient", once)
    outcome: dict[str, int] = {}
    for wish in wishes():
        if wish[:3] not in settings:
            settings[wish[:3]] = None
            with suppress(HotCryptoError):
                settings[wish[:3]] = settings_of(wish, project)
        answer = "settings refused" if (known := settings[wish[:3]]) is None else outcome_of(wish, known)
        outcome[answer] = outcome.get(answer, 0) + 1
    assert hosts(leaving) == PLAY
    # Public requests still leave for real exchanges, and nothing goes through a proxy.
    assert {"api.binance.us", "api.kraken.com"} <= {one.host for one in leaving if not one.signed}
    assert {str(one.via) for one in leaving} == {"{}"}
    assert sum(outcome.values()) == len(list(wishes())) == 4 * 2 * 15 * 5 * 2
    assert outcome.keys() == {
        "settings refused",
        "SettingsError 2, 1 line",
        "UsageError 2, 1 line",
        "UnsupportedError 2, 1 line",
        "paper",
        *PLAYED,
    }
    assert min(outcome.values()) > 1


PLAYED = ("loopback", "test network")


def outcome_of(wish: Wish, settings: Settings) -> str:
    """Open the client of a combination as run_live.py does, and say what comes of it."""
    words = ["--once", "--orders", wish.orders, *(() if wish.flag is None else ("--exchange", wish.flag))]
    args = run_live.parse(words)
    try:
        with ExitStack() as opened:
            client = client_of(args, settings, opened)
            refuse_real_money(args.orders, client)
    except HotCryptoError as error:
        lines = str(error).count("\n") + 1
        return f"{type(error).__name__} {error.exit_code}, {lines} line"
    assert client is not None
    if wish.orders == "paper":
        assert not client._key
        return "paper"
    return client.permission.network


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("env", "flags", "line"),
    [
        (
            {"HOT_CRYPTO_EXCHANGE_NAME": "binance", "HOT_CRYPTO_EXCHANGE_SANDBOX": "true"},
            ["--exchange", "binanceus"],
            "--orders exchange is for a local exchange or a test network: binanceus: it has no permission to "
            "sign requests for https://api.binance.us, where money may be real",
        ),
        (
            {"HOT_CRYPTO_EXCHANGE_NAME": "kraken", "HOT_CRYPTO_EXCHANGE_SANDBOX": "true"},
            ["--exchange", "binance"],
            "requests for https://api.binance.com, where money may be real",
        ),
        (
            {"HOT_CRYPTO_EXCHANGE_NAME": "okx", "HOT_CRYPTO_EXCHANGE_SANDBOX": "true"},
            [],
            "its test network is at the address of real money, https://www.okx.com",
        ),
        ({"HOT_CRYPTO_EXCHANGE_SANDBOX": "true"}, [], "binanceus cannot be used as a sandbox"),
        ({"EXCHANGE_BASE_URL": "http://127.0.0.1.evil.com"}, [], "for http://127.0.0.1.evil.com, where"),
        (
            {"EXCHANGE_BASE_URL": "http://127.0.0.1@evil.com"},
            [],
            "wanted http:// or https://, a host and at most a port",
        ),
        ({"EXCHANGE_BASE_URL": "http://127.0.0.1:8090"}, ["--exchange", "nowhere"], "unknown exchange"),
    ],
)
def test_a_refusal_is_one_line_and_code_2_before_anything_is_sent_or_stored(
    env: dict[str, str],
    flags: list[str],
    line: str,
    leaving: list[Sent],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    words = [
        "--once",
        "--orders",
        "exchange",
        "--account",
        "x",
        "--db-url",
        url_of(tmp_path / "live.db"),
        *flags,
    ]
    with pytest.raises(SystemExit) as ended:
        cli.run(lambda: run_live.main(words))
    assert ended.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert line in lines[0]
    assert leaving == []
    assert not (tmp_path / "live.db").exists()


# --- the client in a person's own Python -----------------------------------------------------------


def test_a_client_of_a_real_exchange_reads_but_signs_nothing(leaving: list[Sent]) -> None:
    with ExchangeClient("binanceus", KEY, SECRET) as client:
        assert not client._exchange.apiKey
        calls: list[Callable[[], object]] = [
            client.get_balance,
            client.get_open_orders,
            lambda: client.create_order("BTC/USDT", "buy", "market", 1),
            lambda: client.cancel_order("1", "BTC/USDT"),
        ]
        for call in calls:
            with pytest.raises(
                NotPermittedError, match=r"binanceus: cannot .*: no permission to sign"
            ) as caught:
                call()
            assert "\n" not in str(caught.value)
        assert leaving == []
        try_everything(client)
        client.exchange_now()
    assert hosts(leaving) == set()
    assert {one.host for one in leaving} == {"api.binance.us"}


@pytest.mark.unmeasured
def test_a_person_who_names_the_real_address_has_it_and_nothing_else(leaving: list[Sent]) -> None:
    with ExchangeClient("binance", KEY, SECRET, real_money="https://api.binance.com") as client:
        assert client.permission.network == "real money"
        try_everything(client)
        with pytest.raises(NotPermittedError, match=r"it may go to https://api\.binance\.com alone"):
            client._exchange.request("order", ["fapiPrivate"], "POST", {"symbol": "BTCUSDT"})
    assert hosts(leaving) == {"api.binance.com"}


def test_a_name_that_is_not_called_opens_nothing() -> None:
    for sandbox, base, name in (
        (False, "", "https://api.binance.com"),
        (False, "http://127.0.0.1:8090", "https://api.binance.us"),
        (False, "", "https://api.binance.us.evil.com"),
    ):
        with pytest.raises(UsageError, match="wanted one of"):
            ExchangeClient("binanceus", KEY, SECRET, sandbox, base_url=base, real_money=name)


def test_a_test_network_is_signed_for_at_its_own_hosts(leaving: list[Sent]) -> None:
    with ExchangeClient("binance", KEY, SECRET, True) as client:
        assert client._exchange.apiKey == KEY
        try_everything(client)
    assert hosts(leaving) <= PLAY
    assert "testnet.binance.vision" in hosts(leaving)


# --- over real sockets -----------------------------------------------------------------------------


def test_a_redirect_takes_no_order_elsewhere(loopback_only: list[str]) -> None:
    with tiny_exchange() as there, tiny_exchange() as elsewhere, bench(there.url) as one:
        moved = said({}, 307, Location=f"{elsewhere.url}/api/v3/order")
        there.queue("/api/v3/order", moved)
        with pytest.raises(OrderUnknownError):
            one.client.create_order("BTC/USDT", "buy", "limit", Decimal(1), Decimal(100))
        assert len(there.asked("POST", "/api/v3/order")) == 1
        assert elsewhere.requests == []
    assert set(loopback_only) == {"127.0.0.1"}


def test_no_proxy_and_no_password_file_of_the_environment_gets_a_signed_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with tiny_exchange() as there, tiny_exchange() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        there.standing["/api/v3/account"] = said(
            {"balances": [{"asset": "USDT", "free": "7", "locked": "0"}]}
        )
        with bench(there.url) as one:
            one.client._exchange.session.trust_env = True
            assert one.client.get_balance() == 7
            one.client._exchange.httpProxy = proxy.url
            assert one.client.get_balance() == 7
        assert len(there.asked("GET", "/api/v3/account")) == 2
        assert proxy.requests == []
