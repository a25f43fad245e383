"""Labels: what names a row in tables where the method's name would hide which model was decoded.

A label comes from `--label` or from the suite's entry of the checkpoint; `{method}` in it stands for the method's name,
so that one label can name several rows. It decides no token and is no part of a run's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.errors import UsageError

METHOD = "{method}"
LONGEST = 80


def row_label(text: str | None, method: str, methods: Iterable[str], where: str = "--label") -> str | None:
    """The label of a method's row: `text` with the method's name filled in, None where there is none.

    methods: the names of all methods. Raises UsageError for a text that cannot stand in a table, and for one that is
    another method's name, whose row it would join.
    """
    if text is None:
        return None
    label = text.replace(METHOD, method)
    if not label.strip() or label != label.strip() or not label.isprintable() or len(label) > LONGEST:
        raise UsageError(
            f"{where} {text!r} cannot name a row: a label is 1 to {LONGEST} printable characters without space at "
            "either end."
        )
    if label != method and label in methods:
        raise UsageError(
            f"{where} {label} is the name of another method, whose row these runs of {method} would join; "
            f"take another name, such as --label '{METHOD} (mine)'."
        )
    return label


def check_one_method_each(labels: Mapping[tuple[str, str], str | None]) -> None:
    """Raise UsageError for a label that would name the rows of two methods. labels: (suite, method) -> label."""
    first: dict[tuple[str, str], str] = {}
    for (suite, method), label in labels.items():
        if label is None:
            continue
        other = first.setdefault((suite, label), method)
        if other != method:
            raise UsageError(
                f"The label {label!r} would make one row of {other} and {method}; write {METHOD} in it "
                f"('{METHOD} ({label})'), or sweep them one by one."
            )
