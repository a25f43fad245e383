"""LoRA adapters: both namings, the target-name trap, merging, adapters of another base."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from methods.backbones import adapters, create, load, save
from methods.backbones.tensor_names import to_module
from methods.distill.model_card import save_adapter
from methods.errors import MethodsError
from tests.backbones.tiny import DREAM, LLADA, edit_json, line, worst

peft = pytest.importorskip("peft")
RECIPE = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HUB = ["q_proj", "k_proj", "v_proj", "attn_out", "ff_proj", "up_proj", "ff_out"]


def trained(config: dict, targets: list[str], base: Path, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Save a base and an adapter with random weights; hidden states without and with it."""
    backbone = create(config, 1)
    save(backbone, base)
    ids, at = line(9)
    before = backbone.hidden(ids, at)
    ours = [adapters.kinds(backbone.arch)[name] for name in targets]
    student = peft.get_peft_model(backbone.model, peft.LoraConfig(r=4, lora_alpha=8, target_modules=ours))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in backbone.model.named_parameters():
            if "lora_" in name:
                assert weight.requires_grad
                weight.normal_(std=0.2)
            else:
                assert not weight.requires_grad
    save_adapter(student, backbone, folder)
    return before, backbone.hidden(ids, at)


@pytest.mark.parametrize(("config", "targets"), [(LLADA, HUB), (DREAM, RECIPE)], ids=["llada", "dream"])
@pytest.mark.parametrize("merge", [True, False])
def test_export_load_and_merge(config: dict, targets: list[str], merge: bool, tmp_path: Path) -> None:
    before, after = trained(config, targets, tmp_path / "base", tmp_path / "lora")
    assert worst(after, before) > 0.05
    backbone = load(tmp_path / "base", adapter=tmp_path / "lora", merge=merge)
    ids, at = line(9)
    assert worst(backbone.hidden(ids, at), after) <= 1e-5
    assert backbone.fingerprint != load(tmp_path / "base").fingerprint
    assert [name for name, _ in backbone.model.named_modules() if "lora" in name] == [] if merge else True
    assert not any(weight.requires_grad for weight in backbone.model.parameters())


def test_a_merged_model_saves_like_any_other(tmp_path: Path) -> None:
    _, after = trained(LLADA, HUB, tmp_path / "base", tmp_path / "lora")
    merged = load(tmp_path / "base", adapter=tmp_path / "lora")
    ids, at = line(9)
    assert worst(load(save(merged, tmp_path / "merged")).hidden(ids, at), after) <= 1e-5


def test_exported_names_are_the_hubs(tmp_path: Path) -> None:
    trained(LLADA, HUB, tmp_path / "base", tmp_path / "lora")
    names = set(load_file(tmp_path / "lora" / adapters.WEIGHTS))
    assert "base_model.model.model.transformer.blocks.1.ff_out.lora_B.weight" in names
    assert len(names) == 2 * 7 * 2
    config = json.loads((tmp_path / "lora" / adapters.CONFIG).read_text())
    assert config["target_modules"] == sorted(HUB)
    assert (config["r"], config["lora_alpha"]) == (4, 8)


def test_the_trap_is_reported_when_loading(tmp_path: Path) -> None:
    trained(LLADA, ["q_proj", "k_proj", "v_proj", "up_proj"], tmp_path / "base", tmp_path / "lora")
    edit_json(tmp_path / "lora" / adapters.CONFIG, target_modules=RECIPE)  # as the released ones have it
    (note,) = load(tmp_path / "base", adapter=tmp_path / "lora").notes
    assert "q_proj (2)" in note
    assert "not in this architecture: down_proj, gate_proj, o_proj" in note


def test_an_adapter_in_transformers_naming_fits_too(tmp_path: Path) -> None:
    _, after = trained(LLADA, HUB, tmp_path / "base", tmp_path / "lora")
    path = tmp_path / "lora" / adapters.WEIGHTS
    ours = {}
    for name, value in load_file(path).items():
        module, _, rest = name.removeprefix("base_model.model.").partition(".lora_")
        ours[f"base_model.model.{to_module(module, 'llada')}.lora_{rest}"] = value
    assert any("self_attn.o_proj" in name for name in ours)
    save_file(ours, path)
    edit_json(tmp_path / "lora" / adapters.CONFIG, target_modules=RECIPE)
    backbone = load(tmp_path / "base", adapter=tmp_path / "lora")
    ids, at = line(9)
    assert worst(backbone.hidden(ids, at), after) <= 1e-5
    assert "asked for" not in backbone.notes[0]


def test_an_adapter_for_another_base(tmp_path: Path) -> None:
    trained(LLADA, HUB, tmp_path / "base", tmp_path / "lora")
    save(create(DREAM, 1), tmp_path / "dream")
    save(create({**LLADA, "d_model": 40}, 1), tmp_path / "wide")
    with pytest.raises(MethodsError, match=r"adapter_model.safetensors: the tensor .*blocks.* fits no layer"):
        load(tmp_path / "dream", adapter=tmp_path / "lora")
    with pytest.raises(MethodsError, match=r"has size 32 where the layer has 40.*another base"):
        load(tmp_path / "wide", adapter=tmp_path / "lora")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"peft_type": "IA3"}, "IA3"),
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["wte"]}, "modules_to_save"),
    ],
)
def test_unsupported_adapters_are_refused(change: dict, words: str, tmp_path: Path) -> None:
    trained(LLADA, HUB, tmp_path / "base", tmp_path / "lora")
    edit_json(tmp_path / "lora" / adapters.CONFIG, **change)
    with pytest.raises(MethodsError, match=words):
        load(tmp_path / "base", adapter=tmp_path / "lora")
    with pytest.raises(MethodsError, match="is not an adapter"):
        load(tmp_path / "base", adapter=tmp_path / "base")


def edited(tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """A base and an adapter whose tensors `change` has edited in place; returns their folder."""
    trained(DREAM, ["q_proj", "v_proj"], tmp_path / "base", tmp_path / "lora")
    state = load_file(tmp_path / "lora" / adapters.WEIGHTS)
    change(state)
    save_file(state, tmp_path / "lora" / adapters.WEIGHTS)
    return tmp_path


@pytest.mark.parametrize(("side", "other"), ["AB", "BA"])
def test_half_an_adapter_is_none(side: str, other: str, tmp_path: Path) -> None:
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_{}.weight"
    place = edited(tmp_path, lambda state: state.pop(name.format(side)))
    with pytest.raises(MethodsError, match=f"lora_{other}.weight has no counterpart lora_{side}"):
        load(place / "base", adapter=place / "lora")


def test_layers_outside_the_blocks_are_refused(tmp_path: Path) -> None:
    head = {f"base_model.model.lm_head.lora_{side}.weight": shape for side, shape in (("A", (4, 32)), ("B", (64, 4)))}
    place = edited(tmp_path, lambda state: state.update({name: torch.ones(shape) for name, shape in head.items()}))
    with pytest.raises(MethodsError, match=r"the tensor .*lm_head.lora_A.* fits no layer"):
        load(place / "base", adapter=place / "lora")


@pytest.mark.parametrize("key", ["r", "lora_alpha"])
def test_an_adapter_without_its_numbers(key: str, tmp_path: Path) -> None:
    place = edited(tmp_path, lambda state: None)
    edit_json(place / "lora" / adapters.CONFIG, **{key: None})
    with pytest.raises(MethodsError, match=rf"adapter_config.json: the key '{key}' is missing"):
        load(place / "base", adapter=place / "lora")
