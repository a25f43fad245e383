// What is shown beside the leaderboard: settings that differ between its rows, and paired differences of rows.

const signed = (value) => (value > 0 ? "+" : "") + fixed(value, 2);
const pText = (p) => (p < 0.001 ? "< 0.001" : fixed(p, 3));

function comparisonTable(list) {
  const heads = ["Row A", "Row B", "A − B", "95 %", "p", "p (Holm, all pairs)"];
  const lines = list.map((one) => el("tr", {}, el("td", {}, titleOf(one.row_a)), el("td", {}, titleOf(one.row_b)),
    el("td", { class: "num" }, signed(one.difference)), el("td", { class: "num soft" }, signed(one.lo) + " to " + signed(one.hi)),
    el("td", { class: "num" }, pText(one.p)), el("td", { class: "num" }, pText(one.p_holm))));
  return el("table", {}, el("caption", {}, "Mean clipped AUP, as reported (y_max of the report): paired over documents and training seeds. Overlapping intervals of single rows are no test."),
    el("thead", {}, el("tr", {}, ...heads.map((h, i) => el("th", { scope: "col", class: i > 1 ? "num" : "" }, h)))), el("tbody", {}, ...lines));
}

function setUpComparisons() {
  onChange(() => {
    const sentences = DATA.settings[state.suite + "\n" + state.cohort] || [];
    fill(byId("table-settings"), ...sentences.map((text) => el("p", { class: "soft untrusted" }, text)));
    const list = DATA.comparisons.filter((one) => one.suite === state.suite && one.cohort === state.cohort && one.metric === "avg_aup_clipped");
    byId("comparisons").hidden = !list.length;
    fill(byId("comparison-table"), ...(list.length ? [comparisonTable(list)] : []));
  });
}
