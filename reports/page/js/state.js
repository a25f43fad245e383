// What the reader chose, and the numbers that follow from it. render() functions read `state`, change() updates it.

const DATA = JSON.parse(byId("report-data").textContent);
const ALPHA = DATA.meta.alpha;
const DROP = DATA.meta.drop;

const state = {
  suite: null, cohort: null, ymax: "cohort", view: "tpf",
  text: "", hiddenSources: new Set(), rankedOnly: false, sort: { key: "avg_aup", down: true },
  hiddenMethods: new Set(), focus: null, open: new Set(),
};
const renderers = [];
const onChange = (render) => renderers.push(render);

function change(values) {
  Object.assign(state, values);
  if ("suite" in values || "cohort" in values) {
    keepCohortValid();
    state.open.clear();
  }
  renderers.forEach((render) => render());
}

const rowKey = (r) => [r.suite, r.method, r.source].join("\u0000");
const suiteNames = () => Object.keys(DATA.suites);
const suiteOf = (name) => DATA.suites[name];
const method = (name) => DATA.methods[name] || { title: name, color: "#777777", dark: "#999999", symbol: "circle" };
const cohorts = (suite) => DATA.cohorts.filter((c) => c.members.some((m) => m.suite === suite));
const cohort = () => DATA.cohorts.find((c) => c.id === state.cohort);

function keepCohortValid() {
  const known = cohorts(state.suite);
  if (!known.some((c) => c.id === state.cohort)) state.cohort = known.length ? known[0].id : null;
  if (state.ymax.startsWith("method:") && !yMaxMethods().includes(state.ymax.slice(7))) state.ymax = "cohort";
  if (state.ymax === "reported" && !cohort()?.y_max?.[state.suite]) state.ymax = "cohort";
}

/** Rows (suite, method, source) of the chosen cohort in the chosen suite. */
function members() {
  const chosen = cohort();
  return chosen ? chosen.members.filter((m) => m.suite === state.suite) : [];
}

function pointsOf(row, task) {
  return DATA.points.filter((p) => p.suite === row.suite && p.method === row.method && p.source === row.source && (!task || p.task === task));
}

const yMaxMethods = () => unique(members().map((m) => m.method));
const tasks = () => {
  const present = new Set(members().flatMap((m) => pointsOf(m).map((p) => p.task)));
  return (suiteOf(state.suite)?.tasks || []).filter((t) => present.has(t));
};

/** y_max of a task under the chosen policy, in percent; null where the policy has none. */
function yMax(task) {
  if (state.ymax === "100") return 100;
  if (state.ymax === "reported") return cohort().y_max[state.suite][task] ?? null;
  const only = state.ymax.startsWith("method:") ? state.ymax.slice(7) : null;
  const pool = members().filter((m) => !only || m.method === only).flatMap((m) => aupSorted(pointsOf(m, task)));
  return pool.length ? Math.max(...pool.map((p) => p.accuracy)) : null;
}

/** Reported row of aup.csv for this cell, when the choices are the ones it was computed with. */
function reportedAup(row, task, yMaxNow) {
  const found = DATA.aup.find((a) => a.suite === row.suite && a.task === task && a.method === row.method && a.source === row.source && a.cohort === state.cohort);
  return found && isNumber(found.y_max) && isNumber(yMaxNow) && Math.abs(found.y_max - yMaxNow) < 1e-9 ? found : null;
}

const mean = (list) => (list.length ? list.reduce((a, b) => a + b, 0) / list.length : null);

/** The leaderboard of the chosen suite and cohort: one entry a row, AUP recomputed here from the points. */
function leaderboard() {
  const names = tasks();
  const tops = Object.fromEntries(names.map((t) => [t, yMax(t)]));
  const rows = members().map((row) => {
    const cells = {};
    for (const task of names) {
      const points = pointsOf(row, task);
      const value = aup(points, tops[task], ALPHA, DROP);
      cells[task] = { aup: value, points, shown: shownPoint(row, task, points), reported: value === null ? null : reportedAup(row, task, tops[task]) };
    }
    const done = names.filter((t) => cells[t].aup !== null);
    const recorded = DATA.leaderboard.find((l) => rowKey(l) === rowKey(row) && l.cohort === state.cohort) || {};
    return { ...row, cells, n_tasks: done.length, ranked: done.length === names.length && recorded.ranked !== false, why: recorded.why || null,
      avg_accuracy: recorded.avg_accuracy ?? null, avg_tpf: recorded.avg_tpf ?? null, avg_aup: mean(done.map((t) => cells[t].aup)) };
  });
  const order = rows.filter((r) => r.ranked && isNumber(r.avg_aup)).sort((a, b) => b.avg_aup - a.avg_aup);
  order.forEach((r) => { r.rank = 1 + order.filter((o) => o.avg_aup > r.avg_aup + 1e-9).length; });
  return { rows, tasks: names, tops };
}

/** The point a table shows for a cell: the one the report marked, else the slowest parallel one, else the slowest. */
function shownPoint(row, task, points) {
  const marked = points.find((p) => p.shown);
  if (marked) return marked;
  const sorted = aupSorted(points);
  return sorted.find((p) => p.tpf > 1 && !p.nominal) || sorted[0] || null;
}

/** Findings about a row, or about one task of it when `task` is given. */
function findingsOf(row, task) {
  return DATA.findings.filter((f) => f.rows.some((r) => (!r.suite || r.suite === row.suite) && (!r.method || r.method === row.method)
    && (!r.source || r.source === row.source) && (r.method || r.source || r.suite) && (!task || r.task === task)));
}
