"""Speed of the decoding engine: `python benchmarks/decoding.py CHECKPOINT`, the same as `harness bench decode`."""

from __future__ import annotations

import json
import sys

from harness.bench import machine, measure
from methods.backbones import load

if __name__ == "__main__":
    model = load(sys.argv[1])
    print(json.dumps({"machine": machine(model), "rows": measure(model)}, indent=2))
