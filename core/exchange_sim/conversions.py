"""What a person turns into another coin at the venue without an order, and small amounts swept together."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from core.exchange_sim import binanceus_params as given
from core.exchange_sim.accounts import Wallet
from core.exchange_sim.binanceus_params import Params
from core.exchange_sim.venue import Json

SPAN = ("startTime", "endTime")
OTC = (*SPAN, "coinPair", "limit")


@dataclass(frozen=True, slots=True)
class Conversion:
    """One coin that became another."""

    id: int
    gone: tuple[str, Decimal]
    came: tuple[str, Decimal]
    is_dust: bool
    time: int
    """ms UTC."""


@dataclass
class Conversions:
    """All conversions of one account."""

    wallet: Wallet
    made: list[Conversion] = field(default_factory=list)

    def convert(self, params: Params, now: int) -> object:
        """Turn an amount of a coin into another. Raises RequestRefused when there is not so much of it."""
        gone = params["coin"], Decimal(params["amount"])
        came = params["into"], Decimal(params["brings"])
        self.wallet.lock(*gone)
        self.wallet.pay(*gone)
        self.wallet.earn(*came)
        self.made.append(Conversion(len(self.made) + 1, gone, came, params["dust"] == "true", now))
        return {"id": len(self.made)}

    def list_dust(self, params: Params, now: int) -> object:
        """Return the sweeps that a request chooses; both ends of its span have to be named."""
        for name in SPAN:
            given.required(params, name)
        rows = [_dust(one) for one in self._chosen(params, now, is_dust=True)]
        return {"total": len(rows), "userDustConvertHistory": rows}

    def list_orders(self, params: Params, now: int) -> object:
        """Return the conversions that a request chooses."""
        rows = [_order(one) for one in self._chosen(params, now, is_dust=False)]
        return {"total": len(rows), "rows": rows}

    def _chosen(self, params: Params, now: int, *, is_dust: bool) -> list[Conversion]:
        start, end = given.whole(params, "startTime") or 0, given.whole(params, "endTime")
        last = now if end is None else end
        return [one for one in self.made if one.is_dust is is_dust and start <= one.time <= last]


def _dust(one: Conversion) -> Json:
    coin, amount = one.gone
    into, brought = one.came
    return {
        "operateTime": one.time,
        "totalServiceChargeAmount": "0",
        "totalTransferedAmount": f"{brought:f}",
        "tranId": one.id,
        "userAssetDribbletDetails": [
            {
                "tranId": one.id,
                "operateTime": one.time,
                "fromAsset": coin,
                "amount": f"{amount:f}",
                "toAsset": into,
                "transferedAmount": f"{brought:f}",
                "serviceChargeAmount": "0",
            }
        ],
    }


def _order(one: Conversion) -> Json:
    return {
        "quoteId": f"local-quote-{one.id}",
        "orderId": f"local-otc-{one.id}",
        "orderStatus": "SUCCESS",
        "fromCoin": one.gone[0],
        "fromAmount": f"{one.gone[1]:f}",
        "toCoin": one.came[0],
        "toAmount": f"{one.came[1]:f}",
        "createTime": one.time,
    }
