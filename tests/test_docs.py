"""The documentation says what is so: links resolve, commands and options exist, cli.md is the code's, examples run."""

from __future__ import annotations

import csv
import doctest
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from harness import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")


def _module(name: str = "make_cli") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _cli() -> str:
    return str(_module().page())


@cache
def _options() -> dict[str, set[str]]:
    """Verb, or group and verb -> its options."""
    found: dict[str, set[str]] = {}
    for part in re.split(r"^#{2,3} harness ", _cli(), flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        rows = [line.split("|")[1] for line in body.replace("\\|", "/").splitlines() if line.startswith("| `-")]
        found[name.strip()] = {flag for row in rows for flag in re.findall(r"(?<![\w-])--?[a-z][\w-]*", row)}
    return found


@cache
def _options_of_lm_eval() -> set[str]:
    """The options of lm-eval's own `run`, which `harness lm-eval` passes on."""
    from lm_eval._cli import HarnessCLI

    return set(HarnessCLI()._subparsers.choices["run"]._option_string_actions)


def _commands(page: Path) -> Iterator[list[str]]:
    """The words after `harness` of every command on a page, in fences and in inline code."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for _, body in FENCE.findall(text) for line in body.splitlines()]
    lines += CODE.findall(FENCE.sub("", text))
    for line in lines:
        for command in re.findall(r"(?:^|\s)harness ([a-z][^#|;…]*)", line):
            yield command.split()


def _anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get, as MkDocs and GitHub make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title.lower())).strip("-") for title in titles}


def test_the_command_line_page_is_what_the_code_says() -> None:
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == _cli(), "docs/cli.md is old: run python docs/make_cli.py"


@pytest.mark.parametrize("name", ["mini.md", "tad-delta.md"])
def test_the_tables_of_results_are_what_the_files_say(name: str) -> None:
    tables = _module("make_tables")
    assert tables.PLACE.search((DOCS / name).read_text(encoding="utf-8"))
    assert tables.page(name) == (DOCS / name).read_text(encoding="utf-8"), "run python docs/make_tables.py"


def test_nobody_is_told_to_install_from_an_index_that_lacks_the_package() -> None:
    sources = [*TEXTS, *(ROOT / "harness").rglob("*.py")]
    wrong = [
        file.name for file in sources if re.search(r"pip install[^\n]*dllm-harness", file.read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_no_page_shows_an_id_that_another_version_of_the_code_will_not_give() -> None:
    shown = {page.name for page in TEXTS if re.search(r"results/runs(/\w+){3}/[0-9a-f]{12}\b", page.read_text("utf-8"))}
    assert not shown


def _click_commands() -> Iterator[tuple[str, Any]]:
    """(name, click's own command) of every verb, as typer builds it for the terminal."""
    found = typer.main.get_command(cli.app)
    for name, command in found.commands.items():  # type: ignore[attr-defined]
        children = getattr(command, "commands", None)
        if children is None:
            yield name, command
        else:
            yield from ((f"{name} {child}", sub) for child, sub in children.items())


@pytest.mark.parametrize(("name", "command"), [pytest.param(*pair, id=pair[0]) for pair in _click_commands()])
def test_the_command_line_page_has_the_options_that_the_parser_takes(name: str, command: Any) -> None:
    """Compared with the parser itself: the page's generator and its own check could share a mistake."""
    _, _, rest = (DOCS / "cli.md").read_text(encoding="utf-8").partition(f"# harness {name}\n")
    part = re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [[cell.strip() for cell in line.replace("\\|", "/").split("|")[1:-1]] for line in part.splitlines()]
    shown = {cells[0]: cells[2] for cells in rows if len(cells) == 3 and cells[0].startswith("`-")}
    options = {flag for cell in shown for flag in re.findall(r"(?<![\w-])--?[a-z][\w-]*", cell)}
    params = [
        one for one in command.params if one.param_type_name == "option" and not one.hidden and one.name != "help"
    ]
    assert options == {flag for one in params for flag in (*one.opts, *one.secondary_opts)}
    assert all(shown.values()), "an option without a word of help"
    for one in params:
        (said,) = (text for cell, text in shown.items() if one.opts[0] in re.findall(r"--?[a-z][\w-]*", cell))
        assert " ".join((one.help or "").split()).replace("|", "/") in said


def test_there_is_one_folder_for_reports() -> None:
    """Commands leave it to the default, or name a folder of their own under the same roof."""
    for page in TEXTS:
        for words in _commands(page):
            if words[0] == "report" and "--out" in words:
                assert words[words.index("--out") + 1].startswith(("out/", "DIR", "results/mini")), (
                    f"{page.name}: {words}"
                )


def test_the_command_line_page_has_every_verb() -> None:
    verbs = {file.stem.replace("_", "-") for file in (ROOT / "harness" / "verbs").glob("[a-z]*.py")}
    assert verbs == {name.split()[0] for name in _options()}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_internal_links_resolve(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), f"{page.name} links to {link}, which has no such heading"


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    known = _options() | {"lm-eval": _options_of_lm_eval()}
    for words in _commands(page):
        verb = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0].rstrip(",.:")
        assert verb in known, f"{page.name} names `harness {' '.join(words[:3])}`"
        flags = {word.split("=")[0].rstrip(",.)") for word in words if re.match(r"--?[a-z]", word)}
        unknown = flags - known[verb] - {"--help"}
        assert not unknown, f"{page.name}: harness {verb} has no {unknown}"


def python_blocks(page: Path) -> list[str]:
    return [body for kind, body in FENCE.findall(page.read_text(encoding="utf-8")) if kind == "python"]


WITH_EXAMPLES = [page for page in PAGES if any(">>>" in body for body in python_blocks(page))]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda p: p.name)
def test_examples_run(page: Path) -> None:
    blocks = python_blocks(page)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page.name, str(page), 0)
    assert test.examples
    assert not doctest.DocTestRunner().run(test).failed


@pytest.mark.parametrize(
    "command", ["harness ls tasks --suite mini", "harness audit", "harness table --paper tad --suite llada"]
)
def test_the_quick_start_shows_real_output(command: str) -> None:
    text = (DOCS / "quick-start.md").read_text(encoding="utf-8")
    _, _, rest = text.partition(f"```\n{command}\n```\n")
    shown = FENCE.findall(rest)[0][1].splitlines()
    result = CliRunner().invoke(cli.app, command.split()[1:], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    real = " ".join(result.output.split())
    for line in shown:
        for part in line.split("…"):
            assert " ".join(part.split()) in real, f"quick-start.md shows {line!r}"


def test_the_site_names_pages_that_exist() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = [page for section in site["nav"] for entry in next(iter(section.values())) for page in entry.values()]
    assert len(named) == len(set(named))
    assert all((DOCS / page).exists() for page in named)


@pytest.mark.parametrize("text", ["see [x](../examples/slurm/a.sbatch)", "[x](../../README.md#top)"])
def test_links_out_of_the_site_become_paths(text: str) -> None:
    spec = importlib.util.spec_from_file_location("outside_links", DOCS / "outside_links.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shown = module.on_page_markdown(text)
    assert "](" not in shown
    assert shown.count("`") == 2
    assert module.on_page_markdown("![a](../b.png) [c](d.md)") == "![a](../b.png) [c](d.md)"


def _published(name: str, suite: str) -> list[dict[str, str]]:
    with open(ROOT / "results" / "published" / name, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["suite"] == suite]


def _estimate(suite: str, method: str, timed_as: str) -> list[str]:
    """The cells of a row: ms a forward (H100, A100), hours per task, sums; from the published points and speeds."""
    sizes = yaml.safe_load((ROOT / "results" / "published" / "tasks.yaml").read_text(encoding="utf-8"))
    plot = [row for row in _published("tps.csv", suite) if row["file"] == "plot" and row["method"] == timed_as]
    ms = {row["hardware"]: 1000 * float(row["tpf"]) / float(row["tps"]) for row in plot}
    paper = "tad" if method.startswith("tad") else "d3llm"
    points = [p for p in _published("points.csv", suite) if (p["source"], p["method"]) == (paper, method)]
    cells, forwards, single = [], 0.0, 0.0
    for task in ("gsm8k", "math", "mbpp", "humaneval", "long_gsm8k"):
        tpfs = [float(p["tpf"]) for p in points if p["task"] == task and p["status"] == "table"]
        if not tpfs:
            cells.append("–")
            continue
        slots = sizes[task]["size"] * (512 if (method, task) == ("d2f", "math") else 256)
        forwards, single = forwards + slots / tpfs[:2][-1], single + slots
        cells.append(f"{slots / tpfs[:2][-1] * ms['H100'] / 3.6e6:.2f}")
    sums = (forwards * ms["H100"], forwards * ms["A100"], single * ms["H100"])
    return [f"{ms['H100']:.1f}", f"{ms['A100']:.1f}", *cells, *(f"{value / 3.6e6:.1f}" for value in sums)]


@pytest.mark.parametrize("suite", ["llada", "dream"])
def test_the_hours_of_the_guides_follow_from_the_published_figures(suite: str) -> None:
    text = (DOCS / f"reproduce-{suite}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)`(?:, time of `(\w+)`)? \| (\d.*) \|$", text, flags=re.MULTILINE)
    assert len(rows) >= 7
    for method, timed_as, cells in rows:
        assert cells.split(" | ") == _estimate(suite, method, timed_as or method), f"{method}"
