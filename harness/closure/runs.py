"""The code behind a run: what its id depends on.

In: the engine, the backbone, the method's decoder, how prompts are built and outputs are read. Out: what cannot change
a token (where runs are stored, how they are shown), and what other keys of the id already cover (weights, tokenizer
and rows are hashed by content, the setting, the protocol and the context are written out).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.closure import content
from harness.closure.walk import Closure

if TYPE_CHECKING:
    from methods.method import Method
    from tasks.protocols import Protocol

ENGINE = ("methods.decoding:decode", "methods.backbones:load", "methods.method:Method.build")
PROMPTS = ("tasks.loaded:load", "harness.runner.prompts:prompts", "harness.runner.prompts:request")
OUTPUTS = ("harness.runner.models:reader_of", "harness.runner.decoding:decode_all")
ROOTS = (*ENGINE, *PROMPTS, *OUTPUTS)
ERRORS = ("harness.errors", "methods.errors", "tasks.errors", "reports.errors")
CUTS = (
    *ERRORS,
    "methods.backbones.hub",  # finds the files, whose content is hashed
    "methods.backbones.memory",  # refuses what does not fit
    "tasks.data",  # reads the rows, whose content is hashed
    "tasks.catalogue",
    "tasks.protocols",
)


# the published decoders with their defects: a repaired one uses none of them, a published one its own entry
COMPAT = "methods.reference"
TABLES = ("methods.reference.published:PUBLISHED", "methods.reference.translate:_BY_METHOD")


def code_version(method: Method, fidelity: str, protocol: Protocol, arch: str) -> str:
    """A digest of all code that turns a protocol's documents into a method's tokens; twelve hex digits.

    arch: the backbone's architecture, which decides what published decoder `compat` runs.
    """
    from tasks.catalogue import definitions

    prompts, functions = content.definition(definitions()[protocol.lm_eval_task], content.SCORING)
    published = method.reference.get(arch) if fidelity == "compat" else None
    closure = closure_of((*ROOTS, *functions), published).add_data("prompts", prompts)
    return _add_builder(closure, content.builder(method)).digest()


def _add_builder(closure: Closure, builder: str) -> Closure:
    """Add a method's builder: its module where the function is made at run time, its name where there is no source."""
    for root in (builder, builder.partition(":")[0]):
        try:
            return closure.add(root)
        except LookupError:
            continue
    return closure.add_data("builder", builder)


def closure_of(roots: tuple[str, ...], published: str | None) -> Closure:
    """What a run reaches from `roots`; published: the published decoder it runs, None for a repaired one."""
    if published is None:
        return Closure((*CUTS, COMPAT)).add(*roots)
    return Closure(CUTS, dict.fromkeys(TABLES, published)).add(*roots)
