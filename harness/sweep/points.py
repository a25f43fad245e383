"""The points of a sweep: each method's own by default, or a list, or a YAML file.

A list is `0.3,0.5` (values of every method's axis) or `tad_speed=0.3,0.5;d3llm=0.4` (per method). A file maps a method,
or `all`, to a list whose items are values of its axis or whole settings:

    all: [0.3, 0.5, 0.9]
    d3llm:
      - 0.45
      - {threshold: 0.45, block_add_threshold: 0.2}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError, unknown
from harness.settings import checked
from methods.method import Method

ALL = "all"
Setting = dict[str, Any]


@dataclass(frozen=True)
class Points:
    """What `--points` asks for: items by method name, `all` for the methods that are not named."""

    items: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    where: str = "--points"

    def of(self, method: Method) -> list[Setting]:
        """The settings to run a method at, checked and each once; its own points if nothing else is asked.

        Raises UsageError for a value on a method without an axis, MethodsUsageError for a bad setting.
        """
        asked = self.items.get(method.name, self.items.get(ALL))
        if method.axis is None and (asked is None or method.name not in self.items):
            return [{}]  # a method without a swept parameter is one point, whatever `all` says
        items = method.points if asked is None else asked
        found: list[Setting] = []
        for item in items:
            setting = self._setting(method, item)
            if setting not in found:
                found.append(setting)
        return found

    def _setting(self, method: Method, item: Any) -> Setting:
        if not isinstance(item, Mapping):
            if method.axis is None:
                raise UsageError(f"{self.where} gives {method.name} the value {item}, but it has no axis to sweep.")
            item = {method.axis: item}
        return checked(method, item)

    def check_names(self, methods: Sequence[str]) -> None:
        """Raise UsageError if points are given for a method that is not in the sweep."""
        for name in self.items:
            if name != ALL and name not in methods:
                raise unknown(f"method in {self.where}", name, methods)


def parse_points(text: str | None) -> Points:
    """The Points that `--points TEXT` means: nothing, a list, or the path of a YAML file.

    Raises UsageError naming the file or the part that cannot be read.
    """
    if not text:
        return Points()
    if text.endswith((".yaml", ".yml")):
        return _read(Path(text))
    items: dict[str, list[Any]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, values = part.rpartition("=")
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if not listed or (equals and not name):
            raise UsageError(f"--points: {part!r} is neither VALUE,VALUE nor METHOD=VALUE,VALUE.")
        items[name.strip() or ALL] = listed
    return Points(items)


def _read(path: Path) -> Points:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--points: {path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--points: {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not all(isinstance(items, list) and items for items in document.values()):
        raise UsageError(f"--points: {path} must map method names (or `all`) to lists of values or settings.")
    return Points({str(name): items for name, items in document.items()}, where=str(path))
