"""Pure numpy statistics: how far a measured accuracy, TPF or AUP can be believed, and what a comparison shows.

One interval per kind of number: Wilson for an accuracy, a bootstrap over documents for a ratio of sums (TPF) and for
the area under a curve (AUP). Everything is deterministic: the same samples and seed give the same interval.
"""

from harness.stats.curves import aup_rows, bootstrap_aup, bootstrap_aups
from harness.stats.intervals import bootstrap_ratio, percentile, resample_weights, wilson
from harness.stats.paired import (
    AccuracyPair,
    Difference,
    mcnemar_exact,
    newcombe_paired,
    paired_accuracy,
    paired_aup,
    paired_ratio,
)
from harness.stats.samples import Samples, aligned
from harness.stats.seeds import SeedSpread, combine_seeds, pool_seeds

__all__ = [
    "AccuracyPair",
    "Difference",
    "Samples",
    "SeedSpread",
    "aligned",
    "aup_rows",
    "bootstrap_aup",
    "bootstrap_aups",
    "bootstrap_ratio",
    "combine_seeds",
    "mcnemar_exact",
    "newcombe_paired",
    "paired_accuracy",
    "paired_aup",
    "paired_ratio",
    "percentile",
    "pool_seeds",
    "resample_weights",
    "wilson",
]
