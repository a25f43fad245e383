// The bar above the page: suite, cohort and y_max; and the theme switch.

function renderControls() {
  const suite = byId("suite");
  fill(suite, ...suiteNames().map((n) => option(n, suiteOf(n).title + (suiteOf(n).mini ? " (mini)" : ""), n === state.suite)));
  const choice = byId("cohort");
  fill(choice, ...cohorts(state.suite).map((c) => option(c.id, c.title, c.id === state.cohort)));
  const policies = [option("cohort", "Best accuracy in the cohort", state.ymax === "cohort")];
  if (cohort()?.y_max?.[state.suite]) policies.push(option("reported", "As in aup.csv", state.ymax === "reported"));
  policies.push(option("100", "100 % on every task", state.ymax === "100"));
  for (const name of yMaxMethods()) policies.push(option("method:" + name, "Best of " + method(name).title, state.ymax === "method:" + name));
  fill(byId("ymax"), ...policies);
  const info = suiteOf(state.suite);
  byId("mini-note").hidden = !info?.mini;
  byId("cohort-note").textContent = visible(cohort()?.note || "");
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
const colorOf = (name) => (isDark() ? method(name).dark : method(name).color);

function swatch(name) {
  const mark = el("span", { class: "swatch", "aria-hidden": "true" });
  mark.style.setProperty("--c", colorOf(name));
  return mark;
}
