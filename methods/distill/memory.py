"""What a training run will need: an estimate printed before the start, in bytes per device without sharding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from methods.distill.distiller import base_of, rows_per_chunk

UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def size(value: int) -> str:
    """Bytes for people."""
    for unit, name in UNITS:
        if value >= unit:
            return f"{value / unit:.2f} {name}"
    return f"{value} B"


@dataclass(frozen=True)
class Memory:
    """Bytes by purpose. Activations use 34 * hidden bytes per token and layer at 16 bits (Korthikanti et al.,
    arXiv:2205.05198, without the quadratic term, which fused attention does not store).
    """

    weights: int
    teacher: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """Everything together."""
        return self.weights + self.teacher + self.gradients + self.optimizer + self.activations + self.logits

    def rows(self) -> list[dict[str, str]]:
        """A table for people."""
        parts = {name: getattr(self, name) for name in self.__dataclass_fields__} | {"total": self.total}
        return [{"memory": name, "size": size(value)} for name, value in parts.items()]


def estimate(student: Any, *, copies: int, tokens: int, half: bool, checkpointing: bool) -> Memory:
    """The need of training `student` (its trainable parameters are marked) on `tokens` tokens per forward pass.

    copies: frozen teacher copies of the base weights (0 when the adapter is switched off). half: 16-bit activations.
    """
    model = base_of(student)
    config = model.config
    weights = sum(p.numel() * p.element_size() for p in student.parameters())
    trainable = sum(p.numel() for p in student.parameters() if p.requires_grad)
    frozen_base = sum(p.numel() * p.element_size() for name, p in student.named_parameters() if "lora_" not in name)
    layers, hidden, vocab = config.num_hidden_layers, config.hidden_size, model.lm_head.weight.shape[0]
    layer_bytes = tokens * hidden * 34 * (1 if half else 2)
    kept = tokens * hidden * layers * (2 if half else 4) + layer_bytes if checkpointing else layers * layer_bytes
    return Memory(
        weights=weights,
        teacher=copies * frozen_base,
        gradients=4 * trainable,
        optimizer=8 * trainable,
        activations=kept,
        logits=3 * 4 * vocab * min(rows_per_chunk(vocab), tokens),
    )


def sentence(need: Memory, copied: bool) -> str:
    """The memory estimate in one line, and where the teacher comes from."""
    parts = ", ".join(f"{row['memory']} {row['size']}" for row in need.rows())
    how = "a frozen copy is the teacher" if copied else "no second copy of the weights"
    return f"memory per device without sharding (estimate): {parts}; {how}"
