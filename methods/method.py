"""A method is a row of the table: a decoder, its settings, the swept parameter, its checkpoint and its source.

This module and the method files are read by `harness ls`, so nothing here imports torch.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from methods.errors import MethodsError, MethodsUsageError, unknown
from methods.params import EARLY_STOP, Param

FIDELITIES = ("fixed", "compat")


@dataclass(frozen=True)
class Method:
    """A row: everything that `harness` needs to know of a decoding method without importing torch.

    name: the harness's own name (`tad_speed`). title: the paper's spelling.
    family: "dllm" (bidirectional, masked), "block" (AR turned block diffusion) or "ar".
    decoder: the function that builds the decoder from the settings, or "module:function" of it. Besides `settings`
    it may ask by name for `arch` (the backbone's), `fidelity` and `tokenizer` (the checkpoint's, None without one).
    axis: the parameter that a sweep varies. points: values swept, strictest (lowest TPF) first.
    one_token: settings that commit one token per forward pass.
    checkpoint: the key into a suite's checkpoints. recipe: the YAML in `methods/recipes` that trains it, if any.
    repairs: the published decoder's defects that the `fixed` fidelity repairs, one line each.
    reference: for the `compat` fidelity, the published decoder (a name of `methods.reference`) on each architecture.
    resolve: (settings, tokenizer) -> settings in which what the tokenizer decides is filled in; what `compat` is given.

    Every diffusion row has the setting `early_stop`, False unless `params` names another default: what an EOS does is a
    condition of the measurement, which a protocol fixes for all rows alike. `build` gives a decoder without an early
    stop of its own the engine's; autoregressive rows end at their EOS by nature and have no such setting.
    """

    name: str
    title: str
    summary: str
    citation: str
    family: str
    decoder: Callable[..., Any] | str
    params: Mapping[str, Param]
    axis: str | None
    points: tuple[Any, ...]
    one_token: Mapping[str, Any]
    checkpoint: str
    recipe: str | None = None
    repairs: tuple[str, ...] = field(default=())
    reference: Mapping[str, str] = field(default_factory=dict)
    resolve: Callable[[Mapping[str, Any], Any], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        if self.family != "ar" and "early_stop" not in self.params:
            object.__setattr__(self, "params", {**self.params, "early_stop": EARLY_STOP})

    def settings(self, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Defaults with `overrides` laid over them, every value checked.

        Raises MethodsUsageError for an unknown key (naming the closest) or a bad value (naming the range).
        """
        values = {name: param.default for name, param in self.params.items()}
        for name, value in (overrides or {}).items():
            if name not in self.params:
                raise unknown(f"setting of {self.name}", name, self.params)
            values[name] = self.params[name].coerce(name, value)
        return values

    @property
    def decoder_module(self) -> str:
        """The module that holds the decoder's builder."""
        return self.decoder.partition(":")[0] if isinstance(self.decoder, str) else self.decoder.__module__

    def build(self, settings: Mapping[str, Any], arch: str, fidelity: str = "fixed", tokenizer: Any = None) -> Any:
        """The decoder for `settings` on an architecture; imports torch. tokenizer: the checkpoint's, if it has one.

        Raises MethodsUsageError for an unknown fidelity, for `compat` where no published decoder is modelled, for
        settings that do not go together and for an early stop that another library's loop does not know; MethodsError
        for a builder that does not load.
        """
        if fidelity not in FIDELITIES:
            raise unknown("fidelity", fidelity, FIDELITIES)
        builder = self._builder()
        takes = list(inspect.signature(builder).parameters)
        if fidelity == "compat" and self.repairs and "fidelity" not in takes:
            return self._published(self.resolve(settings, tokenizer) if self.resolve else settings, arch)
        offered = {"arch": arch, "fidelity": fidelity, "tokenizer": tokenizer}
        if len(takes) == 3 and not set(takes[1:]) <= set(offered):
            return self._ending(builder(dict(settings), arch, fidelity), settings)
        asked = {name: offered[name] for name in takes[1:] if name in offered}
        return self._ending(builder(dict(settings), **asked), settings)

    def _ending(self, decoder: Any, settings: Mapping[str, Any]) -> Any:
        """`decoder`, with the engine's early stop where the settings ask for one and it has none of its own."""
        if self.family == "ar" or not settings.get("early_stop"):
            return decoder
        try:
            return decoder.ending_early()
        except MethodsUsageError as error:
            raise MethodsUsageError(f"{self.name}: {error}") from None

    def _builder(self) -> Callable[..., Any]:
        if not isinstance(self.decoder, str):
            return self.decoder
        module, _, function = self.decoder.partition(":")
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise MethodsError(
                f"The decoder {self.decoder!r} of the method {self.name!r} does not load: {error}. It is "
                '"module:function"; what policies are made of is imported from methods.decoding.'
            ) from error
        return found

    def _published(self, settings: Mapping[str, Any], arch: str) -> Any:
        """The published decoder with its defects, instead of the repaired one."""
        if arch not in self.reference:
            known = f"on {arch} (only on {', '.join(self.reference)})" if self.reference else "fidelity"
            raise MethodsUsageError(
                f"{self.name} has no compat {known}: the behaviour of its published code is not modelled; "
                "leave --fidelity out."
            )
        reference = importlib.import_module("methods.reference.translate")
        return reference.published_decoder(self.reference[arch], settings)
