"""Speed of the decoding engine on this machine, as ratios measured in one run.

Each measurement is repeated and the median taken. On a CPU, seconds are processor seconds of this process (of all its
threads), so that other programs do not enter; on a GPU they are wall time, the device synchronised.
Nothing here is a test: times depend on the machine.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from methods import registry
from methods.decoding import Request
from methods.decoding import decode as reusing

decode = partial(reusing, reuse_mb=0)  # what is timed here is always computed
FEW = 8  # tokens per forward pass while the overhead is measured: full-canvas forwards, but not one for every token
ROWS = 8  # requests of an overhead measurement at least: at batch 1 one alone is over before the processor is warm
CACHED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("fast_dllm_factor", {"cache": "none"}),
    ("fast_dllm_factor", {"cache": "dual"}),
    ("d3llm", {}),
    ("d3llm_cache", {}),
)


def machine(backbone: Any) -> dict[str, Any]:
    """Hardware, versions and the load the numbers were taken under."""
    device = torch.cuda.get_device_name() if backbone.device.type == "cuda" else platform.processor() or "cpu"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "device": device,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": load,
        "dtype": str(backbone.dtype),
    }


def seconds(work: Callable[[], Any], backbone: Any) -> float:
    """What one call of `work` takes."""
    if backbone.device.type == "cpu":
        tick = time.process_time()
        work()
        return time.process_time() - tick
    torch.cuda.synchronize(backbone.device)
    tick = time.perf_counter()
    work()
    torch.cuda.synchronize(backbone.device)
    return time.perf_counter() - tick


def medians(backbone: Any, repeats: int, *works: Callable[[], Any]) -> list[float]:
    """Median seconds of each of `works`, called in turn, after one warm-up each."""
    turns = [[seconds(work, backbone) for work in works] for _ in range(repeats + 1)][1:]
    return [statistics.median(times) for times in zip(*turns, strict=True)]


def requests(backbone: Any, name: str, count: int, gen: int, **settings: Any) -> list[Request]:
    """`count` prompts of 24 tokens for a method."""
    method = registry.get(name)
    decoder = method.build(method.settings(settings), backbone.arch, tokenizer=backbone.tokenizer)
    return [Request([(7 * row + at) % 40 for at in range(24)], gen, decoder) for row in range(count)]


def overhead(backbone: Any, batch: int, gen: int, repeats: int) -> dict[str, Any]:
    """Decode time over the bare forwards: the same windows through the trunk, the same rows through the head."""
    windows: list[tuple[torch.Tensor, torch.Tensor]] = []
    heads: list[torch.Tensor] = []
    trunk, top = backbone.hidden, backbone.head

    def watch(ids: torch.Tensor, positions: torch.Tensor, **more: Any) -> torch.Tensor:
        windows.append((ids.clone(), positions.clone()))
        return trunk(ids, positions, **more)

    def watch_head(state: torch.Tensor) -> torch.Tensor:
        heads.append(state.clone())
        return top(state)

    work = requests(backbone, "vanilla", max(batch, ROWS), gen, tokens_per_step=FEW)
    backbone.hidden, backbone.head = watch, watch_head
    try:
        list(decode(backbone, work, batch_size=batch))
    finally:
        del backbone.hidden, backbone.head

    @torch.inference_mode()
    def bare() -> None:
        for (ids, positions), state in zip(windows, heads, strict=True):
            trunk(ids, positions)
            top(state)

    whole, plain = medians(backbone, repeats, lambda: list(decode(backbone, work, batch_size=batch)), bare)
    return {"measure": "overhead", "case": f"batch {batch}", "value": whole / plain, "unit": "decode / bare forwards"}


@torch.inference_mode()
def head(backbone: Any, gen: int, repeats: int) -> list[dict[str, Any]]:
    """The head and the score on a block of 32 slots against the whole canvas."""
    rows, width, block = 16, 24 + gen, min(32, gen)
    state = torch.randn(rows, width, backbone.model.config.hidden_size, device=backbone.device, dtype=backbone.dtype)
    logits = backbone.head(state)

    def entropy(values: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        return torch.special.entr(torch.softmax(values.to(precision), -1)).sum(-1)

    few, many, fast, slow = medians(
        backbone,
        repeats,
        lambda: backbone.head(state[:, -block:]),
        lambda: backbone.head(state),
        lambda: entropy(logits[:, -block:], torch.float32),
        lambda: entropy(logits, torch.float64),
    )
    return [
        {"measure": "head", "case": "canvas / eligible", "value": many / few, "unit": "times"},
        {"measure": "entropy", "case": "float64 canvas / float32 eligible", "value": slow / fast, "unit": "times"},
    ]


def throughput(backbone: Any, gen: int, batches: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """Samples per second of each bidirectional method by batch size."""
    found = []
    for name in ("vanilla", "fast_dllm_dual", "dparallel", "d2f", "d3llm", "d3llm_cache", "tad_speed"):
        for batch in batches:
            work = requests(backbone, name, batch, gen)
            (spent,) = medians(backbone, repeats, lambda: list(decode(backbone, work, batch_size=batch)))  # noqa: B023
            found.append(
                {
                    "measure": "throughput",
                    "case": f"{name} batch {batch}",
                    "value": batch / spent,
                    "unit": "samples/s",
                }
            )
    return found


def caches(backbone: Any, gen: int, repeats: int) -> list[dict[str, Any]]:
    """Positions and seconds per token, cached and uncached."""
    found = []
    for name, settings in CACHED:
        work = requests(backbone, name, 4, gen, **settings)
        results = list(decode(backbone, work, batch_size=4))
        tokens = sum(len(result.output_ids) for result in results)
        (spent,) = medians(backbone, repeats, lambda: list(decode(backbone, work, batch_size=4)))  # noqa: B023
        case = f"{name} {settings.get('cache', '')}".strip()
        positions = sum(result.positions for result in results)
        found.append({"measure": "positions", "case": case, "value": positions / tokens, "unit": "positions/token"})
        found.append({"measure": "seconds", "case": case, "value": spent / tokens, "unit": "s/token"})
    return found


def sweep(backbone: Any, gen: int, repeats: int) -> dict[str, Any]:
    """Five thresholds as five runs over the same as one batch."""
    parts = [requests(backbone, "dparallel", 4, gen, threshold=value) for value in (0.1, 0.3, 0.5, 0.7, 1.0)]
    together = [request for part in parts for request in part]
    one, five = medians(
        backbone,
        repeats,
        lambda: list(decode(backbone, together, batch_size=20)),
        lambda: [list(decode(backbone, part, batch_size=4)) for part in parts],
    )
    return {"measure": "sweep", "case": "five runs / one mixed batch", "value": five / one, "unit": "times"}


PARTS = ("overhead", "head", "throughput", "caches", "sweep")


def measure(
    backbone: Any,
    *,
    gen: int = 64,
    repeats: int = 3,
    batches: tuple[int, ...] = (1, 4, 16, 64),
    only: tuple[str, ...] = PARTS,
) -> list[dict[str, Any]]:
    """The measurements named in `only`, one row each: measure, case, value, unit."""
    rows: list[dict[str, Any]] = []
    if "overhead" in only:
        rows += [overhead(backbone, batch, gen, 5 * repeats) for batch in (1, 16)]  # a ratio near 1 needs many
    if "head" in only:
        rows += head(backbone, gen, repeats)
    if "throughput" in only:
        rows += throughput(backbone, gen, batches, repeats)
    if "caches" in only:
        rows += caches(backbone, gen, repeats)
    if "sweep" in only:
        rows.append(sweep(backbone, gen, repeats))
    return rows
