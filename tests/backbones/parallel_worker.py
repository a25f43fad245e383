"""A process of the data-parallel tests: an lm-eval model that scores likelihoods and counts what it did."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lm_eval.api.model import TemplateLM

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


def main(folder: str, data: str, out: str) -> None:
    """Evaluate a two-choice task over the file `data`; rank 0 writes scores and counts to `out`."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    task = {
        "task": "two_choices",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": data}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": ["yes", "no!"],
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "acc"}],
    }
    model = Scorer(folder)
    found = simple_evaluate(
        model=model,
        tasks=[task],
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=10,
        log_samples=True,
    )
    counts = model.group.union(model.counts)
    if model.rank == 0:
        samples = {one["doc_id"]: one["resps"] for one in found["samples"]["two_choices"]}
        result = {"acc": found["results"]["two_choices"]["acc,none"], "samples": samples, "counts": counts}
        Path(out).write_text(json.dumps(result, sort_keys=True, default=str))
    model.barrier()


if __name__ == "__main__":
    main(*sys.argv[1:])
