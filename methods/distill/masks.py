"""Which response positions are hidden from the student: one numpy construction per paper, one sample at a time.

All arrays are over the response, `[R]`, so a prompt template can never shift a pattern. `reveal[j]` is the 1-based
teacher forward that committed position j, 0 = never. Randomness comes from the `rng` handed in, nowhere else.

`compat=True` is the reference's exact construction (d3LLM @e5bfcac, dParallel @2ca4d14, D2F @771f745). The default
fixes these defects:
  * `phantom_block`: the reference draws one block more than there are when the length divides evenly, an empty draw;
  * `padding_region`: LLaDA's last block reaches over the padding and trains on it (Dream's blocks are drawn from a
    padded window, here too);
  * `state_index`: it takes the state at a global step, so a block's mask ratio is not the ratio asked for
    (and recorded states start with one token decoded: `first_state=1`);
  * `eos_blocks`: D2F means not to score blocks of nothing but EOS; a comparison in place of an assignment scores them.
    They are masked all the same: a clean one would show the bidirectional teacher where the answer ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
NEVER = np.iinfo(np.int64).max


class View(NamedTuple):
    """masked: scored positions of the view. complement: those of the complementary view. future: hidden, not scored."""

    masked: Bools
    complement: Bools
    future: Bools


def steps(reveal: Ints) -> Ints:
    """`reveal` with 0 (never committed) moved behind every step."""
    return np.where(reveal == 0, NEVER, reveal)


def ranks(reveal: Ints) -> Ints:
    """1-based place of every position in the order of reveal; ties and never-committed go left to right."""
    order = np.argsort(steps(reveal), kind="stable")
    place = np.empty(len(reveal), np.int64)
    place[order] = np.arange(1, len(reveal) + 1)
    return place


def state(response: Ints, reveal: Ints, step: int, mask_id: int) -> Ints:
    """The response as the teacher saw it after `step` forwards (0 = all masked)."""
    return np.where(steps(reveal) > step, mask_id, response)


def content_first(response: Ints, reveal: Ints, eos: tuple[int, ...]) -> Ints:
    """`reveal` with everything behind the first EOS never committed: the teacher's decoder filled it in."""
    return np.where(np.arange(len(response)) > first_eos(response, eos), 0, reveal)


def choices(length: int, block: int, compat: bool = False) -> int:
    """How many blocks may be drawn from a response of `length` tokens."""
    return length // block + 1 if compat else max(1, -(-length // block))


def region(choice: int, block: int, length: int, padded: int, compat: bool = False) -> tuple[int, int]:
    """[start, end) of the drawn block; `length` is the response, `padded` its width with padding."""
    start = choice * block
    if not compat:
        return start, min(start + block, length)
    return start, padded if choice == length // block else min(start + block, padded)


def view_of(hidden: Bools, start: int, end: int) -> View:
    """The two views of a block: `hidden` inside it, the others inside it; everything behind it is future."""
    inside = np.zeros(len(hidden), bool)
    inside[start:end] = True
    future = np.zeros(len(hidden), bool)
    future[end:] = True
    return View(inside & hidden, inside & ~hidden, future)


def pseudo_trajectory(
    reveal: Ints, start: int, end: int, ratio: float, *, compat: bool = False, first_state: int = 1
) -> View:
    """d3LLM: hide the tokens of block [start, end) that the teacher had not yet decided at mask ratio `ratio`.

    Default: of the block's own order of reveal the first `int((1 - ratio) * (end - start))` are shown. compat: the
    recorded state at index start + that number, clipped to the last; state index i holds i + first_state tokens.
    """
    shown = int((1 - ratio) * (end - start))
    if compat:
        last = int(reveal.max()) - first_state
        return view_of(steps(reveal) > min(start + shown, last) + first_state, start, end)
    hidden = np.zeros(len(reveal), bool)
    hidden[start:end] = ranks(reveal[start:end]) > shown
    return view_of(hidden, start, end)


def random_block(length: int, start: int, end: int, probability: float, rng: np.random.Generator) -> View:
    """dParallel: hide each token of block [start, end) with 0.999 * probability + 0.001; also d3LLM's fallback."""
    return view_of(rng.random(length) < (1 - 1e-3) * probability + 1e-3, start, end)


def near_distant(reveal: Ints, step: int, delta: int) -> tuple[Bools, Bools]:
    """TAD: of the positions masked after `step` forwards, those revealed within the next `delta`, and the others."""
    when = steps(reveal)
    target = min(step + delta, int(reveal.max(initial=0)))
    return (when > step) & (when <= target), (when > step) & (when > target)


def monotone_noise(
    response: Ints,
    block: int,
    rng: np.random.Generator,
    *,
    low: float = 0.2,
    high: float = 0.7,
    eos: tuple[int, ...] = (),
    compat: bool = False,
) -> tuple[Bools, Bools, Floats]:
    """D2F: hidden positions `[R]`, the scored ones among them, and each position's mask probability.

    The probability never falls from block to block:

    p_0 ~ U(low, high); p_b = p_{b-1} + U(0, 1) * (high - p_0) / (blocks - 1), at most 1.
    """
    blocks = -(-len(response) // block)
    first = rng.uniform(low, high)
    growth = rng.random(max(blocks - 1, 0)) * (high - first) / max(blocks - 1, 1)
    per_block = np.minimum(first + np.concatenate([[0.0], np.cumsum(growth)]), 1.0)
    probability = np.repeat(per_block, block)[: len(response)]
    hidden = rng.random(len(response)) < probability
    scored = hidden.copy()
    if not compat:
        ends = np.isin(response, eos)
        for start in range(0, len(response), block):
            if ends[start : start + block].all():
                scored[start : start + block] = False
    return hidden, scored, probability


def block_diffusion(length: int, offset: int, block: int, rng: np.random.Generator) -> Bools:
    """Fast-dLLM v2: per block t ~ U(0, 1), each token masked with (1 - 1e-3) t + 1e-3; the complement is `~` of it.

    `offset` is the prompt's length: blocks are counted from the start of the sequence, as its decoder does.
    """
    index = (offset + np.arange(length)) // block
    t = rng.random(int(index[-1] - index[0]) + 1 if length else 0)
    return rng.random(length) < (1 - 1e-3) * t[index - index[0]] + 1e-3 if length else np.zeros(0, bool)


def first_eos(response: Ints, eos: tuple[int, ...]) -> int:
    """Index of the first EOS, or the response's length."""
    found = np.flatnonzero(np.isin(response, eos))
    return int(found[0]) if len(found) else len(response)
