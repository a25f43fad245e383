"""Special ids of a checkpoint: mask, end of sequence, end of turn, padding.

They come from the checkpoint's own files: config.json, generation_config.json, then the names in the tokenizer
files. For the mask and the padding the first hit wins; the ids that end an answer are all of them, in that order.
A table of known vocabularies supplies the rest. No torch here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from methods.errors import MethodsError


@dataclass(frozen=True)
class Special:
    """mask: the mask id, None for autoregressive models. eos: ids that end an answer (EOS and EOT). pad: padding."""

    mask: int | None
    eos: tuple[int, ...]
    pad: int


# (architecture, rows of the embedding) -> ids of the published vocabularies.
# LLaDA: tokenizer of GSAI-ML/LLaDA-8B-Instruct. Dream: Dream-org/Dream-v0-Instruct-7B.
# Block diffusion: Efficient-Large-Model/Fast_dLLM_v2_7B, Qwen2.5's vocabulary with a mask.
# Qwen: the vocabularies of Qwen2.5 and Qwen3, `<|endoftext|>` and `<|im_end|>`.
KNOWN: dict[tuple[str, int], dict[str, Any]] = {
    ("llada", 126464): {"mask": 126336, "eos": (126081, 126348), "pad": 126081},
    ("dream", 152064): {"mask": 151666, "eos": (151643, 151645), "pad": 151643},
    ("block", 152064): {"mask": 151665, "eos": (151645, 151643), "pad": 151643},
    ("ar", 152064): {"mask": None, "eos": (151645, 151643), "pad": 151643},
    ("ar", 151936): {"mask": None, "eos": (151645, 151643), "pad": 151643},
}
MASK_NAMES = ("<|mdm_mask|>", "<|mask|>", "[MASK]", "<mask>", "|<MASK>|")
TURN_NAMES = ("<|eot_id|>", "<|im_end|>")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`, {} when there is no such file. Raises MethodsError when it does not parse."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MethodsError(f"{path} is not valid JSON ({error}); download the checkpoint again.") from None
    if not isinstance(value, dict):
        raise MethodsError(f"{path} should hold a JSON object.")
    return value


def added_tokens(folder: Path) -> dict[str, int]:
    """Special tokens by name, from the tokenizer files of a checkpoint folder. Raises MethodsError for damaged ones."""
    found: dict[str, int] = {}
    file = "tokenizer.json"
    try:
        for entry in read_json(folder / file).get("added_tokens") or []:
            found[str(entry["content"])] = int(entry["id"])
        file = "tokenizer_config.json"
        for token, name in (read_json(folder / file).get("added_tokens_decoder") or {}).items():
            found[str(name["content"])] = int(token)
        file = "added_tokens.json"
        return found | {name: int(token) for name, token in read_json(folder / file).items()}
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise MethodsError(f"{folder / file}: its added tokens are not a list of names and ids.") from None


def resolve(arch: str, vocab: int, config: Mapping[str, Any], folder: Path | None = None) -> Special:
    """The special ids of a checkpoint; `folder` may hold generation and tokenizer files beside the config.

    Raises MethodsError when a needed id is nowhere to be found or is outside the embedding.
    """
    generation = read_json(folder / "generation_config.json") if folder else {}
    tokens = added_tokens(folder) if folder else {}
    names = read_json(folder / "tokenizer_config.json") if folder else {}
    known = KNOWN.get((arch, vocab), {})

    eos: list[Any] = []
    for source in (config.get("eos_token_id"), config.get("eot_token_id"), generation.get("eos_token_id")):
        eos += source if isinstance(source, list) else [] if source is None else [source]
    eos += [tokens[name] for name in (_text(names.get("eos_token")), *TURN_NAMES) if name in tokens]
    eos += [token for token in known.get("eos", ()) if token not in eos]
    mask = None
    if arch != "ar":
        mask = _first(
            config.get("mask_token_id"),
            generation.get("mask_token_id"),
            *(tokens.get(name) for name in (_text(names.get("mask_token")), *MASK_NAMES) if name),
            known.get("mask"),
        )
    pad = _first(config.get("pad_token_id"), generation.get("pad_token_id"), tokens.get(_text(names.get("pad_token"))))
    pad = _first(pad, known.get("pad"), eos[0] if eos else None)
    where = str(folder / "config.json") if folder else "config.json"
    return _checked(arch, vocab, mask, eos, pad, where)


def _checked(arch: str, vocab: int, mask: Any, eos: list[Any], pad: Any, where: str) -> Special:
    if arch != "ar" and mask is None:
        raise MethodsError(f"{where}: no mask_token_id here or in the tokenizer files; add it to config.json.")
    if not eos or pad is None:
        raise MethodsError(f"{where}: no eos_token_id here or in the tokenizer files; add it to config.json.")
    ids = [("pad_token_id", pad), *(("eos_token_id", one) for one in eos)]
    for name, token in ids if mask is None else [("mask_token_id", mask), *ids]:
        if type(token) is not int:
            raise MethodsError(f"{where}: {name} {ascii(token)[:60]} is no token id; ids are whole numbers.")
        if not 0 <= token < vocab:
            raise MethodsError(f"{where}: {name} {token} is outside the embedding of {vocab} rows.")
    return Special(mask=mask, eos=tuple(dict.fromkeys(eos)), pad=pad)


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _text(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")
