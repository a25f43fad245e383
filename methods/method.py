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

FIDELITIES = ("fixed", "compat")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Param:
    """One setting of a decoder: its type, its default and the values it may take.

    `low` and `high` are inclusive; `none` says that null is allowed ("off").
    """

    kind: type
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    none: bool = False

    def describe(self) -> str:
        """The allowed values in words, for help and for error messages."""
        if self.choices:
            text = "one of " + ", ".join(map(str, self.choices))
        elif self.kind is bool:
            text = "true or false"
        else:
            text = "an integer" if self.kind is int else "a number" if self.kind is float else "text"
            if self.low is not None and self.high is not None:
                text += f" from {self.low:g} to {self.high:g}"
            elif self.low is not None:
                text += f" of at least {self.low:g}"
        return text + (", or none" if self.none else "")

    def coerce(self, name: str, value: Any) -> Any:
        """`value` (a Python value or the text of `--set`) as this parameter's type.

        Raises MethodsUsageError naming the parameter and the allowed range.
        """
        try:
            result = self._convert(value)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise self._refuse(name, value) from None
        if result is None:
            return None
        if self.choices and result not in self.choices:
            raise self._refuse(name, value)
        if self.kind in (int, float) and not self._in_range(result):
            raise self._refuse(name, value)
        return result

    def _refuse(self, name: str, value: Any) -> MethodsUsageError:
        return MethodsUsageError(f"{name}={value} is not allowed: {name} is {self.describe()}.")

    def _in_range(self, value: float) -> bool:
        if value != value:
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def _convert(self, value: Any) -> Any:
        text = value.strip().lower() if isinstance(value, str) else None
        if text in self.choices:
            return text
        if value is None or text in ("none", "null"):
            if self.none:
                return None
            raise ValueError
        if self.kind is bool:
            return value if isinstance(value, bool) else _TRUTH[text or ""]
        if isinstance(value, bool):
            raise ValueError
        if self.kind is int:
            number = float(value)
            if number != int(number):
                raise ValueError
            return int(number)
        return self.kind(value)


@dataclass(frozen=True)
class Method:
    """A row: everything that `harness` needs to know of a decoding method without importing torch.

    name: the harness's own name (`tad_speed`). title: the paper's spelling.
    family: "dllm" (bidirectional, masked), "block" (AR turned block diffusion) or "ar".
    decoder: the function that builds the decoder from the settings, or "module:function" of it. Besides `settings`
    it may ask by name for `arch` (the backbone's) and `fidelity`.
    axis: the parameter that a sweep varies. points: values swept, strictest (lowest TPF) first.
    one_token: settings that commit one token per forward pass.
    checkpoint: the key into a suite's checkpoints. recipe: the YAML in `methods/recipes` that trains it, if any.
    repairs: the published decoder's defects that the `fixed` fidelity repairs, one line each.
    reference: for the `compat` fidelity, the published decoder (a name of `methods.reference`) on each architecture.
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

    def build(self, settings: Mapping[str, Any], arch: str, fidelity: str = "fixed") -> Any:
        """The decoder for `settings` on an architecture; imports torch.

        Raises MethodsUsageError for an unknown fidelity, for `compat` where no published decoder is modelled and for
        settings that do not go together; MethodsError for a builder that does not load.
        """
        if fidelity not in FIDELITIES:
            raise unknown("fidelity", fidelity, FIDELITIES)
        builder = self._builder()
        takes = list(inspect.signature(builder).parameters)
        if fidelity == "compat" and self.repairs and "fidelity" not in takes:
            return self._published(settings, arch)
        if len(takes) == 3:
            return builder(dict(settings), arch, fidelity)
        offered = {"arch": arch, "fidelity": fidelity}
        return builder(dict(settings), **{name: offered[name] for name in takes[1:] if name in offered})

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
