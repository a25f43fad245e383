"""Decoding with random weights of a real checkpoint's shape: how near a forward comes to the machine's own limits.

    python benchmarks/gpu.py [--shape llada-8b|tiny] [--device auto] [--dtype bfloat16] [--documents 4]

Per batch size, with and without --compile: row forwards a second in `decode`, the share of the slower of the two floors
(reading all weights once; the matmuls of the window), and on CUDA kernel launches a step. The floors are measured on
this device: the rate of a large copy and of a large matmul in the model's format. Then six settings of tad_speed with
and without reuse. One JSON line each. `tiny` is for trying the script on a CPU; on one GPU of 80 GB the 8B shape is
meant to take less than 12 minutes.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch

from methods import registry
from methods.backbones import create
from methods.decoding import Request, decode

COMMON = {"model_type": "llada", "max_sequence_length": 4096, "rope_theta": 5e5, "rms_norm_eps": 1e-5}
SHAPES: dict[str, dict[str, Any]] = {
    "llada-8b": {"d_model": 4096, "mlp_hidden_size": 12288, "n_layers": 32, "n_heads": 32, "embedding_size": 126464},
    "tiny": {"d_model": 64, "mlp_hidden_size": 128, "n_layers": 2, "n_heads": 2, "embedding_size": 512},
}
PROMPT, GENERATED, BLOCK = 256, 64, 32
POINTS = registry.get("tad_speed").points


def make(shape: str, device: str, dtype: torch.dtype) -> Any:
    """Random weights of a shape, with a head sharp enough that thresholds decide differently."""
    sizes = SHAPES[shape]
    vocab = sizes["embedding_size"]
    special = {"mask_token_id": vocab - 1, "eos_token_id": vocab - 2, "pad_token_id": vocab - 3}
    config = {**COMMON, **sizes, "n_kv_heads": sizes["n_heads"], "weight_tying": False, "vocab_size": vocab, **special}
    torch.set_default_dtype(dtype)  # so that 8B parameters are never held in float32
    try:
        backbone = create(config, 0)
    finally:
        torch.set_default_dtype(torch.float32)
    backbone.model.to(device=device, dtype=dtype)
    with torch.no_grad():
        backbone.model.lm_head.weight.mul_(12.0)
    return backbone


def requests(rows: int, points: tuple[Any, ...]) -> list[Request]:
    """`rows` prompts at every point of tad_speed."""
    method = registry.get("tad_speed")
    decoders = [method.build(method.settings({"threshold": point, "block_size": BLOCK}), "llada") for point in points]
    return [
        Request([(7 * row + at) % 400 for at in range(PROMPT)], GENERATED, decoder)
        for row in range(rows)
        for decoder in decoders
    ]


def timed(backbone: Any, asked: list[Request], batch: int, reuse_mb: float) -> tuple[float, int, int, list[list[int]]]:
    """(wall seconds, forwards needed, forwards run, output ids) of one decoding."""
    wait(backbone)
    tick = time.perf_counter()
    results = sorted(decode(backbone, asked, batch_size=batch, reuse_mb=reuse_mb), key=lambda result: result.index)
    wait(backbone)
    needed, ran = (sum(getattr(r, name) for r in results) for name in ("total_forwards", "forwards_run"))
    return time.perf_counter() - tick, needed, ran, [result.output_ids for result in results]


def wait(backbone: Any) -> None:
    """Until the device has done what was queued."""
    if backbone.device.type == "cuda":
        torch.cuda.synchronize(backbone.device)


def rates(backbone: Any) -> tuple[float, float]:
    """(bytes a second of a copy, floating-point operations a second of a matmul) on the model's device and format."""
    size = 8192 if backbone.device.type == "cuda" else 512
    left = torch.randn(size, size, device=backbone.device, dtype=backbone.dtype)
    right = torch.empty_like(left)

    def best(work: Any) -> float:
        spent = []
        for _ in range(8):
            wait(backbone)
            tick = time.perf_counter()
            work()
            wait(backbone)
            spent.append(time.perf_counter() - tick)
        return min(spent)

    return 2 * left.nbytes / best(lambda: right.copy_(left)), 2 * size**3 / best(lambda: torch.mm(left, left))


def floor(backbone: Any, batch: int, copy: float, flops: float) -> float:
    """Seconds that a batched forward takes at least: all weights are read, all matmuls of the window are done."""
    trunk = sum(parameter.numel() for name, parameter in backbone.model.named_parameters() if "layers" in name)
    head = backbone.model.lm_head.weight.numel()
    work = 2 * batch * (trunk * (PROMPT + GENERATED) + head * BLOCK)
    return max((trunk + head) * backbone.dtype.itemsize / copy, work / flops)


def launches(backbone: Any, batch: int) -> float | None:
    """CUDA kernel launches a step; None elsewhere."""
    if backbone.device.type != "cuda":
        return None
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        _, needed, _, _ = timed(backbone, requests(batch, POINTS[:1]), batch, 0)
    count = sum(event.count for event in seen.key_averages() if "LaunchKernel" in event.key)
    return count / (needed / batch)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shape", default="llada-8b", choices=tuple(SHAPES))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    parser.add_argument("--documents", type=int, default=4, help="of the sweep")
    parser.add_argument("--batches", default="1,4,16")
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled half out")
    given = parser.parse_args()
    backbone = make(given.shape, given.device, getattr(torch, given.dtype))
    copy, flops = rates(backbone)
    print(json.dumps({"shape": given.shape, "device": given.device, "copy": copy, "flops": flops}), flush=True)
    for compiled in (False,) if given.no_compile else (False, True):
        if compiled:
            backbone.compile()
        for batch in map(int, given.batches.split(",")):
            asked = requests(batch, POINTS[:1])
            timed(backbone, asked, batch, 0)  # warm-up, and the compilation
            spent, needed, _, _ = timed(backbone, asked, batch, 0)
            step = spent / (needed / batch)
            row = {
                "compiled": compiled,
                "batch": batch,
                "row_forwards_per_second": needed / spent,
                "step_seconds": step,
            }
            row |= {"floor_share": floor(backbone, batch, copy, flops) / step, "launches": launches(backbone, batch)}
            print(json.dumps(row), flush=True)
    asked = requests(given.documents, POINTS)
    for reuse_mb in (0.0, 512.0):
        spent, needed, ran, ids = timed(backbone, asked, 16, reuse_mb)
        print(
            json.dumps({"reuse_mb": reuse_mb, "seconds": spent, "forwards": needed, "ran": ran, "ids": hash(str(ids))})
        )


if __name__ == "__main__":
    main()
