"""What the files of a run may hold. They may come from another machine or from a hand, so nothing trusts them unread.

Suite, method, task and run id become folder names: one that could lead elsewhere is refused wherever it is read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import NamesError, StoreError, SummaryError

Fits = Callable[[Any], bool]
LARGEST = 2**31 - 1  # of a count; `positions` may be larger
LONGEST = 200  # characters of a name


def is_name(value: Any) -> bool:
    """Whether a value can name a folder of a store: printable text without separators that is not hidden."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST
        and value.isprintable()
        and not value.startswith(".")
        and not any(character in value for character in '/\\:*?"<>|')
    )


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _amount(value: Any) -> bool:
    return _number(value) and value >= 0


def _bit(value: Any) -> bool:
    return type(value) in (int, bool) and value in (0, 1)


def _table(value: Any) -> bool:
    return isinstance(value, dict)


def _finite_table(value: Any) -> bool:
    return _table(value) and all(math.isfinite(one) for one in value.values() if isinstance(one, float))


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


def _counts(value: Any) -> bool:
    return isinstance(value, list) and (not value or (set(map(type, value)) == {int} and min(value) >= 0))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and set(map(type, value)) <= {str}


def _list_of(fits: Fits) -> Fits:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value))


def _forwards(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_count, value.values()))


def _special(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _or_none(_count)(value.get("mask"))
        and all(_counts(value.get(name)) for name in ("eos", "skip"))
    )


def _data(value: Any) -> bool:
    return isinstance(value, dict) and _text(value.get("kind")) and _or_none(_text)(value.get("path"))


def _session(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    command, ranks = value.get("command", []), value.get("ranks", [])
    return (
        all(_or_none(_count)(value.get(name)) for name in ("samples", "limit", "batch_size"))
        and (_text(command) or _texts(command))
        and _list_of(_table)(ranks)
        and all(_or_none(_table)(value.get(name)) for name in ("git", "packages", "hardware"))
        and _or_none(_list_of(_table))(value.get("out_of_memory"))
    )


# what makes a run.json one, and what the others of its keys hold where they are there
NAMES = ("suite", "method", "task", "run_id")
RUN: dict[str, Fits] = {**dict.fromkeys(NAMES, is_name), "setting": _table}
RUN_OPTIONAL: dict[str, Fits] = {
    **dict.fromkeys(("gen_length", "protocol_version", "n_docs"), _count),
    **dict.fromkeys(("fidelity", "protocol", "protocol_digest", "metric", "checkpoint", "dtype"), _text),
    **dict.fromkeys(("checkpoint_fingerprint", "data_fingerprint", "tokenizer_fingerprint", "code_version"), _text),
    **dict.fromkeys(("arch", "suite_source", "confinement"), _text),
    **dict.fromkeys(("axis", "adapter", "started", "rescored_from", "label"), _or_none(_text)),
    "seed": lambda value: type(value) is int,
    "data": _or_none(_data),
    "sessions": _or_none(_list_of(_session)),
    "special": _special,
}

# what makes a line of samples.jsonl one, the keys that a reader of many lines parses, and the rest
SAMPLE: dict[str, Fits] = {**dict.fromkeys(("doc_id", "tokens"), _count), "correct": _bit, "forwards": _forwards}
SAMPLE_FRAME: dict[str, Fits] = {
    **dict.fromkeys(("prompt_tokens", "nfe"), _count),
    **dict.fromkeys(("prompt_hash", "outcome", "stop_reason"), _text),
    "positions": lambda value: type(value) is int and 0 <= value < 2**63,
    "seconds": _amount,
}
SAMPLE_REST: dict[str, Fits] = {
    **dict.fromkeys(("strict", "flexible", "truncated"), _bit),
    **dict.fromkeys(("task", "prompt", "text", "error"), _text),
    **dict.fromkeys(("revisions", "remasks"), _count),
    **dict.fromkeys(("extracted", "detail"), _or_none(_text)),
    "tokens_compat": lambda value: isinstance(value, dict) and all(map(_count, value.values())),
    **dict.fromkeys(("output_ids", "trace"), _counts),
    "pieces": _texts,
}
SAMPLE_OPTIONAL = SAMPLE_FRAME | SAMPLE_REST
TRACED = ("output_ids", "pieces", "trace")  # one entry each per position of the output

SUMMARY: dict[str, Fits] = {"n_samples": _count}
SUMMARY_OPTIONAL: dict[str, Fits] = {
    **dict.fromkeys(("accuracy_ci95", "tpf_ci95"), _or_none(_interval)),
    **dict.fromkeys(("accuracy", "tpf", "tps", "tpf_sample_mean"), _or_none(_number)),
    **dict.fromkeys(("tokens", "forwards", "positions", "decode_seconds"), _amount),
    **dict.fromkeys(("errors", "truncated", "empty_outputs", "batch_size"), _or_none(_count)),
    **dict.fromkeys(NAMES, is_name),
    **dict.fromkeys(("metric", "protocol"), _text),
    "device": _or_none(_text),
    **dict.fromkeys(("outcomes", "setting", "forwards_by_kind"), _table),
    **dict.fromkeys(("lm_eval", "tpf_compat"), _or_none(_finite_table)),
}


def _fault(value: Mapping[str, Any], required: Mapping[str, Fits], optional: Mapping[str, Fits]) -> str:
    """What is wrong with an object's keys, "" when nothing is."""
    for name, fits in required.items():
        if name not in value:
            return f"has no {name!r}"
        if not fits(value[name]):
            return f"is damaged: {name} is {_short(value[name])}"
    for name, fits in optional.items():
        if name in value and not fits(value[name]):
            return f"is damaged: {name} is {_short(value[name])}"
    return ""


def _short(value: Any) -> str:
    """A value as a message may show it: one line, cut, nothing that drives a terminal."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def checked_run(run: dict[str, Any], path: Path) -> dict[str, Any]:
    """The content of a run.json in the current schema, null sessions none. Raises StoreError naming the key."""
    if fault := _fault(run, RUN, RUN_OPTIONAL):
        named = any(name in run and not is_name(run[name]) for name in NAMES)
        raise (NamesError if named else StoreError)(
            f"{path} {fault}. Correct it, or move the run folder away and run again."
        )
    empty: dict[str, Any] = {"sessions": [], "data": {}}
    return {**run, **{name: value for name, value in empty.items() if run.get(name, value) is None}}


def needs(value: Mapping[str, Any], where: str, *names: str) -> None:
    """Raise StoreError naming the first key that a step needs and an older or hand-made file lacks."""
    for name in names:
        if name not in value:
            raise StoreError(f"{where} has no {name!r}, which this needs; run it again.")


def checked_summary(summary: dict[str, Any], path: Path) -> dict[str, Any]:
    """The content of a summary.json. Raises SummaryError naming the key and the command that rebuilds it."""
    if fault := _fault(summary, SUMMARY, SUMMARY_OPTIONAL):
        raise SummaryError(f"{path} {fault}. {REBUILD.format(path.parent)}")
    return summary


REBUILD = "`harness score {}` rebuilds it from the stored samples."


def sample_fault(sample: Mapping[str, Any], light: bool = False) -> str:
    """What is wrong with a line of samples.jsonl, "" when nothing is; `light`: the keys of the frame alone."""
    fault = _fault(sample, SAMPLE, SAMPLE_FRAME if light else SAMPLE_OPTIONAL)
    if fault or light:
        return fault
    lengths = {len(sample[name]) for name in TRACED if name in sample}
    if len(lengths) > 1:
        return f"has {', '.join(TRACED)} of different lengths"
    extra = [name for name in sample if name not in SAMPLE and name not in SAMPLE_OPTIONAL]
    wrong = next((name for name in extra if not _storable(sample[name])), None)
    return f"is damaged: {_short(wrong)} is {_short(sample[wrong])}" if wrong is not None else ""


def _storable(value: Any) -> bool:
    """Whether a value of a key that this version does not know can be written back: no NaN in it."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_storable, value.values()))
    return not isinstance(value, list) or all(map(_storable, value))
