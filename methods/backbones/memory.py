"""How much memory a model needs, and whether this machine has it. No torch is imported for the estimate."""

from __future__ import annotations

from math import prod

from methods.backbones.config import ModelConfig
from methods.backbones.tensor_names import expected
from methods.errors import MethodsError

GB = 1_000_000_000
# bytes of a stored weight; int8 and nf4 leave embedding, head and norms at 2 bytes
ITEM = {"float64": 8.0, "float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "int8": 1.0, "nf4": 0.5625}


def parameters(config: ModelConfig) -> int:
    """Number of weights, a tied head counted once."""
    return sum(prod(size) for size in expected(config).values())


def weight_bytes(config: ModelConfig, dtype: str) -> int:
    """Bytes of all weights in memory under `dtype` (a key of ITEM)."""
    total = 0.0
    for name, size in expected(config).items():
        small = dtype in ("int8", "nf4") and not ("_proj.weight" in name and ".layers." in name)
        total += prod(size) * (2.0 if small else ITEM[dtype])
    return int(total)


def working_bytes(config: ModelConfig, rows: int, canvas: int, dtype: str, logits: int | None = None) -> int:
    """Bytes beside the weights for one forward of `rows` canvases: K/V store, activations, float64 logits.

    logits: positions per row that are scored (the head runs on those only), default a quarter of the canvas.
    An estimate of the peak: two MLP intermediates and four hidden states are alive at once.
    """
    item = {"float64": 8, "float32": 4}.get(dtype, 2)
    store = 2 * config.layers * rows * config.kv_heads * canvas * config.head_dim * item
    active = rows * canvas * (4 * config.hidden + 3 * config.mlp) * item
    scored = rows * (canvas // 4 if logits is None else logits) * config.vocab * (item + 8)
    return store + active + scored


def free_bytes(device: str = "cpu") -> int:
    """Free memory of the machine, or of a CUDA device (which imports torch)."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    import psutil

    return int(psutil.virtual_memory().available)


def require(config: ModelConfig, dtype: str, device: str, where: str) -> None:
    """Raise MethodsError when the weights alone do not fit on the device, before any is read."""
    need, have = weight_bytes(config, dtype), free_bytes(device)
    if need > have:
        raise MethodsError(
            f"{where} needs {need / GB:.1f} GB on {device} as {dtype} and {have / GB:.1f} GB are free; "
            "use --dtype bfloat16, int8 or nf4, another --device, or a smaller model (suite tiny_a2d)."
        )
