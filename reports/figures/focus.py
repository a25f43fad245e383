"""Which rows of a figure are in colour: the ones at the top of the table and the autoregressive reference."""

from __future__ import annotations

from collections.abc import Sequence

from reports.cohort import Member
from reports.model import Cohort, LeaderRow
from reports.style import Theme, color, describe

LEADING = 5  # rows in colour, from the top of the table
ALL = 7  # a cohort of at most this many rows is in colour as a whole


def in_focus(cohort: Cohort, leaders: Sequence[LeaderRow]) -> list[Member]:
    """The rows drawn in colour, in the order of the table; the others are grey.

    The first five ranked rows and the first autoregressive one, or all rows of a small cohort.
    """
    members = [(row.method, row.source) for row in leaders if (row.suite, row.cohort) == (cohort.suite, cohort.name)]
    if len(members) <= ALL:
        return members
    ar = [member for member in members if describe(member[0])["kind"] == "ar"]
    reference = sorted(ar, key=lambda member: member[0] != "ar")[:1]  # plain decoding before any speculation
    return members[:LEADING] + [member for member in reference if member not in members[:LEADING]]


def shade(member: Member, focus: Sequence[Member], theme: Theme) -> str:
    """A row's colour in a figure, as #RRGGBB."""
    return color(member[0], theme) if member in focus else theme.quiet
