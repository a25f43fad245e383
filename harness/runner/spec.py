"""What the user asks for: one RunSpec is one run, and one command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

REUSE_MB = 512.0
# the keys of run.json that `RunSpec.of` reads
REPEATED = (
    *("method", "task", "suite_source", "setting", "gen_length", "seed", "data", "checkpoint", "adapter", "dtype"),
    *("protocol", "fidelity"),
)


@dataclass(frozen=True)
class RunSpec:
    """One (suite, method, task, setting, seed), and how to compute it.

    settings: what differs from the suite's and the method's defaults (`gen_length` overrides the protocol's).
    limit: only the first documents, or below 1 that share of all; a larger limit later continues the same run.
    samples: only these documents, such as `3,17-20`; they are stored like any, but the run gets no summary from them.
    checkpoint, adapter: instead of the
    suite's. protocol: the name of a protocol set instead of the suite's own. out: the store. fresh: set a stored run
    aside and start over. label: names the row, see `harness.labels`. unconfined: run generated code even where the
    sandbox cannot confine it. compile: see `methods.backbones.Backbone.compile`. reuse_mb: megabytes for canvases that
    settings and methods of one `execute` have in common, 0 to compute every one of them again; what comes out is the
    same.
    """

    method: str
    task: str
    suite: str = "mini"
    settings: Mapping[str, Any] = field(default_factory=dict)
    limit: float | None = None
    samples: str | None = None
    batch_size: int = 16
    seed: int = 0
    data_dir: str | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    protocol: str | None = None
    fidelity: str = "fixed"
    out: str = "results/runs"
    fresh: bool = False
    unconfined: bool = False
    compile: bool = False
    label: str | None = None
    reuse_mb: float = REUSE_MB

    @classmethod
    def of(cls, run: Mapping[str, Any], **changes: Any) -> RunSpec:
        """The spec that repeats a stored run (the content of its run.json); `changes` override."""
        data = run["data"]
        values = {
            "method": run["method"],
            "task": run["task"],
            "suite": run["suite_source"],
            "settings": {**run["setting"], "gen_length": run["gen_length"]},
            "seed": run["seed"],
            "data_dir": data.get("path") if data.get("kind") == "folder" else None,
            "checkpoint": run["checkpoint"],
            "adapter": run["adapter"],
            "dtype": run["dtype"],
            "protocol": run.get("protocol_file") or run["protocol"].split("/")[0],
            "fidelity": run["fidelity"],
            "label": run.get("label"),
        }
        return cls(**{**values, **changes})

    def command(self) -> str:
        """The `harness run` command line that continues this run, shell-quoted."""
        words = ["harness", "run"]
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("settings", "fresh", "unconfined", "compile") or value == item.default:
                continue
            words += [f"--{item.name.replace('_', '-')}", str(value)]
        for name, value in self.settings.items():
            words += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        if self.compile:
            words.append("--compile")
        if self.unconfined:
            words.append("--allow-unconfined-code")
        return shlex.join(words)
