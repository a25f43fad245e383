// The bar above the page: suite, cohort and y_max; and the theme switch.

const COHORT_TITLES = { "published:d3llm": "d3LLM leaderboard (published)", "published:tad": "TAD leaderboard (published)", run: "Runs of this harness", all: "Published and runs together" };

function renderControls() {
  const suite = byId("suite");
  fill(suite, ...suiteNames().map((n) => option(n, suiteOf(n).title, n === state.suite)));
  fill(byId("cohort"), ...cohorts(state.suite).map((c) => option(c.name, COHORT_TITLES[c.name] || c.name, c.name === state.cohort)));
  const given = cohort()?.policy;
  const policies = [option("cohort", "best accuracy in the cohort", state.ymax === "cohort")];
  if (given && given !== "cohort") policies.push(option("reported", "as in aup.csv: " + given, state.ymax === "reported"));
  policies.push(option("100", "100 % on every task", state.ymax === "100"));
  for (const name of yMaxMethods()) policies.push(option("method:" + name, "best of " + titleOf(name), state.ymax === "method:" + name));
  fill(byId("ymax"), ...policies);
  byId("mini-note").hidden = !suiteOf(state.suite)?.mini;
}

function setUpControls() {
  byId("suite").addEventListener("change", (e) => change({ suite: e.target.value, hiddenMethods: new Set(), focus: null }));
  byId("cohort").addEventListener("change", (e) => change({ cohort: e.target.value }));
  byId("ymax").addEventListener("change", (e) => change({ ymax: e.target.value }));
  onChange(renderControls);
}

/** Light, dark or as the system: kept for the visit, and in localStorage where a file may use it. */
function setUpTheme() {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("harness-theme"); } catch { /* storage may be closed to files */ }
  const button = byId("theme");
  const apply = () => {
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.textContent = dark ? "Light theme" : "Dark theme";
    renderers.forEach((render) => render());
  };
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("harness-theme", chosen); } catch { /* as above */ }
    apply();
  });
  system.addEventListener("change", apply);
  return apply;
}

const isDark = () => document.documentElement.dataset.theme === "dark";
const colorOf = (name) => (method(name).color[isDark() ? "dark" : "light"]);

const GLYPHS = { circle: "●", square: "■", diamond: "◆", "diamond-tall": "♦", "triangle-up": "▲", "triangle-down": "▼", "triangle-left": "◀", "triangle-right": "▶", cross: "✚", x: "✖", star: "★", pentagon: "⬟", hexagon: "⬢", hexagon2: "⬣", octagon: "⬤" };

/** A method's marker in its colour, as in the charts: the shape distinguishes it where colour cannot. */
function swatch(name) {
  const mark = el("span", { class: "swatch", "aria-hidden": "true" }, GLYPHS[method(name).symbol] || "●");
  mark.style.setProperty("--c", colorOf(name));
  return mark;
}
