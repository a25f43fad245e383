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
PROMPTS = ("tasks.loaded:load", "harness.runner.plan:prompts", "harness.runner.plan:request")
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


# the published decoders with their defects; the repaired ones never use them
COMPAT = "methods.reference"


def code_version(method: Method, fidelity: str, protocol: Protocol) -> str:
    """A digest of all code that turns a protocol's documents into a method's tokens; twelve hex digits."""
    from tasks.catalogue import definitions

    cuts = CUTS if fidelity == "compat" else (*CUTS, COMPAT)
    closure = Closure(cuts).add(*ROOTS, content.builder(method))
    prompts, functions = content.definition(definitions()[protocol.lm_eval_task], content.SCORING)
    return closure.add(*functions).add_data("prompts", prompts).digest()
