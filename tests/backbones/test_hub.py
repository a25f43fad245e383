"""Where checkpoints come from: folders, shipped weights, hub ids with a revision; and what can go wrong there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from methods.backbones import create, hub, save
from methods.errors import MethodsError
from tests.backbones.tiny import LLADA


def test_how_sources_are_read(tmp_path: Path) -> None:
    assert hub.parse(str(tmp_path)) == ("folder", str(tmp_path), None)
    assert hub.parse("package:mini/base") == ("package", "mini/base", None)
    assert hub.parse("GSAI-ML/LLaDA-8B-Instruct") == ("hub", "GSAI-ML/LLaDA-8B-Instruct", None)
    assert hub.parse("hub:GSAI-ML/LLaDA-1.5@abc123") == ("hub", "GSAI-ML/LLaDA-1.5", "abc123")


@pytest.mark.parametrize("source", ["nowhere", "/no/such/folder", "a/b/c", "../no-such-folder", "~/nothing-here", ""])
def test_neither_folder_nor_hub_id(source: str) -> None:
    with pytest.raises(MethodsError, match="no folder here"):
        hub.parse(source)


@pytest.mark.parametrize("source", ["org/na--me", "org/na..me", "org/" + "n" * 100])
def test_names_that_the_hub_itself_refuses(source: str) -> None:
    with pytest.raises(MethodsError, match="no folder here; a hub id looks like"):
        hub.locate(source)


def test_a_shipped_checkpoint_that_is_not_there() -> None:
    with pytest.raises(MethodsError, match="No shipped checkpoint 'mini/none'"):
        hub.locate("package:mini/none")


def test_what_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    save(create(LLADA, 1), tmp_path)
    asked: list[Any] = []

    def fake(name: str, revision: str | None = None, allow_patterns: Any = None, local_files_only: bool = False) -> str:
        asked.append((name, revision, local_files_only))
        assert not any(pattern.endswith(".py") for pattern in allow_patterns)
        if local_files_only:
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
    assert hub.locate("org/name@v1") == tmp_path
    assert asked == [("org/name", "v1", True), ("org/name", "v1", False)]
    assert hub.locate("org/name@v1", revision="v2") == tmp_path
    assert asked[-1] == ("org/name", "v2", False)


def test_a_half_downloaded_snapshot_is_not_taken_for_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: str(tmp_path))
    assert hub.cached("org/name") is None
    save(create(LLADA, 1), tmp_path, shard_bytes=9000)
    assert hub.cached("org/name") == tmp_path
    next(tmp_path.glob("model-00002*")).unlink()
    assert hub.cached("org/name") is None


class Answer:
    """The little of an HTTP answer that the hub's errors look at."""

    headers: dict[str, str] = {}  # noqa: RUF012
    status_code = 403
    request = None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("GatedRepoError", "accept its licence.*hf auth login"),
        ("RevisionNotFoundError", "has no revision 'v9'"),
        ("RepositoryNotFoundError", "not on the hub, or is private"),
        ("LocalEntryNotFoundError", "cannot be downloaded.*hf download org/name"),
    ],
)
def test_each_failure_has_its_sentence(error: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    kind = getattr(huggingface_hub.errors, error)

    def fail(*args: Any, **options: Any) -> str:
        raise kind.__new__(kind, "no")  # their constructors want a live response

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(MethodsError, match=words):
        hub.download("org/name", "v9")
