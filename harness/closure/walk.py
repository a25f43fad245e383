"""The import closure of some functions: all the code that they can reach, name by name.

A reference is followed from the function that makes it to the definition it means, through imports at the top of a
file and inside functions, through packages that re-export, and through lazy `__getattr__` exports to the one module
that has the name. Importing a module also runs its other statements, so those are in the closure too. What is only
known when the program runs (a method object's decoder, an entry point) has to be among the roots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from harness.closure.normalise import Definition, Import
from harness.closure.source import Source, read

HERE = Path(__file__).parents[2]
PACKAGES = ("harness", "methods", "tasks", "reports", "results")


class Closure:
    """Reachable code. root: the folder that holds the packages, this checkout's by default.

    cuts: modules (with everything in them), packages, or `module:name`, that are not followed.
    chosen: `module:TABLE` -> the one key of that dict literal that is used, so that the other entries do not count.
    """

    def __init__(
        self, cuts: Iterable[str] = (), chosen: Mapping[str, str] | None = None, root: Path | None = None
    ) -> None:
        self.cuts, self.chosen = frozenset(cuts), chosen or {}
        self.parts: dict[tuple[str, str], str] = {}
        self._folders: dict[str, Path] = dict.fromkeys(PACKAGES, root or HERE)
        self._files: dict[str, Path | None] = {}
        self._sources: dict[str, Source | None] = {}
        self._waiting: list[tuple[str, str | None]] = []
        self._seen: set[tuple[str, str | None]] = set()
        self._run: set[str] = set()

    def add(self, *roots: str) -> Closure:
        """Follow `module:name`, `module:Class.method` or a whole `module`; another package's is followed in it too.

        Raises LookupError for a root that does not exist.
        """
        for root in roots:
            module, _, name = root.partition(":")
            top = module.partition(".")[0]
            if top not in self._folders and (folder := _folder(top)) is not None:
                self._folders[top] = folder
            source = self._source(module)
            if source is None or (name and not self._known(source, name)):
                raise LookupError(f"{root} is not in the source code")
            self._waiting.append((module, name or None))
        while self._waiting:
            self._visit(*self._waiting.pop())
        return self

    def add_data(self, name: str, content: str) -> Closure:
        """Let something that is no code decide the digest too."""
        self.parts["data", name] = content
        return self

    @property
    def modules(self) -> set[str]:
        """The modules that some code of the closure is in."""
        return {module for module, _ in self.parts if module != "data"}

    def digest(self) -> str:
        """Twelve hex digits over all code and data of the closure."""
        total = hashlib.sha256()
        for (module, name), text in sorted(self.parts.items()):
            total.update(f"{module}\0{name}\0{text}\0".encode())
        return total.hexdigest()[:12]

    def _file(self, module: str) -> Path | None:
        if module not in self._files:
            folder = self._folders.get(module.partition(".")[0])
            place = folder.joinpath(*module.split(".")) if folder else None
            options = (place / "__init__.py", place.with_name(place.name + ".py")) if place else ()
            self._files[module] = next((file for file in options if file.is_file()), None)
        return self._files[module]

    def _source(self, module: str) -> Source | None:
        if module not in self._sources:
            file = self._file(module)
            self._sources[module] = read(file, module) if file is not None else None
        return self._sources[module]

    def _known(self, source: Source, name: str) -> bool:
        known = source.imports.keys() | source.lazy.keys()
        return bool(source.find(name)) or name in known or self._file(f"{source.module}.{name}") is not None

    def _cut(self, module: str, name: str | None) -> bool:
        parts = module.split(".")
        inside = (".".join(parts[:n]) in self.cuts for n in range(1, len(parts) + 1))
        return any(inside) or f"{module}:{name}" in self.cuts

    def _visit(self, module: str, name: str | None) -> None:
        if (module, name) in self._seen or self._cut(module, name):
            return
        self._seen.add((module, name))
        source = self._source(module)
        if source is None:
            return
        self._import(module)
        if name is None:
            self._waiting += [(module, each) for each in source.definitions]
            return
        found = source.find(name)
        key = self.chosen.get(f"{module}:{name}")
        for place, node in enumerate(found):
            used = node if key is None else source.entry(node, key)
            if used is not None:
                self._take(source, f"{name}#{place}", source.definition(used))
        if found:
            return
        target = source.imports.get(name) or source.lazy.get(name)
        if target is not None:
            self._follow(target, ())
        elif self._file(f"{module}.{name}") is not None:
            self._waiting.append((f"{module}.{name}", None))
        else:  # made in a way that is not seen here: everything the module has
            self._waiting += [(module, None), *((star, name) for star in source.stars)]

    def _import(self, module: str) -> None:
        """What importing a module runs: its own statements that bind nothing, and those of its packages."""
        if module in self._run:
            return
        parts = module.split(".")
        for n in range(1, len(parts) + 1):
            name = ".".join(parts[:n])
            if name not in self._run and not self._cut(name, None) and (source := self._source(name)):
                self._run.add(name)
                for place, node in enumerate(source.effects):
                    self._take(source, f"#{place}", source.definition(node))

    def _take(self, source: Source, name: str, made: Definition) -> None:
        aliases = []
        for chain in sorted(made.names):
            first = chain[0]
            target = made.imports.get(first) or source.imports.get(first)
            if target is not None:
                aliases.append(f"{first}={target[0]}:{target[1]}")
                self._follow(target, chain[1:])
            elif first == "self" and "." in name and len(chain) > 1:
                member = f"{name.partition('.')[0]}.{chain[1]}"
                self._waiting += [(source.module, member)] if source.find(member) else []
            elif first in source.definitions:
                self._waiting.append((source.module, first))
            elif source.stars:
                self._waiting += [(star, first) for star in source.stars if self._has(star, first)]
        for mention in made.mentions:
            module, _, symbol = mention.partition(":")
            if self._file(module) is not None and (not symbol or self._has(module, symbol)):
                self._waiting.append((module, symbol or None))
        self.parts[source.module, name] = f"{made.text} {' '.join(dict.fromkeys(aliases))}"

    def _has(self, module: str, name: str) -> bool:
        source = self._source(module)
        return source is not None and self._known(source, name)

    def _follow(self, target: Import, rest: Sequence[str]) -> None:
        """From an imported name and the attributes read from it to the module and the name that are meant."""
        module, names = target[0], [*([target[1]] if target[1] else []), *rest]
        while names:
            source = self._source(module)
            if source is None:
                return
            bound = source.imports.get(names[0], (module, names[0]))
            if source.find(names[0]) or bound != (module, names[0]) or not self._file(f"{module}.{names[0]}"):
                self._waiting.append((module, names[0]))
                return
            self._import(module)
            module = f"{module}.{names.pop(0)}"
        if self._file(module) is not None:
            self._waiting.append((module, None))


@cache
def _folder(top: str) -> Path | None:
    """The folder that holds another package, None for one that is not installed as source."""
    try:
        spec = find_spec(top)
    except ValueError:  # `__main__`
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parents[1] if spec.submodule_search_locations else Path(spec.origin).parent
