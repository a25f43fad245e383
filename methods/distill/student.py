"""Makes a backbone trainable: LoRA on named projections, or every weight; and its frozen teacher."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import torch
import torch.distributed as dist

from methods.backbones import Backbone
from methods.distill.objectives.base import Tokens
from methods.distill.recipe import Recipe
from methods.errors import MethodsError


def tokenizer_hash(tokenizer: Any) -> str:
    """A hash of what a tokenizer does: its vocabulary and added tokens ("none" without a tokenizer)."""
    if tokenizer is None:
        return "none"
    content = {
        "vocab": sorted(tokenizer.get_vocab().items()),
        "special": sorted(map(str, tokenizer.all_special_tokens)),
    }
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def tokens_of(backbone: Backbone, max_length: int) -> Tokens:
    """The ids an objective needs; an AR student takes the mask id from its tokenizer.

    Raises MethodsError when there is no mask id at all.
    """
    mask = backbone.special.mask
    if mask is None and backbone.tokenizer is not None:
        mask = backbone.tokenizer.mask_token_id
    if mask is None:
        raise MethodsError("The student has no mask id: neither its config nor its tokenizer names a mask token.")
    return Tokens(mask=int(mask), eos=backbone.special.eos, shift=backbone.shift, max_length=max_length)


def frozen_copy(model: Any) -> Any:
    """A copy of a transformers model that is never trained."""
    teacher = copy.deepcopy(model)
    return teacher.requires_grad_(False).eval()


def trainable(backbone: Backbone, recipe: Recipe) -> tuple[Any, Any]:
    """(student, teacher): the student with its trainable weights marked; teacher None when the adapter is switched off.

    Raises MethodsError naming a LoRA target that matches no module: the reference's names silently skip three of
    seven on LLaDA.
    """
    common = recipe.common
    if common.tuning == "full":
        teacher = frozen_copy(backbone.model) if recipe.needs_teacher else None
        return backbone.model.requires_grad_(True), teacher
    from peft import LoraConfig, get_peft_model

    linear = [name for name, module in backbone.model.named_modules() if isinstance(module, torch.nn.Linear)]
    for target in common.targets:
        if not any(name.rpartition(".")[2] == target for name in linear):
            known = sorted({name.rpartition(".")[2] for name in linear})
            raise MethodsError(f"The LoRA target {target!r} matches nothing in this model. Known: {', '.join(known)}.")
    torch.manual_seed(common.seed)
    config = LoraConfig(
        r=common.rank,
        lora_alpha=common.alpha,
        lora_dropout=common.dropout,
        target_modules=list(common.targets),
        bias="none",
    )
    return get_peft_model(backbone.model, config), None


def checkpointing(student: Any) -> None:
    """Recompute every layer's activations in the backward pass."""
    base = student.get_base_model() if hasattr(student, "get_base_model") else student
    if hasattr(base, "activation_checkpointing_enable"):
        base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    else:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if hasattr(base, "enable_input_require_grads"):
        base.enable_input_require_grads()


def unshard(student: Any) -> None:
    """Put whole weights, on the CPU of the first process, in place of FSDP 2's shards, so that they can be exported.

    Every process has to call it: a shard is gathered from all of them. A model that is not sharded stays as it is.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    from torch.distributed.tensor import DTensor

    student.state_dict()  # its hooks end what the last forward left whole; later they would bring the shards back
    for module in student.modules():
        for name, weight in module.named_parameters(recurse=False):
            if isinstance(weight, DTensor):
                whole = weight.full_tensor().detach()
                if dist.get_rank() == 0:
                    module.register_parameter(name, torch.nn.Parameter(whole.cpu(), weight.requires_grad))
