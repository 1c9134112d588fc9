// The latest traces, newest first: what it was, whose, how long, how many spans, how many failed.
//
// The model holds `traces`, rows as SqliteStore.latest() returns them, and `selected`, a trace id
// or "". Only the rows in sight are in the document, so 10,000 traces scroll; `reach`, the number of
// the last row in sight, tells the host when to fetch more. A row that stays keeps its element, so
// that a list which changes every second loses neither the focus nor the pointer's hover. Names are
// put in as text, never as markup.
//
// Keys: up and down walk, Home and End jump, Enter opens.

const ROW = 52;
const OVERSCAN = 8;

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const list = root.appendChild(document.createElement("ol"));
  list.style.setProperty("--row", `${ROW}px`);
  const rows = new Map(); // trace id -> { item, button, update }, of the rows in the document
  let traces = [];
  let places = new Map(); // trace id -> its place in `traces`
  let longest = 1;
  let kept = ""; // the row that Tab leads to: the one last focused, or the selected one
  let frame = 0;

  const open = (id) => {
    model.set("selected", id);
    model.save_changes?.();
  };

  function load() {
    const before = places;
    traces = model.get("traces") || [];
    places = new Map(traces.map((trace, i) => [trace.trace_id, i]));
    longest = traces.reduce((most, trace) => Math.max(most, Number(trace.duration_ns)), 1);
    list.style.height = `${traces.length * ROW}px`;
    draw(before.size ? before : places);
  }

  // Whether the list scrolls itself or the window does: what counts is what both leave to be seen.
  function inSight() {
    const here = host.getBoundingClientRect();
    const frame = el.getBoundingClientRect();
    const top = Math.max(0, frame.top) - here.top;
    const bottom = Math.min(innerHeight, frame.bottom) - here.top;
    const begin = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
    return [begin, Math.min(traces.length, Math.max(begin, Math.ceil(bottom / ROW) + OVERSCAN))];
  }

  function draw(before = places) {
    const [begin, end] = inSight();
    const selected = model.get("selected") || "";
    kept = places.has(kept) ? kept : places.has(selected) ? selected : traces[0]?.trace_id || "";
    const wanted = new Set();
    if (places.get(kept) < begin) wanted.add(kept); // the focus stays, even out of sight
    for (let i = begin; i < end; i++) wanted.add(traces[i].trace_id);
    if (places.get(kept) >= end) wanted.add(kept);
    for (const [id, row] of rows) {
      if (wanted.has(id)) continue;
      row.item.remove();
      rows.delete(id);
    }
    [...wanted].forEach((id, at) => {
      let row = rows.get(id);
      if (!row) {
        rows.set(id, (row = makeRow(() => open(id), () => stay(id))));
        if (!before.has(id)) row.item.classList.add("new");
      }
      const i = places.get(id);
      row.update(traces[i], longest, i, traces.length);
      if (list.children[at] !== row.item) list.insertBefore(row.item, list.children[at] || null);
    });
    mark();
    if (end > begin) model.set("reach", end);
  }

  function mark() {
    const selected = model.get("selected") || "";
    for (const [id, row] of rows) {
      if (id === selected) row.button.setAttribute("aria-current", "true");
      else row.button.removeAttribute("aria-current");
      row.button.tabIndex = id === kept ? 0 : -1;
    }
  }

  function stay(id) {
    kept = id;
    mark();
  }

  function choose() {
    const selected = model.get("selected") || "";
    if (selected && places.has(selected) && !root.activeElement) kept = selected;
    draw();
  }

  function soon() {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => draw());
  }

  list.addEventListener("keydown", (event) => {
    const at = places.get(kept) ?? -1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: traces.length - 1 }[event.key];
    if (to === undefined || !traces[to] || event.altKey || event.ctrlKey || event.metaKey) return;
    kept = traces[to].trace_id;
    draw();
    rows.get(kept).button.focus(); // and the browser scrolls it into sight
    event.preventDefault();
  });

  const watcher = new ResizeObserver(soon);
  watcher.observe(el);
  document.addEventListener("scroll", soon, { capture: true, passive: true });
  model.on("change:traces", load);
  model.on("change:selected", choose);
  load();
  return () => {
    watcher.disconnect();
    cancelAnimationFrame(frame);
    document.removeEventListener("scroll", soon, { capture: true });
    model.off?.("change:traces", load);
    model.off?.("change:selected", choose);
    host.remove();
  };
}

function makeRow(onOpen, onFocus) {
  const name = node("bdi", "name");
  const took = node("span", "took");
  const about = node("bdi", "about");
  const errors = node("b", "errors");
  const time = node("time");
  const bar = node("i", "bar");
  const button = node("button", "", name, took, node("span", "second", errors, about), time, bar);
  const item = node("li", "", button);
  button.addEventListener("click", onOpen);
  button.addEventListener("focus", onFocus);
  const update = (trace, longest, i, size) => {
    const started = new Date(Number(trace.start_unix_nano) / 1e6);
    const service = trace.service || "no service name";
    const failed = Number(trace.errors);
    put(name, trace.name || "(root span not here)");
    put(took, duration(trace.duration_ns));
    put(errors, failed ? `✗ ${failed} ` : "");
    put(about, `${service}, ${trace.spans} span${Number(trace.spans) === 1 ? "" : "s"}`);
    put(time, clock(started));
    time.dateTime = time.title = Number.isNaN(started.valueOf()) ? "" : started.toISOString();
    bar.style.setProperty("--part", (Number(trace.duration_ns) / longest).toFixed(4));
    item.style.top = `${i * ROW}px`;
    item.ariaPosInSet = i + 1;
    item.ariaSetSize = size;
    button.classList.toggle("failed", failed > 0);
    button.title = `${trace.name} (${service})`;
  };
  return { item, button, update };
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function node(tag, kind = "", ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

function clock(date) {
  if (Number.isNaN(date.valueOf())) return "";
  const today = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString("en-GB");
  return today ? time : `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time.slice(0, 5)}`;
}

// Three digits and a unit, as views/plain_text.py: duration_text.
function duration(nanoseconds) {
  const ns = Number(nanoseconds);
  for (const [unit, scale] of [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]]) {
    const value = ns / scale;
    if (value < (unit === "s" ? 59.995 : 999.5)) {
      return `${Number(value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0))} ${unit}`;
    }
  }
  const minutes = Math.round(ns / 6e10);
  return minutes < 60 ? `${minutes} m` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}

let shared;
function sheet() {
  if (shared) return shared;
  shared = new CSSStyleSheet();
  shared.replaceSync(`
:host { display: block; color-scheme: light dark;
  --ink: var(--otlp-ink, var(--jp-ui-font-color1, var(--md-default-fg-color, light-dark(#20252e, #e4e1d9))));
  --muted: var(--otlp-muted, var(--jp-ui-font-color2, var(--md-default-fg-color--light, light-dark(#69707c, #9299a6))));
  --line: var(--otlp-line, var(--jp-border-color2, var(--md-default-fg-color--lightest, light-dark(#e2dfd7, #2d323b))));
  --accent: var(--otlp-accent, var(--jp-brand-color1, var(--md-accent-fg-color, light-dark(#0e7c6b, #52c7b3))));
  --error: var(--otlp-error, var(--jp-error-color1, light-dark(#c2361f, #ff7f6b))); }
ol { list-style: none; margin: 0; padding: 0; position: relative; color: var(--ink);
  font: 13px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
li { position: absolute; left: 0; right: 0; height: var(--row); border-bottom: 1px solid var(--line); }
button { all: unset; box-sizing: border-box; display: grid; width: 100%; height: 100%; cursor: pointer; position: relative;
  grid-template-columns: minmax(0, 1fr) auto; gap: 1px 12px; padding: 6px 14px 9px; align-content: start; }
button:hover { background: color-mix(in srgb, var(--ink) 4%, transparent); }
button[aria-current] { background: color-mix(in srgb, var(--accent) 12%, transparent); box-shadow: inset 3px 0 0 var(--accent); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.name, .second { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name { font-weight: 550; }
.took { text-align: right; }
.second, time { color: var(--muted); font-size: 12px; }
.errors { color: var(--error); font-weight: 600; white-space: pre; }
time { text-align: right; }
.bar { position: absolute; left: 14px; bottom: 4px; height: 2px; border-radius: 1px; min-width: 2px;
  width: calc((100% - 28px) * var(--part)); background: var(--accent); opacity: .8; }
.failed .bar { background: var(--error); }
.new { animation: arrive 1.6s ease-out; }
@keyframes arrive { from { background: color-mix(in srgb, var(--accent) 22%, transparent); } }
@media (prefers-reduced-motion: reduce) { .new { animation: none; } }
`);
  return shared;
}

export default { render };
