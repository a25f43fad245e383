"""Which tokens stood on the slots that were revised: kept on the host, for those slots alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from torch import Tensor

from methods.decoding.state import State

Edit = list[int | None]  # [forward, slot of the output, token id or None for a mask]


class History:
    """The edits of the rows that are being decoded, by the number of their request.

    Nothing is read from the device unless a step revised a token, so decoders that never revise pay nothing.
    """

    def __init__(self) -> None:
        self._rows: dict[int, dict[int, list[tuple[int, int | None]]]] = {}

    def note(self, index: Sequence[int], state: State, changed: Tensor, ids: Tensor, since: Tensor) -> None:
        """Note the slots `changed` [B, C] by the step that is over.

        ids, since [B, C]: what stood there before it, and the forward after which that was committed.
        """
        row, pos = changed.nonzero().unbind(1)
        now = state.ids.masked_fill(state.open, -1)
        facts = (row, pos - state.prompt[row], ids[row, pos], since[row, pos], now[row, pos], state.forwards[row])
        for one, place, old, began, new, forward in zip(*(fact.tolist() for fact in facts), strict=True):
            slots = self._rows.setdefault(index[one], defaultdict(list))
            if not slots[place] or slots[place][-1][1] is None:
                slots[place].append((began, old))
            slots[place].append((forward, None if new < 0 else new))

    def take(self, index: int, latest: Sequence[int], output: Sequence[int]) -> list[Edit]:
        """Everything that stood on each revised slot of the finished request `index`, by forward and slot.

        latest, output: the last commit and the token of every slot. A slot's first entry is its first commit, its
        last one the token that stayed.
        """
        found: list[tuple[int, int, int | None]] = []
        for place, entries in self._rows.pop(index, {}).items():
            if place < len(output):
                found += [(forward, place, token) for forward, token in entries]
                if entries[-1][1] is None and latest[place] > entries[-1][0]:
                    found.append((latest[place], place, output[place]))
        return [[forward, place, token] for forward, place, token in sorted(found, key=lambda edit: edit[:2])]
