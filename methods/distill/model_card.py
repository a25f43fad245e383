"""Writes a trained model where others can load it: merged weights and adapter in hub naming, manifest, model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from methods.backbones import Backbone, save
from methods.backbones.tensor_names import to_hub
from methods.distill.recipe import Recipe
from methods.distill.student import tokens_of


def export(
    backbone: Backbone,
    student: Any,
    recipe: Recipe,
    folder: Path,
    manifest: dict[str, Any],
    *,
    dtype: str | None,
    merge: bool,
) -> None:
    """Write the student to `folder`: merged weights (or the full fine-tune), the adapter if there is one, the card.

    dtype: storage dtype of the weights, None for the model's own. merge=False writes the adapter alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if backbone.causal:  # it reads by the decoder's mask from now on, and no longer from left to right
        backbone.turn_block(tokens_of(backbone, 0).mask)
    if recipe.common.tuning == "lora":
        save_adapter(student, backbone, folder / "adapter")
        if merge:
            backbone.model = student.merge_and_unload()
    if recipe.common.tuning == "full" or merge:
        save(backbone, folder, dtype)
    write_manifest(folder, manifest)


def save_adapter(student: Any, backbone: Backbone, folder: Path) -> None:
    """The LoRA adapter in PEFT's format, its modules under their published names (LLaDA: attn_out, ff_proj, ...)."""
    from safetensors.torch import load_file, save_file

    student.save_pretrained(str(folder))
    file, config_file = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    renamed = {}
    for name, tensor in load_file(str(file)).items():
        inner = name.removeprefix("base_model.model.")
        path, dot, rest = inner.partition(".lora_")
        renamed["base_model.model." + to_hub(path, backbone.arch) + dot + rest] = tensor
    save_file(renamed, str(file), metadata={"format": "pt"})
    shutil.copymode(config_file, file)  # the library writes files that only their owner reads
    config = json.loads(config_file.read_text(encoding="utf-8"))
    paths = (to_hub(f"model.layers.0.{_home(name)}.{name}", backbone.arch) for name in config["target_modules"])
    config["target_modules"] = sorted({path.rpartition(".")[2] for path in paths})
    config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _home(target: str) -> str:
    return "mlp" if target in ("gate_proj", "up_proj", "down_proj") else "self_attn"


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """manifest.json and, for a distilled model, the card made from it; call again when measured results are known."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    if "recipe" in manifest:
        (folder / "README.md").write_text(model_card(manifest), encoding="utf-8")


def add_results(folder: Path, results: dict[str, Any]) -> None:
    """Put measured results (task -> accuracy, interval, TPF, n, run id) into a model's manifest and card."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["results"] = manifest.get("results", {}) | results
    write_manifest(folder, manifest)


def model_card(manifest: dict[str, Any]) -> str:
    """The README of a trained model; a number that was not measured is not in it."""
    m = manifest
    head = ["---", "library_name: transformers", "tags: [diffusion-language-model, distillation]"]
    head += [f"license: {m['base'].get('license') or 'see the base model'}", "---", ""]
    machine = m["hardware"].get("cpu", "an unknown machine")
    lines = [
        f"# {m['title']} ({m['variant']})",
        "",
        f"Trained by the recipe `{m['recipe']}` ({m['source']}) from `{m['base']['source']}` "
        f"(content hash `{m['base']['fingerprint']}`).",
        "",
        f"- data: {m['data']['rows']} rows, fingerprint `{m['data']['fingerprint']}`, {m['data']['kind']}",
        f"- steps: {m['steps']}, batch {m['settings']['batch']}, seed {m['seed']}, final loss {m['loss']:.4f}",
        f"- cost: {m['seconds'] / 60:.1f} minutes, {m['cpu_seconds'] / 60:.1f} CPU minutes on {machine}",
        f"- code: commit {m.get('commit') or 'unknown'}; "
        + (", ".join(f"{k} {v}" for k, v in m["versions"].items()) or "versions unknown"),
        f"- command: `{m['command']}`",
        "",
        "## Results",
        "",
    ]
    if m.get("results"):
        lines += ["| task | accuracy | 95 % interval | TPF | n | run |", "|---|---|---|---|---|---|"]
        for task, r in m["results"].items():
            low, high = r["accuracy_ci95"]
            lines.append(
                f"| {task} | {r['accuracy']:.1f} | {low:.1f}-{high:.1f} | {r['tpf']:.2f} | {r['n']} | {r['run_id']} |"
            )
    else:
        lines.append("Not measured yet.")
    lines += ["", "## Settings", "", "```json", json.dumps(m["settings"], indent=2), "```", ""]
    return "\n".join(head + lines)
