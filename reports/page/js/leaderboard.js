// The leaderboard: sorting, filtering, one line a method, its details under it.

function boardColumns(tasksShown, tops) {
  const columns = [
    { key: "rank", label: "#", title: "Rank by average " + AREA_NAMES[rankedBy()] + "; only rows with every task are ranked" },
    { key: "method", label: "Method", text: true, title: "Method and where its numbers come from" },
    { key: "n_tasks", label: "Tasks", title: "Tasks this row really has" },
    { key: "avg_accuracy", label: "Accuracy", avg: true, title: "Mean accuracy in percent over the row's tasks, at the points shown" },
    { key: "avg_tpf", label: "TPF", avg: true, title: "Mean tokens per forward pass over the row's tasks, at the points shown" },
    ...[rankedBy(), OTHER[rankedBy()]].map((kind) => ({ key: "avg_" + kind, label: AREA_NAMES[kind], avg: true, title: "Mean " + AREA_NAMES[kind] + " over the row's tasks, recomputed here from the points" })),
  ];
  for (const task of tasksShown)
    columns.push({ mark: findingMark(findingsOfTable().filter((f) => f.tasks.includes(task) && f.level !== "note")), key: "task:" + task, label: taskTitle(task), task, under: "y_max " + fixed(tops[task], 2), title: AREA_NAMES[rankedBy()] + "; below it the other AUP, and accuracy @ TPF of the point shown" });
  return columns;
}

function sortValue(row, key) {
  if (key === "method") return titleOf(row.method).toLowerCase();
  if (key.startsWith("task:")) return row.cells[key.slice(5)]?.[rankedBy()] ?? null;
  return row[key] ?? null;
}

/** Sorted rows; missing values stay last in both directions. */
function sortRows(rows, { key, down }) {
  return [...rows].sort((a, b) => {
    const [x, y] = [sortValue(a, key), sortValue(b, key)];
    if (key === "rank" && (x === null || y === null) && x === y) return (b["avg_" + rankedBy()] ?? -1) - (a["avg_" + rankedBy()] ?? -1);
    if (x === null || y === null) return (x === null) - (y === null);
    if (key.startsWith("avg_aup") && a.ranked !== b.ranked) return a.ranked ? -1 : 1;
    const order = typeof x === "string" ? x.localeCompare(y) : x - y;
    return (down ? -order : order) || (a.method < b.method ? -1 : Number(a.method > b.method));
  });
}

function filterRows(rows) {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const about = method(row.method);
    const hay = [row.method, about.title, about.kind, titleOf(row.method), row.source].join(" ").toLowerCase();
    return words.every((w) => hay.includes(w)) && !state.hiddenSources.has(row.source) && (!state.rankedOnly || row.ranked);
  });
}

function headCell(column) {
  const active = state.sort.key === column.key;
  const down = active ? !state.sort.down : !column.text && column.key !== "rank";
  const button = el("button", { type: "button", class: "sort", title: column.title, onclick: () => {
    change({ sort: { key: column.key, down } });
    byId("board").querySelector(`th[data-key="${CSS.escape(column.key)}"] button`)?.focus();
  } }, column.label);
  return el("th", { scope: "col", "data-key": column.key, class: column.text ? "method" : "num" + (column.avg ? " avg" : ""),
    "aria-sort": active ? (state.sort.down ? "descending" : "ascending") : "none" }, button, column.mark || null, column.under ? el("span", { class: "under" }, column.under) : null);
}

/** A mark beside a number that leads to what the audit says about it. */
function findingMark(list) {
  if (!list.length) return null;
  const text = list.map((f) => checkTitle(f.check) + ": " + f.text);
  return el("a", { class: "note-mark " + worst(list), href: "#finding-" + list[0].n, title: text.join("\n"), "aria-label": plural(list.length, "finding") + ": " + text.join(" ") }, "▲");
}

function taskCell(row, task, best) {
  const cell = row.cells[task];
  if (!cell || cell.aup === null) return el("td", { class: "num missing", "data-task": task, title: "No point of this row on this task; nothing is averaged over it" }, "missing");
  const mark = findingMark(findingsOf(row, task).filter((f) => f.level !== "note"));
  const at = cell.shown ? fixed(cell.shown.accuracy, 2) + " @ " + fixed(cell.shown.tpf, 2) : "";
  const kind = rankedBy();
  const interval = cell.reported ? range(cell.reported[kind + "_lo"], cell.reported[kind + "_hi"], 1) : "";
  return el("td", { class: "num" + (best > 0 && Math.abs(cell[kind] - best) < 1e-9 ? " best" : ""), "data-aup": String(cell.aup), "data-clipped": String(cell.aup_clipped), "data-task": task, title: interval ? "95 % interval " + interval : null },
    el("span", { class: "value" }, fixed(cell[kind], 2)), mark, el("span", { class: "under" }, AREA_NAMES[OTHER[kind]] + " " + fixed(cell[OTHER[kind]], 1)), el("span", { class: "under" }, at));
}

/** Shown where a row is another source's, value for value: it was not run again. */
function copiedTag(row) {
  const points = pointsOf(row).filter(counts);
  const from = unique(points.map((p) => p.copied_from || ""));
  return from.length === 1 && from[0] ? el("span", { class: "tag", title: "Every value equals " + from[0] + "'s: not run again" }, "copied from " + from[0]) : null;
}

/** The table line of a row, by its key. */
const lineOf = (key) => [...byId("board").querySelectorAll("tr[data-row]")].find((r) => r.dataset.row === visible(key));

function boardRow(row, tasksShown, best, top) {
  const key = rowKey(row);
  const open = state.open.has(key);
  const toggle = el("button", { type: "button", "aria-expanded": String(open), onclick: () => {
    if (open) state.open.delete(key); else state.open.add(key);
    renderBoard();
    lineOf(key)?.querySelector("button")?.focus();
  } }, titleOf(row.method));
  const notes = findingsOf(row);
  const name = el("th", { scope: "row" }, el("div", { class: "name" }, swatch(row.method), toggle),
    el("div", { class: "marks" }, el("span", { class: "soft name-id" }, row.method), el("span", { class: "tag" }, row.source), suiteOf(row.suite).mini ? el("span", { class: "tag mini" }, "mini") : null, copiedTag(row),
      notes.length ? el("span", { class: "tag " + worst(notes) }, plural(notes.length, "finding")) : null));
  const bar = el("span", { class: "bar-cell", "aria-hidden": "true" }, el("i"));
  bar.firstChild.style.setProperty("--c", colorOf(row.method));
  const by = "avg_" + rankedBy();
  bar.firstChild.style.width = isNumber(row[by]) && top > 0 ? (100 * row[by]) / top + "%" : "0";
  const average = (kind, more) => el("td", { class: "num avg", ["data-" + kind.replace("aup_", "")]: row["avg_" + kind] === null ? "" : String(row["avg_" + kind]) }, el("span", { class: "value" }, fixed(row["avg_" + kind], 2)), more);
  const ranks = row.recorded?.rank_lo ? el("span", { class: "under", title: "Ranks that 95 % of the bootstrap draws leave" }, row.recorded.rank_lo + "–" + row.recorded.rank_hi) : null;
  const rank = row.ranked ? el("td", { class: "num rank" }, row.rank ?? "–", ranks) : el("td", { class: "num rank", title: "Missing: " + row.missing.map(taskTitle).join(", ") }, "unranked");
  return el("tr", { class: (row.ranked ? "" : "unranked ") + (open ? "open" : ""), "data-row": key, "data-method": row.method, "data-source": row.source }, rank, name,
    el("td", { class: "num" }, row.n_tasks + "/" + tasksShown.length),
    el("td", { class: "num avg" }, fixed(row.avg_accuracy, 2)), el("td", { class: "num avg" }, fixed(row.avg_tpf, 2)),
    average(rankedBy(), bar), average(OTHER[rankedBy()], null),
    ...tasksShown.map((t) => taskCell(row, t, best[t])));
}

function renderBoard() {
  const board = leaderboard();
  const shown = sortRows(filterRows(board.rows), state.sort);
  const best = Object.fromEntries(board.tasks.map((t) => [t, Math.max(...shown.map((r) => r.cells[t][rankedBy()] ?? -1))]));
  const top = Math.max(0, ...shown.map((r) => r["avg_" + rankedBy()] ?? 0));
  const columns = boardColumns(board.tasks, board.tops);
  fill(byId("board-head"), el("tr", {}, ...columns.map(headCell)));
  const lines = shown.flatMap((row) => {
    const line = boardRow(row, board.tasks, best, top);
    return state.open.has(rowKey(row)) ? [line, detailRow(row, board, columns.length)] : [line];
  });
  fill(byId("board-body"), ...(lines.length ? lines : [el("tr", {}, el("td", { colspan: columns.length, class: "missing" }, "No row passes the filter."))]));
  byId("board-count").textContent = plural(shown.length, "row") + " of " + board.rows.length;
}

function setUpBoard() {
  byId("filter").addEventListener("input", (e) => change({ text: e.target.value }));
  byId("ranked-only").addEventListener("change", (e) => change({ rankedOnly: e.target.checked }));
  let drawnFor = null;
  onChange(() => {
    const sources = unique(members().map((m) => m.source)).sort();
    if (drawnFor !== sources.join()) {
      drawnFor = sources.join();
      fill(byId("sources"), ...(sources.length > 1 ? sources : []).map((s) => el("label", {}, el("input", { type: "checkbox", checked: !state.hiddenSources.has(s), onchange: (e) => {
        if (e.target.checked) state.hiddenSources.delete(s); else state.hiddenSources.add(s);
        change({});
      } }), s)));
    }
    renderBoard();
  });
}
