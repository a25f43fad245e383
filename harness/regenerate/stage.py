"""A stage of a regeneration: one command, what it reads and writes, and the code that decides its result."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.regenerate.roots import Code

# outputs that may differ between equal runs: times, hardware, paths
VARYING = ("manifest.json", "README.md", "*.log", "log.jsonl", "run.json", "*.lock")
CLI = "harness.cli"
NO_CODE = Code()


@dataclass(frozen=True)
class Stage:
    """One command. output: files or folders it writes, hashed for the stages that read them. after: stages whose
    outputs it reads. code: what decides its result besides. module: what `python -m` runs. exclude: globs of outputs
    that are not hashed.
    """

    name: str
    command: tuple[str, ...]
    output: tuple[Path, ...]
    after: tuple[str, ...] = ()
    code: Code = NO_CODE
    module: str = CLI
    exclude: tuple[str, ...] = VARYING

    def typed(self) -> str:
        """The command as one would type it."""
        program = ("harness",) if self.module == CLI else ("python", "-m", self.module)
        return shlex.join((*program, *self.command))
