"""Parameters that several methods share. No torch here."""

from __future__ import annotations

from methods.method import Param

BLOCK_SIZE = Param(int, 32, "slots of a block; must divide the generation length", low=1)
WHOLE_OR_BLOCK = Param(int, 32, "slots of a block; none decodes the whole generation at once", low=1, none=True)
ENTROPY = Param(
    float, 0.5, "entropy in nats below which a slot is committed; 0 commits one token per forward pass", low=0.0
)
CONFIDENCE = Param(
    float, 0.9, "probability above which a slot is committed; 1 commits one token per forward pass", low=0.0, high=1.0
)
BLOCK_ADD = Param(float, 0.1, "decoded share of the last block that creates the next one", low=0.0, high=1.0)
DECODED = Param(
    float,
    0.95,
    "decoded share of a block from which on the next one must commit a token per forward pass",
    low=0.0,
    high=1.0,
)
EARLY_STOP = Param(bool, False, "fill everything behind the first EOS with EOS")
TEMPERATURE = Param(float, 0.0, "sampling temperature; 0 takes the best token", low=0.0)
TOP_P = Param(float, 1.0, "nucleus sampling: probability mass kept", low=0.0, high=1.0)
REFRESH = Param(
    int, None, "forward passes of a block between full ones; none: only the first one is full", low=1, none=True
)

ENTROPY_POINTS = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
CONFIDENCE_POINTS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)

STRICT = "strict thresholds and exact entropy, so that entropy 0 and confidence 1 commit one token per forward pass"
MASK = "the mask token is never committed (the references never end when it is the argmax)"
TOP_K = "Dream's samplers no longer truncate to 50 tokens (a transformers default that leaked in)"
STALE = "open slots are listed after an EOS has filled the tail, so filled slots are not decoded again in that forward"
PHANTOM = "the iteration that only detects the end is not counted as a forward pass"
TWO = "a forward in which nothing passes commits the forced token only, not the canvas's best one as well"
TAIL = "the last block of a generation is always decoded: a block size that does not divide the length is refused"
SLICE = "on shifted backbones a window starts one position early, so its first slot is not scored by its own logits"
"""Defects of the reference decoders that the `fixed` fidelity of several methods repairs; see docs/definitions.md."""
