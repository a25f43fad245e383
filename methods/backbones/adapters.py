"""LoRA adapters through PEFT: load (in the hub's naming or transformers') and merge.

The trap this file is about: training recipes in the wild ask for `o_proj, gate_proj, down_proj`, which LLaDA's
files do not have (`attn_out, ff_proj, ff_out`), so adapters released for it cover q, k, v and up only. Nothing
is skipped in silence here: every name that was asked for and every tensor that was found is in the report.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from methods.backbones.config_values import number, whole
from methods.backbones.safetensors_header import FLOATS, header, shown
from methods.backbones.special import read_json
from methods.backbones.tensor_names import LLADA_BLOCK, to_module
from methods.errors import MethodsError

log = logging.getLogger(__name__)
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Report:
    """What an adapter covers. Names are the hub's.

    matched: kind of layer -> how many of them. unmatched: names asked for that this architecture does not have.
    untouched: kinds of linear layers that the adapter leaves alone.
    """

    matched: Mapping[str, int]
    unmatched: tuple[str, ...]
    untouched: tuple[str, ...]

    def __str__(self) -> str:
        text = "adapter covers " + (", ".join(f"{name} ({count})" for name, count in self.matched.items()) or "nothing")
        if self.unmatched:
            text += f"; asked for but not in this architecture: {', '.join(self.unmatched)}"
        return text + (f"; not adapted: {', '.join(self.untouched)}" if self.untouched else "")


def kinds(arch: str) -> dict[str, str]:
    """The linear layers of a block: the hub's short name -> transformers' short name."""
    if arch == "llada":
        return {hub: ours.rpartition(".")[2] for hub, ours in LLADA_BLOCK.items() if not hub.endswith("norm")}
    return {name: name for name in LINEAR}


def load_adapter(model: Any, arch: str, folder: Path) -> Report:
    """Put the adapter in `folder` into `model` in place, weights loaded. Every tensor must find its layer.

    Raises MethodsError for an adapter of another base (a name or a shape that does not fit), an unsupported
    kind, or damaged files.
    """
    peft = _peft()
    config = _config(folder)
    places = _places(model, arch, folder)
    modules = sorted({name.rpartition(".lora_")[0] for name in places})
    lora = peft.LoraConfig(
        r=config["r"],
        lora_alpha=config["lora_alpha"],
        rank_pattern={},
        use_rslora=bool(config.get("use_rslora", False)),
        bias="none",
        target_modules=modules,
    )
    peft.inject_adapter_in_model(lora, model)
    model.peft_config = {"default": lora}
    _fill(model, places, folder)
    report = _report(arch, modules, config.get("target_modules"))
    log.warning("%s: %s", folder, report)
    return report


def merge(model: Any) -> Any:
    """Fold the adapter into the weights and take the LoRA layers out again, in place. Returns the model."""
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge=True)
            parent, _, leaf = name.rpartition(".")
            setattr(model.get_submodule(parent), leaf, module.get_base_layer())
    if hasattr(model, "peft_config"):
        del model.peft_config
    return model


def _config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG)
    if not config or not (folder / WEIGHTS).is_file():
        raise MethodsError(f"{folder} is not an adapter: it needs {CONFIG} and {WEIGHTS}.")
    for key, allowed in (("peft_type", ("LORA",)), ("use_dora", (None, False)), ("rank_pattern", (None, {}))):
        if config.get(key) not in allowed:
            raise MethodsError(
                f"{folder / CONFIG}: {key}={shown(ascii(config.get(key)))} is not supported (plain LoRA only)."
            )
    if config.get("modules_to_save") or config.get("alpha_pattern"):
        raise MethodsError(f"{folder / CONFIG}: modules_to_save and alpha_pattern are not supported (plain LoRA only).")
    where = str(folder / CONFIG)
    whole(config, "r", where)
    number(config, "lora_alpha", where)
    return config


def _places(model: Any, arch: str, folder: Path) -> dict[str, str]:
    """transformers' name -> the file's name of every LoRA tensor, after checking that each layer exists and fits."""
    layers, known = dict(model.named_modules()), set(kinds(arch).values())
    places = {}
    for name, entry in header(folder / WEIGHTS).items():
        plain = name.removeprefix(_PREFIX).removesuffix(".weight").replace(".default", "")
        path, _, side = plain.rpartition(".lora_")
        module = path if path.startswith("model.layers.") else to_module(path, arch)
        linear = layers.get(module or "")
        if side not in ("A", "B") or linear is None or str(module).rpartition(".")[2] not in known:
            raise MethodsError(
                f"{folder / WEIGHTS}: the tensor {shown(name)} fits no layer of this {arch} model; "
                "the adapter was made for another base."
            )
        if len(entry["shape"]) != 2 or entry["dtype"] not in FLOATS:
            raise MethodsError(
                f"{folder / WEIGHTS}: the tensor {shown(name)} is {entry['dtype']} {entry['shape']}; "
                f"LoRA weights are matrices of {', '.join(FLOATS)}."
            )
        have = entry["shape"][1] if side == "A" else entry["shape"][0]
        need = linear.in_features if side == "A" else linear.out_features
        if have != need:
            raise MethodsError(
                f"{folder / WEIGHTS}: the tensor {shown(name)} has size {have} where the layer has {need}; "
                "the adapter was made for another base."
            )
        places[f"{module}.lora_{side}"] = name
    if not places:
        raise MethodsError(f"{folder / WEIGHTS} holds no LoRA tensors.")
    for place, name in places.items():
        other = place[:-1] + ("B" if place.endswith("A") else "A")
        if other not in places:  # the missing half would stay zero or random
            raise MethodsError(
                f"{folder / WEIGHTS}: the tensor {shown(name)} has no counterpart lora_{other[-1]}; download it again."
            )
    return places


def _fill(model: Any, places: Mapping[str, str], folder: Path) -> None:
    import torch
    from safetensors import safe_open

    layers = dict(model.named_modules())
    with safe_open(str(folder / WEIGHTS), framework="pt") as file, torch.no_grad():
        for place, name in places.items():
            target = layers[f"{place}.default"].weight
            value = file.get_tensor(name)
            if value.shape != target.shape:
                raise MethodsError(
                    f"{folder / WEIGHTS}: {name} has shape {list(value.shape)}, r asks for {list(target.shape)}."
                )
            target.copy_(value)


def _report(arch: str, modules: list[str], asked: Any) -> Report:
    back = {ours: hub for hub, ours in kinds(arch).items()}
    matched: dict[str, int] = {}
    for module in modules:
        name = back[module.rpartition(".")[2]]
        matched[name] = matched.get(name, 0) + 1
    names = [str(name).rpartition(".")[2] for name in asked] if isinstance(asked, list | tuple) else []
    known = kinds(arch)
    unmatched = tuple(sorted({name for name in names if name not in known and name not in back}))
    # under transformers' naming o_proj exists, under LLaDA's it does not: it is missing when no tensor covers it
    lost = tuple(sorted({name for name in names if name in back and back[name] not in matched} - set(unmatched)))
    return Report(matched, unmatched + lost, tuple(name for name in known if name not in matched))


def _peft() -> Any:
    try:
        import peft
    except ImportError:
        raise MethodsError("LoRA adapters need peft: pip install peft.") from None
    return peft
