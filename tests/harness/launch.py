"""`python -m tests.harness.launch ARGS...`: the harness command line with this folder's small methods registered."""

from __future__ import annotations

from typing import Any

from methods import registry
from methods.method import Method, Param

PARAMS = {
    "threshold": Param(float, 3.0, "entropy below which a position is committed", low=0.0),
    "block_size": Param(int, 8, "slots of a block", low=1),
}


def build(settings: dict[str, Any], arch: str, fidelity: str) -> Any:
    """Sequential blocks with an entropy threshold, by the real loop."""
    from methods.decoding import Decoder, FillTail, NoCache, Score, Sequential, Threshold, divides

    rule, need = Threshold(confidence=False), (divides("block_size", settings["block_size"]),)
    return Decoder(Sequential(), NoCache(), rule, FillTail(), Score("entropy"), dict(settings), need=need)


def method(name: str, builder: str = "build", **changes: Any) -> Method:
    """A method of the tests called `name`; `builder` is a function of this module."""
    values: dict[str, Any] = {
        "name": name,
        "title": name,
        "summary": "A test.",
        "citation": "-",
        "family": "dllm",
        "decoder": f"tests.harness.launch:{builder}",
        "params": PARAMS,
        "axis": "threshold",
        "points": (0.0, 3.0),
        "one_token": {"threshold": 0.0},
        "checkpoint": "base",
    }
    return Method(**{**values, **changes})


def register() -> None:
    """Put the tests' methods into the registry, beside the real ones."""
    known = registry.all_methods()
    known.update({name: method(name) for name in ("test_entropy", "test_other")})


def main() -> None:
    from harness.cli import main as harness

    register()
    harness()


if __name__ == "__main__":
    main()
