"""A ladder bar by bar."""

from __future__ import annotations

from typing import Any

from core.domain import Decision, PositionView
from strategies.base import BaseStrategy
from strategies.signals import (
    levels_of,
    priced,
    protection,
    reason_word,
    remembered,
    rungs_of,
    side_name,
    withdrawing,
)
from strategies.window import SymbolState


class LadderStrategy(BaseStrategy):
    """A ladder bar by bar: one signal for each rung to open or close; each names all `levels` wanted."""

    def set_position(self, symbol: str, position: PositionView) -> None:
        """Tell the strategy which rungs it holds; `levels` shows them as {1: True, 2: False, …}."""
        super().set_position(symbol, position)
        self._of(symbol)["levels"] = levels_of(position.rungs, self.params.levels)

    def _actions(self, held: PositionView, want: Decision) -> list[tuple[str, dict[str, Any]]]:
        levels = levels_of(want.rungs, self.params.levels)
        why = {"reason": reason_word(want.reason), "target": want.target, "levels": levels}
        closing = rungs_of(held.rungs & ~want.rungs)
        opening = rungs_of(want.rungs & ~held.rungs)
        actions: list[tuple[str, dict[str, Any]]] = [
            (f"CLOSE_{side_name(held.side)}", {"level": level} | why) for level in closing
        ]
        entry = protection(want) | remembered(held.note, want) | priced(want) | why
        opened = f"OPEN_{side_name(1 if want.target > 0 else -1)}"
        actions += [(opened, {"level": level} | entry) for level in opening]
        return actions or [("HOLD", withdrawing(held, want))]

    def _of(self, symbol: str) -> SymbolState:
        state = super()._of(symbol)
        state.setdefault("levels", levels_of(0, self.params.levels))
        return state
