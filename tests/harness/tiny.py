"""A tiny LLaDA checkpoint with random weights and the mini tokenizer, and a suite that names it."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

VOCAB = 300
SUITE = """
name: mini
title: Tiny test suite
arch: llada
context: {context}
data: mini
checkpoints:
  base: {{source: "{checkpoint}"}}
  tad_speed: {{source: "{checkpoint}"}}
protocols: {{gsm8k: mini/gsm8k, math: mini/math, humaneval: mini/humaneval, mbpp: mini/mbpp}}
settings:
  test_entropy: {{all: {{gen_length: 16, block_size: 8}}}}
  test_other: {{all: {{gen_length: 16, block_size: 8}}}}
"""


@functools.cache
def checkpoint() -> Path:
    """A folder with config, weights and tokenizer; made once per process."""
    from harness.pretraining import texts
    from methods.backbones import create, save
    from methods.distill.tokenizer import train_tokenizer

    stream = texts(0)
    tokenizer = train_tokenizer(("".join(next(stream)) for _ in range(200)), VOCAB)
    config = {
        "model_type": "llada",
        "d_model": 32,
        "n_heads": 4,
        "n_kv_heads": 4,
        "n_layers": 2,
        "mlp_hidden_size": 48,
        "embedding_size": len(tokenizer),
        "vocab_size": len(tokenizer),
        "max_sequence_length": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "mask_token_id": tokenizer.mask_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "weight_tying": False,
    }
    backbone = create(config, seed=3)
    for parameter in backbone.model.parameters():
        parameter.mul_(6.0)  # sharp enough that decoding is not one long tie
    backbone.tokenizer = tokenizer
    return save(backbone, Path(tempfile.mkdtemp(prefix="tiny-")) / "checkpoint")


def write_suite(place: Path, context: int = 512) -> Path:
    """A copy of the checkpoint and a suite file in `place`; returns the suite's path, good for --suite."""
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "checkpoint").exists():
        shutil.copytree(checkpoint(), place / "checkpoint")
    suite = place / "mini.yaml"
    suite.write_text(SUITE.format(context=context, checkpoint=place / "checkpoint"), encoding="utf-8")
    return suite
