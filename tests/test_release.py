"""What is released: one version everywhere, and a wheel that works in an environment without the source tree."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

import harness
from tests.outside import ROOT


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert {project["version"], str(citation["version"]), newest[1]} == {harness.__version__}
    assert (citation["license"], citation["cff-version"]) == (project["license"], "1.2.0")


@pytest.fixture(scope="module")
def wheel_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel, and sees this one's packages but not its editable install."""
    pytest.importorskip("hatchling")
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", symlinks=os.name != "nt")
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    # a folder named in a .pth has its own .pth files left alone, and the editable install is one of these
    (Path(there) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def asked(python: Path, folder: Path, *words: str) -> str:
    """What a program of the wheel's environment prints, called in `folder`."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_works_from_an_empty_folder(wheel_python: Path, tmp_path: Path) -> None:
    code = "import harness, methods, tasks, reports; print(*(m.__file__ for m in (harness, methods, tasks, reports)))"
    for place in asked(wheel_python, tmp_path, str(wheel_python), "-c", code).split():
        assert not Path(place).is_relative_to(ROOT), "the source tree is imported, not the wheel"
    command = str(wheel_python.with_name("harness"))
    assert asked(wheel_python, tmp_path, command, "--version") == f"harness {harness.__version__}\n"
    methods = json.loads(asked(wheel_python, tmp_path, command, "ls", "methods", "--json"))
    assert {"vanilla", "tad_speed", "ar"} <= {row["method"] for row in methods}
    words = ("run", "--method", "tad_speed", "--task", "gsm8k", "--limit", "2", "--json")
    summary = json.loads(asked(wheel_python, tmp_path, command, *words))
    assert summary["n_samples"] == 2
    (stored,) = tmp_path.glob("results/runs/mini/tad_speed/gsm8k/*/summary.json")
    assert json.loads(stored.read_text(encoding="utf-8"))["run_id"] == summary["run_id"]
    asked(wheel_python, tmp_path, command, "table", "--paper", "tad", "--suite", "llada")
