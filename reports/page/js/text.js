// Text and elements. Everything a model, a run folder or a third party wrote reaches the page
// through el() and visible(), that is through textContent: nothing on this page parses HTML.

/** Characters that change how their neighbours look, or show as nothing: made visible as code points. */
const INVISIBLE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

function visible(value) {
  const text = value === null || value === undefined ? "" : String(value);
  return text.replace(INVISIBLE, (c) => "⟦U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟧");
}

/** Plotly reads a few tags in its labels; as entities they stay text. */
function plotlyText(value) {
  return visible(value).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** el("td", {class: "num", "aria-label": "…", onclick: f}, child, "text", …) */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") node[key] = value;
    else node.setAttribute(key, value === true ? "" : visible(value));
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : document.createTextNode(visible(c)))));
  return node;
}

function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter(Boolean));
  return node;
}

const byId = (id) => document.getElementById(id);
const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
const fixed = (x, digits) => (isNumber(x) ? x.toFixed(digits) : "–");
const range = (lo, hi, digits) => (isNumber(lo) && isNumber(hi) ? "[" + fixed(lo, digits) + ", " + fixed(hi, digits) + "]" : "");
const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
const unique = (list) => [...new Set(list)];

/** A run's setting, stored as JSON, as name=value; anything else as it is. */
function settingText(setting) {
  if (!setting || !setting.startsWith("{")) return setting || "";
  try {
    return Object.entries(JSON.parse(setting)).map(([k, v]) => k + "=" + (typeof v === "string" ? v : JSON.stringify(v))).join(" ");
  } catch {
    return setting;
  }
}

function option(value, label, selected) {
  const node = el("option", { value }, label);
  node.selected = Boolean(selected);
  return node;
}

/** A long text: its head, and the rest only when asked for. */
const LONG = 4000;
function longText(text, label) {
  const whole = visible(text);
  const block = el("pre", { class: "untrusted", tabindex: "0", role: "region", "aria-label": label });
  block.textContent = whole.length > LONG ? whole.slice(0, LONG) + " …" : whole;
  if (whole.length <= LONG) return [block];
  const more = el("button", { type: "button", class: "quiet" }, "Show all " + whole.length.toLocaleString("en") + " characters");
  more.addEventListener("click", () => {
    block.textContent = whole;
    more.remove();
  });
  return [block, more];
}

/** A command line with a button that copies it. */
function commandLine(command) {
  const code = el("code", { class: "command" }, command);
  if (!navigator.clipboard) return el("div", { class: "command-row" }, code);
  const button = el("button", { type: "button", class: "quiet", "aria-label": "Copy the command" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
  });
  return el("div", { class: "command-row" }, code, button);
}
