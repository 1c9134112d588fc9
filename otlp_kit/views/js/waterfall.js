// A trace as a waterfall that answers to a click and to the keyboard.
//
// One figure, three hosts: the page of the receiver, the site, a notebook (anywidget's shape).
// The model holds `trace`, what Waterfall.data() returns; `selected`, the id of the span whose
// details are open, or ""; and `logs`, the log records of the trace if there are any, as
// SqliteStore.logs() returns them: those of a span stand in its details. Only the rows in sight are in the document, so 20,000 spans scroll.
// Whatever a span says is put in as text, never as markup. The host may set `--otlp-height`.
//
// Keys: up and down walk, right and left open and close a branch, Enter shows details, Escape
// hides them, e goes to the next error, l shows the logs of the whole trace.

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUS = ["unset", "ok", "error"];
const ERROR = 2;
const COLORS = 8;
const OVERSCAN = 10;
const EVENTS_A_BAR = 50;
const ENTRIES = 200; // events, links or logs in the details
const SEVERITIES = ["", "trace", "debug", "info", "warn", "error", "fatal"]; // four numbers each
const NARROW = 620;

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const figure = new Figure(model, root);
  const onTrace = () => figure.load(model.get("trace"));
  const onSelected = () => figure.select(model.get("selected") || "");
  const onLogs = () => figure.loadLogs(model.get("logs"));
  onLogs();
  model.on("change:logs", onLogs);
  model.on("change:trace", onTrace);
  model.on("change:selected", onSelected);
  const watcher = new ResizeObserver(([entry]) => figure.resize(entry.contentRect.width));
  watcher.observe(host);
  onTrace();
  return () => {
    watcher.disconnect();
    model.off?.("change:logs", onLogs);
    model.off?.("change:trace", onTrace);
    model.off?.("change:selected", onSelected);
    host.remove();
  };
}

class Figure {
  constructor(model, root) {
    this.model = model;
    this.spans = [];
    this.logs = [];
    this.logsOf = new Map(); // span id -> its log records
    this.allLogs = false; // whether the details are the logs of the whole trace
    this.visible = []; // indices of the spans whose branch is open
    this.closed = new Set(); // indices of the spans whose branch is closed
    this.active = 0; // a position in `visible`: where the keyboard is
    this.rowHeight = 26;
    this.head = node("header");
    this.axis = node("div", "axis");
    this.axis.setAttribute("aria-hidden", "true");
    this.space = node("div", "space");
    this.space.setAttribute("role", "presentation");
    this.scroller = node("div", "scroller", this.axis, this.space);
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "tree");
    this.scroller.setAttribute("aria-label", "Spans of the trace");
    this.details = node("aside");
    this.details.setAttribute("aria-label", "Details of the selected span");
    this.details.hidden = true;
    this.top = node("div", "figure", this.head, node("div", "body", this.scroller, this.details));
    root.append(this.top);
    this.scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    this.scroller.addEventListener("click", (event) => this.click(event));
    this.details.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close(event);
    });
  }

  load(trace) {
    const same = trace && this.trace && trace.trace_id === this.trace.trace_id;
    const selected = same ? this.selectedId : this.model.get("selected") || "";
    const at = same ? this.scroller.scrollTop : 0;
    this.trace = trace || { spans: [], duration_ns: 0 };
    this.spans = this.trace.spans;
    this.total = Number(this.trace.duration_ns) || 1;
    this.services = [...new Set(this.spans.map((span) => span.service))];
    if (!same) this.closed.clear();
    if (!same) this.active = 0;
    this.layOut();
    this.drawHead();
    this.scroller.scrollTop = at;
    this.select(selected, same);
  }

  loadLogs(logs) {
    this.logs = logs || [];
    this.logsOf = Map.groupBy(this.logs, (log) => log.span_id);
    this.drawn = "";
    if (!this.trace) return;
    this.drawHead();
    const at = this.details.scrollTop;
    if (this.selectedId || this.allLogs) this.open(this.selected, this.allLogs);
    else this.draw();
    this.details.scrollTop = at;
  }

  resize(width) {
    const narrow = width < NARROW;
    this.top.classList.toggle("narrow", narrow);
    this.top.classList.toggle("stacked", width < 860);
    this.rowHeight = narrow ? 40 : 26;
    this.top.style.setProperty("--row", `${this.rowHeight}px`);
    this.ticks = narrow ? 3 : 6;
    this.layOut();
    this.draw();
  }

  layOut() {
    this.visible = [];
    let hiddenBelow = Infinity;
    this.spans.forEach((span, i) => {
      if (span.depth > hiddenBelow) return;
      hiddenBelow = this.closed.has(i) ? span.depth : Infinity;
      this.visible.push(i);
    });
    this.active = Math.max(0, Math.min(this.active, this.visible.length - 1));
    this.space.style.height = `${this.visible.length * this.rowHeight}px`;
    const marks = ticks(this.total, this.ticks || 6);
    this.axis.replaceChildren(...marks.map((ns) => place(node("span", "", ns ? duration(ns) : "0"), ns, this.total)));
    this.lines = marks.map((ns) => place(node("i", "line"), ns, this.total));
    this.drawn = "";
  }

  drawHead() {
    const first = this.spans[0];
    const failed = this.spans.filter((span) => span.status_code === ERROR).length;
    const facts = node("p", "facts", first ? `${count(this.spans.length, "span")}, ${duration(this.total)}` : "");
    if (failed) {
      const jump = node("button", "failed", `✗ ${count(failed, "error")}`);
      jump.title = "Go to the next error (e)";
      jump.addEventListener("click", () => this.nextError());
      facts.append(", ", jump);
    }
    if (this.logs.length) {
      const all = node("button", "logs", count(this.logs.length, "log"));
      all.title = "The logs of the whole trace (l)";
      all.addEventListener("click", () => this.showLogs());
      facts.append(", ", all);
    }
    const legend = this.services.slice(0, COLORS).map((name, i) =>
      node("li", "", node("i", `dot c${i}`), name || "no service name"));
    const rest = this.services.length - legend.length;
    if (rest > 0) legend.push(node("li", "", `and ${count(rest, "more service")}`));
    const id = node("code", "", this.trace.trace_id || "");
    id.title = "Trace id";
    this.head.replaceChildren(
      node("h2", "", first ? first.name || "(no name)" : "No spans"), facts, node("ul", "legend", ...legend), id);
  }

  draw() {
    const begin = Math.max(0, Math.floor(this.scroller.scrollTop / this.rowHeight) - OVERSCAN);
    const seen = Math.ceil((this.scroller.clientHeight || 600) / this.rowHeight);
    const end = Math.min(this.visible.length, begin + seen + 2 * OVERSCAN);
    const state = `${begin} ${end} ${this.active} ${this.selected}`;
    if (state === this.drawn) return;
    this.drawn = state;
    const rows = [];
    for (let at = begin; at < end; at++) rows.push(this.row(at));
    const grid = node("div", "grid", ...this.lines);
    this.space.replaceChildren(grid, ...rows);
    this.scroller.setAttribute("aria-activedescendant", `row-${this.active}`);
  }

  row(at) {
    const i = this.visible[at];
    const span = this.spans[i];
    const failed = span.status_code === ERROR;
    const label = node("span", "label", node("bdi", "", span.name || "(no name)"));
    if (failed) label.prepend(node("b", "mark", "✗ "));
    if (span.orphan) {
      const mark = node("b", "mark orphan", "? ");
      mark.title = "Its parent is not here: not sent, not yet arrived, or in a loop";
      label.prepend(mark);
    }
    const logs = this.logsOf.get(span.span_id);
    const name = node("span", "name");
    label.title = `${span.name} (${span.service || "no service name"})`;
    if (logs) name.append(logMark(logs));
    const indent = node("span", "indent");
    indent.style.width = `${Math.min(span.depth, 16) * 14}px`;
    const toggle = node("span", "toggle", this.branch(i) ? "▾" : "");
    const begin = Number(span.offset_ns);
    const length = Number(span.duration_ns);
    const color = failed ? "error" : `c${this.services.indexOf(span.service) % COLORS}`;
    const bar = node("span", `bar ${color}`);
    bar.style.left = percent(begin, this.total);
    bar.style.width = percent(length, this.total);
    const time = node("span", "time", duration(length));
    if ((begin + length) / this.total < 0.82) time.style.left = percent(begin + length, this.total);
    else if (begin / this.total > 0.18) time.style.right = percent(this.total - begin, this.total);
    else time.classList.add("within");
    const events = span.events.slice(0, EVENTS_A_BAR).map((event) =>
      place(node("i", "event"), Number(event.offset_ns), this.total));
    name.prepend(indent, toggle, label);
    const row = node("div", "row", name, node("span", "track", bar, ...events, time));
    row.style.top = `${at * this.rowHeight}px`;
    row.id = `row-${at}`;
    row.dataset.at = at;
    row.setAttribute("role", "treeitem");
    row.setAttribute("aria-level", span.depth + 1);
    row.setAttribute("aria-selected", i === this.selected);
    row.setAttribute("aria-label", `${span.name}, ${span.service}, ${duration(length)}${failed ? ", error" : ""}${logs ? `, ${count(logs.length, "log")}` : ""}`);
    if (this.branch(i)) row.setAttribute("aria-expanded", !this.closed.has(i));
    if (at === this.active) row.classList.add("active");
    return row;
  }

  branch(i) {
    return i + 1 < this.spans.length && this.spans[i + 1].depth > this.spans[i].depth;
  }

  key(event) {
    const i = this.visible[this.active];
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.altKey || event.ctrlKey || event.metaKey || i === undefined) return;
    if (event.key in steps) this.move(this.active + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.choose(i);
    else if (event.key === "Escape" && !this.details.hidden) this.close(event);
    else if (event.key === "e") this.nextError();
    else if (event.key === "l" && this.logs.length) this.showLogs();
    else if (event.key === "ArrowRight" && this.branch(i)) {
      if (this.closed.has(i)) this.fold(i, false);
      else this.move(this.active + 1);
    } else if (event.key === "ArrowLeft") {
      if (this.branch(i) && !this.closed.has(i)) this.fold(i, true);
      else if (this.spans[i].depth) this.move(this.visible.findLastIndex((j) => j < i && this.spans[j].depth < this.spans[i].depth));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  click(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    this.active = Number(row.dataset.at);
    const i = this.visible[this.active];
    if (event.target.classList.contains("toggle") && this.branch(i)) this.fold(i, !this.closed.has(i));
    else this.choose(i);
  }

  move(to) {
    this.active = Math.max(0, Math.min(to, this.visible.length - 1));
    this.reveal();
    if (this.selectedId) this.choose(this.visible[this.active]);
    else this.draw();
  }

  reveal() {
    const top = this.active * this.rowHeight;
    const room = this.scroller.clientHeight - this.axis.offsetHeight - this.rowHeight;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top > this.scroller.scrollTop + room) this.scroller.scrollTop = top - room;
  }

  fold(i, closed) {
    if (closed) this.closed.add(i);
    else this.closed.delete(i);
    this.layOut();
    this.draw();
  }

  nextError() {
    const here = this.visible[this.active] ?? -1;
    const failed = this.spans.flatMap((span, i) => (span.status_code === ERROR ? [i] : []));
    const next = failed.find((i) => i > here) ?? failed[0];
    if (next === undefined) return;
    this.unfold(next);
    this.reveal();
    this.choose(next);
    this.scroller.focus();
  }

  unfold(i) {
    for (let j = i, depth = this.spans[i].depth; j >= 0; j--) {
      if (this.spans[j].depth < depth) {
        depth = this.spans[j].depth;
        this.closed.delete(j);
      }
    }
    this.layOut();
    this.active = this.visible.indexOf(i);
  }

  choose(i) {
    this.open(i);
    if (this.top.classList.contains("stacked")) this.details.scrollIntoView({ block: "nearest" });
    this.model.set("selected", this.selectedId);
    this.model.save_changes?.();
  }

  select(id, keepScroll = false) {
    if (id && id === this.selectedId && this.spans[this.selected]?.span_id === id) return this.open(this.selected);
    if (!id && this.allLogs && keepScroll) return this.open(-1, true);
    const i = id ? this.spans.findIndex((span) => span.span_id === id) : -1;
    if (i >= 0) {
      this.unfold(i);
      if (!keepScroll) this.reveal();
    }
    this.open(i);
  }

  close(event) {
    this.choose(-1);
    this.scroller.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  open(i, allLogs = false) {
    this.selected = i;
    this.selectedId = i >= 0 ? this.spans[i].span_id : "";
    this.allLogs = allLogs;
    this.details.hidden = i < 0 && !allLogs;
    this.details.setAttribute("aria-label", allLogs ? "Logs of the trace" : "Details of the selected span");
    if (!this.details.hidden) {
      this.details.replaceChildren(...(allLogs ? this.aboutLogs() : this.about(this.spans[i])));
      this.details.scrollTop = 0;
    }
    this.draw();
  }

  showLogs() {
    this.model.set("selected", "");
    this.open(-1, true);
    if (this.top.classList.contains("stacked")) this.details.scrollIntoView({ block: "nearest" });
  }

  aboutLogs() {
    const names = new Map(this.spans.map((span) => [span.span_id, span.name || "(no name)"]));
    const entries = this.logs.slice(0, ENTRIES).map((log) => {
      const entry = this.log(log);
      if (!names.has(log.span_id)) return entry;
      const jump = node("button", "of", node("bdi", "", names.get(log.span_id)));
      jump.title = "Show this span";
      jump.addEventListener("click", () => {
        this.select(log.span_id);
        this.choose(this.selected);
      });
      entry.insertBefore(jump, entry.querySelector("dl"));
      return entry;
    });
    return [this.title("Logs of the trace"), ...section("In the order of time", entries, this.logs.length)];
  }

  log(log) {
    const kind = severity(log);
    const name = log.severity_text || kind.toUpperCase() || "LOG";
    const body = typeof log.body === "string" ? log.body : JSON.stringify(log.body ?? null);
    return node("div", `entry log ${kind}`,
      node("p", "", node("b", "severity", name), node("span", "when", this.since(log.time_unix_nano))),
      node("div", "said", body), table(log.attributes || {}));
  }

  // Nanoseconds since 1970 are beyond what a double holds exactly: only the difference is a number.
  since(unixNano) {
    const ns = Number(BigInt(unixNano) - BigInt(this.trace.start_unix_nano || 0));
    return ns < 0 ? `− ${duration(-ns)}` : `+ ${duration(ns)}`;
  }

  title(text) {
    const away = node("button", "close", "×");
    away.setAttribute("aria-label", "Close the details");
    away.addEventListener("click", (event) => this.close(event));
    return node("div", "title", node("h3", "", text), away);
  }

  about(span) {
    const parts = [this.title(span.name || "(no name)")];
    if (span.status_code === ERROR) parts.push(node("p", "problem", `✗ ${span.status_message || "error, without a message"}`));
    parts.push(table({
      service: span.service || "not given",
      took: duration(span.duration_ns),
      "started at": `+ ${duration(span.offset_ns)}`,
      kind: KINDS[span.kind] ?? span.kind,
      status: STATUS[span.status_code] ?? span.status_code,
      scope: span.scope || "not given",
      "span id": span.span_id,
      parent: span.parent_span_id ? span.parent_span_id + (span.orphan ? " (not here)" : "") : "none, a root",
    }, "facts"));
    const logs = this.logsOf.get(span.span_id) || [];
    parts.push(...section("Logs", logs.slice(0, ENTRIES).map((log) => this.log(log)), logs.length));
    parts.push(...section("Attributes", [table(span.attributes)], Object.keys(span.attributes).length));
    parts.push(...section("Events", span.events.slice(0, ENTRIES).map((event) => node("div", "entry",
      node("p", "", node("b", "", event.name), node("span", "when", `+ ${duration(event.offset_ns)}`)),
      table(event.attributes))), span.events.length));
    parts.push(...section("Links", span.links.slice(0, ENTRIES).map((link) => node("div", "entry",
      table({ trace: link.trace_id, span: link.span_id }), table(link.attributes))), span.links.length));
    return parts;
  }
}

function logMark(logs) {
  const worst = logs.reduce((most, log) => (log.severity_number > most.severity_number ? log : most));
  const mark = node("span", `logmark ${severity(worst)}`, "≡");
  mark.title = count(logs.length, "log");
  return mark;
}

function severity(log) {
  return SEVERITIES[Math.max(0, Math.min(6, Math.ceil(Number(log.severity_number || 0) / 4)))];
}

function section(title, nodes, size) {
  const shown = size > ENTRIES && title !== "Attributes" ? `${size}, the first ${ENTRIES} are shown` : size;
  return size ? [node("h4", "", `${title} `, node("span", "", shown)), ...nodes] : [];
}

function table(entries, kind = "") {
  return node("dl", kind, ...Object.entries(entries).flatMap(([key, value]) => {
    const dd = node("dd", typeof value, typeof value === "object" ? JSON.stringify(value) : String(value));
    return [node("dt", "", key), dd];
  }));
}

function node(tag, kind = "", ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children); // strings become text nodes
  return made;
}

function place(made, ns, total) {
  made.style.left = percent(ns, total);
  return made;
}

function percent(part, whole) {
  return `${Math.max(0, Math.min(100, (100 * part) / whole)).toFixed(3)}%`;
}

function count(n, what) {
  return `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
}

function ticks(total, wanted) {
  const rough = total / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor((total * 0.96) / step) + 1 }, (_, i) => i * step);
}

// Three digits and a unit, as views/plain_text.py: duration_text.
function duration(nanoseconds) {
  const ns = Number(nanoseconds);
  if (ns < 0) return `−${duration(-ns)}`;
  for (const [unit, scale] of [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]]) {
    const value = ns / scale;
    if (value < (unit === "s" ? 59.995 : 999.5)) {
      return `${Number(value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0))} ${unit}`;
    }
  }
  const seconds = Math.round(ns / 1e9);
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} m`;
  return `${Math.floor(seconds / 86400)} d ${two((seconds % 86400) / 3600)} h`;
}

let shared;
function sheet() {
  if (shared) return shared;
  shared = new CSSStyleSheet(); // allowed where a <style> element is not
  shared.replaceSync(`
:host { display: block; height: 100%; color-scheme: light dark;
  --ink: var(--otlp-ink, var(--jp-ui-font-color1, var(--md-default-fg-color, light-dark(#20252e, #e4e1d9))));
  --muted: var(--otlp-muted, var(--jp-ui-font-color2, var(--md-default-fg-color--light, light-dark(#69707c, #9299a6))));
  --line: var(--otlp-line, var(--jp-border-color2, var(--md-default-fg-color--lightest, light-dark(#e2dfd7, #2d323b))));
  --surface: var(--otlp-surface, var(--jp-layout-color1, var(--md-default-bg-color, light-dark(#fdfcf9, #171a20))));
  --accent: var(--otlp-accent, var(--jp-brand-color1, var(--md-accent-fg-color, light-dark(#0e7c6b, #52c7b3))));
  --error: var(--otlp-error, var(--jp-error-color1, light-dark(#c2361f, #ff7f6b)));
  --warn: var(--otlp-warn, var(--jp-warn-color0, light-dark(#8f6200, #e3b34f)));
  --mono: var(--otlp-mono, ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace); }
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
.figure { color: var(--ink); background: var(--surface); font: 13px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
  font-variant-numeric: tabular-nums; --row: 26px; display: flex; flex-direction: column; height: 100%; }
header { display: grid; grid-template-columns: 1fr auto; gap: 2px 20px; padding: 14px 16px 12px; align-items: baseline; }
h2 { font-size: 17px; font-weight: 600; line-height: 1.25; overflow-wrap: anywhere; letter-spacing: -.01em; }
header .facts { color: var(--muted); white-space: nowrap; }
header code { font: 11.5px var(--mono); color: var(--muted); text-align: right; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; padding: 0; list-style: none; color: var(--muted); }
.legend li { overflow-wrap: anywhere; }
.dot { display: inline-block; width: 8px; height: 8px; border-radius: 2px; margin-right: 6px; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; border-radius: 3px; }
button.failed { color: var(--error); font-weight: 600; }
button.logs { color: var(--ink); }
button.failed:hover, button.logs:hover, .of:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.body { flex: 1; min-height: 0; display: grid; grid: minmax(0, 1fr) / minmax(0, 1fr); border-top: 1px solid var(--line); }
.body:has(aside:not([hidden])) { grid-template-columns: minmax(0, 1fr) minmax(280px, 34%); }
.stacked .body { display: block; }
.scroller { position: relative; overflow: auto; max-height: var(--otlp-height, 560px); outline-offset: -2px;
  --name: clamp(150px, 36%, 420px); scrollbar-width: thin; }
.axis, .grid { position: absolute; left: var(--name); right: 16px; }
.axis { position: sticky; top: 0; height: 26px; left: auto; margin: 0 16px 0 var(--name); z-index: 2;
  color: var(--muted); font-size: 11.5px; }
.axis::before { content: ""; position: absolute; inset: 0 -16px 0 -100vw; background: var(--surface);
  border-bottom: 1px solid var(--line); z-index: -1; }
.axis span { position: absolute; top: 4px; padding-left: 4px; white-space: nowrap; }
.grid { top: 0; bottom: 0; }
.line { position: absolute; top: 0; bottom: 0; border-left: 1px solid var(--line); }
.space { position: relative; margin-bottom: 6px; overflow: hidden; }
.row { position: absolute; left: 0; right: 0; height: var(--row); cursor: pointer; display: grid;
  grid-template-columns: var(--name) minmax(0, 1fr); align-items: center; }
.row:hover { background: color-mix(in srgb, var(--ink) 5%, transparent); }
.row[aria-selected=true] { background: color-mix(in srgb, var(--accent) 14%, transparent); }
.scroller:focus-visible .row.active { box-shadow: inset 3px 0 0 var(--accent); }
.name { display: flex; align-items: center; min-width: 0; padding: 0 10px 0 10px; height: 100%; }
.indent { flex: none; align-self: stretch; background: repeating-linear-gradient(to right, transparent 0 7px, var(--line) 7px 8px, transparent 8px 14px); }
.toggle { flex: none; width: 16px; text-align: center; color: var(--muted); align-self: stretch; line-height: var(--row); font-size: 11px; }
.row[aria-expanded=false] .toggle { transform: rotate(-90deg); }
.label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.mark { color: var(--error); } .mark.orphan { color: var(--muted); }
.track { position: relative; height: 100%; margin-right: 16px; }
.bar { position: absolute; top: calc(50% - 6px); height: 12px; min-width: 2px; border-radius: 2px; }
.event { position: absolute; top: calc(50% - 3px); width: 6px; height: 6px; margin-left: -3px; rotate: 45deg;
  background: var(--surface); border: 1.5px solid var(--ink); }
.time { position: absolute; top: 50%; translate: 0 -50%; padding: 0 6px; font-size: 11.5px; color: var(--muted); white-space: nowrap; }
.time.within { right: 0; color: #fff; font-weight: 600; }
.c0 { background: #25897b; } .c1 { background: #b57a10; } .c2 { background: #7565cf; } .c3 { background: #2f7fbf; }
.c4 { background: #6d8830; } .c5 { background: #b3568f; } .c6 { background: #a0684d; } .c7 { background: #5f7c8a; }
.bar.error { background: repeating-linear-gradient(-45deg, #c2361f 0 5px, #a92c17 5px 9px); }
aside { border-left: 1px solid var(--line); padding: 12px 16px 20px; max-height: var(--otlp-height, 560px); overflow: auto; scrollbar-width: thin; }
.stacked aside { border-left: 0; border-top: 1px solid var(--line); max-height: none; }
.title { display: flex; gap: 12px; align-items: start; }
h3 { flex: 1; font-size: 14px; font-weight: 600; overflow-wrap: anywhere; unicode-bidi: isolate; }
.close { font-size: 20px; line-height: 20px; width: 24px; color: var(--muted); }
.close:hover { color: var(--ink); }
.problem { margin-top: 8px; padding: 6px 10px; border-left: 3px solid var(--error); overflow-wrap: anywhere;
  background: color-mix(in srgb, var(--error) 10%, transparent); }
h4 { font-size: 12px; font-weight: 600; margin: 16px 0 2px; } h4 span { color: var(--muted); font-weight: 400; }
dl { display: grid; grid-template-columns: minmax(80px, 38%) minmax(0, 1fr); font-size: 12px; }
dl.facts { margin-top: 8px; }
dt, dd { padding: 3px 0; border-bottom: 1px solid color-mix(in srgb, var(--line) 60%, transparent); overflow-wrap: anywhere; unicode-bidi: isolate; }
dt { color: var(--muted); padding-right: 10px; }
dd { font-family: var(--mono); font-size: 11.5px; line-height: 1.5; max-height: 12em; overflow: auto; white-space: pre-wrap; }
.entry { border-left: 2px solid var(--line); padding-left: 10px; margin: 6px 0 10px; }
.entry p { display: flex; justify-content: space-between; gap: 10px; overflow-wrap: anywhere; }
.when { color: var(--muted); white-space: nowrap; }
.logmark { flex: none; margin-left: 6px; color: var(--muted); font-weight: 700; }
.log { --tone: var(--muted); } .log.info { --tone: var(--accent); } .warn { --tone: var(--warn); } .error, .fatal { --tone: var(--error); }
.logmark.warn, .logmark.error, .logmark.fatal { color: var(--tone); }
.log { border-left-color: var(--tone); } .severity { color: var(--tone); font-size: 11px; letter-spacing: .04em; overflow-wrap: anywhere; }
.said { overflow-wrap: anywhere; white-space: pre-wrap; max-height: 16em; overflow: auto; unicode-bidi: isolate; margin-bottom: 2px; }
.of { color: var(--muted); font-size: 12px; text-align: left; overflow-wrap: anywhere; }
.narrow header { grid-template-columns: 1fr; padding: 12px; } .narrow header code { text-align: left; overflow-wrap: anywhere; }
.narrow .scroller { --name: 0px; } .narrow .axis { margin-left: 12px; margin-right: 12px; } .narrow .grid { left: 12px; right: 12px; }
.narrow .row { grid-template-columns: minmax(0, 1fr); grid-template-rows: 21px 15px; padding: 2px 12px; align-content: start; }
.narrow .name { padding: 0; } .narrow .track { margin: 0; } .narrow .indent { max-width: 30%; } .narrow .toggle { line-height: 21px; }
.narrow .bar { top: 2px; height: 10px; } .narrow .event { top: 4px; } .narrow .time { font-size: 10.5px; } .narrow .time.within { font-size: 9px; }
`);
  return shared;
}

export default { render };
