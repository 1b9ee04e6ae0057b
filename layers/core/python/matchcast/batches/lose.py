"""End a part whose message came to an end without it: workers died of it, again and again."""

from __future__ import annotations

from matchcast.batch_messages import LosePart
from matchcast.batches.finish import FinishParts
from matchcast.batches.plan import Window
from matchcast.domain.batch import RowError

_DETAIL = "The part of this row was started several times and never came to an end. Try its rows again."


class LoseParts:
    """Ends lost parts, with an error for each row that has no prediction yet."""

    def __init__(self, finish: FinishParts, window: Window) -> None:
        self._finish = finish
        self._window = window

    def lose(self, message: LosePart) -> None:
        """End a part unless it has ended; its message may never have sent the next one, so that is sent first."""
        still_open = self._finish.open(message.batch_id, message.generation, message.number)
        if still_open is not None:
            batch, before = still_open
            self._window.go_on(batch, message.position)
            self._finish.give_up(batch, message.number, before, RowError(message.cause, "", _DETAIL))
