// Accuracy under parallelism, the formula of reports/aup.py: points are {tpf, accuracy}, accuracy in percent.

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

/** AUP in percent * tokens per forward; null without points or y_max, and for a y_max of 0 below a point above 0. */
function aup(points, yMax, alpha, drop) {
  const { kept } = aupSplit(points, drop);
  if (!kept.length || !isNumber(yMax) || (yMax === 0 && aupSorted(points).some((p) => p.accuracy > 0))) return null;
  let total = kept[0].tpf * kept[0].accuracy;
  for (let i = 1; i < kept.length; i++) {
    const [a, b] = [kept[i - 1], kept[i]];
    total += ((b.tpf - a.tpf) * (a.accuracy * aupWeight(a.accuracy, yMax, alpha) + b.accuracy * aupWeight(b.accuracy, yMax, alpha))) / 2;
  }
  return total;
}
