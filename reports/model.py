"""The plain data that every report is made of: points, AUP rows, leaderboard rows, findings, cards, runs.

Nothing here computes; the modules that fill these are `published`, `runs`, `cohort`, `rank`, `audit` and `collect`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

POINT_COLUMNS = (
    *("suite", "task", "method", "source", "setting", "tpf", "accuracy"),
    *("tpf_lo", "tpf_hi", "acc_lo", "acc_hi", "n_samples", "nominal", "run_id"),
    *("label", "axis", "axis_value", "train_seed", "revisions", "remasks", "afp", "kendall_tau", "seed"),
)
AUP_COLUMNS = (
    *("suite", "task", "method", "source", "aup", "aup_lo", "aup_hi", "y_max", "alpha", "n_points", "cohort"),
    *("aup_clipped", "aup_clipped_lo", "aup_clipped_hi"),
)
RUN_COLUMNS = (
    *("run_id", "suite", "method", "task", "setting", "seed", "n_samples", "checkpoint", "checkpoint_fingerprint"),
    *("tokenizer_fingerprint", "data_fingerprint", "protocol", "protocol_digest", "fidelity", "gen_length", "dtype"),
    *("code_version", "started", "command"),
)
CLIPPED_COLUMNS = ("avg_aup_clipped", "avg_aup_clipped_lo", "avg_aup_clipped_hi")
RANK_COLUMNS = (
    *("suite", "cohort", "rank", "method", "source", "n_tasks", "avg_aup", "avg_aup_lo", "avg_aup_hi"),
    *CLIPPED_COLUMNS,
    *("rank_lo", "rank_hi", "p_first"),
)
LEADERBOARD_COLUMNS = (
    *("suite", "method", "source", "n_tasks", "avg_accuracy", "avg_tpf", "avg_aup", "cohort"),
    *CLIPPED_COLUMNS,
)
COMPARE_COLUMNS = ("suite", "row_a", "row_b", "metric", "difference", "lo", "hi", "p", "p_holm", "cohort")


@dataclass(frozen=True)
class Point:
    """One measured or published point: the columns of points.csv first, then what tables do not show.

    method: the row's name: the run's label where it has one, else its method. base: the method, where a label hides it.
    label: the row's name as shown to people (published rows: the paper's spelling). tpf: tokens per forward pass.
    accuracy and its interval: percent. nominal: the TPF was typed in as 1.0, not measured.
    status: "table" (in the source's table), "commented" or "removed" (in the source's file, not in its table), "run".
    copied_from: the source whose point this row repeats value for value, or "".
    printed: the accuracy as the source printed it. protocol: id, for runs with version and digest beside it.
    axis, axis_value: the swept parameter and its value as JSON text. train_seed and
    seed: the training and the decoding seeds combined, "0+1+2".
    revisions, remasks: committed tokens changed, or masked again, summed over the samples. afp, kendall_tau: see
    `reports.order`.
    seeds: how many runs were combined; accuracy_sd and tpf_sd: their sample standard deviation (None below two seeds).
    """

    suite: str
    task: str
    method: str
    source: str
    setting: str
    tpf: float
    accuracy: float
    tpf_lo: float | None = None
    tpf_hi: float | None = None
    acc_lo: float | None = None
    acc_hi: float | None = None
    n_samples: int | None = None
    nominal: bool = False
    run_id: str = ""
    label: str = ""
    status: str = "run"
    copied_from: str = ""
    printed: str = ""
    protocol: str = ""
    protocol_digest: str = ""
    tps: float | None = None
    batch_size: int | None = None
    device: str = ""
    positions_per_token: float | None = None
    tpf_compat: Mapping[str, float] = field(default_factory=dict)
    seeds: int = 1
    accuracy_sd: float | None = None
    tpf_sd: float | None = None
    command: str = ""
    base: str = ""
    axis: str = ""
    axis_value: str = ""
    train_seed: str = ""
    revisions: int | None = None
    remasks: int | None = None
    afp: float | None = None
    kendall_tau: float | None = None
    seed: str = ""
    flags: tuple[str, ...] = ()

    @property
    def pair(self) -> tuple[float, float]:
        """(TPF, accuracy), as `reports.aup.aup` takes it."""
        return self.tpf, self.accuracy


@dataclass(frozen=True)
class Cohort:
    """The rows compared in one table of one suite, and the best accuracy per task that their AUP is scaled by.

    policy: how y_max was chosen ("cohort", "published:tad", "file:PATH", "method:NAME"). methods: (method, source).
    """

    name: str
    suite: str
    tasks: tuple[str, ...]
    methods: tuple[tuple[str, str], ...]
    y_max: Mapping[str, float]
    policy: str = "cohort"


@dataclass(frozen=True)
class AupRow:
    """One row of aup.csv. aup, aup_clipped and their intervals: percent * tokens per forward pass.

    dropped: points below the first one's accuracy - drop. reach: the TPF up to which clipped AUP counts.
    """

    suite: str
    task: str
    method: str
    source: str
    aup: float
    aup_lo: float | None
    aup_hi: float | None
    y_max: float
    alpha: float
    n_points: int
    cohort: str
    aup_clipped: float = 0.0
    aup_clipped_lo: float | None = None
    aup_clipped_hi: float | None = None
    label: str = ""
    dropped: int = 0
    reach: float | None = None


@dataclass(frozen=True)
class LeaderRow:
    """One row of leaderboard.csv. Averages are over `n_tasks`, the tasks the row really has; all of them give a rank.

    avg_accuracy (percent) and avg_tpf: of the shown point per task. missing: the cohort's tasks this row lacks;
    such a row has rank None. cells: task -> {"tpf", "accuracy"} of the shown point, "aup" and "aup_clipped". _lo and
    _hi: 95 % intervals. Rows of runs are ranked by avg_aup_clipped, a paper's own table by avg_aup (`ranked_by`).
    rank_lo, rank_hi: the ranks that 95 % of the draws leave; p_first: the share of draws in which it is first.
    """

    suite: str
    method: str
    source: str
    n_tasks: int
    avg_accuracy: float
    avg_tpf: float
    avg_aup: float
    cohort: str
    label: str = ""
    rank: int | None = None
    missing: tuple[str, ...] = ()
    cells: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    avg_aup_lo: float | None = None
    avg_aup_hi: float | None = None
    avg_aup_clipped: float = 0.0
    avg_aup_clipped_lo: float | None = None
    avg_aup_clipped_hi: float | None = None
    rank_lo: int | None = None
    rank_hi: int | None = None
    p_first: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One row of compare.csv: row A minus row B of a cohort. metric: "avg_aup_clipped" or "avg_aup".

    lo, hi: 95 % interval of the difference, paired over documents (and training seeds). p: two-sided, of the same test.
    p_holm: adjusted for all comparisons of the cohort with that metric.
    """

    suite: str
    row_a: str
    row_b: str
    metric: str
    difference: float
    lo: float
    hi: float
    p: float
    p_holm: float
    cohort: str


@dataclass(frozen=True)
class Finding:
    """Something a reader should know. level: "note", "warning" or "error" (the data it names was left out).

    suite, source: "" for all. tasks, methods: empty for all. data: the numbers behind the sentence, JSON-ready.
    """

    check: str
    level: str
    text: str
    suite: str = ""
    source: str = ""
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProtocolCard:
    """What fixed a task's prompts and scores for the rows named. fields: in the order to show them."""

    suite: str
    task: str
    source: str
    methods: tuple[str, ...]
    title: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """Everything a report shows, as plain data; `as_dict()` is JSON-ready apart from Paths (there are none).

    header: sentences that belong at the top (mixed protocols and the like). methods: name -> title, kind, colour
    (light, dark), marker and line style. runs: run_id -> suite, method, task, setting, seed, command, versions, ….
    samples: for the replay; see `reports.replay`. tps: rows of measured or published speed. comparisons: every pair of
    measured rows of a cohort. rank_probabilities: rows of rank_probabilities.csv.
    """

    title: str
    header: tuple[str, ...]
    methods: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, Mapping[str, Any]]
    points: tuple[Point, ...]
    cohorts: tuple[Cohort, ...]
    aup: tuple[AupRow, ...]
    leaderboard: tuple[LeaderRow, ...]
    findings: tuple[Finding, ...]
    protocols: tuple[ProtocolCard, ...]
    runs: Mapping[str, Mapping[str, Any]]
    samples: tuple[Mapping[str, Any], ...]
    tps: tuple[Mapping[str, Any], ...]
    comparisons: tuple[Comparison, ...]
    rank_probabilities: tuple[Mapping[str, Any], ...]
    options: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The whole report as nested dicts and lists."""
        return asdict(self)


def ranked_by(source: str) -> str:
    """The column that ranks a cohort: a paper's own table keeps the paper's AUP, everything else takes clipped AUP."""
    return "avg_aup" if source.startswith("published:") else "avg_aup_clipped"


def row(item: Any, columns: Sequence[str]) -> dict[str, Any]:
    """The named columns of one of the dataclasses above."""
    return {name: getattr(item, name) for name in columns}
