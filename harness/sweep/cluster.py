"""`--executor ray`: the same plan on the workers of a Ray cluster; another worker continues what a lost one had begun.

The driver hands each worker one group of runs at a time and prefers groups whose checkpoint the worker has loaded.
With `shared=False` a worker keeps its runs in a folder of its own node and streams every finished sample to the
driver, which alone writes the store; a group that is continued begins with the samples that have arrived. With
`shared=True` the workers write the store themselves; it must be on a file system that all machines mount.
"""

from __future__ import annotations

import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.runner.spec import RunSpec
from harness.sweep.grid import Group, by_method
from harness.sweep.sink import Sink

if TYPE_CHECKING:
    from harness.runner.execute import Outcome
    from harness.sweep.progress import Board

CLOSING = 5.0  # seconds an idle worker has to remove its folder; the next one on its machine removes what is left
LOST = 5  # workers a group may lose before it counts as failed; a dying node can take two in a row


@dataclass
class Task:
    """A group on its way: how many workers it has lost, and where its results arrive."""

    group: Group
    lost: int = 0


@dataclass
class WorkerHandle:
    """One worker: its actor, the checkpoint it has loaded, the task it is at and the stream of its messages.

    answered: whether it has sent anything; until then the cluster may not have placed it.
    """

    actor: Any
    checkpoint: str
    task: Task | None = None
    stream: Any = None
    sink: Sink | None = None
    answered: bool = False


@dataclass
class Cluster:
    """The executor of a Ray cluster: as many workers as the declared GPUs and CPUs allow.

    address: a cluster to join; none takes the running one (RAY_ADDRESS) or starts one on this machine.
    gpus: per worker; none means 1 where the cluster has GPUs and 0 where it has not.
    Raises UserError when ray is not installed, the cluster cannot be reached or no worker fits.
    """

    address: str | None = None
    gpus: float | None = None
    cpus: float = 1.0
    shared: bool = False
    _handles: list[WorkerHandle] = field(default_factory=list)
    _ours: bool = False
    _cwd: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="harness-ray-")
    )

    def __post_init__(self) -> None:
        ray = _ray()
        if not ray.is_initialized():
            try:
                # Ray puts the driver's folder first on the workers' path: a tasks.py there would be imported as ours
                with chdir(self._cwd.name):
                    ray.init(
                        address=self.address, log_to_driver=False, configure_logging=False, ignore_reinit_error=True
                    )
            except Exception as error:  # Ray's own errors have no base of their own, and its limits raise bare ones
                what = f"Ray cluster {self.address} cannot be reached" if self.address else "local Ray does not start"
                raise UserError(
                    f"The {what} ({type(error).__name__}: {_reason(error)}); try again, on a machine with less "
                    "load, or use --executor local."
                ) from error
            self._ours = True
        total = ray.cluster_resources()
        if self.gpus is None:
            self.gpus = 1.0 if total.get("GPU") else 0.0
        if self._capacity() < 1:
            raise UserError(
                f"No Ray node has the {self.gpus:g} GPUs and {self.cpus:g} CPUs of a worker; lower --ray-gpus or "
                "--ray-cpus."
            )

    def _capacity(self) -> int:
        """How many workers the nodes that are alive can hold."""
        capacities = []
        for node in _ray().nodes():
            if node["Alive"]:
                cpus, gpus = node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0)
                shares = [have // need for have, need in ((cpus, self.cpus), (gpus, self.gpus or 0)) if need]
                capacities.append(int(min(shares, default=1)))
        return sum(capacities)

    def __call__(self, groups: Sequence[Group], board: Board) -> list[Outcome]:
        """Run every group somewhere; the outcomes in the order of `groups`."""
        waiting = deque(Task(group) for group in _units(groups, self._capacity()))
        found: dict[Any, Outcome] = {}
        while waiting or any(handle.task for handle in self._handles):
            self._assign(waiting, board)
            for outcome in self._listen(waiting, board):
                found[_key(outcome)] = outcome
                board.ends(outcome)
        return [found[_spec_key(spec)] for group in groups for spec in group.specs]

    def _assign(self, waiting: deque[Task], board: Board) -> None:
        """Give every free worker a group of its checkpoint; one that has none left is stopped to free its place."""
        # a node that died may still be counted: then a new worker waits for the place that an idle one holds
        crowded = any(handle.task and not handle.answered for handle in self._handles)
        for handle in [handle for handle in self._handles if handle.task is None]:
            mine = next((task for task in waiting if task.group.checkpoint == handle.checkpoint), None)
            if mine:
                waiting.remove(mine)
                self._start(handle, mine, board)
            elif waiting or crowded:
                self._dismiss(handle)
        while waiting and len(self._handles) < self._capacity():
            task = waiting.popleft()
            options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": 0}
            handle = WorkerHandle(
                _worker_class().options(**options).remote(self.shared, sys.argv), task.group.checkpoint
            )
            self._handles.append(handle)
            self._start(handle, task, board)

    def _start(self, handle: WorkerHandle, task: Task, board: Board) -> None:
        handle.task, handle.sink = task, Sink(task.group, board, self.shared)
        group = Group(task.group.checkpoint, tuple(map(_absolute, task.group.specs)))
        handle.stream = handle.actor.work.options(num_returns="streaming").remote(group, handle.sink.stored())

    def _dismiss(self, handle: WorkerHandle) -> None:
        self._handles.remove(handle)
        if handle.task is None:  # idle: it can clear up after itself
            with suppress(Exception):
                _ray().get(handle.actor.close.remote(), timeout=CLOSING)
        _ray().kill(handle.actor)

    def _listen(self, waiting: deque[Task], board: Board) -> list[Outcome]:
        """Take what workers have sent; a group whose worker is gone goes back to the front of the queue."""
        ray = _ray()
        busy = {handle.stream: handle for handle in self._handles if handle.task}
        ready, _ = ray.wait(list(busy), num_returns=1, timeout=1.0, fetch_local=False)
        ended: list[Outcome] = []
        for stream in ready:
            handle = busy[stream]
            assert handle.task is not None
            assert handle.sink is not None
            try:
                ended += handle.sink.take(ray.get(next(stream)))
                handle.answered = True
            except StopIteration:
                ended += handle.sink.rest("The worker ended without a result.")
                handle.task = None
            except ray.exceptions.RayError as error:
                ended += self._lost(handle, waiting, board, error)
        return ended

    def _lost(self, handle: WorkerHandle, waiting: deque[Task], board: Board, error: Exception) -> list[Outcome]:
        task, sink = handle.task, handle.sink
        assert task is not None
        assert sink is not None
        self._dismiss(handle)
        sink.close()
        left = sink.unfinished()
        if not left:
            return []
        task.lost += 1
        if task.lost >= LOST:
            return sink.rest(f"{LOST} workers were lost with it, the last one: {_reason(error)}")
        board.note(f"a worker was lost with {task.group.name} ({type(error).__name__}); another continues it")
        waiting.appendleft(Task(Group(task.group.checkpoint, tuple(left)), task.lost))
        return []

    def close(self) -> None:
        """Stop the workers, and the cluster if this process started it."""
        for handle in list(self._handles):
            self._dismiss(handle)
        if self._ours:
            _ray().shutdown()
        self._cwd.cleanup()


def _units(groups: Sequence[Group], workers: int) -> list[Group]:
    """The largest parts of which there are enough to keep the workers busy: groups, methods of them, single runs.

    What is apart shares no canvases.
    """
    methods = [part for group in groups for part in by_method(group.specs)]
    for parts in (list(groups), methods):
        if len(parts) >= 2 * workers:
            return parts
    return [Group(group.checkpoint, (spec,)) for group in groups for spec in group.specs]


def _absolute(spec: RunSpec) -> RunSpec:
    """A worker has another working directory: paths that exist here are given in full."""
    full: dict[str, Any] = {"out": str(Path(spec.out).resolve())}
    for name in ("suite", "data_dir", "checkpoint", "adapter"):
        path = getattr(spec, name)
        # the name of a suite is no path, even if a folder here is called the same
        if path and Path(path).exists() and (name != "suite" or Path(path).suffix):
            full[name] = str(Path(path).resolve())
    return replace(spec, **full)


def _key(outcome: Outcome) -> str:
    return _spec_key(outcome.spec)


def _spec_key(spec: Any) -> str:
    return repr(spec)


def _reason(error: Exception) -> str:
    """A lost worker's error in one line: the exception that its start raised, else the first line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1 if "creation task" in lines[0] else 0].strip()


def _worker_class() -> Any:
    from harness.sweep.worker import Worker

    return _ray().remote(Worker)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError("The Ray executor needs the package ray: pip install '.[ray]' in the checkout.") from None
    return ray
