"""Two runs, or two curves, on the same documents: what differs, by how much, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.door import open_door
from harness.errors import UsageError, UserError
from harness.stats import (
    SIGNIFICANT,
    AccuracyPair,
    Difference,
    Samples,
    aligned,
    clipped_aup_rows,
    paired_accuracy,
    paired_aup,
    paired_ratio,
    pool_seeds,
)
from harness.store import RunFolder, find_run, find_runs
from reports.settings import describe, differing_settings

if TYPE_CHECKING:
    import pandas as pd

open_door(__name__)  # harness.compare(...) is harness.api.compare(...)

# same documents, same question: without these a pair is no pair
_SAME = (("task", "task"), ("data_fingerprint", "data"))
_PROTOCOL = ("protocol", "protocol_version", "protocol_digest")
_ONE_PER_CURVE = {
    "checkpoint_fingerprint": "different weights",
    "tokenizer_fingerprint": "different tokenizers",
    "protocol_digest": "different protocols",
}
_MENTION = (
    *("suite", "checkpoint_fingerprint", "tokenizer_fingerprint", "dtype", "fidelity", "gen_length", "eos_policy"),
    "code_version",
)
# what seeds of one setting share; training seeds differ in their weights and are one point all the same
_KIND = (*(name for name in _MENTION if name != "checkpoint_fingerprint"), "protocol_digest")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a run, or every run of one method on one task (a curve)."""

    name: str
    runs: tuple[dict[str, Any], ...]
    points: tuple[Samples, ...]

    @property
    def curve(self) -> bool:
        """Whether this side has several settings, so that only its AUP can be compared."""
        return len(self.points) > 1


@dataclass(frozen=True)
class Comparison:
    """A against B. accuracy and tpf are None when a side is a curve; `verdict` holds the conclusions, in sentences."""

    a: str
    b: str
    n_shared: int
    accuracy: AccuracyPair | None
    tpf: Difference | None
    aup: Difference
    aup_clipped: Difference
    notes: tuple[str, ...]
    verdict: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row per measure: A and B where the measure has a value for each, A - B, its 95 % interval, p.

        Accuracy is in percentage points over the `n` documents that both sides have.
        """
        found: dict[str, AccuracyPair | Difference | None] = {"accuracy": self.accuracy, "tpf": self.tpf}
        found |= {"aup_clipped": self.aup_clipped, "aup": self.aup}
        rows = [
            {
                "row_a": self.a,
                "row_b": self.b,
                "metric": name,
                "a": getattr(pair, "a", None),
                "b": getattr(pair, "b", None),
                "difference": pair.difference,
                "lo": pair.low,
                "hi": pair.high,
                "p": pair.p,
                "n": self.n_shared,
            }
            for name, pair in found.items()
            if pair is not None
        ]
        return [_plain(row) for row in rows]

    def to_frame(self) -> pd.DataFrame:
        """`rows` as a DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def _repr_html_(self) -> str:
        from harness.frames import html_table

        return html_table(self.rows()) + "".join(f"<p>{escape(sentence)}</p>" for sentence in self.verdict)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values; what is not defined (nan) becomes null."""
        return _plain(asdict(self))


def side(name: str, dirs: Iterable[str | Path], *, mixed_curves: bool = False) -> Side:
    """What RUN means: a run's folder, its id or the beginning of it, or a folder with the runs of one curve.

    Raises UsageError when nothing fits, when a folder holds several rows or tasks, or when no run has samples; and for
    a curve over different weights, tokenizers or protocols, unless its runs carry a label or `mixed_curves`.
    """
    folder = Path(name)
    runs = find_runs(folder) if folder.is_dir() and not (folder / "run.json").is_file() else [find_run(name, dirs)]
    if not runs:
        raise UsageError(f"{name} holds no run.")
    heads = [run.run() for run in runs]
    for key in ("method", "task", "suite", "label"):
        if len({head.get(key) for head in heads}) > 1:
            raise UsageError(f"{name} holds runs of several {key}s; compare the folders of one method on one task.")
    if not mixed_curves and not all(head.get("label") for head in heads):
        _refuse_two_models(name, heads)
    return Side(_name(heads), tuple(heads), _points(runs, heads, name))


def _refuse_two_models(name: str, heads: Sequence[dict[str, Any]]) -> None:
    for key, words in _ONE_PER_CURVE.items():
        seeds = {head.get("train_seed") for head in heads} if key == "checkpoint_fingerprint" else {None}
        for seed in seeds:
            own = [head for head in heads if key != "checkpoint_fingerprint" or head.get("train_seed") == seed]
            values = sorted({str(head[key]) for head in own if head.get(key) is not None})
            if len(values) > 1:
                raise UsageError(
                    f"{name} is one curve over {len(values)} {words} ({', '.join(values)}): two models are two rows. "
                    "Give each a name with --label when it is run, or allow it with --mixed-curves."
                )


def _points(runs: Sequence[RunFolder], heads: Sequence[dict[str, Any]], name: str) -> tuple[Samples, ...]:
    by_setting: dict[str, list[Samples]] = {}
    for run, head in zip(runs, heads, strict=True):
        samples = _samples(run)
        if len(samples):
            weights = head.get("checkpoint_fingerprint") if head.get("train_seed") is None else None
            key = repr([sorted(head["setting"].items()), weights, *(head.get(field) for field in _KIND)])
            by_setting.setdefault(key, []).append(samples)
    if not by_setting:
        raise UsageError(f"{name} holds no sample yet.")
    # several seeds of a setting are one point; a single run keeps its 0 and 1
    return tuple(seeds[0] if len(seeds) == 1 else pool_seeds(seeds) for seeds in by_setting.values())


def _samples(run: RunFolder) -> Samples:
    try:
        return Samples.of_run(run.samples(light=True), run.summary())
    except (KeyError, TypeError) as error:
        raise UserError(f"{run.path}: its samples or its summary lack a number ({error}).") from None


def _name(heads: Sequence[dict[str, Any]]) -> str:
    first = heads[0]
    if len(heads) > 1:
        return f"{_row(first)} ({len(heads)} runs)"
    return f"{_row(first)} {first['run_id'][:7]}"


def _row(head: dict[str, Any]) -> str:
    return str(head.get("label") or head["method"])


def compare(a: Side, b: Side, *, any_protocol: bool = False, seed: int = 0, draws: int = 2000) -> Comparison:
    """Pair A and B on the documents they share.

    Raises UsageError for different tasks or data, for different protocols unless `any_protocol`, and when no document
    is shared.
    """
    notes = _check(a, b, any_protocol)
    pairs = aligned([*a.points, *b.points])
    ours, theirs = pairs[: len(a.points)], pairs[len(a.points) :]
    n = len(pairs[0])
    if n == 0:
        raise UsageError(f"{a.name} and {b.name} share no document; run both with the same --limit.")
    for part, points in ((a, a.points), (b, b.points)):
        if missing := sum(run.unscored for run in points):
            notes.append(
                f"{part.name} has {missing} samples without a score, because the scorer raised; they are left out. "
                "Run its command again, which scores them without decoding."
            )
        if (most := max(map(len, points))) > n:
            notes.append(f"{part.name} has {most} documents; only the {n} shared ones are compared.")
    single = not a.curve and not b.curve
    binary = single and all(set(run.correct) <= {0.0, 1.0} for run in (ours[0], theirs[0]))
    accuracy = paired_accuracy(ours[0].correct, theirs[0].correct) if binary else None
    tpf = paired_ratio(ours[0], theirs[0], seed, draws) if single else None
    aup = paired_aup(ours, theirs, seed=seed, draws=draws)
    clipped = paired_aup(ours, theirs, aup=clipped_aup_rows, seed=seed, draws=draws)
    verdict = _verdict(a.name, b.name, ours[0], theirs[0], accuracy, tpf, {"Clipped AUP": clipped, "AUP": aup})
    return Comparison(a.name, b.name, n, accuracy, tpf, aup, clipped, tuple(notes), tuple(verdict))


def _check(a: Side, b: Side, any_protocol: bool) -> list[str]:
    first, second = a.runs[0], b.runs[0]
    everyone = [*a.runs, *b.runs]
    for key, word in _SAME:
        if len({str(run.get(key)) for run in everyone}) > 1:
            raise UsageError(
                f"{a.name} and {b.name} have different {word} ({first.get(key)}, {second.get(key)}): there is "
                "nothing to pair."
            )
    notes = []
    protocols = {tuple(str(run.get(key)) for key in _PROTOCOL) for run in everyone}
    if len(protocols) > 1:
        names = " and ".join(sorted({f"{name} v{version}" for name, version, _ in protocols}))
        if not any_protocol:
            raise UsageError(
                f"The protocols differ ({names}), so a difference may be the prompt's and not the method's. "
                "Give --any-protocol to compare all the same."
            )
        notes.append(f"The protocols differ ({names}): a difference may be the prompt's and not the method's.")
    methods = {run.get("method") for run in everyone}
    for key in _MENTION:
        values = sorted({str(run.get(key)) for run in everyone})
        if key == "code_version" and len({(run.get("method"), run.get(key)) for run in everyone}) == len(methods):
            continue  # it covers a method's own builder, so two methods never share one
        if len(values) > 1:
            notes.append(f"The runs differ in {key}: {', '.join(values)}.")
    table = differing_settings([(_row(run), run) for run in everyone])
    if table:
        notes.append(f"Settings other than the swept one that differ: {describe(table)}.")
    return notes


def _verdict(
    a: str,
    b: str,
    ours: Samples,
    theirs: Samples,
    accuracy: AccuracyPair | None,
    tpf: Difference | None,
    areas: Mapping[str, Difference],
) -> list[str]:
    sentences = []
    if accuracy:
        sentences.append(_say_accuracy(a, b, ours, theirs, accuracy))
    if tpf:
        sentences.append(_say_ratio(a, b, tpf))
    sentences += [_say_area(name, pair) for name, pair in areas.items()]
    if accuracy and tpf and tpf.a and tpf.b:
        sentences.append(_say_together(a, b, accuracy, tpf))
    return sentences


def _say_accuracy(a: str, b: str, ours: Samples, theirs: Samples, pair: AccuracyPair) -> str:
    counts = (
        f"of {pair.n} documents A solves {int(ours.correct.sum())} and B {int(theirs.correct.sum())}; "
        f"{pair.only_a} only A, {pair.only_b} only B (McNemar exact p = {_p(pair.p)}, Cohen's g = {pair.g:+.2f})"
    )
    gap = f"{pair.difference:+.1f} points, 95 % interval {pair.low:+.1f} to {pair.high:+.1f}"
    if pair.p < SIGNIFICANT:
        better = f"A ({a})" if pair.difference > 0 else f"B ({b})"
        return f"Accuracy: {better} is more accurate: {counts}. A - B = {gap}."
    return f"Accuracy: no difference distinguishable from chance: {counts}. A - B = {gap}."


def _say_ratio(a: str, b: str, pair: Difference) -> str:
    factor = f"A/B = {pair.ratio:.3f}, 95 % interval {pair.ratio_low:.3f} to {pair.ratio_high:.3f}"
    values = f"{pair.a:.2f} against {pair.b:.2f} tokens per forward pass"
    if pair.p < SIGNIFICANT:
        faster = f"A ({a})" if pair.difference > 0 else f"B ({b})"
        return f"TPF: {faster} commits more tokens per forward pass: {values}; {factor}."
    return f"TPF: no difference distinguishable from chance: {values}; {factor}."


def _say_area(name: str, pair: Difference) -> str:
    values = f"{pair.a:.1f} against {pair.b:.1f}, A - B = {pair.difference:+.1f}, 95 % interval"
    values += f" {pair.low:+.1f} to {pair.high:+.1f} (y_max is the best accuracy of these two)"
    if pair.p < SIGNIFICANT:
        return f"{name}: {'A' if pair.difference > 0 else 'B'} is ahead: {values}."
    return f"{name}: no difference distinguishable from chance: {values}."


def _say_together(a: str, b: str, accuracy: AccuracyPair, tpf: Difference) -> str:
    """The sentence a reader takes away; an undecided accuracy is bounded, never called equal."""
    if tpf.p >= SIGNIFICANT:
        if accuracy.p < SIGNIFICANT:
            return "Together: they differ in accuracy, and their speeds cannot be distinguished."
        return f"Together: {accuracy.n} documents cannot distinguish the two, neither in accuracy nor in speed."
    fast, loss = (a, -accuracy.low) if tpf.difference > 0 else (b, accuracy.high)
    factor = tpf.ratio if tpf.difference > 0 else 1 / tpf.ratio
    ahead = accuracy.difference if tpf.difference > 0 else -accuracy.difference
    if accuracy.p < SIGNIFICANT:
        also = "and is also more accurate" if ahead > 0 else "but is less accurate"
        return f"Together: {fast} is {factor:.2f} times as parallel {also}, by {abs(ahead):.1f} points."
    return (
        f"Together: {fast} is {factor:.2f} times as parallel; {accuracy.n} documents cannot distinguish its accuracy "
        f"from the other's ({ahead:+.1f} points); a loss of up to {max(loss, 0.0):.1f} is not excluded."
    )


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value
