// Audit findings and protocol cards.

const checkTitle = (check) => check.charAt(0).toUpperCase() + check.slice(1).replace(/[-_]/g, " ");

function findingCard(finding, withRows) {
  const about = [finding.suite ? suiteOf(finding.suite)?.title || finding.suite : null, finding.source || null, ...finding.tasks.map(taskTitle)].filter(Boolean);
  const rows = withRows && finding.methods.length ? el("div", { class: "rows" }, ...finding.methods.slice(0, 24).map((name) =>
    el("button", { type: "button", onclick: () => showRow(finding, name) }, swatch(name), titleOf(name)))) : null;
  return el("div", { class: "finding " + finding.level, id: withRows ? "finding-" + finding.n : null, tabindex: withRows ? "-1" : null },
    el("div", {}, el("span", { class: "tag " + finding.level }, finding.level), " ", el("strong", {}, checkTitle(finding.check)), about.length ? el("span", { class: "soft small" }, " · " + about.join(" · ")) : null),
    el("p", {}, finding.text), rows);
}

/** From a finding to the leaderboard line it is about. */
function showRow(finding, name) {
  const holds = (c) => c && (!finding.suite || c.suite === finding.suite) && c.methods.some(([m, s]) => m === name && (!finding.source || s === finding.source));
  const home = [cohort(), ...cohorts(state.suite), ...DATA.cohorts].find(holds);
  if (!home) return;
  const [, source] = home.methods.find(([m, s]) => m === name && (!finding.source || s === finding.source));
  state.hiddenSources.delete(source);
  byId("filter").value = "";
  byId("ranked-only").checked = false;
  change({ suite: home.suite, cohort: home.name, text: "", rankedOnly: false });
  const key = rowKey({ suite: home.suite, method: name, source });
  state.open.add(key);
  renderBoard();
  const line = [...byId("board").querySelectorAll("tr[data-row]")].find((r) => r.dataset.row === key);
  line?.scrollIntoView({ block: "center" });
  line?.querySelector("button")?.focus({ preventScroll: true });
}

function renderFindings() {
  const wanted = byId("finding-filter").value;
  const here = byId("finding-suite").checked;
  const list = DATA.findings.filter((f) => (wanted === "all" || f.level === wanted) && (!here || !f.suite || f.suite === state.suite));
  byId("finding-count").textContent = plural(list.length, "finding") + " of " + DATA.findings.length;
  const head = list.slice(0, 12).map((f) => findingCard(f, true));
  const tail = list.slice(12).map((f) => findingCard(f, true));
  fill(byId("finding-list"), ...head, ...(tail.length ? [el("details", { id: "finding-rest" }, el("summary", {}, plural(tail.length, "more finding")), ...tail)] : []));
}

function setUpFindings() {
  const present = SEVERITIES.filter((s) => DATA.findings.some((f) => f.level === s));
  fill(byId("finding-filter"), option("all", "every level", true), ...present.map((s) => option(s, s, false)));
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

/** A protocol field as text: settings per method and the like become lines. */
const fieldText = (value) => (value && typeof value === "object" && !Array.isArray(value) ? Object.entries(value).map(([k, v]) => k + ": " + fieldText(v)).join("\n")
  : Array.isArray(value) ? value.map((v) => JSON.stringify(v)).join(", ") : String(value));

function protocolCard(card) {
  const facts = Object.entries(card.fields).map(([k, v]) => [k, v === null || v === undefined ? "" : fieldText(v)]).filter(([, v]) => v !== "");
  return el("article", { class: "card" }, el("h3", {}, card.title), el("p", { class: "small soft" }, el("span", { class: "tag" }, card.source), " ", suiteOf(card.suite)?.mini ? el("span", { class: "tag mini" }, "mini") : null, " ", card.methods.map((m) => titleOf(m)).join(", ")),
    el("dl", { class: "facts" }, ...facts.flatMap(([k, v]) => [el("dt", {}, k.replace(/_/g, " ")), el("dd", {}, el("span", { class: "field" }, v))])));
}

function renderProtocols() {
  const sources = unique(members().map((m) => m.source));
  const list = DATA.protocols.filter((c) => c.suite === state.suite && sources.includes(c.source));
  const order = tasks();
  list.sort((a, b) => order.indexOf(a.task) - order.indexOf(b.task));
  fill(byId("protocol-list"), ...(list.length ? list.map(protocolCard) : [el("p", { class: "soft" }, "No protocol card is stored for this cohort.")]));
}
