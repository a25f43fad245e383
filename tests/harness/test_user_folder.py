"""A `tasks.py`, a `methods/` or a `reports/` in the user's folder breaks nothing: real processes in such a folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("harness")
MARK = "from pathlib import Path\nPath(__file__).with_name('was_run').write_text('')\nraise SystemExit('not ours')\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of somebody else's modules, each of which leaves a mark when it is run."""
    (tmp_path / "tasks.py").write_text(MARK)
    for name in ("methods", "reports", "results"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(MARK)
    return tmp_path


def in_folder(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    if command[0] == sys.executable:
        environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=600, check=False
    )
    assert not list(folder.rglob("was_run")), done.stderr
    return done


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed here")
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["ls", "methods"], "tad_speed"),
        (["score", "--gold", "--task", "math", "--limit", "2"], "2 of 2 gold answers score"),
        (["run", "--method", "tad_speed", "--task", "math", "--limit", "1", "--out", "runs"], "1 samples decoded"),
    ],
    ids=["ls", "score", "run"],
)
def test_the_installed_command_works_in_it(folder: Path, words: list[str], shown: str) -> None:
    """MATH is scored in a child process, which must find our packages too."""
    done = in_folder(folder, str(SCRIPT), *words)
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    assert "not be scored" not in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed here")
def test_a_ray_sweep_works_in_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray puts the driver's folder first on its workers' path."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    words = ["sweep", "--methods", "tad_speed", "--tasks", "math", "--points", "0.5", "--limit", "1", "--out", "runs"]
    done = in_folder(folder, str(SCRIPT), *words, "--executor", "ray", "--calibrate", "0", "--json")
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "runs").rglob("summary.json"))) == 1


@pytest.mark.parametrize("module", ["harness.cli", "harness.lm_eval"])
@pytest.mark.parametrize("name", ["tasks.py", "methods", "reports"])
def test_a_module_that_hides_ours_is_named_in_one_sentence(folder: Path, module: str, name: str) -> None:
    for other in {"tasks.py", "methods", "reports", "results"} - {name}:
        (folder / other).rename(folder / f"not_{other}")
    done = in_folder(folder, sys.executable, "-m", module, "ls", "methods")
    assert (done.returncode, done.stdout) == (1, "")
    file = folder / name if name.endswith(".py") else folder / name / "__init__.py"
    ours = name.removesuffix(".py")
    assert done.stderr.startswith(f"harness: {file} is imported in place of the package {ours!r} of this harness")
    assert done.stderr.count("\n") == 1
    assert "rename" in done.stderr


def test_a_module_that_hides_ours_is_named_to_callers_from_python(folder: Path) -> None:
    """The exception's sentence is theirs to handle; what matters is that nothing of the folder runs."""
    done = in_folder(folder, sys.executable, "-c", "from harness.runner import RunSpec, execute")
    assert f"UserError: {folder / 'tasks.py'} is imported in place of" in done.stderr.splitlines()[-1]


def test_a_plain_folder_of_that_name_is_no_module(tmp_path: Path) -> None:
    """`results/` is where runs are stored by default."""
    (tmp_path / "results" / "runs").mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    done = in_folder(tmp_path, sys.executable, "-m", "harness.cli", "ls", "runs")
    assert done.returncode == 0, done.stderr
