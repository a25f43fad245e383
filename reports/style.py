"""One look per method, everywhere: colour (light and dark page), marker, line style; and the theme of the figures.

Colours keep apart under the common colour-blindnesses (Okabe-Ito and Tol hues) and differ in lightness, so that they
stay apart in grey; marker and direct label say the rest. Members of a family share a hue and differ in marker.
Methods this file does not know get looks by their names, no two of one report the same (`looks`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reports import published


@dataclass(frozen=True)
class MethodStyle:
    """A method's colours on white and on dark, matplotlib marker and dash ("solid", "dash", "dot")."""

    light: str
    dark: str
    marker: str
    dash: str = "solid"


LOOKS: dict[str, MethodStyle] = {
    "vanilla": MethodStyle("#6B7280", "#A6ADBA", "o"),
    "ar": MethodStyle("#1F2937", "#E5E7EB", "s", "dot"),
    "qwen2.5_7b": MethodStyle("#1F2937", "#E5E7EB", "s", "dot"),
    "qwen2.5_coder_7b": MethodStyle("#1F2937", "#E5E7EB", "s", "dot"),
    "qwen3_8b": MethodStyle("#4B5563", "#CBD5E1", "D", "dot"),
    "ar_speculative": MethodStyle("#7A5C2E", "#CDAA6D", "P", "dot"),
    "eagle3": MethodStyle("#7A5C2E", "#CDAA6D", "P", "dot"),
    "fast_dllm": MethodStyle("#2A93D5", "#6CC0F0", "^"),
    "fast_dllm_dual": MethodStyle("#2A93D5", "#6CC0F0", "^"),
    "fast_dllm_prefix": MethodStyle("#2A93D5", "#6CC0F0", "<", "dash"),
    "fast_dllm_factor": MethodStyle("#1B6A9C", "#9AD3F5", ">", "dash"),
    "fast_dllm_v2": MethodStyle("#3B2F8F", "#A79BEF", "v"),
    "multi_block": MethodStyle("#6A3FA0", "#BC9AE6", "H"),
    "multi_block_d3llm": MethodStyle("#6A3FA0", "#BC9AE6", "H", "dash"),
    "d2f": MethodStyle("#B0418F", "#E58AC8", "D"),
    "dparallel": MethodStyle("#12875F", "#4CC79A", "h"),
    "d3llm": MethodStyle("#C28100", "#F2B83B", "p"),
    "d3llm_cache": MethodStyle("#8C5D00", "#D9A24A", "p", "dash"),
    "t3d": MethodStyle("#7F7F1A", "#C5C55A", "X"),
    "tad_quality": MethodStyle("#0A4F9E", "#6AA5F2", "d"),
    "tad_speed": MethodStyle("#C8401A", "#FF8A5C", "*"),
}
# hues, markers and dashes of methods that are not above; each list is walked at its own pace, so pairs repeat late
_HUES = (
    ("#00777A", "#45C4C7"),
    ("#8A2D3B", "#E58896"),
    ("#5D6B1E", "#B5C46A"),
    ("#4B4FC4", "#9FA3F5"),
    ("#9A4A00", "#EBA05F"),
    ("#2F5D9B", "#8FB4E8"),
    ("#A8327E", "#F09ACF"),
    ("#3E6B3A", "#93C98D"),
)
_MARKERS = ("8", "X", "H", "<", ">", "P", "v", "D")
_DASHES = ("dash", "dot", "solid")
_SLOTS = len(_HUES) * len(_MARKERS) * len(_DASHES)


@dataclass(frozen=True)
class Theme:
    """Colours of a figure's ground, text and grid, and `quiet`, that of rows in the background.

    name: "light" or "dark". looks: the styles of a report's methods.
    """

    name: str
    ground: str
    text: str
    faint: str
    grid: str
    shade: str
    quiet: str
    looks: Mapping[str, MethodStyle] = field(default_factory=dict, compare=False)

    def of(self, methods: Iterable[str]) -> Theme:
        """This theme for a report of `methods`."""
        return replace(self, looks=looks(methods))

    def look(self, method: str) -> MethodStyle:
        """A method's look, the same as in the report's page."""
        return self.looks.get(method) or look(method)


LIGHT = Theme("light", "#FFFFFF", "#1F2328", "#6B7280", "#E5E7EB", "#EEF0F3", "#B4BAC4")
DARK = Theme("dark", "#14181F", "#E6E8EB", "#9AA3AF", "#2C333D", "#1E242D", "#566070")
THEMES = (LIGHT, DARK)

DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (5, 2)), "dot": (0, (1.2, 2))}


def look(method: str) -> MethodStyle:
    """A method's look when nothing else is on the figure: a method this file does not know gets one by its name."""
    return LOOKS.get(method) or _slot(zlib.crc32(method.encode()) % len(_HUES))


def looks(methods: Iterable[str]) -> dict[str, MethodStyle]:
    """The look of every method of one report, whatever the order of `methods`.

    Unknown names are asked in alphabetical order for the slot of their name; one that is taken moves on to the next
    free one. Up to 8 unknown methods differ in colour and in marker, up to 192 in colour, marker or dash.
    """
    names = set(methods)
    found = {name: LOOKS[name] for name in names if name in LOOKS}
    unknown = sorted(names - set(found))
    rounds = max(1, -(-len(unknown) // len(_HUES)))
    free = list(range(rounds * len(_HUES)))
    for name in unknown:
        wanted = zlib.crc32(name.encode()) % len(_HUES)
        slot = min(free, key=lambda slot: (slot // len(_HUES), (slot - wanted) % len(_HUES)))
        free.remove(slot)
        found[name] = _slot(slot % _SLOTS)
    return found


def _slot(index: int) -> MethodStyle:
    turn, hue = divmod(index, len(_HUES))
    marker = _MARKERS[(hue + turn) % len(_MARKERS)]
    return MethodStyle(*_HUES[hue], marker, _DASHES[turn // len(_MARKERS) % len(_DASHES)])


def color(method: str, theme: Theme) -> str:
    """A method's colour on a theme's ground, as #RRGGBB."""
    own = theme.look(method)
    return own.light if theme.name == "light" else own.dark


def title(method: str) -> str:
    """A method's name for people."""
    return TITLES.get(method) or published.methods().get(method, {}).get("title") or method


TITLES = {
    "vanilla": "Vanilla",
    "ar": "Autoregressive",
    "ar_speculative": "AR, speculative",
    "fast_dllm_dual": "Fast-dLLM (dual cache)",
    "fast_dllm_prefix": "Fast-dLLM (prefix cache)",
    "fast_dllm_factor": "Fast-dLLM (factor)",
    "d3llm_cache": "d3LLM (cache)",
    "fast_dllm_v2": "Fast-dLLM v2",  # the papers' row is of 7B, a run is of any size
    "multi_block": "Multi-block (TAD settings)",
    "multi_block_d3llm": "Multi-block (d3LLM settings)",
    "eb_sampler": "EB-Sampler",
    "localleap": "LocalLeap",
    "credit": "CreditDecoding",
    "adablock": "AdaBlock",
    "slowfast": "SlowFast",
    "klass": "KLASS",
    "prophet": "Prophet (task-specific)",
    "custom": "Custom",
    "saber": "Saber",
    "joint_threshold": "Joint threshold (LLaDA2.1)",
    "wino": "WINO",
}


def describe(method: str, own: MethodStyle | None = None) -> Mapping[str, Any]:
    """What the page needs of a method: title, kind, colours, marker and dash. own: its look in the report."""
    own = own or look(method)
    kind = published.methods().get(method, {}).get("kind") or ("ar" if method.startswith("ar") else "dllm")
    colors = {"light": own.light, "dark": own.dark}
    return {"title": title(method), "kind": kind, "color": colors, "marker": own.marker, "dash": own.dash}
