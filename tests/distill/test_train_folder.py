"""The folder of a training: nothing finished is overwritten silently, and nothing of another run stays behind."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from methods.distill import folder, train
from methods.errors import MethodsError, MethodsUsageError
from tests.distill import process, tiny

torch.set_num_threads(1)
LORA = {"tuning": "lora", "rank": 2, "alpha": 2}


def run(out: Path, changes: dict[str, Any], **options: Any) -> dict[str, Any]:
    job = process.job(out, "dparallel", {"steps": 2} | changes)
    return train.train(replace(job, **options), tiny.backbone(), tiny.trajectories())


def content(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


def test_the_same_run_is_shown_and_another_one_refused(tmp_path: Path) -> None:
    manifest = run(tmp_path, {})
    before = content(tmp_path)
    assert run(tmp_path, {}) == manifest
    assert run(tmp_path, {}, replace=True) == manifest
    with pytest.raises(MethodsError, match=r"a finished run that differs in lr, choose another --out, or pass --repl"):
        run(tmp_path, {"lr": 1e-3})
    assert content(tmp_path) == before
    assert run(tmp_path, {"lr": 1e-3}, replace=True)["settings"]["lr"] == 1e-3


def test_a_repeat_with_another_export_is_refused(tmp_path: Path) -> None:
    first = run(tmp_path, LORA)
    assert first["export"] == {"store": "float32", "adapter_only": False}
    assert run(tmp_path, LORA, dtype="float32") == first
    with pytest.raises(MethodsError, match="exported with --store float32 and not --store float16"):
        run(tmp_path, LORA, dtype="float16")
    with pytest.raises(MethodsError, match="not --adapter-only"):
        run(tmp_path, LORA, merge=False)
    run(tmp_path, LORA, dtype="float16", replace=True)
    assert {value.dtype for value in load_file(str(tmp_path / "model.safetensors")).values()} == {torch.float16}
    with pytest.raises(MethodsUsageError, match="dtype"):
        run(tmp_path / "other", LORA, dtype="float61")
    assert not (tmp_path / "other").exists()


def test_a_manifest_from_before_the_entry_is_still_finished(tmp_path: Path) -> None:
    manifest = run(tmp_path, {})
    del manifest["export"]
    for name in folder.LATER:
        del manifest["key"]["settings"][name]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert run(tmp_path, {}, dtype="float16") == manifest
    with pytest.raises(MethodsError, match="differs in score"):
        run(tmp_path, {"score": "entropy"})


def test_nothing_of_the_run_before_stays(tmp_path: Path) -> None:
    run(tmp_path, LORA)
    (tmp_path / "mine.txt").write_text("notes")
    run(tmp_path, {}, fresh=True)
    assert not (tmp_path / "adapter").exists()
    assert (tmp_path / "mine.txt").exists()
    run(tmp_path, LORA, merge=False, replace=True)
    assert (tmp_path / "adapter").exists()
    assert not (tmp_path / "model.safetensors").exists()


def test_a_model_that_no_training_made_is_never_replaced(tmp_path: Path) -> None:
    from methods.backbones import save

    save(tiny.backbone(), tmp_path)
    for options in ({}, {"fresh": True}, {"replace": True}):
        with pytest.raises(MethodsError, match="did not make"):
            run(tmp_path, {}, **options)


def test_an_unfinished_run_is_continued_or_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = run(tmp_path / "whole", {})["key"]
    work = folder.begin(tmp_path, key, clear=False)
    (work / "mark").touch()
    with pytest.raises(MethodsError, match="an unfinished run that differs in lr; finish it"):
        run(tmp_path, {"lr": 1.0})
    seen: list[bool] = []
    monkeypatch.setattr(train, "_run", lambda *a: seen.append((work / "mark").exists()) or 1 / 0)
    for options in ({}, {"replace": True}, {"fresh": True}):
        with pytest.raises(ZeroDivisionError):
            run(tmp_path, {}, **options)
    assert seen == [True, True, False]


def test_the_first_of_two_processes_clears_when_both_have_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With WORLD_SIZE=2 --fresh used to do nothing."""
    events: list[str] = []

    class State:
        def wait_for_everyone(self) -> None:
            events.append("wait")

    class Arguments:
        distributed_state = State()

    for number in ("0", "1"):
        monkeypatch.setitem(os.environ, "RANK", number)
        train._together(Arguments(), lambda: events.append("act"))  # type: ignore[arg-type]
    assert events == ["wait", "act", "wait", "wait", "wait"]


def test_tensorboard_keeps_its_logs(tmp_path: Path) -> None:
    run(tmp_path, {}, report_to=("tensorboard",))
    assert list((tmp_path / "runs").rglob("events.out.tfevents*"))


def test_an_unknown_tracker_is_named_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from methods.distill import launch

    with pytest.raises(MethodsUsageError, match="Did you mean 'wandb'"):
        run(tmp_path, {}, report_to=("wandbb",))
    monkeypatch.setitem(launch.TRACKERS, "wandb", lambda: False)
    with pytest.raises(MethodsError, match="wandb is not installed"):
        run(tmp_path, {}, report_to=("wandb",))
    assert not list(tmp_path.iterdir())
