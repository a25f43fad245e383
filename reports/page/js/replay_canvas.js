// One side of the replay: the canvas of tokens, the bars per forward pass, and what came of the sample.

const MOST_TOKENS = 3000;
const MOST_PIECE = 400;

/** Text of a token while it is still masked: as wide, and with the same line breaks, but none of its letters. */
const masked = (text) => text.replace(/[^\n]/gu, "·") || "·";

function shortPiece(piece) {
  const text = visible(piece);
  return text.length > MOST_PIECE ? text.slice(0, MOST_PIECE) + "… (" + (text.length - MOST_PIECE).toLocaleString("en") + " more characters in the stored text below)" : text;
}

class ReplaySide {
  constructor(root, name) {
    this.root = root;
    this.name = name;
    this.model = null;
  }

  /** Draws a sample with every position masked. clock: forwards of the longer side; own: colours over this run alone. */
  load(sample, clock, own) {
    this.model = replayModel(sample);
    this.clock = clock;
    this.scale = own ? this.model.length : clock;
    this.shown = 0;
    const { kept } = this.model;
    this.texts = sample.pieces.slice(0, MOST_TOKENS).map(shortPiece);
    this.tokens = this.texts.map((text, j) => el("span", { class: (j >= kept ? "tail " : "") + (text.includes("\n") ? "nl" : "") }, j >= kept ? "" : masked(text)));
    const cut = sample.pieces.length > MOST_TOKENS ? [el("p", { class: "soft small" }, "The canvas shows the first " + MOST_TOKENS + " of " + sample.pieces.length + " positions.")] : [];
    const tail = this.tokens.slice(kept);
    this.canvas = el("div", { class: "canvas untrusted", role: "region", tabindex: "0", "aria-label": this.name + " canvas" }, ...this.tokens.slice(0, kept));
    this.tail = tail.length ? el("div", { class: "canvas tail-line", "aria-hidden": "true" }, el("span", { class: "soft small label" }, plural(sample.pieces.length - kept, "position") + " after the cut "), ...tail) : null;
    this.status = el("p", { class: "replay-status small" });
    this.bars = this.drawBars();
    fill(this.root, this.heading(sample), this.status, this.bars, this.canvas, this.tail, ...cut, this.outcome(sample));
    this.go(0);
  }

  heading(sample) {
    return el("h3", {}, swatch(sample.method), titleOf(sample.method), " ", suiteOf(sample.suite)?.mini ? el("span", { class: "tag mini" }, "mini") : null, el("span", { class: "soft small setting" }, " " + settingText(sample.setting)));
  }

  outcome(sample) {
    const same = visible(this.model.sample.pieces.slice(0, this.model.kept).join("")) === visible(storedText(sample));
    const right = sample.correct === true || sample.correct === 1;
    return el("div", {}, el("p", { class: "small" }, el("span", { class: "tag " + (right ? "good" : "warning") }, (right ? "✓ " : "✗ ") + sample.outcome), " ",
      sample.extracted !== null && sample.extracted !== undefined ? ["extracted ", el("span", { class: "untrusted" }, String(sample.extracted).slice(0, 200)), " · "] : [], sample.stop_reason ? "stopped by " + sample.stop_reason + " · " : "", el("span", { class: "soft" }, "run " + sample.run_id)),
      el("details", { class: "small" }, el("summary", {}, "Stored text" + (same ? " (equals the canvas)" : " (the scored text differs from the kept tokens)")), ...longText(storedText(sample), this.name + " stored text")));
  }

  /** Tokens committed per forward pass: a bar each, in the colour of the forward. */
  drawBars() {
    const { perForward, length } = this.model;
    const most = Math.max(1, ...chunks(perForward, 8192).map((c) => Math.max(...c)));
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [k, v] of Object.entries({ viewBox: `0 0 ${this.clock} 100`, preserveAspectRatio: "none", class: "bars", role: "img", "aria-label": `Tokens committed per forward pass: ${length} forwards, at most ${most} in one` })) svg.setAttribute(k, v);
    this.rects = [];
    for (let k = 1; k <= length; k++) {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const tall = Math.max(perForward[k] ? 6 : 1.5, (100 * perForward[k]) / most);
      for (const [key, v] of Object.entries({ x: k - 1, y: 100 - tall, width: 0.86, height: tall, fill: css(rampColor(k, this.scale)) })) rect.setAttribute(key, v);
      this.rects.push(rect);
      svg.append(rect);
    }
    return el("div", { class: "bars-box" }, svg);
  }

  /** The canvas after forward `k` of the shared clock. */
  go(k) {
    if (!this.model) return;
    const { length, perForward, revised, cumulative, keptCumulative, kept, entries } = this.model;
    const at = Math.min(k, length);
    this.tokens.forEach((token, j) => {
      const n = standingEntry(entries[j], at);
      const entry = entries[j][n];
      if (entry !== token.entry) {
        token.entry = entry;
        this.drawToken(token, j, n);
      }
      token.classList.toggle("now", entry !== undefined && entry.step === at && at > 0 && k <= length);
    });
    this.rects.forEach((rect, i) => rect.setAttribute("opacity", i < at ? 1 : 0.22));
    this.shown = at;
    const tpf = at ? keptCumulative[at] / at : null;
    this.status.textContent = `forward ${at} of ${length} · ${at ? perForward[at] : 0} committed now${revised[at] ? ", " + revised[at] + " revised" : ""} · ${keptCumulative[at]} of ${kept} kept tokens (${cumulative[at]} positions) · ${fixed(tpf, 2)} tokens per forward pass so far` + (k >= length ? " · finished" : "");
    this.root.dataset.finished = String(at === length);
  }

  /** Entry `n` of position j: its token in the colour of its forward, or a mask; what was revised is underlined. */
  drawToken(token, j, n) {
    const list = this.model.entries[j];
    const entry = list[n];
    const on = entry !== undefined && entry.text !== null;
    const final = n === list.length - 1;
    const text = on && !final ? shortPiece(entry.text) : this.texts[j];
    if (j < this.model.kept) token.textContent = on ? text : masked(text);
    const color = on ? rampColor(entry.step, this.scale) : null;
    token.style.background = on ? css(color) : "";
    token.style.color = on ? inkOn(color) : "";
    token.classList.toggle("revised", n > 0);
    const before = list.slice(0, n).map((one) => (one.text === null ? "mask" : "“" + shortPiece(one.text) + "”") + " at " + one.step);
    const was = before.length ? " (before: " + before.slice(-4).join(", ") + ")" : "";
    token.title = entry === undefined ? "" : (on ? "forward " + entry.step : "masked again at forward " + entry.step) + (j < this.model.kept ? "" : ": " + text) + was;
  }

  clear(text) {
    this.model = null;
    fill(this.root, el("p", { class: "soft" }, text));
  }
}
