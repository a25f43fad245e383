"""The lm-eval model `dllm`: a method of the table, decoding for lm-eval's own command line and evaluator.

    harness lm-eval run --model dllm --model_args method=tad_speed,suite=mini --tasks mini_gsm8k

`model_args` are `method`, `suite`, `checkpoint`, `adapter`, `device`, `dtype`, `seed`, `fidelity`, `gen_length`,
`mc_num` (likelihood samples), `out` (a file that gets one line of counts per sample; an existing one is replaced), and
any setting of the method. A request's own generation arguments are obeyed under them (`harness.gen_kwargs`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.model import CacheHook, TemplateLM
from lm_eval.api.registry import register_model

from harness import generation
from harness.distributed import DataParallel, join
from harness.errors import UsageError, UserError
from harness.gen_kwargs import GenKwargs, read
from harness.metrics import total_forwards
from harness.runner.decoding import decode_all
from harness.runner.models import ModelCache, ModelKey, reader_of
from harness.runner.prompts import template
from harness.settings import layered, whole
from methods.backbones.peek import known_arch

DEFAULT_LENGTH = 256  # of a task that names none: lm-eval's own default
DEFAULT_BATCH = 16  # for --batch_size auto
NO_CACHE = (
    "--use_cache keeps texts without the forwards they took, by prompt alone, so that one method would be given "
    "another's answers and no TPF; leave it out. `harness run` stores every sample and continues after anything."
)


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
        batch_size: int | str = DEFAULT_BATCH,
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
        from harness.suites import CheckpointRef, check_arch, load_suite
        from methods import registry

        if not method:
            raise UsageError(f"model_args needs method=NAME, one of {', '.join(registry.names())}.")
        self.suite, self.method = load_suite(suite), registry.get(method)
        self.overrides, self.fidelity, self.mc_num = settings, fidelity, whole("mc_num", mc_num, 1)
        self.method.settings(settings)
        self.seed = whole("seed", seed, 0)
        self.gen_length = None if gen_length is None else whole("gen_length", gen_length, 1)
        self.batch_size = _batch_size(batch_size, max_batch_size)
        self.out = _emptied(Path(out), self.rank) if out else None
        self.templated = False  # a chat template writes the special tokens itself
        self.telemetry: dict[tuple[str, int], dict[str, Any]] = {}
        self._settings: dict[str, dict[str, Any]] = {}  # by task, for lm-eval's results
        self._decoders: dict[tuple[str, str], Any] = {}
        ref = CheckpointRef(checkpoint) if checkpoint else self.suite.checkpoint(self.method.checkpoint)
        self.key = ModelKey(ref.source, adapter or ref.adapter, self.group.device(_device(device)), dtype)
        check_arch(self.suite, self.method.family, ref.source, known_arch(ref.source))
        self.backbone = ModelCache().get(self.key)
        check_arch(self.suite, self.method.family, ref.source, self.backbone.arch)
        self.reader = reader_of(self.backbone, ref.source)
        self.tokenizer = self.reader.tokenizer
        self._device = self.backbone.device

    # -- what lm-eval asks of a model -----------------------------------------------------------------------------

    @property
    def eot_token_id(self) -> int:
        return int(self.backbone.special.eos[0])

    @property
    def max_length(self) -> int:
        """The longest canvas, in tokens."""
        return generation.context_length(self.suite, self.backbone)

    @property
    def tokenizer_name(self) -> str:
        """Names the prompts of a chat template in lm-eval's request cache: by the tokenizer's content."""
        self.templated = True  # lm-eval asks for it only then, also where the prompts come out of that cache
        return f"{self.key.source}-{self.backbone.tokenizer_fingerprint}".replace("/", "__")

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        """Refuse lm-eval's cache of answers. Raises UsageError."""
        if cache_hook.dbdict is not None:
            raise UsageError(NO_CACHE)
        super().set_cache_hook(cache_hook)

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
            "setting": layered(
                self.suite, self.method, "all", self.overrides, DEFAULT_LENGTH, self.suite.eos_policy("all")
            )[0],
            "setting_by_task": self._settings,
            "seed": self.seed,
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
        """The kept texts, in the order of `requests`; a prompt that does not fit gives an empty one, and is reported.

        Raises UsageError before anything is decoded for a generation argument that the method cannot obey.
        """
        from tqdm import tqdm

        texts = [""] * len(requests)
        asked = [self._asked(one) for one in requests]
        prepared = [self._prepare(one, kwargs) for one, kwargs in zip(requests, asked, strict=True)]
        wanted = [place for place, one in enumerate(prepared) if one is not None]
        results = decode_all(self.backbone, [prepared[place] for place in wanted], self.batch_size, halved=_halved)
        for result in tqdm(results, total=len(wanted), desc="dllm", disable=disable_tqdm or self.rank != 0):
            place = wanted[result.index]
            texts[place] = self._record(requests[place], prepared[place], asked[place], result)
        self.telemetry = self.group.union(self.telemetry)  # before rank 0 reports them
        too_long = sum(line["truncated"] for line in self.telemetry.values())
        if too_long and self.rank == 0:
            print(f"harness: {too_long} prompts do not fit into the context.", file=sys.stderr)
        return texts

    def _task(self, instance: Any) -> str:
        return instance.task_name if instance.task_name in self.suite.tasks else "all"

    def _asked(self, instance: Any) -> GenKwargs:
        known = {**self.suite.settings(self.method.name, self._task(instance)), **self.overrides}
        default = self.method.params["temperature"].default if "temperature" in self.method.params else None
        return read(instance.args[1], self.method, _heat(known.get("temperature", default)))

    def _eos_policy(self, instance: Any, asked: GenKwargs) -> str:
        """What an EOS does: as the request says, else as in the suite's own column."""
        return asked.eos_policy or self.suite.eos_policy(self._task(instance))

    def _prepare(self, instance: Any, asked: GenKwargs) -> Any:
        """The decoding engine's request, or None for a prompt that does not fit."""
        ids = self.reader.encode(instance.args[0], special=not self.templated)
        decoder, length = self._decoder(instance, asked)
        if not generation.fits(ids, length, self.max_length):
            self._keep(instance, len(ids), generation.too_long(ids, length, self.max_length))
            return None
        return generation.request(decoder, ids, length, seed=self.seed, doc_id=int(instance.doc_id or 0))

    def _decoder(self, instance: Any, asked: GenKwargs) -> tuple[Any, int]:
        """(decoder, generation length) of a request; equal ones share a decoder."""
        key = (str(instance.task_name), repr((asked.length, asked.eos_policy, sorted(asked.settings.items()))))
        if key not in self._decoders:
            length = self.gen_length or asked.length
            own = {**asked.settings, **self.overrides, **({"gen_length": length} if length else {})}
            task, policy = self._task(instance), self._eos_policy(instance, asked)
            setting, length = layered(self.suite, self.method, task, own, DEFAULT_LENGTH, policy)
            decoder = self.method.build(setting, self.backbone.arch, self.fidelity, self.backbone.tokenizer)
            generation.check_length(decoder, length, self.max_length)
            self._settings[key[0]] = setting
            self._decoders[key] = decoder, length
        return self._decoders[key]

    def _record(self, instance: Any, request: Any, asked: GenKwargs, result: Any) -> str:
        policy = self._eos_policy(instance, asked)
        line = generation.decoded(
            self.reader, result, task=str(instance.task_name), until=asked.until, eos_policy=policy
        )
        self._keep(instance, len(request.prompt_ids), line)
        return str(line["text"])

    def _keep(self, instance: Any, prompt_tokens: int, fields: Mapping[str, Any]) -> None:
        """Remember a sample's counts once, however often lm-eval pads a rank with it."""
        key = (str(instance.task_name), int(instance.doc_id or 0))
        if key in self.telemetry:
            return
        line = {"task": key[0], "doc_id": key[1], "prompt_tokens": prompt_tokens, **fields}
        line["forwards_total"] = total_forwards(fields["forwards"])
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
        raise UsageError("Masked diffusion has no rolling likelihood; use tasks with a context.")


def _heat(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _batch_size(asked: int | str, most: int | None) -> int:
    """lm-eval's --batch_size: a number, or `auto` and `auto:N`, which mean --max_batch_size or 16."""
    if str(asked).partition(":")[0] == "auto":
        return whole("max_batch_size", most, 1) if most is not None else DEFAULT_BATCH
    return whole("batch_size", asked, 1)


def _device(name: str | None) -> str:
    # lm-eval's command line says cuda:0 where nobody chose, on machines without CUDA and on every rank
    return "auto" if name in (None, "cuda:0") else str(name)


def _emptied(path: Path, rank: int) -> Path:
    """This rank's own file, empty: lines of an earlier evaluation in it would count twice. Raises UserError."""
    mine = path if rank == 0 else path.with_name(f"{path.stem}.rank{rank}{path.suffix}")
    try:
        mine.write_text("", encoding="utf-8")
    except OSError as error:
        raise UserError(f"out={path} cannot be written: {error.strerror or error}.") from error
    return mine


def _halved(before: int, now: int) -> None:
    print(f"harness: out of memory at batch size {before}, continuing with {now}.", file=sys.stderr)
