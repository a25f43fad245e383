"""The folder of a training: which run it holds, and what a new one may throw away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from methods.distill.recipe_fields import Common
from methods.distill.trajectory_files import atomically
from methods.errors import MethodsError

LATER = ("score", "top_p")  # settings that keys written before them do not hold
WORK = "training"  # an unfinished run: its key and its checkpoints
# what an export writes: only this is ever deleted, trackers' logs and a user's files stay
WRITTEN = ["model*.safetensors*", "config.json", "manifest.json", "README.md", "log.jsonl", "adapter", WORK]
WRITTEN += ["tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template*", "vocab.*", "merges.txt"]


def obstacle(out: Path, key: dict[str, Any], export: dict[str, Any]) -> str:
    """What `out` holds that is not this run, as the start of a sentence; "" when this run may use it.

    key: what must be equal for a run to be continued. export: how its weights are stored.
    Raises MethodsError when `out` holds a model that no training made, which is never replaced.
    """
    made, begun = _read(out / "manifest.json"), _read(out / WORK / "run.json")
    old, begun = _completed((made or {}).get("key")), _completed(begun)
    if (made is not None or (out / "config.json").exists()) and old is None and begun is None:
        raise MethodsError(f"{out} holds a model that `harness train` did not make; choose another --out.")
    if old is not None and old != key:
        return f"{out} holds a finished run that differs in {differences(old, key)}"
    stored = (made or {}).get("export", export)  # older manifests do not record it
    if old is not None and stored != export:
        return f"{out} holds this run, but exported with {_words(stored)} and not {_words(export)}"
    if old is None and begun is not None and begun != key:
        return f"{out / WORK} holds an unfinished run that differs in {differences(begun, key)}; finish it"
    return ""


def finished(out: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of a finished run with this key, else None."""
    manifest = _read(out / "manifest.json")
    return manifest if manifest is not None and _completed(manifest.get("key")) == key else None


def begin(out: Path, key: dict[str, Any], *, clear: bool) -> Path:
    """Start or continue a run in `out`; returns the folder of its state. clear: delete what a training wrote."""
    if clear:
        empty(out)
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "run.json").exists():
        atomically(work / "run.json", json.dumps(key, indent=2).encode())
    return work


def empty(out: Path) -> None:
    """Delete what a training writes into `out`, so that files of two runs never mix."""
    for path in [path for pattern in WRITTEN for path in out.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The names in which two keys differ, the recipe's settings one by one."""
    names = [name for name in new if name != "settings" and old.get(name) != new[name]]
    before, after = old.get("settings", {}), new["settings"]
    return ", ".join(names + [name for name in after if before.get(name) != after[name]]) or "something"


def _read(file: Path) -> dict[str, Any] | None:
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MethodsError(f"{file} is not valid JSON ({error}); delete it, or choose another --out.") from None
    if not isinstance(content, dict):
        raise MethodsError(f"{file} should hold a JSON object; delete it, or choose another --out.")
    return content


def _completed(key: dict[str, Any] | None) -> dict[str, Any] | None:
    """`key` with the settings that did not exist when it was written, at the values that were then the only ones."""
    if key is None:
        return None
    settings = {name: getattr(Common(), name) for name in LATER} | dict(key.get("settings") or {})
    return key | {"settings": settings}


def _words(export: dict[str, Any]) -> str:
    return "--adapter-only" if export["adapter_only"] else f"--store {export['store']}"
