// The decoding of one stored sample: which positions are filled after forward k.

/** Forwards of the target model: the last one of the trace at least, all counted ones where they are stored. */
function replayLength(sample) {
  return Math.max(sample.forwards || 0, ...chunks(sample.trace, 8192).map((part) => Math.max(0, ...part)), 1);
}

function chunks(list, size) {
  const out = [];
  for (let i = 0; i < list.length; i += size) out.push(list.slice(i, i + size));
  return out;
}

/** The scored text; it is stored apart only where it is not the kept pieces joined. */
const storedText = (sample) => sample.text ?? sample.pieces.slice(0, sample.tokens).join("");

/** Per position all that ever stood there, [{step, text}] by forward; text null for a mask. Most have one entry. */
function replayEntries(sample) {
  const entries = sample.trace.map((step, j) => (step > 0 ? [{ step, text: sample.pieces[j] }] : []));
  const edits = Array.isArray(sample.edits) ? sample.edits : [];
  for (const [, j] of edits) if (entries[j]) entries[j] = [];
  edits.forEach(([step, j, id], n) => {
    if (entries[j]) entries[j].push({ step, text: id === null ? null : String(sample.edit_pieces?.[n] ?? "?") });
  });
  return entries;
}

/** The place among a position's entries of what stands there after forward `at`; -1 before its first commit. */
function standingEntry(entries, at) {
  let found = -1;
  while (found + 1 < entries.length && entries[found + 1].step <= at) found += 1;
  return found;
}

/** {length, perForward[k], revised[k], cumulative[k], keptCumulative[k], kept, entries}: masks filled at forward k, tokens
 * changed or masked again at it, positions that hold a token after it; kept = ids before the cut. */
function replayModel(sample) {
  const entries = replayEntries(sample);
  const length = Math.max(replayLength(sample), ...chunks(entries.map((list) => list.at(-1)?.step ?? 0), 8192).map((part) => Math.max(0, ...part)));
  const [perForward, revised, cumulative, keptCumulative] = [0, 1, 2, 3].map(() => new Array(length + 1).fill(0));
  const kept = Math.min(isNumber(sample.tokens) ? sample.tokens : sample.pieces.length, sample.pieces.length);
  entries.forEach((list, j) => {
    let stood = false;
    for (const { step, text } of list) {
      const stands = text !== null;
      if (stood) revised[step] += 1;
      else perForward[step] += 1;
      cumulative[step] += stands - stood;
      if (j < kept) keptCumulative[step] += stands - stood;
      stood = stands;
    }
  });
  for (const list of [cumulative, keptCumulative]) for (let k = 1; k <= length; k++) list[k] += list[k - 1];
  return { sample, length, perForward, revised, cumulative, keptCumulative, kept, entries };
}

// A sequential ramp, light to dark in grey too (so it reads without colour vision): first forwards yellow, last ones blue.
const RAMP = [[255, 247, 188], [199, 233, 180], [127, 205, 187], [65, 182, 196], [45, 128, 190], [66, 84, 168]];

function rampColor(step, length) {
  const at = (length > 1 ? (step - 1) / (length - 1) : 0) * (RAMP.length - 1);
  const i = Math.min(RAMP.length - 2, Math.floor(at));
  return RAMP[i].map((c, n) => Math.round(c + (RAMP[i + 1][n] - c) * (at - i)));
}

/** Ink that can be read on a ramp colour. */
function inkOn([r, g, b]) {
  const linear = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.22 ? "#101418" : "#ffffff";
}

const css = (rgb) => "rgb(" + rgb.join(" ") + ")";
