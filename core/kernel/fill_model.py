"""The fill model compiled: copies of the same functions whose names lead to compiled ones."""

from __future__ import annotations

from functools import cache
from typing import Any

from core import domain, fills, sizing, soundness
from core.kernel.pieces import pieces_of

CALLED = (
    fills.view_ladder,
    fills.exit_asked,
    fills.close_part,
    fills.close_all,
    fills.fill,
    fills.ask,
    fills.ask_less,
    fills.ask_rungs,
    fills.ask_ladder,
)
"""What stays a function: seldom called, or from several places. All else is made part of what calls it."""


@cache
def fill_model() -> dict[str, Any]:
    """Return the functions as parts, by the names under which their source calls them."""
    functions = (
        *(
            domain.is_priced,
            domain.entry_price,
            domain.enter,
            domain.hold,
            domain.move,
            domain.flat,
            domain.ladder,
            domain.decision,
        ),
        *(sizing.round_down, sizing.brackets, sizing.steadied, sizing.is_kelly, sizing.risk_of),
        sizing.stake_of,
        *(
            sizing.multiple,
            sizing.gain,
            sizing.dear_from,
            sizing.at_close,
            sizing.at_bar,
            sizing.size_entry,
            fills.count_trade,
        ),
        *(fills.has_room, fills.equity, fills.free_cash),
        *(fills.after_exits, fills.since_exit, fills.view, fills.with_rungs, fills.view_ladder),
        *(fills.close_lot, fills.close_part, fills.drop_closed, fills.exit_asked, fills.stop_reason),
        *(fills.protect, fills.open_lot, fills.is_at_open, fills.from_touch, fills.wait_on, fills.fill),
        *(fills.close_all, fills.withdraw),
        *(
            fills.exit_reason,
            fills.ask_exit,
            fills.ask_exits,
            fills.part_of,
            fills.ask_less,
            fills.ask_entry,
        ),
        *(fills.ask_rungs, fills.ask, fills.ask_ladder),
        *(
            soundness.has_sound_price,
            soundness.has_sound_exits,
            soundness.is_sound,
            soundness.is_sound_ladder,
            soundness.is_sound_stopless,
        ),
    )
    return pieces_of(functions, {"code": fills.code}, CALLED)
