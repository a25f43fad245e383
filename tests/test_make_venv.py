"""tools/make_venv.py: uv where it can be had, pip for whatever goes wrong with it, and the same packages by both.

The environments and the installers are real, the project and its wheels are tiny, and no index is asked.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.outside import ROOT

PIP = Path(sysconfig.get_path("purelib"))
WINDOWS_SKIP = pytest.mark.skipif(os.name == "nt", reason="the made-up uv is a shell script")
UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))

BACKEND = """
import zipfile

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "tiny-0.1-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 0.1\\nRequires-Dist: torch>=2\\n"
    metadata += "Provides-Extra: dev\\nProvides-Extra: docs\\nRequires-Dist: pages; extra == 'docs'\\n"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("tiny.pth", "")
        wheel.writestr("tiny-0.1.dist-info/METADATA", metadata)
        wheel.writestr("tiny-0.1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-0.1.dist-info/RECORD", "")
    return name
"""


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, working on a tiny project whose packages lie in a folder that pip is configured to look in."""
    spec = importlib.util.spec_from_file_location("make_venv", ROOT / "tools" / "make_venv.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    project, wheels = tmp_path / "project", tmp_path / "wheels"
    project.mkdir()
    wheels.mkdir()
    (project / "backend.py").write_text(BACKEND, encoding="utf-8")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\ndynamic = ["version", "dependencies", "optional-dependencies"]\n',
        encoding="utf-8",
    )
    (project / "constraints.txt").write_text("torch==2.13.0\n", encoding="utf-8")
    for name, version in (("torch", "2.13.0"), ("torch", "2.13.0+cpu"), ("torch", "2.14.0"), ("pages", "1.0")):
        wheel(wheels, name, version)
    monkeypatch.setattr(module, "ROOT", project)
    monkeypatch.setattr(module, "accelerator", lambda: False)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return module


@pytest.fixture
def fast(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments with a link to this one's pip, since copying and compiling pip takes longer than all the rest."""

    def create(folder: Path) -> None:
        venv.create(folder, clear=True, symlinks=os.name != "nt")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        done = subprocess.run([str(tool.interpreter(folder)), "-c", code], capture_output=True, text=True, check=True)
        for part in PIP.glob("pip*"):
            (Path(done.stdout.strip()) / part.name).symlink_to(part)

    monkeypatch.setattr(tool, "create", create)


def wheel(folder: Path, name: str, version: str) -> None:
    """A wheel of one empty module."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


def program(tmp_path: Path, text: str) -> None:
    """A uv on the PATH that is a shell script."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "bin" / "uv").write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    (tmp_path / "bin" / "uv").chmod(0o755)


def installed(place: Path) -> dict[str, str]:
    """Distributions of an environment by name, with versions."""
    code = "from importlib.metadata import distributions as d; print({x.name: x.version for x in d()})"
    done = subprocess.run([str(place / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True)
    return dict(eval(done.stdout))


@WINDOWS_SKIP
def test_without_uv_pip_installs_and_nothing_else_is_printed(
    tool: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "venv"
    (place / "lib").mkdir(parents=True)
    (place / "lib" / "stale").touch()  # left by an installation that was interrupted
    assert tool.main([str(place), "dev"]) == 0
    assert installed(place).items() >= {"tiny": "0.1", "torch": "2.13.0+cpu"}.items()
    assert not (place / "lib" / "stale").exists()
    assert capfd.readouterr() == ("", f"Installing into {place} with pip.\n")

    (place / ".ready").touch()
    (place / "lib" / "kept").touch()
    assert tool.main([str(place), "docs"]) == 0
    assert installed(place).items() >= {"tiny": "0.1", "torch": "2.13.0+cpu", "pages": "1.0"}.items()
    assert (place / "lib" / "kept").exists(), "a finished environment is added to, not made again"


HALF = """
for folder in "$5"/../../lib/python3*/site-packages; do
    mkdir -p "$folder/torch" "$folder/torch-9.9.dist-info"
    echo 'raise SystemExit(3)' > "$folder/torch/__init__.py"
    printf 'Metadata-Version: 2.1\\nName: torch\\nVersion: 9.9\\n' > "$folder/torch-9.9.dist-info/METADATA"
done
echo 'error: the disk is full' >&2
kill -9 $$
"""


@WINDOWS_SKIP
@pytest.mark.parametrize("text", ["echo error: nothing works >&2; exit 2", HALF], ids=["at once", "midway"])
def test_a_uv_that_fails_leaves_the_work_to_pip(
    tool: Any, fast: None, tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str
) -> None:
    program(tmp_path, text)
    place = tmp_path / "venv"
    assert tool.main([str(place), "dev"]) == 0
    assert installed(place).items() >= {"tiny": "0.1", "torch": "2.13.0+cpu"}.items()
    subprocess.run([str(place / "bin" / "python"), "-c", "import torch; torch.__version__"], check=True)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [f"Installing into {place} with {name}." for name in ("uv", "pip")]


@pytest.mark.skipif(UV is None, reason="uv is not installed here")
def test_uv_looks_where_pip_does_and_takes_the_cpu_build(
    tool: Any, fast: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").symlink_to(str(UV))
    monkeypatch.setattr(tool, "with_pip", lambda venv, wanted: pytest.fail("pip was asked"))
    place = tmp_path / "venv"
    assert tool.main([str(place), "dev"]) == 0
    assert installed(place).items() >= {"tiny": "0.1", "torch": "2.13.0+cpu"}.items()
    assert capfd.readouterr() == ("", f"Installing into {place} with uv.\n")


def test_a_failure_of_pip_too_is_shown(
    tool: Any, fast: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for file in (tmp_path / "wheels").glob("torch-*"):
        file.unlink()
    assert tool.main([str(tmp_path / "venv"), "dev"]) != 0
    assert "ERROR: Cannot install tiny" in capfd.readouterr().err


def test_pips_settings_in_uvs_words(tool: Any) -> None:
    config = "\n".join(
        [
            ":env:.find-links='/wheels /more'",
            ":env:.timeout='5'",
            "global.find-links='/elsewhere'",
            "global.index-url='https://a.example/simple'",
            "install.index-url='https://b.example/simple'",
            "global.extra-index-url='\\nhttps://c.example/simple\\nhttps://d.example/simple'",
            "user.index-url='https://never.example'",
        ]
    )
    found = tool.pip_places(config, {"HOME": "/"})
    assert found == {
        "UV_DEFAULT_INDEX": "https://b.example/simple",
        "UV_INDEX": "https://c.example/simple https://d.example/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    own = tool.pip_places(config, {"UV_FIND_LINKS": "/mine", "UV_INDEX_STRATEGY": "first-index"})
    assert own == {name: found[name] for name in ("UV_DEFAULT_INDEX", "UV_INDEX")}
    assert tool.pip_places("", {}) == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="CPU builds are an affair of Linux")
def test_a_cpu_build_is_asked_for_first_where_no_accelerator_is(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tool.torch_choices() == [["torch==2.13.0+cpu"], ["--torch-backend", "cpu"], []]
    monkeypatch.setattr(tool, "accelerator", lambda: True)
    assert tool.torch_choices() == [[]]
