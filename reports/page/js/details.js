// What is behind a leaderboard line: its findings, its points with settings and commands, its protocols.

const SEVERITIES = ["error", "warning", "note"];
const worst = (findings) => SEVERITIES.find((s) => findings.some((f) => f.level === s)) || "note";

/** What is shown beside a point: outside the table, copied, several seeds, flags of the report. */
const pointTags = (p) => [p.status === "commented" ? "commented out at its source" : null, p.status === "removed" ? "removed at its source" : null, p.copied_from ? "copied from " + p.copied_from : null, p.seeds > 1 ? p.seeds + " seeds" : null, ...p.flags]
  .filter(Boolean).map((f) => [" ", el("span", { class: "tag" }, f)]).flat();

function pointTable(points, withMethod) {
  const heads = [withMethod ? "Method" : null, "Task", "Setting", "TPF", "95 %", "Accuracy", "95 %", "n", "TPS", "Positions/token", "AFP", "Kendall's τ"];
  const lines = points.map((p) => el("tr", {},
    withMethod ? el("td", {}, swatch(p.method), titleOf(p.method)) : null,
    el("td", {}, taskTitle(p.task)),
    el("td", {}, el("span", { class: "untrusted" }, settingText(p.setting) || "–"), pointTags(p), p.command ? el("details", { class: "small" }, el("summary", {}, "command"), commandLine(p.command)) : null),
    el("td", { class: "num" }, fixed(p.tpf, 2) + (p.nominal ? " nominal" : "")), el("td", { class: "num soft" }, range(p.tpf_lo, p.tpf_hi, 2)),
    el("td", { class: "num" }, fixed(p.accuracy, 2)), el("td", { class: "num soft" }, range(p.acc_lo, p.acc_hi, 1)),
    el("td", { class: "num" }, p.n_samples ?? "–"), el("td", { class: "num" }, fixed(p.tps, 1)), el("td", { class: "num" }, fixed(p.positions_per_token, 1)), el("td", { class: "num" }, fixed(p.afp, 2)), el("td", { class: "num" }, fixed(p.kendall_tau, 2))));
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads.filter(Boolean).map((h, i) => el("th", { scope: "col", class: i > 1 + Boolean(withMethod) ? "num" : "" }, h)))), el("tbody", {}, ...lines)));
}

function aupTable(row, board) {
  const lines = board.tasks.filter((t) => row.cells[t].aup !== null).map((t) => {
    const cell = row.cells[t];
    const { kept, dropped, floor } = aupSplit(cell.points, DROP);
    return el("tr", {}, el("td", {}, taskTitle(t)), ...["aup_clipped", "aup"].flatMap((kind) => [el("td", { class: "num" }, fixed(cell[kind], 2)), el("td", { class: "num soft" }, cell.reported ? range(cell.reported[kind + "_lo"], cell.reported[kind + "_hi"], 1) : "")]),
      el("td", { class: "num" }, fixed(board.tops[t], 2)), el("td", { class: "num" }, kept.length), el("td", { class: "num" }, dropped.length ? dropped.length + " below " + fixed(floor, 2) : "0"));
  });
  const heads = ["Task", "Clipped AUP", "95 %", "AUP", "95 %", "y_max", "Points in AUP", "Dropped by AUP"];
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((h, i) => el("th", { scope: "col", class: i ? "num" : "" }, h)))), el("tbody", {}, ...lines)));
}

function detailRow(row, board, width) {
  const notes = findingsOf(row).sort((a, b) => SEVERITIES.indexOf(a.level) - SEVERITIES.indexOf(b.level));
  const points = board.tasks.flatMap((t) => [...row.cells[t].points].sort((a, b) => a.tpf - b.tpf));
  const inner = el("div", { class: "inner" },
    row.ranked ? null : el("p", { class: "notice" }, "Unranked: no point on " + row.missing.map(taskTitle).join(", ") + ". The averages are over the " + plural(row.n_tasks, "task") + " it has."),
    notes.length ? el("h3", {}, "Audit findings") : null, el("div", { class: "group" }, ...notes.map((f) => findingCard(f, "row"))),
    el("h3", {}, "AUP under this cohort and y_max"), aupTable(row, board),
    el("h3", {}, "Points"), pointTable(points, false));
  return el("tr", { class: "detail-row" }, el("td", { class: "detail", colspan: width }, inner));
}
