// Audit findings and protocol cards.

function findingCard(finding, withRows) {
  const rows = withRows ? el("div", { class: "rows" }, ...finding.rows.filter((r) => r.method).slice(0, 24).map((r) => el("button", { type: "button", onclick: () => showRow(r) },
    [method(r.method).title, r.task ? taskTitle(r.task) : null, r.suite && suiteOf(r.suite) ? suiteOf(r.suite).title : null].filter(Boolean).join(" · ")))) : null;
  return el("div", { class: "finding " + finding.severity, id: withRows ? "finding-" + finding.n : null, tabindex: withRows ? "-1" : null },
    el("div", {}, el("span", { class: "tag " + finding.severity }, finding.severity), " ", el("strong", {}, finding.title)),
    finding.text && finding.text !== finding.title ? el("p", {}, finding.text) : null, rows);
}

/** From a finding to the leaderboard line it is about. */
function showRow(ref) {
  const suite = ref.suite && suiteOf(ref.suite) ? ref.suite : state.suite;
  const holds = (c) => c.members.some((m) => m.suite === suite && m.method === ref.method && (!ref.source || m.source === ref.source));
  const home = [cohort(), ...DATA.cohorts].find((c) => c && holds(c));
  if (!home) return;
  const row = home.members.find((m) => m.suite === suite && m.method === ref.method && (!ref.source || m.source === ref.source));
  state.hiddenSources.delete(row.source);
  byId("filter").value = "";
  byId("ranked-only").checked = false;
  change({ suite, cohort: home.id, text: "", rankedOnly: false });
  state.open.add(rowKey(row));
  renderBoard();
  const line = [...byId("board").querySelectorAll("tr[data-row]")].find((r) => r.dataset.row === rowKey(row));
  line?.scrollIntoView({ block: "center" });
  line?.querySelector("button")?.focus();
}

function renderFindings() {
  const wanted = byId("finding-filter").value;
  const here = byId("finding-suite").checked;
  const list = DATA.findings.filter((f) => (wanted === "all" || f.severity === wanted) && (!here || !f.rows.length || f.rows.some((r) => !r.suite || r.suite === state.suite)));
  byId("finding-count").textContent = plural(list.length, "finding") + " of " + DATA.findings.length;
  const head = list.slice(0, 12).map((f) => findingCard(f, true));
  const tail = list.slice(12).map((f) => findingCard(f, true));
  fill(byId("finding-list"), ...head, ...(tail.length ? [el("details", { id: "finding-rest" }, el("summary", {}, plural(tail.length, "more finding")), ...tail)] : []));
}

function setUpFindings() {
  const present = SEVERITIES.filter((s) => DATA.findings.some((f) => f.severity === s));
  fill(byId("finding-filter"), option("all", "Every severity", true), ...present.map((s) => option(s, s, false)));
  byId("finding-filter").addEventListener("change", renderFindings);
  byId("finding-suite").addEventListener("change", renderFindings);
  document.addEventListener("click", (e) => {
    const link = e.target.closest?.('a[href^="#finding-"]');
    if (!link) return;
    const open = () => document.getElementById(link.getAttribute("href").slice(1));
    if (!open()) { byId("finding-filter").value = "all"; byId("finding-suite").checked = false; renderFindings(); }
    if (byId("finding-rest")?.contains(open())) byId("finding-rest").open = true;
    open()?.focus({ preventScroll: true });
  });
  onChange(renderFindings);
}

function protocolCard(protocol) {
  const facts = Object.entries(protocol.facts).filter(([, v]) => v !== null && v !== "");
  return el("article", { class: "card" }, el("h3", {}, protocol.id, " ", protocol.mini ? el("span", { class: "tag mini" }, "mini") : null),
    protocol.summary ? el("p", { class: "small" }, protocol.summary) : null,
    el("dl", { class: "facts" }, ...facts.flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, el("span", { class: String(v).length > 24 ? "untrusted" : "" }, v))])));
}

function renderProtocols() {
  const list = DATA.protocols.filter((p) => !p.suites.length || p.suites.includes(state.suite));
  fill(byId("protocol-list"), ...(list.length ? list.map(protocolCard) : [el("p", { class: "soft" }, "No protocol card is stored for this suite.")]));
}
