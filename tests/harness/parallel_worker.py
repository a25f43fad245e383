"""What a process of the data-parallel tests does: lm-eval with a model that scores likelihoods, and with `dllm`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lm_eval import evaluator
from lm_eval.api.model import TemplateLM
from lm_eval.tasks import TaskManager

from harness.distributed import DataParallel, join
from harness.likelihood import loglikelihood
from methods.backbones import load


class Scorer(DataParallel, TemplateLM):
    """Token ids are the characters' codes modulo 60; every request is counted once by its document."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.group = join()
        self.backbone = load(folder, device=self.group.device("cpu"))
        self._device = self.backbone.device
        self.counts: dict[int, int] = {}

    eot_token_id = 61
    tokenizer_name = "characters"

    def tok_encode(self, string: str, **options: Any) -> list[int]:
        return [ord(letter) % 60 for letter in string]

    def _loglikelihood_tokens(self, requests: Any, **options: Any) -> list[tuple[float, bool]]:
        return loglikelihood(self.backbone, [(c, x) for _, c, x in requests], mc_num=8, batch_size=8)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        for one in requests:
            self.counts[one.doc_id] = len(one.args[1])
        return super().loglikelihood(requests)

    def loglikelihood_rolling(self, requests: Any, **options: Any) -> Any:
        raise NotImplementedError

    def generate_until(self, requests: Any, **options: Any) -> Any:
        raise NotImplementedError


@contextlib.contextmanager
def no_report() -> Iterator[None]:
    """Without lm-eval's report on the environment, which lists every package with pip."""
    with patch.object(evaluator, "add_env_info"), patch.object(evaluator, "get_git_commit_hash"):
        yield


def score(rank: int, folder: str, data: str, out: str) -> None:
    """Evaluate a two-choice task over the file `data`; rank 0 writes scores and counts to `out`."""
    task = {
        "task": "two_choices",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": data}, "cache_dir": f"{out}.cache{rank}"},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": ["yes", "no!"],
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "acc"}],
    }
    model = Scorer(folder)
    with no_report():
        found = evaluator.simple_evaluate(
            model=model, tasks=[task], task_manager=TaskManager(include_defaults=False), bootstrap_iters=10
        )
    counts = model.group.union(model.counts)
    if model.rank == 0:
        samples = {one["doc_id"]: one["resps"] for one in found["samples"]["two_choices"]}
        result = {"acc": found["results"]["two_choices"]["acc,none"], "samples": samples, "counts": counts}
        Path(out).write_text(json.dumps(result, sort_keys=True, default=str))
    model.barrier()


def generate(rank: int, suite: str, documents: int, out: str) -> None:
    """Evaluate `dllm` on mini_gsm8k; rank 0 writes accuracy, texts and counts to `out`."""
    import harness.adapter  # noqa: F401
    from harness.lm_tasks import FOLDER
    from tests.harness.launch import register

    register()
    with no_report():
        found = evaluator.simple_evaluate(
            model="dllm",
            model_args=f"method=test_entropy,suite={suite},gen_length=16,out={out}.counts.jsonl",
            batch_size=3,
            device="cpu",
            tasks=["mini_gsm8k"],
            limit=documents,
            task_manager=TaskManager(include_path=str(FOLDER), include_defaults=False),
            bootstrap_iters=10,
        )
    if rank == 0:
        logged = [row for row in found["samples"]["mini_gsm8k"] if row["filter"] == "flexible-extract"]
        scores = {name: value for name, value in found["results"]["mini_gsm8k"].items() if "," in name}
        result = {
            "scores": scores,
            "texts": {row["doc_id"]: row["resps"][0][0] for row in logged},
            "counted": {name: found["config"][name] for name in ("tokens", "forwards", "tpf")},
        }
        Path(out).write_text(json.dumps(result))
