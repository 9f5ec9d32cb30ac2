"""How an account stands in Prometheus' text format, version 0.0.4: names, units and kinds by its conventions.

Source: prometheus.io/docs/instrumenting/exposition_formats and /docs/practices/naming.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from core.live.health import health_of, lag_of
from core.live.status import AccountStatus
from core.risk.limits import BREAKER_NAMES
from core.risk.pauses import row_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "hot_crypto_"
KINDS = ("halt", "hold", "exits", "flatten", "difference")
"""Of what keeps orders back."""

Labels = Mapping[str, str]


class Looked(NamedTuple):
    """What a loop said last, and when."""

    account: str
    mode: str
    status: AccountStatus | None
    """None before it said anything."""
    silent_ms: int
    """Milliseconds since it looked at the market, or since it began."""
    looks: int
    """So many times it has looked since it began."""


class Metric(NamedTuple):
    """One family of samples."""

    name: str
    kind: str
    """gauge or counter."""
    means: str
    samples: tuple[tuple[Labels, float], ...]


def metrics_text(looked: Looked) -> str:
    """Return all metrics; of what is not known there is no sample."""
    return "".join(line + "\n" for metric in _metrics(looked) for line in _lines(metric, looked.account))


def _lines(metric: Metric, account: str) -> Iterator[str]:
    name = PREFIX + metric.name
    yield f"# HELP {name} {_escaped(metric.means)}"
    yield f"# TYPE {name} {metric.kind}"
    for labels, value in metric.samples:
        named = ",".join(f'{key}="{_escaped(text, quotes=True)}"' for key, text in _labels(account, labels))
        yield f"{name}{{{named}}} {_number(value)}"


def _labels(account: str, labels: Labels) -> Iterable[tuple[str, str]]:
    return {"account": account, **labels}.items()


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value)) if value % 1 else str(int(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _metrics(looked: Looked) -> Iterator[Metric]:
    status = looked.status
    healthy = health_of(status, looked.silent_ms).is_healthy
    yield _one("info", "What the account is.", 1, {"mode": looked.mode})
    yield _one("healthy", "1 while nothing is wrong; /health says what is.", healthy)
    silent = looked.silent_ms / 1000
    yield _one("look_age_seconds", "Time since the loop looked at the market.", silent)
    yield _one("looks_total", "Looks at the market since the loop began.", looked.looks, kind="counter")
    if status is not None:
        yield from _money(status)
        yield from _positions(status)
        yield from _feeds(status, status.time + looked.silent_ms)
        yield from _risk(status)
        yield from _orders(status)


def _money(status: AccountStatus) -> Iterator[Metric]:
    labels = {"currency": status.currency}
    if status.equity is not None:
        yield _one("equity", "Worth of the account, open profit included.", status.equity, labels)
    yield _one("cash", "Cash of the account.", float(status.cash), labels)
    yield _one("cash_reserved", "Cash kept for orders.", float(status.reserved), labels)
    yield _one("status_timestamp_seconds", "The exchange's time of this.", status.time / 1000)


def _positions(status: AccountStatus) -> Iterator[Metric]:
    def whose(name: str, symbol: str) -> Labels:
        return {"strategy": name, "symbol": symbol}

    held = [(whose(one.strategy, one.symbol), one) for one in status.positions]
    signed = ((labels, float(one.amount) * (1 if one.side == "long" else -1)) for labels, one in held)
    yield Metric("position_amount", "gauge", "Base units held, negative when short.", tuple(signed))
    profit = ((labels, one.open_profit) for labels, one in held if one.open_profit is not None)
    yield Metric("position_open_profit", "gauge", "Profit at the last price, quote units.", tuple(profit))


def _feeds(status: AccountStatus, now: int) -> Iterator[Metric]:
    lags = [({"series": one.series}, lag_of(one, now)) for one in status.feeds]
    known = ((labels, lag / 1000) for labels, lag in lags if lag is not None)
    yield Metric(
        "feed_lag_seconds", "gauge", "Time since a newer candle should have been there.", tuple(known)
    )
    stale = (({"series": one.series}, float(one.stale)) for one in status.feeds)
    yield Metric("feed_stale", "gauge", "1 while nothing is entered because a candle is late.", tuple(stale))


def _risk(status: AccountStatus) -> Iterator[Metric]:
    tripped = (({"breaker": name}, float(name in map(row_of, status.breakers))) for name in BREAKER_NAMES)
    yield Metric("breaker_tripped", "gauge", "1 while a breaker refuses entries.", tuple(tripped))
    used = (({"limit": one.limit}, one.used / one.most if one.most else math.nan) for one in status.uses)
    yield Metric("limit_used_ratio", "gauge", "What is used of a limit; 1: all.", tuple(used))
    cuts = ((_cut(what), float(count)) for what, count in status.cuts.items())
    yield Metric("entries_cut_total", "counter", "Entries that a limit has cut.", tuple(cuts))
    yield _one("paused", "1 while entries are paused.", bool(status.paused))
    failed = len(status.quarantined)
    yield _one("strategies_quarantined", "Strategies that failed and enter nothing.", failed)


def _cut(what: str) -> Labels:
    """Return whose entries, and which limit: a status has them as `TREND_EMA by exposure`."""
    strategy, _, limit = what.rpartition(" by ")
    return {"strategy": strategy, "limit": limit}


def _orders(status: AccountStatus) -> Iterator[Metric]:
    yield _one("orders_open", "Orders that were approved and are not done.", len(status.open_orders))
    if (desk := status.desk) is None:
        return
    kinds = Counter(one.kind for one in desk.standing)
    standing = (({"kind": kind}, float(kinds[kind])) for kind in KINDS)
    yield Metric("orders_kept_back", "gauge", "What keeps orders back, by its kind.", tuple(standing))
    yield _one("books_agree", "1 while books and exchange agree.", not desk.disagreements)
    entries = "Entries in the account's journal."
    yield _one("journal_entries_total", entries, desk.journal, kind="counter")
    yield _one("fills_total", "Fills that are told to the account.", desk.fills, kind="counter")


def _one(name: str, means: str, value: float, labels: Labels | None = None, kind: str = "gauge") -> Metric:
    return Metric(name, kind, means, ((labels or {}, value),))
