"""A package from examples/ as pip would leave it on the path, without pip."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def metadata(package: Path, target: Path) -> Path:
    """What an editable install leaves on the path: the entry points of a package's pyproject. Returns the folder."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    named = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(named, encoding="utf-8")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return target


def path_with(package: Path, target: Path) -> str:
    """PYTHONPATH of a process that has the harness and, with its entry points in `target`, a package."""
    return os.pathsep.join(map(str, (ROOT, package, metadata(package, target))))
