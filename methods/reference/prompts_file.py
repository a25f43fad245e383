"""Decode a file of token-id prompts: what `harness decode` does, as a function.

A line is a JSON object with `id` and `prompt_ids`, and may carry its own `decoder`, `settings` and `checkpoint` (a
folder name under the given one). Decoders are the published ones (`llada.multi_block`, `fidelity` among their
settings) or this package's methods (`d3llm`, with `gen_length` among their settings).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from methods.backbones.config import SHIFT
from methods.backbones.safetensors_header import shown
from methods.decoding.decoder import Request, Result
from methods.decoding.engine import REUSE_MB, decode
from methods.errors import MethodsError, MethodsUsageError, unknown
from methods.params import Param
from methods.reference.published import PUBLISHED, reference

LENGTH = Param(int, 128, "tokens to generate", low=1)
ALIASES = {"eb": "eb_sampler", "joint": "joint_threshold"}  # short names of recorded cases
OWN = ("gen_length", "fidelity", "arch")


@dataclass
class Line:
    """One prompt with what decodes it. nfe: whether the decoder reports a count of its forwards."""

    id: Any
    checkpoint: Path
    request: Request
    nfe: bool


def read_lines(
    text: Iterable[str], checkpoint: Path, decoder: str | None = None, settings: Mapping[str, Any] | None = None
) -> list[Line]:
    """Lines of JSON to requests; a line's own decoder, settings and checkpoint win over the given ones.

    Raises MethodsUsageError naming the line and what is wrong with it.
    """
    lines = []
    for number, raw in enumerate(text, 1):
        if raw.strip():
            try:
                lines.append(_line(json.loads(raw), checkpoint, decoder, settings or {}))
            except (ValueError, KeyError, TypeError) as error:
                reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                raise MethodsUsageError(
                    f'Line {number} of the prompts: {reason}; a line is {{"id": ..., "prompt_ids": [...]}}.'
                ) from None
            except MethodsError as error:
                raise MethodsUsageError(f"Line {number} of the prompts: {error}") from None
    if not lines:
        raise MethodsUsageError('The file of prompts is empty; a line is {"id": ..., "prompt_ids": [...]}.')
    return lines


def _line(row: Mapping[str, Any], root: Path, decoder: str | None, settings: Mapping[str, Any]) -> Line:
    if not isinstance(row, Mapping):
        raise MethodsUsageError('a line is a JSON object like {"id": 1, "prompt_ids": [5, 6]}.')
    name = row.get("decoder", decoder)
    if name is None:
        raise MethodsUsageError("it names no decoder; give --decoder or a `decoder` in the line.")
    values = {**settings, **row.get("settings", {})}
    folder = _inside(root, row["checkpoint"]) if row.get("checkpoint") else root
    if name in PUBLISHED:
        made, length = reference(name, values)
    else:
        made, length = _method(name, values, folder)
    ids = row["prompt_ids"]
    if not isinstance(ids, list) or not all(isinstance(token, int) and not isinstance(token, bool) for token in ids):
        raise MethodsUsageError("prompt_ids must be a list of integers.")
    nfe = name not in PUBLISHED or PUBLISHED[name].reports_nfe or values.get("fidelity") != "compat"
    return Line(row["id"], folder, Request(ids, length, made), nfe)


def _inside(root: Path, name: Any) -> Path:
    """The checkpoint folder `name` under the given one: a file of prompts chooses among those, it opens no other."""
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise MethodsUsageError(f"checkpoint {shown(ascii(name))} is not the name of a folder under {root}.")
    return root / name


def _method(name: str, values: Mapping[str, Any], folder: Path) -> tuple[Any, int]:
    """A method of this package, built for the architecture of the checkpoint."""
    from methods import registry

    name = ALIASES.get(name, name)
    if name not in registry.names():
        raise unknown("decoder", name, [*PUBLISHED, *registry.names()])
    method = registry.get(name)
    own = method.settings({key: value for key, value in values.items() if key not in OWN})
    arch = values.get("arch") or _arch(folder)
    if arch not in SHIFT:
        raise unknown("arch", str(arch), SHIFT)
    made = method.build(own, arch, values.get("fidelity", "fixed"), _tokenizer(folder))
    return made, LENGTH.coerce("gen_length", values.get("gen_length", 128))


@cache
def _tokenizer(folder: Path) -> Any:
    """The tokenizer of a checkpoint folder; None without one."""
    from methods.backbones.tokenizer import load_tokenizer

    return load_tokenizer(folder) if folder.is_dir() else None


@cache
def _arch(folder: Path) -> str:
    """The architecture of a checkpoint folder; a missing folder is reported later."""
    from methods.backbones.config import model_config
    from methods.backbones.files import read_config

    return model_config(read_config(folder), str(folder / "config.json")).arch if folder.is_dir() else "llada"


def decode_lines(
    lines: list[Line],
    *,
    batch_size: int = 32,
    device: str = "auto",
    dtype: str = "auto",
    reuse_mb: float = REUSE_MB,
    done: Callable[[int], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """The output rows in the order of `lines`; every checkpoint is loaded once. done(count) reports progress.
    reuse_mb: see `methods.decoding.decode`.

    Raises MethodsUsageError for a checkpoint folder that is not there, before anything is loaded.
    """
    from methods.backbones import load

    found: dict[int, dict[str, Any]] = {}
    folders = list(dict.fromkeys(line.checkpoint for line in lines))
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise MethodsUsageError(
            f"There is no checkpoint folder {missing[0]}; it should hold config.json and safetensors."
        )
    for folder in folders:
        backbone = load(folder, device=device, dtype=dtype)
        places = [place for place, line in enumerate(lines) if line.checkpoint == folder]
        for result in decode(
            backbone, [lines[place].request for place in places], batch_size=batch_size, reuse_mb=reuse_mb
        ):
            place = places[result.index]
            found[place] = output(lines[place], result)
            if done:
                done(len(found))
    return (found[place] for place in range(len(lines)))


def output(line: Line, result: Result) -> dict[str, Any]:
    """One output row; `nfe` is null where the published code returns none."""
    return {
        "id": line.id,
        "output_ids": result.output_ids,
        "nfe": result.nfe if line.nfe else None,
        "actual_forwards": result.total_forwards,
        "forwards": result.forwards,
        "positions": result.positions,
        "reveal_step": result.reveal_step,
        "first_commit_step": result.reveal_step,
        "last_commit_step": result.commit_step,
        "stop_reason": result.stop_reason,
        "revisions": result.revisions,
        "remasks": result.remasks,
        "filled_and_remasked_in_one_step": result.flickers,
    }
