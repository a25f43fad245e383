"""8- and 4-bit weights through bitsandbytes (extra `quant`): the block's linear layers, nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from methods.errors import MethodsError

KINDS = ("int8", "nf4")


def _library() -> Any:
    try:
        import bitsandbytes
    except ImportError:
        raise MethodsError("--dtype int8 and nf4 need bitsandbytes: pip install bitsandbytes.") from None
    return bitsandbytes


def swap(model: nn.Module, kind: str, compute: torch.dtype) -> None:
    """Replace the linear layers of all blocks by bitsandbytes' own, still without weights. In place.

    kind: `int8` (LLM.int8(), Dettmers et al. 2022) or `nf4` (QLoRA, Dettmers et al. 2023);
    the kind is kept as `model.model.packed`.
    """
    bnb = _library()
    trunk: Any = model.model
    for name, linear in list(trunk.layers.named_modules()):
        if isinstance(linear, nn.Linear):
            size, bias = (linear.in_features, linear.out_features), linear.bias is not None
            if kind == "nf4":
                new = bnb.nn.Linear4bit(*size, bias=bias, compute_dtype=compute, quant_type="nf4", device="meta")
            else:
                new = bnb.nn.Linear8bitLt(*size, bias=bias, has_fp16_weights=False, device="meta")
            trunk.layers.set_submodule(name, new)
    trunk.packed = kind


def is_packed(name: str) -> bool:
    """Whether the tensor is a weight of a block's linear layer, under transformers' names."""
    return ".layers." in name and name.endswith("_proj.weight")


def put(model: Any, name: str, tensor: Tensor, kind: str, device: torch.device) -> None:
    """Give a swapped layer its weight as bitsandbytes' parameter, which the move to `device` quantises."""
    bnb = _library()
    if kind == "nf4":
        weight = bnb.nn.Params4bit(tensor, requires_grad=False, quant_type="nf4")
    else:
        weight = bnb.nn.Int8Params(tensor.half(), requires_grad=False, has_fp16_weights=False)
    model.get_submodule(name.removesuffix(".weight")).weight = weight.to(device)
