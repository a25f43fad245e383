"""The stages of the mini suite, in order: data, tokenizer, pretraining, trajectories, distillations, sweep, report."""

from __future__ import annotations

from pathlib import Path

import yaml

from harness.errors import unknown
from harness.regenerate import roots
from harness.regenerate.profiles import Profile
from harness.regenerate.roots import STEPS
from harness.regenerate.stage import Stage
from harness.suites import FOLDER
from methods import registry

# the recipe of every trained row, and the trajectories it reads ("" = gold answers)
RECIPES = {
    "dparallel": "plain",
    "d2f": "plain",
    "d3llm": "plain",
    "tad_quality": "privileged",
    "tad_speed": "privileged",
    "fast_dllm_v2": "",
}


def stages(
    out: Path, profile: Profile, *, seed: int = 0, threads: int = 0, methods: tuple[str, ...] = ()
) -> list[Stage]:
    """Everything between a seed and `out/report`; `methods` restricts the trained and the swept rows.

    Raises UsageError for a method that is no row of the mini suite.
    """
    suite = out / "suite.yaml"
    for name in methods:
        if name not in _rows():
            raise unknown("method", name, _rows())
    rows = [method for method in _rows() if not methods or method in methods]
    checkpoints = {registry.get(method).checkpoint for method in rows}
    recipes = [name for name in RECIPES if name in checkpoints]
    common = ("--threads", str(threads)) if threads else ()
    plan = [
        _step("data", ("data", str(out / "data")), out / "data", (), "write_data", exclude=()),
        _step("tokenizer", ("tokenizer", str(out / "tokenizer")), out / "tokenizer", ("data",), "write_tokenizer", ()),
        *_pretraining(out, profile, seed, common),
        Stage(
            "suite",
            ("suite", str(suite), profile.name),
            (suite,),
            after=("pretrain_base", "pretrain_ar"),
            code=roots.suite(),
            module=STEPS,
        ),
        *_trajectories(out, profile, seed, common, {RECIPES[name] for name in recipes} - {""}),
    ]
    sweeps = [_sweep(out, profile, method) for method in rows]
    done = tuple(stage.name for stage in sweeps)
    plan += [_training(out, name, profile, seed, common) for name in recipes] + sweeps
    note = ("--note", profile.note) if profile.note else ()
    report = ("report", "--runs", str(out / "runs"), *note, "--out", str(out / "report"))
    plan.append(Stage("report", report, (out / "report" / "leaderboard.csv",), done, roots.report()))
    cards = ("results", str(out / "weights"), str(out / "runs"))
    plan.append(Stage("cards", cards, (out / "weights" / "results.json",), done, roots.results(), STEPS))
    return plan + _beside(out, profile, seed, common, recipes)


def _beside(out: Path, profile: Profile, seed: int, common: tuple[str, ...], recipes: list[str]) -> list[Stage]:
    """Models beside the leaderboard, other seeds and other deltas: trained, swept on GSM8K, summed up."""
    trained = [
        _training(out, name, profile, seed + extra, common, f"{name}.seed{seed + extra}")
        for name, seeds in profile.extra_seeds.items()
        if name in recipes
        for extra in seeds
    ]
    if "tad_speed" in recipes:
        trained += [_delta(out, profile, seed, common, delta) for delta in profile.deltas]
    if not trained:
        return []
    sweeps = [_side_sweep(out, profile, stage.name) for stage in trained]
    after = ("report", *(stage.name for stage in sweeps))
    tables = [*(["seeds.csv"] if set(profile.extra_seeds) & set(recipes) else []), "cost.csv"]
    tables += ["delta.csv"] if profile.deltas and "tad_speed" in recipes else []
    files = tuple(out / "report" / name for name in tables)
    command = ("findings", str(out), profile.name, str(seed))
    return [*trained, *sweeps, Stage("findings", command, files, after, roots.findings(profile), STEPS)]


def _step(
    name: str, command: tuple[str, ...], out: Path, after: tuple[str, ...], function: str, exclude: tuple[str, ...]
) -> Stage:
    return Stage(name, command, (out,), after, roots.step(function), STEPS, exclude)


def _rows() -> list[str]:
    """The mini suite's methods in its order: every row of the leaderboard."""
    return list(yaml.safe_load((FOLDER / "mini.yaml").read_text(encoding="utf-8"))["settings"])


def _pretraining(out: Path, profile: Profile, seed: int, common: tuple[str, ...]) -> list[Stage]:
    """The AR model, and from its weights the diffusion model."""
    folders = {name: out / "pretrain" / name for name in ("ar", "base")}
    start = ("--init", str(folders["ar"] / "checkpoint"))
    made = []
    for name, kind, steps, init, after in (
        ("ar", "ar", profile.ar_steps, (), "tokenizer"),
        ("base", "diffusion", profile.base_steps, start, "pretrain_ar"),
    ):
        size = ("--seed", str(seed), "--steps", str(steps))
        command = ("pretrain", "--suite", "mini", "--kind", kind, *size, *init, "--out", str(folders[name]), *common)
        made.append(Stage(f"pretrain_{name}", command, (folders[name] / "checkpoint",), (after,), roots.pretraining()))
    return made


def _trajectories(out: Path, profile: Profile, seed: int, common: tuple[str, ...], prompts: set[str]) -> list[Stage]:
    made = []
    for prompt in sorted(prompts):
        folder = out / "trajectories" / prompt
        command = ("trajectories", "--suite", str(out / "suite.yaml"), "--prompt", prompt, "--seed", str(seed))
        size = ("--problems", str(profile.problems), "--out", str(folder))
        after, code = ("pretrain_base", "suite"), roots.trajectories()
        made.append(Stage(f"trajectories_{prompt}", (*command, *size, *common), (folder,), after, code))
    return made


def _training(
    out: Path,
    recipe: str,
    profile: Profile,
    seed: int,
    common: tuple[str, ...],
    name: str = "",
    steps: int = 0,
    sets: tuple[str, ...] = (),
) -> Stage:
    prompt, label = RECIPES[recipe], name or recipe
    folder = out / ("extra" if name else "weights") / label
    command = ["train", recipe, "--suite", str(out / "suite.yaml"), "--variant", "mini", "--seed", str(seed)]
    if steps := steps or profile.steps_of(recipe):
        command += ["--set", f"steps={steps}"]
    command += [part for change in sets for part in ("--set", change)]
    if prompt:
        command += ["--trajectories", str(out / "trajectories" / prompt)]
    command += ["--store", "float16", "--out", str(folder), "--replace", *common]
    after = ("pretrain_base", f"trajectories_{prompt}") if prompt else ("pretrain_ar", "suite")
    return Stage(label, tuple(command), (folder,), after, roots.training(recipe))


def _delta(out: Path, profile: Profile, seed: int, common: tuple[str, ...], delta: int) -> Stage:
    """One model of the ablation over TAD's delta: the recipe of TAD-Quality but for delta."""
    steps = profile.steps_of("tad_quality") or int(roots.recipe_values("tad_quality")["steps"])
    return _training(out, "tad_speed", profile, seed, common, f"tad_speed.delta{delta}", steps, (f"delta={delta}",))


def _sweep(out: Path, profile: Profile, method: str) -> Stage:
    """One row of the leaderboard: every task at every point."""
    checkpoint = registry.get(method).checkpoint
    trained = f"pretrain_{checkpoint}" if checkpoint in ("base", "ar") else checkpoint
    runs = out / "runs" / method
    command = ("sweep", "--suite", str(out / "suite.yaml"), "--methods", method, *_points(profile, method))
    return Stage(f"sweep_{method}", (*command, *_size(profile, runs)), (runs,), (trained, "suite"), roots.sweep(method))


def _side_sweep(out: Path, profile: Profile, name: str) -> Stage:
    """GSM8K of a model beside the leaderboard: another seed, another delta."""
    method = name.partition(".")[0]
    runs = out / "runs_extra" / name
    command = ("sweep", "--suite", str(out / "suite.yaml"), "--methods", method, *_points(profile, method))
    side = ("--tasks", "gsm8k", "--checkpoint", str(out / "extra" / name))
    return Stage(
        f"sweep_{name}", (*command, *side, *_size(profile, runs)), (runs,), (name, "suite"), roots.sweep(method)
    )


def _points(profile: Profile, method: str) -> tuple[str, ...]:
    return ("--points", profile.points[method]) if method in profile.points else ()


def _size(profile: Profile, runs: Path) -> tuple[str, ...]:
    return ("--limit", str(profile.limit), "--calibrate", "0", "--out", str(runs))
