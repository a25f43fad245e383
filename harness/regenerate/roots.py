"""Where the code behind each stage begins: the function that its command runs, and what that finds only by name.

Everything these functions can reach decides the stage's key (see `harness.closure`), except what `CUTS` names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.closure import Closure, content
from harness.closure.content import SCORING
from harness.closure.runs import COMPAT, ERRORS
from harness.regenerate.profiles import Profile
from harness.suites import FOLDER
from methods import registry

ROOT = Path(__file__).parents[2]
INSIDE = ROOT / "tasks" / "sandbox" / "inside"
SUITE = "mini"
# reachable from almost every command, without any effect on what it computes
CUTS = (
    *ERRORS,
    "harness.api",  # the report that an experiment file may end with
    "harness.options",
    "harness.progress",
    "harness.runner.provenance",
    "harness.show",
    "harness.store",
    "harness.sweep.cluster",
    "harness.sweep.estimate",
    "harness.sweep.progress",
    "harness.sweep.report",
    "harness.sweep.worker",
    "methods.backbones.hub",
    "methods.backbones.memory",
    COMPAT,
    "methods.distill.manifest",
    "methods.distill.model_card",
    "methods.distill.describe",
)
# of the stages that only read stored runs
READING_CUTS = (*ERRORS, "harness.show", COMPAT)
STEPS = "harness.regenerate.steps"
TEACHER = "vanilla"
OBJECTIVES = "methods.distill.objectives:OBJECTIVES"


@dataclass(frozen=True)
class Code:
    """What decides a stage's result beside its inputs.

    roots, cuts, chosen: see `harness.closure.Closure`. content: (name, text) of what is no code.
    """

    roots: tuple[str, ...] = ()
    content: tuple[tuple[str, str], ...] = ()
    cuts: tuple[str, ...] = CUTS
    chosen: tuple[tuple[str, str], ...] = ()

    def closure(self) -> Closure:
        """All code and data that the stage can reach. Raises LookupError for a root that does not exist."""
        closure = Closure(self.cuts, dict(self.chosen)).add(*self.roots)
        for name, text in self.content:
            closure.add_data(name, text)
        return closure

    def digest(self) -> str:
        """The closure's digest."""
        return _digest(self)


@cache
def _digest(code: Code) -> str:  # many stages differ in their command only
    return code.closure().digest()


def step(name: str) -> Code:
    """A function of `harness.regenerate.steps`."""
    return Code((f"{STEPS}:{name}",))


def suite() -> Code:
    """The suite's file, and the step that puts the new checkpoints into it."""
    values = content.text(content.read_yaml(FOLDER / f"{SUITE}.yaml"))
    return Code((f"{STEPS}:write_suite",), (("suite", values),))


def pretraining() -> Code:
    """One mini model from nothing."""
    return Code((_verb("pretrain"),))


def trajectories() -> Code:
    """The teacher's decoding of the training problems, and the scorers that judge it."""
    code = _tasks()
    teacher = registry.get(TEACHER)
    values = (*code.content, (TEACHER, content.method(teacher)))
    return Code((_verb("trajectories"), *_models(), content.builder(teacher), *code.roots), values)


def training(recipe: str) -> Code:
    """One recipe of the suite's variant with its objective, and the tasks' prompts where it trains on gold answers."""
    values = recipe_values(recipe)
    tasks = _tasks(SCORING) if values.get("data") == "gold" else Code()
    parts = (*tasks.content, ("recipe", content.text(values)))
    return Code((_verb("train"), *tasks.roots), parts, chosen=((OBJECTIVES, values["objective"]),))


def recipe_values(recipe: str) -> dict[str, Any]:
    """The settings that a recipe's file gives for the suite."""
    return content.recipe(ROOT / "methods" / "recipes" / f"{recipe}.yaml", SUITE)


def sweep(method: str) -> Code:
    """One method on every task: decoding as in a run's id, and the scores."""
    row = registry.get(method)
    code = _tasks()
    values = (*code.content, ("method", content.method(row)))
    return Code((_verb("sweep"), *_models(), content.builder(row), *code.roots), values)


def report() -> Code:
    """Tables, figures and page: the store's reader and everything in `reports`."""
    page = [file for file in (ROOT / "reports" / "page").rglob("*") if file.suffix in (".css", ".js", ".j2")]
    files = tuple((file.name, file.read_text(encoding="utf-8")) for file in sorted(page))
    return Code((_verb("report"),), files, READING_CUTS)


def results() -> Code:
    """The step that writes measured results into manifests and model cards."""
    return Code((f"{STEPS}:write_results",), cuts=READING_CUTS)


def findings(profile: Profile) -> Code:
    """The tables of seeds, deltas and cost: which models exist, and the recipe's value of delta."""
    facts = {"deltas": profile.deltas, "seeds": profile.extra_seeds, "quality": recipe_values("tad_quality")["delta"]}
    return Code(("harness.regenerate.findings:write_findings",), (("models", content.text(facts)),), READING_CUTS)


def _verb(name: str) -> str:
    return f"harness.verbs.{name}:{name}"


def _models() -> tuple[str, ...]:
    return ("methods.decoding:decode", "methods.backbones:load", "methods.method:Method.build")


@cache
def _tasks(without: frozenset[str] = frozenset()) -> Code:
    """The suite's tasks: their protocols, and the functions that their definitions name.

    without: keys of the definitions that do not matter. The sandbox's scripts and the reader of
    MATH's answers are started by name, as processes of their own.
    """
    from tasks import protocols
    from tasks.catalogue import definitions

    roots, texts = [], []
    for id in protocols.ids():
        if id.startswith(f"{SUITE}/"):
            protocol = protocols.get(id)
            text, functions = content.definition(definitions()[protocol.lm_eval_task], without)
            texts.append((id, protocol.digest + text))
            roots += functions
    if not without:
        roots += [f"tasks.sandbox.inside.{file.stem}" for file in sorted(INSIDE.glob("*.py"))]
        roots.append("tasks.mathchild")
    return Code(tuple(dict.fromkeys(roots)), tuple(texts))
