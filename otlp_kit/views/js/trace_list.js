// The latest traces, newest first: what it was, whose, how long, how many spans, how many failed.
//
// The model holds `traces`, rows as SqliteStore.latest() returns them, and `selected`, a trace id
// or "". A row that stays keeps its element, so that a list which changes every second loses
// neither the focus nor the pointer's hover. Names are put in as text, never as markup.
//
// Keys: up and down walk, Home and End jump, Enter opens.

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const list = root.appendChild(document.createElement("ol"));
  const rows = new Map(); // trace id -> { item, button, update }

  const open = (id) => {
    model.set("selected", id);
    model.save_changes?.();
  };

  function draw() {
    const traces = model.get("traces") || [];
    const longest = Math.max(1, ...traces.map((trace) => Number(trace.duration_ns)));
    const first = rows.size === 0;
    const kept = new Set(traces.map((trace) => trace.trace_id));
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.item.remove();
      rows.delete(id);
    }
    traces.forEach((trace, i) => {
      let row = rows.get(trace.trace_id);
      if (!row) {
        rows.set(trace.trace_id, (row = makeRow(() => open(trace.trace_id))));
        if (!first) row.item.classList.add("new");
      }
      row.update(trace, longest);
      if (list.children[i] !== row.item) list.insertBefore(row.item, list.children[i] || null);
    });
    mark();
  }

  function mark() {
    const selected = model.get("selected") || "";
    const buttons = [...list.querySelectorAll("button")];
    for (const [id, row] of rows) {
      if (id === selected) row.button.setAttribute("aria-current", "true");
      else row.button.removeAttribute("aria-current");
      row.button.tabIndex = -1;
    }
    const stop = root.activeElement || rows.get(selected)?.button || buttons[0];
    if (stop) stop.tabIndex = 0;
  }

  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(root.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to] || event.altKey || event.ctrlKey || event.metaKey) return;
    buttons[to].focus();
    mark();
    event.preventDefault();
  });

  model.on("change:traces", draw);
  model.on("change:selected", mark);
  draw();
  return () => {
    model.off?.("change:traces", draw);
    model.off?.("change:selected", mark);
    host.remove();
  };
}

function makeRow(onOpen) {
  const name = node("bdi", "name");
  const took = node("span", "took");
  const about = node("bdi", "about");
  const errors = node("b", "errors");
  const time = node("time");
  const bar = node("i", "bar");
  const button = node("button", "", name, took, node("span", "second", errors, about), time, bar);
  const item = node("li", "", button);
  button.addEventListener("click", onOpen);
  const update = (trace, longest) => {
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
ol { list-style: none; margin: 0; padding: 0; color: var(--ink);
  font: 13px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
li { border-bottom: 1px solid var(--line); }
button { all: unset; box-sizing: border-box; display: grid; width: 100%; cursor: pointer; position: relative;
  grid-template-columns: minmax(0, 1fr) auto; gap: 1px 12px; padding: 6px 14px 9px; }
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
