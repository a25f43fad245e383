"""Writes docs/cli.md from the commands of `harness` themselves: python docs/make_cli.py [--check]

It reads the functions behind the verbs (their signatures and docstrings), so it needs neither torch nor a terminal and
gives the same text with every version of typer. `tests/test_docs.py` fails when the committed page is not this text.
"""

from __future__ import annotations

import copy
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, CommandInfo, OptionInfo

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Command line

<!-- written by docs/make_cli.py from the code; do not edit -->

Every verb of `harness`, its options and a command that works. `harness VERB --help` shows the same in a terminal.

- Exit codes: 0 done; 1 failed, or something was found missing or differing; 2 wrong usage; 130 interrupted.
- With `--json` a verb prints one JSON document on stdout and nothing else there; progress and messages go to stderr.
- The same command again continues what an interrupted one left.
"""
NAMES = {str: "text", int: "integer", float: "number", Path: "path", bool: ""}


def _kind(hint: Any) -> tuple[str, bool]:
    """(what a value is called, whether the option may be repeated) of a type hint."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) in (list, tuple):
        return _kind(typing.get_args(hint)[0])[0], True
    return NAMES.get(hint, "text"), False


def _spelling(name: str, info: OptionInfo, kind: str) -> str:
    """`--option TEXT` as it is typed; a switch that has a negative shows both."""
    dashed = f"--{name.strip('_').replace('_', '-')}"
    decls = [decl for decl in (info.param_decls or ()) if decl.startswith("-")]
    if not decls:
        decls = [f"{dashed}/--no-{dashed[2:]}" if kind == "" else dashed]
    value = info.metavar or kind.upper()
    text = ", ".join(f"`{decl.replace('/', ' / ')}`" for decl in decls)
    return f"{text} {_code(value)}" if value and kind else text


def _default(info: OptionInfo, kind: str, many: bool) -> str:
    value = info.default
    if value is ...:
        return "required"
    if value in (None, "", ()) or value == [] or (kind == "" and value is False):
        return "–"
    if kind == "":
        return "on"
    return f"`{', '.join(map(str, value))}`" if many else f"`{value}`"


def _code(text: str) -> str:
    """`text` for a table's cell; with a bar in it as HTML, since Markdown dialects differ in how that is escaped."""
    return f"<code>{text.replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _parameters(function: Callable[..., Any]) -> Iterator[tuple[str, Any, OptionInfo | ArgumentInfo]]:
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if isinstance(parameter.default, (OptionInfo, ArgumentInfo)):
            yield name, hints[name], parameter.default
        elif typing.get_origin(hints[name]) is typing.Annotated:
            kind, given = typing.get_args(hints[name])[:2]
            info = copy.copy(given)  # in Annotated, what looks like its default is the option's first spelling
            info.param_decls = (
                *([given.default] if isinstance(given.default, str) else []),
                *(given.param_decls or ()),
            )
            info.default = parameter.default
            yield name, kind, info
        elif hints[name] is not typer.Context:  # a plain default: typer makes an option, or an argument, of it
            plain = parameter.default
            missing = plain is inspect.Parameter.empty
            yield name, hints[name], typer.Argument(...) if missing else typer.Option(plain)


def _options(function: Callable[..., Any]) -> list[str]:
    """The table of a command's arguments and options."""
    rows = ["| option | default | what |", "|---|---|---|"]
    for name, hint, info in _parameters(function):
        kind, many = _kind(hint)
        if isinstance(info, ArgumentInfo):
            value = (info.metavar or name.upper()) + ("…" if many else "")
            default = "required" if info.default is ... else "–"
            rows.append(f"| {_code(value)} | {default} | {_cell(info.help)} |")
        elif not info.hidden:
            noted = any(word in (info.help or "") for word in ("several", "more than once", "repeated"))
            help = _cell(info.help) + (" May be repeated." if many and not noted else "")
            rows.append(f"| {_spelling(name, info, kind)} | {_cell(_default(info, kind, many))} | {help} |")
    return rows if len(rows) > 2 else ["No options."]


def _command(title: str, info: CommandInfo, level: int) -> list[str]:
    function = info.callback
    assert function is not None
    text = inspect.getdoc(function) or ""
    return [f"{'#' * level} {title}", "", text.split("\n\n")[0].replace("\n", " "), "", *_options(function), ""]


def _examples(text: str | None) -> list[str]:
    """The epilog of a verb as a block: one command a line, its remark in brackets as a comment above it."""
    if not text:
        return []
    lines: list[str] = []
    for part in (part.strip() for part in text.strip().removeprefix("Example:").split("   ")):
        if part.startswith("("):
            lines.insert(-1, f"# {part.strip('()')}")
        elif part not in ("", "or"):
            lines.append(part)
    return ["Example:", "", "```", *lines, "```", ""]


def page() -> str:
    """The whole text of docs/cli.md."""
    from harness import cli

    groups = {group.name: group.typer_instance for group in cli.app.registered_groups}
    commands = {command.name: command for command in cli.app.registered_commands}
    lines = [HEAD]
    order = sorted([*groups, *commands], key=lambda verb: (_rank(cli.ORDER, str(verb)), str(verb)))
    for verb in order:
        example = getattr(sys.modules[f"harness.verbs.{verb}".replace("-", "_")], "EXAMPLE", None)
        if verb in commands:
            lines += [*_command(f"harness {verb}", commands[verb], 2), *_examples(example)]
            continue
        app = groups[verb]
        assert app is not None
        lines += [f"## harness {verb}", "", str(app.info.help), "", *_examples(example)]
        for sub in app.registered_commands:
            assert sub.callback is not None
            name = sub.name or sub.callback.__name__.replace("_", "-")
            lines += _command(f"harness {verb} {name}", sub, 3)
    return "\n".join(lines).rstrip() + "\n"


def _rank(order: tuple[str, ...], verb: str) -> int:
    stem = verb.replace("-", "_")
    return order.index(stem) if stem in order else len(order)


if __name__ == "__main__":
    text = page()
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == text else f"{PAGE} is old: run python docs/make_cli.py")
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
