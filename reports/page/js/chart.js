// One chart: traces and layout for Plotly. Segments between measured points are straight; nothing is fitted.

const VIEWS = {
  tpf: { label: "Accuracy and TPF", x: (p) => p.tpf, y: (p) => p.accuracy, xTitle: "TPF, tokens per forward pass", yTitle: "Accuracy, %", ex: ["tpf_lo", "tpf_hi"], ey: ["acc_lo", "acc_hi"] },
  tps: { label: "Accuracy and TPS", x: (p) => p.tps, y: (p) => p.accuracy, xTitle: "TPS, tokens per second", yTitle: "Accuracy, %", ex: null, ey: ["acc_lo", "acc_hi"] },
  positions: { label: "TPF and positions per token", x: (p) => p.positions_per_token, y: (p) => p.tpf, xTitle: "Positions computed per token", yTitle: "TPF, tokens per forward pass", ex: null, ey: ["tpf_lo", "tpf_hi"] },
};
const MARGIN = { l: 52, r: 14, t: 8, b: 42 };
const HEIGHT = 330;

const cssVar = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Every point a chart can show, by its place in this list: measured or published points, then published speeds. */
const SHOWABLE = [...DATA.points, ...DATA.speeds];
DATA.speeds.forEach((p, i) => { p.index = DATA.points.length + i; });

/** Per row: points that count, points below the floor, and points shown for information only. */
function chartSeries(task) {
  const view = VIEWS[state.view];
  return members().filter((m) => !state.hiddenMethods.has(m.method) && !state.hiddenSources.has(m.source)).map((row) => {
    const speeds = state.view === "tps" ? DATA.speeds.filter((s) => sameRow(s, row) && s.task === task) : [];
    const points = [...pointsOf(row, task), ...speeds].filter((p) => isNumber(view.x(p)) && isNumber(view.y(p)));
    const { kept, dropped, floor } = aupSplit(points, DROP);
    return { row, kept, dropped, floor, cut: aupCut(points, DROP), extra: points.filter((p) => !kept.includes(p) && !dropped.includes(p)) };
  }).filter((s) => s.kept.length + s.dropped.length + s.extra.length);
}

const seriesPoints = (s) => [...s.kept, ...s.dropped, ...s.extra];

function errorBar(points, value, keys, color) {
  if (!keys || !state.intervals || !points.some((p) => isNumber(p[keys[0]]) && isNumber(p[keys[1]]))) return undefined;
  const side = (p, k, sign) => (isNumber(p[k]) ? Math.max(0, sign * (p[k] - value(p))) : 0);
  return { type: "data", symmetric: false, array: points.map((p) => side(p, keys[1], 1)), arrayminus: points.map((p) => side(p, keys[0], -1)), color: color + "88", thickness: 1, width: 2 };
}

function seriesTraces(series) {
  const view = VIEWS[state.view];
  const { row, kept, dropped, extra, cut } = series;
  const about = method(row.method);
  const color = colorOf(row.method);
  const faded = state.focus && state.focus !== row.method;
  const shade = (opacity) => (faded ? opacity * 0.18 : opacity);
  const trace = (points, rest) => ({ type: "scatter", hoverinfo: "none", showlegend: false, x: points.map(view.x), y: points.map(view.y), customdata: points.map((p) => p.index), mode: "markers", ...rest });
  const order = state.view === "tpf" ? kept : [...kept].sort((a, b) => view.x(a) - view.x(b));
  const width = state.focus === row.method ? 2.6 : 1.7;
  const marked = (points, opacity, size) => trace(points, { opacity: shade(opacity), marker: { color, size, symbol: points.map((p) => about.symbol + (p.nominal ? "-open" : "")), line: { color, width: 1.4 } }, error_x: errorBar(points, view.x, view.ex, color), error_y: errorBar(points, view.y, view.ey, color) });
  const segment = (points, dash) => trace(points, { mode: "lines", hoverinfo: "skip", customdata: undefined, opacity: shade(1), line: { color, width, shape: "linear", dash } });
  const traces = [];
  if (state.view === "tpf") {
    // solid up to the cut of clipped AUP, dashed behind it
    const counted = cut.cut ? [...cut.before, cut.cut] : cut.before;
    if (counted.length > 1) traces.push(segment(counted, "solid"));
    if (cut.cut) traces.push(segment([cut.cut, ...cut.behind], "dash"));
  } else if (order.length > 1) traces.push(segment(order, about.dash));
  traces.push(marked(order, 1, 8));
  if (dropped.length) traces.push(marked(dropped, 0.6, 6));
  if (extra.length) traces.push(trace(extra, { opacity: shade(0.45), marker: { color, size: 6, symbol: about.symbol + "-open", line: { color, width: 1 } } }));
  return traces;
}

/** Axis ranges with space for intervals and, on the right, for the labels. */
function chartRange(all, pad, zero) {
  const lo = Math.min(...all);
  const hi = Math.max(...all);
  const span = hi - lo || Math.max(1, Math.abs(hi) * 0.2);
  return [zero ? Math.max(0, lo - span * 0.06) : lo - span * pad, hi + span * (zero ? pad : 0.08)];
}

function chartLayout(list, width) {
  const view = VIEWS[state.view];
  const points = list.flatMap(seriesPoints);
  const withBars = (value, keys) => points.flatMap((p) => [value(p), ...(state.intervals && keys ? keys : []).map((k) => p[k])]).filter(isNumber);
  const named = list.length <= 12 && width >= 380;
  const x = chartRange(withBars(view.x, view.ex), named ? 0.3 : 0.06, true);
  const y = chartRange(withBars(view.y, view.ey), 0.1, false);
  const axis = { color: cssVar("--soft"), gridcolor: cssVar("--faint"), linecolor: cssVar("--line"), zeroline: false, showline: true, ticks: "outside", tickcolor: cssVar("--line"), fixedrange: true, tickfont: { size: 11 } };
  const axisTitle = (text) => ({ text, font: { size: 12, color: cssVar("--soft") }, standoff: 6 });
  return { height: HEIGHT, width, margin: MARGIN, hovermode: "closest", dragmode: false, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: cssVar("--sans"), size: 12, color: cssVar("--ink") }, xaxis: { ...axis, range: x, title: axisTitle(view.xTitle) }, yaxis: { ...axis, range: y, title: axisTitle(view.yTitle) },
    shapes: floorShapes(list, x, y), annotations: named ? endLabels(list, x, y, width) : [] };
}

/** The region AUP leaves out, shaded for the one method in focus (each method has its own floor). */
function floorShapes(list, x, y) {
  if (state.view !== "tpf") return [];
  const chosen = list.filter((s) => (state.focus ? s.row.method === state.focus : list.length === 1));
  return chosen.filter((s) => s.floor !== null && s.floor > y[0]).slice(0, 1).flatMap((s) => {
    const color = colorOf(s.row.method);
    return [{ type: "rect", layer: "below", x0: x[0], x1: x[1], y0: y[0], y1: s.floor, fillcolor: color, opacity: 0.09, line: { width: 0 } },
      { type: "line", layer: "below", x0: x[0], x1: x[1], y0: s.floor, y1: s.floor, line: { color, width: 1, dash: "dot" } }];
  });
}

/** The method's name at the end of its curve; names that would cover each other are moved apart. */
function endLabels(list, x, y, width) {
  const view = VIEWS[state.view];
  const tall = HEIGHT - MARGIN.t - MARGIN.b;
  const wide = width - MARGIN.l - MARGIN.r;
  const labels = list.map((s) => {
    const points = seriesPoints(s).filter((p) => !s.extra.includes(p));
    if (!points.length) points.push(...s.extra);
    const last = points.reduce((a, b) => (view.x(b) > view.x(a) ? b : a));
    const text = titleOf(s.row.method);
    return { s, text, px: ((view.x(last) - x[0]) / (x[1] - x[0])) * wide, py: ((y[1] - view.y(last)) / (y[1] - y[0])) * tall, wide: 6.3 * text.length, last };
  }).sort((a, b) => a.py - b.py);
  const placed = [];
  for (const label of labels) {
    if (placed.some((o) => o.text === label.text && Math.abs(o.px - label.px) < 2 && Math.abs(o.py - label.py) < 2)) continue;
    label.at = label.py;
    for (let moved = true; moved; ) {
      moved = false;
      for (const o of placed) {
        const beside = label.px + 8 < o.px + 8 + o.wide && o.px + 8 < label.px + 8 + label.wide;
        if (beside && Math.abs(label.at - o.at) < 13) { label.at = o.at + 13; moved = true; }
      }
    }
    placed.push(label);
  }
  return placed.map((l) => ({ x: view.x(l.last), y: view.y(l.last), text: plotlyText(l.text), showarrow: false, xanchor: "left", xshift: 8, yshift: l.py - l.at,
    bgcolor: isDark() ? "rgba(20,23,27,.6)" : "rgba(255,255,255,.65)", borderpad: 0, font: { size: 11, color: colorOf(l.s.row.method) }, opacity: state.focus && state.focus !== l.s.row.method ? 0.25 : 1 }));
}
