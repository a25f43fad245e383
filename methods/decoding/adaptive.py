"""Block policies whose spans a forward decides: blocks that end at a delimiter, and stretches that settle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.decoding.blocks import Sequential
from methods.decoding.policies import BlockPolicy, whole_canvas
from methods.decoding.state import Plan, State


@dataclass(frozen=True)
class AdaBlocks(Sequential):
    """AdaBlock-dLLM (Lu et al. 2025, arXiv:2509.26432): a block ends behind a delimiter that its first forward sees.

    That forward looks at the next `window` share of the generation for slots whose best token is one of `delimiters`.
    The most probable of them, if its probability reaches `delimiter_threshold`, is the last slot of the block; else
    the block has `block_size` slots. The same forward commits in the block. The cost is minus a probability.
    """

    delimiters: tuple[int, ...] = ()
    values = ("block_size", "delimiter_threshold", "window")

    def plan(self, state: State) -> Plan:
        """In a block's first forward all slots that may belong to it are eligible, later the block's own."""
        span = state.own["span"]
        first = state.own["step"] == 0
        end = torch.where(first, torch.maximum(span[:, 1], self.horizon(state)), span[:, 1])
        return whole_canvas(state, state.open & (state.shape.pos < end[:, None]), span)

    def horizon(self, state: State) -> Tensor:
        """[B]: where the search for a delimiter ends."""
        window = (state.values["window"] * (state.total - state.prompt)).floor().long()
        return torch.minimum(state.own["span"][:, 0] + window, state.total)

    def observe(self, state: State, plan: Plan, cost: Tensor) -> None:
        """After a block's first forward: its length."""
        span, first = state.own["span"], state.own["step"] == 0
        known = torch.tensor(self.delimiters, dtype=torch.long, device=cost.device)
        seen = plan.eligible & torch.isin(state.tokens, known) & (state.shape.pos < self.horizon(state)[:, None])
        best, at = torch.where(seen, cost, torch.inf).min(1)
        ends = first & seen.any(1) & (-best >= state.values["delimiter_threshold"])
        end = torch.where(ends, at + 1, span[:, 1])
        state.own["span"] = plan.must_commit = torch.stack([span[:, 0], end], 1)
        plan.eligible = plan.eligible & (state.shape.pos < end[:, None])

    def leave(self, state: State, full: Tensor) -> None:
        """The next block begins where this one ended."""
        state.own["step"] = torch.where(full, 0, state.own["step"])
        start = state.own["span"][:, 1]
        end = torch.minimum(start + state.values["block_size"], state.total)
        state.own["span"] = torch.where(full[:, None], torch.stack([start, end], 1), state.own["span"])


@dataclass(frozen=True)
class SlowFast(BlockPolicy):
    """SlowFast Sampling (Wei et al. 2025, arXiv:2506.10848): explore how far the model is sure, then fill that stretch.

    A cycle explores for `exploration_steps` forwards: each commits anywhere in the rest of the block and estimates how
    far slots reach `cycle_threshold`, until two estimates in a row differ by less than 2. The stretch up to there is
    then filled; its forwards but the first are on the canvas cut behind it. The cost is minus a probability.
    own: `span` [B, 2] (the block), `begin`, `stretch_end` (of the cycle's stretch), `explored`, `filled` (forwards
    spent in either phase), `estimate`, `decided`, all [B].
    """

    memory = ("span", "begin", "stretch_end", "explored", "filled", "estimate", "decided")
    values = ("block_size", "cycle_threshold", "exploration_steps")
    uncached = "cuts the canvas behind the stretch that it fills"

    def start(self, state: State) -> None:
        """The first cycle of the first block."""
        end = torch.minimum(state.prompt + state.values["block_size"], state.total)
        state.own["span"] = torch.stack([state.prompt, end], 1)
        state.own["begin"], state.own["stretch_end"] = state.prompt.clone(), end.clone()
        for name in ("explored", "filled", "estimate"):
            state.own[name] = torch.zeros_like(state.total)
        state.own["decided"] = torch.zeros_like(state.done)

    def exploring(self, state: State) -> Tensor:
        """[B]: whether the coming forward explores."""
        return state.own["explored"] < state.values["exploration_steps"]

    def plan(self, state: State) -> Plan:
        """The rest of the block while exploring, then the stretch."""
        explores = self.exploring(state)
        end = torch.where(explores, state.own["span"][:, 1], state.own["stretch_end"])
        reach = torch.stack([state.own["begin"], end], 1)
        plan = whole_canvas(state, state.open & state.inside(reach), reach)
        plan.stop = torch.where(explores | (state.own["filled"] == 0), state.total, end)
        return plan

    def observe(self, state: State, plan: Plan, cost: Tensor) -> None:
        """While exploring and undecided: how far the block is sure, and whether that has settled."""
        own, span = state.own, state.own["span"]
        begin, last = own["begin"], own["estimate"]
        undecided = self.exploring(state) & ~own["decided"]
        sure = plan.eligible & (-cost >= state.values["cycle_threshold"][:, None])
        farthest = torch.where(sure, state.shape.pos, -1).amax(1)
        now = torch.where(sure.any(1), farthest, begin) + 1 - span[:, 0]
        now = torch.minimum(now.clamp_min(1), span[:, 1] - span[:, 0])
        second = undecided & (own["explored"] > 0)
        settled = second & ((now - last).abs() < 2)
        length = torch.where(settled, now, (now + last) // 2)
        own["stretch_end"] = torch.where(second, span[:, 0] + length, own["stretch_end"])
        own["decided"] = own["decided"] | settled
        own["estimate"] = torch.where(undecided, now, last)

    def advance(self, state: State, chosen: Tensor) -> None:
        """Go on exploring or filling; the next cycle where the stretch is full, the next block where that is."""
        own = state.own
        explores = self.exploring(state)
        own["explored"] = own["explored"] + explores
        own["filled"] = own["filled"] + ~explores
        stretch = state.inside(torch.stack([own["begin"], own["stretch_end"]], 1))
        over = ~self.exploring(state) & ~(state.open & stretch).any(1)
        full = ~(state.open & state.inside(own["span"])).any(1) & self.may_leave(state, over)
        self._begin_cycle(state, over | full, torch.where(full, own["span"][:, 1], own["stretch_end"]))
        span = own["span"] + (full * state.values["block_size"])[:, None]
        own["span"] = torch.minimum(span, state.total[:, None])
        state.done = state.done | (full & ~state.open.any(1))

    def may_leave(self, state: State, over: Tensor) -> Tensor:
        """[B]: whether a full block may be left now; at once, whether its cycle is `over` or not."""
        return torch.ones_like(over)

    def _begin_cycle(self, state: State, where: Tensor, begin: Tensor) -> None:
        """Start exploring at `begin` [B] in the rows `where`."""
        own = state.own
        own["begin"] = torch.where(where, begin, own["begin"])
        for name in ("explored", "filled", "estimate"):
            own[name] = torch.where(where, 0, own[name])
        own["decided"] = own["decided"] & ~where
