"""Speed of the decoding engine on this machine, as ratios measured in one run.

Each measurement is repeated and the median taken. Nothing here is a test: times depend on the machine and its load.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from methods import registry
from methods.decoding import Request, decode

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


def median(work: Callable[[], Any], backbone: Any, repeats: int) -> float:
    """Median seconds of `work`, the device synchronised, after one warm-up."""
    times = []
    for turn in range(repeats + 1):
        _sync(backbone)
        tick = time.perf_counter()
        work()
        _sync(backbone)
        if turn:
            times.append(time.perf_counter() - tick)
    return statistics.median(times)


def _sync(backbone: Any) -> None:
    if backbone.device.type == "cuda":
        torch.cuda.synchronize(backbone.device)


def requests(backbone: Any, name: str, count: int, gen: int, **settings: Any) -> list[Request]:
    """`count` prompts of 24 tokens for a method."""
    method = registry.get(name)
    decoder = method.build(method.settings(settings), backbone.arch)
    return [Request([(7 * row + at) % 40 for at in range(24)], gen, decoder) for row in range(count)]


def overhead(backbone: Any, batch: int, gen: int, repeats: int) -> dict[str, Any]:
    """Decode wall time over the bare forwards of the same shapes (trunk only, the head not included)."""
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    original = backbone.hidden

    def record(ids: torch.Tensor, positions: torch.Tensor, **more: Any) -> torch.Tensor:
        calls.append((ids, positions))
        return original(ids, positions, **more)

    work = requests(backbone, "vanilla", batch, gen)
    backbone.hidden = record
    try:
        list(decode(backbone, work, batch_size=batch))
    finally:
        del backbone.hidden

    @torch.inference_mode()
    def bare() -> None:
        for ids, positions in calls:
            original(ids, positions)

    whole = median(lambda: list(decode(backbone, work, batch_size=batch)), backbone, repeats)
    plain = median(bare, backbone, repeats)
    return {"measure": "overhead", "case": f"batch {batch}", "value": whole / plain, "unit": "decode / bare forwards"}


@torch.inference_mode()
def head(backbone: Any, gen: int, repeats: int) -> list[dict[str, Any]]:
    """The head and the score on a block of 32 slots against the whole canvas."""
    rows, width, block = 16, 24 + gen, min(32, gen)
    state = torch.randn(rows, width, backbone.model.config.hidden_size, device=backbone.device, dtype=backbone.dtype)
    logits = backbone.head(state)

    def entropy(values: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
        return torch.special.entr(torch.softmax(values.to(precision), -1)).sum(-1)

    few = median(lambda: backbone.head(state[:, -block:]), backbone, repeats * 5)
    many = median(lambda: backbone.head(state), backbone, repeats * 5)
    fast = median(lambda: entropy(logits[:, -block:], torch.float32), backbone, repeats * 5)
    slow = median(lambda: entropy(logits, torch.float64), backbone, repeats * 5)
    return [
        {"measure": "head", "case": "canvas / eligible", "value": many / few, "unit": "times"},
        {"measure": "entropy", "case": "float64 canvas / float32 eligible", "value": slow / fast, "unit": "times"},
    ]


def throughput(backbone: Any, gen: int, batches: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """Samples a second of each bidirectional method by batch size."""
    found = []
    for name in ("vanilla", "fast_dllm_dual", "dparallel", "d2f", "d3llm", "d3llm_cache", "tad_speed"):
        for batch in batches:
            work = requests(backbone, name, batch, gen)
            seconds = median(lambda: list(decode(backbone, work, batch_size=batch)), backbone, repeats)  # noqa: B023
            found.append(
                {
                    "measure": "throughput",
                    "case": f"{name} batch {batch}",
                    "value": batch / seconds,
                    "unit": "samples/s",
                }
            )
    return found


def caches(backbone: Any, gen: int, repeats: int) -> list[dict[str, Any]]:
    """Positions and seconds a token, cached and uncached."""
    found = []
    for name, settings in CACHED:
        work = requests(backbone, name, 4, gen, **settings)
        results = list(decode(backbone, work, batch_size=4))
        tokens = sum(len(result.output_ids) for result in results)
        seconds = median(lambda: list(decode(backbone, work, batch_size=4)), backbone, repeats)  # noqa: B023
        case = f"{name} {settings.get('cache', '')}".strip()
        positions = sum(result.positions for result in results)
        found.append({"measure": "positions", "case": case, "value": positions / tokens, "unit": "positions/token"})
        found.append({"measure": "seconds", "case": case, "value": seconds / tokens, "unit": "s/token"})
    return found


def sweep(backbone: Any, gen: int, repeats: int) -> dict[str, Any]:
    """Five thresholds as five runs over the same as one batch."""
    parts = [requests(backbone, "dparallel", 4, gen, threshold=value) for value in (0.1, 0.3, 0.5, 0.7, 1.0)]
    one = median(lambda: list(decode(backbone, sum(parts, []), batch_size=20)), backbone, repeats)  # noqa: RUF017
    five = median(lambda: [list(decode(backbone, part, batch_size=4)) for part in parts], backbone, repeats)
    return {"measure": "sweep", "case": "five runs / one mixed batch", "value": five / one, "unit": "times"}


def measure(
    backbone: Any, *, gen: int = 64, repeats: int = 3, batches: tuple[int, ...] = (1, 4, 16, 64)
) -> list[dict[str, Any]]:
    """All measurements, one row each: measure, case, value, unit."""
    rows = [overhead(backbone, batch, gen, repeats) for batch in (1, 16)]
    rows += head(backbone, gen, repeats)
    rows += throughput(backbone, gen, batches, repeats)
    rows += caches(backbone, gen, repeats)
    rows.append(sweep(backbone, gen, repeats))
    return rows
