"""`harness run --verify RUN`: decode a stored run again and name the first difference.

Differences of machine and versions come first, then the first sample that differs, the first forward at which it
does, and how close the decision was there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import UserError
from harness.replay import quoted
from harness.revisions import standing
from harness.runner.decoding import decode_all
from harness.runner.job import Job, choose, prepare
from harness.runner.models import ModelCache
from harness.runner.prompts import prompts, request
from harness.runner.provenance import session
from harness.runner.sample import decoded
from harness.runner.spec import REPEATED, RunSpec
from harness.store import RunFolder
from harness.store.checks import needs

COMPARED = ("prompt_hash", "output_ids", "trace", "text", "tokens", "forwards", "nfe", "positions", "stop_reason")
NEAR = {"float32": 1e-3, "float64": 1e-9}  # a logit margin below this is a near-tie; 0.1 for 16-bit formats


@dataclass(frozen=True)
class Difference:
    """The first sample that differs. position: in the output, -1 if only counts differ. margins: see `margin`."""

    doc_id: int
    fields: tuple[str, ...]
    position: int
    forwards: tuple[int, int]
    tokens: tuple[str, str]
    margins: tuple[float, float] | None
    near_tie: bool


@dataclass(frozen=True)
class Report:
    """What repeating a run gave. environment: (what, stored, here) where they differ."""

    run_id: str
    compared: int
    differing: int
    environment: tuple[tuple[str, str, str], ...]
    first: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """The report in words."""
        lines = [f"{what}: stored {old}, here {new}" for what, old, new in self.environment]
        if self.first is None:
            return [*lines, f"{self.compared} samples of {self.run_id} came out the same, token for token."]
        first = self.first
        lines.append(
            f"{self.differing} of {self.compared} samples of {self.run_id} differ, document {first.doc_id} first."
        )
        if first.position < 0:
            return [*lines, f"Its tokens are the same; it differs in {', '.join(first.fields)}."]
        lines.append(
            f"First difference at output position {first.position}: stored {quoted(first.tokens[0])} in forward "
            f"{first.forwards[0]}, now {quoted(first.tokens[1])} in forward {first.forwards[1]}."
        )
        if first.margins is not None:
            words = "a near-tie" if first.near_tie else "no near-tie: the two machines really compute something else"
            lines.append(
                f"Logit margins of the committed over the best other token there: {first.margins[0]:.2e} and "
                f"{first.margins[1]:.2e}, {words}."
            )
        return lines


def verify(folder: RunFolder, *, batch_size: int = 16, device: str = "auto", limit: int | None = None) -> Report:
    """Decode every stored sample again (nothing is written), or those of the first `limit` documents, and compare.

    Raises UserError when the run cannot be repeated here: another checkpoint, other data, another protocol.
    """
    run = folder.run()
    needs(run, str(folder.path / "run.json"), *REPEATED, "checkpoint_fingerprint", "data_fingerprint")
    needs(run, str(folder.path / "run.json"), "protocol_digest", "code_version")
    job = prepare(choose(RunSpec.of(run, batch_size=batch_size, device=device)), ModelCache())
    for name in ("checkpoint_fingerprint", "tokenizer_fingerprint", "data_fingerprint", "protocol_digest"):
        if name in run and job.run[name] != run[name]:  # older runs do not say which tokenizer they had
            raise UserError(f"{folder.path} cannot be repeated: its {name} is {run[name]}, here it is {job.run[name]}.")
    stored = {sample["doc_id"]: sample for sample in folder.samples() if not sample.get("truncated")}
    for doc_id, sample in stored.items():
        needs(sample, f"{folder.path / 'samples.jsonl'}, document {doc_id}", *COMPARED, "pieces")
    asked = [one for one in prompts(job, limit) if one.doc_id in stored]
    stored = {one.doc_id: stored[one.doc_id] for one in asked}
    requests = [request(job, one) for one in asked]
    again = {}
    for result in decode_all(job.backbone, requests, batch_size, halved=lambda old, new: None, reuse_mb=0):
        one = asked[result.index]
        again[one.doc_id] = decoded(job, one, result)
    differing = [doc_id for doc_id in sorted(stored) if _differs(stored[doc_id], again[doc_id])]
    first = _difference(job, stored[differing[0]], again[differing[0]], asked) if differing else None
    return Report(folder.run_id, len(stored), len(differing), _environment(run, job), first)


def _differs(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in COMPARED if old[name] != new[name])


def _environment(run: Mapping[str, Any], job: Job) -> tuple[tuple[str, str, str], ...]:
    old = (run.get("sessions") or [{}])[-1]
    new = session(job.spec.batch_size, str(job.backbone.device), None)
    rows = [("code_version", run["code_version"], job.run["code_version"])]
    rows += [(name, old.get(name), new[name]) for name in ("host", "device", "batch_size")]
    for group in ("git", "packages", "hardware"):
        before, now = old.get(group) or {}, new[group]
        rows += [(f"{group}.{name}", before.get(name), now.get(name)) for name in sorted({*before, *now})]
    return tuple((name, str(before), str(now)) for name, before, now in rows if before != now)


def _difference(job: Job, old: dict[str, Any], new: dict[str, Any], asked: Sequence[Any]) -> Difference:
    fields = _differs(old, new)
    pairs = list(zip(old["output_ids"], old["trace"], new["output_ids"], new["trace"], strict=False))
    places = [place for place, (a, s, b, t) in enumerate(pairs) if (a, s) != (b, t)]
    if not places:
        return Difference(old["doc_id"], fields, -1, (0, 0), ("", ""), None, False)
    place = min(places, key=lambda at: (min(pairs[at][1], pairs[at][3]), at))
    ids = next(one.ids for one in asked if one.doc_id == old["doc_id"])
    margins = (margin(job, ids, old, place), margin(job, ids, new, place))
    near = NEAR.get(job.run["dtype"], 0.1)
    return Difference(
        old["doc_id"],
        fields,
        place,
        (pairs[place][1], pairs[place][3]),
        (old["pieces"][place], new["pieces"][place]),
        margins,
        min(abs(value) for value in margins) < near,
    )


def margin(job: Job, prompt_ids: Sequence[int], sample: Mapping[str, Any], place: int) -> float:
    """Logit of the token committed at `place` minus the best other one, just before the forward that committed it.

    From one full forward without a cache, on the canvas of that moment: what had been committed by then, masks
    elsewhere. For a method with an approximate cache this is the exact model's margin, not the cached one's.
    """
    import torch

    backbone, special = job.backbone, job.backbone.special
    blank = special.pad if special.mask is None else special.mask
    step = sample["trace"][place]
    canvas = [blank if token is None else token for token in standing(sample, step - 1)]
    ids = torch.tensor([[*prompt_ids, *canvas]], device=backbone.device)
    positions = torch.arange(ids.shape[1], device=backbone.device)[None]
    with torch.inference_mode():
        hidden = backbone.hidden(ids, positions)[:, len(prompt_ids) + place - backbone.shift]
        logits = backbone.head(hidden)[0].double().tolist()
    token = sample["output_ids"][place]
    return logits[token] - max(value for other, value in enumerate(logits) if other not in (token, special.mask))
