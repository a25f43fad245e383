"""Make the virtual environment that `make` works in: this project, editable, with the versions of constraints.txt.

    python tools/make_venv.py .venv train,dev

uv installs where it is on the PATH or pip can fetch it; everything else, and everything that goes wrong with it, is
left to pip. Both are given the same requirements and look in the same places. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = "constraints.txt"
# pip's setting -> the variable by which uv knows the same, and what separates several values there
PLACES = {
    "index-url": ("UV_DEFAULT_INDEX", ""),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", ""),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", ""),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or the exit code of pip, which has then printed why."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("venv", type=Path, help="folder of the environment")
    parser.add_argument("extras", help="extras of this project, separated by commas")
    given = parser.parse_args(arguments)
    finished = (given.venv / ".ready").exists()
    if not finished:  # an installation that was interrupted leaves half a package that looks whole
        create(given.venv)
    wanted = ["--constraint", CONSTRAINTS, "--editable", f".[{given.extras}]"]
    if uv := find_uv(given.venv):
        if with_uv(uv, given.venv, wanted):
            return 0
        if not finished:
            create(given.venv)
    return with_pip(given.venv, wanted)


def create(venv: Path) -> None:
    """An empty environment with pip, in place of whatever is there. Raises CalledProcessError."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)


def with_uv(uv: str, venv: Path, wanted: Sequence[str]) -> bool:
    """Install `wanted` with the program `uv`. False, and nothing printed by uv, when it does not succeed."""
    python = interpreter(venv)
    print(f"Installing into {venv} with uv.", file=sys.stderr)
    environment = dict(pip_places(pip_config(python), os.environ))
    command = [uv, "pip", "install", "--quiet", "--python", str(python), *wanted]
    return any(quiet([*command, *choice], environment) for choice in torch_choices())


def with_pip(venv: Path, wanted: Sequence[str]) -> int:
    """Install `wanted` with pip and return its exit code. Modules are compiled when they are first imported."""
    print(f"Installing into {venv} with pip.", file=sys.stderr)
    install = [str(interpreter(venv)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    return subprocess.run([*install, *wanted], cwd=ROOT).returncode


def find_uv(venv: Path) -> str | None:
    """uv on the PATH, in the environment, or fetched into it by pip; None when none of these succeeds."""
    inside = interpreter(venv).with_name("uv.exe" if os.name == "nt" else "uv")
    found = shutil.which("uv") or shutil.which(str(inside))
    if found:
        return found
    fetch = [str(interpreter(venv)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    return str(inside) if quiet([*fetch, "--constraint", CONSTRAINTS, "uv"], {}) and inside.exists() else None


def interpreter(venv: Path) -> Path:
    """The environment's Python, as an absolute path."""
    return venv.absolute() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def torch_choices() -> list[list[str]]:
    """Further arguments of the installation, to be tried in this order.

    Where no accelerator is seen, a CPU build of torch spares gigabytes of CUDA libraries: first one that the configured
    places offer, then the one that uv knows how to find, then whatever the index has.
    """
    pinned = re.search(r"^torch==([\w.]+)", (ROOT / CONSTRAINTS).read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None or not sys.platform.startswith("linux") or accelerator():
        return [[]]
    return [[f"torch=={pinned[1]}+cpu"], ["--torch-backend", "cpu"], []]


def accelerator() -> bool:
    """Whether a driver of an NVIDIA or AMD device is there."""
    return bool(shutil.which("nvidia-smi")) or any(map(os.path.exists, ("/proc/driver/nvidia/version", "/dev/kfd")))


def pip_config(python: Path) -> str:
    """What `pip config list` prints: every setting from pip's files and variables as SECTION.KEY='VALUE'."""
    done = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def pip_places(config: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that send uv where `config`, the output of `pip config list`, sends pip.

    uv reads none of pip's settings. What the user has set for uv in `environment` is left alone.
    """
    values: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # each outranks the ones before it
        for line in config.splitlines():
            name, _, text = line.partition("=")
            if name.startswith(f"{section}."):
                values[name.removeprefix(f"{section}.")] = str(ast.literal_eval(text))
    found = {}
    for key, (variable, between) in PLACES.items():
        if parts := values.get(key, "").split():
            found[variable] = between.join(parts) if between else parts[0]
    if "UV_INDEX" in found:  # pip takes the best version of all indexes, uv by default that of the first with the name
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {variable: value for variable, value in found.items() if variable not in environment}


def quiet(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Run `command` in the project's folder with `environment` added; whether it succeeded. Prints nothing."""
    try:
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True)
    except OSError:  # a uv of another machine's architecture, or one without permission
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
