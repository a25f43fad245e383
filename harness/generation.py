"""The one way from a prompt to a counted sample; `harness run` and the lm-eval model `dllm` both take it.

The length check, the request with its seed, and the fields of a decoded sample. How settings are layered is in
`harness.settings.layered`, how ids become text and counts in `harness.text.Reader`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import revisions
from harness.errors import UsageError
from harness.metrics import KINDS
from harness.suites import Suite
from harness.text import Reader

SEED_STRIDE = 1_000_003  # documents of two runs with neighbouring seeds never share a seed below this many documents
UNSCORED = {"extracted": None, "outcome": "error", "correct": 0, "strict": 0, "flexible": 0, "detail": ""}


def context_length(suite: Suite, backbone: Any) -> int:
    """The longest canvas in tokens: the suite's context, or the model's if that is shorter."""
    return int(min(suite.context, backbone.max_positions))


def check_length(decoder: Any, gen_length: int, context: int) -> None:
    """Raise UsageError for a generation length that leaves no context for a prompt, or that the decoder refuses."""
    from methods.decoding import Request

    if gen_length >= context:
        raise UsageError(f"gen_length={gen_length} leaves no space for a prompt in a context of {context}.")
    for need in decoder.need:  # such as a block size that does not divide the generation length
        need(Request([0], gen_length, decoder))


def fits(prompt_ids: Sequence[int], gen_length: int, context: int) -> bool:
    """Whether prompt and generation region fit into the context together."""
    return len(prompt_ids) + gen_length <= context


def request(decoder: Any, prompt_ids: Sequence[int], gen_length: int, *, seed: int, doc_id: int) -> Any:
    """The decoding engine's request; its seed depends on the run's seed and the document only."""
    from methods.decoding import Request

    return Request(list(prompt_ids), gen_length, decoder, seed * SEED_STRIDE + doc_id)


def decoded(reader: Reader, result: Any, *, task: str, until: Sequence[str], eos_policy: str) -> dict[str, Any]:
    """The fields of a decoded sample: ids, pieces, the kept text, counts and trace. eos_policy: see `metrics.keep`."""
    ids = list(map(int, result.output_ids))
    pieces = reader.pieces(ids)
    kept = reader.keep(ids, pieces, until, eos_policy)
    return {
        "output_ids": ids,
        "pieces": pieces,
        "text": kept.text,
        "stop_reason": result.stop_reason,
        "forwards": {kind: int(result.forwards.get(kind, 0)) for kind in KINDS},
        "nfe": int(result.nfe),
        "positions": int(result.positions),
        "tokens": kept.tokens,
        "tokens_compat": reader.compat(task, ids, until),
        "truncated": False,
        "forwards_run": int(result.forwards_run),
        "positions_run": int(result.positions_run),
        "seconds": float(result.seconds),
        **revisions.stored(result, reader.pieces),
    }


def too_long(prompt_ids: Sequence[int], gen_length: int, context: int) -> dict[str, Any]:
    """The same fields for a prompt that does not fit: nothing is decoded, and it counts as wrong."""
    return {
        **UNSCORED,
        "outcome": "truncated",
        "detail": f"the prompt has {len(prompt_ids)} tokens, the context takes {context - gen_length}",
        "output_ids": [],
        "pieces": [],
        "text": "",
        "stop_reason": "truncated",
        "forwards": dict.fromkeys(KINDS, 0),
        "nfe": 0,
        "positions": 0,
        "tokens": 0,
        "tokens_compat": {},
        "revisions": 0,
        "remasks": 0,
        "truncated": True,
        "forwards_run": 0,
        "positions_run": 0,
        "seconds": 0.0,
        "trace": [],
    }
