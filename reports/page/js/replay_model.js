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

/** {length, perForward[k], cumulative[k], kept}: committed positions at and up to forward k; kept = ids before the cut. */
function replayModel(sample) {
  const length = replayLength(sample);
  const perForward = new Array(length + 1).fill(0);
  for (const step of sample.trace) if (step > 0) perForward[step] += 1;
  const cumulative = [];
  perForward.reduce((sum, n) => (cumulative.push(sum + n), sum + n), 0);
  const kept = Math.min(isNumber(sample.tokens) ? sample.tokens : sample.pieces.length, sample.pieces.length);
  const keptCumulative = new Array(length + 1).fill(0);
  for (let j = 0; j < kept; j++) if (sample.trace[j] > 0) keptCumulative[sample.trace[j]] += 1;
  for (let k = 1; k <= length; k++) keptCumulative[k] += keptCumulative[k - 1];
  return { sample, length, perForward, cumulative, keptCumulative, kept };
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
