// The charts of a suite: loading Plotly, the legend, hover and keyboard, the card of one point.

/** Plotly is stored compressed; the content-security policy admits exactly this text, by its hash. */
async function loadPlotly() {
  const packed = Uint8Array.from(atob(byId("plotly-gz").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const source = await new Response(stream).text();
  const script = document.createElement("script");
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("harness-plotly", { createScript: (s) => s }) : null;
  script.textContent = policy ? policy.createScript(source) : source;
  document.head.append(script);
}

function renderLegend() {
  const names = unique(members().map((m) => m.method));
  fill(byId("legend"), ...names.map((name) => {
    const on = !state.hiddenMethods.has(name);
    const button = el("button", { type: "button", class: "key", "aria-pressed": String(on), title: "Show or hide; point at it to bring it forward", onclick: () => {
      if (on) state.hiddenMethods.add(name); else state.hiddenMethods.delete(name);
      change({ focus: null });
      [...byId("legend").children].find((b) => b.dataset.method === name)?.focus();
    } }, swatch(name), titleOf(name));
    button.dataset.method = name;
    const focus = (value) => () => { if (state.focus !== value) { state.focus = value; drawCharts(); } };
    button.addEventListener("mouseenter", focus(on ? name : null));
    button.addEventListener("mouseleave", focus(null));
    button.addEventListener("focus", focus(on ? name : null));
    button.addEventListener("blur", focus(null));
    return button;
  }));
}

function pointFacts(p) {
  const facts = [["TPF", fixed(p.tpf, 2) + " " + range(p.tpf_lo, p.tpf_hi, 2) + (p.nominal ? " nominal: typed in, not counted" : "")], ["Accuracy", fixed(p.accuracy, 2) + " % " + range(p.acc_lo, p.acc_hi, 1)],
    ["n", p.n_samples], ["Setting", settingText(p.setting) || "not stated"], ["Source", p.source], ["TPS", isNumber(p.tps) ? fixed(p.tps, 1) : null], ["Positions/token", isNumber(p.positions_per_token) ? fixed(p.positions_per_token, 1) : null],
    ["Protocol", p.protocol], ["Run", p.run_id], ["Note", pointTags(p).filter((t) => t !== " ").map((t) => t.textContent).join("; ")]];
  return el("dl", { class: "facts" }, ...facts.filter(([, v]) => v !== null && v !== undefined && v !== "").flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, el("span", { class: "isolate" }, v))]));
}

function pointTitle(p) {
  return el("div", { class: "card-title" }, swatch(p.method), el("strong", {}, titleOf(p.method)), " · " + taskTitle(p.task), suiteOf(p.suite)?.mini ? el("span", { class: "tag mini" }, "mini") : null);
}

function showCard(p, left, top) {
  const card = byId("hover-card");
  fill(card, pointTitle(p), pointFacts(p), p.command ? el("code", { class: "command" }, p.command) : el("span", { class: "soft small" }, "No command: a published number."));
  card.hidden = false;
  const box = card.getBoundingClientRect();
  card.style.left = Math.max(6, Math.min(left + 14, window.innerWidth - box.width - 10)) + "px";
  card.style.top = Math.max(6, top + box.height + 20 > window.innerHeight ? top - box.height - 14 : top + 14) + "px";
}

const hideCard = () => { byId("hover-card").hidden = true; };

function pinPoint(p) {
  fill(byId("pinned"), pointTitle(p), pointFacts(p), ...(p.command ? [commandLine(p.command)] : []));
}

/** Arrow keys walk the points of a chart from left to right, Enter keeps one below the charts. */
function chartKeys(event, plot, task) {
  const view = VIEWS[state.view];
  const points = chartSeries(task).flatMap(seriesPoints).sort((a, b) => view.x(a) - view.x(b) || view.y(b) - view.y(a));
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") return hideCard();
  if (event.key === "Enter" && plot.at !== undefined && points[plot.at]) { event.preventDefault(); return pinPoint(points[plot.at]); }
  if (!step || !points.length) return undefined;
  event.preventDefault();
  plot.at = plot.at === undefined ? (step > 0 ? 0 : points.length - 1) : (plot.at + step + points.length) % points.length;
  const p = points[plot.at];
  state.focus = p.method;
  drawChart(plot.parentNode);
  const { xaxis, yaxis } = plot.layout;
  const box = plot.getBoundingClientRect();
  const px = MARGIN.l + ((view.x(p) - xaxis.range[0]) / (xaxis.range[1] - xaxis.range[0])) * (box.width - MARGIN.l - MARGIN.r);
  const py = MARGIN.t + ((yaxis.range[1] - view.y(p)) / (yaxis.range[1] - yaxis.range[0])) * (HEIGHT - MARGIN.t - MARGIN.b);
  showCard(p, box.left + px, box.top + py);
  byId("said").textContent = visible(`${titleOf(p.method)}: TPF ${fixed(p.tpf, 2)}, accuracy ${fixed(p.accuracy, 2)} percent, ${settingText(p.setting) || "setting not stated"}`);
  return undefined;
}

function chartFigure(task) {
  const plot = el("div", { class: "plot", tabindex: "0", role: "application", "aria-roledescription": "chart" });
  plot.addEventListener("keydown", (e) => chartKeys(e, plot, task));
  plot.addEventListener("blur", () => {
    hideCard();
    if (plot.at === undefined) return;
    plot.at = undefined;
    state.focus = null;
    drawChart(figure);
  });
  const table = el("details", { class: "small" }, el("summary", {}, "Points as a table"));
  table.addEventListener("toggle", () => {
    if (table.open && table.children.length < 2) table.append(pointTable(members().flatMap((m) => pointsOf(m, task)).sort((a, b) => a.tpf - b.tpf), true));
  });
  const figure = el("figure", { class: "chart", "data-task": task }, el("figcaption", {}, el("strong", {}, taskTitle(task)), " ", suiteOf(state.suite).mini ? el("span", { class: "tag mini" }, "mini") : null), plot, table);
  figure.plot = plot;
  return figure;
}

function drawChart(figure) {
  const { plot } = figure;
  const list = chartSeries(figure.dataset.task);
  const count = list.flatMap(seriesPoints).length;
  plot.setAttribute("aria-label", visible(`${taskTitle(figure.dataset.task)}, ${VIEWS[state.view].label}: ${plural(list.length, "curve")}, ${plural(count, "point")}. Arrow keys walk the points, Enter keeps one below.`));
  if (!count) {
    if (plot.data) window.Plotly.purge(plot);
    fill(plot, el("p", { class: "empty soft" }, state.view === "tpf" ? "No point is shown." : "Not measured for any method shown."));
    return;
  }
  const first = !plot.data;
  if (first) plot.replaceChildren();
  window.Plotly.react(plot, list.flatMap(seriesTraces), chartLayout(list, plot.clientWidth), { displayModeBar: false });
  if (!first) return;
  plot.on("plotly_hover", (e) => showCard(SHOWABLE[e.points[0].customdata], e.event.clientX, e.event.clientY));
  plot.on("plotly_unhover", hideCard);
  plot.on("plotly_click", (e) => pinPoint(SHOWABLE[e.points[0].customdata]));
}

/** Draws every chart, each in its own task: tables and buttons answer while hundreds of points are drawn. */
const drawing = { queue: [], timer: null };

function drawCharts() {
  if (!window.Plotly) return;
  document.documentElement.dataset.ready = "drawing";
  drawing.queue = [...byId("charts").children];
  drawing.timer ??= setTimeout(drawNext);
}

function drawNext() {
  drawing.timer = null;
  const figure = drawing.queue.shift();
  if (figure?.isConnected) drawChart(figure);
  if (drawing.queue.length) drawing.timer = setTimeout(drawNext);
  else document.documentElement.dataset.ready = "true";
}

function setUpCurves() {
  fill(byId("view"), ...Object.entries(VIEWS).map(([k, v]) => option(k, v.label, k === state.view)));
  byId("view").addEventListener("change", (e) => change({ view: e.target.value }));
  byId("intervals").addEventListener("change", (e) => change({ intervals: e.target.checked }));
  byId("all-methods").addEventListener("click", () => change({ hiddenMethods: new Set() }));
  byId("no-methods").addEventListener("click", () => change({ hiddenMethods: new Set(members().map((m) => m.method)) }));
  let figuresFor = null;
  let drawnFor = null;
  onChange(() => {
    const figures = JSON.stringify([state.suite, state.cohort, tasks()]);
    const look = JSON.stringify([figures, state.view, state.intervals, state.focus, [...state.hiddenMethods], [...state.hiddenSources], isDark()]);
    if (figures !== figuresFor) fill(byId("charts"), ...tasks().map(chartFigure));
    if (look !== drawnFor) {
      renderLegend();
      drawCharts();
    }
    [figuresFor, drawnFor] = [figures, look];
  });
  window.addEventListener("resize", () => { clearTimeout(setUpCurves.timer); setUpCurves.timer = setTimeout(drawCharts, 120); });
  window.addEventListener("scroll", hideCard, { passive: true });
}
