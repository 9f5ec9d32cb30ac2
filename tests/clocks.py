"""A machine and an exchange whose clocks go wrong in every way, at every moment that anybody looks at one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from core.errors import ExchangeUnreachableError
from core.exchange.clock import ExchangeClock

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
STEPS = (SECOND, 3 * SECOND, 20 * SECOND, 58 * SECOND, HOUR, DAY)
SLEEPS = (200, 5 * SECOND, 2 * MINUTE, 45 * MINUTE, 9 * HOUR)


@dataclass
class Clocks:
    """Three clocks in ms: the exchange's, the machine's own, and one that nobody sets and that sleeps too."""

    rng: random.Random
    now: float
    """The exchange's."""
    step: float = 0.0
    """The machine's own is so much ahead of the exchange's."""
    ticks: float = 5e6
    ppm: int = 0
    """The steady clock runs so much faster, in millionths."""
    trouble: float = 0.0
    """Share of looks at a clock at which one of them goes wrong."""
    away: float = 0.0
    """Share of questions for the exchange's time that get no answer."""
    counts: dict[str, int] = field(default_factory=dict)

    def passes(self, ms: float) -> None:
        """Let time pass on all clocks."""
        self.now += ms
        self.step += ms * self.ppm / 1e6
        self.ticks += ms * (1 + self.ppm / 1e6)

    def sleeps(self, ms: float) -> None:
        """Suspend the machine: its steady clock stands still."""
        self.now += ms

    def happens(self) -> None:
        """Let something go wrong, or nothing: the process stops, the machine sleeps, its clock is set."""
        self.passes(self.rng.choice((0.0, 0.2, 7.0)))
        if self.rng.random() >= self.trouble:
            return
        kind = self.rng.choice(("set", "set", "sleep", "stop", "cancel"))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "set":
            self.step += self.rng.choice((1, -1)) * self.rng.choice(STEPS)
        elif kind == "sleep":
            self.sleeps(self.rng.choice(SLEEPS))
        elif kind == "stop":
            self.passes(self.rng.choice(SLEEPS))
        else:
            # The clock is set back by as much as the machine slept: nothing of it shows.
            length = self.rng.choice(SLEEPS)
            self.sleeps(length)
            self.step -= length

    def local(self) -> int:
        """Return what the machine's own clock says."""
        self.happens()
        return int(self.now + self.step)

    def steady(self) -> int:
        """Return what the steady clock says."""
        self.happens()
        return int(self.ticks)

    def ask(self) -> int:
        """Return the exchange's time as its answer tells it, some time later."""
        self.happens()
        self.passes(self.rng.choice((1.0, 40.0, 900.0)))
        if self.rng.random() < self.away:
            raise ExchangeUnreachableError("no answer")
        theirs = int(self.now)
        self.passes(self.rng.choice((1.0, 40.0, 900.0)))
        self.happens()
        return theirs

    def clock(self) -> ExchangeClock:
        """Return the exchange's time as this machine keeps it."""
        return ExchangeClock(self.local, self.steady, self.ask)
