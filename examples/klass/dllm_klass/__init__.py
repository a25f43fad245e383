"""KLASS (Kim et al. 2025): a slot is committed when the model is sure of it and has stopped changing its mind.

Sure: its best token's probability exceeds `threshold`. Stopped changing: the KL divergence of its distribution from
that of the forward before was under `kl_threshold` in each of the last `history` forwards. Where no slot is both, the
surest one is committed. No training, so it runs on any suite's base checkpoint.
"""

from __future__ import annotations

from methods import params
from methods.method import Method, Param

METHOD = Method(
    name="klass",
    title="KLASS",
    summary="Slots that are sure and whose distribution has stopped moving, blocks from left to right",
    citation="Kim et al. 2025, KLASS, arXiv:2511.05664",
    family="dllm",
    decoder="dllm_klass.decoder:build",
    params={
        "threshold": params.CONFIDENCE,
        "kl_threshold": Param(float, 0.01, "divergence in nats below which a slot counts as still", low=0.0),
        "history": Param(int, 2, "forwards in a row that a slot has to be still", low=1),
        "block_size": params.BLOCK_SIZE,
    },
    axis="threshold",
    points=(1.0, 0.9, 0.8, 0.7, 0.6, 0.5),
    one_token={"threshold": 1.0},
    checkpoint="base",
)
