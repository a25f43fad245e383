// Starts the page: tables at once, charts as soon as the plotting library is unpacked.

function startHarnessReport() {
  state.suite = suiteNames()[0] || null;
  state.ymax = defaultYMax();
  keepCohortValid();
  // That a suite is mini is stated in #mini-note, where such a suite is chosen.
  fill(byId("header-notes"), ...[...DATA.header, ...DATA.left_out].filter((line) => !line.startsWith("Suite mini")).map((line) => el("p", { class: line.startsWith("MIXED") ? "notice" : "soft small" }, line)));
  setUpControls();
  setUpBoard();
  setUpComparisons();
  setUpCurves();
  onChange(renderTableFindings);
  setUpFindings();
  onChange(renderProtocols);
  setUpReplay();
  setUpTheme()();
  const failed = (error) => {
    byId("charts-failed").hidden = false;
    byId("charts-failed").textContent = visible("The charts need a browser with DecompressionStream (2023 or newer); tables and replay work without. " + error);
    document.documentElement.dataset.ready = "no-charts";
  };
  loadPlotly().then(drawCharts, failed);
}

function renderTableFindings() {
  const list = findingsOfTable();
  const box = byId("table-findings");
  box.hidden = !list.length;
  fill(box, el("summary", {}, plural(list.length, "finding") + " about this table as a whole"), ...list.map((f) => findingCard(f, "row")));
}

startHarnessReport();
