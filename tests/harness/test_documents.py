"""`--limit` as a number or a share, `--samples` by id: which documents a run decodes, and what it keeps of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import documents
from harness.errors import UsageError
from harness.store import find_runs
from tests.harness.verbs import in_process


@given(st.sets(st.integers(0, 60), min_size=1))
def test_every_set_of_ids_can_be_written_as_ranges(ids: set[int]) -> None:
    parts: list[str] = []
    for first in sorted(ids):
        if first - 1 not in ids:
            last = first
            while last + 1 in ids:
                last += 1
            parts.append(f"{first}" if first == last else f"{first}-{last}")
    assert documents.samples(", ".join(parts[::-1])) == sorted(ids)


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "5-3", "1,,2", "1;2", "1.5"])
def test_what_is_no_list_of_ids_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match=r"such as 3,17-20"):
        documents.samples(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "ten", "nan", "inf"])
def test_what_is_no_limit_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="a number of documents"):
        documents.limit(text)


@pytest.mark.parametrize(
    ("limit", "n"), [(None, 500), (50, 50), (1, 1), (900, 500), (0.1, 50), (0.001, 1), (0.333, 167)]
)
def test_a_share_is_rounded_up_as_lm_eval_does(limit: float | None, n: int) -> None:
    assert list(documents.chosen(500, limit, None)) == list(range(n))


def test_a_share_is_what_lm_eval_takes() -> None:
    from lm_eval.evaluator_utils import get_sample_size

    class Task:
        eval_docs = range(1319)

    for share in (0.1, 0.25, 0.7501):
        assert get_sample_size(Task(), share) == len(documents.chosen(1319, share, None))


def words(suite: str, out: Path, *more: str) -> list[str]:
    common = ["--method", "test_entropy", "--task", "gsm8k", "--suite", suite, "--out", str(out), "--json"]
    return ["run", *common, *more]


def test_chosen_documents_are_kept_and_the_run_goes_on_from_them(suite: str, tmp_path: Path, capsys: Any) -> None:
    code, out, said = in_process(capsys, *words(suite, tmp_path, "--samples", "1,4-5"))
    assert (code, json.loads(out)["n_samples"]) == (0, 3), said
    (folder,) = find_runs(tmp_path)
    assert folder.done() == {1, 4, 5}
    assert folder.summary() is None, "three documents chosen by hand are no result"
    code, out, _ = in_process(capsys, *words(suite, tmp_path, "--samples", "4"))
    assert (json.loads(out)["n_samples"], json.loads(out)["new"]) == (1, 0)
    code, out, _ = in_process(capsys, *words(suite, tmp_path, "--limit", "6"))
    assert (code, json.loads(out)["new"]) == (0, 3)
    whole = folder.summary()
    assert whole is not None
    assert whole["n_samples"] == 6
    code, out, _ = in_process(capsys, *words(suite, tmp_path, "--samples", "8"))
    assert (code, json.loads(out)["new"]) == (0, 1)
    assert folder.summary() == whole, "a document chosen by hand changes no summary"
    assert find_runs(tmp_path) == [folder] or len(find_runs(tmp_path)) == 1


def test_a_document_that_the_task_lacks_is_named(suite: str, tmp_path: Path, capsys: Any) -> None:
    code, _, said = in_process(capsys, *words(suite, tmp_path, "--samples", "3,999999"))
    assert (code, "there is no document 999999; the task has 0 to " in said) == (2, True)
    code, _, said = in_process(capsys, *words(suite, tmp_path, "--samples", "3", "--limit", "2"))
    assert (code, "give one of them" in said) == (2, True)
