"""The K/V store: every layer's keys and values by slot, written where a window says and read whole.

It is a transformers `Cache`, so the library's attention modules call it. Which slots a query may read is the
caller's mask; the store only keeps what was last written. Slots never written hold zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, `[rows, kv_heads, slots, head_dim]`; keys are already rotated."""

    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.keys: Tensor = keys
        self.values: Tensor = values
        self.is_initialized = True
        self.index: Tensor | slice | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the tensors are made with the store."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the window's keys and values at the slots set by `KVStore.aim`; return all slots."""
        if self.index is None:  # the window is the whole store: keep it as it is, nothing to copy
            self.keys, self.values = key_states, value_states
        elif isinstance(self.index, slice):
            self.keys[:, :, self.index] = key_states
            self.values[:, :, self.index] = value_states
        else:
            self.keys.scatter_(2, self.index, key_states)
            self.values.scatter_(2, self.index, value_states)
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(slots, offset) as transformers' mask functions ask for them."""
        return self.keys.shape[2], 0

    def get_seq_length(self) -> int:
        """Always 0: positions are passed explicitly."""
        return 0

    def get_max_length(self) -> int:
        """The number of slots."""
        return self.keys.shape[2]


class KVStore(Cache):
    """Keys and values of all layers for `rows` sequences of `slots` slots."""

    layers: list[SlotLayer]  # type: ignore[assignment]

    def __init__(self, layers: int, shape: tuple[int, int, int, int], dtype: torch.dtype, device: torch.device) -> None:
        made = [
            SlotLayer(torch.zeros(shape, dtype=dtype, device=device), torch.zeros(shape, dtype=dtype, device=device))
            for _ in range(layers)
        ]
        super().__init__(layers=made)  # type: ignore[arg-type]

    @property
    def rows(self) -> int:
        """Sequences held."""
        return self.layers[0].keys.shape[0]

    @property
    def slots(self) -> int:
        """Slots of each sequence."""
        return self.layers[0].keys.shape[2]

    @property
    def nbytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.layers)

    def aim(self, slots: Tensor | slice) -> None:
        """Set where the next forward writes: `[rows, W]` slot numbers, or one slice for all rows.

        Two window tokens of a row must not name the same slot, save for a spare slot that nothing reads.
        """
        first = self.layers[0].keys
        index: Tensor | slice | None
        if isinstance(slots, slice):
            start, stop, _ = slots.indices(first.shape[2])
            index = None if (start, stop) == (0, first.shape[2]) else slice(start, stop)
        else:
            index = slots[:, None, :, None].expand(-1, first.shape[1], -1, first.shape[3])
        for layer in self.layers:
            layer.index = index

    def select(self, rows: Sequence[int] | Tensor) -> None:
        """Keep only `rows`, in that order."""
        index = torch.as_tensor(rows, device=self.layers[0].keys.device, dtype=torch.long)
        for layer in self.layers:
            layer.keys = layer.keys.index_select(0, index)
            layer.values = layer.values.index_select(0, index)
