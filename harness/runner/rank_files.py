"""One run by several processes: every rank appends what it decodes to a part of its own, the first one gathers.

The parts are run folders inside the run's folder (`.rank1`, `.rank2`, ...), on the file system that all ranks share.
The first rank holds the run's lock and is the only one that writes `run.json`, `samples.jsonl` and `summary.json`; it
moves the others' lines over while it works. A line is in its part's file before anything else happens, so the death
of any process loses none: whoever continues the run takes up what the parts still hold.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from harness.distributed import AgreedError, Group
from harness.errors import UserError
from harness.store import RunFolder
from harness.store.identity import IDENTITY

PART = ".rank"


def part_of(folder: RunFolder, rank: int) -> RunFolder:
    """Where a rank after the first puts its samples of the run in `folder`."""
    return RunFolder(folder.path / f"{PART}{rank}")


def recover_parts(folder: RunFolder, *, wait: float = 10.0) -> int:
    """Add what the parts of an interrupted parallel run hold to the run, and remove them; how many were added.

    `folder` is open. Raises BusyError when a process still writes its part after `wait` seconds.
    """
    paths = [path for path in sorted(folder.path.glob(f"{PART}*")) if (path / "run.json").is_file()]
    done = folder.done() if paths else set()
    before = len(done)
    for path in paths:
        with RunFolder(path).open(folder.run(), wait=wait) as part:
            for sample in part.samples():
                if sample["doc_id"] not in done:
                    folder.append(sample)
                    done.add(sample["doc_id"])
            folder.sort()  # and so onto the disk, before the part goes
            shutil.rmtree(path)
    return len(done) - before


def check_same_run(group: Group, run: Mapping[str, Any]) -> None:
    """Raise AgreedError on all ranks unless all of them are about to do the same run."""
    identities = group.agree({name: run[name] for name in IDENTITY})
    for rank, other in enumerate(identities):
        differ = [
            f"{name} {identities[0][name]} and {other[name]}" for name in IDENTITY if other[name] != identities[0][name]
        ]
        if differ:
            raise AgreedError(f"Processes 0 and {rank} would do two different runs: {'; '.join(differ)}.", 1)


def check_shared_folder(group: Group, folder: RunFolder) -> None:
    """Raise UserError if this rank does not see the run folder that the first rank has made."""
    if not (folder.path / "run.json").is_file():
        raise UserError(
            f"{folder.path / 'run.json'} is not there for process {group.rank} on {socket.gethostname()} (in "
            f"{os.getcwd()}): the processes of one run need one --out that all of them share."
        )


class Parts:
    """The parts of the other ranks, as the first rank sees them; without a group there are none."""

    def __init__(self, folder: RunFolder, group: Group) -> None:
        self._offsets = {part_of(folder, rank).path: 0 for rank in range(1, group.world_size)}

    def new(self) -> Iterator[dict[str, Any]]:
        """Every whole line that was added since one last looked, part by part."""
        for path in self._offsets:
            try:
                with open(path / "samples.jsonl", "rb") as file:
                    file.seek(self._offsets[path])
                    lines = file.readlines()
            except FileNotFoundError:
                continue
            for line in lines:
                if line.endswith(b"\n"):
                    self._offsets[path] += len(line)
                    yield json.loads(line)

    def ranks(self) -> list[dict[str, Any]]:
        """Who the others are: rank, host, pid, device, batch_size, and out_of_memory where a batch was halved."""
        found = []
        for rank, path in enumerate(self._offsets, start=1):
            if (path / "run.json").is_file():
                session = RunFolder(path).run()["sessions"][-1]
                names = ("host", "pid", "device", "batch_size", "out_of_memory")
                found.append({"rank": rank, **{name: session[name] for name in names if name in session}})
        return found

    def remove(self) -> None:
        """The run has all their lines."""
        for path in self._offsets:
            shutil.rmtree(path, ignore_errors=True)
