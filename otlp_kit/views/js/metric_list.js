// The metrics that came in, one row each: what it is called, of which service, what it counts in,
// and its latest value.
//
// The model holds `metrics`, streams as SqliteStore.metrics() returns them, and `selected`, the key
// of a metric (see `key`) or "". A stream is a metric of a service with certain attributes; the
// streams of one metric share a row here, and a chart. Rows keep their elements.
//
// Keys: up and down walk, Home and End jump, Enter opens.

import { say } from "./metric_chart.js";

const KINDS = { exponential_histogram: "exponential histogram" };

export const key = (stream) => JSON.stringify([stream.service, stream.name]);

export function grouped(streams) {
  return [...Map.groupBy(streams, key)].map(([id, of]) => ({
    id, name: of[0].name, service: of[0].service, kind: of[0].kind, unit: of[0].unit, streams: of.length,
    points: of.reduce((sum, stream) => sum + Number(stream.points), 0),
    latest: of.length === 1 ? of[0].latest : null,
  }));
}

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet()];
  const list = root.appendChild(document.createElement("ol"));
  const rows = new Map(); // key -> { item, button, update }

  function draw() {
    const metrics = grouped(model.get("metrics") || []);
    const kept = new Set(metrics.map((metric) => metric.id));
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.item.remove();
      rows.delete(id);
    }
    metrics.forEach((metric, i) => {
      let row = rows.get(metric.id);
      if (!row) rows.set(metric.id, (row = makeRow(() => open(metric.id))));
      row.update(metric);
      if (list.children[i] !== row.item) list.insertBefore(row.item, list.children[i] || null);
    });
    mark();
  }

  function open(id) {
    model.set("selected", id);
    model.save_changes?.();
  }

  function mark() {
    const selected = model.get("selected") || "";
    for (const [id, row] of rows) {
      if (id === selected) row.button.setAttribute("aria-current", "true");
      else row.button.removeAttribute("aria-current");
      row.button.tabIndex = -1;
    }
    const stop = root.activeElement || rows.get(selected)?.button || list.querySelector("button");
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

  model.on("change:metrics", draw);
  model.on("change:selected", mark);
  draw();
  return () => {
    model.off?.("change:metrics", draw);
    model.off?.("change:selected", mark);
    host.remove();
  };
}

function makeRow(onOpen) {
  const [name, latest, about, kind] = ["name", "latest", "about", "kind"].map((part) => node("bdi", part));
  const button = node("button", "", name, latest, about, kind);
  const item = node("li", "", button);
  button.addEventListener("click", onOpen);
  const update = (metric) => {
    const several = metric.streams > 1 ? `, ${metric.streams} streams` : "";
    put(name, metric.name || "(no name)");
    put(latest, metric.latest === null ? `${metric.points.toLocaleString("en")} points` : say(metric.latest, metric.unit));
    latest.classList.toggle("count", metric.latest === null);
    put(about, `${metric.service || "no service name"}${several}`);
    put(kind, KINDS[metric.kind] || metric.kind || "no data");
    button.title = `${metric.name} (${metric.service || "no service name"})`;
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

let shared;
function sheet() {
  if (shared) return shared;
  shared = new CSSStyleSheet();
  shared.replaceSync(`
:host { display: block; color-scheme: light dark;
  --ink: var(--otlp-ink, light-dark(#20252e, #e4e1d9)); --muted: var(--otlp-muted, light-dark(#69707c, #9299a6));
  --line: var(--otlp-line, light-dark(#e2dfd7, #2d323b)); --accent: var(--otlp-accent, light-dark(#0e7c6b, #52c7b3)); }
ol { list-style: none; margin: 0; padding: 0; color: var(--ink);
  font: 13px/1.4 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
li { border-bottom: 1px solid var(--line); content-visibility: auto; contain-intrinsic-size: auto 52px; }
button { all: unset; box-sizing: border-box; display: grid; width: 100%; min-height: 51px; cursor: pointer; align-content: center;
  grid-template-columns: minmax(0, 1fr) auto; gap: 1px 12px; padding: 6px 14px; }
button:hover { background: color-mix(in srgb, var(--ink) 4%, transparent); }
button[aria-current] { background: color-mix(in srgb, var(--accent) 12%, transparent); box-shadow: inset 3px 0 0 var(--accent); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.name, .about { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name { font-weight: 550; }
.latest, .kind { text-align: right; max-width: 16em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.about, .kind, .count { color: var(--muted); font-size: 12px; }
`);
  return shared;
}

export default { render };
