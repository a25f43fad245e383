"""`harness compare` on stored runs: what it refuses, what it says, and that it says the same whichever way round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.compare import compare, side
from harness.errors import UsageError, UserError
from harness.store import RunFolder


def write_run(root: Path, run_id: str, rate: float, tpf: float, n: int = 80, **head: Any) -> Path:
    """A finished-looking run on disk with `n` samples; the same seed everywhere, so that runs are paired."""
    run: dict[str, Any] = {
        "run_id": run_id,
        "suite": "mini",
        "method": "m",
        "task": "gsm8k",
        "setting": {"threshold": tpf},
        "protocol": "mini/gsm8k",
        "protocol_version": 1,
        "protocol_digest": "d",
        "data_fingerprint": "f",
        "checkpoint_fingerprint": "c",
        "dtype": "float32",
        "fidelity": "fixed",
        "gen_length": 64,
        "code_version": "1",
        "seed": 0,
    }
    run |= head
    rng = np.random.default_rng(7)
    luck, lengths = rng.random(n), rng.integers(20, 90, n)
    path = root / run["suite"] / run["method"] / run["task"] / run_id
    with RunFolder(path).open(run) as folder:
        for i in range(n):
            forwards = {"denoise": max(1, round(float(lengths[i]) / tpf))}
            right = bool(luck[i] < rate)
            folder.append({"doc_id": i, "correct": right, "tokens": int(lengths[i]), "forwards": forwards})
    return path


def test_a_clear_difference_and_its_mirror(tmp_path: Path) -> None:
    write_run(tmp_path, "aaaa", 0.8, 4.0, method="fast")
    write_run(tmp_path, "bbbb", 0.4, 2.0, method="slow")
    a, b = side("aaaa", [tmp_path]), side("bb", [tmp_path])
    there, back = compare(a, b), compare(b, a)
    assert there.n_shared == 80
    assert there.accuracy is not None
    assert back.accuracy is not None
    assert there.accuracy.only_b == 0
    assert there.accuracy.difference == -back.accuracy.difference
    assert "A (fast aaaa) is more accurate" in there.verdict[0]
    assert "B (fast aaaa) is more accurate" in back.verdict[0]
    assert "A (fast aaaa) commits more" in there.verdict[1]
    assert there.aup.low > 0
    assert "and is also more accurate" in there.verdict[-1]


def test_code_versions_are_mentioned_within_a_method_alone(tmp_path: Path) -> None:
    """A version covers the method's own builder: between two methods it always differs, and says nothing."""
    write_run(tmp_path, "aaaa", 0.8, 4.0, method="fast", code_version="1")
    write_run(tmp_path, "bbbb", 0.4, 2.0, method="slow", code_version="2")
    write_run(tmp_path, "cccc", 0.4, 2.0, method="fast", code_version="3")
    first, other, later = (side(name, [tmp_path]) for name in ("aaaa", "bbbb", "cccc"))
    assert not any("code_version" in note for note in compare(first, other).notes)
    assert "The runs differ in code_version: 1, 3." in compare(first, later).notes


def test_an_undecided_accuracy_is_bounded_not_called_equal(tmp_path: Path) -> None:
    write_run(tmp_path, "aaaa", 0.60, 4.0)
    write_run(tmp_path, "bbbb", 0.61, 2.0)
    result = compare(side("aaaa", [tmp_path]), side("bbbb", [tmp_path]))
    assert "no difference distinguishable from chance" in result.verdict[0]
    verdict = result.verdict[-1]
    assert "2.00 times as parallel; 80 documents cannot distinguish its accuracy from the other's (" in verdict
    assert "is not excluded" in verdict


@pytest.mark.parametrize("turned", [False, True])
def test_a_large_undecided_loss_is_named(tmp_path: Path, turned: bool) -> None:
    """Four documents, three of them solved by the slow run and two by the fast one: no 'no loss' can be read there."""
    write_run(tmp_path, "aaaa", 0.65, 4.0, n=4)
    write_run(tmp_path, "bbbb", 0.8, 2.0, n=4)
    sides = [side(name, [tmp_path]) for name in ("aaaa", "bbbb")]
    result = compare(*sides[::-1] if turned else sides)
    assert result.accuracy is not None
    assert abs(result.accuracy.difference) == 25.0
    assert "m aaaa is" in result.verdict[-1]
    assert "from the other's (-25.0 points); a loss of up to 65.5 is not excluded." in result.verdict[-1]
    assert "no loss" not in result.verdict[-1]


def test_what_a_killed_larger_run_left_behind_does_not_count(tmp_path: Path) -> None:
    path = write_run(tmp_path, "aaaa", 0.5, 2.0, n=8)
    write_run(tmp_path, "bbbb", 0.5, 2.0, n=8)
    with RunFolder(path).open(RunFolder(path).run()) as folder:
        folder.rewrite([sample for sample in folder.samples() if sample["doc_id"] not in (4, 6)])
        folder.finish({"n_samples": 4})
    found = side("aaaa", [tmp_path])
    assert found.points[0].doc_ids == ("0", "1", "2", "3")
    assert compare(found, side("bbbb", [tmp_path])).n_shared == 4
    (path / "summary.json").write_text('{"n_samples": "four"}')
    with pytest.raises(UserError, match="n_samples is 'four'"):
        side("aaaa", [tmp_path])


def test_a_sample_whose_scorer_raised_is_no_wrong_answer(tmp_path: Path) -> None:
    path = write_run(tmp_path, "aaaa", 1.0, 2.0, n=8)
    write_run(tmp_path, "bbbb", 1.0, 2.0, n=8)
    with RunFolder(path).open(RunFolder(path).run()) as folder:
        samples = list(folder.samples())
        folder.rewrite([{**s, "correct": 0, "outcome": "error"} if s["doc_id"] < 3 else s for s in samples])
    result = compare(side("aaaa", [tmp_path]), side("bbbb", [tmp_path]))
    assert result.n_shared == 5
    assert result.accuracy is not None
    assert (result.accuracy.only_a, result.accuracy.only_b) == (0, 0)
    assert [note for note in result.notes if "3 samples without a score" in note]


def test_a_run_and_itself(tmp_path: Path) -> None:
    write_run(tmp_path, "aaaa", 0.6, 3.0)
    result = compare(side("aaaa", [tmp_path]), side("aaaa", [tmp_path]))
    assert result.aup.p == 1.0
    assert "cannot distinguish the two" in result.verdict[-1]


def test_curves_are_compared_by_their_aup(tmp_path: Path) -> None:
    for i, tpf in enumerate((1.0, 2.0, 4.0)):
        path = write_run(tmp_path, f"a{i}", 0.7, tpf, method="fast")
        write_run(tmp_path, f"b{i}", 0.7, tpf / 2, method="slow")
    result = compare(side(str(path.parent), []), side(str(tmp_path / "mini/slow/gsm8k"), []))
    assert result.accuracy is None
    assert result.tpf is None
    assert result.a == "fast (3 runs)"
    assert result.aup.difference > 0
    assert result.aup.low > 0
    with pytest.raises(UsageError, match="several methods"):
        side(str(tmp_path), [])


def test_seeds_of_one_setting_are_one_point(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path, f"a{seed}", 0.5 + 0.1 * seed, 3.0, seed=seed)
    found = side(str(tmp_path / "mini/m/gsm8k"), [])
    assert len(found.points) == 1
    assert set(np.round(found.points[0].correct * 3)) <= {0, 1, 2, 3}
    assert compare(found, found).accuracy is None


def test_what_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path, "aaaa", 0.5, 2.0)
    write_run(tmp_path, "bbbb", 0.5, 2.0, protocol="llada/gsm8k")
    write_run(tmp_path, "cccc", 0.5, 2.0, data_fingerprint="other")
    write_run(tmp_path, "dddd", 0.5, 2.0, n=0)
    a, b, c = (side(name, [tmp_path]) for name in ("aaaa", "bbbb", "cccc"))
    with pytest.raises(UsageError, match=r"protocols differ.*--any-protocol"):
        compare(a, b)
    with pytest.raises(UsageError, match="different data"):
        compare(a, c, any_protocol=True)
    with pytest.raises(UsageError, match="no sample"):
        side("dddd", [tmp_path])
    with pytest.raises(UsageError, match="No run 'zzzz'"):
        side("zzzz", [tmp_path])
    assert any("protocols differ" in note for note in compare(a, b, any_protocol=True).notes)


def test_only_shared_documents_count(tmp_path: Path) -> None:
    write_run(tmp_path, "aaaa", 0.5, 2.0, n=80)
    write_run(tmp_path, "bbbb", 0.5, 2.0, n=30, dtype="bfloat16")
    result = compare(side("aaaa", [tmp_path]), side("bbbb", [tmp_path]))
    assert result.n_shared == 30
    assert any("only the 30 shared" in note for note in result.notes)
    assert any("dtype" in note for note in result.notes)


def test_the_verb_prints_sentences_and_one_json_document(tmp_path: Path) -> None:
    from harness.cli import app

    write_run(tmp_path, "aaaa", 0.8, 4.0)
    write_run(tmp_path, "bbbb", 0.4, 2.0)
    text = CliRunner().invoke(app, ["compare", "aaaa", "bbbb", "--runs", str(tmp_path)])
    assert text.exit_code == 0
    assert "McNemar exact p" in text.stdout
    words = ["compare", "aaaa", "bbbb", "--runs", str(tmp_path), "--json", "--draws", "200"]
    document = json.loads(CliRunner().invoke(app, words).stdout)
    assert document["n_shared"] == 80
    assert document["tpf"]["ratio"] > 1.5
