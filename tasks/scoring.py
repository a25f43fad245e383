"""One sample's score, by the lm-eval task's own filters and `process_results`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tasks.loading import Loaded


@dataclass(frozen=True)
class Score:
    """What one generated text is worth.

    extracted: the answer (or program) that was scored, None if none was found. outcome: `correct`, `wrong` or
    `no_answer`; for code the sandbox's. correct: the protocol's metric. strict, flexible: the task's two extractions
    (GSM8K: the number behind `####`, or in the last box where the protocol asks for one, and the
    protocol's reading of the whole text; MATH: exact_match of the final-answer sentence and math_verify; code: the
    text as it is and the sanitised program). metrics: every number of `process_results`, by `metric,filter`.
    detail: why, in words.
    """

    extracted: str | None
    outcome: str
    correct: bool
    strict: bool
    flexible: bool
    metrics: dict[str, float] = field(default_factory=dict)
    detail: str = ""


PAIRS = {  # metric -> the (metric, filter)s that may be shown as strict and as flexible: the first that a task has
    "exact_match": (["exact_match,strict-match"], ["exact_match,reader", "exact_match,flexible-extract"]),
    "math_verify": (["exact_match,none"], ["math_verify,none"]),
    "pass@1": (["pass@1,strict"], ["pass@1,sanitised"]),
}
NO_ANSWER = ("[invalid]", "")


def apply(loaded: Loaded, doc: dict[str, Any], text: str) -> dict[str, tuple[str, dict[str, float]]]:
    """Per filter of the task: the filtered text and what `process_results` makes of it."""
    from lm_eval.api.instance import Instance

    instance = Instance(request_type="generate_until", doc=doc, arguments=("", {}), idx=0)
    instance.resps = [text]
    scored = {}
    for ensemble in loaded.task._filters:
        ensemble.apply([instance])
        filtered = instance.filtered_resps[ensemble.name]
        scored[ensemble.name] = (filtered, loaded.task.process_results(doc, [filtered]))
    return scored


def score(loaded: Loaded, doc: dict[str, Any], text: str) -> Score:
    """Score one kept text (cut at EOS and stop strings) of a document of `loaded`; may be called from any thread."""
    protocol = loaded.protocol
    scored = apply(loaded, doc, text)
    metrics = {f"{name},{key}": float(value) for key, (_, values) in scored.items() for name, value in values.items()}
    strict, flexible = (bool(next(metrics[key] for key in keys if key in metrics)) for keys in PAIRS[protocol.metric])
    correct = bool(metrics[f"{protocol.metric},{protocol.extraction}"])
    extracted, outcome, detail = _judged(loaded, doc, scored[protocol.extraction][0], text, correct)
    return Score(extracted, outcome, correct, strict, flexible, metrics, detail)


def _judged(
    loaded: Loaded, doc: dict[str, Any], filtered: Any, text: str, correct: bool
) -> tuple[str | None, str, str]:
    """(extracted, outcome, detail) of the extraction that counts."""
    metric = loaded.protocol.metric
    if metric == "pass@1":
        from tasks.codescore import judged

        return judged(doc, filtered)
    if metric == "math_verify":
        from tasks.mathscore import extracted_answer, process_boxed

        answer = extracted_answer(doc, text, loaded.task.config.process_results is process_boxed)
    else:
        answer = None if filtered in NO_ANSWER else str(filtered)
    return answer, "correct" if correct else "no_answer" if answer is None else "wrong", ""
