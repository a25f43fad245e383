// Audit findings and protocol cards.

const checkTitle = (check) => DATA.checks[check] || check;

/** `place`: "group" below its check's heading, with buttons to its rows; "row" beside the row or table it is about. */
function findingCard(finding, place) {
  const grouped = place === "group";
  const about = [grouped ? suiteOf(finding.suite)?.title || finding.suite : null, grouped ? finding.source : null, ...finding.tasks.map(taskTitle)].filter(Boolean).join(" · ");
  const buttons = grouped ? finding.methods.slice(0, 24).map((name) => el("button", { type: "button", onclick: () => showRow(finding, name) }, swatch(name), titleOf(name))) : [];
  return el("div", { class: "finding " + finding.level, id: grouped ? "finding-" + finding.n : null, tabindex: grouped ? "-1" : null },
    el("div", { class: "small" }, grouped ? null : [el("span", { class: "tag " + finding.level }, finding.level), " ", el("strong", {}, checkTitle(finding.check)), " "], el("span", { class: "soft" }, about)),
    el("p", {}, finding.text), buttons.length ? el("div", { class: "rows" }, ...buttons) : null);
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
  const line = lineOf(key);
  line?.scrollIntoView({ block: "center" });
  line?.querySelector("button")?.focus({ preventScroll: true });
}

/** The findings that pass the filters, by check: the worst level first, closed until asked for. */
function renderFindings() {
  const wanted = byId("finding-filter").value;
  const here = byId("finding-suite").checked;
  const list = DATA.findings.filter((f) => (wanted === "all" || f.level === wanted) && (!here || !f.suite || f.suite === state.suite));
  byId("finding-count").textContent = plural(list.length, "finding") + " of " + DATA.findings.length;
  const checks = unique(list.map((f) => f.check)).map((check) => {
    const group = list.filter((f) => f.check === check);
    return { check, group, level: worst(group) };
  }).sort((a, b) => SEVERITIES.indexOf(a.level) - SEVERITIES.indexOf(b.level));
  const isOpen = new Set([...byId("finding-list").querySelectorAll("details[open]")].map((d) => d.dataset.check));
  fill(byId("finding-list"), ...checks.map(({ check, group, level }) => el("details", { class: "check", "data-check": check, open: isOpen.has(check) || level === "error" },
    el("summary", {}, el("span", { class: "tag " + level }, level), " ", el("strong", {}, checkTitle(check)), el("span", { class: "soft" }, " · " + group.length)),
    el("div", { class: "group" }, ...group.map((f) => findingCard(f, "group"))))));
}

/** A link to a finding opens its group first, whatever the filters hide. */
function showFinding(id) {
  if (!byId(id)) {
    byId("finding-filter").value = "all";
    byId("finding-suite").checked = false;
    renderFindings();
  }
  const card = byId(id);
  if (!card) return;
  card.closest("details").open = true;
  card.scrollIntoView({ block: "center" });
  card.focus({ preventScroll: true });
}

function setUpFindings() {
  const present = SEVERITIES.filter((s) => DATA.findings.some((f) => f.level === s));
  fill(byId("finding-filter"), option("all", "every level", true), ...present.map((s) => option(s, s, false)));
  byId("finding-filter").addEventListener("change", renderFindings);
  byId("finding-suite").addEventListener("change", renderFindings);
  document.addEventListener("click", (e) => {
    const link = e.target.closest?.('a[href^="#finding-"]');
    if (!link) return;
    e.preventDefault();
    showFinding(link.getAttribute("href").slice(1));
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
