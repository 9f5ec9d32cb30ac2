"""What run_live.py --reload does to a running loop: other parameters, strategies, limits between two bars.

Everything is prepared first, and the loop changes only if all of it works. Python code is not exchanged: a
loop whose strategies' files have changed says so, and a restart, which keeps every position, takes them.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from core.account.values import Held
from core.backtest.plan import PlannedRun
from core.domain import FLAT, Bar, Series
from core.engine import Session, Slot
from core.errors import HotCryptoError
from core.execution import Executor, Plan
from core.figures import how_many
from core.live.account import Opening, take_rules, waits_of
from core.live.loop import Loop
from core.live.modes import AT_EXCHANGE
from core.live.standing import command
from core.live.terms import AccountTerms, quote_of
from core.live.warming import warmed_up
from core.portfolio import Portfolio
from core.secrecy import words_of
from core.utils import timeframe_ms
from db import live
from strategies.registry import load_strategy

WEIGHTS, WEIGHT = "weights", "_weight"
MOST_CHANGE = 0.5
"""Of a weight, by one command."""
STRATEGIES = Path(__file__).resolve().parents[2] / "strategies"


class MemberChange(NamedTuple):
    """What a new list of members changes, by strategy and symbol."""

    added: dict[Held, PlannedRun]
    swapped: dict[Held, PlannedRun]
    dropped: dict[Held, PlannedRun]

    def __str__(self) -> str:
        said = []
        for word, found in (("added", self.added), ("changed", self.swapped), ("dropped", self.dropped)):
            if found:
                said.append(f"{word} {', '.join(f'{name} on {symbol}' for name, symbol in found)}")
        return "; ".join(said) or "no strategy changed"


class _Refused(Exception):  # noqa: N818 -- an answer to a person, not an error of the program
    """Why the loop stays as it is."""


class Reloading:
    """Carries out reloads of one loop."""

    def __init__(self, given: Opening, loop: Loop, read: Callable[[], AccountTerms]) -> None:
        """Take what the account was opened with, and what reads its terms again.

        The code of its strategies is remembered.
        """
        self._given, self._loop, self._read = given, loop, read
        self._members = {(one.strategy, one.symbol): one for one in given.terms.members}
        self._weights = stored_weights(given.engine, given.terms.name)
        self._code = code_of(STRATEGIES)

    def __call__(self, policy: str, now: int) -> str:
        """Read settings and strategies again and change the loop; return what came of it in a line."""
        try:
            return self._reload(policy, now)
        except _Refused as refused:
            return f"refused: {refused}; everything stays as it is"
        except HotCryptoError as error:
            return f"refused: {' '.join(str(error).split())}; everything stays as it is"

    def _reload(self, policy: str, now: int) -> str:
        changed_code = sorted(name for name, _ in self._code ^ code_of(STRATEGIES))
        if changed_code:
            raise _Refused(
                f"{', '.join(dict.fromkeys(changed_code))} changed since the loop began, and code is taken "
                "by a restart, which keeps positions"
            )
        terms = weighted(self._read(), self._weights)
        if not terms.members:
            raise _Refused("no strategy has a symbol to trade")
        if terms.quote != quote_of(self._members.values()):
            raise _Refused("the account counts in another currency than these symbols")
        said = self._become(terms.members, policy, now, terms)
        return f"{said[0]}; limits are those of the settings now{said[1]}"

    def set_weight(self, told: str, now: int) -> str:
        """Give a strategy's parameter that is a weight another value, such as ENSEMBLE.turtle_weight=0.5.

        Within the rule's bounds, and by MOST_CHANGE at a time; kept for the account's next starts.
        """
        try:
            name, value = self._asked(told)
            weights = {**self._weights, name: value}
            said = self._become(reweighted(self._members.values(), weights), "keep", now, None)
        except _Refused as refused:
            return f"refused: {refused}; everything stays as it is"
        except HotCryptoError as error:
            return f"refused: {' '.join(str(error).split())}; everything stays as it is"
        self._weights = weights
        live.keep_state(self._given.engine, self._given.terms.name, WEIGHTS, weights, now)
        return f"{name} is {value:g} now; {said[0]}"

    def _asked(self, told: str) -> tuple[str, float]:
        """Return the parameter and its value. Raises _Refused for what may not be set."""
        name, _, text = told.partition("=")
        strategy, _, param = name.partition(".")
        known = {
            f"{one.strategy}.{key}": value
            for one in self._members.values()
            for key, value in one.params.items()
            if key.endswith(WEIGHT)
        }
        if name not in known:
            weights = ", ".join(known) or "none, since ENSEMBLE does not run here (enable it, or --strategy)"
            raise _Refused(f"{name!r} is no weight of this loop; weights are: {weights}")
        try:
            value = float(text)
        except ValueError:
            raise _Refused(f"wanted {name}=NUMBER, got {told!r}") from None
        if problems := load_strategy(strategy).rule.check_value(param, value):
            raise _Refused("; ".join(problems))
        if abs(value - known[name]) > MOST_CHANGE:
            raise _Refused(f"{name} is {known[name]:g}, and changes by {MOST_CHANGE:g} at a time at most")
        return name, value

    def _become(
        self, wanted: Sequence[PlannedRun], policy: str, now: int, terms: AccountTerms | None
    ) -> tuple[str, str]:
        """Change the loop to these members and terms; return what changed, and what is being closed."""
        change = changes(self._members, wanted)
        self._check(change, policy)
        fresh, since = self._prepared({**change.added, **change.swapped})
        closing = 0
        if policy == "flatten":
            gone = change.swapped.keys() | change.dropped.keys()
            slots = [slot for slot in self._loop.session.slots if slot[:2] in gone]
            closing, _ = self._loop.closing.close(slots, now)
        self._apply(change, fresh, since, waits_of(wanted, self._given.world.label), terms)
        self._members = {(one.strategy, one.symbol): one for one in wanted}
        return str(change), f"; closing {how_many(closing, 'position')} at the next price" if closing else ""

    def _typed(self, option: str) -> str:
        terms = self._given.terms
        return command(terms.name, option, db_url=terms.typed_url, once=terms.once, orders=terms.typed_orders)

    def _check(self, change: MemberChange, policy: str) -> None:
        portfolio = self._loop.session.portfolio
        pending = {(one.intent.strategy, one.intent.symbol) for one in portfolio.pending.values()}
        for held, new in change.swapped.items():
            moves = new.timeframe != self._members[held].timeframe
            if moves and (portfolio.lots(*held) or held in pending):
                typed = self._typed("--flatten")
                raise _Refused(f"{held[0]} holds {held[1]} and cannot change its timeframe: {typed} first")
        for held in change.dropped:
            busy = held in pending or (policy == "keep" and portfolio.lots(*held))
            if busy:
                raise _Refused(
                    f"{held[0]} holds or orders {held[1]} and is not to trade it any more: "
                    f"{self._typed('--reload flatten')}, or {self._typed('--flatten')} first"
                )

    def _prepared(
        self, wanted: dict[Held, PlannedRun]
    ) -> tuple[dict[Held, tuple[Slot, Plan]], dict[Series, int]]:
        """Return slots that have seen their candles and can decide, and each series' newest candle."""
        session, world = self._loop.session, self._given.world
        known = {(symbol, timeframe): newest for symbol, timeframe, newest, _ in session.counted()}
        if world.client is not None:
            symbols, is_traded = {symbol for _, symbol in wanted}, self._given.terms.orders == AT_EXCHANGE
            take_rules(world.client, sorted(symbols), session.risk, is_traded=is_traded)
        aside = Session(Executor(Portfolio(1), session.risk, session.desk, session.executor.costs))
        been = session.risk.state.time
        since = warmed_up(aside, wanted.values(), world, known, self._given.say, been)
        for slot in aside.slots:
            try_out(slot)
        return {slot[:2]: (slot, aside.executor.plans[slot.strategy]) for slot in aside.slots}, since

    def _apply(
        self,
        change: MemberChange,
        fresh: dict[Held, tuple[Slot, Plan]],
        since: dict[Series, int],
        waits: Mapping[Series, Iterable[Series]],
        terms: AccountTerms | None,
    ) -> None:
        session = self._loop.session
        for held in change.dropped:
            session.drop(*held)
        for held, (slot, plan) in fresh.items():
            if held in change.swapped and plan.timeframe == self._members[held].timeframe:
                session.swap(slot, plan)
                continue
            if held in change.swapped:
                session.drop(*held)
            session.add(*held, plan, slot.decider, slot.followed)
            self._loop.desk.follow(*held, plan.timeframe)
        for series, newest in since.items():
            self._loop.feed.follow(series, newest)
        for series in self._loop.feed.series:
            if not session.needs(series.symbol, series.timeframe):
                self._loop.feed.forget(series)
        self._loop.feed.wait_for(waits)
        if terms is not None:
            session.risk.take_settings(terms.risk.manager(session.executor.costs))
            self._loop.desk.fill_at_most(terms.volume_share)
        for name in {name for name, _ in fresh}:
            # Another rule than the one that failed.
            session.release(name)


def stored_weights(engine: Engine, account: str) -> dict[str, float]:
    """Return the weights that commands gave an account, such as {"ENSEMBLE.turtle_weight": 0.5}."""
    return dict(live.read_state(engine, account).get(WEIGHTS, {}))


def weighted(terms: AccountTerms, weights: Mapping[str, float]) -> AccountTerms:
    """Return the terms with these weights in place of their members' own."""
    return replace(terms, members=reweighted(terms.members, weights))


def reweighted(members: Iterable[PlannedRun], weights: Mapping[str, float]) -> tuple[PlannedRun, ...]:
    """Return the members with these weights in place of their own."""
    found = []
    for one in members:
        own = {key: weights.get(f"{one.strategy}.{key}", value) for key, value in one.params.items()}
        found.append(one._replace(params=own))
    return tuple(found)


def changes(before: dict[Held, PlannedRun], wanted: Iterable[PlannedRun]) -> MemberChange:
    """Return what is new, what differs and what is gone."""
    after = {(one.strategy, one.symbol): one for one in wanted}
    return MemberChange(
        {held: one for held, one in after.items() if held not in before},
        {held: one for held, one in after.items() if held in before and _differs(one, before[held])},
        {held: one for held, one in before.items() if held not in after},
    )


def _differs(one: PlannedRun, other: PlannedRun) -> bool:
    return one._replace(params={}) != other._replace(params={}) or dict(one.params) != dict(other.params)


def try_out(slot: Slot) -> None:
    """Let a copy of a strategy decide on one more candle like the last. Raises _Refused when it cannot."""
    decider = copy.deepcopy(slot.decider)
    frame = decider.strategy.state[slot.symbol]["df"]  # type: ignore[attr-defined]
    step, close = timeframe_ms(slot.timeframe), float(frame["close"].iloc[-1])
    ts = int(frame.index[-1].value // 1_000_000) + step
    bar = Bar(slot.symbol, slot.timeframe, ts, ts + step, close, close, close, close, 1.0)
    try:
        decider.decide(bar, FLAT)
    except (Exception, SystemExit) as error:  # whatever a rule raises, before it can do so while it trades
        raise _Refused(f"{slot.strategy} cannot decide: {words_of(error)}") from error


def code_of(folder: Path) -> frozenset[tuple[str, str]]:
    """Return name and hash of every Python file in a folder."""
    files = sorted(folder.glob("*.py"))
    return frozenset((file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files)
