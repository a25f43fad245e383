"""What examples/ holds works: the outside method is found, decodes, is counted right; the suite file runs."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from methods import registry
from tests.outside import ROOT, metadata, path_with

HIERARCHY = ROOT / "examples" / "dinfer_hierarchy"
SUITE = ROOT / "examples" / "add_suite" / "my_suite.yaml"


@pytest.fixture
def hierarchy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The method, as the registry finds it with the example on the path."""
    monkeypatch.syspath_prepend(str(HIERARCHY))
    monkeypatch.syspath_prepend(str(metadata(HIERARCHY, tmp_path / "installed")))
    before = dict(registry.all_methods())  # with what other tests of this process have registered
    registry.all_methods.cache_clear()
    yield registry.get("dinfer_hierarchy")
    registry.all_methods.cache_clear()
    registry.all_methods().update(before)


def test_the_method_is_under_fifty_lines() -> None:
    assert len(code_lines(HIERARCHY / "dllm_dinfer_hierarchy")) < 50


def code_lines(folder: Path) -> list[int]:
    """Lines of code of a package: neither blank, nor comment, nor docstring."""
    found = []
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        strings = {
            line
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.strip().startswith("#") and number not in strings:
                found.append(number)
    return found


def test_ls_shows_it_without_importing_torch(tmp_path: Path) -> None:
    code = "import sys; from harness.cli import main; sys.argv = ['harness', 'ls', 'methods', '--json']\n"
    code += "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path_with(HIERARCHY, tmp_path / "installed")},
    )
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout) if row["method"] == "dinfer_hierarchy"]
    assert (row["title"], row["axis"], row["checkpoint"]) == ("dInfer (hierarchy)", "threshold", "base")


@pytest.mark.skipif(not importlib.util.find_spec("hatchling"), reason="builds a wheel; needs hatchling")
def test_pip_installs_the_entry_point(tmp_path: Path) -> None:
    source = shutil.copytree(HIERARCHY, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(tmp_path / "installed"), str(source)], check=True, capture_output=True)
    names = sorted(path.name for path in (tmp_path / "installed").iterdir())
    assert names == ["dllm_dinfer_hierarchy", "dllm_dinfer_hierarchy-0.1.0.dist-info"]
    found = (tmp_path / "installed" / names[1] / "entry_points.txt").read_text(encoding="utf-8")
    assert found.split() == ["[dllm_harness.methods]", "dinfer_hierarchy", "=", "dllm_dinfer_hierarchy:METHOD"]


def requests(method: Any, arch: str, **settings: Any) -> list[Any]:
    """Rows of very uneven lengths, more than fit a batch, so that groups and refills happen."""
    from methods.decoding import Request

    draw = random.Random(0)
    decoder = method.build(method.settings({"block_size": 4, **settings}), arch)
    return [Request([draw.randrange(40) for _ in range(length)], 12, decoder) for length in (1, 50, 9, 2, 30)]


@pytest.mark.parametrize("arch", ["llada", "dream"])
@pytest.mark.parametrize("strict", [{"threshold": 1.0, "low_threshold": 1.0}])
def test_a_strict_bound_gives_one_token_a_forward(hierarchy: Any, arch: str, strict: dict[str, float]) -> None:
    from tests.decoding.tiny import backbone, run

    for result in run(backbone(arch), requests(hierarchy, arch, **strict), batch=3):
        assert result.total_forwards == 12
        assert sorted(result.reveal_step) == list(range(1, 13))


@pytest.mark.parametrize("arch", ["llada", "dream"])
def test_the_same_alone_and_in_a_batch_and_counted_right(
    hierarchy: Any, arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.decoding.tiny import MASK, backbone, run, same

    model, rows = backbone(arch), requests(hierarchy, arch, threshold=0.5, low_threshold=0.1)
    together = run(model, rows, batch=3)
    seen: list[int] = []
    original = model.hidden

    def counted(ids: Any, *more: Any, **named: Any) -> Any:
        seen.append(len(ids))
        return original(ids, *more, **named)

    monkeypatch.setattr(model, "hidden", counted)  # the model itself: another test may have done so before
    for request, batched in zip(rows, together, strict=True):
        seen.clear()
        (alone,) = run(model, [request])
        assert same(alone, batched)
        assert sum(seen) == alone.total_forwards == alone.nfe
        assert MASK not in alone.output_ids
    assert sum(result.total_forwards for result in together) < 5 * 12, "nothing was committed in parallel"


def test_its_own_tests_pass() -> None:
    path = os.pathsep.join(map(str, (ROOT, HIERARCHY)))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(HIERARCHY),
        str(HIERARCHY),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=HIERARCHY, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_suite_of_ones_own_runs(hierarchy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.runner import RunSpec, execute
    from tests.harness.tiny import checkpoint

    shutil.copytree(checkpoint(), tmp_path / "checkpoints" / "mine")
    value = yaml.safe_load(SUITE.read_text(encoding="utf-8"))
    value["settings"]["dinfer_hierarchy"]["all"] |= {"gen_length": 16, "block_size": 8}
    (tmp_path / "my_suite.yaml").write_text(yaml.safe_dump(value), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (outcome,) = execute([RunSpec("dinfer_hierarchy", "gsm8k", "my_suite.yaml", limit=2, out="runs")])
    assert outcome.cause is None, outcome.cause
    assert outcome.summary is not None
    assert outcome.folder is not None
    assert outcome.folder.path.parts[-4:-1] == ("my_suite", "dinfer_hierarchy", "gsm8k")
    assert outcome.summary["n_samples"] == 2
    assert outcome.folder.run()["setting"]["block_size"] == 8
