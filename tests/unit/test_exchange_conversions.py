"""What Binance.US says of conversions and of dust swept together, read row by row."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from core.account.messages import Transfer
from core.errors import ExchangeUnreachableError
from core.exchange.conversions import BACK, read_conversions

D = Decimal
NOW = 1_700_000_000_000
SWEEP = {
    "operateTime": "5",
    "tranId": "77",
    "userAssetDribbletDetails": [
        {"fromAsset": "LTC", "amount": "0.01", "transferedAmount": "0.002", "toAsset": "BTC"},
        {"fromAsset": "TRX", "amount": "3", "transferedAmount": "0.001", "operateTime": "6"},
    ],
}
ORDER = {
    "orderId": "10002349",
    "orderStatus": "SUCCESS",
    "fromCoin": "BTC",
    "fromAmount": "1",
    "toCoin": "USDT",
    "toAmount": "50550.26",
    "createTime": "9",
}


class ExchangeError(Exception):
    """Named as ccxt's."""


class DeniedError(ExchangeError):
    pass


class NetworkError(Exception):
    """Named as ccxt's."""


def venue(dust: Any = None, orders: Any = None) -> Any:
    """Return what answers so, or raises it; None has no such call."""

    def answering(answer: Any) -> Any:
        def answered(span: dict[str, int]) -> Any:
            assert span == {"startTime": NOW - BACK, "endTime": NOW}
            if isinstance(answer, Exception):
                raise answer
            return answer

        return answered

    calls = {"sapi_get_asset_query_dust_logs": dust, "sapi_get_otc_orders": orders}
    made = {name: answering(answer) for name, answer in calls.items() if answer is not None}
    return SimpleNamespace(milliseconds=lambda: NOW, **made)


def test_of_each_conversion_what_went_and_what_came_is_read() -> None:
    still = {**ORDER, "orderStatus": "PROCESS"}
    found = read_conversions(venue({"userDustConvertHistory": [SWEEP]}, {"rows": [ORDER, still]}))
    assert found == [
        Transfer("dust", "77", "LTC", D("-0.01"), 5),
        Transfer("dust", "77", "BTC", D("0.002"), 5),
        Transfer("dust", "77", "TRX", D(-3), 6),
        # Where it does not say into what, it is what such a venue sweeps into.
        Transfer("dust", "77", "BNB", D("0.001"), 6),
        Transfer("convert", "10002349", "BTC", D(-1), 9),
        Transfer("convert", "10002349", "USDT", D("50550.26"), 9),
    ]


@pytest.mark.parametrize("answer", [None, DeniedError("not you"), {"total": 0}, [], {"rows": ["x"]}])
def test_a_venue_that_lists_none_or_not_to_this_key_has_none(answer: Any) -> None:
    assert read_conversions(venue(answer, answer)) == []
    assert len(read_conversions(venue(answer, [ORDER]))) == 2


def test_what_the_network_did_is_trouble_and_no_empty_list() -> None:
    with pytest.raises(NetworkError):
        read_conversions(venue(NetworkError("cut")))


@pytest.mark.parametrize("name", ["orderId", "fromCoin", "toCoin", "fromAmount", "toAmount", "createTime"])
def test_a_row_that_a_ledger_cannot_use_is_trouble(name: str) -> None:
    with pytest.raises(ExchangeUnreachableError, match="a convert without id, assets, amounts or time"):
        read_conversions(venue(None, [{**ORDER, name: None}]))
