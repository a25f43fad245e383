// Accuracy under parallelism and its clipped form, the formulas of reports/aup.py: points are {tpf, accuracy}, accuracy in percent.

function aupWeight(accuracy, yMax, alpha) {
  return yMax > 0 ? Math.min(Math.exp(-alpha * (1 - accuracy / yMax)), 1) : 1;
}

/** Points that count in the chosen cohort, sorted by TPF; equal TPF: by accuracy. */
function aupSorted(points) {
  const usable = points.filter((p) => isNumber(p.tpf) && p.tpf > 0 && isNumber(p.accuracy) && p.accuracy >= 0 && p.accuracy <= 100 && counts(p));
  return usable.sort((a, b) => a.tpf - b.tpf || a.accuracy - b.accuracy);
}

/** Sorted points split at the floor: accuracy of the slowest point minus `drop` percentage points. */
function aupSplit(points, drop) {
  const sorted = aupSorted(points);
  if (!sorted.length) return { kept: [], dropped: [], floor: null };
  const floor = sorted[0].accuracy - drop;
  return { kept: sorted.filter((p) => p.accuracy >= floor), dropped: sorted.filter((p) => p.accuracy < floor), floor };
}

/** The unweighted first term and the weighted trapezoids of sorted points. */
function areaOf(points, yMax, alpha) {
  let total = points[0].tpf * points[0].accuracy;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    total += ((b.tpf - a.tpf) * (a.accuracy * aupWeight(a.accuracy, yMax, alpha) + b.accuracy * aupWeight(b.accuracy, yMax, alpha))) / 2;
  }
  return total;
}

/** Where the curve through all points first falls below the floor: {before, cut, behind}; cut is null where it never does. */
function aupCut(points, drop) {
  const sorted = aupSorted(points);
  const floor = sorted.length ? sorted[0].accuracy - drop : 0;
  const i = sorted.findIndex((p) => p.accuracy < floor);
  if (i < 0) return { before: sorted, cut: null, behind: [] };
  const [a, b] = [sorted[i - 1], sorted[i]];
  const cut = { tpf: a.tpf + ((b.tpf - a.tpf) * (a.accuracy - floor)) / (a.accuracy - b.accuracy), accuracy: floor };
  return { before: sorted.slice(0, i), cut, behind: sorted.slice(i) };
}

const aupDefined = (sorted, yMax) => sorted.length > 0 && isNumber(yMax) && !(yMax === 0 && sorted.some((p) => p.accuracy > 0));

/** Clipped AUP in percent * tokens per forward pass: the curve through all points up to its cut; null as for `aup`. */
function clippedAup(points, yMax, alpha, drop) {
  const { before, cut } = aupCut(points, drop);
  return aupDefined(aupSorted(points), yMax) ? areaOf(cut ? [...before, cut] : before, yMax, alpha) : null;
}

/** AUP in percent * tokens per forward pass; null without points or y_max, and for a y_max of 0 below a point above 0. */
function aup(points, yMax, alpha, drop) {
  const { kept } = aupSplit(points, drop);
  return aupDefined(aupSorted(points), yMax) ? areaOf(kept, yMax, alpha) : null;
}
