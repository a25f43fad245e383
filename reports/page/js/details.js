// What stands behind a leaderboard line: its findings, its points with settings and commands, its protocols.

const SEVERITIES = ["error", "high", "warning", "medium", "low", "info"];
const worst = (findings) => SEVERITIES.find((s) => findings.some((f) => f.severity === s)) || "info";

function pointTable(points, withMethod) {
  const heads = [withMethod ? "Method" : null, "Task", "Setting", "TPF", "95 %", "Accuracy", "95 %", "n", "TPS", "Positions/token"];
  const lines = points.map((p) => el("tr", {},
    withMethod ? el("td", {}, swatch(p.method), method(p.method).title) : null,
    el("td", {}, taskTitle(p.task)),
    el("td", {}, el("span", { class: "untrusted" }, p.setting || "–"), p.flags.map((f) => el("span", { class: "tag warning" }, f)), p.command ? el("details", { class: "small" }, el("summary", {}, "command"), commandLine(p.command)) : null),
    el("td", { class: "num" }, fixed(p.tpf, 2) + (p.nominal ? " nominal" : "")), el("td", { class: "num soft" }, range(p.tpf_lo, p.tpf_hi, 2)),
    el("td", { class: "num" }, fixed(p.accuracy, 2)), el("td", { class: "num soft" }, range(p.acc_lo, p.acc_hi, 1)),
    el("td", { class: "num" }, p.n_samples ?? "–"), el("td", { class: "num" }, fixed(p.tps, 1)), el("td", { class: "num" }, fixed(p.positions_per_token, 1))));
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads.filter(Boolean).map((h, i) => el("th", { scope: "col", class: i > 1 + Boolean(withMethod) ? "num" : "" }, h)))), el("tbody", {}, ...lines)));
}

function aupTable(row, board) {
  const lines = board.tasks.filter((t) => row.cells[t].aup !== null).map((t) => {
    const cell = row.cells[t];
    const { kept, dropped, floor } = aupSplit(cell.points, DROP);
    return el("tr", {}, el("td", {}, taskTitle(t)), el("td", { class: "num" }, fixed(cell.aup, 2)), el("td", { class: "num soft" }, cell.reported ? range(cell.reported.aup_lo, cell.reported.aup_hi, 1) : ""),
      el("td", { class: "num" }, fixed(board.tops[t], 2)), el("td", { class: "num" }, kept.length), el("td", { class: "num" }, dropped.length ? dropped.length + " below " + fixed(floor, 2) : "0"));
  });
  const heads = ["Task", "AUP", "95 %", "y_max", "Points", "Dropped"];
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((h, i) => el("th", { scope: "col", class: i ? "num" : "" }, h)))), el("tbody", {}, ...lines)));
}

function detailRow(row, board, width) {
  const about = method(row.method);
  const notes = findingsOf(row);
  const absent = board.tasks.filter((t) => row.cells[t].aup === null);
  const points = board.tasks.flatMap((t) => [...row.cells[t].points].sort((a, b) => a.tpf - b.tpf));
  const inner = el("div", { class: "inner" },
    about.summary ? el("p", {}, about.summary, about.citation ? el("span", { class: "soft" }, " " + about.citation) : null) : null,
    row.ranked ? null : el("p", { class: "notice" }, "Unranked: " + (row.why || (absent.length ? "no point on " + absent.map(taskTitle).join(", ") + "; the averages are over the " + row.n_tasks + " tasks it has." : "marked by the report."))),
    notes.length ? el("h3", {}, "Audit findings") : null, notes.map((f) => findingCard(f, false)),
    el("h3", {}, "AUP under this cohort and y_max"), aupTable(row, board),
    el("h3", {}, "Measured points"), pointTable(points, false));
  return el("tr", { class: "detail-row" }, el("td", { class: "detail", colspan: width }, inner));
}
