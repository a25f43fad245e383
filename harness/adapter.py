"""The lm-eval models: `dllm` decodes with a method of the table, `StoredLM` gives back what a run has stored.

    python -m harness.lm_eval run --model dllm --model_args method=tad_speed,suite=mini --tasks mini_gsm8k

`model_args` are `method`, `suite`, `checkpoint`, `adapter`, `device`, `dtype`, `seed`, `fidelity`, `gen_length`,
`mc_num` (likelihood samples), `out` (a file for one line of counts per sample, begun anew), and any setting of the
method.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM, TemplateLM
from lm_eval.api.registry import register_model

from harness.distributed import DataParallel, join
from harness.errors import UsageError, UserError
from harness.metrics import total_forwards
from harness.runner.decoding import decode_all
from harness.runner.job import whole
from harness.runner.models import ModelCache, ModelKey, reader_of
from harness.runner.prompts import template

DEFAULT_LENGTH = 256  # of a task that names none: lm-eval's own default


@register_model("dllm")
class DllmLM(DataParallel, TemplateLM):
    """A (suite, method, setting) as an lm-eval model; unknown settings and bad values raise before loading."""

    def __init__(
        self,
        method: str = "",
        suite: str = "mini",
        checkpoint: str | None = None,
        adapter: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | str = 16,
        max_batch_size: int | None = None,
        seed: int = 0,
        fidelity: str = "fixed",
        gen_length: int | None = None,
        mc_num: int = 128,
        out: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.group = join()
        from harness.suites import CheckpointRef, load_suite
        from methods import registry

        if not method:
            raise UsageError(f"model_args needs method=NAME, one of {', '.join(registry.names())}.")
        self.suite, self.method = load_suite(suite), registry.get(method)
        self.overrides, self.fidelity, self.mc_num = settings, fidelity, whole("mc_num", mc_num, 1)
        self.method.settings(settings)
        self.seed = whole("seed", seed, 0)
        self.gen_length = None if gen_length is None else whole("gen_length", gen_length, 1)
        self.batch_size = int(batch_size) if str(batch_size).isdigit() else 16
        self.out = _begun(Path(out), self.rank) if out else None
        self.templated = False  # a chat template writes the special tokens itself
        self.telemetry: dict[tuple[str, int], dict[str, Any]] = {}
        ref = CheckpointRef(checkpoint) if checkpoint else self.suite.checkpoint(self.method.checkpoint)
        self.key = ModelKey(ref.source, adapter or ref.adapter, self.group.device(_device(device)), dtype)
        self.backbone = ModelCache().get(self.key)
        self.reader = reader_of(self.backbone, ref.source)
        self.tokenizer = self.reader.tokenizer
        self._device = self.backbone.device

    # -- what lm-eval asks of a model -----------------------------------------------------------------------------

    @property
    def eot_token_id(self) -> int:
        return int(self.backbone.special.eos[0])

    @property
    def max_length(self) -> int:
        """The longest canvas: the suite's context, or the model's if that is shorter."""
        return int(min(self.suite.context, self.backbone.max_positions))

    @property
    def tokenizer_name(self) -> str:
        return str(self.key.source).replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        """The ids of a text."""
        return self.reader.encode(string, special=bool(add_special_tokens))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The prompt of a conversation; an assistant prefill at its end is continued."""
        self.templated = True
        return str(template(self.tokenizer)(chat_history, add_generation_prompt=add_generation_prompt))

    def get_model_info(self) -> dict[str, Any]:
        """What lm-eval writes into its results: the whole setting, the weights' hash, and the counts so far."""
        counted = list(self.telemetry.values())
        tokens, forwards = (sum(line[name] for line in counted) for name in ("tokens", "forwards_total"))
        return {
            "method": self.method.name,
            "suite": self.suite.name,
            "setting": self.method.settings(self.overrides),
            "fidelity": self.fidelity,
            "checkpoint": self.key.source,
            "checkpoint_fingerprint": self.backbone.fingerprint,
            "tokenizer_fingerprint": self.backbone.tokenizer_fingerprint,
            "dtype": self.backbone.packed or str(self.backbone.dtype),
            "tokens": tokens,
            "forwards": forwards,
            "tpf": tokens / forwards if forwards else None,
        }

    # -- generation -----------------------------------------------------------------------------------------------

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The kept texts, in the order of `requests`; a prompt that does not fit gives an empty one, and says so."""
        from tqdm import tqdm

        texts = [""] * len(requests)
        prepared = [self._prepare(one) for one in requests]
        wanted = [place for place, one in enumerate(prepared) if one is not None]
        results = decode_all(self.backbone, [prepared[place] for place in wanted], self.batch_size, halved=_halved)
        for result in tqdm(results, total=len(wanted), desc="dllm", disable=disable_tqdm or self.rank != 0):
            place = wanted[result.index]
            texts[place] = self._record(requests[place], prepared[place], result)
            self.cache_hook.add_partial("generate_until", requests[place].args, texts[place])
        self.telemetry = self.group.union(self.telemetry)  # before rank 0 reports them
        too_long = sum("truncated" in line for line in self.telemetry.values())
        if too_long and self.rank == 0:
            print(f"harness: {too_long} prompts do not fit into the context.", file=sys.stderr)
        return texts

    def _prepare(self, instance: Any) -> Any:
        """The decoding loop's request, or None for a prompt that does not fit."""
        from methods.decoding import Request

        ids = self.reader.encode(instance.args[0], special=not self.templated)
        length = self._length(instance)
        if len(ids) + length > self.max_length:
            self._keep(instance, {"truncated": True, "tokens": 0, "forwards": {}, "seconds": 0.0})
            return None
        seed = self.seed * 1_000_003 + int(instance.doc_id or 0)
        return Request(ids, length, self._decoder(instance.task_name or ""), seed)

    def _length(self, instance: Any) -> int:
        options = instance.args[1]
        names = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
        asked = next((options[name] for name in names if options.get(name) is not None), DEFAULT_LENGTH)
        return self.gen_length or int(asked)

    def _decoder(self, task: str) -> Any:
        if task not in self._decoders:
            known = self.suite.settings(self.method.name, task if task in self.suite.tasks else "all")
            values = {name: value for name, value in known.items() if name != "gen_length"}
            setting = self.method.settings({**values, **self.overrides})
            self._decoders[task] = self.method.build(setting, self.backbone.arch, self.fidelity)
        return self._decoders[task]

    @cached_property
    def _decoders(self) -> dict[str, Any]:
        return {}

    def _record(self, instance: Any, request: Any, result: Any) -> str:
        ids = list(map(int, result.output_ids))
        until = instance.args[1].get("until") or []
        kept = self.reader.keep(ids, self.reader.pieces(ids), [until] if isinstance(until, str) else until)
        self._keep(
            instance,
            {
                "prompt_tokens": len(request.prompt_ids),
                "output_ids": ids,
                "stop_reason": result.stop_reason,
                "forwards": dict(result.forwards),
                "nfe": result.nfe,
                "positions": result.positions,
                "tokens": kept.tokens,
                "seconds": result.seconds,
                "trace": list(result.reveal_step),
            },
        )
        return kept.text

    def _keep(self, instance: Any, counts: Mapping[str, Any]) -> None:
        """Remember a sample's counts once, however often lm-eval pads a rank with it."""
        key = (str(instance.task_name), int(instance.doc_id or 0))
        if key in self.telemetry:
            return
        line = {"task": key[0], "doc_id": key[1], **counts, "forwards_total": total_forwards(counts["forwards"])}
        self.telemetry[key] = line
        if self.out is not None:
            with open(self.out, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    # -- likelihood -----------------------------------------------------------------------------------------------

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[tuple[str, str], list[int], list[int]]], **kwargs: Any
    ) -> list[tuple[float, bool]]:
        from harness.likelihood import loglikelihood

        pairs = [(context, continuation) for _, context, continuation in requests]
        return loglikelihood(self.backbone, pairs, mc_num=self.mc_num, seed=self.seed, batch_size=self.batch_size)

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError("Masked diffusion has no rolling likelihood; use tasks with a context.")


def _device(name: str | None) -> str:
    # lm-eval's command line says cuda:0 where nobody chose, on machines without CUDA and on every rank
    return "auto" if name in (None, "cuda:0") else str(name)


def _begun(path: Path, rank: int) -> Path:
    """This rank's own file, empty: lines of an earlier evaluation in it would count twice. Raises UserError."""
    mine = path if rank == 0 else path.with_name(f"{path.stem}.rank{rank}{path.suffix}")
    try:
        mine.write_text("", encoding="utf-8")
    except OSError as error:
        raise UserError(f"out={path} cannot be written: {error.strerror or error}.") from error
    return mine


def _halved(before: int, now: int) -> None:
    print(f"harness: out of memory at batch size {before}, going on with {now}.", file=sys.stderr)


class StoredLM(LM):
    """The samples of a run as a model that never computes: lm-eval's evaluator then aggregates what is stored."""

    def __init__(self, samples: Mapping[int, Mapping[str, Any]], tokenizer: Any) -> None:
        super().__init__()
        self.samples, self._tokenizer = samples, tokenizer

    @property
    def tokenizer_name(self) -> str:
        return "stored"

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """As the model that was asked."""
        return str(template(self._tokenizer)(chat_history, add_generation_prompt=add_generation_prompt))

    def chat_template(self, chat_template: bool | str = False) -> str:
        return str(getattr(self._tokenizer, "chat_template", "") or "")

    def generate_until(self, requests: list[Any]) -> list[str]:
        """The stored text of every document; a sample whose scorer raised is an empty answer."""
        stored = [self.samples[request.doc_id] for request in requests]
        return ["" if sample["outcome"] == "error" else str(sample["text"]) for sample in stored]

    def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
        raise NotImplementedError("A run stores generations, no likelihoods.")

    def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
        raise NotImplementedError("A run stores generations, no likelihoods.")
