"""The one trainer of all recipes: transformers' `Trainer` around a module whose forward is the loss.

What is added: the loss's parts in the log, a stop at the first loss or gradient that is not finite, a mark on
checkpoints that were written completely, and checkpoints of the trained weights only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.integrations.integration_utils import (
    TensorBoardCallback,
    is_tensorboard_available,
    is_trackio_available,
    is_wandb_available,
)
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from methods.distill.nets import Distiller
from methods.distill.rate import counted_flops
from methods.distill.recipe import Common
from methods.distill.stream import Stream, collate
from methods.errors import MethodsError, MethodsUsageError, unknown

COMPLETE = "complete.json"
# tracker -> whether it is installed
TRACKERS = {"tensorboard": is_tensorboard_available, "trackio": is_trackio_available, "wandb": is_wandb_available}


def fast_bf16(device: str) -> bool:
    """Whether this hardware multiplies bfloat16 faster than float32: a CUDA device, or a CPU with AMX tiles."""
    if device != "cpu":
        return True
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe and probe())


def world() -> int:
    """Processes of this run, as the launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """This process's number, as the launcher says."""
    return int(os.environ.get("RANK", "0"))


def check_trackers(names: tuple[str, ...]) -> None:
    """Raises MethodsUsageError for a tracker that is not known, MethodsError for one that is not installed."""
    for name in names:
        if name != "none" and name not in TRACKERS:
            raise unknown("tracker", name, ("none", *TRACKERS))
        if name != "none" and not TRACKERS[name]():
            raise MethodsError(f"The tracker {name} is not installed; pip install {name}, or pass --report-to none.")


def accumulation(common: Common, processes: int) -> tuple[int, int]:
    """(examples per forward and device, forwards per step). Raises MethodsUsageError if the batch does not divide."""
    micro = min(common.micro_batch, max(1, common.batch // processes))
    if common.batch % (micro * processes):
        raise MethodsUsageError(
            f"batch={common.batch} is not a multiple of micro_batch={micro} times {processes} processes; change one."
        )
    return micro, common.batch // (micro * processes)


def arguments(
    common: Common, folder: Path, *, steps: int, device: str, report_to: tuple[str, ...], name: str
) -> TrainingArguments:
    """transformers' arguments of a run; sharding comes from `accelerate launch --config_file`."""
    micro, accumulate = accumulation(common, world())
    half = common.precision == "bf16" or (common.precision == "auto" and fast_bf16(device))
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        learning_rate=common.lr,
        lr_scheduler_type=common.scheduler,
        warmup_steps=round(common.warmup * steps),
        optim=common.optimizer,
        weight_decay=common.weight_decay,
        adam_beta1=common.beta1,
        adam_beta2=common.beta2,
        max_grad_norm=common.clip,
        bf16=half,
        use_cpu=device == "cpu",
        logging_steps=common.log_every,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_steps=common.save_every or steps,
        save_total_limit=2,
        seed=common.seed,
        report_to=list(report_to),
        run_name=name,
        remove_unused_columns=False,
        label_names=[],
        dataloader_pin_memory=device != "cpu",
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if device == "cpu" and world() > 1 else None,
        disable_tqdm=True,
        skip_memory_metrics=True,
        average_tokens_across_devices=False,
        log_level="error",
    )


class Watch(TrainerCallback):
    """Marks complete checkpoints and prints one line per log entry to stderr."""

    def __init__(self) -> None:
        self.began, self.first = time.perf_counter(), 0
        self.before = (0.0, 0.0)  # wall and CPU seconds of earlier, killed processes
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def spent(self) -> tuple[float, float]:
        """Wall and CPU seconds of this run so far, killed processes included up to their last checkpoint."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return self.before[0] + wall, self.before[1] + cpu

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Remember where this process started, for the time left."""
        self.began, self.first = time.perf_counter(), state.global_step

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint just written; a killed run resumes from the newest marked one."""
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (folder / COMPLETE).write_text(json.dumps({"step": state.global_step, "spent": self.spent()}))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """One line: step, loss, parts, time left."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        done = state.global_step - self.first
        left = (time.perf_counter() - self.began) / max(done, 1) * (state.max_steps - state.global_step)
        hidden = ("epoch", "learning_rate", "grad_norm")
        parts = " ".join(f"{key} {value:.4g}" for key, value in logs.items() if key not in hidden)
        line = f"step {state.global_step}/{state.max_steps}  {parts}  {left / 60:.1f} min left"
        print(line, file=sys.stderr, flush=True)


class DistillTrainer(Trainer):
    """`Trainer` over a `Stream` and a `Distiller`. logs: TensorBoard's folder, unless the environment names one."""

    def __init__(
        self, model: Distiller, args: TrainingArguments, stream: Stream, pad: int, logs: Path | None = None
    ) -> None:
        self.stream, self.pad, self.watch = stream, pad, Watch()
        super().__init__(
            model=model,
            args=args,
            train_dataset=stream,
            data_collator=lambda items: collate(items, pad),
            callbacks=[self.watch],
        )
        self.model_accepts_loss_kwargs = False  # a mean per micro-batch, averaged over accumulation steps
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        for callback in self.callback_handler.callbacks:  # its own choice is a folder that ends with the training
            if logs is not None and isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
                callback.logging_dir = str(logs)
        self.parts: dict[str, list[Tensor]] = {}
        self.last: list[int] = []
        self.seen, self.clock = 0, time.perf_counter()
        self.flops: float | None = None  # per canvas token, set after the training

    def count_flops(self) -> None:
        """Set `flops`, floating-point operations per canvas token of one forward and backward (not if sharded).

        Counted after the training, on its first examples: a counter over a step would change how it is computed.
        """
        if self.args.world_size > 1:
            return
        items = [self.stream[index] for index in range(self.args.per_device_train_batch_size)]
        inputs: Any = self._prepare_inputs(collate(items, self.pad))
        inputs.pop("draw")
        with torch.random.fork_rng(), torch.enable_grad():
            flops = counted_flops(lambda: self.model_wrapped(**inputs)["loss"].backward())
        self.model_wrapped.zero_grad()
        self.flops = flops / int(inputs["length"].sum())

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(self.stream)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Tensor | int | None = None
    ) -> Any:
        """The module's loss; raises MethodsError naming step and examples when it is not finite."""
        self.last = inputs.pop("draw").tolist()
        outputs = model(**inputs)
        loss = outputs["loss"]
        if not bool(torch.isfinite(loss)):
            self._stop("loss", float(loss.detach()))
        self.seen += int(inputs["length"].sum())
        for name, value in outputs["parts"].items():
            self.parts.setdefault(name, []).append(value)
        return (loss, outputs) if return_outputs else loss

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is not None and not bool(torch.isfinite(torch.as_tensor(norm))):
            self._stop("gradient norm", float(norm))
        return norm

    def _stop(self, what: str, value: float) -> None:
        step = self.state.global_step + 1
        names = ", ".join(dict.fromkeys(self.stream.names(self.last)))
        good = last_good(Path(str(self.args.output_dir)))
        kept = f"the last good checkpoint is {good}" if good else "no checkpoint had been written yet"
        raise MethodsError(f"The {what} is {value} at step {step} on the examples {names}; {kept}. Lower lr?")

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the loss's parts (averaged over all processes) and tokens per second."""
        if "loss" in logs and self.parts:
            means = torch.stack([torch.stack(values).mean() for values in self.parts.values()])
            if self.args.world_size > 1:
                means = self.accelerator.reduce(means, reduction="mean")
            logs |= dict(zip(self.parts, means.tolist(), strict=True))
            now = time.perf_counter()
            logs["tokens_per_second"] = self.seen * self.args.world_size / max(now - self.clock, 1e-9)
            self.parts, self.seen, self.clock = {}, 0, now
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Only what is trained; the base is named by its hash in run.json."""
        folder = Path(str(output_dir or self.args.output_dir))
        assert self.model is not None
        names = {name for name, p in self.model.named_parameters() if p.requires_grad}
        source = dict(self.model.named_parameters()) if state_dict is None else state_dict
        if self.args.should_save:
            folder.mkdir(parents=True, exist_ok=True)
            kept = {name: value.detach().cpu().contiguous() for name, value in source.items() if name in names}
            save_file(kept, str(folder / "model.safetensors"), metadata={"format": "pt"})

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        if load_result.unexpected_keys:
            raise MethodsError(
                f"The checkpoint holds weights that this run does not train: {load_result.unexpected_keys[0]}."
            )


def last_good(folder: Path) -> Path | None:
    """The newest checkpoint that was written completely."""
    marked = [mark.parent for mark in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(marked, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def drop_torn(folder: Path) -> None:
    """Delete checkpoints that a kill left half written."""
    for path in folder.glob("checkpoint-*"):
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
