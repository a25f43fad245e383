// What the reader chose, and the numbers that follow from it. render() functions read `state`, change() updates it.

const DATA = JSON.parse(byId("report-data").textContent);
const ALPHA = DATA.options.alpha;
const DROP = DATA.options.drop;

const state = {
  suite: null, cohort: null, ymax: "cohort", view: "tpf",
  text: "", hiddenSources: new Set(), rankedOnly: false, sort: { key: "rank", down: false },
  hiddenMethods: new Set(), focus: null, intervals: true, open: new Set(),
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

const rowKey = (r) => [r.suite, r.method, r.source].join("\n");
const sameRow = (a, b) => a.suite === b.suite && a.method === b.method && a.source === b.source;
const suiteNames = () => Object.keys(DATA.suites);
const suiteOf = (name) => DATA.suites[name];
const UNKNOWN_METHOD = { kind: "", color: { light: "#666666", dark: "#a0a0a0" }, symbol: "circle", dash: "solid" };
const method = (name) => DATA.methods[name] || { ...UNKNOWN_METHOD, title: name };

/** A method's name here: a published row carries its paper's spelling, everything else the harness's title. */
function titleOf(name) {
  const row = DATA.leaderboard.find((l) => l.method === name && l.suite === state.suite && l.cohort === state.cohort);
  return row?.source.startsWith("published:") && row.label ? row.label : method(name).title;
}
const taskTitle = (task) => DATA.tasks[task]?.title || task;

/** A cohort is a set of rows of one suite; (suite, name) names it. */
const cohorts = (suite) => DATA.cohorts.filter((c) => c.suite === suite);
const cohort = () => DATA.cohorts.find((c) => c.suite === state.suite && c.name === state.cohort);

function keepCohortValid() {
  const known = cohorts(state.suite);
  if (!cohort()) state.cohort = known.length ? known[0].name : null;
  if (state.ymax.startsWith("method:") && !yMaxMethods().includes(state.ymax.slice(7))) state.ymax = defaultYMax();
}

/** As the report was made: the cohort's best, or the policy that `harness report --y-max` was given. */
const defaultYMax = () => (DATA.options.y_max === "cohort" ? "cohort" : "reported");

const members = () => (cohort()?.methods || []).map(([name, source]) => ({ suite: state.suite, method: name, source }));
const tasks = () => cohort()?.tasks || [];
const yMaxMethods = () => unique(members().map((m) => m.method));

DATA.points.forEach((p, i) => { p.index = i; });
const POINTS = DATA.points.reduce((map, p) => map.set(rowKey(p), [...(map.get(rowKey(p)) || []), p]), new Map());
DATA.cohorts.forEach((c) => { c.counted = new Set(c.points); });
const counts = (p) => Boolean(cohort()?.counted.has(p.index));

/** Points of a row: those that count in this cohort, and published ones outside the paper's table, for information. */
function pointsOf(row, task) {
  return (POINTS.get(rowKey(row)) || []).filter((p) => (!task || p.task === task) && (counts(p) || p.status === "commented" || p.status === "removed"));
}

/** y_max of a task under the chosen policy, in percent; null where the policy has none. */
function yMax(task) {
  if (state.ymax === "100") return 100;
  if (state.ymax === "reported") return cohort()?.y_max[task] ?? null;
  const only = state.ymax.startsWith("method:") ? state.ymax.slice(7) : null;
  const pool = members().filter((m) => !only || m.method === only).flatMap((m) => aupSorted(pointsOf(m, task)));
  return pool.length ? Math.max(...pool.map((p) => p.accuracy)) : null;
}

/** Row of aup.csv for this cell, when the choices are the ones it was computed with. */
function reportedAup(row, task, yMaxNow) {
  const found = DATA.aup.find((a) => sameRow(a, row) && a.task === task && a.cohort === state.cohort);
  return found && isNumber(yMaxNow) && Math.abs(found.y_max - yMaxNow) < 1e-9 ? found : null;
}

/** What ranks the cohort: a paper's own table keeps the paper's AUP, rows of runs take clipped AUP. */
const rankedBy = () => (state.cohort?.startsWith("published:") ? "aup" : "aup_clipped");
const OTHER = { aup: "aup_clipped", aup_clipped: "aup" };
const AREA_NAMES = { aup: "AUP", aup_clipped: "Clipped AUP" };

const mean = (list) => (list.length ? list.reduce((a, b) => a + b, 0) / list.length : null);

/** The leaderboard of the chosen suite and cohort: one entry a row, AUP recomputed here from the points. */
function leaderboard() {
  const names = tasks();
  const tops = Object.fromEntries(names.map((t) => [t, yMax(t)]));
  const rows = members().map((row) => {
    const recorded = DATA.leaderboard.find((l) => sameRow(l, row) && l.cohort === state.cohort);
    const cells = {};
    for (const task of names) {
      const points = pointsOf(row, task);
      const value = aup(points, tops[task], ALPHA, DROP);
      cells[task] = { aup: value, aup_clipped: clippedAup(points, tops[task], ALPHA, DROP), points, shown: recorded?.cells[task] || null, reported: value === null ? null : reportedAup(row, task, tops[task]) };
    }
    const done = names.filter((t) => cells[t].aup !== null);
    const missing = unique([...names.filter((t) => cells[t].aup === null), ...(recorded?.missing || [])]);
    return { ...row, cells, missing, n_tasks: done.length, ranked: missing.length === 0, 
      avg_accuracy: recorded?.avg_accuracy ?? null, avg_tpf: recorded?.avg_tpf ?? null, avg_aup: mean(done.map((t) => cells[t].aup)), avg_aup_clipped: mean(done.map((t) => cells[t].aup_clipped)), recorded };
  });
  const by = "avg_" + rankedBy();
  const order = rows.filter((r) => r.ranked && isNumber(r[by])).sort((a, b) => b[by] - a[by]);
  order.forEach((r) => { r.rank = 1 + order.filter((o) => o[by] > r[by] + 1e-9).length; });
  return { rows, tasks: names, tops };
}

const aboutSuite = (f, row) => (!f.suite || f.suite === row.suite) && (!f.source || f.source === row.source);

/** Findings that name this row, or, when `task` is given, this row on this task. */
function findingsOf(row, task) {
  return DATA.findings.filter((f) => aboutSuite(f, row) && f.methods.includes(row.method) && (!task || f.tasks.includes(task)));
}

/** Findings about the whole table that is shown: they name none of its rows in particular. */
function findingsOfTable() {
  const sources = unique(members().map((m) => m.source));
  return DATA.findings.filter((f) => !f.methods.length && (!f.suite || f.suite === state.suite) && (!f.source || sources.includes(f.source)));
}
