"""Edits of a copy of the source: which run ids and which stages of `harness regenerate` change, and which stay."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.closure import walk
from harness.closure.runs import code_version
from harness.regenerate import Records, roots, stages
from harness.regenerate.profiles import profile_of
from methods import registry
from tasks import protocols

ROOT = Path(__file__).parents[2]
FOLDERS = ("harness", "methods", "tasks", "reports", "results", "benchmarks")
RUNS = [(method, f"mini/{task}") for method in registry.names() for task in ("gsm8k", "mbpp")]
PLAN = stages(Path("out"), profile_of("full"))
SWEEPS = {stage.name for stage in PLAN if stage.command[0] == "sweep"}
TRAININGS = {stage.name for stage in PLAN if stage.command[0] == "train"}
TRAJECTORIES = {stage.name for stage in PLAN if stage.command[0] == "trajectories"}
PRETRAININGS = {stage.name for stage in PLAN if stage.command[0] == "pretrain"}
Edit = tuple[str, str, str]  # file, pattern, what takes its place


@dataclass(frozen=True)
class Keys:
    """Of one state of the source: run (method, protocol) -> code version, stage -> own digest, stage -> key."""

    runs: dict[tuple[str, str], str]
    own: dict[str, str]
    stages: dict[str, str]


def keys() -> Keys:
    roots._digest.cache_clear()
    records = Records(Path("out"), PLAN)
    runs = {(name, id): code_version(registry.get(name), "fixed", protocols.get(id), "llada") for name, id in RUNS}
    return Keys(runs, {stage.name: records.own(stage) for stage in PLAN}, records.keys)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the source that closures are read from."""
    copy = tmp_path_factory.mktemp("source")
    for name in FOLDERS:
        for file in (ROOT / name).rglob("*.py"):
            target = copy / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "HERE", copy)
        yield copy
    roots._digest.cache_clear()


@pytest.fixture(scope="module")
def before(source: Path) -> Keys:
    return keys()


@pytest.fixture
def after(source: Path) -> Iterator[Callable[..., Keys]]:
    """The keys with some edits made; they are taken back at the end of the test."""
    saved: dict[Path, str] = {}

    def make(*edits: Edit) -> Keys:
        for name, pattern, text in edits:
            file = source / name
            content = saved.setdefault(file, file.read_text())
            changed, count = re.subn(pattern, text, content, count=1, flags=re.DOTALL)
            assert count, f"{pattern} is not in {name}"
            assert changed != content
            file.write_text(changed)
        return keys()

    yield make
    for file, content in saved.items():
        file.write_text(content)


def downstream(names: set[str]) -> set[str]:
    """Some stages and everything that depends on them."""
    found = set(names)
    for stage in PLAN:  # in order
        if found & set(stage.after):
            found.add(stage.name)
    return found


def changed(old: dict, new: dict) -> set:
    assert old.keys() == new.keys()
    return {name for name in old if old[name] != new[name]}


ENGINE = "methods/decoding/engine.py"
NOTHING = {
    "a comment in a benchmark": ("benchmarks/decoding.py", r"\A", "# a comment\n"),
    "code of a benchmark": ("harness/bench.py", r"\Z", "\n\nREPEATS = 7\n"),
    "a docstring": (ENGINE, r'("""Decode `requests`)', r"\1 (all of them)"),
    "a comment in the engine": (ENGINE, r"\n\n\n(@dataclass|class|def)", r"\n\n\n# a comment\n\1"),
    "an annotation": (ENGINE, r"backbone: Any,", "backbone: object,"),
    "a help text": ("harness/verbs/sweep.py", r"help=\"", 'help="Now: '),
    "the command line": ("harness/cli.py", r"no_args_is_help=True", "no_args_is_help=False"),
    "the progress bars": ("harness/progress.py", r"QUIET = 30.0", "QUIET = 60.0"),
    "a message of an error": ("methods/errors.py", r"Did you mean", "Perhaps"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_cannot_change_a_number_changes_no_key(name: str, before: Keys, after: Callable[..., Keys]) -> None:
    assert after(NOTHING[name]) == before


def test_another_layout_of_every_file_changes_no_key(source: Path, before: Keys) -> None:
    saved = {file: file.read_text() for file in source.rglob("*.py")}
    try:
        for file, content in saved.items():  # no comments, other quotes, line breaks and brackets
            file.write_text("# another layout\n" + ast.unparse(ast.parse(content)))
        assert keys() == before
    finally:
        for file, content in saved.items():
            file.write_text(content)


ALL_RUNS = set(RUNS)
# name -> (edit, stages whose own code it is, runs whose id changes)
EDITS: dict[str, tuple[Edit, set[str], set[tuple[str, str]]]] = {
    "doubled token counts": (
        ("harness/metrics.py", r"tokens \+ sample\[\"tokens\"\]", 'tokens + 2 * sample["tokens"]'),
        SWEEPS,
        set(),
    ),
    "doubled counts of kept tokens": (
        ("harness/metrics.py", r"tokens \+= token != mask", "tokens += 2 * (token != mask)"),
        SWEEPS | TRAJECTORIES,
        ALL_RUNS,
    ),
    "an inverted sandbox verdict": (
        ("tasks/sandbox/verdict.py", r"return self\.outcome == ", "return self.outcome != "),
        SWEEPS | TRAJECTORIES,
        set(),
    ),
    "an inverted verdict inside the sandbox": (
        ("tasks/sandbox/inside/checker.py", r"\"passed\"", '"failed"'),
        SWEEPS | TRAJECTORIES,
        set(),
    ),
    "reversed prompts": (
        ("tasks/loading.py", r"return list\(self\.task\.instances\)", "return list(self.task.instances)[::-1]"),
        SWEEPS | TRAJECTORIES | TRAININGS,
        ALL_RUNS,
    ),
    "reversed prompts of a run": (
        ("harness/runner/prompts.py", r"return found\n", "return found[::-1]\n"),
        SWEEPS,
        ALL_RUNS,
    ),
    "other distillation prompts": (
        ("methods/distill/prompts.py", r"Reference Answer: ", "Solution: "),
        PRETRAININGS | TRAJECTORIES | TRAININGS,
        set(),
    ),
    "a zeroed AUP term": (
        ("reports/aup.py", r"total \+= \(tpf_1 - tpf_0\)", "total += 0 * (tpf_1 - tpf_0)"),
        {"report", "findings"},
        set(),
    ),
    "a zeroed AUP term in the bootstrap": (
        ("harness/stats/areas.py", r"area \+= np", "area += 0 * np"),
        {"report", "findings"},
        set(),
    ),
    "another commit rule of one method": (
        ("methods/decoding/commit.py", r"return chosen \| forced", "return chosen"),
        {"sweep_d2f"},
        {run for run in RUNS if run[0] in ("d2f", "custom")},  # custom can name any rule
    ),
    "another speculative decoder": (
        ("methods/decoding/speculative.py", r"do_sample=False", "do_sample=True"),
        {"sweep_ar_speculative"},
        {run for run in RUNS if run[0] == "ar_speculative"},
    ),
    "another loss of TAD": (
        ("methods/distill/objectives/temporal.py", r"lambda_kl: float = [\d.]+", "lambda_kl: float = 0.125"),
        {name for name in TRAININGS if name.startswith("tad_")},
        set(),
    ),
    "other problems": (
        ("tasks/mini/gsm8k.py", r"rng\.choice", "rng.choices"),
        {"data", "tokenizer"} | PRETRAININGS | TRAJECTORIES | TRAININGS | SWEEPS,
        set(),  # a run's id has the fingerprint of the rows
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_changes_a_number_changes_its_keys_and_what_depends_on_them(
    name: str, before: Keys, after: Callable[..., Keys]
) -> None:
    edit, own, runs = EDITS[name]
    new = after(edit)
    assert changed(before.own, new.own) == own
    assert changed(before.stages, new.stages) == downstream(own)
    assert changed(before.runs, new.runs) == runs


def test_the_command_prints_the_keys_of_the_source_it_runs_from(source: Path, before: Keys) -> None:
    for name in FOLDERS:  # the data files beside the code
        for file in (ROOT / name).rglob("*"):
            if file.suffix in (".yaml", ".j2", ".css", ".js"):
                target = source / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target)
    code = (
        "import sys; from harness.cli import main; sys.argv[:1] = ['harness']\ntry: main()\n"
        "finally: assert 'torch' not in sys.modules"
    )
    words = ["regenerate", "--suite", "mini", "--profile", "full", "--out", "out", "--keys"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(line.split(" ") for line in done.stdout.splitlines()) == before.stages
