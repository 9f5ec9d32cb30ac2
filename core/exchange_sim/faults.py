"""Faults on purpose: which request meets one, and what becomes of its answer.

A plan is asked once per request, in order, and depends on nothing else: the same plan and the same
requests give the same faults. Kinds:

    delay          the request is on its way for `seconds`: processed late, answered late
    reset_before   the connection is reset and the request was never processed
    reset_after    the connection is reset although the request was processed
    status         processed, then HTTP `status` with an HTML page (500, 502, 503, 504)
    rate_limit     HTTP 429 with Retry-After: `seconds`; never processed
    cut            the body ends before its Content-Length
    html           HTTP 200 with an HTML page
    empty          HTTP 200 with no body
    cut_json       HTTP 200 with the first half of the JSON
    stale          the previous answer to the same question once more
    missing        candles: some rows in the middle are left out
    duplicate      candles: one row comes twice
    garbage        candles: one row has NaN, zero, a negative price, text or high below low

and of requests that place, cancel or look up orders:

    late           the connection is reset; the request is processed when the exchange's clock has moved
                   on by `seconds`, unless its receive window is over by then
    late_answer    processed at once, answered `seconds` late
    twice          processed twice, as by a proxy that sends again; the second answer
    status_before  HTTP `status` with an HTML page; never processed
    unknown        processed, then HTTP 503 with code -1007: execution status unknown
    ban            HTTP 418 with Retry-After and the end of the ban, `seconds` on; never processed
    clock          refused with code -1021, as if the exchange's clock had jumped; never processed
    foreign        processed, but the answer names another order

and of Kraken's alone:

    warning        processed; the answer has a warning beside its result
    no_id          processed; the answer to a new order names no order
    not_counted    processed; the answer to a cancel says that it cancelled nothing

Faults at random leave `twice` and `foreign` out: no client can undo what the first does to a market
order, and the second never happens by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from core.errors import UsageError, unknown_name
from core.exchange_sim.venue import SimAnswer, SimRequest, as_json, page

CONNECTION_KINDS = ("delay", "reset_before", "reset_after", "cut")
BODY_KINDS = ("status", "rate_limit", "html", "empty", "cut_json", "stale")
CANDLE_KINDS = ("missing", "duplicate", "garbage")
KINDS = CONNECTION_KINDS + BODY_KINDS + CANDLE_KINDS
KRAKEN_KINDS = ("warning", "no_id", "not_counted")
ORDER_KINDS = (
    *("late", "late_answer", "twice", "status_before", "unknown", "ban", "clock", "foreign"),
    *KRAKEN_KINDS,
)
UNPROCESSED = ("reset_before", "rate_limit", "late", "status_before", "ban", "clock")
"""The venue never sees these requests, or not now."""
TRADING_KINDS = (
    *("delay", "reset_before", "reset_after", "cut", "status", "rate_limit", "html", "empty", "cut_json"),
    *("late", "late_answer", "status_before", "unknown", "ban", "clock"),
    *KRAKEN_KINDS,
)
"""What meets orders at random."""
METHODS = ("", "GET", "POST", "DELETE")
MOST_TIMES, MOST_SECONDS = 1_000_000, 86_400
TRADING_PATHS = (
    *("/order", "/order/oco", "/openOrders", "/orderList"),
    *("/AddOrder", "/AmendOrder", "/EditOrder", "/CancelOrder", "/OpenOrders", "/ClosedOrders"),
)
KRAKEN_PATH = "/0/"
KRAKEN_SILENCES = (
    *("EService:Timeout", "EService:Deadline elapsed", "EService:Busy", "EService:Unavailable"),
    "EGeneral:Internal error",
)
"""What Kraken says when it does not know, or does not say, what became of a request."""
CANDLE_PATHS = ("/klines", "/OHLC")
GARBAGE: tuple[tuple[int, object], ...] = (
    (4, "NaN"),
    (1, "0.00000000"),
    (3, "-1.00000000"),
    (5, "garbage"),
    (2, "0.00000001"),
    (4, None),
)
"""Column of the row and what it becomes; column 2 puts the high below the low."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and the requests it is for."""

    kind: str
    path: str = ""
    """Part of the request's path."""
    method: str = ""
    """Of the request; empty for any."""
    times: int = 1
    """So many matching requests meet it …"""
    after: int = 0
    """… once so many have passed."""
    status: int = 503
    seconds: float = 1.0
    """Of delay, or in Retry-After."""

    def __post_init__(self) -> None:
        _check_kinds((self.kind,))
        _check_seconds(self.seconds)
        if not 400 <= self.status <= 599:
            raise UsageError(f"fault option status wants an HTTP error from 400 to 599, got {self.status}")
        for name, least in (("times", 1), ("after", 0)):
            number = getattr(self, name)
            if not least <= number <= MOST_TIMES:
                raise UsageError(f"fault option {name} wants {least} to {MOST_TIMES}, got {number}")
        if self.method not in METHODS:
            raise UsageError(f"fault option method wants GET, POST or DELETE, got {self.method!r}")

    def meets(self, path: str, method: str) -> bool:
        """Say whether it is for such a request."""
        return self.path in path and self.method in ("", method) and _fits(self.kind, path)


@dataclass(frozen=True, slots=True)
class FaultSchedule:
    """Faults at random, from a seed."""

    seed: int
    rate: float = 0.05
    """Share of requests, 0 … 1."""
    kinds: tuple[str, ...] = KINDS
    seconds: float = 1.0
    """Of delay, or in Retry-After."""
    paths: tuple[str, ...] = ("",)
    """Ends of the paths it is for."""

    def __post_init__(self) -> None:
        _check_kinds(self.kinds)
        _check_seconds(self.seconds)
        if not 0 <= self.rate <= 1:
            raise UsageError(f"faults want a share of requests from 0 to 1, got {self.rate}")


class FaultPlan(Protocol):
    """Says for one request after another whether a fault meets it."""

    def next(self, path: str, method: str = "GET") -> Fault | None:
        """Return the fault for the next request, which asks for `path`."""


class ListedFaults:
    """The plan of an explicit list: the first entry that matches and is not used up."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._matched = [0] * len(self._faults)

    def next(self, path: str, method: str = "GET") -> Fault | None:
        """Return the fault for the next request, which asks for `path`."""
        found = None
        for row, fault in enumerate(self._faults):
            if not fault.meets(path, method):
                continue
            if found is None and fault.after <= self._matched[row] < fault.after + fault.times:
                found = fault
                self._matched[row] += 1
            elif self._matched[row] < fault.after:
                self._matched[row] += 1
        return found


class SeededFaults:
    """The plan of a schedule: each request draws from a stream of its own."""

    def __init__(self, schedule: FaultSchedule) -> None:
        self._schedule = schedule
        self._count = 0

    def next(self, path: str, method: str = "GET") -> Fault | None:
        """Return the fault for the next request, which asks for `path`; its method is not looked at."""
        del method
        rng = np.random.default_rng((self._schedule.seed, self._count))
        self._count += 1
        hit, which = rng.random(2)
        kinds = [kind for kind in self._schedule.kinds if _fits(kind, path)]
        meets = path.endswith(self._schedule.paths)
        if hit >= self._schedule.rate or not kinds or not meets:
            return None
        status = int(rng.choice([500, 502, 503, 504]))
        return Fault(kinds[int(which * len(kinds))], status=status, seconds=self._schedule.seconds)


class JoinedFaults:
    """Two plans in one; where both have a fault for a request the first has its way."""

    def __init__(self, first: FaultPlan, second: FaultPlan) -> None:
        self._plans = (first, second)

    def next(self, path: str, method: str = "GET") -> Fault | None:
        """Return the fault for the next request, which asks for `path`."""
        return next((fault for plan in self._plans if (fault := plan.next(path, method))), None)


Faults = Iterable[Fault] | FaultSchedule
"""A list, or a schedule of faults at random."""


def plan_of(faults: Faults, trading: Faults = ()) -> FaultPlan:
    """Return the plan, at its beginning; of two faults for a request one for orders comes first."""
    first, second = (
        SeededFaults(one) if isinstance(one, FaultSchedule) else ListedFaults(one)
        for one in (trading, faults)
    )
    return JoinedFaults(first, second)


def trading_schedule(rate: float, seed: int, seconds: float = 1.0) -> FaultSchedule:
    """Return faults at random for the requests that place, cancel and look up orders."""
    return FaultSchedule(seed, rate, TRADING_KINDS, seconds, TRADING_PATHS)


def parse_faults(text: str, seed: int, *, trading: bool = False) -> tuple[Fault, ...] | FaultSchedule:
    """Return what a command line says: `0.05`, or `status:path=klines:times=2:status=502,delay`.

    A share is one of all requests or, `trading`, of those that place, cancel and look up orders.

    Raises UsageError for an unknown kind or option and for a number that is none.
    """
    try:
        rate = float(text)
    except ValueError:
        return tuple(_parse_fault(part) for part in text.split(","))
    return trading_schedule(rate, seed) if trading else FaultSchedule(seed, rate)


def spoiled(
    fault: Fault, answer: SimAnswer, previous: SimAnswer | None, seed: int, path: str = ""
) -> SimAnswer:
    """Return what becomes of an answer whose connection is left alone.

    `previous` is the last answer to the same question, `seed` chooses the rows of candle faults and the
    words of Kraken's silences.
    """
    if fault.kind in CANDLE_KINDS:
        return _with_rows(answer, fault.kind, seed)
    if fault.kind in KRAKEN_KINDS:
        return _of_kraken(fault.kind, answer)
    if fault.kind == "unknown" and path.startswith(KRAKEN_PATH):
        return _kraken_error(KRAKEN_SILENCES[seed % len(KRAKEN_SILENCES)])
    replaced = {
        "status": _trouble(fault.status),
        "html": page(200, "Please wait"),
        "empty": answer._replace(body=b""),
        "cut_json": answer._replace(body=answer.body[: len(answer.body) // 2]),
        "stale": previous or answer,
        "unknown": as_json({"code": -1007, "msg": _UNKNOWN}, 503),
        "foreign": _renamed(answer) if fault.kind == "foreign" else answer,
    }
    kept = replaced.get(fault.kind, answer)
    return kept._replace(headers=kept.headers or answer.headers)


def instead(fault: Fault, request: SimRequest, now: int) -> SimAnswer:
    """Return what is answered to a request the venue never sees, whose connection is left alone."""
    if fault.kind == "rate_limit":
        return _rate_limited(request.path, fault.seconds)
    if fault.kind in ("ban", "clock") and request.path.startswith(KRAKEN_PATH):
        return _kraken_error("EGeneral:Temporary lockout" if fault.kind == "ban" else "EAPI:Invalid nonce")
    if fault.kind == "ban":
        until = now + round(fault.seconds * 1000)
        text = f"Way too much request weight used; IP banned until {until}."
        return _silenced(as_json({"code": -1003, "msg": text}, 418), fault.seconds)
    if fault.kind == "clock":
        text = "Timestamp for this request is outside of the recvWindow."
        return as_json({"code": -1021, "msg": text}, 400)
    return _trouble(fault.status)


_UNKNOWN = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
_TITLES: Mapping[int, str] = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


def _rate_limited(path: str, seconds: float) -> SimAnswer:
    body: dict[str, object] = {"code": -1003, "msg": "Too many requests."}
    if path.startswith(KRAKEN_PATH):
        body = {"error": ["EGeneral:Too many requests"]}
    return _silenced(as_json(body, 429), seconds)


def _silenced(answer: SimAnswer, seconds: float) -> SimAnswer:
    return answer._replace(headers=(("Retry-After", str(max(1, round(seconds)))),))


def _trouble(status: int) -> SimAnswer:
    return page(status, f"{status} {_TITLES.get(status, 'Error')}")


def _kraken_error(text: str) -> SimAnswer:
    return as_json({"error": [text]})


def _of_kraken(kind: str, answer: SimAnswer) -> SimAnswer:
    """Return an answer of Kraken's with a flaw in it; one without a result stays as it is."""
    body = json.loads(answer.body)
    result = body.get("result") if isinstance(body, dict) else None
    if not isinstance(result, dict):
        return answer
    if kind == "warning":
        return as_json(body | {"error": ["WGeneral:Deprecated"]})
    if kind == "no_id" and "txid" in result:
        return as_json(body | {"result": result | {"txid": []}})
    if kind == "not_counted" and "count" in result:
        return as_json(body | {"result": result | {"count": 0, "pending": True}})
    return answer


def _renamed(answer: SimAnswer) -> SimAnswer:
    body = json.loads(answer.body)
    if not isinstance(body, dict) or "clientOrderId" not in body:
        return answer
    return as_json(body | {"orderId": body["orderId"] + 1, "clientOrderId": "somebody-elses"}, answer.status)


def _with_rows(answer: SimAnswer, kind: str, seed: int) -> SimAnswer:
    if answer.status != 200:
        return answer
    body = json.loads(answer.body)
    rows = body if isinstance(body, list) else _kraken_rows(body)
    if len(rows) > 2:
        _spoil_rows(rows, kind, np.random.default_rng((seed, len(rows))))
    return answer._replace(body=as_json(body).body)


def _kraken_rows(body: dict[str, Any]) -> list[Any]:
    tables = [rows for rows in body.get("result", {}).values() if isinstance(rows, list)]
    return tables[0] if tables else []


def _spoil_rows(rows: list[Any], kind: str, rng: np.random.Generator) -> None:
    at = int(rng.integers(1, len(rows) - 1))
    if kind == "missing":
        del rows[at : min(at + int(rng.integers(1, 4)), len(rows) - 1)]
    elif kind == "duplicate":
        rows.insert(at, rows[at])
    else:
        column, value = GARBAGE[int(rng.integers(len(GARBAGE)))]
        rows[at][column] = value


def _fits(kind: str, path: str) -> bool:
    if kind in KRAKEN_KINDS:
        return path.startswith(KRAKEN_PATH)
    return kind not in CANDLE_KINDS or path.endswith(CANDLE_PATHS)


def _check_seconds(seconds: float) -> None:
    if not 0 <= seconds <= MOST_SECONDS:
        raise UsageError(f"fault option seconds wants 0 to {MOST_SECONDS}, got {seconds:g}")


def _check_kinds(kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        if kind not in KINDS + ORDER_KINDS:
            raise UsageError(unknown_name("fault", kind, KINDS + ORDER_KINDS))


def options_of(text: str, types: Mapping[str, type]) -> tuple[str, dict[str, Any]]:
    """Return the kind and the options of one fault. Raises UsageError for an option that is none."""
    kind, *options = text.strip().split(":")
    values: dict[str, Any] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in types:
            raise UsageError(unknown_name("fault option", name, types))
        if name in values:
            raise UsageError(f"fault option {name} is given twice in {text.strip()!r}: keep one")
        try:
            values[name] = types[name](value)
        except ValueError:
            raise UsageError(f"fault option {name} wants a number, got {value!r}") from None
    return kind, values


def _parse_fault(text: str) -> Fault:
    types = {"path": str, "method": str, "times": int, "after": int, "status": int, "seconds": float}
    kind, values = options_of(text, types)
    return Fault(kind, **values)
