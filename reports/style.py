"""One look per method, everywhere: colour (light and dark page), marker, line style; and the theme of the figures.

Colours keep apart under the common colour-blindnesses (Okabe-Ito and Tol hues) and differ in lightness, so that they
stay apart in grey; marker and direct label say the rest. Members of a family share a hue and differ in marker.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports import published


@dataclass(frozen=True)
class Look:
    """A method's colours on white and on dark, matplotlib marker and dash ("solid", "dash", "dot")."""

    light: str
    dark: str
    marker: str
    dash: str = "solid"


LOOKS: dict[str, Look] = {
    "vanilla": Look("#6B7280", "#A6ADBA", "o"),
    "ar": Look("#1F2937", "#E5E7EB", "s", "dot"),
    "qwen2.5_7b": Look("#1F2937", "#E5E7EB", "s", "dot"),
    "qwen2.5_coder_7b": Look("#1F2937", "#E5E7EB", "s", "dot"),
    "qwen3_8b": Look("#4B5563", "#CBD5E1", "D", "dot"),
    "ar_speculative": Look("#7A5C2E", "#CDAA6D", "P", "dot"),
    "eagle3": Look("#7A5C2E", "#CDAA6D", "P", "dot"),
    "fast_dllm": Look("#2A93D5", "#6CC0F0", "^"),
    "fast_dllm_dual": Look("#2A93D5", "#6CC0F0", "^"),
    "fast_dllm_prefix": Look("#2A93D5", "#6CC0F0", "<", "dash"),
    "fast_dllm_factor": Look("#1B6A9C", "#9AD3F5", ">", "dash"),
    "fast_dllm_v2": Look("#3B2F8F", "#A79BEF", "v"),
    "d2f": Look("#B0418F", "#E58AC8", "D"),
    "dparallel": Look("#12875F", "#4CC79A", "h"),
    "d3llm": Look("#C28100", "#F2B83B", "p"),
    "d3llm_cache": Look("#8C5D00", "#D9A24A", "p", "dash"),
    "t3d": Look("#7F7F1A", "#C5C55A", "X"),
    "tad_quality": Look("#0A4F9E", "#6AA5F2", "d"),
    "tad_speed": Look("#C8401A", "#FF8A5C", "*"),
}
_OTHERS = (
    Look("#00777A", "#45C4C7", "8", "dash"),
    Look("#8A2D3B", "#E58896", "X", "dash"),
    Look("#5D6B1E", "#B5C46A", "H", "dash"),
    Look("#6A3FA0", "#BC9AE6", "<", "dash"),
    Look("#9A4A00", "#EBA05F", ">", "dash"),
)


@dataclass(frozen=True)
class Theme:
    """Colours of a figure's ground, text and grid. `name`: "light" or "dark"."""

    name: str
    ground: str
    text: str
    faint: str
    grid: str
    shade: str


LIGHT = Theme("light", "#FFFFFF", "#1F2328", "#6B7280", "#E5E7EB", "#EEF0F3")
DARK = Theme("dark", "#14181F", "#E6E8EB", "#9AA3AF", "#2C333D", "#1E242D")
THEMES = (LIGHT, DARK)

DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (5, 2)), "dot": (0, (1.2, 2))}


def look(method: str) -> Look:
    """A method's look; a method this file does not know gets one by its name, the same in every report."""
    return LOOKS.get(method) or _OTHERS[zlib.crc32(method.encode()) % len(_OTHERS)]


def color(method: str, theme: Theme) -> str:
    """A method's colour on a theme's ground, as #RRGGBB."""
    own = look(method)
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
}


def describe(method: str) -> Mapping[str, Any]:
    """What the page needs of a method: title, kind, colours, marker and dash."""
    own = look(method)
    kind = published.methods().get(method, {}).get("kind") or ("ar" if method.startswith("ar") else "dllm")
    colors = {"light": own.light, "dark": own.dark}
    return {"title": title(method), "kind": kind, "color": colors, "marker": own.marker, "dash": own.dash}
