"""Checked arguments of a published decoder, under its authors' names, and what every builder makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from methods.decoding.decoder import Decoder, divides
from methods.decoding.policies import BlockPolicy, CachePolicy, CommitRule, Scorer, StopPolicy
from methods.errors import MethodsUsageError


@dataclass(frozen=True)
class Setting:
    """length: tokens to generate, None where each request has its own. An argument that is not there reads as None."""

    length: int | None
    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


def assemble(
    setting: Setting,
    blocks: BlockPolicy,
    cache: CachePolicy,
    commit: CommitRule,
    stop: StopPolicy,
    score: Scorer,
    **values: Any,
) -> Decoder:
    """A decoder with the setting's special ids and temperature; `values` that are None are left out."""
    kept = {name: value for name, value in values.items() if value is not None}
    if setting["temperature"]:
        kept["temperature"] = float(setting["temperature"])
    eos_ids = None if setting["eos_id"] is None else (int(setting["eos_id"]),)
    need = (divides("block_size", values["block_size"]),)
    return Decoder(blocks, cache, commit, stop, score, kept, setting["mask_id"], eos_ids, need)


def blockwise(setting: Setting) -> tuple[int, int]:
    """(block size, steps per block). Raises MethodsUsageError where the references assert."""
    size = setting["block_length"] or setting.length or 0
    if setting.length is None:
        return size, 0
    if setting.length % size:
        raise MethodsUsageError(f"block_length={size} does not divide the generation length {setting.length}.")
    count = setting.length // size
    steps = setting["steps"] or setting.length
    if steps % count:
        raise MethodsUsageError(
            f"steps={steps} is not a multiple of the {count} blocks; take {max(1, steps // count) * count}."
        )
    return size, steps // count


def multi_block_values(setting: Setting, *, cached: bool) -> dict[str, Any]:
    """The numbers of a multi-block decoder; threshold none commits everything eligible."""
    values: dict[str, Any] = {name: float(setting[name]) for name in ("block_add_threshold", "decoded_token_threshold")}
    if cached:
        values |= {"cache_delay": setting["cache_delay_iter"], "refresh_interval": setting["refresh_interval"]}
    values["threshold"] = 999.0 if setting["threshold"] is None else float(setting["threshold"])
    values["block_size"] = setting["block_size"] or 0
    return values
