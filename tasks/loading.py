"""A task ready to be asked: the protocol, its rows, and the lm-eval task made of both."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tasks import data
from tasks.data import Source
from tasks.protocols import Protocol

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance

    from tasks.lm_task import RowsTask

ChatTemplate = Callable[..., str]  # (messages, add_generation_prompt=True) -> text, as lm-eval calls it


@dataclass
class Loaded:
    """An lm-eval task on checked rows.

    task: the lm-eval task. fingerprint: hash of the rows used. origin: where they came from (kind, path or revision).
    seed: the few-shot sampler's.
    """

    task: RowsTask
    protocol: Protocol
    source: Source
    fingerprint: str
    origin: dict[str, str]
    seed: int

    @cached_property
    def docs(self) -> list[dict[str, Any]]:
        """The documents as the task sees them, in order; their index is the document id."""
        return [dict(doc) for doc in self.task.eval_docs]

    def requests(self, limit: int | None = None, chat_template: ChatTemplate | None = None) -> list[Instance]:
        """One lm-eval request per document, in order: `.args[0]` is the prompt, `.doc_id` and `.doc` say of what.

        chat_template: the model's; needed when the protocol asks for one (ValueError otherwise). The shots are drawn
        from the seed again, so that the same call gives the same prompts.
        """
        if self.protocol.chat_template and chat_template is None:
            raise ValueError(f"The protocol {self.protocol.id} needs the model's chat template.")
        self.task.set_fewshot_seed(self.seed)
        with _quiet():
            self.task.build_all_requests(
                limit=limit,
                system_instruction=self.protocol.system_text,
                apply_chat_template=self.protocol.chat_template,
                fewshot_as_multiturn=False,
                chat_template=chat_template if self.protocol.chat_template else None,
            )
        return list(self.task.instances)


class _quiet:
    """No progress bar and no log lines while prompts are built: it takes milliseconds."""

    def __enter__(self) -> None:
        import lm_eval.api.task as module

        self._module, self._bar, self._level = module, module.tqdm, logging.getLogger("lm_eval").level
        module.tqdm = lambda items, **kwargs: items
        logging.getLogger("lm_eval").setLevel(logging.ERROR)

    def __exit__(self, *exception: object) -> None:
        self._module.tqdm = self._bar
        logging.getLogger("lm_eval").setLevel(self._level)


def load(protocol: Protocol, source: Source, *, seed: int = 1234) -> Loaded:
    """See `tasks.load`."""
    from tasks.lm_task import RowsTask, config_of

    rows = data.read(protocol.task, source, train=protocol.num_fewshot > 0, rows_of=protocol.rows)
    task = RowsTask(config_of(protocol), rows)
    task.set_fewshot_seed(seed)
    return Loaded(task, protocol, source, rows.fingerprint, rows.origin, seed)
