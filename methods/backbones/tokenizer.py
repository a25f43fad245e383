"""The tokenizer and chat template of a checkpoint folder, without running code from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from methods.errors import MethodsError

_FILES = ("tokenizer.json", "vocab.json", "tokenizer_config.json")


def load_tokenizer(folder: Path, vocab: int | None = None) -> Any:
    """transformers' tokenizer of the folder, None when it holds none.

    Dream's folders carry `vocab.json` and `merges.txt` with a class of their own that is Qwen2's; that one is
    used. Raises MethodsError when the files do not load or know ids that the embedding of `vocab` rows lacks.
    """
    if not any((folder / name).is_file() for name in _FILES):
        return None
    try:
        tokenizer = _read(folder)
    except Exception as error:
        raise MethodsError(f"The tokenizer files in {folder} do not load: {_first_line(error)}") from error
    if vocab is not None:
        highest = max(tokenizer.get_vocab().values(), default=0)
        if highest >= vocab:
            raise MethodsError(
                f"The tokenizer in {folder} has ids up to {highest} but the embedding has {vocab} rows; "
                "they do not belong together."
            )
    return tokenizer


def _read(folder: Path) -> Any:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Tokenizer

    if (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(str(folder))
    if (folder / "merges.txt").is_file():
        return Qwen2Tokenizer.from_pretrained(str(folder))
    return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
