"""The child of `tasks.mathscore`: reads answers as JSON lines, writes lm-eval's scores of them, until stdin ends."""

from __future__ import annotations

import json
import logging
import os
import sys


def main() -> None:
    """Serve."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not become an answer
    from lm_eval.tasks.minerva_math.utils import process_results

    logging.disable(logging.CRITICAL)
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            said = process_results({"solution": job["solution"], "answer": job["answer"]}, [job["text"]])
        except Exception:  # an answer that breaks the parser is a wrong answer
            said = {"exact_match": 0, "math_verify": 0}
        print(json.dumps({name: int(value) for name, value in said.items()}), file=out, flush=True)


if __name__ == "__main__":
    main()
