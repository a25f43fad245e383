"""Finding runs: below folders, by path, by id or by the beginning of an id."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import StoreError, UsageError
from harness.store.folder import RunFolder

RUNS = Path("results/runs")


def find_runs(dirs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = RUNS) -> list[RunFolder]:
    """Every run folder in or below `dirs`, sorted by path; runs that --fresh set aside are not among them.

    A folder that does not exist raises UsageError, one that cannot be read StoreError; one without runs gives an empty
    list.
    """
    many = [dirs] if isinstance(dirs, (str, os.PathLike)) else list(dirs)
    found: dict[Path, RunFolder] = {}
    for place in map(Path, many):
        if not place.is_dir():
            raise UsageError(
                f"There is no folder {place}; `harness run` writes runs to {RUNS} unless --out names another folder."
            )
        for path in _walk(place):
            found.setdefault(path.resolve(), RunFolder(path))
    return sorted(found.values(), key=lambda folder: folder.path)


def _walk(place: Path) -> Iterator[Path]:
    try:
        is_run = (place / "run.json").is_file()
        children = [] if is_run else sorted(place.iterdir())
    except OSError as error:
        raise StoreError(f"{place} cannot be read: {error.strerror or error}.") from None
    if is_run:
        yield place
        return
    for child in children:
        if child.is_dir() and ".old-" not in child.name and not child.name.startswith("."):
            yield from _walk(child)


def find_run(name: str, dirs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = RUNS) -> RunFolder:
    """The run that `name` means: a folder, a run id, or the unique beginning of one.

    Raises UsageError when nothing or more than one run fits.
    """
    if (Path(name) / "run.json").is_file():
        return RunFolder(Path(name))
    many = [dirs] if isinstance(dirs, (str, os.PathLike)) else list(dirs)
    places = ", ".join(map(str, many))
    runs = find_runs([place for place in many if Path(place).is_dir()])
    fitting = [folder for folder in runs if folder.run_id == name] or [f for f in runs if f.run_id.startswith(name)]
    if not fitting:
        raise UsageError(f"No run {name!r} in {places}. `harness ls runs` lists them; --out names another folder.")
    if len(fitting) > 1:
        shown = ", ".join(str(folder.path) for folder in fitting[:5])
        raise UsageError(f"{len(fitting)} runs fit {name!r}: {shown}. Give more digits or the path.")
    return fitting[0]
