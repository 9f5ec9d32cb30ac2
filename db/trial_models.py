"""The tables of the trial journal: every parameter set that was ever tried, chained entry by entry."""

from __future__ import annotations

from sqlalchemy import Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.declared import Base
from db.models import STRICT, Int64, Name


class TrialEntry(Base):
    """What one batch of trials, one look at a held-out window or one declaration of it was."""

    __tablename__ = "trial_entries"
    __table_args__ = (
        Index("trial_entries_of_rule", "rule"),
        Index("trial_entries_of_study", "study"),
        STRICT,
    )

    seq: Mapped[int] = mapped_column(Int64, primary_key=True)
    """From 1 on, without a hole."""
    ts: Mapped[int] = mapped_column(Int64)
    """When it was written."""
    kind: Mapped[str] = mapped_column(Name)
    """study, trials, look, held_out."""
    command: Mapped[str] = mapped_column(Name)
    """What ran it: optimize, sweep, backtest, ensemble."""
    study: Mapped[str] = mapped_column(Name)
    """The search that it belongs to; blank for none."""
    batch: Mapped[int] = mapped_column(Int64)
    """Which of that search, from 0 on."""
    rule: Mapped[str] = mapped_column(Name)
    code: Mapped[str] = mapped_column(Name)
    """The hash of the code that ran it (core.version)."""
    series_json: Mapped[str] = mapped_column(Text)
    """The series it ran on: of each exchange, symbol, timeframe, first and last bar, bars, their SHA-256."""
    window_from: Mapped[int] = mapped_column(Int64)
    window_to: Mapped[int] = mapped_column(Int64)
    """Open times of the first and the last bar of all of them, both included."""
    terms_json: Mapped[str] = mapped_column(Text)
    """Costs, cash, and of a search what was asked."""
    names_json: Mapped[str] = mapped_column(Text)
    """The parameters, in the order of `sets`, and the figures, in that of `results`."""
    trials: Mapped[int] = mapped_column(Int64)
    """How many sets there are."""
    sets: Mapped[bytes] = mapped_column(LargeBinary)
    """Their values, a row each, 64-bit floats, little-endian, deflated."""
    results: Mapped[bytes] = mapped_column(LargeBinary)
    """Their figures, in the same way."""
    results_sha256: Mapped[str] = mapped_column(Name)
    """Over the figures as they were before they were deflated."""
    hash: Mapped[str] = mapped_column(Name)
    """Over all of this and the hash of the entry before."""


class TrialHead(Base):
    """One row: the newest entry, so that one that is taken away at the end is missed."""

    __tablename__ = "trial_heads"
    __table_args__ = STRICT

    id: Mapped[int] = mapped_column(Int64, primary_key=True)
    seq: Mapped[int] = mapped_column(Int64)
    hash: Mapped[str] = mapped_column(Name)
