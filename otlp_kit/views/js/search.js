// The search of the trace list: a line of text, and beneath it what was understood of it.
//
//     orders service:payments status:error >200ms http.route=/orders has:retry
//
// `understand` is pure: text to the filters of /api/latest, and one chip a token. The model holds
// `query`, the text as it was typed, and `problem`, what the store had to say about it.
//
// Keys: Escape clears, and leaves when there is nothing to clear.

const WAIT_MS = 150; // typing makes one question, not one for each letter
const MS = { "": 1, ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4 };
const WORD = { service: "service", status: "status", name: "name", has: "attribute" };
const EXAMPLES = ["status:error", ">200ms", "service:", "key=value"];

export function understand(query) {
  const filters = {};
  const chips = [];
  const use = (token, filter, value, label) => {
    if (filter in filters) return chips.push({ token, label: `${label}: one at a time`, used: false });
    filters[filter] = value;
    return chips.push({ token, label, used: true });
  };
  const free = [];
  for (const token of query.match(/(?:[^\s"]|"[^"]*"?)+/g) || []) {
    const text = token.replaceAll('"', "");
    const [, word, value] = text.match(/^(service|status|name|has):(.*)$/) || [];
    const took = text.match(/^([<>])=?(\d+(?:\.\d+)?|\.\d+)(ns|us|µs|ms|s|m)?$/);
    const wrong = (why) => chips.push({ token, label: why, used: false });
    if (token.startsWith('"')) free.push([token, text]);
    else if (word && !value) wrong(`${word}: what?`);
    else if (word === "status" && !["error", "ok"].includes(value)) wrong("status: error or ok");
    else if (word) use(token, WORD[word], value, word === "has" ? `has ${value}` : `${word} ${value}`);
    else if (took) use(token, took[1] === ">" ? "min_ms" : "max_ms", String(Number((took[2] * MS[took[3] || ""]).toPrecision(12))),
      `${took[1] === ">" ? "at least" : "at most"} ${took[2]} ${took[3] || "ms"}`);
    else if (/^[<>]/.test(text)) wrong(`${text}: a time, as >200ms`);
    else if (text.indexOf("=") > 0) use(token, "attribute", text, text.replace("=", " = "));
    else if (text) free.push([token, text]);
  }
  if (free.length) {
    const name = free.map(([, text]) => text).join(" ");
    // One chip for all words, since they are looked for as one piece of a name.
    use(free.map(([token]) => token), "name", name, `name has “${name}”`);
  }
  return { filters, chips };
}

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open", delegatesFocus: true });
  root.adoptedStyleSheets = [sheet()];
  const input = node("input");
  Object.assign(input, { type: "text", spellcheck: false, autocomplete: "off", placeholder: "Search by name, or …" });
  input.setAttribute("aria-label", "Search traces");
  const key = node("kbd", "", "/");
  key.setAttribute("aria-hidden", "true");
  const examples = node("p", "examples", ...EXAMPLES.map((text) => {
    const button = node("button", "", text);
    button.tabIndex = -1; // they are typed as quickly as they are reached
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the input keeps the focus
    button.addEventListener("click", () => {
      input.value = text;
      input.focus();
      if (text.includes("key")) input.setSelectionRange(0, text.length);
      later();
    });
    return button;
  }));
  const chips = node("p", "chips");
  const problem = node("p", "problem");
  problem.setAttribute("role", "status");
  root.append(node("div", "line", input, key), examples, chips, problem);
  let timer = 0;

  function say() {
    clearTimeout(timer);
    model.set("query", input.value.trim());
    model.save_changes?.();
  }
  function later() {
    clearTimeout(timer);
    timer = setTimeout(say, WAIT_MS);
  }
  function draw() {
    const query = model.get("query") || "";
    if (input.value.trim() !== query) input.value = query;
    chips.replaceChildren(...understand(query).chips.map(({ token, label, used }) => {
      const chip = node("button", used ? "" : "unused", node("bdi", "", label), node("span", "", "×"));
      chip.setAttribute("aria-label", `${label}${used ? "" : " (not used)"}, remove`);
      chip.addEventListener("click", () => {
        input.value = without(query, [token].flat());
        input.focus();
        say();
      });
      return chip;
    }));
    problem.textContent = model.get("problem") || "";
  }

  input.addEventListener("input", later);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") say();
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (!input.value) return input.blur();
    input.value = "";
    say();
  });
  model.on("change:query", draw);
  model.on("change:problem", draw);
  draw();
  return () => {
    clearTimeout(timer);
    model.off?.("change:query", draw);
    model.off?.("change:problem", draw);
    host.remove();
  };
}

function without(query, tokens) {
  const left = query.match(/(?:[^\s"]|"[^"]*"?)+/g) || [];
  for (const token of tokens) left.splice(left.indexOf(token), 1);
  return left.join(" ");
}

function node(tag, kind = "", ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

let shared;
function sheet() {
  if (shared) return shared;
  shared = new CSSStyleSheet();
  shared.replaceSync(`
:host { display: block; color-scheme: light dark;
  --ink: var(--otlp-ink, light-dark(#20252e, #e4e1d9)); --muted: var(--otlp-muted, light-dark(#69707c, #9299a6));
  --line: var(--otlp-line, light-dark(#e2dfd7, #2d323b)); --surface: var(--otlp-surface, light-dark(#fdfcf9, #171a20));
  --accent: var(--otlp-accent, light-dark(#0e7c6b, #52c7b3)); --error: var(--otlp-error, light-dark(#c2361f, #ff7f6b));
  color: var(--ink); font: 13px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif; }
* { box-sizing: border-box; margin: 0; }
.line { position: relative; }
input { width: 100%; height: 34px; padding: 0 34px 0 10px; font: inherit; color: inherit; background: var(--surface);
  border: 1px solid color-mix(in srgb, var(--muted) 45%, var(--line)); border-radius: 6px; }
input::placeholder { color: var(--muted); opacity: 1; }
input:focus { outline: 2px solid var(--accent); outline-offset: -1px; border-color: transparent; }
kbd { position: absolute; right: 8px; top: 7px; font: 12px/18px var(--otlp-mono, monospace); padding: 0 6px; color: var(--muted);
  border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 4px; pointer-events: none; }
input:focus ~ kbd, input:not(:placeholder-shown) ~ kbd { display: none; }
.examples, .chips { display: flex; flex-wrap: wrap; gap: 5px; padding-top: 7px; }
.examples { display: none; }
.line:has(input:focus:placeholder-shown) ~ .examples { display: flex; }
.chips:empty, .problem:empty { display: none; }
button { max-width: 100%; display: inline-flex; gap: 6px; font: 12px/20px system-ui, sans-serif; color: inherit; padding: 0 8px;
  border: 1px solid transparent; border-radius: 10px; cursor: pointer; background: color-mix(in srgb, var(--accent) 15%, transparent); }
.chips bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chips span { color: var(--muted); }
button:hover { border-color: var(--accent); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.examples button { font-family: var(--otlp-mono, monospace); font-size: 11.5px; color: var(--muted); background: none; border-color: var(--line); }
.examples button:hover { color: var(--ink); border-color: var(--accent); }
.unused { color: var(--muted); background: none; border: 1px dashed color-mix(in srgb, var(--muted) 70%, transparent); }
.problem { padding-top: 7px; font-size: 12px; color: var(--error); overflow-wrap: anywhere; }
`);
  return shared;
}

export default { render };
