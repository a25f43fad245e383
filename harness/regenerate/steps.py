"""The steps between the commands: fingerprints of the data, the suite of the new weights, measured results."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.suites import FOLDER

TRAIN_PROBLEMS = 2000
PRETRAINED = ("base", "ar")


def checkpoint_of(out: Path, name: str) -> Path:
    """Where a regeneration in `out` keeps the mini suite's checkpoint `name`."""
    return out / "pretrain" / name / "checkpoint" if name in PRETRAINED else out / "weights" / name


def write_data(out: Path) -> dict[str, Any]:
    """Generate every task's test split and a stretch of its training split; store counts and hashes.

    Raises UserError when a problem is in both splits.
    """
    from tasks.mini import TASKS

    out.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {}
    for name, task in TASKS.items():
        test = task.problems("test")
        train = task.problems("train", TRAIN_PROBLEMS)
        texts = [{json.dumps(row, sort_keys=True, default=str) for row in rows} for rows in (test, train)]
        if texts[0] & texts[1]:
            raise UserError(f"mini {name}: {len(texts[0] & texts[1])} problems are in both splits.")
        text = "\n".join(json.dumps(row, sort_keys=True, default=str) for row in test)
        (out / f"{name}.test.jsonl").write_text(text + "\n", encoding="utf-8")
        digest = hashlib.sha256("".join(sorted(texts[1])).encode()).hexdigest()[:16]
        facts[name] = {"test": len(test), "train_looked_at": len(train), "train_hash": digest}
    (out / "data.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return facts


def write_tokenizer(out: Path) -> int:
    """Train the mini tokenizer; the pretraining trains the same one from the same texts. Returns its size."""
    from harness.pretraining import build_tokenizer
    from methods.distill.pretrain import PretrainConfig

    tokenizer = build_tokenizer(PretrainConfig().vocab)
    tokenizer.save_pretrained(str(out))
    return len(tokenizer)


def write_suite(file: Path, profile: str, source: Path = FOLDER / "mini.yaml") -> None:
    """The mini suite with its checkpoints replaced by the ones beside `file`, labelled with the profile."""
    import yaml

    from harness.regenerate.plan import RECIPES

    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    folder = file.parent.resolve()
    content["checkpoints"] = {name: {"source": str(checkpoint_of(folder, name))} for name in (*PRETRAINED, *RECIPES)}
    content["title"] = f"{content['title']}, regenerated ({profile} profile)"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def write_results(weights: Path, runs: Path) -> dict[str, int]:
    """Put every finished run of a trained model into that model's manifest and card; returns runs per model."""
    from harness.store import load_runs
    from methods.distill.model_card import add_results
    from methods.registry import all_methods

    points = load_runs(runs, samples=False).points
    counts: dict[str, int] = {}
    for name, method in sorted(all_methods().items()):
        folder = checkpoint_of(weights.parent, method.checkpoint)
        mine = points[points["method"] == name]
        if not (folder / "manifest.json").exists() or mine.empty:
            continue
        results = {
            f"{name}, {p.task}, {p.axis} = {p.axis_value}": {
                "accuracy": float(p.accuracy),
                "accuracy_ci95": [float(p.acc_lo), float(p.acc_hi)],
                "tpf": float(p.tpf),
                "n": int(p.n_samples),
                "run_id": p.run_id,
            }
            for p in mine.itertuples()
        }
        add_results(folder, results)
        counts[name] = len(results)
    (weights / "results.json").write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    return counts


def main(arguments: list[str]) -> None:
    """`data DIR`, `tokenizer DIR`, `suite FILE PROFILE`, `results WEIGHTS RUNS` or `findings DIR PROFILE SEED`."""
    step, *rest = arguments
    if step == "data":
        print(json.dumps(write_data(Path(rest[0]))))
    elif step == "tokenizer":
        print(write_tokenizer(Path(rest[0])))
    elif step == "suite":
        write_suite(Path(rest[0]), rest[1])
    elif step == "results":
        print(json.dumps(write_results(Path(rest[0]), Path(rest[1]))))
    elif step == "findings":
        from harness.regenerate.findings import write_findings
        from harness.regenerate.profiles import profile_of

        profile = profile_of(rest[1])
        print(json.dumps(write_findings(Path(rest[0]), profile.deltas, profile.extra_seeds, int(rest[2]))))
    else:
        raise SystemExit(f"unknown step {step}")


if __name__ == "__main__":
    main(sys.argv[1:])
