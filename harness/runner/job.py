"""A spec made concrete: the suite, the method's full setting, the protocol, the data and the checkpoint it names.

Everything the user can get wrong is found here, before a run folder is touched.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.closure.runs import code_version
from harness.documents import chosen, limit, samples
from harness.errors import UsageError, unknown
from harness.generation import check_length, context_length
from harness.labels import row_label
from harness.packages import check_packages
from harness.runner.models import ModelCache, ModelKey, reader_of
from harness.runner.spec import RunSpec
from harness.settings import effective_eos_policy, layered
from harness.store import RunFolder, run_id
from harness.text import Reader
from methods import registry

if TYPE_CHECKING:
    from methods.method import Method
    from tasks.loading import Loaded
    from tasks.protocols import Protocol

YAML = (".yaml", ".yml")


@dataclass
class Choice:
    """What a spec means, before anything heavy is loaded.

    setting: every parameter of the method, as it will run. label: what names the row, None for the method's name.
    """

    spec: RunSpec
    suite: Any
    method: Method
    setting: dict[str, Any]
    gen_length: int
    protocol: Protocol
    key: ModelKey
    label: str | None = None


@dataclass
class Job:
    """A spec with its model and data loaded; `run` is its run.json, `folder` its location."""

    choice: Choice
    loaded: Loaded
    backbone: Any
    reader: Reader
    decoder: Any
    context: int
    run: dict[str, Any]
    folder: RunFolder

    @property
    def spec(self) -> RunSpec:
        return self.choice.spec

    @property
    def documents(self) -> Sequence[int]:
        """The ids of the documents that the spec asks for."""
        return chosen(self.run["n_docs"], self.spec.limit, self.spec.samples)


def choose(spec: RunSpec) -> Choice:
    """Look up every name of a spec and check every value; imports no torch.

    Raises UsageError (or the package's own error with exit code 2) naming the closest known name or the allowed range.
    """
    check_packages()
    from harness.suites import check_arch, load_suite
    from methods.backbones.peek import known_arch

    suite = load_suite(spec.suite)
    method = registry.get(spec.method)
    if spec.batch_size < 1:
        raise UsageError(f"--batch-size {spec.batch_size} is not allowed: it is an integer of at least 1.")
    _check_documents(spec)
    protocol = protocol_of(spec.task, spec.protocol, suite)
    setting, gen_length = layered(suite, method, spec.task, spec.settings, protocol.gen_length, protocol.eos_policy)
    key = _model_key(spec, suite, method)
    check_arch(suite, method.family, key.source, known_arch(key.source))
    return Choice(spec, suite, method, setting, gen_length, protocol, key, _label(spec, suite, method))


def _check_documents(spec: RunSpec) -> None:
    if spec.limit is not None:
        limit(spec.limit)
    if spec.samples is not None:
        samples(spec.samples)
        if spec.limit is not None:
            raise UsageError("--limit and --samples both choose documents; give one of them.")


def protocol_of(task: str, name: str | None, suite: Any) -> Protocol:
    """The protocol of a task: of the set called `name`, in the YAML file at that path, or by default the suite's.

    Raises UsageError naming the sets that have the task, or the task that a file is for.
    """
    from tasks import protocols

    if name is None:
        return protocols.get(suite.protocol(task))
    if name.endswith(YAML):
        protocol = protocols.read(Path(name))
        if protocol.task != task:
            raise UsageError(f"--protocol {name} is for the task {protocol.task}, not {task}.")
        return protocol
    having = [one for one in protocols.sets() if f"{one}/{task}" in protocols.ids()]
    if name not in having and having:
        raise unknown(f"protocol set of {task}", name, having)
    return protocols.get(f"{name}/{task}")


def _model_key(spec: RunSpec, suite: Any, method: Method) -> ModelKey:
    if spec.checkpoint is not None:
        return ModelKey(spec.checkpoint, spec.adapter, spec.device, spec.dtype, spec.compile)
    ref = suite.checkpoint(method.checkpoint)
    return ModelKey(ref.source, spec.adapter or ref.adapter, spec.device, spec.dtype, spec.compile)


def _label(spec: RunSpec, suite: Any, method: Method) -> str | None:
    """--label, else the suite's own for its checkpoint as it stands there."""
    if spec.label is not None or spec.checkpoint is not None or spec.adapter is not None:
        return row_label(spec.label, method.name, registry.names())
    where = f"{suite.name}: the label of checkpoints.{method.checkpoint},"
    return row_label(suite.checkpoint(method.checkpoint).label, method.name, registry.names(), where)


def load_data(choice: Choice) -> Loaded:
    """The task on the rows a choice asks for. Raises TasksError naming file and line."""
    import tasks

    return tasks.load(choice.protocol, data_source(choice.spec, choice.suite))


def prepare(choice: Choice, models: ModelCache, loaded: Loaded | None = None) -> Job:
    """Load model and data (unless `loaded` has them) and name the run. Raises before anything is written."""
    from harness.suites import check_arch

    spec, suite = choice.spec, choice.suite
    if choice.protocol.metric == "pass@1":
        confine_code(spec)
    loaded = loaded or load_data(choice)
    backbone = models.get(choice.key)
    check_arch(suite, choice.method.family, choice.key.source, backbone.arch)
    decoder = choice.method.build(choice.setting, backbone.arch, spec.fidelity, backbone.tokenizer)
    context = context_length(suite, backbone)
    check_length(decoder, choice.gen_length, context)
    reader = reader_of(backbone, choice.key.source)
    run = describe(choice, loaded, backbone, reader, context)
    return Job(
        choice=choice,
        loaded=loaded,
        backbone=backbone,
        reader=reader,
        decoder=decoder,
        context=context,
        run=run,
        folder=RunFolder(Path(spec.out) / suite.name / spec.method / spec.task / run["run_id"]),
    )


def confine_code(spec: RunSpec) -> None:
    """Make sure that generated code can be executed before hours are spent on generating it."""
    from tasks.sandbox import confine

    if spec.unconfined:
        os.environ[confine.ALLOW] = "1"
    confine.choose(allow_unconfined=spec.unconfined)


def data_source(spec: RunSpec, suite: Any) -> Any:
    """The rows a spec asks for: --data-dir, else the suite's own."""
    from tasks.data import Source

    return Source("folder", spec.data_dir) if spec.data_dir else Source(suite.data)


def _protocol_file(name: str | None) -> dict[str, str]:
    return {"protocol_file": str(Path(name).resolve())} if name and name.endswith(YAML) else {}


def describe(choice: Choice, loaded: Loaded, backbone: Any, reader: Reader, context: int) -> dict[str, Any]:
    """run.json, without its sessions: what decides the outcome, and where it came from."""
    spec, method, protocol = choice.spec, choice.method, choice.protocol
    run = {
        "suite": choice.suite.name,
        "suite_source": spec.suite if spec.suite == choice.suite.name else str(Path(spec.suite).resolve()),
        "method": method.name,
        "label": choice.label,
        "task": spec.task,
        "setting": choice.setting,
        "axis": method.axis,
        "axis_value": choice.setting.get(method.axis) if method.axis else None,
        "fidelity": spec.fidelity,
        "gen_length": choice.gen_length,
        "context": context,
        "protocol": protocol.id,
        **_protocol_file(spec.protocol),
        "protocol_version": protocol.version,
        "protocol_digest": protocol.digest,
        "eos_policy": effective_eos_policy(protocol.eos_policy, choice.setting),
        "metric": f"{protocol.metric},{protocol.extraction}",
        "checkpoint": choice.key.source,
        "adapter": choice.key.adapter,
        "checkpoint_fingerprint": backbone.fingerprint,
        "tokenizer_fingerprint": backbone.tokenizer_fingerprint,
        "arch": backbone.arch,
        "special": {"mask": backbone.special.mask, "eos": list(backbone.special.eos), "skip": sorted(reader.skip)},
        "data": loaded.origin,
        "data_fingerprint": loaded.fingerprint,
        "n_docs": len(loaded.docs),
        "seed": spec.seed,
        "dtype": backbone.packed or str(backbone.dtype).removeprefix("torch."),
        "code_version": code_version(method, spec.fidelity, protocol, backbone.arch),
    }
    if protocol.metric == "pass@1":
        from tasks.sandbox import confine

        run["confinement"] = confine.choose(allow_unconfined=spec.unconfined).description
    return {"run_id": run_id(run), **run}
