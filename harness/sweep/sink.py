"""The driver's end of a Ray worker's messages: samples into the store, events to the board, ends to the caller."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import UserError
from harness.runner.spec import RunSpec
from harness.store import BusyError, RunFolder, StoreError, find_runs
from harness.sweep.grid import Group, store_of

if TYPE_CHECKING:
    from harness.runner.execute import Outcome
    from harness.sweep.progress import Board


class Sink:
    """What one worker sends about one group. shared: the worker writes the store itself, nothing is written here."""

    def __init__(self, group: Group, board: Board, shared: bool) -> None:
        self._specs, self._board, self._shared = group.specs, board, shared
        self._ended: set[int] = set()
        self._open: dict[int, tuple[RunFolder, set[int]]] = {}
        self._refused: dict[int, UserError] = {}

    def stored(self) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any] | None]]:
        """What the store already has of the group's runs: run.json, samples and summary by run id."""
        found = {}
        for spec in self._specs:
            if self._shared or not store_of(spec).is_dir():
                continue
            for folder in find_runs(store_of(spec)):
                try:
                    run = folder.run()
                except StoreError:  # another run's damaged file; the spec's own is refused when it is opened
                    continue
                if run["run_id"] not in found and _may_be(run, spec):  # a copy's folder may be called otherwise
                    found[run["run_id"]] = (run, list(folder.samples()), _summary(folder))
        return found

    def take(self, message: tuple[Any, ...]) -> list[Outcome]:
        """Act on a message; the outcome of a run that is over. A run that cannot be written here counts as failed."""
        kind, place, *content = message
        try:
            if kind == "run":
                self._begin(place, content[0])
            elif kind == "sample" and place in self._open:
                folder, known = self._open[place]
                if content[0]["doc_id"] not in known:
                    folder.append(content[0])
                    known.add(content[0]["doc_id"])
            elif kind == "event":
                self._board.event(replace(content[0], spec=self._specs[place]))
            elif kind == "end":
                return [self._end(place, *content)]
        except UserError as error:
            self._refused[place] = error
            self._let_go(place)
            if kind == "end":
                return [self._end(place, *content)]
        return []

    def _begin(self, place: int, run: dict[str, Any]) -> None:
        folder = RunFolder(store_of(self._specs[place]) / run["run_id"])
        folder.open(run, wait=1.0)
        self._open[place] = folder, folder.done()
        if folder.run().get("sessions") != run["sessions"]:
            folder.update(sessions=run["sessions"])

    def _end(self, place: int, outcome: Outcome, run_id: str | None, summary: dict[str, Any] | None) -> Outcome:
        self._ended.add(place)
        spec = self._specs[place]
        path = store_of(spec) / run_id if run_id else None
        outcome = replace(outcome, spec=spec, folder=RunFolder(path) if path else None)
        if place in self._refused:
            error = self._refused[place]
            busy = str(error.path) if isinstance(error, BusyError) else None
            return replace(outcome, state="failed", summary=None, error=str(error), busy=busy)
        if place in self._open and summary is not None:
            folder, _ = self._open[place]
            if not folder.finished:
                folder.sort()
                folder.finish(summary)
        self._let_go(place)
        return outcome

    def unfinished(self) -> list[RunSpec]:
        """The runs whose end has not arrived."""
        return [spec for place, spec in enumerate(self._specs) if place not in self._ended]

    def rest(self, why: str) -> list[Outcome]:
        """The runs whose end has not arrived, as failed ones."""
        from harness.runner.execute import Outcome

        self.close()
        return [Outcome(spec, "failed", error=why) for spec in self.unfinished()]

    def _let_go(self, place: int) -> None:
        if place in self._open:
            self._open.pop(place)[0].close()

    def close(self) -> None:
        """Give the locks back; what has arrived is stored."""
        for place in list(self._open):
            self._let_go(place)


def _summary(folder: RunFolder) -> dict[str, Any] | None:
    """The summary of a stored run, None where it has to be written again."""
    try:
        return folder.summary()
    except StoreError:
        return None


def _may_be(run: dict[str, Any], spec: RunSpec) -> bool:
    """Whether a stored run can be the spec's; the worker knows for sure once the model is loaded."""
    setting = run.get("setting", {})
    same = all(str(setting.get(name)) == str(value) for name, value in spec.settings.items() if name != "gen_length")
    return bool(same and run.get("seed") == spec.seed and run.get("fidelity") == spec.fidelity)
