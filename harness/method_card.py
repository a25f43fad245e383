"""What `harness ls methods NAME` shows: a method's settings with their ranges and help, its sweep, its source.

Nothing here imports torch.
"""

from __future__ import annotations

from typing import Any

from harness.layout import setting_value
from harness.suites import Suite, load_suite, suite_names
from methods.method import Method


def card(method: Method) -> dict[str, Any]:
    """Everything about a method as plain JSON values.

    `settings`: per parameter its default, its allowed values in words, its help and, per suite that gives it another
    value, that value. `suites`: per suite, where the checkpoint comes from, or why there is none.
    """
    suites = [load_suite(name) for name in suite_names()]
    return {
        "method": method.name,
        "title": method.title,
        "summary": method.summary,
        "family": method.family,
        "citation": method.citation,
        "axis": method.axis,
        "points": list(method.points),
        "one_token": dict(method.one_token),
        "checkpoint": method.checkpoint,
        "recipe": method.recipe,
        "suites": {suite.name: _checkpoint(suite, method) for suite in suites},
        "settings": [_setting(method, name, suites) for name in method.params],
        "repairs": list(method.repairs),
        "examples": _examples(method, suites),
    }


def _setting(method: Method, name: str, suites: list[Suite]) -> dict[str, Any]:
    param = method.params[name]
    elsewhere: dict[str, Any] = {}
    for suite in suites:
        for task in suite.setting_tasks(method.name):
            own = suite.settings(method.name, task) if task != "all" else suite.settings(method.name, "")
            if name in own and own[name] != param.default:
                elsewhere[suite.name if task == "all" else f"{suite.name}/{task}"] = own[name]
    for at, value in list(elsewhere.items()):  # a task that repeats what holds for all of its suite says nothing new
        if "/" in at and elsewhere.get(at.split("/")[0]) == value:
            del elsewhere[at]
    return {
        "name": name,
        "default": param.default,
        "allowed": param.describe(),
        "help": param.help,
        "in_suites": elsewhere,
    }


def _checkpoint(suite: Suite, method: Method) -> dict[str, Any]:
    if method.checkpoint in suite.checkpoints:
        ref = suite.checkpoints[method.checkpoint]
        return {"source": ref.source, "adapter": ref.adapter, "note": ref.note}
    note = suite.unpublished.get(method.checkpoint, "not part of this suite")
    return {"source": None, "adapter": None, "note": note}


def _examples(method: Method, suites: list[Suite]) -> list[str]:
    having = [suite.name for suite in suites if method.checkpoint in suite.checkpoints]
    where = "" if "mini" in having or not having else f" --suite {having[0]}"
    weights = "" if having else " --checkpoint FOLDER"
    run = f"harness run{where} --method {method.name} --task gsm8k --limit 50{weights}"
    if method.axis is None:
        return [run]
    middle = method.points[len(method.points) // 2]
    points = ",".join(map(setting_value, method.points))
    sweep = f"harness sweep{where} --methods {method.name} --tasks gsm8k --limit 50 --points {points}{weights}"
    return [f"{run} --set {method.axis}={setting_value(middle)}", sweep]


def print_card(found: dict[str, Any]) -> None:
    """Print a card for people: facts, settings, checkpoints, repairs, commands that work."""
    from harness.show import print_table

    print(f"{found['method']}: {found['title']}\n{found['summary']}.\n")
    points = ", ".join(map(setting_value, found["points"]))
    strict = ", ".join(f"{name}={setting_value(value)}" for name, value in found["one_token"].items())
    facts = [
        ("family", found["family"]),
        ("source", found["citation"]),
        ("swept", f"{found['axis']}: {points}" if found["axis"] else "nothing: one point"),
        ("one token per forward pass", strict),
        ("checkpoint", found["checkpoint"]),
        ("training", f"harness train {found['recipe']}" if found["recipe"] else "none: the checkpoint as it is"),
    ]
    print_table([{"": name, " ": value} for name, value in facts if value], prose=(" ",))
    print("\nSettings (--set NAME=VALUE)")
    rows = [
        {
            "name": f"{row['name']} *" if row["name"] == found["axis"] else row["name"],
            "default": setting_value(row["default"]),
            "allowed": row["allowed"],
            "what": row["help"],
            "in suites": ", ".join(f"{at} {setting_value(value)}" for at, value in row["in_suites"].items()),
        }
        for row in found["settings"]
    ]
    if not any(row["in suites"] for row in rows):
        rows = [{name: value for name, value in row.items() if name != "in suites"} for row in rows]
    print_table(rows, prose=("what", "allowed", "in suites"))
    if found["axis"]:
        print("* what a sweep varies")
    print("\nCheckpoints")
    suites = [{"suite": name, "checkpoint": _where(at)} for name, at in found["suites"].items()]
    print_table(suites, prose=("checkpoint",))
    if found["repairs"]:
        print("\nRepaired against the published code (--fidelity compat keeps it, where it is modelled)")
        print_table([{"": "-", " ": line} for line in found["repairs"]], prose=(" ",))
    print("\nExamples")
    for line in found["examples"]:
        print(f"  {line}")


def _where(at: dict[str, Any]) -> str:
    if at["source"] is None:
        return f"none: {at['note']}"
    return at["source"] + (f" + {at['adapter']}" if at["adapter"] else "")
