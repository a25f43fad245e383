"""Whether the packages beside this one are ours: `tasks`, `methods`, `reports` and `results` are common names.

The installed `harness` script never looks for them in the current folder; `python -m` and PYTHONPATH do.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

from harness.errors import UserError

NAMES = ("tasks", "methods", "reports", "results")
ROOT = Path(__file__).resolve().parents[1]


@cache
def check_packages() -> None:
    """Raise UserError naming the file that Python finds instead of one of our packages, and the way out.

    Nothing is imported: a module of the user's folder must not run because it has one of our names.
    """
    for name in NAMES:
        found = _found(name)
        if found is not None and ROOT / name not in (found, found.parent):
            raise UserError(
                f"{found} is imported in place of the package {name!r} of this harness ({ROOT / name}). Start the "
                "installed command `harness` instead of python -m (launchers: torchrun --no-python harness ...), take "
                f"that folder off PYTHONPATH, or rename {found.name}."
            )


def _found(name: str) -> Path | None:
    """The file or folder that `import name` gives; None for nothing and for a built-in module."""
    module = sys.modules.get(name)
    try:
        spec = module.__spec__ if module is not None else importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return None
    places = [spec.origin] if spec.origin and spec.has_location else list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve() if places else None
