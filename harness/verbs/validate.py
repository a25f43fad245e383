"""`harness validate FILE`: a protocol, a recipe or a suite checked before anything is run with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from harness.terminal import echo

EXAMPLE = "Example: harness validate tasks/protocols/mini/gsm8k.yaml   or   harness validate llada-fair/math"


def validate(
    file: str = typer.Argument(..., metavar="FILE", help="A YAML file: a protocol (or its id), a recipe, a suite."),
    json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Check a protocol, a recipe or a suite and show what it means; exit 2 with a sentence if it is wrong."""
    from harness.show import json_text, print_json

    found = check(file)
    if json:
        print_json(found)
        return
    echo(f"{found['file']}: a valid {found['kind']}.")
    for name, value in found.items():
        if name not in ("file", "kind"):
            echo(f"  {name}: {value if isinstance(value, str) else json_text(value)}")


def check(file: str) -> dict[str, Any]:
    """What a file is and holds; raises an error with exit code 2 that names the file and what is wrong."""
    from tasks import protocols

    path = protocols.file_of(file) if file in protocols.ids() else Path(file)
    content = _content(path)
    if "lm_eval_task" in content or "eos_policy" in content:
        return {"file": str(path), "kind": "protocol", **_protocol(path)}
    if "objective" in content:
        return {"file": str(path), "kind": "recipe", **_recipe(path, content)}
    if "checkpoints" in content or "protocols" in content:
        return {"file": str(path), "kind": "suite", **_suite(path)}
    from harness.errors import UsageError

    raise UsageError(
        f"{path}: neither a protocol (lm_eval_task), nor a recipe (objective), nor a suite (checkpoints, protocols)."
    )


def _content(path: Path) -> dict[str, Any]:
    import yaml

    from harness.errors import UsageError

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds no table of settings.")
    return content


def _protocol(path: Path) -> dict[str, Any]:
    from dataclasses import asdict

    from tasks import protocols
    from tasks.lm_task import config_of

    protocol = protocols.read(path)
    config_of(protocol)  # the lm-eval task it names can be built
    return {**asdict(protocol), "digest": protocol.digest}


def _recipe(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    from harness.errors import UsageError
    from methods.distill import recipe

    variants = content.get("variants")
    if not variants or not isinstance(variants, dict):
        raise UsageError(f"{path}: a recipe needs at least one entry under variants.")
    read = [recipe.load(str(path), variant) for variant in variants]
    return {
        "name": read[0].name,
        "title": read[0].title,
        "objective": read[0].objective,
        "source": read[0].source,
        "variants": {one.variant: one.values() for one in read},
    }


def _suite(path: Path) -> dict[str, Any]:
    from harness.errors import UsageError
    from harness.suites import parse
    from tasks import protocols

    try:
        suite = parse(path)
        asked = {task: protocols.get(suite.protocol(task)).digest for task in suite.tasks}
        _settings(suite)
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        raise UsageError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    return {"name": suite.name, "title": suite.title, "arch": suite.arch, "tasks": asked, "methods": suite.methods}


def _settings(suite: Any) -> None:
    """Raise for a setting of a method, task, parameter or value that does not exist."""
    from harness.errors import unknown
    from harness.settings import checked
    from methods import registry

    for name in suite.methods:
        method = registry.get(name)
        for task in suite.setting_tasks(name):
            if task not in ("all", *suite.tasks):
                raise unknown(f"task in settings.{name}", task, ["all", *suite.tasks])
            checked(method, suite.settings(name, task))
