"""8- and 4-bit weights, where bitsandbytes is installed (it has CPU kernels)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from methods.backbones import create, load, quantise, save
from methods.errors import MethodsError
from tests.backbones.tiny import LLADA, line, worst

WIDE = {**LLADA, "d_model": 64, "mlp_hidden_size": 128}


def test_without_the_extra_there_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save(create(LLADA, 1), tmp_path)
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MethodsError, match="pip install bitsandbytes"):
        load(folder, dtype="nf4")


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
@pytest.mark.parametrize(("kind", "bound"), [("int8", 0.05), ("nf4", 0.3)])
def test_quantised_weights_stay_close(kind: str, bound: float, tmp_path: Path) -> None:
    assert kind in quantise.KINDS
    full = create(WIDE, 1)
    packed = load(save(full, tmp_path), dtype=kind, device="cpu")
    ids, at = line(9)
    difference = worst(packed.hidden(ids, at), full.hidden(ids, at))
    assert 0 < difference < bound
    linear = packed.model.model.layers[0].mlp.up_proj
    assert linear.weight.dtype.itemsize == 1
