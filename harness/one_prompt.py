"""One prompt given as text: its tokens, its trace and its counts, without a task and without a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.terminal import echo


@dataclass(frozen=True)
class Ask:
    """What to decode. chat: wrap the text as a user's turn in the tokenizer's chat template, if it has one."""

    text: str
    method: str
    suite: str = "mini"
    settings: Mapping[str, Any] | None = None
    checkpoint: str | None = None
    chat: bool = True
    seed: int = 0
    device: str = "auto"
    dtype: str = "auto"


def decode_text(ask: Ask) -> dict[str, Any]:
    """Decode a text with a method; the keys are those of a line of samples.jsonl that a prompt without a task has.

    The generation length and the EOS policy are those of the suite's first task unless `settings` has a `gen_length`.
    Raises UsageError for an unknown name, a bad value, or a prompt that does not fit into the context.
    """
    from harness.errors import UsageError
    from harness.generation import check_length, context_length, fits, request
    from harness.metrics import KINDS
    from harness.runner.job import choose
    from harness.runner.models import ModelCache, reader_of
    from harness.runner.prompts import template
    from harness.runner.spec import RunSpec
    from harness.suites import load_suite
    from methods.decoding import decode

    if not ask.text:
        raise UsageError("--text is empty; give the prompt in quotes.")
    first = load_suite(ask.suite).tasks[0]
    options = {"suite": ask.suite, "checkpoint": ask.checkpoint, "device": ask.device, "dtype": ask.dtype}
    choice = choose(RunSpec(ask.method, first, settings=dict(ask.settings or {}), **options))  # type: ignore[arg-type]
    backbone = ModelCache().get(choice.key)
    reader = reader_of(backbone, choice.key.source)
    decoder = choice.method.build(choice.setting, backbone.arch)
    context = context_length(choice.suite, backbone)
    check_length(decoder, choice.gen_length, context)
    chat = ask.chat and bool(getattr(reader.tokenizer, "chat_template", None))
    prompt = template(reader.tokenizer)([{"role": "user", "content": ask.text}]) if chat else ask.text
    prompt_ids = reader.encode(prompt, special=not chat)
    if not fits(prompt_ids, choice.gen_length, context):
        raise UsageError(
            f"The prompt has {len(prompt_ids)} tokens; the context of {context} takes {context - choice.gen_length} "
            "beside the generation length."
        )
    (result,) = decode(backbone, [request(decoder, prompt_ids, choice.gen_length, seed=ask.seed, doc_id=0)])
    ids = list(map(int, result.output_ids))
    pieces = reader.pieces(ids)
    kept = reader.keep(ids, pieces, (), choice.protocol.eos_policy)
    return {
        "method": ask.method,
        "suite": choice.suite.name,
        "setting": choice.setting,
        "chat_template": chat,
        "prompt": prompt,
        "prompt_tokens": len(prompt_ids),
        "text": kept.text,
        "tokens": kept.tokens,
        "tpf": kept.tokens / result.nfe if result.nfe else None,
        "nfe": int(result.nfe),
        "forwards": {kind: int(result.forwards.get(kind, 0)) for kind in KINDS},
        "stop_reason": result.stop_reason,
        "seconds": float(result.seconds),
        "output_ids": ids,
        "pieces": pieces,
        "trace": list(map(int, result.reveal_step)),
    }


def print_answer(line: Mapping[str, Any], trace: bool) -> None:
    """Print a decoded prompt: the text, or its replay, and what it cost."""
    from harness.replay import plain, print_replay

    if trace:
        print_replay(line)
    else:
        echo(plain(line["text"]))
    forwards = ", ".join(f"{kind} {count}" for kind, count in line["forwards"].items() if count)
    tpf = "-" if line["tpf"] is None else f"{line['tpf']:.2f}"
    chat = ", chat template" if line["chat_template"] else ""
    echo(f"\n{line['tokens']} tokens, TPF {tpf} ({forwards}), prompt of {line['prompt_tokens']} tokens{chat}")
