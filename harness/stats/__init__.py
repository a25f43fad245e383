"""Statistics with numpy: how far a measured accuracy, TPF or AUP can be believed, and what a comparison shows.

One interval per kind of number: Wilson for an accuracy, a bootstrap over documents for a ratio of sums (TPF) and for
the area under a curve (AUP). Everything is deterministic: the same samples and seed give the same interval.
"""

from harness.stats.areas import AreaRows, aup_rows, clipped_aup_rows
from harness.stats.curves import Replicas, bootstrap_aup, bootstrap_aups, joint_draws
from harness.stats.intervals import bootstrap_ratio, percentile, resample_weights, wilson
from harness.stats.inversion import rank_interval, sign_p
from harness.stats.paired import (
    SIGNIFICANT,
    AccuracyPair,
    Difference,
    accuracy_interval,
    mcnemar_exact,
    newcombe_paired,
    paired_accuracy,
    paired_aup,
    paired_ratio,
)
from harness.stats.rows import (
    RowDifference,
    RowDraws,
    TaskCurves,
    draw_rows,
    holm,
    rank_probabilities,
    row_difference,
)
from harness.stats.samples import Samples, aligned, unscored
from harness.stats.seeds import SeedSpread, combine_seeds, pool_seeds

__all__ = [
    "SIGNIFICANT",
    "AccuracyPair",
    "AreaRows",
    "Difference",
    "Replicas",
    "RowDifference",
    "RowDraws",
    "Samples",
    "SeedSpread",
    "TaskCurves",
    "accuracy_interval",
    "aligned",
    "aup_rows",
    "bootstrap_aup",
    "bootstrap_aups",
    "bootstrap_ratio",
    "clipped_aup_rows",
    "combine_seeds",
    "draw_rows",
    "holm",
    "joint_draws",
    "mcnemar_exact",
    "newcombe_paired",
    "paired_accuracy",
    "paired_aup",
    "paired_ratio",
    "percentile",
    "pool_seeds",
    "rank_interval",
    "rank_probabilities",
    "resample_weights",
    "row_difference",
    "sign_p",
    "unscored",
    "wilson",
]
