"""Where a checkpoint comes from: a folder, a shipped one (`package:mini/base`) or a hub id (`org/name@revision`)."""

from __future__ import annotations

import re
from pathlib import Path

from methods.errors import MethodsError

_HUB_ID = re.compile(r"^[\w][\w.-]*/[\w][\w.-]*$")
# weights, configs, tokenizers: never a .py, so remote code is not even on the disk
PATTERNS = ["*.json", "*.safetensors", "merges.txt", "vocab.txt", "*.jinja", "*.model"]
WEIGHTS = Path(__file__).parent.parent / "weights"


def parse(source: str) -> tuple[str, str, str | None]:
    """(`folder` | `package` | `hub`, path or id, revision) of a source as people write it.

    Raises MethodsError for text that is neither an existing folder nor shaped like a hub id.
    """
    if source.startswith("package:"):
        return "package", source.removeprefix("package:"), None
    named = source.startswith("hub:")
    if source and not named and Path(source).expanduser().is_dir():
        return "folder", source, None
    name, _, revision = source.removeprefix("hub:").partition("@")
    if not _HUB_ID.match(name) or name.startswith("."):
        raise _no_name(source)
    return "hub", name, revision or None


def _no_name(source: str) -> MethodsError:
    return MethodsError(
        f"The checkpoint {source!r} is no folder here; a hub id looks like GSAI-ML/LLaDA-8B-Instruct@main."
    )


def locate(source: str | Path, revision: str | None = None) -> Path:
    """The folder that holds the checkpoint or adapter, downloaded first if it is a hub id.

    Raises MethodsError for an unusable name and when it cannot be fetched.
    """
    kind, name, tagged = parse(str(source))
    if kind == "folder":
        return Path(name).expanduser()
    if kind == "package":
        folder = WEIGHTS / name
        if ".." in Path(name).parts or not folder.is_relative_to(WEIGHTS) or not folder.is_dir():
            shipped = sorted(str(path.parent.relative_to(WEIGHTS)) for path in WEIGHTS.glob("**/config.json"))
            raise MethodsError(f"No shipped checkpoint {name!r}; there are: {', '.join(shipped) or 'none'}.")
        return folder
    return cached(name, revision or tagged) or download(name, revision or tagged)


def cached(name: str, revision: str | None = None) -> Path | None:
    """The folder of a hub id that was downloaded before, None when it is not complete here. Asks no network.

    Complete means: a config.json, and every shard that the index names, or an adapter's two files.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS, local_files_only=True))
    except Exception:
        return None
    if (folder / "adapter_config.json").is_file():
        return folder if (folder / "adapter_model.safetensors").is_file() else None
    from methods.backbones.files import read_config, shards

    try:
        read_config(folder)
        shards(folder)
    except MethodsError:
        return None
    return folder


def download(name: str, revision: str | None = None) -> Path:
    """Fetch a hub snapshot. Raises MethodsError with one sentence for each way that fails."""
    from huggingface_hub import errors, snapshot_download

    what = f"{name}@{revision}" if revision else name
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS))
    except errors.HFValidationError:  # the hub's own rules: no `--`, no `..`, not too long
        raise _no_name(what) from None
    except errors.GatedRepoError:
        raise MethodsError(f"{what} is gated: accept its licence on its hub page, then run `hf auth login`.") from None
    except errors.RevisionNotFoundError:
        raise MethodsError(f"{name} has no revision {revision!r}; leave out @{revision} for the newest.") from None
    except errors.RepositoryNotFoundError:
        raise MethodsError(f"{what} is not on the hub, or is private: check the name or run `hf auth login`.") from None
    except OSError as error:  # offline, time-outs, a full disk: huggingface_hub's errors are OSErrors as well
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MethodsError(
            f"{what} cannot be downloaded ({first}); on a machine with access run `hf download {name}` "
            "and pass the folder with --checkpoint."
        ) from None
