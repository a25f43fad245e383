"""The child of `tasks.mathscore`: reads answers as JSON lines, writes their scores, until stdin ends."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from tasks.boxes import last_box


def main() -> None:
    """Serve."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not become an answer
    from lm_eval.tasks.minerva_math.utils import process_results
    from math_verify import parse

    from tasks.mathreader import judge

    def scored(job: dict[str, Any]) -> dict[str, Any]:
        doc, text = {"solution": job["solution"], "answer": job["answer"]}, job["text"]
        found: dict[str, Any] = process_results(doc, [text])
        if job["boxed"]:
            right, found["extracted"] = judge(job["solution"], text)
            return found | {"math_verify": int(right)}
        parsed = parse(text)
        return found | {"extracted": str(parsed[-1]) if parsed else None}

    logging.disable(logging.CRITICAL)
    # loads sympy's grammars, which can take longer than the five seconds that upstream gives an answer
    process_results({"solution": "$\\boxed{1}$", "answer": "2-1"}, ["Final Answer: The final answer is $1$. I hope"])
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            found = scored(job)
        except Exception:  # an answer that breaks the parser is a wrong answer
            box = last_box(job["text"])
            found = {"exact_match": 0, "math_verify": 0, "extracted": box.content if box else None}
        print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
