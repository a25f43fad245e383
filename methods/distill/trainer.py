"""The one trainer of all recipes: transformers' `Trainer` around a module whose forward is the loss.

What is added: the loss's parts in the log, a stop at the first loss or gradient that is not finite, a mark on
checkpoints that were written completely, and checkpoints of the trained weights only.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from methods.distill.checkpoints import Watch, last_good
from methods.distill.dataset import TrainingDataset, collate
from methods.distill.distiller import Distiller
from methods.distill.rate import counted_flops
from methods.errors import MethodsError


class DistillTrainer(Trainer):
    """`Trainer` over a `TrainingDataset` and a `Distiller`.

    logs: TensorBoard's folder, unless the environment names one.
    """

    def __init__(
        self, model: Distiller, args: TrainingArguments, dataset: TrainingDataset, pad: int, logs: Path | None = None
    ) -> None:
        self.dataset, self.pad, self.watch = dataset, pad, Watch()
        super().__init__(
            model=model,
            args=args,
            train_dataset=dataset,
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
        items = [self.dataset[index] for index in range(self.args.per_device_train_batch_size)]
        inputs: Any = self._prepare_inputs(collate(items, self.pad))
        inputs.pop("draw")
        with torch.random.fork_rng(), torch.enable_grad():
            flops = counted_flops(lambda: self.model_wrapped(**inputs)["loss"].backward())
        self.model_wrapped.zero_grad()
        self.flops = flops / int(inputs["length"].sum())

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        return SequentialSampler(self.dataset)

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
        names = ", ".join(dict.fromkeys(self.dataset.names(self.last)))
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
