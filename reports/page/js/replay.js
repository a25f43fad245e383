// The decoding replay: choice of prompt and methods, the shared clock, and its buttons and keys.

const replay = { task: null, prompt: null, left: null, right: null, at: 0, length: 1, timer: null, sides: [] };

const samplesHere = () => DATA.samples.filter((s) => s.suite === state.suite);
const promptKey = (s) => [s.task, s.doc_id, s.prompt].join("\n");
const sampleName = (s) => titleOf(s.method) + (s.setting ? " (" + settingText(s.setting) + ")" : "") + " · " + String(s.outcome).slice(0, 24);
const samplesOfPrompt = () => DATA.samples.map((s, i) => ({ s, i })).filter(({ s }) => s.suite === state.suite && promptKey(s) === replay.prompt);

/** Left the slowest, right the fastest in tokens per forward pass: the pair that shows what parallel decoding does. */
function chooseSides() {
  const list = samplesOfPrompt().map(({ s, i }) => ({ i, tpf: s.tokens / replayLength(s) })).sort((a, b) => a.tpf - b.tpf);
  const still = (i) => list.some((l) => l.i === i);
  const oldNames = [replay.left, replay.right].map((i) => DATA.samples[i]?.run_id);
  const again = oldNames.map((run) => list.find((l) => run && DATA.samples[l.i].run_id === run)?.i);
  replay.left = still(replay.left) ? replay.left : again[0] ?? list[0]?.i ?? null;
  replay.right = still(replay.right) ? replay.right : again[1] ?? (list.length > 1 ? list[list.length - 1].i : null);
}

function fillChoices() {
  const here = samplesHere();
  const taskList = unique(here.map((s) => s.task));
  if (!taskList.includes(replay.task)) replay.task = tasks().find((t) => taskList.includes(t)) || taskList[0] || null;
  const prompts = unique(here.filter((s) => s.task === replay.task).map(promptKey));
  if (!prompts.includes(replay.prompt)) replay.prompt = prompts[0] || null;
  chooseSides();
  fill(byId("replay-task"), ...taskList.map((t) => option(t, taskTitle(t), t === replay.task)));
  fill(byId("replay-prompt"), ...prompts.map((key) => {
    const found = here.filter((s) => promptKey(s) === key);
    const head = visible(promptOf(found[0])).trim().split("\n").filter(Boolean);
    return option(key, "#" + found[0].doc_id + " · " + plural(found.length, "run") + " · " + (head.at(-2) || head.at(-1) || "").slice(0, 60), key === replay.prompt);
  }));
  const runs = samplesOfPrompt();
  fill(byId("replay-left"), ...runs.map(({ s, i }) => option(String(i), sampleName(s), i === replay.left)));
  fill(byId("replay-right"), option("", "nothing", replay.right === null), ...runs.map(({ s, i }) => option(String(i), sampleName(s), i === replay.right)));
}

const promptOf = (sample) => DATA.prompts[sample.prompt] ?? "";

function loadReplay(at) {
  stopReplay();
  const chosen = [replay.left, replay.right].map((i) => (i === null ? null : DATA.samples[i]));
  byId("replay-empty").hidden = chosen[0] !== null && chosen[0] !== undefined;
  byId("replay-box").hidden = !byId("replay-empty").hidden;
  if (!chosen[0]) return;
  replay.length = Math.max(...chosen.filter(Boolean).map(replayLength));
  chosen.forEach((sample, n) => {
    if (sample) replay.sides[n].load(sample, replay.length, byId("replay-scale").value === "own");
    else replay.sides[n].clear("Choose a second method to compare with.");
  });
  fill(byId("replay-prompt-text"), ...longText(promptOf(chosen[0]), "Prompt"));
  byId("scrub").max = replay.length;
  const stops = Array.from({ length: 24 }, (_, i) => css(rampColor(1 + (i / 23) * (replay.length - 1), replay.length)));
  byId("scale").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  goReplay(at ?? replay.length);
}

function goReplay(k, say) {
  replay.at = Math.max(0, Math.min(replay.length, k));
  replay.sides.forEach((side) => side.go(replay.at));
  const scrub = byId("scrub");
  scrub.value = replay.at;
  scrub.setAttribute("aria-valuetext", `forward ${replay.at} of ${replay.length}`);
  byId("clock").textContent = `forward ${replay.at} / ${replay.length}`;
  if (say) byId("said").textContent = replay.sides.filter((s) => s.model).map((s) => s.name + ": " + s.status.textContent).join(". ");
}

function stopReplay() {
  clearInterval(replay.timer);
  replay.timer = null;
  byId("play").textContent = "▶ Play";
}

function playReplay() {
  if (replay.timer) return stopReplay();
  if (replay.at >= replay.length) goReplay(0);
  byId("play").textContent = "❚❚ Pause";
  replay.timer = setInterval(() => {
    goReplay(replay.at + 1);
    if (replay.at >= replay.length) stopReplay();
  }, 1000 / Number(byId("speed").value));
  return undefined;
}

function stepTo(k) {
  stopReplay();
  goReplay(k, true);
}

function setUpReplay() {
  replay.sides = [new ReplaySide(byId("side-left"), "Left"), new ReplaySide(byId("side-right"), "Right")];
  const on = (id, event, act) => byId(id).addEventListener(event, act);
  const chooser = (key, parse) => (e) => { replay[key] = parse(e.target.value); fillChoices(); loadReplay(); };
  on("replay-task", "change", chooser("task", String));
  on("replay-prompt", "change", chooser("prompt", String));
  on("replay-left", "change", chooser("left", Number));
  on("replay-right", "change", chooser("right", (v) => (v === "" ? null : Number(v))));
  on("replay-scale", "change", () => loadReplay(replay.at));
  on("play", "click", playReplay);
  on("first", "click", () => stepTo(0));
  on("back", "click", () => stepTo(replay.at - 1));
  on("forward", "click", () => stepTo(replay.at + 1));
  on("last", "click", () => stepTo(replay.length));
  on("scrub", "input", (e) => { stopReplay(); goReplay(Number(e.target.value)); });
  on("speed", "change", () => { if (replay.timer) { stopReplay(); playReplay(); } });
  on("replay-box", "keydown", (e) => {
    if (e.target.closest("select, input, button, summary, pre") || e.ctrlKey || e.metaKey || e.altKey) return;
    const act = { " ": playReplay, ArrowLeft: () => stepTo(replay.at - 1), ArrowRight: () => stepTo(replay.at + 1), Home: () => stepTo(0), End: () => stepTo(replay.length) }[e.key];
    if (act) { e.preventDefault(); act(); }
  });
  let drawnFor = null;
  onChange(() => {
    const wanted = [state.suite, document.documentElement.dataset.theme].join();
    if (wanted === drawnFor) return;
    drawnFor = wanted;
    fillChoices();
    loadReplay();
  });
}
